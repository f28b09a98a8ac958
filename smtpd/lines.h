/*
 * lines.h -- the lines of a message that comes with a count instead of a final dot (core: pure).
 *
 * RFC 3030 2: without BODY=BINARYMIME a chunk holds lines that end with CR LF.  A bare CR or LF in
 * one is what smuggling is made of as soon as the message goes on by DATA (RFC 5321 2.3.8).
 * Lengths (4.5.3.1.6) count the CR LF.
 */
#ifndef SMTPD_LINES_H
#define SMTPD_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

enum lines_event { LINES_OK, LINES_BARE_CR, LINES_BARE_LF, LINES_LONG, LINES_EVENTS };

struct lines {
	uint32_t	len;	/* of the present line */
	uint8_t		cr;	/* its CR is here, LF must follow */
};

void	lines_init(struct lines *);
/* How many octets are fine; fewer than in.n: *ev says what the next one is.  max 0: lines of any
 * length. */
size_t	lines_feed(struct lines *, struct slice in, uint32_t max, enum lines_event *ev);

#endif
