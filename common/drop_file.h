/*
 * drop_file.h -- a message that waits in the drop directory until the server takes it.  Core.
 *
 * sendmail writes it when the server is down, pickup reads it (R2: a stranger's octets); pickup also writes what
 * becomes of a part of one.  Lines that end in LF, then the message, then a line of fixed length:
 *
 *	postern-drop 1
 *	uid 1000		honoured in pickup's own files only: whose message it was
 *	from alice@example.org	the reverse-path, nothing behind the blank for <>
 *	ret full | hdrs		RFC 3461 4.3
 *	envid xtext		RFC 3461 4.4
 *	body 8bit		8-bit octets are in it (RFC 6152)
 *	utf8			RFC 6531
 *	to 6 bob@example.net	NOTIFY as the sum of NOTIFY_*, and the forward-path; at least one, at most DROP_RCPT_MAX
 *	data
 *	...			octets of the message, CRLF line ends, dots not stuffed
 *	postern-end LENGTH SUM	LENGTH: 20 digits, of the message; SUM: 16 hexadecimal digits over all before this line
 *
 * from, to and data are there; all but to at most once, in this order.  A file that was not written to its end has no
 * such last line, or a wrong one, and is never sent.  The sum (FNV-1a) is against torn files, not against anybody.
 */
#ifndef COMMON_DROP_FILE_H
#define COMMON_DROP_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/limits.h"
#include "common/slice.h"
#include "common/submit.h"

#define DROP_TRAILER_LEN	50u	/* "postern-end " 20 " " 16 LF */
#define DROP_NAME_LEN		34u	/* "m-" or "t-" and 32 hexadecimal digits */

struct drop_head {
	int		 has_uid;
	uint32_t	 uid;
	size_t		 len;		/* octets before the message */
	struct submit_mail mail;	/* strings and recipients are the arena's */
};

/* The lines before the message into out; E_LIMIT if out is full, E_RANGE for too many or no recipients. */
int	drop_head_write(struct buf *out, const struct drop_head *);
/*
 * The same from the start of a file.  E_AGAIN: more octets are wanted; E_SYNTAX with a constant text in why;
 * E_LIMIT: more than DROP_RCPT_MAX recipients, or longer than DROP_HEAD_MAX; E_NOMEM.
 */
int	drop_head_read(struct drop_head *, struct arena *, struct slice, const char **why);

#define DROP_SUM_START	UINT64_C(0xcbf29ce484222325)
uint64_t drop_sum(uint64_t sum, struct slice);
void	drop_trailer_write(char dst[static DROP_TRAILER_LEN + 1], uint64_t len, uint64_t sum);
int	drop_trailer_read(struct slice, uint64_t *len, uint64_t *sum);	/* E_SYNTAX */

/* Names in the directory: "m-..." is a whole message, "t-..." one that is being written. */
void	drop_name(char dst[static DROP_NAME_LEN + 1], char kind, const uint8_t random[static 16]);
int	drop_name_kind(const char *name);	/* 'm', 't', or 0: neither */

/* Whether the text may stand between <> in a command: no control character, blank, or bracket but in quotes. */
int	drop_path_is_safe(const char *);

#endif
