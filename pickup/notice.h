/*
 * notice.h -- the words to a sender whose waiting message was refused: a delivery status notification.  Core.
 * RFC 3461 6.1, RFC 3462, RFC 3464; for non-ASCII addresses and headers RFC 6533; RFC 3834 2 and 5.
 */
#ifndef PICKUP_NOTICE_H
#define PICKUP_NOTICE_H

#include <stdint.h>

#include "common/buf.h"
#include "common/slice.h"
#include "common/submit.h"
#include "common/verdict.h"

#define NOTICE_MAX	(8u << 20)	/* DROP_RCPT_MAX recipients with what was said of each */
#define NOTICE_ID_LEN	32		/* hexadecimal digits, random: boundary and Message-ID */

struct notice {
	const char	*hostname;
	const char	*id;		/* NOTICE_ID_LEN digits */
	int64_t		 now, arrival;	/* epoch seconds */
	const struct submit *talk;
	const struct submit_mail *mail;
	enum verdict	 verdict;
	struct slice	 header;	/* the start of the message, with or without all of its header section */
};

/* How many recipients it is about; 0: none wants one, or there is nobody to tell. */
size_t	notice_count(const struct notice *);
/* A message with CRLF line ends; *utf8: it needs SMTPUTF8.  E_LIMIT, E_NOMEM. */
int	notice_write(struct buf *, const struct notice *, int *utf8);

#endif
