/*
 * ask_test.c -- what is asked of the real PAM and how its answers are read: services of this test's own, with the modules that
 * come with PAM.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pam/pam.h"

static char	dir[] = "/tmp/postern-pam-XXXXXX";

static void
put(const char *name, const char *text, mode_t mode)
{
	char	path[128];
	FILE	*f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_non_null(f = fopen(path, "w"));
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int
ask(const char *service, const char *login, const char *password)
{
	struct slot_ask	q;

	memset(&q, 0, sizeof(q));
	(void)snprintf(q.service, sizeof(q.service), "%s", service);
	(void)snprintf(q.login, sizeof(q.login), "%s", login);
	(void)snprintf(q.password, sizeof(q.password), "%s", password);
	(void)snprintf(q.client, sizeof(q.client), "192.0.2.7");
	return (pam_ask(&q));
}

static int
setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	pam_confdir = dir;
	put("other", "auth required pam_deny.so\naccount required pam_deny.so\n", 0644);
	put("permit", "auth required pam_permit.so\naccount required pam_permit.so\n", 0644);
	put("deny", "auth required pam_deny.so\naccount required pam_permit.so\n", 0644);
	put("expired", "auth required pam_permit.so\naccount required pam_debug.so acct=acct_expired\n", 0644);
	put("change", "auth required pam_permit.so\naccount required pam_debug.so acct=new_authtok_reqd\n", 0644);
	put("away", "auth required pam_debug.so auth=authinfo_unavail\naccount required pam_permit.so\n", 0644);
	put("unknown", "auth required pam_debug.so auth=user_unknown\naccount required pam_permit.so\n", 0644);
	put("missing", "auth required pam_no_such_module.so\naccount required pam_permit.so\n", 0644);
	return (0);
}

static int
teardown(void **state)
{
	static const char *const	names[] = { "other", "permit", "deny", "expired", "change", "away", "unknown", "missing",
					    "password", "check", "seen" };
	char				path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return (rmdir(dir));
}

static void
meanings(void **state)
{
	static const struct { const char *service; int code; enum sasl_status want; } v[] = {
		{ "permit", PAM_SUCCESS, SASL_OK }, { "deny", PAM_AUTH_ERR, SASL_FAILED },
		{ "expired", PAM_ACCT_EXPIRED, SASL_FAILED }, { "change", PAM_NEW_AUTHTOK_REQD, SASL_FAILED },
		{ "away", PAM_AUTHINFO_UNAVAIL, SASL_TEMPORARY }, { "unknown", PAM_USER_UNKNOWN, SASL_FAILED },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		int	code = ask(v[i].service, "alice", "sesame");

		if (code != v[i].code || pam_meaning(code) != v[i].want)
			fail_msg("%s: %d (%s)", v[i].service, code, pam_words(code));
	}
	/* A service that is not there is "other"; a module that is not there lets nobody in. */
	assert_int_equal(pam_meaning(ask("nosuch", "alice", "sesame")), SASL_FAILED);
	assert_int_not_equal(pam_meaning(ask("missing", "alice", "sesame")), SASL_OK);
}

/* The module sees login, password and client as they are. */
static void
seen(void **state)
{
	char	text[512], path[128], got[256] = "";
	FILE	*f;

	(void)snprintf(text, sizeof(text), "auth required pam_exec.so quiet expose_authtok %s/check\n"
	    "account required pam_permit.so\n", dir);
	put("password", text, 0644);
	(void)snprintf(text, sizeof(text), "#!/bin/sh\nP=$(tr -d '\\000')\necho \"$PAM_USER|$P|$PAM_RHOST|$PAM_TTY|$PAM_SERVICE\" >%s/seen\n"
	    "[ \"$P\" = \"o pen\" ]\n", dir);
	put("check", text, 0755);
	assert_int_equal(ask("password", "alice@example.org", "o pen"), PAM_SUCCESS);
	(void)snprintf(path, sizeof(path), "%s/seen", dir);
	assert_non_null(f = fopen(path, "r"));
	assert_non_null(fgets(got, sizeof(got), f));
	(void)fclose(f);
	assert_string_equal(got, "alice@example.org|o pen|192.0.2.7|smtp|password\n");
	assert_int_equal(pam_meaning(ask("password", "alice@example.org", "open")), SASL_TEMPORARY);	/* pam_exec: system error */
}

/* Every code has a meaning; only success is one. */
static void
all_codes(void **state)
{
	for (int code = 0; code < 256; code++)
		assert_int_equal(pam_meaning(code) == SASL_OK, code == PAM_SUCCESS);
	assert_int_equal(pam_meaning(PAM_SYSTEM_ERR), SASL_TEMPORARY);
	assert_int_equal(pam_meaning(PAM_CONV_ERR), SASL_TEMPORARY);
	assert_int_equal(pam_meaning(PAM_MAXTRIES), SASL_FAILED);
	assert_int_equal(pam_meaning(PAM_IGNORE), SASL_TEMPORARY);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(meanings), cmocka_unit_test(seen), cmocka_unit_test(all_codes),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
