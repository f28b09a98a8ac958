/* addr_test.c -- paths, mailboxes, domains, literals (RFC 5321 4.1.2, 4.1.3, 4.5.3.1). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"

#define A10	"aaaaaaaaaa"
#define A50	A10 A10 A10 A10 A10
#define A60	A50 A10

static void
test_paths(void **state)
{
	static const struct { const char *in; unsigned flags; int err; const char *text; } cases[] = {
		{ "<a@b>", 0, E_OK, "a@b" }, { "<A.b@EXAMPLE.Org.>", 0, E_OK, "A.b@example.org" },
		{ "<a@b> SIZE=1", 0, E_OK, "a@b" }, { "<>", ADDR_NULL_OK, E_OK, "" }, { "<>", 0, E_SYNTAX, NULL },
		{ "<PostMaster>", ADDR_POSTMASTER_OK, E_OK, "PostMaster" }, { "<postmaster>", 0, E_SYNTAX, NULL },
		{ "<\"postmaster\">", ADDR_POSTMASTER_OK, E_SYNTAX, NULL }, { "<other>", ADDR_POSTMASTER_OK, E_SYNTAX, NULL },
		{ "<\"a b\"@c>", 0, E_OK, "\"a b\"@c" }, { "<\"ab\"@c>", 0, E_OK, "ab@c" },
		{ "<\"a\\b\"@c>", 0, E_OK, "ab@c" }, { "<\"a\\\"b\"@c>", 0, E_OK, "\"a\\\"b\"@c" },
		{ "<\"a\\\\b\"@d>", 0, E_OK, "\"a\\\\b\"@d" },
		{ "<\"\"@c>", 0, E_OK, "\"\"@c" }, { "<\"a@b\"@c>", 0, E_OK, "\"a@b\"@c" }, { "<\".a\"@c>", 0, E_OK, "\".a\"@c" },
		{ "<@a.b,@c.d:e@f>", 0, E_OK, "e@f" }, { "<@a:e@f>", 0, E_OK, "e@f" },
		{ "<@a,c@d>", 0, E_SYNTAX, NULL }, { "<@a:>", 0, E_SYNTAX, NULL }, { "<@a;e@f>", 0, E_SYNTAX, NULL },
		{ "<a@[192.0.2.1]>", 0, E_OK, "a@[192.0.2.1]" }, { "<a@[ipv6:2001:DB8::1]>", 0, E_OK, "a@[IPv6:2001:db8::1]" },
		{ "<a@[2001:db8::1]>", 0, E_SYNTAX, NULL }, { "<a@[IPv6:192.0.2.1]>", 0, E_SYNTAX, NULL },
		{ "<a@[x-tag:foo]>", 0, E_SYNTAX, NULL }, { "<a@[]>", 0, E_SYNTAX, NULL }, { "<a@[192.0.2.1>", 0, E_SYNTAX, NULL },
		{ "<!#$%&'*+-/=?^_`{|}~@b>", 0, E_OK, "!#$%&'*+-/=?^_`{|}~@b" },
		{ "<a%b@c>", 0, E_OK, "a%b@c" }, { "<a!b@c>", 0, E_OK, "a!b@c" },
		{ "a@b", 0, E_SYNTAX, NULL }, { "<a@b", 0, E_SYNTAX, NULL }, { "<a b@c>", 0, E_SYNTAX, NULL },
		{ "< a@b>", 0, E_SYNTAX, NULL }, { "<a@b >", 0, E_SYNTAX, NULL }, { "<a@b@c>", 0, E_SYNTAX, NULL },
		{ "<.a@b>", 0, E_SYNTAX, NULL }, { "<a.@b>", 0, E_SYNTAX, NULL }, { "<a..b@c>", 0, E_SYNTAX, NULL },
		{ "<@b>", 0, E_SYNTAX, NULL }, { "<a@>", 0, E_SYNTAX, NULL }, { "<\"a@b>", 0, E_SYNTAX, NULL },
		{ "<\"a\\", 0, E_SYNTAX, NULL }, { "<\"a\tb\"@c>", 0, E_SYNTAX, NULL }, { "<\"a\"b@c>", 0, E_SYNTAX, NULL },
		{ "<\xc3\xa4@b>", 0, E_SYNTAX, NULL }, { "<a@\xc3\xa4>", 0, E_SYNTAX, NULL }, { "<\"\xc3\"@b>", 0, E_SYNTAX, NULL },
		{ "<a@-b>", 0, E_SYNTAX, NULL }, { "<a@b->", 0, E_SYNTAX, NULL }, { "<a@b-.c>", 0, E_SYNTAX, NULL },
		{ "<a@b..c>", 0, E_SYNTAX, NULL }, { "<a@.b>", 0, E_SYNTAX, NULL }, { "<a@_b>", 0, E_OK, "a@_b" },
		{ "", ADDR_NULL_OK, E_SYNTAX, NULL }, { "<", ADDR_NULL_OK, E_SYNTAX, NULL },
	};
	struct addr	 a;
	const char	*why;
	size_t		 used;
	int		 err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err = addr_parse_path(&a, slice_str(cases[i].in), &used, cases[i].flags, &why);
		if (err != cases[i].err)
			fail_msg("%s: %s, wanted %s (%s)", cases[i].in, err_name(err), err_name(cases[i].err), why);
		if (err != E_OK) {
			assert_true(why[0] != '\0');
			continue;
		}
		assert_string_equal(a.text, cases[i].text);
		assert_int_equal(cases[i].in[used - 1], '>');
		assert_int_equal(a.domain_off != 0, strchr(cases[i].in, '@') != NULL);
		if (a.domain_off != 0)
			assert_int_equal(a.text[a.domain_off - 1], '@');
	}
}

static void
test_limits(void **state)
{
	char		 in[1024], domain[DOMAIN_MAX + 2];
	struct addr	 a;
	size_t		 used;

	(void)state;
	for (int n = 63; n <= 65; n++) {
		snprintf(in, sizeof(in), "<%.*s@b>", n, A60 A10);
		assert_int_equal(addr_parse_path(&a, slice_str(in), &used, 0, NULL), n <= LOCAL_PART_MAX ? E_OK : E_LIMIT);
		snprintf(in, sizeof(in), "<\"%.*s\"@b>", n - 2, A60 A10);
		assert_int_equal(addr_parse_path(&a, slice_str(in), &used, 0, NULL), n <= LOCAL_PART_MAX ? E_OK : E_LIMIT);
		snprintf(in, sizeof(in), "<\" %.*s\"@b>", n - 3, A60 A10);
		assert_int_equal(addr_parse_path(&a, slice_str(in), &used, 0, NULL), n <= LOCAL_PART_MAX ? E_OK : E_LIMIT);
	}
	for (int n = 62; n <= 64; n++) {
		snprintf(in, sizeof(in), "a.%.*s.b", n, A60 A10);
		assert_int_equal(domain_parse(domain, slice_str(in), NULL), n <= DOMAIN_LABEL_MAX ? E_OK : E_LIMIT);
	}
	for (int n = 254; n <= 256; n++) {
		snprintf(in, sizeof(in), "<a@%.*s.%s.%s.%s.%s>", n - 204, A60, A50, A50, A50, A50);
		assert_int_equal(strlen(in) - 4, n);
		assert_int_equal(addr_parse_path(&a, slice_str(in), &used, 0, NULL), n <= DOMAIN_MAX ? E_OK : E_LIMIT);
	}
	/* RFC 5321 4.5.3.1.3: a path of 256 octets must be taken; ours may be as long as its parts allow. */
	for (int n = 255; n <= 257; n++) {
		snprintf(in, sizeof(in), "<%.*s@%s.%s.%s.%s>", n - 3 - 203, A60, A50, A50, A50, A50);
		assert_int_equal(strlen(in), n);
		assert_int_equal(addr_parse_path(&a, slice_str(in), &used, 0, NULL), E_OK);
	}
	snprintf(in, sizeof(in), "<%.64s@%s.%s.%s.%s.%.51s>", A60 A10, A50, A50, A50, A50, A60);
	assert_int_equal(addr_parse_path(&a, slice_str(in), &used, 0, NULL), E_OK);
	assert_int_equal(strlen(a.text), ADDRESS_MAX);
}

