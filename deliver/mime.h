/*
 * mime.h -- a message with binary parts, made fit for hosts and mailboxes that know lines only.
 *
 * Core, streaming: octets in, octets out; memory is this structure whatever the message is.
 * The MIME structure is walked (RFC 2045, 2046): leaf parts labelled "binary" become base64, octet for octet;
 * multipart and message labelled "binary" become "8bit", since all inside them is lines then (RFC 3030 3, RFC 2045
 * 6.4).  A rewritten Content-Transfer-Encoding comes at the end of its header section, with a MIME-Version in front
 * where a message has none; every other octet stays as and where it is.
 *
 * What cannot be done, or not surely, is refused (E_SYNTAX and why, for 5.6.1), and nothing is guessed:
 *  - a bare CR or LF, or a line of more than line_max octets, outside of what becomes base64;
 *  - a header line that is no field, two Content-Type or two Content-Transfer-Encoding in one section, a
 *    NUL in one;
 *  - a multipart without a certain boundary, or with one that is open already; a line that is a boundary by its
 *    beginning alone, or of two multiparts;
 *  - anything to alter inside multipart/signed (RFC 1847 2.1: it would break the signature);
 *  - more than MIME_DEPTH_MAX multiparts inside each other, a Content-Type or Content-Transfer-Encoding of more
 *    than MIME_FIELD_MAX octets.
 * Only CRLF ends a line (RFC 2049 2: canonical form); the CRLF in front of a boundary belongs to it.
 */
#ifndef DELIVER_MIME_H
#define DELIVER_MIME_H

#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/slice.h"
#include "deliver/deliver_limits.h"

/* Takes output as it comes; what it returns other than E_OK ends the conversion with that code. */
typedef int (*mime_out)(void *arg, struct slice);

struct mime_level {		/* an open multipart */
	uint8_t		 len;
	uint8_t		 is_signed, is_digest;
	char		 boundary[MIME_BOUNDARY_MAX];
};

struct mime {
	mime_out	 out;
	void		*arg;
	size_t		 line_max;	/* without CRLF; 0: any */
	int		 err;		/* E_OK until the end of it all */
	const char	*why;		/* with E_SYNTAX: a constant text */

	/* lines and boundaries */
	uint8_t		 at;		/* enum at, in mime.c */
	uint8_t		 held_crlf;	/* read, and not known yet whether it belongs to a boundary */
	uint32_t	 fits;		/* levels that the candidate line may be the boundary of */
	size_t		 ncand;
	char		 cand[MIME_BOUNDARY_MAX + MIME_PADDING_MAX];	/* the line behind its two dashes */
	size_t		 depth;
	struct mime_level level[MIME_DEPTH_MAX];

	/* the entity at hand */
	uint8_t		 mode;		/* enum mode */
	uint8_t		 is_signed;	/* it lies inside multipart/signed */
	uint8_t		 is_message;	/* its header section is a message's */
	uint8_t		 by_default;	/* what it is without a Content-Type */
	uint8_t		 type, encoding;
	uint8_t		 has_type, has_encoding, has_version;
	uint8_t		 head_at;	/* enum head_at, in mime_head.c */
	uint8_t		 kind;		/* of the field at hand */
	size_t		 nname;
	char		 name[MIME_NAME_MAX];
	size_t		 nfield;
	char		 field[MIME_FIELD_MAX];
	struct mime_level next;		/* what the Content-Type says of its multipart */

	/* what goes out */
	uint8_t		 cr;		/* the last octet copied was CR */
	size_t		 col;		/* octets of the line at hand */
	uint8_t		 ntri;		/* octets that wait for a group of three */
	uint8_t		 tri[3];
};

void	mime_init(struct mime *, size_t line_max, mime_out, void *arg);
/* E_SYNTAX, or what out returned; the same again at every later call. */
int	mime_feed(struct mime *, struct slice);
/* The message has ended: what is left goes out. */
int	mime_end(struct mime *);

#endif
