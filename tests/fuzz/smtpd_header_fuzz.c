/*
 * smtpd_header_fuzz.c -- the header section against a plain model that has the whole message before
 * it.
 *
 * The first three octets choose cuts and limits, the rest is the message; bare CR and LF are made
 * CR LF first, as the filter is promised.  Whole, cut and model must agree on the event, the counts
 * and the octets let out; these are the input with at most an X-Mailbox-Line in front and one empty
 * line.  Fed again, its own output comes out unchanged: whoever reads it later finds the same
 * place.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "common/limits.h"
#include "smtpd/header.h"

struct got {
	enum header_event	ev;
	char			*out;
	size_t			 n;
	unsigned		 received, fields, eight;
};

static void
must(int ok)
{
	if (!ok)
		abort();
}

static int
put(void *arg, struct slice s)
{
	struct got	*g = arg;

	must(s.n != 0);
	memcpy(g->out + g->n, s.p, s.n);
	g->n += s.n;
	return (E_OK);
}

static void
filter(struct got *g, const struct header_limits *lim, const char *p, size_t n, unsigned cut)
{
	struct header	h;
	size_t		off = 0, step, before;

	header_init(&h);
	g->ev = HEADER_OK;
	g->n = 0;
	while (off < n && g->ev == HEADER_OK) {
		step = cut == 0 ? n : 1 + (off * 7 + cut) % (cut + 1);
		if (step > n - off)
			step = n - off;
		before = g->n;
		g->ev = header_feed(&h, lim, slice_make(p + off, step), put, g);
		must(g->n - before <= step + HEADER_HELD_MAX);
		off += step;
		if (g->ev == HEADER_OK)
			must(g->n + HEADER_NAME_MAX >= off && g->n <= off + HEADER_ADDED_MAX);
	}
	if (g->ev == HEADER_OK)
		g->ev = header_end(&h, put, g);
	g->received = h.received;
	g->fields = h.fields;
	g->eight = h.eight;
}

/* The length of name, blanks and colon at p; 0: no field. */
static size_t
field_len(const char *p, size_t n)
{
	size_t	i = 0, name;

	while (i < n && (unsigned char)p[i] > ' ' && (unsigned char)p[i] < 127 && p[i] != ':')
		i++;
	name = i;
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return (name != 0 && i < n && p[i] == ':' && i <= HEADER_NAME_MAX ? i + 1 : 0);
}

/* "From " and all its blanks. */
static size_t
mailbox_len(const char *p, size_t n)
{
	size_t	i = 0, blanks;

	while (i < n && p[i] == '>')
		i++;
	if (n - i < 5 || memcmp(p + i, "From ", 5) != 0)
		return (0);
	if (i + 5 > HEADER_NAME_MAX)
		return (0);
	for (blanks = i + 4; blanks < n && blanks < HEADER_NAME_MAX && (p[blanks] == ' ' || p[blanks] == '\t');
	    blanks++)
		;
	/* What is still to come may be a colon: a name that never ended is none. */
	return (blanks < n ? blanks : 0);
}

static int
name_is(const char *p, size_t field, const char *word)
{
	size_t	n = strlen(word);

	if (field <= n || strncasecmp(p, word, n) != 0)
		return (0);
	while (p[n] == ' ' || p[n] == '\t')
		n++;
	return (p[n] == ':');
}

