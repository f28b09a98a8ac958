/*
 * intake.h -- one smtpd's transactions: its frames are checked against what is open (R2).
 *
 * The state machine is apart from channel and store so that tests and the fuzz target can drive it: what it
 * wants done goes through struct intake_ops.  Shell only in that bodies are the process's memory.
 */
#ifndef QUEUE_INTAKE_H
#define QUEUE_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/ipc_msg.h"
#include "common/wire.h"
#include "queue/expand.h"
#include "queue/store.h"
#include "queue/table.h"

enum txn_step {
	TXN_ENVELOPE,		/* recipients may come */
	TXN_BODY,		/* octets have come: no further recipient */
	TXN_STORING,		/* the commit is in the store's hands */
	TXN_GONE,		/* aborted, or its smtpd died: waits for the store only */
};

struct intake;
struct intake_ops;

struct txn {
	uint32_t	 number;	/* smtpd's */
	struct intake	*intake;	/* NULL once answered, aborted, or when its smtpd has gone */
	const struct intake_ops *ops;	/* these three outlive the intake */
	void		*arg;
	size_t		*memory;
	enum txn_step	 step;
	uint8_t		 failed;	/* enum txn_status to answer; 0: none.  Further octets are dropped */
	uint8_t		 putting, durable;
	uint8_t		 expanding;	/* in intake.expanding */
	uint8_t		 ready;		/* its recipients are known: the put may go */
	uint8_t		 streamed;	/* chunks went ahead: an incoming mark is in the store */
	uint32_t	 nop;		/* operations in the store's hands */
	uint32_t	 window;	/* octets smtpd may send before more credit */
	uint32_t	 owed;		/* octets taken, credit not given yet */
	uint64_t	 ahead;		/* octets on their way into the store */
	uint64_t	 received;	/* body octets, without our Received field */
	uint64_t	 msgid;
	int64_t		 begun;		/* wall clock */
	int64_t		 due;		/* of its recipients */
	struct ipc_txn_begin begin;
	/* As the client named them, packed: a NOTIFY octet, the address and its NUL, ORCPT and its NUL.  Until the commit,
	 * since a client may keep a message open for long, and unpacked ones are large. */
	struct buf	 packed;
	struct recipient *rcpt;	/* from the commit on */
	uint32_t	 nrcpt, room;
	struct expand	*x;		/* its aliases, while they are expanded, or until they are stored */
	size_t		 x_memory;	/* of it, counted in *memory */
	struct txn	*prev, *next;	/* of intake.expanding */
	struct body	*body;
	struct message	 m;
	struct store_op	 put;
	UT_hash_handle	 hh;
};

struct intake_ops {
	uint64_t	(*new_msgid)(void *);
	void		(*submit)(void *, struct store_op *);
	/* To the peer. */
	void		(*credit)(void *peer, uint32_t txn, uint32_t octets);
	void		(*result)(void *peer, uint32_t txn, enum txn_status, uint64_t msgid);
	/* Durable.  Takes rcpt, t->m.nrcpt of them, NULL if there are very many: read them from the store, due at
	 * t->due.  t->body is whole unless t->streamed. */
	void		(*accepted)(void *, struct txn *t, struct recipient *rcpt);
	int64_t		(*wall)(void *);
	int64_t		(*due)(void *);		/* the due time of something that is due now */
	void		(*wake)(void *);	/* intake_expand() has work */
	/* By an explicit alias this recipient's copy is thrown away; whole: and nothing of the message is left. */
	void		(*discarded)(void *, const struct txn *, const char *address, int whole);
};

struct intake {
	const struct intake_ops *ops;
	void		*arg;		/* the daemon's state, for ops */
	void		*peer;		/* the channel's, for credit and result */
	const char	*hostname;
	const struct conf *conf;	/* whose aliases are expanded; NULL: none are.  Set by the owner */
	struct txn	*expanding;	/* long lists, a slice each turn */
	size_t		*memory;	/* recipients of all intakes, octets */
	struct txn	*txns;
	uint32_t	 ntxn;
};

void	intake_init(struct intake *, const struct intake_ops *, void *arg, void *peer, const char *hostname,
	    size_t *memory);
/* One frame.  E_PROTO: the peer broke the rules; close it. */
int	intake_frame(struct intake *, enum ipc_type, struct rd *);
/* A slice of the expansions; true if there is more.  all: to their end, before conf goes. */
int	intake_expand(struct intake *, int all);
/* The peer has gone: everything that is not in the store's hands is forgotten. */
void	intake_clear(struct intake *);

#endif
