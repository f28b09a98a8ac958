/*
 * mime_int.h -- what the files of the MIME converter share.  Core.
 */
#ifndef DELIVER_MIME_INT_H
#define DELIVER_MIME_INT_H

#include "deliver/mime.h"

enum mode { MODE_HEAD, MODE_LINES, MODE_BASE64 };
enum type {
	TYPE_LEAF,
	TYPE_MULTIPART,
	TYPE_MESSAGE,		/* message/rfc822 and message/global: a header section follows */
	TYPE_ATOMIC,		/* other message/...: may not be encoded, and is not walked (RFC 2045 6.4) */
};
enum encoding {
	ENC_NONE, ENC_7BIT, ENC_8BIT, ENC_BINARY,
	ENC_OTHER,		/* already encoded, or unknown: nothing is looked at inside */
};
enum kind { KIND_NONE, KIND_PLAIN, KIND_TYPE, KIND_ENCODING };

/* mime.c */
int	mime_fail(struct mime *, const char *why);
int	mime_check(struct mime *, const char *, size_t);	/* whether it is lines; nothing goes out */
int	mime_copy(struct mime *, const char *, size_t);		/* as it is, if it is lines */
int	mime_push(struct mime *);				/* m->next becomes the innermost level */

/* mime_head.c */
void	mime_head_begin(struct mime *, int is_message);
/* Octets of a header section, at most one line at once; m->mode changes when it has ended. */
int	mime_head(struct mime *, const char *, size_t);
int	mime_head_break(struct mime *);		/* a boundary, or the end of it all, comes before its empty line */

/* mime_field.c: values, unfolded or not. */
enum encoding mime_encoding(struct slice);
/* E_SYNTAX: it is a multipart or a message, but of which kind, or with which boundary, is not certain. */
int	mime_type(struct slice, enum type *, struct mime_level *);

#endif
