/*
 * header_test.c -- the header section and the lines of a chunk, over every cut of each input.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "smtpd/header.h"
#include "smtpd/lines.h"

struct got {
	enum header_event	ev;
	struct header		h;
	char			out[8192];
	size_t			n;
	int			add;
	size_t			refuse_at;	/* octets, then the receiver says no; 0: never */
};

static int
take(void *arg, struct slice s)
{
	struct got	*g = arg;

	assert_true(s.n != 0 && g->n + s.n <= sizeof(g->out));
	if (g->refuse_at != 0 && g->n + s.n >= g->refuse_at)
		return (E_LIMIT);
	memcpy(g->out + g->n, s.p, s.n);
	g->n += s.n;
	return (E_OK);
}

/* What a submission server adds. */
static size_t
missing(void *arg, unsigned has, char dst[HEADER_FIELDS_MAX])
{
	return ((size_t)snprintf(dst, HEADER_FIELDS_MAX, "%s%s", (has & HEADER_DATE) == 0 ? "Date: d\r\n" : "",
	    (has & HEADER_MESSAGE_ID) == 0 ? "Message-ID: m\r\n" : ""));
}

/* In pieces that end at a, at b and at the end. */
static void
run(struct got *g, const struct header_limits *lim, struct slice in, size_t a, size_t b)
{
	const size_t	cuts[] = { a, b, in.n };
	size_t		i, off = 0;

	header_init(&g->h);
	g->h.missing = g->add ? missing : NULL;
	g->n = 0;
	g->ev = HEADER_OK;
	for (i = 0; i < 3 && g->ev == HEADER_OK; off = cuts[i++])
		g->ev = header_feed(&g->h, lim, slice_make(in.p + off, cuts[i] - off), take, g);
	if (g->ev == HEADER_OK)
		g->ev = header_end(&g->h, take, g);
}

static const struct {
	const char	*in, *out;
} incomplete[] = {
	{ "A: b\r\n\r\nbody", "A: b\r\nDate: d\r\nMessage-ID: m\r\n\r\nbody" },
	{ "A: b\r\n", "A: b\r\nDate: d\r\nMessage-ID: m\r\n" },
	{ "", "Date: d\r\nMessage-ID: m\r\n" },
	{ "\r\n", "Date: d\r\nMessage-ID: m\r\n\r\n" },
	{ "\r\nDate: x\r\n", "Date: d\r\nMessage-ID: m\r\n\r\nDate: x\r\n" },
	{ "dAtE : x\r\n\r\n", "dAtE : x\r\nMessage-ID: m\r\n\r\n" },
	{ "Message-Id:\r\n x\r\n\r\nb", "Message-Id:\r\n x\r\nDate: d\r\n\r\nb" },
	{ "Date: x\r\nMessage-ID: y\r\n\r\nb", "Date: x\r\nMessage-ID: y\r\n\r\nb" },
	{ "Resent-Date: x\r\nX-Message-ID: y\r\n\r\n", "Resent-Date: x\r\nX-Message-ID: y\r\nDate: d\r\nMessage-ID: m\r\n\r\n" },
	{ "A: b\r\nno field\r\n", "A: b\r\nDate: d\r\nMessage-ID: m\r\n\r\nno field\r\n" },
	{ "no field", "Date: d\r\nMessage-ID: m\r\n\r\nno field" },
	{ "A: b\r\nDat", "A: b\r\nDate: d\r\nMessage-ID: m\r\n\r\nDat" },
	/* A last line that does not end (BDAT): nothing can follow it. */
	{ "A: b", "A: b" },
	{ "From alice Sat Nov 21\r\nDate: x\r\n\r\n", "X-Mailbox-Line: From alice Sat Nov 21\r\nDate: x\r\nMessage-ID: m\r\n\r\n" },
};

