/*
 * data.h -- the octets behind DATA, decoded (core: pure).
 *
 * RFC 5321 2.3.8 (only CR LF ends a line), 4.1.1.4 (only CR LF . CR LF ends the data), 4.5.2
 * (dot transparency).  The decoder copies nothing: it hands out views of its input, which
 * is the message but for the stuffed dots.  However the input is cut, the runs put
 * together are the same octets.  NUL, eight-bit octets and lines of any length pass.
 */
#ifndef SMTPD_DATA_H
#define SMTPD_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

enum data_event {
	DATA_MORE,		/* the run may be empty; go on with what was not taken */
	DATA_END,		/* the final dot was taken; what follows is a command */
	DATA_BARE_CR,		/* refuse: CR without LF */
	DATA_BARE_LF,		/* refuse: LF without CR */
};

struct data_decoder {
	uint8_t	st;
};

void	data_init(struct data_decoder *);

/*
 * Take octets from in.  *used is how many were taken, *run a view of message octets among
 * them, at most max.  With DATA_MORE and *used == 0 nothing can go on: in is empty, or max
 * is 0 and the next octet belongs to the message.  After DATA_END run is empty.
 */
enum data_event data_decode(struct data_decoder *, struct slice in, size_t max, size_t *used,
	    struct slice *run);

#endif
