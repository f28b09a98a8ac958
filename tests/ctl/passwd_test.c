/*
 * passwd_test.c -- posternctl passwd: what may be a login and a password, the edit of a table, and the file that takes its place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "ctl/passwd.h"

static void
logins(void **state)
{
	static const struct { const char *text, *want; } v[] = {
		{ "alice", "alice" }, { "alice@example.org", "alice@example.org" }, { "a b", "a b" }, { "A", "A" },
		{ "b\xc3\xa4r", "b\xc3\xa4r" }, { "ba\xcc\x88r", "b\xc3\xa4r" }, { "\xe2\x85\xa8", "IX" },	/* NFKC, RFC 4013 3 */
		{ "", NULL }, { "a:b", NULL }, { "a\tb", NULL }, { "a\x7f", NULL }, { " a", NULL }, { "a ", NULL }, { "#a", NULL },
		{ "a\xff", NULL }, { "\xc2\xa0" "a", NULL }, { "a\nb", NULL }, { "\xc2\xad", NULL },
	};
	char		dst[LOGIN_MAX + 1], text[LOGIN_MAX + 2];
	const char	*why;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		int	err = passwd_login(dst, v[i].text, &why);

		if ((err == E_OK) != (v[i].want != NULL) || (err == E_OK && strcmp(dst, v[i].want) != 0))
			fail_msg("\"%s\": %s", v[i].text, err_name(err));
	}
	for (size_t n = LOGIN_MAX - 1; n <= LOGIN_MAX + 1; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		assert_int_equal(passwd_login(dst, text, &why), n > LOGIN_MAX ? E_LIMIT : E_OK);
	}
}

static void
passwords(void **state)
{
	char		dst[PASSWORD_MAX + 1], text[PASSWORD_MAX + 2];
	const char	*why;

	assert_int_equal(passwd_password(dst, SLICE_LIT("o pen"), 0, &why), E_OK);
	assert_string_equal(dst, "o pen");
	assert_int_equal(passwd_password(dst, SLICE_LIT("pa\xcc\x88ss"), 1, &why), E_OK);
	assert_string_equal(dst, "p\xc3\xa4ss");
	assert_int_equal(passwd_password(dst, SLICE_LIT(""), 0, &why), E_SYNTAX);
	assert_int_equal(passwd_password(dst, slice_make("a\0b", 3), 0, &why), E_SYNTAX);
	assert_int_equal(passwd_password(dst, SLICE_LIT("p\xe4ss"), 0, &why), E_SYNTAX);	/* Latin 1 */
	assert_int_equal(passwd_password(dst, SLICE_LIT("\xc2\xad"), 0, &why), E_SYNTAX);	/* nothing is left of it */
	memset(text, 'x', sizeof(text));
	for (size_t n = PASSWORD_MAX - 1; n <= PASSWORD_MAX + 1; n++)
		assert_int_equal(passwd_password(dst, slice_make(text, n), 0, &why), n > PASSWORD_MAX ? E_LIMIT : E_OK);
	for (size_t n = 510; n <= 512; n++)
		assert_int_equal(passwd_password(dst, slice_make(text, n), 1, &why), n > 511 ? E_LIMIT : E_OK);
}

