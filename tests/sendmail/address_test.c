/*
 * address_test.c -- address lists of RFC 5322 3.4, 4.4 and its appendix A, RFC 6532.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "sendmail/address.h"

struct got { char text[2048]; size_t n; };

static int
collect(void *arg, const struct mailbox *m)
{
	struct got *g = arg;
	struct mailbox q = *m;

	assert_int_equal(address_qualify(&q, "o.example"), E_OK);
	(void)snprintf(g->text + strlen(g->text), sizeof(g->text) - strlen(g->text), "%s%s", g->n++ != 0 ? " " : "",
	    q.text);
	return (E_OK);
}

static const struct { const char *in; int err; const char *want; } rows[] = {
	/* the specification's own: appendix A.1 */
	{ "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>", E_OK, "mary@x.test jdoe@example.org one@y.test" },
	{ "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>", E_OK,
	    "boss@nil.test sysservices@example.net" },
	{ "A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;", E_OK,
	    "joe@where.test joe@where.test jdoe@one.test" },
	{ "Undisclosed recipients:;", E_OK, "" },
	{ "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", E_OK, "pete@silly.test" },
	{ "A Group(Some people)\r\n  :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org,\r\n"
	    " John <jdoe@one.test> (my dear friend); (the end of the group)", E_OK,
	    "c@public.example joe@example.org jdoe@one.test" },
	{ "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", E_OK, "" },
	/* A.6: obsolete */
	{ "Joe Q. Public <john.q.public@example.com>", E_OK, "john.q.public@example.com" },
	{ "Mary Smith <@node.test:mary@example.net>, , jdoe@test   . example", E_OK, "mary@example.net jdoe@test.example" },
	{ "<@a.test,@b.test:c@d.test>", E_OK, "c@d.test" },
	{ "John Doe <jdoe@machine(comment).  example>", E_OK, "jdoe@machine.example" },
	{ "a . b @ c . example", E_OK, "a.b@c.example" },
	/* without a domain */
	{ "bob", E_OK, "bob@o.example" }, { "bob, alice", E_OK, "bob@o.example alice@o.example" },
	{ "Bob <bob>", E_OK, "bob@o.example" }, { "team: bob, alice;, carol", E_OK,
	    "bob@o.example alice@o.example carol@o.example" },
	/* local parts */
	{ "\"alice\"@a.example", E_OK, "alice@a.example" }, { "\"john smith\"@a.example", E_OK, "\"john smith\"@a.example" },
	{ "\"a\\\"b\"@a.example", E_OK, "\"a\\\"b\"@a.example" }, { "\"\"@a.example", E_OK, "\"\"@a.example" },
	{ "\"a..b\"@a.example", E_OK, "\"a..b\"@a.example" }, { "a\"b\"@a.example", E_SYNTAX, "" },
	{ "\"a\".\"b c\"@a.example", E_OK, "\"a.b c\"@a.example" }, { "x+y=z@a.example", E_OK, "x+y=z@a.example" },
	{ ".a@b.example", E_SYNTAX, "" }, { "a.@b.example", E_SYNTAX, "" }, { "a..b@c.example", E_SYNTAX, "" },
	/* domains */
	{ "a@B.Example", E_OK, "a@b.example" }, { "a@b.example.", E_OK, "a@b.example" },
	{ "a@[192.0.2.1]", E_OK, "a@[192.0.2.1]" }, { "a@[IPv6:2001:db8::1]", E_OK, "a@[IPv6:2001:db8::1]" },
	{ "a@[bad]", E_SYNTAX, "" }, { "a@", E_SYNTAX, "" }, { "a@-b.example", E_SYNTAX, "" },
	/* RFC 6532 */
	{ "J\xc3\xb6rg <j\xc3\xb6rg@b\xc3\xbc" "cher.example>", E_OK, "j\xc3\xb6rg@b\xc3\xbc" "cher.example" },
	{ "\"\xc3\xb6 x\"@a.example", E_OK, "\"\xc3\xb6 x\"@a.example" },
	{ "J\xf6rg <joerg@a.example>", E_OK, "joerg@a.example" },	/* a name of any encoding is nobody's address */
	{ "j\xf6rg@a.example", E_SYNTAX, "" },
	/* what is no list */
	{ "", E_OK, "" }, { " \r\n ", E_OK, "" }, { ",,", E_OK, "" }, { "<>", E_SYNTAX, "" }, { "John Smith", E_SYNTAX, "" },
	{ "a@b.example c@d.example", E_SYNTAX, "" }, { "<a@b.example", E_SYNTAX, "" }, { "a@b.example>", E_SYNTAX, "" },
	{ "g: a@b.example", E_SYNTAX, "" }, { "a@b.example;", E_SYNTAX, "" }, { "g: h: a@b.example;;", E_SYNTAX, "" },
	{ ": a@b.example;", E_SYNTAX, "" }, { "(no end", E_SYNTAX, "" }, { "a) b", E_SYNTAX, "" },
	{ "\"no end", E_SYNTAX, "" }, { "a\\b@c.example", E_SYNTAX, "" }, { "a@b.example <c@d.example>", E_SYNTAX, "" },
	{ "\"a\nb\"@c.example", E_OK, "ab@c.example" }, { "\"a\x01\"@c.example", E_SYNTAX, "" },
};

