/*
 * maildir_test.c -- names of mailboxes and files (core), and deliveries into a directory made for the test.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/limits.h"
#include "deliver/maildir.h"

#define A64	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char	*path, *root, *address;
	int		 err;
	const char	*want;
	const char	*mailbox;
} paths[] = {
	{ "/m/%d/%u", "/m", "bob+x@example.org", E_OK, "example.org/bob", "bob" },
	{ "/m/%u", "/m", "bob+x@example.org", E_OK, "robert", "Robert" },
	{ "/m/%u", "/m", "bob@example.org", E_SYNTAX, NULL, "../x" },
	{ "/m/%u", "/m", "bob@example.org", E_SYNTAX, NULL, "" },
	{ "/m/%d/%u", "/m", "bob@example.org", E_OK, "example.org/bob", NULL },
	{ "/m/%d/%u", "/", "bob@example.org", E_OK, "m/example.org/bob", NULL },
	{ "/m//%d/%u/", "/m/", "Bob@Example.ORG", E_OK, "example.org/bob", NULL },
	{ "/m/%u", "/m", "postmaster", E_OK, "postmaster", NULL },
	{ "/m/%d/%u", "/m", "postmaster", E_OK, "own.example/postmaster", NULL },
	{ "/m/%u/.Mail", "/m", "\"a b\"@x.example", E_OK, "a b/.Mail", NULL },
	{ "/m/%u", "/m", "\"a\\\"b\"@x.example", E_OK, "a\"b", NULL },
	{ "/m/%u", "/m", "a+b@x.example", E_OK, "a+b", NULL },
	{ "/m/%u", "/m", A64 "@x.example", E_OK, A64, NULL },
	{ "/m/%u", "/m", A64 "a@x.example", E_SYNTAX, NULL, NULL },
	{ "/m/%u", "/m", "\"../../etc\"@x.example", E_SYNTAX, NULL, NULL },
	{ "/m/%u", "/m", "\"..\"@x.example", E_SYNTAX, NULL, NULL },
	{ "/m/%u", "/m", "\".\"@x.example", E_SYNTAX, NULL, NULL },
	{ "/m/%u", "/m", "\".hidden\"@x.example", E_SYNTAX, NULL, NULL },
	{ "/m/%u", "/m", "\"a/b\"@x.example", E_SYNTAX, NULL, NULL },
	{ "/m/%u", "/m", "a/b@x.example", E_SYNTAX, NULL, NULL },
	{ "/m/%u", "/m", "\"\"@x.example", E_SYNTAX, NULL, NULL },
	{ "/m/%u", "/m", "@x.example", E_SYNTAX, NULL, NULL },
	{ "/other/%u", "/m", "bob@x.example", E_DENIED, NULL, NULL },
	{ "/mm/%u", "/m", "bob@x.example", E_DENIED, NULL, NULL },
	{ "/m/../x/%u", "/m", "bob@x.example", E_DENIED, NULL, NULL },
	{ "/m", "/m", "bob@x.example", E_DENIED, NULL, NULL },
};

static void
expand(void **state)
{
	char dst[MAILPATH_MAX];
	const char *why;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		why = NULL;
		if (mailpath_expand(dst, paths[i].path, paths[i].root, paths[i].address, paths[i].mailbox, "own.example", &why) !=
		    paths[i].err)
			fail_msg("%s for %s: %s", paths[i].path, paths[i].address, why != NULL ? why : "taken");
		if (paths[i].err == E_OK)
			assert_string_equal(dst, paths[i].want);
		else
			assert_non_null(why);
	}
}

static void
file_names(void **state)
{
	char dst[FILE_NAME_MAX + 1], long_host[400];

	assert_int_equal(mailpath_file(dst, 1700000000, 33, 4, "mx/a:b\\c"), E_OK);
	assert_string_equal(dst, "1700000000.Q11R4.mx\\057a\\072b\\134c");
	memset(long_host, 'h', sizeof(long_host));
	long_host[399] = '\0';
	assert_int_equal(mailpath_file(dst, 1, UINT64_MAX, UINT32_MAX, long_host), E_OK);
	assert_true(strlen(dst) <= FILE_NAME_MAX);
}

static void
line_ends(void **state)
{
	static const struct { struct slice in, want; } t[] = {
		{ SLICE_LIT("a\r\nb\r\n"), SLICE_LIT("a\nb\n") },
		{ SLICE_LIT("\r\n\r\n"), SLICE_LIT("\n\n") },
		{ SLICE_LIT("a\rb\r\r\nc"), SLICE_LIT("a\rb\r\nc") },
		{ SLICE_LIT("a\0\xff\n\r\n"), SLICE_LIT("a\0\xff\n\n") },
	};
	char out[64];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (size_t cut = 0; cut <= t[i].in.n; cut++) {
			int cr = 0;
			size_t n;

			n = mailpath_lines(out, slice_make(t[i].in.p, cut), &cr);
			n += mailpath_lines(out + n, slice_make(t[i].in.p + cut, t[i].in.n - cut), &cr);
			if (cr)
				out[n++] = '\r';
			assert_int_equal(n, t[i].want.n);
			assert_memory_equal(out, t[i].want.p, n);
		}
	}
}

/* ---- files ---- */

