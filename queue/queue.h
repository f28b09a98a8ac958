/*
 * queue.h -- the state of the queue daemon, shared by its shell files.
 *
 *	receive.c	mail comes in from smtpd (intake.c: the transactions)
 *	mail.c		messages in memory
 *	feed.c		what is due comes from the store into the scheduler
 *	dispatch.c	jobs go to deliver; reports.c: what deliver says about them
 *	outcome*.c	changes of one message, one operation of the store at a time
 *	bounce.c	notices
 *	control*.c	the operator
 *	qlog.c		log lines
 *
 * One loop, no locks.  The store's operations belong to who submitted them until done().
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/ipc.h"
#include "common/room.h"
#include "queue/clock.h"
#include "queue/notice.h"
#include "queue/sched.h"
#include "queue/store.h"
#include "queue/table.h"

struct change;
struct client;
struct deliver_peer;
struct job;
struct mail_op;
struct retrying;
struct smtpd_peer;
struct verify;
struct etrn;

/* A message in memory: it has items in the scheduler, jobs, or changes on their way. */
struct mail {
	uint64_t	 msgid;
	struct message	 m;
	struct recipient *rcpt;		/* all of them while the message is new; else NULL: read from the store */
	struct body	*body;		/* the whole of it while the message is new; else NULL */
	uint32_t	 items;		/* recipients in the scheduler */
	uint32_t	 jobs;
	struct change	*pend_head, **pend_tail;
	struct mail	*next_late;	/* of queue.late */
	uint8_t		 late;
	uint8_t		 by_over;	/* its deadline was seen to have passed */
	struct mail	*timed_prev, *timed_next;	/* of queue.timed, if it has a deadline */
	struct mail_op	*op;		/* in the store's hands; one at a time keeps the order */
	UT_hash_handle	 hh;
};

enum change_kind {
	CH_RESULT,		/* an attempt's outcome */
	CH_POSTPONE,		/* its destination is backed off: later, without an attempt */
	CH_UNTIL,		/* it is not to be released yet (RFC 4865) */
	CH_DEADLINE,		/* RFC 2852: the time it was to be delivered in is over */
	CH_NOTICE,		/* over, and a notice is owed */
	CH_RETRY,		/* the operator: due now */
	CH_HOLD, CH_RELEASE, CH_TRASH,	/* the operator; of the whole message */
};

struct change {
	struct change	*next;
	enum change_kind kind;
	uint32_t	 index;
	uint8_t		 stale;		/* the recipient was over already: nothing to store */
	uint8_t		 damaged;	/* HOLD: its body cannot be read */
	uint32_t	 wait_s;	/* POSTPONE */
	struct ipc_job_result r;	/* RESULT; POSTPONE: text */
	uint64_t	 ack_job;	/* with the last result of a job: to be acknowledged */
	uint64_t	 ack_peer;	/* serial of the deliver_peer */
	char		*dialogue;	/* owned; NULL if none */
	struct client_wait *wait;	/* an operator waits for this; may be NULL */
};

/* An operator's request that changes messages: ends when all its changes did. */
struct client_wait {
	struct client	*client;	/* NULL if it has gone */
	uint32_t	 pending;
	uint32_t	 changed, failed;
	uint8_t		 complete;	/* no more will be added */
};

struct queue_counters {
	uint64_t	received, delivered, failed, expired, deferred, notices;
};

struct queue {
	struct room	 room;
	struct store	*store;
	struct sched	*sched;
	struct clock	 clock;
	struct notice_rate notice_rate;
	struct queue_counters count;
	uint64_t	 rnd;			/* jitter only */

	struct mail	*mails;
	uint32_t	 nchange;		/* changes not durable yet */
	uint32_t	 nreplay;		/* jobs from before their channel */
	struct mail_op	*failed;		/* the store could not: again at the next tick */
	struct change	*free_changes;
	struct mail	*timed;			/* messages in memory with a deadline (RFC 2852) */
	struct mail	*late;			/* their changes are still being collected */
	struct retrying	*retrying;		/* long lists that become due a slice at a time */

	struct smtpd_peer *smtpds;
	size_t		 txn_memory;		/* recipients of open transactions */
	enum store_health health;
	enum pressure	 pressure;

	struct verify	*verify;
	struct etrn	*etrn;

	struct deliver_peer *delivers;
	uint64_t	 serial;		/* of deliver and smtpd peers */
	struct job	*jobs;
	uint32_t	 job_next;
	uint64_t	 job_key[2];		/* of the ids of jobs; kept in the store */
	uint8_t		 went;			/* GO's peers are all here */
	uint8_t		 open;			/* ... and have synced: jobs may go out */
	uint8_t		 paused;		/* the operator's pause, kept in the store */
	uint8_t		 dispatching;
	unsigned	 kinds;			/* of delivery that could be served at the last look: SCHED_* */

