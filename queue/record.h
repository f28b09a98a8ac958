/*
 * record.h -- the records of the store as values, and their bytes.  Core: no LMDB here.
 *
 * Every packed record is: u8 version, fields (wire.h), u64 XXH3 of all before it.  Records of the
 * version before are read as well: what they do not say is 0.
 * Unpack checks version, checksum, lengths, enums and string characters (R17): E_CORRUPT.
 * Times are wall-clock seconds since the epoch, sizes octets.
 */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/ipc_msg.h"
#include "common/net.h"
#include "common/slice.h"

enum {					/* message.flags */
	MSGF_BODY8 = 1,			/* declared BODY=8BITMIME */
	MSGF_HELD = 2,			/* the operator holds it: no attempts, no expiry */
	MSGF_NOTICE = 4,		/* one of our own notices */
	MSGF_DELAY_SENT = 8,		/* the sender was told of the delay */
	MSGF_DONE = 16,			/* every outcome is recorded (S3): only removal is left */
	MSGF_ESMTP = 32,
	MSGF_UTF8 = 128,		/* SMTPUTF8 was declared */
	MSGF_HEADER8 = 256,		/* its header section is not ASCII */
	MSGF_BY_TRACE = 512,		/* RFC 2852 4: T */
	MSGF_PRIORITIZED = 1024,	/* MT-PRIORITY was given */
	MSGF_LMTP = 2048,
	MSGF_LOCAL = 4096,		/* from a process of this host: uid */
	MSGF_BY_SENT = 8192,		/* the sender was told that the deadline (BY_NOTIFY) has passed */
	MSGF_HELD_RULE = 16384,		/* with MSGF_HELD: an access rule asked for it, not the operator */
	MSGF_HELD_DAMAGED = 32768,	/* with MSGF_HELD: its body could not be read */
	MSGF_DAMAGED = 64,		/* never stored: the record cannot be read, only msgid is known */
};

enum {					/* recipient.noticed */
	NOTICED_FINAL = 1,		/* RCPT_FAILED, RCPT_EXPIRED: the notice is stored, or nobody is to be told */
	NOTICED_BY = 2,			/* that RFC 2852's deadline has passed with it undelivered */
};
enum owed {				/* a notice (RFC 3461 6.2) that is still to be made, and its Action */
	OWED_NONE,
	OWED_DELIVERED,
	OWED_RELAYED,			/* the next hop knows no DSN */
	OWED_EXPANDED,			/* an alias, by several others (RFC 3461 5.2.7.3 c) */
	OWED_FAILED,			/* of a RCPT_FAILED one: it failed before any attempt */
	OWED_KINDS
};

struct message {
	uint64_t	msgid;		/* the key, not in the value */
	int64_t		arrival;
	uint64_t	body_len;	/* with the Received field that queue put in front */
	uint32_t	nchunk;
	uint32_t	nrcpt, ndone;
	uint32_t	flags;		/* MSGF_* */
	struct net_addr	client;
	char		helo[HELO_MAX + 1];
	char		client_name[DOMAIN_MAX + 1];
	char		sender[ADDRESS_MAX + 1];
	char		envid[ENVID_MAX + 1];	/* RFC 3461 ENVID, decoded; "" if none */
	uint8_t		ret;		/* enum dsn_ret */
	uint8_t		body;		/* enum body_kind */
	uint8_t		by_mode;	/* enum by_mode */
	int8_t		priority;	/* RFC 6710 */
	uint32_t	uid;		/* MSGF_LOCAL */
	int64_t		by_time;	/* epoch seconds: RFC 2852's deadline, if by_mode */
	int64_t		hold_until;	/* epoch seconds: no attempt before (RFC 4865); 0 none */
	char		login[LOGIN_MAX + 1];
};

struct recipient {
	uint32_t	index;		/* the key's second half */
	uint8_t		state;		/* enum rcpt_state, never RCPT_ACTIVE */
	uint8_t		notify;
	uint8_t		noticed;	/* NOTICED_* */
	uint32_t	attempts;
	int64_t		last, next;	/* next: when due; 0 once over */
	uint16_t	code;
	struct enhanced	enhanced;
	uint8_t		stage;
	char		address[ADDRESS_MAX + 1];
	char		orcpt[ORCPT_MAX + 1];
	char		relay[DOMAIN_MAX + 64];
	char		text[REPLY_TEXT_MAX + 1];
	char		sender[ADDRESS_MAX + 1];	/* of this recipient, by owner-: notices go there; "" the message's own */
	char		alias[ADDRESS_MAX + 1];	/* whom the client named, if an alias led here; "" else */
	uint8_t		owned;		/* sender counts, even if it is "" (which is <>) */
	/* enum owed.  Of one that is over: it is due at next for its notice, and not counted in ndone before. */
	uint8_t		owed;
};

#define RECORD_MAX	4096		/* no packed record is longer */

/* Into dst[RECORD_MAX]; the length. */
size_t	message_pack(const struct message *, uint8_t *dst);
int	message_unpack(struct message *, struct slice);		/* msgid is the caller's to set */
size_t	recipient_pack(const struct recipient *, uint8_t *dst);
int	recipient_unpack(struct recipient *, struct slice);	/* index is the caller's to set */

static inline int
rcpt_is_over(const struct recipient *r)
{
	return (r->state == RCPT_DELIVERED || r->state == RCPT_FAILED || r->state == RCPT_EXPIRED);
}

/* Nothing of it is left to do: neither an attempt nor a notice. */
static inline int
rcpt_is_ended(const struct recipient *r)
{
	return (rcpt_is_over(r) && r->owed == OWED_NONE);
}

/* Whom notices about it go to, and who is its envelope's sender. */
static inline const char *
rcpt_sender(const struct message *m, const struct recipient *r)
{
	return (r->owned ? r->sender : m->sender);
}

/* The domain under which a recipient is indexed: lower case; "localhost.invalid"-free: a bare
 * postmaster is indexed under "". */
const char *recipient_domain(const struct recipient *);

#endif