static void
test_plain(void **state)
{
	struct addr	 a;
	struct net_addr	 ip;
	char		 local[LOCAL_PART_MAX + 1];
	const char	*why;

	(void)state;
	assert_int_equal(addr_parse(&a, SLICE_LIT("\"x \\\"y\"@Example.ORG"), NULL), E_OK);
	assert_string_equal(addr_domain(&a), "example.org");
	assert_int_equal(addr_local_unquoted(&a, local), 4);
	assert_string_equal(local, "x \"y");
	assert_int_equal(addr_parse(&a, SLICE_LIT("u@[192.0.2.7]"), &why), E_OK);
	assert_true(a.literal && net_addr_is4(&a.ip));
	assert_int_equal(addr_local_unquoted(&a, local), 1);
	assert_int_equal(addr_parse(&a, SLICE_LIT("u@b>"), &why), E_SYNTAX);
	assert_int_equal(addr_parse(&a, SLICE_LIT("postmaster"), &why), E_SYNTAX);
	assert_string_equal(why, "domain is missing");
	assert_int_equal(addr_parse(&a, slice_make(NULL, 0), &why), E_SYNTAX);
	assert_int_equal(addr_parse(&a, slice_make("u@b\0c", 5), &why), E_SYNTAX);
	assert_int_equal(addr_literal_parse(&ip, SLICE_LIT("[IPv6:]")), E_SYNTAX);
	assert_int_equal(addr_literal_parse(&ip, SLICE_LIT("[")), E_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_paths), cmocka_unit_test(test_limits), cmocka_unit_test(test_plain),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