/* Line by line.  What goes wrong within a line is looked for octet by octet. */
static void
model(struct got *g, const struct header_limits *lim, const char *p, size_t n)
{
	size_t	 i = 0, e, head, size = 0, from = 0, k;
	const char *lf;

	g->n = g->received = g->fields = g->eight = 0;
	g->ev = HEADER_OK;
	for (; i < n; i = e) {
		lf = memchr(p + i, '\n', n - i);
		e = lf != NULL ? (size_t)(lf + 1 - p) : n;
		head = 0;
		if (p[i] == '\r') {
			if (e - i < 2) {	/* the LF is missing */
				put(g, slice_make(p + i, 1));
				return;
			}
			break;
		}
		if ((p[i] != ' ' && p[i] != '\t') || g->fields == 0) {
			head = field_len(p + i, e - i);
			if (head != 0) {
				if (name_is(p + i, head, "received") && ++g->received > HOPS_MAX)
					g->ev = HEADER_HOPS;
				else if (name_is(p + i, head, "from") && ++from > 1)
					g->ev = HEADER_FROM;
				head--;		/* the colon is counted with the rest */
			} else if (g->fields == 0 && (head = mailbox_len(p + i, e - i)) != 0) {
				put(g, SLICE_LIT("X-Mailbox-Line: "));
			}
			if (head == 0) {
				put(g, SLICE_LIT("\r\n"));
				break;
			}
			g->fields++;
			if (g->ev == HEADER_OK && lim->count != 0 && g->fields > lim->count)
				g->ev = HEADER_COUNT;
			size += head;
			if (g->ev == HEADER_OK && lim->size != 0 && size > lim->size)
				g->ev = HEADER_SIZE;
			if (g->ev != HEADER_OK)
				return;
		}
		for (k = i + head; k < e; k++) {
			if (lim->size != 0 && ++size > lim->size)
				g->ev = HEADER_SIZE;
			else if (p[k] == '\0')
				g->ev = HEADER_NUL;
			if (g->ev != HEADER_OK)
				return;
			if ((unsigned char)p[k] > 127)
				g->eight = 1;
		}
		put(g, slice_make(p + i, e - i));
	}
	if (i < n)
		put(g, slice_make(p + i, n - i));
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header_limits	lim;
	struct got		whole, cut, want, again;
	char			*p;
	size_t			n = 0, i;

	if (size < 3 || size > 100000)
		return (0);
	lim.size = data[1] < 128 ? 0 : (uint32_t)(data[1] - 127) * 4;
	lim.count = data[2] < 128 ? 0 : data[2] - 127u;
	p = malloc(2 * size);
	whole.out = malloc(2 * size + HEADER_ADDED_MAX);
	cut.out = malloc(2 * size + HEADER_ADDED_MAX);
	want.out = malloc(2 * size + HEADER_ADDED_MAX);
	again.out = malloc(2 * size + 2 * HEADER_ADDED_MAX);
	must(p != NULL && whole.out != NULL && cut.out != NULL && want.out != NULL && again.out != NULL);
	for (i = 3; i < size; i++) {
		if (data[i] == '\r')
			continue;
		if (data[i] == '\n')
			p[n++] = '\r';
		p[n++] = (char)data[i];
	}
	if (data[size - 1] == '\r')
		p[n++] = '\r';		/* a message cut off there */
	filter(&whole, &lim, p, n, 0);
	filter(&cut, &lim, p, n, 1 + data[0]);
	must(whole.ev == cut.ev);
	model(&want, &lim, p, n);
	must(whole.ev == want.ev);
	if (whole.ev == HEADER_OK) {
		must(whole.n == cut.n && memcmp(whole.out, cut.out, cut.n) == 0);
		must(whole.n == want.n && memcmp(whole.out, want.out, want.n) == 0);
		must(whole.received == cut.received && whole.fields == cut.fields && whole.eight == cut.eight);
		must(whole.received == want.received && whole.fields == want.fields);
		must(whole.eight == want.eight);
		must(whole.n >= n && whole.n <= n + HEADER_ADDED_MAX);
		if (lim.size == 0) {
			filter(&again, &lim, whole.out, whole.n, 1 + data[0] / 2);
			must(again.ev == HEADER_OK && again.n == whole.n);
			must(memcmp(again.out, whole.out, whole.n) == 0 && again.fields == whole.fields);
		}
	}
	free(p);
	free(whole.out);
	free(cut.out);
	free(want.out);
	free(again.out);
	return (0);
}
