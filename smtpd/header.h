/*
 * header.h -- the header section of a message, as it streams by (core: pure).
 *
 * RFC 5322 2.1, 2.2, 4.5; RFC 5321 6.3 (hops), 6.4.  Finds where the section ends and sees to it
 * that every later reader finds the same place: what goes out is what came in, with at most two
 * things added.
 *  - A line that is no field, no continuation and not empty ends the section; an empty line is
 *    put in front of it.  So does a first line that begins with a blank: it continues nothing.
 *  - A first line "From alice Sat Nov 21 ..." or ">From ..." is a mailbox file's separator, no
 *    field: with "X-Mailbox-Line: " in front it is one, and the section goes on.
 * Where the caller says so, fields that are not there are put at the section's end (RFC 6409 8).
 * A field is a name of printable ASCII without a colon, blanks (RFC 5322 4.5.8), and a colon; name
 * and blanks are at most HEADER_NAME_MAX octets.
 *
 * Lines end with CR LF: the caller has seen to that (data.h, lines.h).  However the input is cut,
 * the octets out, the counts and the event are the same.  The body costs nothing.
 */
#ifndef SMTPD_HEADER_H
#define SMTPD_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define HEADER_NAME_MAX		128	/* octets of a field's name, with blanks behind it */
#define HEADER_ADDED_MAX	(16 + 2)	/* "X-Mailbox-Line: ", and CR LF */
#define HEADER_HELD_MAX		(HEADER_NAME_MAX + HEADER_ADDED_MAX)	/* what comes out beside what goes in */
#define HEADER_FIELDS_MAX	512	/* and fields that were missing */

enum {				/* fields looked for */
	HEADER_DATE = 1, HEADER_MESSAGE_ID = 2,
};

enum header_event {
	HEADER_OK,
	HEADER_HOPS,		/* more than HOPS_MAX Received fields */
	HEADER_SIZE,		/* more octets than limits.size */
	HEADER_COUNT,		/* more fields than limits.count */
	HEADER_NUL,		/* a NUL in a field */
	HEADER_FROM,		/* a second From: two readers would see two authors */
	HEADER_OUT,		/* the receiver of the octets said no */
	HEADER_EVENTS
};

struct header_limits {		/* 0: none */
	uint32_t	size;	/* octets of the fields, the empty line not counted */
	uint32_t	count;	/* fields */
};

struct header {
	uint8_t		at;
	uint8_t		eight;		/* a field holds octets that are not ASCII */
	uint8_t		from;		/* From fields */
	uint8_t		has;		/* HEADER_DATE, HEADER_MESSAGE_ID */
	uint16_t	received;	/* Received fields */
	uint16_t	nheld;
	uint32_t	fields;
	uint64_t	size;		/* of the fields, as they came */
	/* The caller's, after header_init(): the section's end is here, and it has these fields; others go into dst.  NULL: none do.
	 * arg is that of header_out. */
	size_t		(*missing)(void *arg, unsigned has, char dst[HEADER_FIELDS_MAX]);
	char		held[HEADER_NAME_MAX];	/* a name whose colon is not here yet */
};

/* Takes octets on; what it returns other than E_OK stops the feed with HEADER_OUT. */
typedef int (*header_out)(void *arg, struct slice);

void	header_init(struct header *);
/* The next octets of the message, dots unstuffed.  Other than HEADER_OK: the message is refused,
 * feed no more. */
enum header_event header_feed(struct header *, const struct header_limits *, struct slice, header_out,
	    void *arg);
/* The message is over: a name that waited for its colon was none. */
enum header_event header_end(struct header *, header_out, void *arg);
/* Whether the section is over, so that octets are only passed on. */
int	header_done(const struct header *);

#endif
