/*
 * paths_test.c -- owners and modes, and the directories of maildir hops.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "master/paths.h"

static void
test_static_prefix(void **state)
{
	static const struct { const char *path, *want; int err; } rows[] = {
		{ "/var/mail/postern/%d/%u", "/var/mail/postern", E_OK },
		{ "/var/mail/%u", "/var/mail", E_OK },
		{ "/var/mail//%u", "/var/mail", E_OK },
		{ "/srv/all", "/srv/all", E_OK },
		{ "/srv/all/", "/srv/all", E_OK },
		{ "/%u", "/", E_OK },
		{ "relative/%u", "", E_SYNTAX },
		{ "%u", "", E_SYNTAX },
		{ "", "", E_SYNTAX },
	};
	char dst[MASTER_PATH_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = conf_maildir_base(dst, sizeof(dst), rows[i].path);

		if (err != rows[i].err || (err == E_OK && strcmp(dst, rows[i].want) != 0))
			fail_msg("%s: %d %s, wanted %d %s", rows[i].path, err, dst, rows[i].err, rows[i].want);
	}
}

static void
test_common(void **state)
{
	static const struct { const char *dir[4]; const char *want; } rows[] = {
		{ { NULL }, "" },
		{ { "/var/mail" }, "/var/mail" },
		{ { "/var/mail/a", "/var/mail/b" }, "/var/mail" },
		{ { "/var/mail", "/var/mail/b" }, "/var/mail" },
		{ { "/var/mail/b", "/var/mail" }, "/var/mail" },
		{ { "/var/mail", "/var/mailbox" }, "/var" },
		{ { "/var/mailbox", "/var/mail" }, "/var" },
		{ { "/srv/a", "/var/b" }, "/" },
		{ { "/a", "/a", "/a" }, "/a" },
		{ { "/", "/a" }, "/" },
		{ { "/a/b/c", "/a/b/d", "/a/x" }, "/a" },
	};
	struct maildirs m;
	char dst[MASTER_PATH_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (m.n = 0; m.n < 4 && rows[i].dir[m.n] != NULL; m.n++)
			(void)snprintf(m.dir[m.n], sizeof(m.dir[0]), "%s", rows[i].dir[m.n]);
		assert_int_equal(paths_common(dst, sizeof(dst), &m), E_OK);
		if (strcmp(dst, rows[i].want) != 0)
			fail_msg("row %zu: %s, wanted %s", i, dst, rows[i].want);
	}
}

static void
test_maildirs(void **state)
{
	struct conf c;
	struct conf_domain d[SANDBOX_DIRS_MAX + 2];
	struct conf_route r = { .name = "*", .via = { .kind = HOP_MAILDIR, .path = "/a/%u" } };
	static char path[SANDBOX_DIRS_MAX + 2][32];
	struct maildirs m;
	size_t i;

	(void)state;
	memset(&c, 0, sizeof(c));
	memset(d, 0, sizeof(d));
	c.domains = d;
	c.routes = &r;
	c.nroutes = 1;
	for (i = 0; i < sizeof(d) / sizeof(d[0]); i++) {
		(void)snprintf(path[i], sizeof(path[i]), "/m%02zu/%%d/%%u", i);
		d[i].deliver = (struct hop){ .kind = HOP_MAILDIR, .path = path[i] };
	}
	/* limit - 1, limit, limit + 1 */
	c.ndomains = SANDBOX_DIRS_MAX - 2;
	assert_int_equal(paths_maildirs(&m, &c), E_OK);
	assert_int_equal(m.n, SANDBOX_DIRS_MAX - 1);
	assert_string_equal(m.dir[0], "/a");		/* sorted */
	assert_string_equal(m.dir[1], "/m00");
	c.ndomains = SANDBOX_DIRS_MAX - 1;
	assert_int_equal(paths_maildirs(&m, &c), E_OK);
	assert_int_equal(m.n, SANDBOX_DIRS_MAX);
	c.ndomains = SANDBOX_DIRS_MAX;
	assert_int_equal(paths_maildirs(&m, &c), E_LIMIT);
	/* The same again takes no place; a relay domain has no deliver. */
	d[SANDBOX_DIRS_MAX - 1].deliver.path = path[0];
	assert_int_equal(paths_maildirs(&m, &c), E_OK);
	c.ndomains = SANDBOX_DIRS_MAX + 1;
	d[SANDBOX_DIRS_MAX].relay = 1;
	assert_int_equal(paths_maildirs(&m, &c), E_OK);
	assert_int_equal(m.n, SANDBOX_DIRS_MAX);
}

static void
test_maildir_of(void **state)
{
	char dst[16];

	(void)state;
	assert_int_equal(paths_maildir_of(dst, sizeof(dst), "/m/%d/%u", "d.e", "bob"), E_OK);
	assert_string_equal(dst, "/m/d.e/bob");
	assert_int_equal(paths_maildir_of(dst, sizeof(dst), "/m/%d/%u", "123456", "12345"), E_OK);
	assert_int_equal(strlen(dst), 15);
	assert_int_equal(paths_maildir_of(dst, sizeof(dst), "/m/%d/%u", "123456", "123456"), E_LIMIT);
}

static void
test_check(void **state)
{
	static const struct path_want w = { .path = "/spool/store", .uid = 995, .gid = 0,
	    .make = 0710, .allowed = 0710, .needed = 0710 };
	static const struct path_want loose = { .path = "/spool", .uid = 0, .gid = (gid_t)-1,
	    .make = 0755, .allowed = 0755, .needed = 0700 };
	static const struct {
		const struct path_want *w; uid_t uid; gid_t gid; mode_t mode; const char *err;
	} rows[] = {
		{ &w, 995, 0, 0710, NULL },
		{ &w, 995, 0, 040710, NULL },		/* the type's bits do not count */
		{ &w, 0, 0, 0710, "/spool/store: owner is uid 0, expected 995" },
		{ &w, 995, 993, 0710, "/spool/store: group is gid 993, expected 0" },
		{ &w, 995, 0, 0711, "/spool/store: mode is 0711, expected 0710" },
		{ &w, 995, 0, 0700, "/spool/store: mode is 0700, expected 0710" },
		{ &w, 995, 0, 04710, "/spool/store: mode is 4710, expected 0710" },
		{ &loose, 0, 77, 0700, NULL },
		{ &loose, 0, 77, 0755, NULL },
		{ &loose, 0, 77, 0775, "/spool: mode is 0775, expected 0755" },
		{ &loose, 0, 77, 0757, "/spool: mode is 0757, expected 0755" },
		{ &loose, 0, 77, 0055, "/spool: mode is 0055, expected 0755" },
	};
	char err[MASTER_ERR_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		err[0] = '\0';
		rc = paths_check(rows[i].w, rows[i].uid, rows[i].gid, rows[i].mode, err, sizeof(err));
		if (rc != (rows[i].err == NULL ? E_OK : E_DENIED) ||
		    strcmp(err, rows[i].err == NULL ? "" : rows[i].err) != 0)
			fail_msg("row %zu: %d \"%s\", wanted \"%s\"", i, rc, err,
			    rows[i].err == NULL ? "" : rows[i].err);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_static_prefix),
		cmocka_unit_test(test_common),
		cmocka_unit_test(test_maildirs),
		cmocka_unit_test(test_maildir_of),
		cmocka_unit_test(test_check),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
