/* defaults_test.c -- the host's own name, and the embedded configuration. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "conf/build.h"
#include "conf/defaults.h"

static void
test_hostname(void **state)
{
	static const char	 hosts[] =
	    "127.0.0.1 localhost\n# 1.2.3.4 short.comment short\n127.0.1.1\tother Short.Example.ORG short # x.y short\n"
	    "10.0.0.1 plain\n10.0.0.2 bad..name bad";
	static const struct { const char *node, *want; } cases[] = {
		{ "a.b.Test", "a.b.test" }, { "short", "short.example.org" }, { "SHORT", "short.example.org" },
		{ "plain", "plain" }, { "unknown", "unknown" }, { "bad", "bad" }, { "", "localhost" },
		{ "(none)", "localhost" }, { "localhost", "localhost" },
	};
	char	 name[DOMAIN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		defaults_hostname(name, slice_str(cases[i].node), SLICE_LIT(hosts));
		assert_string_equal(name, cases[i].want);
	}
	defaults_hostname(name, SLICE_LIT("x"), slice_make(NULL, 0));
	assert_string_equal(name, "x");
}

static char *
no_file(const char *path, size_t max, const char **why)
{
	(void)path;
	(void)max;
	*why = "none";
	return (NULL);
}

static void
test_embedded(void **state)
{
	static const struct conf_world	 world = { .name = "c", .hostname = "h.test", .read_file = no_file, .read_cert = no_file };
	static const char		*const bad[] = { "x", "", "/a\"b", "/a\\b", "/a%b", "/a\nb", "/${X}" };
	struct errors			 e = { 0 };
	const char			*why;
	struct conf			*c;
	char				*text;

	(void)state;
	text = defaults_text("/tmp/d", "h.test", &why);
	assert_non_null(text);
	c = conf_build(slice_str(text), &world, &e);
	assert_int_equal(e.n, 0);
	assert_string_equal(c->directory, "/tmp/d/spool");
	assert_string_equal(c->runtime, "/tmp/d/run");
	assert_int_equal(c->log, LOG_TO_STDERR);
	assert_string_equal(c->domains[0].name, "h.test");
	assert_string_equal(c->domains[0].deliver.path, "/tmp/d/mail/%d/%u");
	assert_int_equal(c->domains[0].all, 1);
	assert_string_equal(c->resolver.trust_anchor, "");
	conf_free(c);
	free(text);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(defaults_text(bad[i], "h.test", &why));
		assert_non_null(why);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_hostname), cmocka_unit_test(test_embedded),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
