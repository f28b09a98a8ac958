/*
 * notice_int.h -- the insides of a notice, shared by notice.c (the whole and its readable part), notice_status.c
 * (for machines), notice_original.c (what is returned) and notice_text.c (strangers' words made safe).
 */
#ifndef QUEUE_NOTICE_INT_H
#define QUEUE_NOTICE_INT_H

#include "queue/notice.h"

struct notice_shape {
	char		boundary[64];
	uint8_t		to8;		/* the address it goes to is UTF-8: all hosts on its way know SMTPUTF8 */
	uint8_t		addr8;		/* an address told is */
	uint8_t		header8;	/* the original's header has octets that are not ASCII */
	uint8_t		body8;		/* full: the rest of it has */
	uint8_t		full;		/* the whole original is returned */
	uint8_t		global;		/* the media types of RFC 6533 */
	uint8_t		base64;		/* the original so encoded (RFC 6533 4.5) */
};

/* The header of the original ends before this octet; with its last CRLF. */
size_t	notice_header_len(const struct notice *);
void	notice_status(struct buf *, const struct notice *, const struct notice_shape *);
int	notice_original(struct buf *, const struct notice *, const struct notice_shape *);
int	notice_can_be_full(const struct notice *, const char *boundary);

/* Printable ASCII only, blanks at the end gone. */
void	notice_plain(char *dst, size_t size, const char *src);
/* Printable ASCII and well-formed UTF-8 only. */
void	notice_utf8(char *dst, size_t size, const char *src);
int	notice_is_ascii(const char *);
/* "Name: prefix text", folded at blanks; a word too long for a line is cut into several. */
void	notice_field(struct buf *, const char *name, const char *prefix, const char *text);
/* An address with its type: RFC 3464 2.3.1 and 2.3.2, RFC 6533 3.  type is in front of address with a ";" if NULL. */
void	notice_address(struct buf *, const char *name, const char *type, const char *address, int global);
void	notice_base64(struct buf *, struct slice);

#endif
