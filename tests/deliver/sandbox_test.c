/*
 * sandbox_test.c -- G5: deliver, in each role, in its own sandbox tries all it must not do (threat-model.md 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "deliver/main.h"
#include "tests/common/attempts.h"

/* TCP to the ports it was told, and nothing else. */
static void
test_remote(void **state)
{
	const struct verdict may[] = {
		{ "TCP socket", ALLOWED }, { "TCP socket, IPv6", ALLOWED }, { "bind to a source address", ALLOWED },
		{ "TCP_NODELAY", ALLOWED },
		{ "connect", landlock_abi() >= 4 ? EACCES : ALLOWED },
		{ "bind to a port", landlock_abi() >= 4 ? EACCES : ALLOWED },
	};
	struct sandbox_run	run = { .nofile = 64, .nports = 1, .ports = { 25 } };

	assert_int_equal(attempts_run(&remote_sandbox, &run, may, sizeof(may) / sizeof(may[0])), 0);
}

/* A port that it was told is open to it, or the rows above would prove nothing. */
static void
test_remote_connects(void **state)
{
	struct sandbox_run run = { .nofile = 64, .nports = 1, .ports = { listener_port } };

	assert_int_equal(attempt_child(&remote_sandbox, &run, p_connect, 0), ALLOWED);
}

/* Files beneath its one directory; no network at all. */
static void
test_mailbox(void **state)
{
	static const struct verdict may[] = {
		{ "open a file", EITHER }, { "open a file outside", EITHER }, { "open the directory above", EITHER },
		{ "open a file of /etc", EITHER }, { "open a file of /proc", EITHER }, { "write a file outside", EITHER },
		{ "create a file where it stands", ALLOWED }, { "fsync", ALLOWED },
	};
	struct sandbox_run	run = { .nofile = 64, .ndirs = 1, .dirs = { work } };

	if (landlock_abi() == 0 && getuid() != 0)
		skip();		/* an ordinary user has nothing else to be held by */
	assert_int_equal(attempts_run(&mailbox_sandbox, &run, may, sizeof(may) / sizeof(may[0])), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remote),
		cmocka_unit_test(test_remote_connects),
		cmocka_unit_test(test_mailbox),
	};

	return (SANDBOX_SANITIZER ? attempts_skip() : cmocka_run_group_tests(tests, attempts_begin, attempts_end));
}