static const struct {
	const char	*in;
	size_t		 n;
	const char	*out;		/* NULL: as it came in */
	size_t		 outn;
	unsigned	 received, fields, eight, done;
	enum header_event ev;
} cases[] = {
#define L(s)	s, sizeof(s) - 1
#define SAME	NULL, 0
	/* in, out, received, fields, eight, done */
	{ L(""), SAME, 0, 0, 0, 0, 0 },
	{ L("A: b\r\n"), SAME, 0, 1, 0, 0, 0 },
	{ L("A: b\r\n\r\nbody"), SAME, 0, 1, 0, 1, 0 },
	{ L("\r\nbody"), SAME, 0, 0, 0, 1, 0 },
	{ L("\r\n"), SAME, 0, 0, 0, 1, 0 },
	{ L("body"), L("\r\nbody"), 0, 0, 0, 1, 0 },
	{ L("body\r\n"), L("\r\nbody\r\n"), 0, 0, 0, 1, 0 },
	{ L("two words: no\r\n"), L("\r\ntwo words: no\r\n"), 0, 0, 0, 1, 0 },
	{ L("A: b\r\nbody\r\nC: d\r\n"), L("A: b\r\n\r\nbody\r\nC: d\r\n"), 0, 1, 0, 1, 0 },
	{ L("A: b\r\nbody"), L("A: b\r\n\r\nbody"), 0, 1, 0, 1, 0 },
	{ L("A: b\r\n:c\r\n"), L("A: b\r\n\r\n:c\r\n"), 0, 1, 0, 1, 0 },
	{ L("A: b\r\n.\r\n"), L("A: b\r\n\r\n.\r\n"), 0, 1, 0, 1, 0 },
	{ L("A: b\r\n--x\r\n"), L("A: b\r\n\r\n--x\r\n"), 0, 1, 0, 1, 0 },
	{ L("A: b\r\n c\r\n\td: e\r\nF:\r\n"), SAME, 0, 2, 0, 0, 0 },
	{ L("A: b\r\n \r\n\t\r\nF:\r\n"), SAME, 0, 2, 0, 0, 0 },	/* obs-FWS: still the header */
	{ L(" A: b\r\nC: d\r\n"), L("\r\n A: b\r\nC: d\r\n"), 0, 0, 0, 1, 0 },
	{ L("\tA: b\r\n"), L("\r\n\tA: b\r\n"), 0, 0, 0, 1, 0 },
	{ L("A : b\r\nC \t : d\r\n"), SAME, 0, 2, 0, 0, 0 },		/* RFC 5322 4.5.8 */
	{ L("A\x01: b\r\n"), L("\r\nA\x01: b\r\n"), 0, 0, 0, 1, 0 },
	{ L("A\0: b\r\n"), L("\r\nA\0: b\r\n"), 0, 0, 0, 1, 0 },
	{ L("\xc3\xa4: b\r\n"), L("\r\n\xc3\xa4: b\r\n"), 0, 0, 0, 1, 0 },	/* RFC 6532 3.1: names stay ASCII */
	{ L("A: \xc3\xa4\r\n"), SAME, 0, 1, 1, 0, 0 },
	{ L("A: b\r\n\r\n\xc3\xa4\0\r\n"), SAME, 0, 1, 0, 1, 0 },
	{ L("A: 1234567890123\xff" "456789\r\n"), SAME, 0, 1, 1, 0, 0 },
	{ L("Received: a\r\n\r\nReceived: b\r\n"), SAME, 1, 1, 0, 1, 0 },
	{ L("received:\r\nRECEIVED  \t:\r\n"), SAME, 2, 2, 0, 0, 0 },
	{ L("A: b\r\n Received: folded\r\n"), SAME, 0, 1, 0, 0, 0 },
	{ L("Receivedx: y\r\nReceive: y\r\nX-Received: y\r\n"), SAME, 0, 3, 0, 0, 0 },
	{ L("Received x: y\r\n"), L("\r\nReceived x: y\r\n"), 0, 0, 0, 1, 0 },
	{ L("From: a\r\nFrom : b\r\n"), SAME, 0, 0, 0, 0, HEADER_FROM },
	{ L("From: a\r\nResent-From: b\r\nFroma: c\r\n from: d\r\n"), SAME, 0, 3, 0, 0, 0 },
	{ L("From: a\r\n\r\nFrom: b\r\n"), SAME, 0, 1, 0, 1, 0 },
	{ L("From a@b Sat Nov 21 10:00:00 2026\r\nFrom: a\r\n"),
	    L("X-Mailbox-Line: From a@b Sat Nov 21 10:00:00 2026\r\nFrom: a\r\n"), 0, 2, 0, 0, 0 },
	{ L(">>From a\r\n b\r\nA: c\r\n"), L("X-Mailbox-Line: >>From a\r\n b\r\nA: c\r\n"), 0, 2, 0, 0, 0 },
	{ L("From \r\nA: c\r\n"), L("X-Mailbox-Line: From \r\nA: c\r\n"), 0, 2, 0, 0, 0 },
	{ L("from a\r\nA: c\r\n"), L("\r\nfrom a\r\nA: c\r\n"), 0, 0, 0, 1, 0 },
	{ L("A: b\r\nFrom a\r\n"), L("A: b\r\n\r\nFrom a\r\n"), 0, 1, 0, 1, 0 },
	{ L("From a\r\nFrom b\r\n"), L("X-Mailbox-Line: From a\r\n\r\nFrom b\r\n"), 0, 1, 0, 1, 0 },
	{ L("From a\r\nbody\r\n"), L("X-Mailbox-Line: From a\r\n\r\nbody\r\n"), 0, 1, 0, 1, 0 },
	{ L("A: b\0c\r\n"), SAME, 0, 0, 0, 0, HEADER_NUL },
	{ L("A: b\r\n c\0\r\n"), SAME, 0, 0, 0, 0, HEADER_NUL },
	{ L("A: 0123456789012345678\0\r\n"), SAME, 0, 0, 0, 0, HEADER_NUL },
};