	struct store_due cursor;		/* the feed has looked at all up to here */
	uint8_t		 feed_wanted;		/* the index has more than was looked at */
	uv_timer_t	 tick;
	uv_idle_t	 work;			/* runs while the feed or a list has more to do at once */
	uint8_t		 work_on;

	struct client	*clients;
	unsigned	 nclients;
	uint64_t	 trial;			/* the last id of TRY_TLS */

	uint8_t		 stopping, left;
	uint64_t	 leave_at;		/* loop time in ms */
	int64_t		 saved;			/* when the clock was last stored */
	unsigned	 ticks;
};

static inline uint32_t
queue_random(struct queue *q)
{
	q->rnd ^= q->rnd << 13;
	q->rnd ^= q->rnd >> 7;
	q->rnd ^= q->rnd << 17;
	return ((uint32_t)(q->rnd >> 16));
}

/* ---- time.c ---- */
void	queue_time_open(struct queue *);	/* the clock and the pause, from the store */
void	queue_time_start(struct queue *);
void	queue_time_stop(struct queue *, uint32_t within_ms);
void	queue_try_leave(struct queue *);
void	queue_work(struct queue *);		/* another turn of the loop at once */

/* ---- mail.c ---- */
struct mail	*mail_find(struct queue *, uint64_t msgid);
/* In memory or from the store: E_NOTFOUND, E_CORRUPT, E_IO, E_NOMEM. */
int		 mail_get(struct queue *, uint64_t msgid, struct mail **);
/* A message that was just stored.  Takes rcpt (malloc'd; NULL: not kept), refers to body (or NULL). */
struct mail	*mail_new(struct queue *, const struct message *, struct recipient *rcpt, struct body *);
/* The tick: of those in memory whose deadline has passed, what has no attempt under way. */
void		 mail_deadlines(struct queue *);
/* Whether this has come for a recipient: it is to be looked at without an attempt. */
int		 mail_is_late(struct queue *, const struct message *, const struct recipient *);
/* Frees it if nothing needs it any more. */
void		 mail_release(struct queue *, struct mail *);
int		 mail_recipient(struct queue *, struct mail *, uint32_t index, struct recipient *);
int		 mail_add_item(struct queue *, struct mail *, const struct recipient *, struct sched_dest *);
/* Whether both can go in one transaction: the same envelope sender, the same need of SMTPUTF8. */
int		 mail_together(const struct message *, const struct recipient *, const struct recipient *);
int		 mail_settle(struct queue *, struct mail *, uint32_t index);	/* make or turn into SETTLING */
void		 mail_forget_item(struct queue *, struct mail *, uint32_t index);
/* The hop of a recipient by the present configuration and the name of its destination. */
#define DEST_NAME_MAX	1400
void		 route_recipient(struct queue *, const char *address, struct hop *, char name[static DEST_NAME_MAX]);
struct sched_dest *route_dest(struct queue *, const char *address);
int64_t		 mail_expires(struct queue *, const struct message *);	/* wall clock */
int64_t		 mail_deadline(struct queue *, const struct message *);	/* of RFC 2852, if by_mode; wall clock as it goes now */

/*
 * A message that was just stored goes to the scheduler from memory; what does not fit stays to the feed.
 * Takes rcpt (malloc'd, msg->nrcpt of them).  body: the whole of it, or NULL if it has to be read.
 */
void		 mail_hand_over(struct queue *, const struct message *, struct recipient *rcpt, struct body *);

/* ---- feed.c ---- */
void	feed_run(struct queue *);
void	feed_more(struct queue *);			/* there is room again */
void	feed_tick(struct queue *);
void	feed_note(struct queue *, int64_t when);	/* something became due at when, maybe behind the cursor */
void	feed_passed(struct queue *, struct sched_dest *, int64_t when, uint64_t msgid, uint32_t index);

/* ---- receive.c ---- */
void	intake_peer(struct queue *, const struct ipc_channel *, int fd);
void	intake_sweep(struct queue *);			/* the tick: smtpds that do not read are given up */
void	intake_pressure(struct queue *);
void	intake_conf(struct queue *);			/* the configuration is new */
int	intake_work(struct queue *);			/* a slice of the aliases being expanded; true if there is more */
uint64_t intake_open(const struct queue *);		/* transactions whose commit is under way */

/* Answers of theirs, if the peer is still there. */
void	receive_verify_result(struct queue *, uint64_t peer, const struct ipc_verify_result *);
void	receive_etrn_result(struct queue *, uint64_t peer, const struct ipc_etrn_result *);

