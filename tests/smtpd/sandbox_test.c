/*
 * sandbox_test.c -- G5: smtpd in its own sandbox tries all it must not do (threat-model.md 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtpd/smtpd.h"
#include "tests/common/attempts.h"

/* It accepts; no file, no socket of its own making, no child. */
static void
test_smtpd(void **state)
{
	static const struct verdict may[] = { { "accept", ALLOWED }, { "TCP_NODELAY", ALLOWED } };
	struct sandbox_run	run = { .nofile = 64 };

	assert_int_equal(attempts_run(&smtpd_sandbox, &run, may, sizeof(may) / sizeof(may[0])), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smtpd),
	};
	int failed;

	if (SANDBOX_SANITIZER) {
		(void)puts("1..0 # SKIP a sanitizer's build has no filter");
		return (0);
	}
	if (attempts_begin() != 0)
		return (1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	attempts_end();
	return (failed);
}
