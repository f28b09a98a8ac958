/*
 * smtpd_header_rewrite_fuzz.c -- addresses in a header section.
 *
 * Oracles: nothing changed is the same octets; all changed to one address, that address is all that
 * a second reading finds, as often, and putting it anew changes nothing; fields and body are as
 * many and where they were.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "smtpd/header.h"
#include "smtpd/header_rewrite.h"

#define NEW	"new@put.example"

struct got {
	char	*out;
	size_t	 n, size;
	int	 change;
	size_t	 seen, others;
};

static void
must(int ok)
{
	if (!ok)
		abort();
}

static int
address(void *arg, enum header_who who, char a[ADDRESS_MAX + 1])
{
	struct got	*g = arg;
	struct addr	 parsed;

	must(who == WHO_SENDER || who == WHO_RECIPIENT);
	must(strlen(a) <= ADDRESS_MAX && addr_parse(&parsed, slice_str(a), NULL) == E_OK);
	must(strcmp(parsed.text, a) == 0);
	g->seen++;
	g->others += strcmp(a, NEW) != 0;
	if (!g->change)
		return (0);
	memcpy(a, NEW, sizeof(NEW));
	return (1);
}

static int
out(void *arg, struct slice s)
{
	struct got	*g = arg;

	must(s.n != 0 && s.n <= g->size - g->n);
	memcpy(g->out + g->n, s.p, s.n);
	g->n += s.n;
	return (E_OK);
}

static void
run(struct got *g, struct slice in, int change)
{
	const struct header_rewriter	r = { .address = address, .out = out, .arg = g };

	memset(g, 0, sizeof(*g));
	g->size = in.n * sizeof(NEW) + 1;
	g->change = change;
	must((g->out = malloc(g->size)) != NULL);
	must(header_rewrite(&r, in) == E_OK);
}

static int
nothing(void *arg, struct slice s)
{
	return (E_OK);
}

static uint32_t
fields(struct slice in, uint16_t *received)
{
	static const struct header_limits	none;
	struct header				h;
	enum header_event			ev;

	header_init(&h);
	ev = header_feed(&h, &none, in, nothing, NULL);
	*received = h.received;
	return (ev == HEADER_OK ? h.fields : 0);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct got	same, put, again;
	struct slice	in;
	char		*p;
	size_t		n = 0, i;
	uint16_t	before, after;

	if (size > 20000)
		return (0);
	must((p = malloc(2 * size + 1)) != NULL);
	for (i = 0; i < size; i++) {
		if (data[i] == '\r' || data[i] == '\0')	/* header.h refuses a NUL */
			continue;
		if (data[i] == '\n')
			p[n++] = '\r';
		p[n++] = (char)data[i];
	}
	in = slice_make(p, n);
	run(&same, in, 0);
	must(same.n == n && memcmp(same.out, p, n) == 0);
	run(&put, in, 1);
	must(put.seen == same.seen);
	run(&again, slice_make(put.out, put.n), 1);
	must(again.seen == put.seen && again.others == 0);
	must(again.n == put.n && memcmp(again.out, put.out, put.n) == 0);
	must(fields(in, &before) == fields(slice_make(put.out, put.n), &after) && before == after);
	free(same.out);
	free(put.out);
	free(again.out);
	free(p);
	return (0);
}
