/*
 * header.c -- see header.h.  Core.
 *
 * Octets go out as views of the input; only a name that a cut tore apart is copied, since the empty
 * line that may belong in front of it has to go first.
 */
#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "smtpd/header.h"

enum {
	AT_LINE,		/* the start of a line */
	AT_NAME,
	AT_BLANKS,		/* between name and colon */
	AT_REST,		/* of a field's line, or of a continuation */
	AT_EMPTY,		/* CR of the empty line; LF must follow */
	AT_BODY,
};

#define ONES	UINT64_C(0x0101010101010101)
#define HIGHS	(ONES * 0x80)

static const struct slice empty_line = { "\r\n", 2 };
static const struct slice mailbox_line = { "X-Mailbox-Line: ", 16 };

void
header_init(struct header *h)
{
	h->at = AT_LINE;
	h->eight = h->from = h->has = 0;
	h->missing = NULL;
	h->received = 0;
	h->nheld = 0;
	h->fields = 0;
	h->size = 0;
}

int
header_done(const struct header *h)
{
	return (h->at == AT_BODY);
}

/* Whether there is a NUL among the octets; notes those above 127. */
static int
look(struct header *h, const char *p, size_t n)
{
	uint64_t	v, any = 0, nul = 0;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&v, p, 8);
		any |= v;
		nul |= (v - ONES) & ~v;
	}
	for (; n != 0; p++, n--) {
		any |= (uint64_t)(unsigned char)*p;
		nul |= *p == '\0' ? HIGHS : 0;
	}
	h->eight |= (any & HIGHS) != 0;
	return ((nul & HIGHS) != 0);
}

static int
is_name(char c)
{
	return (c > ' ' && c < 127 && c != ':');
}

/* The first line of the message is a mailbox file's separator: line holds it up to its first
 * octet behind the blanks. */
static int
is_mailbox_line(const struct header *h, struct slice line)
{
	size_t	i = 0;

	if (h->fields != 0)
		return (0);
	while (i < line.n && line.p[i] == '>')
		i++;
	return (line.n - i >= 5 && memcmp(line.p + i, "From ", 5) == 0);
}

