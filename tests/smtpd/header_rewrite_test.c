/*
 * header_rewrite_test.c -- which octets of a header section are addresses.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "smtpd/header_rewrite.h"

struct got {
	char	out[4096];
	size_t	n;
	size_t	limit;		/* octets, then no more; 0 any */
	int	all;		/* change every address, else those at old.example */
};

/* "x@old.example" becomes "x@new.example", of a recipient "x@rcpt.example". */
static int
address(void *arg, enum header_who who, char a[ADDRESS_MAX + 1])
{
	struct got	*g = arg;
	char		*at = strrchr(a, '@');

	assert_non_null(at);
	if (!g->all && strcmp(at, "@old.example") != 0)
		return (0);
	snprintf(at, (size_t)(a + ADDRESS_MAX + 1 - at), "@%s.example", who == WHO_SENDER ? "new" : "rcpt");
	return (1);
}

static int
out(void *arg, struct slice s)
{
	struct got	*g = arg;

	assert_true(s.n != 0 && g->n + s.n <= sizeof(g->out));
	if (g->limit != 0 && g->n + s.n > g->limit)
		return (E_LIMIT);
	memcpy(g->out + g->n, s.p, s.n);
	g->n += s.n;
	return (E_OK);
}

static const struct {
	const char	*in, *out;	/* out NULL: as it is */
} cases[] = {
	{ "", NULL },
	{ "\r\n", NULL },
	{ "From: a@old.example\r\n", "From: a@new.example\r\n" },
	{ "from :a@OLD.example\r\n\r\nTo: b@old.example\r\n", "from :a@new.example\r\n\r\nTo: b@old.example\r\n" },
	{ "From: A B <a@old.example>\r\n", "From: A B <a@new.example>\r\n" },
	{ "From: \"B, A\" <a@old.example> (x@old.example)\r\n", "From: \"B, A\" <a@new.example> (x@old.example)\r\n" },
	{ "From: \"x@old.example\" <a@other.example>\r\n", NULL },
	{ "From: x@old.example <a@other.example>\r\n", NULL },
	{ "From: (c (d) \\) <e@old.example>) a@old.example (f)\r\n", "From: (c (d) \\) <e@old.example>) a@new.example (f)\r\n" },
	{ "Sender: <a@old.example>\r\nReply-To: b@old.example\r\n", "Sender: <a@new.example>\r\nReply-To: b@new.example\r\n" },
	{ "To: a@old.example, b@other.example,c@old.example\r\n",
	    "To: a@rcpt.example, b@other.example,c@rcpt.example\r\n" },
	{ "Cc: A <a@old.example>,\r\n\tB <b@old.example>\r\n ,\r\n c@old.example\r\nSubject: a@old.example\r\n",
	    "Cc: A <a@rcpt.example>,\r\n\tB <b@rcpt.example>\r\n ,\r\n c@rcpt.example\r\nSubject: a@old.example\r\n" },
	{ "Bcc: all: a@old.example, <b@old.example>; , c@old.example;\r\n",
	    "Bcc: all: a@rcpt.example, <b@rcpt.example>; , c@rcpt.example;\r\n" },
	{ "To: undisclosed-recipients:;\r\n", NULL },
	{ "Resent-To: a@old.example\r\nRESENT-FROM: a@old.example\r\nResent-Sender: a@old.example\r\n",
	    "Resent-To: a@rcpt.example\r\nRESENT-FROM: a@new.example\r\nResent-Sender: a@new.example\r\n" },
	{ "Resent-: a@old.example\r\nX-To: a@old.example\r\nTos: a@old.example\r\n", NULL },
	{ "To: <@r.example,@s.example:a@old.example>\r\n", "To: <@r.example,@s.example:a@rcpt.example>\r\n" },
	{ "To: a @ old . example\r\n", "To: a@rcpt.example\r\n" },
	{ "To: a(x)@\r\n old.example (y)\r\n", "To: a@rcpt.example (y)\r\n" },
	{ "To: a b@old.example\r\n", NULL },			/* no addr-spec: two words */
	{ "To: <a b@old.example>\r\n", NULL },
	{ "To: \"a b\"@old.example, <\"a\\@b\"@old.example>\r\n", "To: \"a b\"@rcpt.example, <\"a@b\"@rcpt.example>\r\n" },
	{ "To: alice, <bob>, carol@[192.0.2.1]\r\n", NULL },
	{ "To: a@old.example, \"open\r\n", "To: a@rcpt.example, \"open\r\n" },
	{ "To: a@old.example, (open b@old.example\r\n", "To: a@rcpt.example, (open b@old.example\r\n" },
	{ "To: a@old.example, <b@old.example\r\n", "To: a@rcpt.example, <b@old.example\r\n" },
	{ "To: a@old.example, [x b@old.example\r\n", "To: a@rcpt.example, [x b@old.example\r\n" },
	{ "To: a@old.example b@old.example, c@old.example\r\n", "To: a@old.example b@old.example, c@rcpt.example\r\n" },
	{ "To: <a@old.example> b@old.example\r\n", "To: <a@rcpt.example> b@old.example\r\n" },
	{ "To: a@old.example\\, b@old.example\r\n", "To: a@old.example\\, b@rcpt.example\r\n" },
	{ "To: a..b@old.example, c@old.example\r\n", "To: a..b@old.example, c@rcpt.example\r\n" },
	{ "To: =?utf-8?q?a=40old.example?= <a@old.example>\r\n", "To: =?utf-8?q?a=40old.example?= <a@rcpt.example>\r\n" },
	{ "To: \xc3\xa4@old.example\r\n", "To: \xc3\xa4@rcpt.example\r\n" },
	{ "To:a@old.example", "To:a@rcpt.example" },
	{ "To:\r\n a@old.example\r\n\r\nbody <a@old.example>", "To:\r\n a@rcpt.example\r\n\r\nbody <a@old.example>" },
};