static void
table_all_cuts(void **state)
{
	static const struct header_limits	none;
	static struct got			g;
	struct slice				in, want;
	size_t					i, a, b;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		in = slice_make(cases[i].in, cases[i].n);
		want = cases[i].out != NULL ? slice_make(cases[i].out, cases[i].outn) : in;
		for (a = 0; a <= in.n; a++) {
			for (b = a; b <= in.n; b++) {
				run(&g, &none, in, a, b);
				if (g.ev != cases[i].ev)
					fail_msg("case %zu cut at %zu and %zu: event %d", i, a, b, g.ev);
				if (g.ev != HEADER_OK)
					continue;
				if (!slice_eq(slice_make(g.out, g.n), want))
					fail_msg("case %zu cut at %zu and %zu: got \"%.*s\"", i, a, b,
					    (int)g.n, g.out);
				assert_int_equal(g.h.received, cases[i].received);
				assert_int_equal(g.h.fields, cases[i].fields);
				assert_int_equal(g.h.eight, cases[i].eight);
				assert_int_equal(header_done(&g.h), cases[i].done);
			}
		}
	}
}

/* What is let out never needs more room than was kept back for it. */
static void
held_is_bounded(void **state)
{
	static const struct header_limits	none;
	static struct got			g;
	char					in[2 * HEADER_NAME_MAX];
	size_t					n, k;

	for (n = HEADER_NAME_MAX - 1; n <= HEADER_NAME_MAX + 1; n++) {
		memset(in, 'x', n);
		memcpy(in + n, ": y\r\n", 5);
		for (k = 0; k <= n + 5; k++) {
			run(&g, &none, slice_make(in, n + 5), k, k);
			assert_int_equal(g.ev, HEADER_OK);
			assert_int_equal(g.h.fields, n <= HEADER_NAME_MAX);
			assert_int_equal(g.n, n + 5 + (n <= HEADER_NAME_MAX ? 0 : 2));
		}
		/* Blanks belong to it. */
		memset(in + 1, ' ', n - 1);
		run(&g, &none, slice_make(in, n + 5), 7, 9);
		assert_int_equal(g.h.fields, n <= HEADER_NAME_MAX);
	}
	header_init(&g.h);
	g.n = 0;
	memset(in, 'x', sizeof(in));
	assert_int_equal(header_feed(&g.h, &none, slice_make(in, HEADER_NAME_MAX), take, &g), HEADER_OK);
	assert_int_equal(g.n, 0);
	assert_int_equal(header_feed(&g.h, &none, slice_make(in, 1), take, &g), HEADER_OK);
	assert_int_equal(g.n, HEADER_NAME_MAX + 2 + 1);
	assert_true(g.n <= HEADER_HELD_MAX + 1);
}

/* Each limit one below, at and one above, at every cut; the octets fed before it are let out or
 * held. */
static void
limits_all_cuts(void **state)
{
	static const char	in[] = "A: b\r\nReceived: c\r\n d\r\nE: f\r\n\r\n1\r\n2\r\n3\r\n";
	static const size_t	size = 29, count = 3;
	static struct got	g;
	struct header_limits	lim;
	size_t			a, b, d;

	for (d = 0; d < 3; d++) {
		for (a = 0; a < sizeof(in) - 1; a++) {
			for (b = a; b < sizeof(in) - 1; b++) {
				lim = (struct header_limits){ .size = (uint32_t)(size - 1 + d) };
				run(&g, &lim, SLICE_LIT(in), a, b);
				assert_int_equal(g.ev, d < 1 ? HEADER_SIZE : HEADER_OK);
				lim = (struct header_limits){ .count = (uint32_t)(count - 1 + d) };
				run(&g, &lim, SLICE_LIT(in), a, b);
				assert_int_equal(g.ev, d < 1 ? HEADER_COUNT : HEADER_OK);
			}
		}
	}
	/* Where two rules are broken the first place counts. */
	lim = (struct header_limits){ .size = 20, .count = 2 };
	for (a = 0; a < sizeof(in) - 1; a++) {
		run(&g, &lim, SLICE_LIT(in), a, a);
		assert_int_equal(g.ev, HEADER_SIZE);
	}
	lim = (struct header_limits){ .size = 25, .count = 2 };
	for (a = 0; a < sizeof(in) - 1; a++) {
		run(&g, &lim, SLICE_LIT(in), a, a);
		assert_int_equal(g.ev, HEADER_COUNT);
	}
}

