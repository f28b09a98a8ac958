/*
 * sandbox_test.c -- G5: keys in its own sandbox tries all it must not do (threat-model.md 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "keys/keys.h"
#include "tests/common/attempts.h"

/* It has no network, no file, no thread and no child: nothing of the list. */
static void
test_keys(void **state)
{
	struct sandbox_run	run = { .nofile = 64 };

	(void)state;
	assert_int_equal(attempts_run(&keys_sandbox, &run, NULL, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
	};

	return (SANDBOX_SANITIZER ? attempts_skip() : cmocka_run_group_tests(tests, attempts_begin, attempts_end));
}
