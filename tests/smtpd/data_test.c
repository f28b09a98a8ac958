/*
 * data_test.c -- the DATA decoder and the parameters, over every cut of each input.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "smtpd/data.h"
#include "smtpd/params.h"

#define OUT_MAX	8192

struct got {
	enum data_event	ev;
	size_t		taken;		/* of the whole input */
	size_t		n;
	char		out[OUT_MAX];
};

/* Feed the octets up to each end in cuts (ascending, the last is the input's length). */
static void
decode(struct got *g, struct slice in, const size_t *cuts, size_t ncuts, size_t max)
{
	struct data_decoder	d;
	struct slice		run;
	size_t			used, i;

	data_init(&d);
	g->ev = DATA_MORE;
	g->taken = g->n = 0;
	for (i = 0; i < ncuts && g->ev == DATA_MORE; i++) {
		while (g->ev == DATA_MORE && g->taken < cuts[i]) {
			g->ev = data_decode(&d, slice_make(in.p + g->taken, cuts[i] - g->taken),
			    max, &used,
			    &run);
			assert_true(run.n <= max && run.n <= used);
			assert_true(used != 0 || g->ev == DATA_BARE_CR || g->ev == DATA_BARE_LF);
			assert_true(g->n + run.n <= OUT_MAX);
			if (run.n != 0)
				memcpy(g->out + g->n, run.p, run.n);
			g->n += run.n;
			g->taken += used;
		}
	}
}

static const struct {
	const char	*in;
	size_t		 n;
	enum data_event	 ev;
	const char	*out;	/* not looked at after a bare CR or LF */
	size_t		 outn;
	size_t		 taken;	/* 0: all */
} cases[] = {
#define L(s)	s, sizeof(s) - 1
	{ L(".\r\n"), DATA_END, L(""), 0 },
	{ L("\r\n.\r\n"), DATA_END, L("\r\n"), 0 },
	{ L("a\r\n.\r\nQUIT\r\n"), DATA_END, L("a\r\n"), 6 },
	{ L("a\r\n..\r\n.\r\n"), DATA_END, L("a\r\n.\r\n"), 0 },
	{ L("..\r\n.\r\n"), DATA_END, L(".\r\n"), 0 },
	{ L("...\r\n"), DATA_MORE, L("..\r\n"), 0 },
	{ L(".a.\r\n. .\r\n"), DATA_MORE, L("a.\r\n .\r\n"), 0 },
	{ L("a.\r\n.b\r\n.\r\n"), DATA_END, L("a.\r\nb\r\n"), 0 },
	{ L("a\0b\xff\r\n.\0\r\n"), DATA_MORE, L("a\0b\xff\r\n\0\r\n"), 0 },
	{ L("no end"), DATA_MORE, L("no end"), 0 },
	{ L("\r\n\r\n\r\n.\r\n"), DATA_END, L("\r\n\r\n\r\n"), 0 },
	{ L("a\r\n.\r"), DATA_MORE, L("a\r\n"), 0 },
	{ L("a\r\n."), DATA_MORE, L("a\r\n"), 0 },
	{ L("\n"), DATA_BARE_LF, L(""), 0 },
	{ L("a\n.\n"), DATA_BARE_LF, L(""), 0 },
	{ L("a\r\n.\n"), DATA_BARE_LF, L(""), 0 },
	{ L("a\r\n\n"), DATA_BARE_LF, L(""), 0 },
	{ L("ab\rc\r\n"), DATA_BARE_CR, L(""), 0 },
	{ L("a\r\r\n"), DATA_BARE_CR, L(""), 0 },
	{ L("a\r\n.\r\r\n"), DATA_BARE_CR, L(""), 0 },
	{ L("a\r\n.\ra"), DATA_BARE_CR, L(""), 0 },
	{ L("a\n\r\n.\r\n"), DATA_BARE_LF, L(""), 0 },
	{ L("a\r.\r\n"), DATA_BARE_CR, L(""), 0 },
};

static void
check(size_t i, const struct got *g)
{
	if (g->ev != cases[i].ev)
		fail_msg("case %zu: wanted event %d, got %d", i, cases[i].ev, g->ev);
	if (g->ev == DATA_BARE_CR || g->ev == DATA_BARE_LF)
		return;
	assert_int_equal(g->taken, cases[i].taken != 0 ? cases[i].taken : cases[i].n);
	assert_int_equal(g->n, cases[i].outn);
	assert_memory_equal(g->out, cases[i].out, cases[i].outn);
}