/* Fields that are counted by their name; name is all before the colon. */
static enum header_event
by_name(struct header *h, struct slice name)
{
	while (name.n != 0 && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		name.n--;
	if (name.n == 8 && slice_caseeq(name, SLICE_LIT("received")) && ++h->received > HOPS_MAX)
		return (HEADER_HOPS);
	if (name.n == 4 && slice_caseeq(name, SLICE_LIT("from")) && ++h->from > 1)
		return (HEADER_FROM);
	if (name.n == 4 && slice_caseeq(name, SLICE_LIT("date")))
		h->has |= HEADER_DATE;
	if (name.n == 10 && slice_caseeq(name, SLICE_LIT("message-id")))
		h->has |= HEADER_MESSAGE_ID;
	return (HEADER_OK);
}

/* The section ends here: what it ought to have had. */
static int
complete(struct header *h, header_out out, void *arg)
{
	char	fields[HEADER_FIELDS_MAX];
	size_t	n = h->missing != NULL ? h->missing(arg, h->has, fields) : 0;

	return (n != 0 ? out(arg, slice_make(fields, n)) : E_OK);
}

/* A field begins; name is what came of it so far. */
static enum header_event
field(struct header *h, const struct header_limits *lim, struct slice name)
{
	h->at = AT_REST;
	h->fields++;
	h->size += name.n;
	if (lim->count != 0 && h->fields > lim->count)
		return (HEADER_COUNT);
	return (lim->size != 0 && h->size > lim->size ? HEADER_SIZE : HEADER_OK);
}

/* The rest of a line, with its LF if that is here.  *used is what is fine of it. */
static enum header_event
rest(struct header *h, const struct header_limits *lim, const char *p, const char *end, size_t *used)
{
	const char	*lf = memchr(p, '\n', (size_t)(end - p));
	size_t		 n = (size_t)((lf != NULL ? lf + 1 : end) - p);
	int		 over = lim->size != 0 && n > lim->size - h->size;

	if (over)
		n = (size_t)(lim->size - h->size);
	*used = n;
	h->size += n;
	if (look(h, p, n))
		return (HEADER_NUL);
	if (over)
		return (HEADER_SIZE);
	if (lf != NULL)
		h->at = AT_LINE;
	return (HEADER_OK);
}

/* Octets of a name from p on, until it is clear what the line is or the input ends.  A name that is
 * held grows by them.  Returns where it stopped; *decided: the octet there tells. */
static const char *
name_octets(struct header *h, const char *line, const char *p, const char *end, int *decided)
{
	size_t	have = h->nheld != 0 ? h->nheld : (size_t)(p - line);

	*decided = 0;
	for (; p < end; p++, have++) {
		if (h->at == AT_NAME && (*p == ' ' || *p == '\t') && have != 0)
			h->at = AT_BLANKS;
		if (have == HEADER_NAME_MAX ||
		    (h->at == AT_NAME ? !is_name(*p) : *p != ' ' && *p != '\t')) {
			*decided = 1;
			break;
		}
		if (h->nheld != 0)
			h->held[h->nheld++] = *p;
	}
	return (p);
}

enum header_event
header_feed(struct header *h, const struct header_limits *lim, struct slice in, header_out out, void *arg)
{
	const char		*p = in.p, *end = in.p + in.n;
	const char		*start = p;	/* of what has not gone out */
	const char		*line = p;	/* of the present line, if it began here */
	struct slice		 name, add;
	enum header_event	 ev;
	size_t			 used;
	int			 decided, was_held;

	while (p < end && h->at != AT_BODY) {
		switch (h->at) {
		case AT_LINE:
			line = p;
			if (*p == '\r') {
				if (h->missing != NULL) {
					if (p != start && out(arg, slice_make(start, (size_t)(p - start))) != E_OK)
						return (HEADER_OUT);
					start = p;
					if (complete(h, out, arg) != E_OK)
						return (HEADER_OUT);
				}
				h->at = AT_EMPTY;
				p++;
			} else if ((*p == ' ' || *p == '\t') && h->fields != 0)
				h->at = AT_REST;
			else
				h->at = AT_NAME;
			continue;
		case AT_EMPTY:
			h->at = AT_BODY;
			continue;
		case AT_REST:
			if ((ev = rest(h, lim, p, end, &used)) != HEADER_OK)
				return (ev);
			p += used;
			continue;
		default:
			break;
		}
		was_held = h->nheld != 0;
		p = name_octets(h, line, p, end, &decided);
		if (!decided) {
			if (was_held)
				return (HEADER_OK);	/* all of it is held */
			if (line != start && out(arg, slice_make(start, (size_t)(line - start))) != E_OK)
				return (HEADER_OUT);
			h->nheld = (uint16_t)(end - line);
			memcpy(h->held, line, h->nheld);
			return (HEADER_OK);
		}
		name = was_held ? slice_make(h->held, h->nheld) : slice_make(line, (size_t)(p - line));
		add = slice_make(NULL, 0);
		ev = HEADER_OK;
		if (*p == ':' && name.n != 0) {
			if ((ev = by_name(h, name)) == HEADER_OK)
				ev = field(h, lim, name);
		} else if (is_mailbox_line(h, name)) {
			add = mailbox_line;
			ev = field(h, lim, name);
		} else {
			add = empty_line;
			h->at = AT_BODY;
		}
		if (ev != HEADER_OK)
			return (ev);
		if (!was_held && add.n != 0 && line != start &&
		    out(arg, slice_make(start, (size_t)(line - start))) != E_OK)
			return (HEADER_OUT);
		if ((h->at == AT_BODY && complete(h, out, arg) != E_OK) || (add.n != 0 && out(arg, add) != E_OK))
			return (HEADER_OUT);
		if (was_held && out(arg, name) != E_OK)
			return (HEADER_OUT);
		if (was_held)
			start = p;
		else if (add.n != 0)
			start = line;
		h->nheld = 0;
	}
	if (start != end && out(arg, slice_make(start, (size_t)(end - start))) != E_OK)
		return (HEADER_OUT);
	return (HEADER_OK);
}

enum header_event
header_end(struct header *h, header_out out, void *arg)
{
	uint16_t	n = h->nheld;

	if (n == 0 && h->at != AT_LINE)
		return (HEADER_OK);
	if (complete(h, out, arg) != E_OK)
		return (HEADER_OUT);
	h->missing = NULL;
	if (n == 0)
		return (HEADER_OK);
	h->nheld = 0;
	h->at = AT_BODY;
	if (out(arg, empty_line) != E_OK || out(arg, slice_make(h->held, n)) != E_OK)
		return (HEADER_OUT);
	return (HEADER_OK);
}
