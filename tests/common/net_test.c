/* net_test.c -- addresses and prefixes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "common/net.h"

static void
test_addresses(void **state)
{
	static const struct { const char *in, *out; int is4, loop, any; } cases[] = {
		{ "192.0.2.1", "192.0.2.1", 1, 0, 0 }, { "127.9.9.9", "127.9.9.9", 1, 1, 0 },
		{ "0.0.0.0", "0.0.0.0", 1, 0, 1 }, { "::", "::", 0, 0, 1 }, { "::1", "::1", 0, 1, 0 },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1", 0, 0, 0 },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 0, 0, 0 },	/* RFC 5952 4.2.2 */
		{ "::ffff:192.0.2.1", "192.0.2.1", 1, 0, 0 },
		{ "", NULL, 0, 0, 0 }, { "1.2.3", NULL, 0, 0, 0 }, { "1.2.3.256", NULL, 0, 0, 0 },
		{ "01.2.3.4", NULL, 0, 0, 0 }, { " 1.2.3.4", NULL, 0, 0, 0 }, { "1::2::3", NULL, 0, 0, 0 },
		{ "fe80::1%eth0", NULL, 0, 0, 0 }, { "example.org", NULL, 0, 0, 0 },
	};
	struct net_addr		 a, b;
	struct sockaddr_storage	 ss;
	uint16_t		 port;
	char			 text[NET_ADDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].out == NULL) {
			assert_int_equal(net_addr_parse(&a, slice_str(cases[i].in)), E_SYNTAX);
			continue;
		}
		assert_int_equal(net_addr_parse(&a, slice_str(cases[i].in)), E_OK);
		assert_string_equal(net_addr_str(&a, text), cases[i].out);
		assert_int_equal(net_addr_is4(&a), cases[i].is4);
		assert_int_equal(net_addr_is_loopback(&a), cases[i].loop);
		assert_int_equal(net_addr_is_any(&a), cases[i].any);
		net_addr_to_sockaddr(&ss, &a, 2525);
		assert_int_equal(ss.ss_family, cases[i].is4 ? AF_INET : AF_INET6);
		assert_int_equal(net_addr_from_sockaddr(&b, &port, (struct sockaddr *)&ss), E_OK);
		assert_int_equal(net_addr_cmp(&a, &b), 0);
		assert_int_equal(port, 2525);
	}
	ss.ss_family = AF_UNIX;
	assert_int_equal(net_addr_from_sockaddr(&b, NULL, (struct sockaddr *)&ss), E_RANGE);
	assert_int_equal(net_addr_parse(&a, SLICE_LIT("1.2.3.4\0")), E_SYNTAX);
}

static void
test_prefixes(void **state)
{
	static const struct { const char *prefix, *addr; int err, has; } cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", E_OK, 1 }, { "10.0.0.0/8", "11.0.0.1", E_OK, 0 },
		{ "10.0.0.128/25", "10.0.0.127", E_OK, 0 }, { "10.0.0.128/25", "10.0.0.128", E_OK, 1 },
		{ "0.0.0.0/0", "203.0.113.1", E_OK, 1 }, { "0.0.0.0/0", "2001:db8::1", E_OK, 0 },
		{ "::/0", "2001:db8::1", E_OK, 1 }, { "::/0", "203.0.113.1", E_OK, 0 },
		{ "::1", "::1", E_OK, 1 }, { "::1", "::2", E_OK, 0 }, { "192.0.2.1", "192.0.2.1", E_OK, 1 },
		{ "2001:db8::/33", "2001:db8:7fff::", E_OK, 1 }, { "2001:db8::/33", "2001:db8:8000::", E_OK, 0 },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", E_OK, 1 },
		{ "10.0.0.1/8", NULL, E_RANGE, 0 }, { "2001:db8::1/64", NULL, E_RANGE, 0 },
		{ "10.0.0.0/31", "10.0.0.1", E_OK, 1 }, { "10.0.0.0/32", "10.0.0.1", E_OK, 0 },
		{ "10.0.0.0/33", NULL, E_RANGE, 0 }, { "::/127", "::1", E_OK, 1 }, { "::/128", "::1", E_OK, 0 },
		{ "::/129", NULL, E_RANGE, 0 }, { "10.0.0.0/", NULL, E_SYNTAX, 0 }, { "/8", NULL, E_SYNTAX, 0 },
		{ "10.0.0.0/-1", NULL, E_SYNTAX, 0 }, { "10/8", NULL, E_SYNTAX, 0 }, { "", NULL, E_SYNTAX, 0 },
	};
	struct net_prefix	 p;
	struct net_addr		 a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(net_prefix_parse(&p, slice_str(cases[i].prefix)), cases[i].err);
		if (cases[i].err != E_OK)
			continue;
		assert_int_equal(net_addr_parse(&a, slice_str(cases[i].addr)), E_OK);
		if (net_prefix_has(&p, &a) != cases[i].has)
			fail_msg("%s has %s: wanted %d", cases[i].prefix, cases[i].addr, cases[i].has);
	}
}

static void
test_mask(void **state)
{
	struct net_addr	 a, m;
	char		 text[NET_ADDR_STRLEN];

	(void)state;
	net_addr_parse(&a, SLICE_LIT("2001:db8:1:2ff::1"));
	m = net_addr_mask(&a, 56);
	assert_string_equal(net_addr_str(&m, text), "2001:db8:1:200::");
	net_addr_parse(&a, SLICE_LIT("192.0.2.77"));
	m = net_addr_mask(&a, 96 + 24);
	assert_string_equal(net_addr_str(&m, text), "192.0.2.0");
	m = net_addr_mask(&a, 127);
	assert_string_equal(net_addr_str(&m, text), "192.0.2.76");
	m = net_addr_mask(&a, 128);
	assert_int_equal(net_addr_cmp(&m, &a), 0);
	m = net_addr_mask(&a, 0);
	assert_string_equal(net_addr_str(&m, text), "::");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_prefixes), cmocka_unit_test(test_mask),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