static void
decoder_table_all_cuts(void **state)
{
	static struct got	g;
	struct slice		in;
	size_t			i, cuts[64], a, b, k;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		in = slice_make(cases[i].in, cases[i].n);
		for (a = 0; a <= in.n; a++) {
			for (b = a; b <= in.n; b++) {
				decode(&g, in, (size_t[]){ a, b, in.n }, 3, SIZE_MAX);
				check(i, &g);
			}
		}
		for (k = 0; k < in.n; k++)
			cuts[k] = k + 1;
		decode(&g, in, cuts, in.n, SIZE_MAX);
		check(i, &g);
		for (k = 1; k < 4; k++) {	/* and runs of at most k octets */
			decode(&g, in, &in.n, 1, k);
			check(i, &g);
		}
	}
}

/* What a sender stuffs comes back as it was, for every octet in every place. */
static void
stuffing_round_trip(void **state)
{
	static const char	alphabet[] = { '.', 'a', '\0' };	/* and line ends */
	static struct got	g;
	char			msg[32], wire[64];
	unsigned		v, x;
	size_t			n, w, k, len;

	for (v = 0; v < 4 * 4 * 4 * 4 * 4 * 4; v++) {
		n = w = 0;
		for (x = v, k = 0; k < 6; k++, x /= 4) {
			if (x % 4 == 3) {
				msg[n++] = '\r';
				msg[n++] = '\n';
			} else
				msg[n++] = alphabet[x % 4];
		}
		msg[n++] = '\r';
		msg[n++] = '\n';
		for (k = 0; k < n; k++) {
			if (msg[k] == '.' && (k == 0 || msg[k - 1] == '\n'))
				wire[w++] = '.';
			wire[w++] = msg[k];
		}
		memcpy(wire + w, ".\r\n", 3);
		len = w + 3;
		for (k = 0; k <= len; k++) {
			decode(&g, slice_make(wire, len), (size_t[]){ k, len }, 2, SIZE_MAX);
			assert_int_equal(g.ev, DATA_END);
			assert_int_equal(g.taken, len);
			assert_int_equal(g.n, n);
			assert_memory_equal(g.out, msg, n);
		}
	}
}

static void
no_room_takes_no_message_octet(void **state)
{
	struct data_decoder	d;
	struct slice		run;
	size_t			used;

	data_init(&d);
	assert_int_equal(data_decode(&d, SLICE_LIT("a"), 0, &used, &run), DATA_MORE);
	assert_int_equal(used, 0);
	assert_int_equal(data_decode(&d, SLICE_LIT(".."), 0, &used, &run), DATA_MORE);
	assert_int_equal(used, 1);	/* the stuffed dot is not the message's */
	assert_int_equal(data_decode(&d, SLICE_LIT("."), 0, &used, &run), DATA_MORE);
	assert_int_equal(used, 0);
	assert_int_equal(data_decode(&d, SLICE_LIT("."), 1, &used, &run), DATA_MORE);
	assert_int_equal(run.n, 1);
	data_init(&d);
	assert_int_equal(data_decode(&d, SLICE_LIT(".\r\n"), 0, &used, &run), DATA_END);
}

static const struct {
	const char	*in;
	int		 err;		/* of the first */
	const char	*keyword, *value;
	const char	*rest;
} params[] = {
	{ "", E_NOTFOUND, NULL, NULL, NULL },
	{ "  \t", E_NOTFOUND, NULL, NULL, NULL },
	{ " SIZE=10 BODY=7BIT", E_OK, "SIZE", "10", " BODY=7BIT" },
	{ "X-a-1", E_OK, "X-a-1", "", "" },
	{ "A=<b>;c", E_OK, "A", "<b>;c", "" },
	{ "-A", E_SYNTAX, NULL, NULL, NULL },
	{ "A=", E_SYNTAX, NULL, NULL, NULL },
	{ "A==", E_SYNTAX, NULL, NULL, NULL },
	{ "A=b=c", E_SYNTAX, NULL, NULL, NULL },
	{ "A=\xc3", E_SYNTAX, NULL, NULL, NULL },
	{ "A;", E_SYNTAX, NULL, NULL, NULL },
};

static void
params_table(void **state)
{
	struct slice	rest;
	struct param	pa;
	size_t		i;
	int		err;

	for (i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
		rest = slice_str(params[i].in);
		if ((err = param_next(&rest, &pa)) != params[i].err)
			fail_msg("params %zu: wanted %d, got %d", i, params[i].err, err);
		if (err != E_OK)
			continue;
		assert_true(slice_eq(pa.keyword, slice_str(params[i].keyword)));
		assert_true(slice_eq(pa.value, slice_str(params[i].value)));
		assert_true(slice_eq(rest, slice_str(params[i].rest)));
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(decoder_table_all_cuts),
		cmocka_unit_test(stuffing_round_trip),
		cmocka_unit_test(no_room_takes_no_message_octet),
		cmocka_unit_test(params_table),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
