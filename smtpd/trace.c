/*
 * trace.c -- see trace.h.  Core.
 */
#include <string.h>

#include "smtpd/trace.h"

enum { IN_NAME, IN_BLANKS, IN_REST, IN_BODY };

static const char received[] = "received";
#define RECEIVED_LEN	(sizeof(received) - 1)

void
trace_init(struct trace *t)
{
	t->where = IN_NAME;
	t->matched = 0;
	t->received = 0;
}

void
trace_feed(struct trace *t, struct slice in)
{
	const char	*p = in.p, *end = in.p + in.n, *lf;
	char		 c;

	while (p < end && t->where != IN_BODY) {
		if (t->where == IN_REST) {
			lf = memchr(p, '\n', (size_t)(end - p));
			if (lf == NULL)
				return;
			p = lf + 1;
			t->where = IN_NAME;
			t->matched = 0;
			continue;
		}
		c = *p;
		if (t->where == IN_NAME && t->matched < RECEIVED_LEN) {
			if (t->matched == 0 && c == '\r') {
				t->where = IN_BODY;	/* the empty line; LF must follow */
				return;
			}
			if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) == received[t->matched]) {
				t->matched++;
				p++;
			} else
				t->where = IN_REST;	/* this octet again: it may be LF */
			continue;
		}
		if (c == ':') {
			if (t->received < UINT16_MAX)
				t->received++;
			t->where = IN_REST;
		} else if (c == ' ' || c == '\t') {
			t->where = IN_BLANKS;
			p++;
		} else
			t->where = IN_REST;
	}
}
