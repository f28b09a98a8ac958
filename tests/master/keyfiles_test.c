/*
 * keyfiles_test.c -- who may own and read the files of keys and passwords, and what is passed on of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc_msg.h"
#include "master/keyfiles.h"
#include "master/paths.h"

static char	work[] = "/tmp/postern-keyfiles-XXXXXX";
static char	err[MASTER_ERR_MAX];

static const char *
in_work(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *p = path[turn++ % 4];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", work, name);
	return (p);
}

static void
put(const char *name, const char *text, mode_t mode)
{
	int fd = open(in_work(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int
setup(void **state)
{
	return (mkdtemp(work) == NULL);
}

static int
teardown(void **state)
{
	static const char *const names[] = { "table", "login", "link", "pipe", "key" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(in_work(names[i]));
	return (rmdir(work));
}

/* A snapshot that asks for both kinds, and for a key. */
static void
make(struct conf *c, struct conf_login *l, struct conf_cert *cert)
{
	static char table[128], login[128], key[128];

	(void)snprintf(table, sizeof(table), "%s/table", work);
	(void)snprintf(login, sizeof(login), "%s/login", work);
	(void)snprintf(key, sizeof(key), "%s/key", work);
	memset(c, 0, sizeof(*c));
	*l = (struct conf_login){ .name = "office", .user = "u", .password_path = login };
	*cert = (struct conf_cert){ .name = "a", .key_path = key };
	c->auth.needed = 1;
	c->auth.passwd_path = table;
	c->auth.dovecot_path = c->auth.pam_service = "";
	c->logins = l;
	c->nlogins = 1;
	c->certs = cert;
	c->ncerts = 1;
	put("table", "alice:!\n", 0600);
	put("login", "open sesame\n", 0600);
	put("key", "k", 0600);
}

static size_t
content(int fd, char *dst, size_t size)
{
	ssize_t n;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_not_equal(n = read(fd, dst, size), -1);
	return ((size_t)n);
}

static void
test_copies(void **state)
{
	struct secret_files s;
	struct conf_login l;
	struct conf_cert cert;
	struct conf c;
	char got[64];

	make(&c, &l, &cert);
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_OK);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.v[0].kind, SECRET_TABLE);
	assert_int_equal(s.v[1].kind, SECRET_LOGIN);
	assert_int_equal(s.v[1].index, 0);
	/* What was there then, whatever becomes of the file. */
	put("table", "mallory:!\n", 0600);
	assert_int_equal(content(s.v[0].fd, got, sizeof(got)), 8);
	assert_memory_equal(got, "alice:!\n", 8);
	assert_int_equal(content(s.v[1].fd, got, sizeof(got)), 12);
	assert_memory_equal(got, "open sesame\n", 12);
	assert_int_equal(write(s.v[0].fd, "x", 1), -1);
	assert_int_equal(ftruncate(s.v[0].fd, 0), -1);
	secret_files_close(&s);
	assert_int_equal(s.n, 0);
	assert_int_equal(lseek(s.v[0].fd, 0, SEEK_SET), -1);

	c.auth.passwd_path = "";
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_OK);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.v[0].kind, SECRET_LOGIN);
	secret_files_close(&s);
	c.auth.needed = 0;
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_OK);
	assert_int_equal(s.n, 0);
}

static void
test_modes(void **state)
{
	static const struct { mode_t mode; gid_t gid; int key, secret; } rows[] = {
		{ 0600, 0, E_OK, E_OK }, { 0400, 0, E_OK, E_OK }, { 0640, 0, E_OK, E_OK }, { 0440, 0, E_OK, E_OK },
		{ 0640, 7, E_OK, E_DENIED }, { 0600, 7, E_OK, E_OK }, { 0660, 0, E_DENIED, E_DENIED },
		{ 0644, 0, E_DENIED, E_DENIED }, { 0604, 0, E_DENIED, E_DENIED }, { 0700, 0, E_DENIED, E_DENIED },
	};
	static const char *const names[] = { "table", "login" };
	struct secret_files s;
	struct key_files k;
	struct conf_login l;
	struct conf_cert cert;
	struct conf c;
	size_t i, n;

	if (geteuid() != 0)
		skip();		/* the group cannot be chosen */
	make(&c, &l, &cert);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(chown(in_work("key"), 0, rows[i].gid), 0);
		assert_int_equal(chmod(in_work("key"), rows[i].mode), 0);
		assert_int_equal(key_files_open(&k, &c, err, sizeof(err)), rows[i].key);
		assert_int_equal(k.n, rows[i].key == E_OK ? 1 : 0);
		key_files_close(&k);
		for (n = 0; n < 2; n++) {
			make(&c, &l, &cert);
			assert_int_equal(chown(in_work(names[n]), 0, rows[i].gid), 0);
			assert_int_equal(chmod(in_work(names[n]), rows[i].mode), 0);
			err[0] = '\0';
			if (secret_files_open(&s, &c, err, sizeof(err)) != rows[i].secret)
				fail_msg("%s, mode %04o, group %u: %s", names[n], (unsigned)rows[i].mode,
				    (unsigned)rows[i].gid, err);
			assert_int_equal(s.n, rows[i].secret == E_OK ? 2 : 0);
			assert_true(rows[i].secret == E_OK || strstr(err, names[n]) != NULL);
			secret_files_close(&s);
		}
	}
	make(&c, &l, &cert);
	assert_int_equal(chown(in_work("table"), 65534, 0), 0);		/* somebody else's */
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_DENIED);
	assert_non_null(strstr(err, "owner is uid 65534, expected 0"));
	assert_non_null(strstr(err, "password table"));
	assert_int_equal(chown(in_work("table"), 0, 0), 0);
}

static void
test_what_it_is(void **state)
{
	struct secret_files s;
	struct conf_login l;
	struct conf_cert cert;
	struct conf c;

	make(&c, &l, &cert);
	assert_int_equal(symlink("table", in_work("link")), 0);		/* what it leads to counts */
	c.auth.passwd_path = in_work("link");
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_OK);
	secret_files_close(&s);
	assert_int_equal(chmod(in_work("table"), 0644), 0);
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_DENIED);
	c.auth.passwd_path = work;
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_DENIED);
	assert_non_null(strstr(err, "not a regular file"));
	assert_int_equal(mkfifo(in_work("pipe"), 0600), 0);		/* must not wait for a writer */
	c.auth.passwd_path = in_work("pipe");
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_DENIED);
	c.auth.passwd_path = in_work("none");
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_IO);
	assert_non_null(strstr(err, "password table"));
	make(&c, &l, &cert);
	l.password_path = in_work("none");	/* the table is closed again */
	assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), E_IO);
	assert_int_equal(s.n, 0);
	assert_non_null(strstr(err, "password file"));
}

static void
test_size(void **state)
{
	static const struct { off_t over; int want; } rows[] = { { -1, E_OK }, { 0, E_OK }, { 1, E_LIMIT } };
	struct secret_files s;
	struct conf_login l;
	struct conf_cert cert;
	struct conf c;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&c, &l, &cert);
		assert_int_equal(truncate(in_work("table"), (off_t)AUTH_TABLE_MAX + rows[i].over), 0);
		assert_int_equal(secret_files_open(&s, &c, err, sizeof(err)), rows[i].want);
		if (rows[i].want == E_OK)
			assert_int_equal(lseek(s.v[0].fd, 0, SEEK_END), (off_t)AUTH_TABLE_MAX + rows[i].over);
		secret_files_close(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_what_it_is),
		cmocka_unit_test(test_size),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