static void
edits(void **state)
{
	static const struct { const char *old, *login, *entry, *want; enum passwd_did did; } v[] = {
		{ "", "a", "H", "a:H\n", PASSWD_ADDED }, { "# x\n\nb:1\n", "a", "H", "# x\n\nb:1\na:H\n", PASSWD_ADDED },
		{ "b:1", "a", "H", "b:1\na:H\n", PASSWD_ADDED }, { "a:1\nb:2\n", "a", "H", "a:H\nb:2\n", PASSWD_CHANGED },
		{ "b:2\na:1", "a", "H", "b:2\na:H\n", PASSWD_CHANGED }, { "a:1\nb:2\na:3\n", "a", "H", "a:H\nb:2\n", PASSWD_CHANGED },
		{ "aa:1\na", "a", "H", "aa:1\na\na:H\n", PASSWD_ADDED }, { "A:1\n", "a", "H", "A:1\na:H\n", PASSWD_ADDED },
		{ "a:1\nb:2\n", "a", NULL, "b:2\n", PASSWD_REMOVED }, { "a:1\na:2\n", "a", NULL, "", PASSWD_REMOVED },
		{ "b:2\n", "a", NULL, "b:2\n", PASSWD_NONE }, { "", "a", NULL, "", PASSWD_NONE },
		{ "#a:1\n", "a", NULL, "#a:1\n", PASSWD_NONE }, { ":\n::\n", "a", "H", ":\n::\na:H\n", PASSWD_ADDED },
		{ "a\r:1\n", "a", NULL, "a\r:1\n", PASSWD_NONE },
	};
	struct buf	b;
	enum passwd_did	did;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		buf_init(&b, 1024);
		assert_int_equal(passwd_edit(&b, slice_str(v[i].old), v[i].login, v[i].entry, &did), E_OK);
		if (did != v[i].did || !slice_eq(buf_slice(&b), slice_str(v[i].want)))
			fail_msg("%zu: %d \"%.*s\"", i, did, (int)b.len, b.p + b.off);
		buf_clear(&b);
	}
	buf_init(&b, 7);
	assert_int_equal(passwd_edit(&b, SLICE_LIT("b:1\n"), "a", "H", &did), E_LIMIT);
	buf_clear(&b);
}

static char	dir[] = "/tmp/postern-passwd-XXXXXX";
static char	path[64];

static const char *
text(void)
{
	static char	s[256];
	FILE		*f = fopen(path, "r");

	assert_non_null(f);
	s[fread(s, 1, sizeof(s) - 1, f)] = '\0';
	(void)fclose(f);
	return (s);
}

static void
files(void **state)
{
	struct stat	st, after;
	enum passwd_did	did;
	char		other[80];
	int		fd;

	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/passwd", dir);
	(void)snprintf(other, sizeof(other), "%s.new", path);
	assert_int_equal(passwd_change(path, "a", "1", &did), EXIT_DONE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* What a killed one has left is in nobody's way; mode and owner stay, the file is another. */
	assert_int_not_equal(fd = open(other, O_WRONLY | O_CREAT, 0644), -1);
	close(fd);
	assert_int_equal(chmod(path, 0640), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(path, 12345, 54321), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(passwd_change(path, "b", "2", &did), EXIT_DONE);
	assert_int_equal(stat(path, &after), 0);
	assert_true(after.st_ino != st.st_ino);
	assert_int_equal(after.st_mode & 07777, 0640);
	assert_int_equal(after.st_uid, st.st_uid);
	assert_int_equal(after.st_gid, st.st_gid);
	assert_string_equal(text(), "a:1\nb:2\n");
	assert_int_equal(access(other, F_OK), -1);
	/* Nothing to remove: the very same file. */
	assert_int_equal(passwd_change(path, "c", NULL, &did), EXIT_DONE);
	assert_int_equal(did, PASSWD_NONE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_ino, after.st_ino);
	/* No file at all, and no directory. */
	assert_int_equal(symlink(path, other), 0);
	assert_int_equal(passwd_change(other, "a", "9", &did), EXIT_FAILED);
	assert_int_equal(passwd_change(dir, "a", "9", &did), EXIT_FAILED);
	assert_int_equal(passwd_change("/nonexistent/passwd", "a", "9", &did), EXIT_FAILED);
	assert_int_equal(unlink(other), 0);
	assert_string_equal(text(), "a:1\nb:2\n");
}

/* Eight at once: each change is there in the end. */
static void
together(void **state)
{
	enum passwd_did	did;
	char		login[16];
	int		n = 8, lines = 0, status;

	for (int i = 0; i < n; i++) {
		if (fork() == 0) {
			(void)snprintf(login, sizeof(login), "user%d", i);
			_exit(passwd_change(path, login, "x", &did));
		}
	}
	for (int i = 0; i < n; i++) {
		assert_int_not_equal(wait(&status), -1);
		assert_int_equal(status, 0);
	}
	for (const char *p = text(); *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 2 + n);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(logins), cmocka_unit_test(passwords), cmocka_unit_test(edits), cmocka_unit_test(files),
		cmocka_unit_test(together),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
