/*
 * data.c -- see data.h.  Core.
 *
 * A CR is handed out before its LF is seen: should no LF follow, the message is refused as
 * a whole, so no pending octet has to be kept between two calls.
 */
#include <string.h>

#include "smtpd/data.h"

enum {
	AT_START,		/* of a line, or of the data (an empty message is ". CR LF") */
	AT_DOT,			/* a line's first dot: never part of the message */
	AT_DOT_CR,		/* a dot alone and CR: LF ends the data */
	AT_TEXT,
	AT_CR,			/* handed out; LF must follow */
};

void
data_init(struct data_decoder *d)
{
	d->st = AT_START;
}

/* Message octets from p on, none of them a line's first dot.  Returns where it stopped. */
static const char *
take_run(struct data_decoder *d, const char *p, const char *lim, enum data_event *ev)
{
	const char *lf, *cr;

	while (p < lim) {
		if (d->st == AT_START) {
			if (*p == '.')
				break;
			d->st = AT_TEXT;
		}
		if (d->st == AT_CR) {
			if (*p != '\n') {
				*ev = DATA_BARE_CR;
				break;
			}
			p++;
			d->st = AT_START;
			continue;
		}
		lf = memchr(p, '\n', (size_t)(lim - p));
		cr = memchr(p, '\r', (size_t)((lf != NULL ? lf : lim) - p));
		if (cr == NULL) {
			if (lf != NULL)
				*ev = DATA_BARE_LF;
			p = lf != NULL ? lf : lim;
			break;
		}
		if (cr + 1 == lim) {
			d->st = AT_CR;
			p = lim;
		} else if (cr[1] == '\n') {
			d->st = AT_START;
			p = cr + 2;
		} else {
			*ev = DATA_BARE_CR;
			p = cr + 1;
			break;
		}
	}
	return (p);
}

enum data_event
data_decode(struct data_decoder *d, struct slice in, size_t max, size_t *used, struct slice *run)
{
	const char	*p = in.p, *end = in.p + in.n, *start;
	enum data_event	 ev = DATA_MORE;

	*run = slice_make(p, 0);
	while (p < end && ev == DATA_MORE) {
		if (d->st == AT_START && *p == '.') {
			d->st = AT_DOT;
			p++;
		} else if (d->st == AT_DOT && *p == '\r') {
			d->st = AT_DOT_CR;
			p++;
		} else if (d->st == AT_DOT_CR) {
			if (*p == '\n') {
				p++;
				ev = DATA_END;
			} else
				ev = DATA_BARE_CR;
		} else {
			if (d->st == AT_DOT)
				d->st = AT_TEXT;	/* the dot was stuffed, 4.5.2 */
			start = p;
			p = take_run(d, p, (size_t)(end - p) > max ? p + max : end, &ev);
			*run = slice_make(start, (size_t)(p - start));
			break;
		}
	}
	*used = (size_t)(p - in.p);
	return (ev);
}
