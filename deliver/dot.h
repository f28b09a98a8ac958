/*
 * dot.h -- dot transparency of DATA, streaming and without a copy.  Core.
 *
 * RFC 5321 4.5.2: a line that starts with a dot gets one more; the end is CRLF . CRLF.  Lines
 * are ended by CRLF alone.  A body with a bare CR or LF must never leave this machine
 * (R5: it could end the data early at a lax server): E_SYNTAX, and the message is refused.
 */
#ifndef DELIVER_DOT_H
#define DELIVER_DOT_H

#include <stddef.h>

#include "common/slice.h"

enum dot_at { DOT_LINE_START, DOT_IN_LINE, DOT_AFTER_CR };

struct dot {
	enum dot_at	at;
};

void	dot_init(struct dot *);

/*
 * Cut in into at most max (2 or more) segments that borrow from it or from constants; together
 * they are the stuffed octets of the first *used octets of in.  E_SYNTAX.
 */
int	dot_stuff(struct dot *, struct slice in, struct slice *seg, size_t max, size_t *nseg, size_t *used);

/* What ends the data: *end is ".\r\n", with a CRLF in front if the body did not end with one.  E_SYNTAX after a bare CR. */
int	dot_end(const struct dot *, struct slice *end);

#endif
