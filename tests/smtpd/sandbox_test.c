/*
 * sandbox_test.c -- G5: smtpd in its own sandbox tries all it must not do (threat-model.md 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/idn.h"
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

/* Names in many scripts: libidn2 needs no file, at its first call neither. */
static int
use_idn(void)
{
	static const struct { const char *in, *out; } names[] = {
		{ "M\xc3\xbcller.example", "xn--mller-kva.example" },
		{ "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.\xd1\x80\xd1\x84", "xn--e1afmkfd.xn--p1ai" },
		{ "\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95", "xn--fsqu00a.xn--0zwm56d" },
		{ "\xd7\x93\xd7\x95\xd7\x92\xd7\x9e\xd7\x94.\xd7\x98\xd7\xa2\xd7\xa1\xd7\x98", "xn--6dbbec0c.xn--deba0ad" },
	};
	char	domain[DOMAIN_MAX + 1];
	size_t	i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (domain_parse_utf8(domain, slice_str(names[i].in), NULL) != E_OK || strcmp(domain, names[i].out) != 0)
			return ((int)i + 1);
	return (0);
}

static void
test_idn(void **state)
{
	struct sandbox_run	run = { .nofile = 64 };
	int			privileged;

	idn_init();
	for (privileged = 0; privileged <= (getuid() == 0); privileged++)
		assert_int_equal(attempt_child(&smtpd_sandbox, &run, use_idn, privileged), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smtpd), cmocka_unit_test(test_idn),
	};

	return (SANDBOX_SANITIZER ? attempts_skip() : cmocka_run_group_tests(tests, attempts_begin, attempts_end));
}