static void
table(void **state)
{
	struct got			g;
	const struct header_rewriter	r = { .address = address, .out = out, .arg = &g };
	size_t				i;
	const char			*want;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&g, 0, sizeof(g));
		assert_int_equal(header_rewrite(&r, slice_str(cases[i].in)), E_OK);
		want = cases[i].out != NULL ? cases[i].out : cases[i].in;
		if (g.n != strlen(want) || memcmp(g.out, want, g.n) != 0)
			fail_msg("case %zu: wanted\n%sgot\n%.*s", i, want, (int)g.n, g.out);
	}
}

/* The longest address there is is one, a longer one is none. */
static void
longest(void **state)
{
	struct got			g;
	const struct header_rewriter	r = { .address = address, .out = out, .arg = &g };
	char				in[600], domain[DOMAIN_MAX + 1];
	size_t				n, k;
	int				len;

	for (k = 0; k < DOMAIN_MAX; k++)
		domain[k] = k % 50 == 49 ? '.' : 'd';
	domain[DOMAIN_MAX] = '\0';
	for (n = LOCAL_PART_MAX - 1; n <= LOCAL_PART_MAX + 1; n++) {
		memset(&g, 0, sizeof(g));
		g.all = 1;
		len = snprintf(in, sizeof(in), "To: %.*s@%s\r\n", (int)n,
		    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll", domain);
		assert_int_equal(header_rewrite(&r, slice_make(in, (size_t)len)), E_OK);
		assert_int_equal(g.n == (size_t)len, n > LOCAL_PART_MAX);
	}
}

static void
receiver_says_no(void **state)
{
	struct got			g;
	const struct header_rewriter	r = { .address = address, .out = out, .arg = &g };
	static const char		in[] = "A: b\r\nTo: a@old.example, b@old.example\r\n\r\nbody";
	size_t				whole, k;

	memset(&g, 0, sizeof(g));
	assert_int_equal(header_rewrite(&r, SLICE_LIT(in)), E_OK);
	whole = g.n;
	for (k = 1; k < whole; k++) {
		memset(&g, 0, sizeof(g));
		g.limit = k;
		assert_int_equal(header_rewrite(&r, SLICE_LIT(in)), E_LIMIT);
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(longest),
		cmocka_unit_test(receiver_says_no),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
