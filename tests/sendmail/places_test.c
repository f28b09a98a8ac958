/*
 * places_test.c -- <runtime>/paths as sendmail reads it: what is malformed changes nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "sendmail/places.h"

static void
test_parse(void **state)
{
	static const struct { const char *in, *directory, *hostname; uint64_t limit; int closed; } rows[] = {
		{ "directory=/a\nhostname=h.example\nmessage-size-limit=7\nlocal-submission=no\n", "/a", "h.example", 7, 1 },
		{ "local-submission=yes\nfuture=x\n\nhostname=H.Example.\n", "/d", "h.example", 0, 0 },
		{ "directory=a\nhostname=-x\nmessage-size-limit=-1\nlocal-submission=maybe\n", "/d", "o", 0, 0 },
		{ "directory=\nhostname=\nmessage-size-limit=\n", "/d", "o", 0, 0 },
		{ "directory=/torn", "/d", "o", 0, 0 }, { "", "/d", "o", 0, 0 }, { "=\n==\n", "/d", "o", 0, 0 },
	};
	struct places p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&p, 0, sizeof(p));
		(void)strncpy(p.directory, "/d", sizeof(p.directory) - 1);
		(void)strncpy(p.hostname, "o", sizeof(p.hostname) - 1);
		places_parse(&p, slice_str(rows[i].in));
		assert_string_equal(p.directory, rows[i].directory);
		assert_string_equal(p.hostname, rows[i].hostname);
		assert_int_equal(p.size_limit, rows[i].limit);
		assert_int_equal(p.closed, rows[i].closed);
	}
}

static void
test_path_limit(void **state)
{
	char text[PLACES_PATH_MAX + 64];
	struct places p;

	(void)state;
	for (size_t n = PLACES_PATH_MAX - 2; n <= PLACES_PATH_MAX; n++) {
		memset(&p, 0, sizeof(p));
		(void)snprintf(text, sizeof(text), "directory=/%0*d\n", (int)n - 1, 0);
		places_parse(&p, slice_str(text));
		assert_int_equal(strlen(p.directory), n < PLACES_PATH_MAX ? n : 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_parse), cmocka_unit_test(test_path_limit) };

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
