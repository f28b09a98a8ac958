/*
 * smtpd_data_fuzz.c -- the DATA decoder against a plain, octet by octet model.
 *
 * The first octet says how the rest is cut.  Whole, cut and model must agree on the
 * event, on the octets taken and on the message; a message that ended holds no bare CR or LF.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtpd/data.h"

struct got {
	enum data_event	ev;
	size_t		taken, n;
	char		*out;
};

static void
must(int ok)
{
	if (!ok)
		abort();
}

/* RFC 5321 2.3.8, 4.1.1.4, 4.5.2 spelled out: look at whole lines. */
static void
model(struct got *g, const char *p, size_t n)
{
	size_t	i = 0, e;

	g->ev = DATA_MORE;
	g->n = g->taken = 0;
	while (i < n) {
		for (e = i; e < n && p[e] != '\r' && p[e] != '\n'; e++)
			;
		if (e == n || (p[e] == '\r' && e + 1 == n)) {	/* the line's end is not here yet */
			g->taken = n;
			return;
		}
		if (p[e] == '\n' || p[e + 1] != '\n') {
			g->ev = p[e] == '\n' ? DATA_BARE_LF : DATA_BARE_CR;
			return;
		}
		if (e == i + 1 && p[i] == '.') {
			g->ev = DATA_END;
			g->taken = e + 2;
			return;
		}
		if (p[i] == '.')
			i++;
		memcpy(g->out + g->n, p + i, e + 2 - i);
		g->n += e + 2 - i;
		i = e + 2;
	}
	g->taken = n;
}

static void
decode(struct got *g, const char *p, size_t n, unsigned cut, size_t max)
{
	struct data_decoder	d;
	struct slice		run;
	size_t			used, have = 0, step;

	data_init(&d);
	g->ev = DATA_MORE;
	g->taken = g->n = 0;
	while (g->ev == DATA_MORE && have < n) {
		step = cut == 0 ? n : 1 + (have * 7 + cut) % (cut + 1);
		have = n - have < step ? n : have + step;
		while (g->ev == DATA_MORE && g->taken < have) {
			g->ev = data_decode(&d, slice_make(p + g->taken, have - g->taken), max,
			    &used, &run);
			must(run.n <= max && run.n <= used && g->taken + used <= have);
			must(used != 0 || g->ev != DATA_MORE);
			if (run.n != 0) {
				must(run.p >= p + g->taken && run.p + run.n <= p + g->taken + used);
				memcpy(g->out + g->n, run.p, run.n);
			}
			g->n += run.n;
			g->taken += used;
		}
	}
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char	*p;
	struct got	 whole, cut, want;
	size_t		 n, i;

	if (size < 1)
		return (0);
	p = (const char *)data + 1;
	n = size - 1;
	must((whole.out = malloc(n + 1)) != NULL && (cut.out = malloc(n + 1)) != NULL &&
	    (want.out = malloc(n + 1)) != NULL);
	decode(&whole, p, n, 0, SIZE_MAX);
	decode(&cut, p, n, data[0], data[0] % 5 == 0 ? 1 + data[0] : SIZE_MAX);
	model(&want, p, n);
	must(whole.ev == want.ev && cut.ev == want.ev);
	if (want.ev == DATA_MORE || want.ev == DATA_END) {
		must(whole.taken == want.taken && cut.taken == want.taken);
		must(whole.n == cut.n && memcmp(whole.out, cut.out, cut.n) == 0);
		must(whole.n >= want.n && memcmp(whole.out, want.out, want.n) == 0);
	}
	if (want.ev == DATA_END) {
		must(whole.n == want.n);
		for (i = 0; i < whole.n; i++) {
			if (whole.out[i] == '\r')
				must(i + 1 < whole.n && whole.out[i + 1] == '\n');
			if (whole.out[i] == '\n')
				must(i > 0 && whole.out[i - 1] == '\r');
		}
	}
	free(whole.out);
	free(cut.out);
	free(want.out);
	return (0);
}
