/*
 * proxy_test.c -- PROXY headers: what is told, what is refused, and that cuts do not matter.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtpd/proxy.h"

#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define HEAD(cmd, fam, len)	SIG cmd fam "\0" len
#define A4	"\xc0\0\2\1" "\xc6\x33\x64\2" "\x04\xd2" "\0\x19"
#define A6	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1" "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2" "\x04\xd2" "\0\x19"

static const struct {
	const char	*in;
	size_t		 n;
	enum proxy_status st;
	const char	*client;	/* NULL: not told */
	unsigned	 port;
	size_t		 left;		/* octets behind the header */
} cases[] = {
#define T(in, st, client, port, left)	{ in, sizeof(in) - 1, st, client, port, left }
	/* Version 1. */
	T("PROXY TCP4 192.0.2.1 198.51.100.2 1234 25\r\n", PROXY_DONE, "192.0.2.1", 1234, 0),
	T("PROXY TCP4 192.0.2.1 198.51.100.2 0 65535\r\nEHLO", PROXY_DONE, "192.0.2.1", 0, 4),
	T("PROXY TCP6 2001:db8::1 2001:db8::2 1234 25\r\n", PROXY_DONE, "2001:db8::1", 1234, 0),
	T("PROXY UNKNOWN\r\n", PROXY_DONE, NULL, 0, 0),
	T("PROXY UNKNOWN what ever it says\r\nX", PROXY_DONE, NULL, 0, 1),
	T("PROXY TCP4 192.0.2.1 198.51.100.2 1234 25\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP4 192.0.2.1 198.51.100.2 1234 25 \r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP4  192.0.2.1 198.51.100.2 1234 25\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP4 192.0.2.1 198.51.100.2 1234\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP4 192.0.2.1 198.51.100.2 1234 25 1\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP4 192.0.2.1 198.51.100.2 01234 25\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP4 192.0.2.256 198.51.100.2 1 25\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP4 2001:db8::1 2001:db8::2 1 25\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP6 192.0.2.1 198.51.100.2 1 25\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 25\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY UDP4 192.0.2.1 198.51.100.2 1 25\r\n", PROXY_BAD, NULL, 0, 0),
	T("PROXY \r\n", PROXY_BAD, NULL, 0, 0),
	T("proxy UNKNOWN\r\n", PROXY_BAD, NULL, 0, 0),
	T("EHLO client.example\r\n", PROXY_BAD, NULL, 0, 0),
	T("P", PROXY_MORE, NULL, 0, 0),
	T("PROXY TCP4 192.0.2.1 198.51.100.2 1234 25\r", PROXY_MORE, NULL, 0, 0),
	/* Version 2. */
	T(HEAD("\x21", "\x11", "\x0c") A4 "EHLO", PROXY_DONE, "192.0.2.1", 1234, 4),
	T(HEAD("\x21", "\x21", "\x24") A6, PROXY_DONE, "2001:db8::1", 1234, 0),
	T(HEAD("\x20", "\0", "\0") "X", PROXY_DONE, NULL, 0, 1),
	T(HEAD("\x20", "\x11", "\x0c") A4, PROXY_DONE, NULL, 0, 0),
	T(HEAD("\x21", "\0", "\3") "abc", PROXY_DONE, NULL, 0, 0),
	T(HEAD("\x21", "\x11", "\x0f") A4 "\4\0\0", PROXY_DONE, "192.0.2.1", 1234, 0),
	T(HEAD("\x21", "\x11", "\x0e") A4 "\4\0", PROXY_BAD, NULL, 0, 0),
	T(HEAD("\x21", "\x11", "\x10") A4 "\4\0\2x", PROXY_BAD, NULL, 0, 0),
	T(HEAD("\x21", "\x11", "\x0b") A4, PROXY_BAD, NULL, 0, 0),
	T(HEAD("\x21", "\x21", "\x0c") A4, PROXY_BAD, NULL, 0, 0),
	T(HEAD("\x21", "\x31", "\x0c") A4, PROXY_BAD, NULL, 0, 0),
	T(HEAD("\x21", "\x12", "\x0c") A4, PROXY_BAD, NULL, 0, 0),
	T(HEAD("\x22", "\x11", "\x0c") A4, PROXY_BAD, NULL, 0, 0),
	T(HEAD("\x11", "\x11", "\x0c") A4, PROXY_BAD, NULL, 0, 0),
	T(SIG, PROXY_MORE, NULL, 0, 0),
	T("\r\n\r\n\0\r\nQUIT\r", PROXY_BAD, NULL, 0, 0),
	T("\r\n", PROXY_MORE, NULL, 0, 0),
	T("\r\n\r\nEHLO", PROXY_BAD, NULL, 0, 0),
};

