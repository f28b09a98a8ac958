/*
 * sandbox_test.c -- G5: resolver in its own sandbox tries all it must not do (threat-model.md 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "resolver/sandbox.h"
#include "tests/common/attempts.h"

/* It talks to name servers by UDP and TCP; it does not listen, and has no file. */
static void
test_resolver(void **state)
{
	const struct verdict may[] = {
		{ "TCP socket", ALLOWED }, { "TCP socket, IPv6", ALLOWED }, { "UDP socket", ALLOWED },
		{ "UDP talk", ALLOWED }, { "bind to a source address", ALLOWED }, { "TCP_NODELAY", ALLOWED },
		/* libunbound tries this first, and connects after this answer. */
		{ "connect by sendmsg", EOPNOTSUPP },
		/* Its ports are 53 and those configured: the listener's is none of them. */
		{ "connect", landlock_abi() >= 4 ? EACCES : ALLOWED },
		{ "bind to a port", landlock_abi() >= 4 ? EACCES : ALLOWED },
	};
	struct sandbox_run	run = { .nofile = 64, .nports = 1, .ports = { 53 } };

	assert_int_equal(attempts_run(&resolver_sandbox, &run, may, sizeof(may) / sizeof(may[0])), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolver),
	};

	return (SANDBOX_SANITIZER ? attempts_skip() : cmocka_run_group_tests(tests, attempts_begin, attempts_end));
}