static void
test_lists(void **state)
{
	struct got g;
	const char *why;
	size_t i;
	int err;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&g, 0, sizeof(g));
		err = address_list(slice_str(rows[i].in), collect, &g, &why);
		if (err != rows[i].err || (err == E_OK && strcmp(g.text, rows[i].want) != 0))
			fail_msg("row %zu %s: %s, \"%s\" (%s)", i, rows[i].in, err_name(err), g.text, why);
		assert_true(err == E_OK || why[0] != '\0');
	}
}

/* The place of a missing domain is right behind the last word, comments or not. */
static int
keep_one(void *arg, const struct mailbox *m)
{
	*(struct mailbox *)arg = *m;
	return (E_OK);
}

static void
test_where_a_domain_belongs(void **state)
{
	static const struct { const char *in; size_t end; } bare[] = {
		{ "bob", 3 }, { " bob (Bob) ", 4 }, { "Bob <bob >", 8 }, { "a . b", 5 }, { "\"a b\"", 5 },
	};
	struct mailbox m;
	const char *why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
		assert_int_equal(address_list(slice_str(bare[i].in), keep_one, &m, &why), E_OK);
		assert_true(m.bare);
		assert_int_equal(m.end, bare[i].end);
	}
}

static int
count_only(void *arg, const struct mailbox *m)
{
	(void)m;
	++*(size_t *)arg;
	return (E_OK);
}

static void
test_limits(void **state)
{
	char text[4096];
	const char *why;
	size_t n, i, seen;

	(void)state;
	for (n = LOCAL_PART_MAX - 1; n <= LOCAL_PART_MAX + 1; n++) {
		seen = 0;
		memset(text, 'a', n);
		(void)snprintf(text + n, sizeof(text) - n, "@b.example");
		assert_int_equal(address_list(slice_str(text), count_only, &seen, &why),
		    n <= LOCAL_PART_MAX ? E_OK : E_LIMIT);
		/* The quotes count where they stay. */
		text[0] = '"';
		memset(text + 1, ' ', n - 2);
		(void)snprintf(text + n - 1, sizeof(text) - n, "\"@b.example");
		assert_int_equal(address_list(slice_str(text), count_only, &seen, &why),
		    n <= LOCAL_PART_MAX ? E_OK : E_LIMIT);
	}
	for (n = DOMAIN_MAX - 1; n <= DOMAIN_MAX + 1; n++) {
		(void)memcpy(text, "a@", 2);
		for (i = 0; i < n; i++)
			text[2 + i] = i % 50 == 49 && i + 1 < n ? '.' : 'd';
		text[2 + n] = '\0';
		assert_int_equal(address_list(slice_str(text), count_only, &seen, &why),
		    n <= DOMAIN_MAX ? E_OK : E_LIMIT);
	}
	for (n = SENDMAIL_COMMENTS_MAX - 1; n <= SENDMAIL_COMMENTS_MAX + 1; n++) {
		memset(text, '(', n);
		memset(text + n, ')', n);
		(void)snprintf(text + 2 * n, sizeof(text) - 2 * n, "a@b.example");
		assert_int_equal(address_list(slice_str(text), count_only, &seen, &why),
		    n <= SENDMAIL_COMMENTS_MAX ? E_OK : E_SYNTAX);
	}
}

static void
test_utf8(void **state)
{
	static const struct { const char *s; int want; } utf8[] = {
		{ "", 1 }, { "abc", 1 }, { "\xc3\xb6", 1 }, { "\xe2\x82\xac", 1 }, { "\xf0\x9f\x98\x80", 1 },
		{ "\xf4\x8f\xbf\xbf", 1 }, { "\xf4\x90\x80\x80", 0 }, { "\xc0\x80", 0 }, { "\xc1\xbf", 0 },
		{ "\xe0\x9f\xbf", 0 }, { "\xed\xa0\x80", 0 }, { "\xf0\x8f\xbf\xbf", 0 }, { "\xc3", 0 }, { "\x80", 0 },
		{ "\xe2\x82", 0 }, { "\xff", 0 }, { "\xc3(", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++)
		assert_int_equal(address_is_utf8(slice_str(utf8[i].s)), utf8[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists), cmocka_unit_test(test_where_a_domain_belongs),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_utf8),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
