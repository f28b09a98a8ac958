/*
 * sandbox_test.c -- G5: queue in its own sandbox tries all it must not do (threat-model.md 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/common/attempts.h"

extern const struct sandbox queue_sandbox;

/* Files beneath the spool alone; no network at all. */
static void
test_queue(void **state)
{
	static const struct verdict may[] = {
		{ "open a file", EITHER }, { "open a file outside", EITHER }, { "open the directory above", EITHER },
		{ "open a file of /etc", EITHER }, { "open a file of /proc", EITHER }, { "write a file outside", EITHER },
		{ "create a file where it stands", ALLOWED }, { "fsync", ALLOWED },
	};
	struct sandbox_run	run = { .nofile = 64, .ndirs = 1, .dirs = { work } };

	if (landlock_abi() == 0 && getuid() != 0)
		skip();		/* an ordinary user has nothing else to be held by */
	assert_int_equal(attempts_run(&queue_sandbox, &run, may, sizeof(may) / sizeof(may[0])), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),
	};

	return (SANDBOX_SANITIZER ? attempts_skip() : cmocka_run_group_tests(tests, attempts_begin, attempts_end));
}