static char base[] = "/tmp/postern-maildir-XXXXXX";
static int root;

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return (remove(path));
}

static int
make_root(void **state)
{
	umask(077);
	memcpy(base + sizeof(base) - 7, "XXXXXX", 6);
	if (mkdtemp(base) == NULL)
		return (-1);
	root = open(base, O_RDONLY | O_DIRECTORY);
	return (root == -1 ? -1 : 0);
}

static int
remove_root(void **state)
{
	close(root);
	return (nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

static int
count(const char *sub)
{
	int fd = openat(root, sub, O_RDONLY | O_DIRECTORY), n = 0;
	struct dirent *e;
	DIR *d;

	if (fd == -1)
		return (-1);
	d = fdopendir(fd);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return (n);
}

static void
deliver(struct maildir_file *f, const char *dir, const char *name, const char *body)
{
	maildir_init(f);
	snprintf(f->dir, sizeof(f->dir), "%s", dir);
	snprintf(f->name, sizeof(f->name), "%s", name);
	maildir_begin(f, root, getuid(), SLICE_LIT("Return-Path: <>\n"));
	maildir_write(f, slice_str(body));
	maildir_commit(f);
}

static void
delivery(void **state)
{
	static struct maildir_file f;
	char got[64];
	struct stat st;
	ssize_t n;
	int fd;

	deliver(&f, "x.example/bob", "1.Q1R0.us", "a\r\nb\r\n");
	assert_int_equal(f.result.outcome, OUT_DELIVERED);
	assert_int_equal(count("x.example/bob/new"), 1);
	assert_int_equal(count("x.example/bob/tmp"), 0);
	assert_int_equal(count("x.example/bob/cur"), 0);
	fd = openat(root, "x.example/bob/new/1.Q1R0.us", O_RDONLY);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	n = read(fd, got, sizeof(got));
	close(fd);
	assert_int_equal(n, 20);
	assert_memory_equal(got, "Return-Path: <>\na\nb\n", 20);
	assert_int_equal(fstatat(root, "x.example/bob", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);

	/* The same again after a crash: recognised.  A different message of that name: kept beside it. */
	deliver(&f, "x.example/bob", "1.Q1R0.us", "a\r\nb\r\n");
	assert_int_equal(f.result.outcome, OUT_DELIVERED);
	assert_int_equal(count("x.example/bob/new"), 1);
	deliver(&f, "x.example/bob", "1.Q1R0.us", "another\r\n");
	assert_int_equal(f.result.outcome, OUT_DELIVERED);
	assert_int_equal(count("x.example/bob/new"), 2);
	deliver(&f, "x.example/bob", "1.Q1R0.us", "a third, other length\r\n");
	assert_int_equal(f.result.outcome, OUT_TEMPFAIL);
	assert_int_equal(count("x.example/bob/new"), 2);
	assert_int_equal(count("x.example/bob/tmp"), 0);
}

static void
links_are_not_followed(void **state)
{
	static struct maildir_file f;

	assert_int_equal(mkdirat(root, "elsewhere", 0700), 0);
	assert_int_equal(symlinkat("elsewhere", root, "link"), 0);
	deliver(&f, "link", "1", "a\r\n");
	assert_int_equal(f.result.outcome, OUT_TEMPFAIL);
	deliver(&f, "link/bob", "1", "a\r\n");
	assert_int_equal(f.result.outcome, OUT_TEMPFAIL);
	assert_int_equal(count("elsewhere"), 0);

	assert_int_equal(mkdirat(root, "carol", 0700), 0);
	assert_int_equal(symlinkat("../elsewhere", root, "carol/new"), 0);
	deliver(&f, "carol", "1", "a\r\n");
	assert_int_equal(f.result.outcome, OUT_TEMPFAIL);
	assert_int_equal(count("elsewhere"), 0);
	assert_int_equal(count("carol/tmp"), 0);
}

static void
wrong_owner_or_mode(void **state)
{
	static struct maildir_file f;

	assert_int_equal(mkdirat(root, "open", 0700), 0);
	assert_int_equal(fchmodat(root, "open", 0770, 0), 0);
	deliver(&f, "open", "1", "a\r\n");
	assert_int_equal(f.result.outcome, OUT_TEMPFAIL);
	assert_int_equal(fchmodat(root, "open", 0750, 0), 0);
	deliver(&f, "open", "1", "a\r\n");
	assert_int_equal(f.result.outcome, OUT_DELIVERED);
	maildir_init(&f);
	snprintf(f.dir, sizeof(f.dir), "open");
	maildir_begin(&f, root, getuid() + 1, SLICE_LIT(""));
	maildir_commit(&f);
	assert_int_equal(f.result.outcome, OUT_TEMPFAIL);
}

/* A limit on file size stands for a full disk: tempfail, and nothing stays behind. */
static void
no_room(void **state)
{
	static struct maildir_file f;
	static char big[IPC_CHUNK_MAX + 1];
	struct rlimit old, small;

	memset(big, 'x', sizeof(big) - 1);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 10000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	deliver(&f, "dave", "1", big);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(f.result.outcome, OUT_TEMPFAIL);
	assert_int_equal(f.result.enhanced.cls, 4);
	assert_int_equal(f.result.enhanced.subject, 2);
	assert_int_equal(count("dave/tmp"), 0);
	assert_int_equal(count("dave/new"), 0);
	deliver(&f, "dave", "1", big);
	assert_int_equal(f.result.outcome, OUT_DELIVERED);
}

static void
given_up(void **state)
{
	static struct maildir_file f;

	maildir_init(&f);
	snprintf(f.dir, sizeof(f.dir), "erin");
	snprintf(f.name, sizeof(f.name), "1");
	maildir_begin(&f, root, getuid(), SLICE_LIT("x"));
	assert_int_equal(count("erin/tmp"), 1);
	maildir_discard(&f);
	assert_int_equal(count("erin/tmp"), 0);
	maildir_discard(&f);
}

static void
stale_files(void **state)
{
	static struct maildir_file f;
	struct timespec old[2], young[2];
	int i, fd;

	assert_int_equal(mkdirat(root, "frank", 0700), 0);
	assert_int_equal(mkdirat(root, "frank/tmp", 0700), 0);
	clock_gettime(CLOCK_REALTIME, &old[0]);
	young[0] = old[0];
	old[0].tv_sec -= TMP_AGE_MAX_S + 60;
	young[0].tv_sec -= TMP_AGE_MAX_S - 60;
	old[1] = old[0];
	young[1] = young[0];
	for (i = 0; i < 2; i++) {
		fd = openat(root, i ? "frank/tmp/young" : "frank/tmp/old", O_WRONLY | O_CREAT, 0600);
		assert_int_not_equal(fd, -1);
		assert_int_equal(futimens(fd, i ? young : old), 0);
		close(fd);
	}
	deliver(&f, "frank", "1", "a\r\n");
	assert_int_equal(f.result.outcome, OUT_DELIVERED);
	assert_int_equal(faccessat(root, "frank/tmp/young", F_OK, 0), 0);
	assert_int_equal(faccessat(root, "frank/tmp/old", F_OK, 0), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expand),
		cmocka_unit_test(file_names),
		cmocka_unit_test(line_ends),
		/* First: a file system may give an inode of a removed tmp/ again, and that one was just looked through. */
		cmocka_unit_test_setup_teardown(stale_files, make_root, remove_root),
		cmocka_unit_test_setup_teardown(delivery, make_root, remove_root),
		cmocka_unit_test_setup_teardown(links_are_not_followed, make_root, remove_root),
		cmocka_unit_test_setup_teardown(wrong_owner_or_mode, make_root, remove_root),
		cmocka_unit_test_setup_teardown(no_room, make_root, remove_root),
		cmocka_unit_test_setup_teardown(given_up, make_root, remove_root),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
