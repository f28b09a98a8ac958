/*
 * trace.h -- counts the Received fields of a message as it streams by (core: pure).
 *
 * RFC 5321 6.3: more than HOPS_MAX of them is taken for a loop.  Only the header section is
 * looked at: up to the first empty line.  Blanks between name and colon are allowed
 * (RFC 5322 4.5.8); folded lines start with a blank and so never match.
 */
#ifndef SMTPD_TRACE_H
#define SMTPD_TRACE_H

#include <stdint.h>

#include "common/slice.h"

struct trace {
	uint8_t		where;
	uint8_t		matched;	/* octets of the name seen in this line */
	uint16_t	received;	/* fields so far; stops at UINT16_MAX */
};

void	trace_init(struct trace *);
/* The next octets of the message, dots unstuffed, cut anywhere. */
void	trace_feed(struct trace *, struct slice);

#endif
