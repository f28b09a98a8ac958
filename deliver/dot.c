/*
 * dot.c -- see dot.h.  Core.
 */
#include <string.h>

#include "common/err.h"
#include "deliver/dot.h"

void
dot_init(struct dot *d)
{
	d->at = DOT_LINE_START;
}

int
dot_stuff(struct dot *d, struct slice in, struct slice *seg, size_t max, size_t *nseg, size_t *used)
{
	const char *run, *p, *end, *cr;

	*nseg = 0;
	*used = 0;
	if (in.n == 0)
		return (E_OK);
	run = p = in.p;
	end = in.p + in.n;
	if (d->at == DOT_AFTER_CR) {
		if (*p != '\n')
			return (E_SYNTAX);
		p++;
		d->at = DOT_LINE_START;
	}
	while (p < end) {
		if (d->at == DOT_LINE_START && *p == '.') {
			/* The run so far, the extra dot, and one place left for what follows. */
			if (*nseg + 3 > max)
				break;
			if (p > run)
				seg[(*nseg)++] = slice_make(run, (size_t)(p - run));
			seg[(*nseg)++] = SLICE_LIT(".");
			run = p;
		}
		cr = memchr(p, '\r', (size_t)(end - p));
		if (memchr(p, '\n', (size_t)((cr != NULL ? cr : end) - p)) != NULL)
			return (E_SYNTAX);
		if (cr == NULL) {
			d->at = DOT_IN_LINE;
			p = end;
		} else if (cr + 1 == end) {
			d->at = DOT_AFTER_CR;
			p = end;
		} else if (cr[1] != '\n') {
			return (E_SYNTAX);
		} else {
			d->at = DOT_LINE_START;
			p = cr + 2;
		}
	}
	if (p > run)
		seg[(*nseg)++] = slice_make(run, (size_t)(p - run));
	*used = (size_t)(p - in.p);
	return (E_OK);
}

int
dot_end(const struct dot *d, struct slice *end)
{
	switch (d->at) {
	case DOT_LINE_START:
		*end = SLICE_LIT(".\r\n");
		return (E_OK);
	case DOT_IN_LINE:
		*end = SLICE_LIT("\r\n.\r\n");
		return (E_OK);
	case DOT_AFTER_CR:
		break;
	}
	return (E_SYNTAX);
}