static void
test_cases(void **state)
{
	char		 ip[NET_ADDR_STRLEN];
	struct proxy	 p;
	enum proxy_status st;
	char		*cut;
	size_t		 i, n;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		st = proxy_parse(&p, slice_make(cases[i].in, cases[i].n));
		if (st != cases[i].st || (st == PROXY_BAD) != (p.why != NULL))
			fail_msg("case %zu: %d, %s", i, st, p.why != NULL ? p.why : "");
		if (st != PROXY_DONE)
			continue;
		assert_int_equal(p.used, cases[i].n - cases[i].left);
		assert_int_equal(p.known, cases[i].client != NULL);
		if (p.known) {
			assert_string_equal(net_addr_str(&p.client, ip), cases[i].client);
			assert_int_equal(p.client_port, cases[i].port);
		}
		/* Every beginning of it asks for more; in its exact size, so that a read past the end is seen. */
		for (n = 0; n < p.used; n++) {
			struct proxy	q;

			cut = malloc(n != 0 ? n : 1);
			assert_non_null(cut);
			memcpy(cut, cases[i].in, n);
			if (proxy_parse(&q, slice_make(cut, n)) != PROXY_MORE)
				fail_msg("case %zu cut at %zu: %s", i, n, q.why != NULL ? q.why : "done");
			free(cut);
		}
	}
}

/* The line at 106, 107 and 108 octets; the header at 4095, 4096 and 4097. */
static void
test_limits(void **state)
{
	char		in[PROXY_V2_MAX + 2];
	struct proxy	p;
	size_t		n;

	for (n = PROXY_V1_MAX - 1; n <= PROXY_V1_MAX + 1; n++) {
		memset(in, 'x', n);
		memcpy(in, "PROXY UNKNOWN ", 14);
		memcpy(in + n - 2, "\r\n", 2);
		assert_int_equal(proxy_parse(&p, slice_make(in, n)), n <= PROXY_V1_MAX ? PROXY_DONE : PROXY_BAD);
	}
	for (n = PROXY_V2_MAX - 1; n <= PROXY_V2_MAX + 1; n++) {
		memset(in, 0, sizeof(in));
		memcpy(in, HEAD("\x21", "\x11", ""), 15);
		in[14] = (char)((n - 16) >> 8);
		in[15] = (char)(n - 16);
		memcpy(in + 16, A4, 12);
		in[28] = 4;		/* NOOP */
		in[29] = (char)((n - 31) >> 8);
		in[30] = (char)(n - 31);
		assert_int_equal(proxy_parse(&p, slice_make(in, n)), n <= PROXY_V2_MAX ? PROXY_DONE : PROXY_BAD);
	}
}

/* A sum made by another implementation, and the same with any octet changed. */
static void
test_checksum(void **state)
{
	static const char	good[] = HEAD("\x21", "\x11", "\x13") A4 "\3\0\4" "\x60\x7e\xeb\x7e";
	char			in[sizeof(good) - 1];
	struct proxy		p;
	size_t			i;

	memcpy(in, good, sizeof(in));
	if (proxy_parse(&p, slice_make(in, sizeof(in))) != PROXY_DONE)
		fail_msg("%s", p.why);
	for (i = 16; i < sizeof(in); i++) {
		memcpy(in, good, sizeof(in));
		in[i] ^= 1;
		/* An extension of another type carries no sum, one of another length does not fit. */
		if (i == 28)
			continue;
		assert_int_equal(proxy_parse(&p, slice_make(in, sizeof(in))), PROXY_BAD);
	}
}

int
main(void)
{
	static const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_checksum),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
