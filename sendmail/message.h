/*
 * message.h -- what comes on standard input, made a message: line ends, its end, its header section.  Core.
 *
 * LF and CRLF both end a line and become CRLF; a CR that ends none becomes a blank, since no such octet may stand in a
 * message (RFC 5321 2.3.8; Postfix does the same).  A line with nothing but a dot ends the message unless keep_dot.
 * Lines of mbox in front ("From ", ">From ") go.  The header section ends with an empty line, or with a line that cannot
 * be of it, which is the body's first then.  The body goes out as it comes; an unfinished last line is finished.
 */
#ifndef SENDMAIL_MESSAGE_H
#define SENDMAIL_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/limits.h"
#include "common/slice.h"

#define MESSAGE_CHUNK	16384u	/* octets of body in one call of body() */

struct message {
	int		 keep_dot;
	int		(*body)(void *, struct slice);	/* E_OK, or what message_feed() is to return */
	void		*arg;
	struct buf	 header;	/* whole fields with CRLF, without the empty line */
	int		 header8, body8;	/* octets that are not ASCII were in it */
	int		 ended;		/* by a dot: nothing is taken any more */

	int		 in_body, first;
	int		 at_start, dot, cr;	/* of a line; a lone dot so far; a CR that may be of a line end */
	int		 err;
	struct buf	 line;		/* of the header section, unfinished */
	size_t		 n;
	char		 chunk[MESSAGE_CHUNK];
};

void	message_init(struct message *, int keep_dot, int (*body)(void *, struct slice), void *arg);
void	message_clear(struct message *);
int	message_feed(struct message *, struct slice);	/* E_LIMIT: a header section over SENDMAIL_HEADER_MAX; E_NOMEM */
int	message_end(struct message *);

#endif
