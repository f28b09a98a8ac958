/*
 * notice.h -- notices to the sender: what failed, what is late, what was delivered.  Core.
 *
 * RFC 3464 and RFC 6522 (multipart/report), RFC 3461 6 (what goes in for NOTIFY, ORCPT, ENVID), RFC 3834 5
 * (Auto-Submitted), RFC 3463 codes.  All lines end by CRLF and are at most TEXT_LINE_MAX octets; the
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
	const char	*hostname;	/* ours */
	const char	*to;		/* whom it goes to */
	const struct message *message;	/* the original */
	const struct recipient *rcpt;
	size_t		 nrcpt;
	struct slice	 header;	/* the beginning of the original; what follows its header is not used */
	uint64_t	 msgid;		/* of the notice */
	int64_t		 now;
	int64_t		 expires;	/* DELAY: when we shall give up, wall clock */
	int		 double_bounce;	/* to the postmaster: a notice could not be delivered */
};

/* What a notice can take at most, beside twice NOTICE_HEADER_MAX; the buffer's cap must allow it. */
#define NOTICE_ROOM		8192
#define NOTICE_RCPT_ROOM	6144

/* Appends the whole message, header and body.  E_LIMIT, E_NOMEM. */
int	notice_write(struct buf *, const struct notice *);

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