/* ---- questions.c: what smtpd asks beside; E_PROTO ---- */
void	questions_open(struct queue *);
void	questions_conf(struct queue *);
int	questions_verify(struct queue *, uint64_t peer, struct rd *);
int	questions_probe_result(struct deliver_peer *, struct rd *);
int	questions_etrn(struct queue *, uint64_t peer, struct rd *);
int	questions_work(struct queue *);			/* a slice for each ETRN; true if there is more at once */
void	questions_close(struct queue *);

/* ---- dispatch.c, reports.c ---- */
void	deliver_peer_open(struct queue *, const struct ipc_channel *, int fd);
void	dispatch_gate(struct queue *);			/* whether jobs may go out now */
void	dispatch_run(struct queue *);
int	queue_is_paused(const struct queue *);
struct deliver_peer *dispatch_remote_peer(struct queue *);	/* one that can be asked something now, or NULL */

/* ---- outcome.c ---- */
struct change *change_new(struct queue *, enum change_kind, uint32_t index);	/* NULL without memory */
void	change_free(struct queue *, struct change *);
/* Takes a list of changes, which go into one operation if they may; the mail may be gone after it. */
void	mail_change(struct queue *, struct mail *, struct change *);
/* The same, but started by outcome_start_late() only: what belongs to one message goes together. */
void	mail_change_later(struct queue *, struct mail *, struct change *);
void	outcome_start_late(struct queue *);
void	outcome_again(struct queue *);			/* the tick: what the store could not take */
void	queue_ack(struct queue *, uint64_t peer, uint64_t job);

/* ---- bounce.c ---- */
/* One notice: recipients of one message that have one sender. */
struct bounce {
	enum notice_kind kind;
	int		 by;		/* DELAY: the deadline of RFC 2852 has passed */
	int		 owned;		/* sender is a list's owner */
	const char	*sender;	/* whom to tell */
	struct recipient *rcpt;		/* those that are told, as they are from now on */
	uint32_t	 n;
	uint32_t	 nall;		/* with those whose NOTIFY asks for silence */
};
/*
 * The notice as an operation to go with the recipients'.  E_OK with *out NULL if there is nobody to tell;
 * E_AGAIN if the rate limit asks to wait.
 */
int	bounce_make(struct queue *, struct mail *, const struct bounce *, struct store_op **out);

/* ---- retry.c ---- */
struct retried {
	uint32_t	changed;	/* recipients that are due now */
	uint32_t	under_way;	/* those that were before, or are being tried */
	uint32_t	later;		/* those of them that are held, or not to be released yet */
};					/* of a very long list: among its first RETRY_SLICE that can be changed */
/*
 * The recipients of a message that wait are due now, or only those of one domain; their destinations are no longer
 * backed off.  wait gets one word for all of them, if there is something to change.  E_NOTFOUND and so on.
 */
int	retry_message(struct queue *, const struct message *, const char *domain, struct client_wait *,
	    struct retried *);
/* They are only counted: what could be changed counts as under way. */
int	retry_count(struct queue *, const struct message *, const char *domain, struct retried *);
int	retry_work(struct queue *);		/* a slice of a long list; true if there is more */
void	retry_close(struct queue *);

/* ---- control.c ---- */
void	control_client(struct queue *, const struct ipc_ctl_client *, int fd);
void	control_tick(struct queue *);		/* each second */
int	control_work(struct queue *);			/* a slice for each client; true if there is more at once */
int	control_tls_report(struct deliver_peer *, struct rd *);	/* TLS_REPORT: E_OK, E_PROTO */
void	control_tls_gone(struct queue *, uint64_t serial);	/* a deliver process has gone */
void	control_done(struct queue *, struct client_wait *, int err);

/* ---- qlog.c: one function an event ---- */
void	qlog_accepted(const struct message *, const char *origin, const char *tls);	/* "": none */
void	qlog_discarded(uint64_t msgid, const char *sender, const char *address, int whole);
void	qlog_removed(uint64_t msgid);
void	qlog_expired(uint64_t msgid, const struct recipient *, int64_t age);
void	qlog_postponed(uint64_t msgid, const struct recipient *, const char *dest, uint32_t wait_s);
void	qlog_deadline(const struct message *, uint32_t index);
void	qlog_notice(uint64_t msgid, uint64_t notice, enum notice_kind, const char *to, uint32_t nrcpt);
void	qlog_no_notice(uint64_t msgid, const char *why, uint32_t nrcpt);
void	qlog_notice_waits(uint64_t msgid, uint32_t nrcpt);
void	qlog_etrn(const struct ipc_etrn *, enum etrn_status, uint32_t count);
void	qlog_operator(uint64_t msgid, const char *what, uint32_t uid);
void	qlog_damaged(uint64_t msgid, const char *what, int err);

#endif
