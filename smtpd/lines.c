/*
 * lines.c -- see lines.h.  Core.
 */
#include "smtpd/lines.h"

void
lines_init(struct lines *l)
{
	l->len = 0;
	l->cr = 0;
}

size_t
lines_feed(struct lines *l, struct slice in, uint32_t max, enum lines_event *ev)
{
	const char	*p = in.p, *end = in.p + in.n, *lf, *cr;
	size_t		 n;

	*ev = LINES_OK;
	while (p < end) {
		if (l->cr) {
			if (*p != '\n')
				*ev = LINES_BARE_CR;
			else if (max != 0 && l->len >= max)
				*ev = LINES_LONG;
			if (*ev != LINES_OK)
				break;
			p++;
			l->len = 0;
			l->cr = 0;
			continue;
		}
		lf = memchr(p, '\n', (size_t)(end - p));
		cr = memchr(p, '\r', (size_t)((lf != NULL ? lf : end) - p));
		n = (size_t)((cr != NULL ? cr + 1 : lf != NULL ? lf : end) - p);
		if (max != 0 && n > max - l->len) {
			p += max - l->len;
			*ev = LINES_LONG;
			break;
		}
		if (max != 0)
			l->len += (uint32_t)n;
		p += n;
		if (cr != NULL)
			l->cr = 1;
		else if (lf != NULL) {
			*ev = LINES_BARE_LF;
			break;
		}
	}
	return ((size_t)(p - in.p));
}
