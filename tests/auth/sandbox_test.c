/*
 * sandbox_test.c -- G5: auth in its own sandbox tries all it must not do (threat-model.md 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/auth.h"
#include "tests/common/attempts.h"

/* Its threads may give way to each other, and it may lock memory, which is no attempt; of the list it has nothing else. */
static void
test_auth(void **state)
{
	struct sandbox_run	run = { .nofile = 64 };

	(void)state;
	assert_int_equal(attempts_run(&auth_sandbox, &run, NULL, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth),
	};

	return (SANDBOX_SANITIZER ? attempts_skip() : cmocka_run_group_tests(tests, attempts_begin, attempts_end));
}
