/*
 * reply.h -- SMTP replies: enhanced codes, and an incremental parser for a remote server's.
 *
 * RFC 5321 4.2, 4.2.1 (multi-line), RFC 3463 (enhanced codes), RFC 2034.
 */
#ifndef COMMON_REPLY_H
#define COMMON_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/slice.h"

struct enhanced {		/* "4.2.1": class 2, 4 or 5; 0.0.0 is none */
	uint8_t		cls;
	uint16_t	subject;	/* 0..999 */
	uint16_t	detail;
};

#define ENHANCED_STRLEN	12	/* "5.999.999" with NUL */

/* At the start of in.  Returns the octets it takes (not the blank after it), 0 if there is none. */
size_t	 enhanced_parse(struct enhanced *, struct slice in);
char	*enhanced_str(const struct enhanced *, char dst[static ENHANCED_STRLEN]);

struct reply {
	uint16_t	code;		/* 200..599 */
	struct enhanced	enhanced;	/* of the first line that has one */
	size_t		text_len;
	char		text[REPLY_TEXT_MAX + 1];	/* printable ASCII without code and enhanced code; lines joined by one blank; cut with no mark */
	unsigned	lines;
};

struct reply_parser {
	struct reply	r;
	size_t		line_len;
	int		err;
	int		done;		/* a whole reply is in r; the next octet starts another */
	char		line[REPLY_LINE_MAX];
};

void	reply_parser_init(struct reply_parser *);

/*
 * Feed octets; *used says how many were taken.  Called for each whole line, if not NULL,
 * with the line without its end (for EHLO).  Returns E_OK when one whole reply is in p->r (the
 * next call starts a new one), E_AGAIN when more is wanted, E_PROTO for garbage (not a
 * three-digit code from 200 to 599, a code that changes within the reply, NUL),
 * E_LIMIT for a line or reply too long.  A bare LF ends a line too: servers in the wild
 * send it, and what we read here is never passed on.
 */
int	reply_feed(struct reply_parser *, struct slice in, size_t *used,
	    void (*line_fn)(void *, struct slice), void *arg);

/*
 * R9: untrusted octets as log or reply text: printable ASCII as is, the backslash and
 * the double quote escaped by a backslash, all else as \xNN.  Cut at size - 1 with "...".  Returns dst.
 */
char	*text_escape(char *dst, size_t size, struct slice);
/* The same for a value that stands in <> or bare in a log line: no blank and no bracket leaves it. */
char	*text_escape_word(char *dst, size_t size, struct slice);

/* Seconds from a hint such as "try again in 300 seconds" or "in 5 minutes", 0 if none;
 * RETRY_HINT_MIN to a day: no host can have us come back without pause. */
uint32_t reply_retry_hint(struct slice text);

#endif
