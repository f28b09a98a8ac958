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
#include "common/idn.h"

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

/* RFC 6531 3.3. */
static void
test_utf8(void **state)
{
	static const struct { const char *in; unsigned flags; int err; const char *text; int utf8; } cases[] = {
		{ "<\xc3\xa4@b>", ADDR_UTF8, E_OK, "\xc3\xa4@b", 1 }, { "<\xc3\xa4@b>", 0, E_SYNTAX, NULL, 0 },
		{ "<a@m\xc3\xbcller.example>", ADDR_UTF8, E_OK, "a@xn--mller-kva.example", 1 },
		{ "<a@m\xc3\xbcller.example>", 0, E_SYNTAX, NULL, 0 },
		{ "<a@xn--mller-kva.example>", ADDR_UTF8, E_OK, "a@xn--mller-kva.example", 0 },
		{ "<a@M\xc3\x9cLLER.Example.>", ADDR_UTF8, E_OK, "a@xn--mller-kva.example", 1 },
		{ "<a@fa\xc3\x9f.de>", ADDR_UTF8, E_OK, "a@xn--fa-hia.de", 1 },	/* not transitional */
		{ "<\xd0\xbf@\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.\xd1\x80\xd1\x84>", ADDR_UTF8, E_OK, "\xd0\xbf@xn--e1afmkfd.xn--p1ai", 1 },
		{ "<\xf0\x9f\x98\x80@b>", ADDR_UTF8, E_OK, "\xf0\x9f\x98\x80@b", 1 },
		{ "<a@b\xe3\x80\x82" "c>", ADDR_UTF8, E_OK, "a@b.c", 1 },	/* another full stop of IDNA */
		{ "<\"\xc3\xa4\"@b>", ADDR_UTF8, E_OK, "\xc3\xa4@b", 1 }, { "<\"\xc3\xa4 x\"@b>", ADDR_UTF8, E_OK, "\"\xc3\xa4 x\"@b", 1 },
		{ "<\"\\\xc3\xa4\"@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 },	/* quoted pairs are ASCII */
		{ "<@m\xc3\xbcller.example:a@b>", ADDR_UTF8, E_OK, "a@b", 1 },
		{ "<\xc0\xaf@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 }, { "<\xed\xa0\x80@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 },
		{ "<\xf4\x90\x80\x80@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 }, { "<\xc3@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 },
		{ "<\xa4@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 }, { "<\xc2\x85@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 },
		{ "<\"\xc2\x85\"@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 }, { "<a@\xc2\x85>", ADDR_UTF8, E_SYNTAX, NULL, 0 },
		{ "<a@\xff>", ADDR_UTF8, E_SYNTAX, NULL, 0 }, { "<a\x01@\xc3\xa4>", ADDR_UTF8, E_SYNTAX, NULL, 0 },
		{ "<a@\xef\xbc\xa0" "b>", ADDR_UTF8, E_SYNTAX, NULL, 0 },		/* a wide @ is no @ */
		{ "<a@\xf0\x9f\x98\x80\xe2\x80\x8d.example>", ADDR_UTF8, E_SYNTAX, NULL, 0 },
		{ "<a@b..\xc3\xa4>", ADDR_UTF8, E_SYNTAX, NULL, 0 }, { "<.\xc3\xa4@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 },
		{ "<\xc3\xa4..b@b>", ADDR_UTF8, E_SYNTAX, NULL, 0 },
	};
	char		 domain[DOMAIN_MAX + 1];
	struct addr	 a;
	size_t		 used;
	const char	*why = "";
	int		 err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err = addr_parse_path(&a, slice_str(cases[i].in), &used, cases[i].flags, &why);
		if (err != cases[i].err)
			fail_msg("%zu %s: %s, wanted %s (%s %s)", i, cases[i].in, err_name(err), err_name(cases[i].err), why, a.text);
		if (err != E_OK) {
			assert_true(why[0] != '\0');
			continue;
		}
		assert_string_equal(a.text, cases[i].text);
		assert_int_equal(a.utf8, cases[i].utf8);
		assert_int_equal(used, strlen(cases[i].in));
	}
	assert_int_equal(addr_parse(&a, SLICE_LIT("\xc3\xa4@m\xc3\xbcller.example"), NULL), E_OK);
	assert_string_equal(a.text, "\xc3\xa4@xn--mller-kva.example");
	assert_int_equal(domain_parse_utf8(domain, SLICE_LIT("M\xc3\xbcller.example"), NULL), E_OK);
	assert_string_equal(domain, "xn--mller-kva.example");
	assert_int_equal(domain_parse_utf8(domain, SLICE_LIT("_a.Example"), NULL), E_OK);
	assert_int_equal(domain_parse_utf8(domain, slice_make("\xc3\xa4\0b", 4), &why), E_SYNTAX);
	assert_int_equal(domain_parse(domain, SLICE_LIT("m\xc3\xbcller.example"), NULL), E_SYNTAX);
	addr_use_idn(NULL);
	assert_int_equal(domain_parse_utf8(domain, SLICE_LIT("m\xc3\xbcller.example"), NULL), E_SYNTAX);
	assert_int_equal(addr_parse_path(&a, SLICE_LIT("<\xc3\xa4@b>"), &used, ADDR_UTF8, NULL), E_OK);
	idn_init();
}

/* Octets count, not characters; a domain is measured as written and as A-labels. */
static void
test_utf8_limits(void **state)
{
	char		 in[1024], domain[DOMAIN_MAX + 1];
	struct addr	 a;
	size_t		 used;

	(void)state;
	for (int n = 61; n <= 63; n++) {
		snprintf(in, sizeof(in), "<%.*s\xc3\xa4@b>", n, A60 A10);
		assert_int_equal(addr_parse_path(&a, slice_str(in), &used, ADDR_UTF8, NULL), n + 2 <= LOCAL_PART_MAX ? E_OK : E_LIMIT);
		/* Its quotes count where they are written. */
		snprintf(in, sizeof(in), "<\"%.*s\xc3\xa4\"@b>", n - 2, A60 A10);
		assert_int_equal(addr_parse_path(&a, slice_str(in), &used, ADDR_UTF8, NULL), n + 2 <= LOCAL_PART_MAX ? E_OK : E_LIMIT);
	}
	/* A label: "xn--" and one hyphen beside its ASCII, then the delta of the other character. */
	for (int n = 50; n <= 60; n++) {
		snprintf(in, sizeof(in), "%.*s\xc3\xa4.example", n, A60);
		if (domain_parse_utf8(domain, slice_str(in), NULL) == E_OK)
			assert_true(strcspn(domain, ".") <= DOMAIN_LABEL_MAX);
		else
			assert_true(n > 54);
	}
	for (int n = 254; n <= 256; n++) {	/* as written */
		snprintf(in, sizeof(in), "\xc3\xa4.%.*s.%s.%s.%s.%s", n - 3 - 204, A60, A50, A50, A50, A50);
		assert_int_equal(strlen(in), n);
		assert_int_equal(domain_parse_utf8(domain, slice_str(in), NULL), E_LIMIT);	/* A-labels are longer */
	}
	for (int n = 247; n <= 250; n++) {	/* xn--4ca is 5 octets more; 253 is what the DNS has room for, RFC 1035 3.1 */
		snprintf(in, sizeof(in), "\xc3\xa4.%.*s.%s.%s.%s.%s", n - 3 - 204, A60, A50, A50, A50, A50);
		assert_int_equal(strlen(in), n);
		assert_int_equal(domain_parse_utf8(domain, slice_str(in), NULL), n + 5 <= 253 ? E_OK : E_LIMIT);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_paths), cmocka_unit_test(test_limits), cmocka_unit_test(test_plain),
		cmocka_unit_test(test_utf8), cmocka_unit_test(test_utf8_limits),
	};

	idn_init();

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
