/*
 * notice.h -- notices to the sender: what failed, what is late, what was delivered.  Core.
 *
 * RFC 3464 and RFC 6522 (multipart/report), RFC 3461 6 (what goes in for NOTIFY, ORCPT, ENVID), RFC 3834 5
 * (Auto-Submitted), RFC 3463 codes, RFC 6533 where addresses or the header are UTF-8, RFC 2852 5.  All lines end by CRLF and are at most TEXT_LINE_MAX octets; the
 * remote hosts' words and the original's header are strangers' octets (R9): they are escaped, bounded
 * and can neither add a field nor end a part.
 */
#ifndef QUEUE_NOTICE_H
#define QUEUE_NOTICE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/slice.h"
#include "queue/record.h"

enum notice_kind { NOTICE_FAILURE, NOTICE_DELAY, NOTICE_SUCCESS, NOTICE_KINDS };

struct notice {
	enum notice_kind kind;
	int		 by;		/* DELAY: because the deadline of RFC 2852 has passed */
	int		 owned;		/* to a list's owner: nothing of the original envelope is told */
	const char	*hostname;	/* ours */
	const char	*to;		/* whom it goes to */
	const struct message *message;	/* the original */
	const struct recipient *rcpt;	/* SUCCESS: owed says what became of each */
	size_t		 nrcpt;
	struct slice	 original;	/* its beginning; what follows its header is used only if full */
	int		 full;		/* original is the whole message, to be returned if its octets allow (RFC 3461 6.2) */
	uint64_t	 msgid;		/* of the notice */
	int64_t		 now;
	int64_t		 expires;	/* DELAY: when we shall give up, wall clock */
	int64_t		 deadline;	/* of RFC 2852, 0 if none */
	int		 double_bounce;	/* to the postmaster: a notice could not be delivered */
};

/* What a notice can take at most beside the original; the buffer's cap must allow notice_room(). */
#define NOTICE_ROOM		8192
#define NOTICE_RCPT_ROOM	8192
size_t	notice_room(const struct notice *);

/* Appends the whole message, header and body.  E_LIMIT, E_NOMEM. */
int	notice_write(struct buf *, const struct notice *);

/* Whether the notice's own header is not ASCII, so that it needs SMTPUTF8. */
int	notice_needs_utf8(const struct notice *);

/* Whether this recipient asks for such a notice (RFC 3461 4.1; nothing asked means failure and delay). */
int	notice_wanted(enum notice_kind, uint8_t notify);

/* R16: at most NOTICE_RATE_MAX a second in all and NOTICE_ADDRESS_MAX a minute to one address. */
#define NOTICE_SLOTS	1024
struct notice_rate {
	uint64_t	second, minute;		/* of now_ms */
	uint32_t	total;
	uint16_t	slot[NOTICE_SLOTS];	/* by hash: two addresses may share one, which only delays */
};
int	notice_rate_take(struct notice_rate *, const char *to, uint64_t now_ms);	/* true: go ahead */

#endif