static void
hops(void **state)
{
	static const struct header_limits	none;
	static struct got			g;
	static char				in[(HOPS_MAX + 1) * 12];
	unsigned				n;

	for (n = 0; n <= HOPS_MAX; n++)
		memcpy(in + 12 * n, "Received:x\r\n", 12);
	for (n = HOPS_MAX - 1; n <= HOPS_MAX + 1; n++) {
		run(&g, &none, slice_make(in, 12 * n), 5, 500);
		assert_int_equal(g.ev, n <= HOPS_MAX ? HEADER_OK : HEADER_HOPS);
	}
}

static void
receiver_says_no(void **state)
{
	static const struct header_limits	none;
	static struct got			g;
	static const char			in[] = "From x\r\nA: b\r\nbody\r\nmore";
	size_t					a, n;

	run(&g, &none, SLICE_LIT(in), 2, 12);
	n = g.n;
	for (a = 1; a <= n; a++) {
		g.refuse_at = a;
		run(&g, &none, SLICE_LIT(in), 2, 12);
		assert_int_equal(g.ev, HEADER_OUT);
		assert_true(g.n < a);
	}
	g.refuse_at = 0;
}

static const struct {
	const char	*in;
	size_t		 n;
	uint32_t	 max;
	size_t		 fine;
	enum lines_event ev;
	int		 cr;
} lines[] = {
	{ L(""), 0, 0, LINES_OK, 0 },
	{ L("a\r\nb"), 0, 4, LINES_OK, 0 },
	{ L("a\r\nb\r"), 0, 5, LINES_OK, 1 },
	{ L("a\rb"), 0, 2, LINES_BARE_CR, 0 },
	{ L("a\r\r\n"), 0, 2, LINES_BARE_CR, 0 },
	{ L("\n"), 0, 0, LINES_BARE_LF, 0 },
	{ L("a\r\n\n"), 0, 3, LINES_BARE_LF, 0 },
	{ L("a\nb\r\n"), 0, 1, LINES_BARE_LF, 0 },
	{ L("abc\r\nabc\r\n"), 6, 10, LINES_OK, 0 },
	{ L("abc\r\nabc\r\n"), 5, 10, LINES_OK, 0 },
	{ L("abc\r\nabc\r\n"), 4, 4, LINES_LONG, 0 },
	{ L("ab\r\nabcdef"), 5, 9, LINES_LONG, 0 },
	{ L("ab\r\nabcde"), 5, 9, LINES_OK, 0 },
	{ L("ab\r\nabcd\n"), 4, 8, LINES_BARE_LF, 0 },
	{ L("ab\r\nabcde\n"), 4, 8, LINES_LONG, 0 },	/* the first place counts */
};

static void
lines_table_all_cuts(void **state)
{
	struct lines		l;
	enum lines_event	ev;
	size_t			i, a, fine;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (a = 0; a <= lines[i].n; a++) {
			lines_init(&l);
			fine = lines_feed(&l, slice_make(lines[i].in, a), lines[i].max, &ev);
			if (ev == LINES_OK) {
				assert_int_equal(fine, a);
				fine += lines_feed(&l, slice_make(lines[i].in + a, lines[i].n - a),
				    lines[i].max, &ev);
			}
			if (ev != lines[i].ev || fine != lines[i].fine)
				fail_msg("lines %zu cut at %zu: event %d at %zu", i, a, ev, fine);
			if (ev == LINES_OK)
				assert_int_equal(l.cr, lines[i].cr);
		}
	}
}

static void
test_missing(void **state)
{
	static struct got		 g;
	const struct header_limits	 none = { 0, 0 };
	struct slice			 in;
	size_t				 i, a, b;

	g.add = 1;
	for (i = 0; i < sizeof(incomplete) / sizeof(incomplete[0]); i++) {
		in = slice_str(incomplete[i].in);
		for (a = 0; a <= in.n; a++) {
			for (b = a; b <= in.n; b++) {
				run(&g, &none, in, a, b);
				assert_int_equal(g.ev, HEADER_OK);
				if (g.n != strlen(incomplete[i].out) || memcmp(g.out, incomplete[i].out, g.n) != 0)
					fail_msg("%zu cut at %zu and %zu: %.*s", i, a, b, (int)g.n, g.out);
			}
		}
	}
	/* The receiver says no. */
	g.refuse_at = 10;
	in = SLICE_LIT("A: b\r\n\r\n");
	run(&g, &none, in, in.n, in.n);
	assert_int_equal(g.ev, HEADER_OUT);
	in = SLICE_LIT("A: b\r\n");
	run(&g, &none, in, in.n, in.n);
	assert_int_equal(g.ev, HEADER_OUT);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_missing),
		cmocka_unit_test(table_all_cuts),
		cmocka_unit_test(held_is_bounded),
		cmocka_unit_test(limits_all_cuts),
		cmocka_unit_test(hops),
		cmocka_unit_test(receiver_says_no),
		cmocka_unit_test(lines_table_all_cuts),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
