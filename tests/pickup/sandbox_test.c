/*
 * sandbox_test.c -- G5: pickup in its own sandbox tries all it must not do (threat-model.md 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/sandbox.h"
#include "tests/common/attempts.h"

extern const struct sandbox pickup_sandbox;	/* pickup.h has another use for the word verdict */

/* Files beneath the drop directory; no network at all. */
static void
test_pickup(void **state)
{
	static const struct verdict may[] = {
		{ "open a file", EITHER }, { "open a file outside", EITHER }, { "open the directory above", EITHER },
		{ "open a file of /etc", EITHER }, { "open a file of /proc", EITHER }, { "write a file outside", EITHER },
		{ "create a file where it stands", ALLOWED }, { "fsync", ALLOWED },
		{ "socketpair", ALLOWED },
	};
	struct sandbox_run	run = { .nofile = 64, .ndirs = 1, .dirs = { work } };

	if (landlock_abi() == 0 && getuid() != 0)
		skip();		/* an ordinary user has nothing else to be held by */
	assert_int_equal(attempts_run(&pickup_sandbox, &run, may, sizeof(may) / sizeof(may[0])), 0);
}

/* A pair of Unix streams is all it can make; another family's or kind's ends it. */
static int p_pair_tipc(void) { int f[2]; return (RESULT(socketpair(AF_TIPC, SOCK_STREAM, 0, f))); }
static int p_pair_datagrams(void) { int f[2]; return (RESULT(socketpair(AF_UNIX, SOCK_DGRAM, 0, f))); }

static void
test_pairs(void **state)
{
	struct sandbox_run	run = { .nofile = 64, .ndirs = 1, .dirs = { work } };

	(void)state;
	assert_int_equal(attempt_child(&pickup_sandbox, &run, p_socketpair, 0), ALLOWED);
	assert_int_equal(attempt_child(&pickup_sandbox, &run, p_pair_tipc, 0), KILLED);
	assert_int_equal(attempt_child(&pickup_sandbox, &run, p_pair_datagrams, 0), KILLED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pickup), cmocka_unit_test(test_pairs) };

	return (SANDBOX_SANITIZER ? attempts_skip() : cmocka_run_group_tests(tests, attempts_begin, attempts_end));
}
