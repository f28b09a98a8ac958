/*
 * sched.h -- what is to be delivered next: destinations, fairness, concurrency.  Core.
 *
 * An item is one recipient of one message, in memory because it is due.  The window of items is
 * bounded (SCHED_WINDOW); what does not fit waits in the store.  Items stand in flows (one
 * sender at one destination); a destination serves its flows in turn, and the
 * destinations are served in turn, so that a blast never delays a password reset.
 * Flows of a higher priority (RFC 6710) go first; one job in SCHED_LOWER_TURN is of the lower ones, which
 * take it in turn, so that nothing waits for ever.
 *
 * The limit of connections belongs to the provider, the set of MX hosts: a hundred domains at one host
 * are one budget.  It grows by one a round of successes and is halved, once a round, by an
 * unreachable host or one that refuses one connection more.
 * A destination that stays unreachable is backed off: its items come out of sched_next() as
 * SCHED_POSTPONE, so they leave memory and cost the living nothing.
 *
 * Units: now_ms is a monotonic clock in milliseconds.  Returned pointers to destinations live while they
 * have items or jobs.
 */
#ifndef QUEUE_SCHED_H
#define QUEUE_SCHED_H

#include <stddef.h>
#include <stdint.h>

#include "common/ipc_msg.h"
#include "common/limits.h"

struct sched;
struct sched_dest;

struct sched_conf {
	uint32_t	concurrency;	/* most connections to one provider */
	uint32_t	connections;	/* most in all, local deliveries apart */
	uint32_t	backoff_min_s;	/* a dead destination's first back-off, doubled up to the last: */
	uint32_t	backoff_max_s;	/* the first and last step of the retry schedule */
};

enum sched_state { SCHED_ABSENT, SCHED_READY, SCHED_ACTIVE, SCHED_SETTLING };
enum sched_kind { SCHED_RUN, SCHED_POSTPONE };
enum { SCHED_REMOTE = 1, SCHED_LOCAL = 2 };

struct sched_job {
	enum sched_kind	 kind;
	struct sched_dest *dest;
	uint64_t	 msgid;
	uint16_t	 n;
	uint32_t	 index[JOB_RCPT_MAX];	/* now SCHED_ACTIVE (RUN) or SCHED_SETTLING (POSTPONE) */
};

/* Where in the due index a destination's items were passed over for want of room. */
struct sched_mark {
	int64_t		when;
	uint64_t	msgid;
	uint32_t	index;
	uint8_t		set;
};

struct sched	*sched_new(const struct sched_conf *);
void		 sched_free(struct sched *);
void		 sched_configure(struct sched *, const struct sched_conf *);

/* The destination by name, made if new; NULL without memory.  local: no connection is needed. */
struct sched_dest *sched_dest_get(struct sched *, const char *name, int local, uint64_t now_ms);
struct sched_dest *sched_dest_find(struct sched *, const char *name);
const char	*sched_dest_name(const struct sched_dest *);
int		 sched_dest_local(const struct sched_dest *);
struct sched_mark *sched_dest_mark(struct sched_dest *);
/* Every destination, for the feed of those with a mark and for views; fn returns non-zero to stop. */
int		 sched_each_dest(struct sched *, int (*fn)(void *, struct sched_dest *), void *);
/* Only those with a mark, without a walk over the others. */
void		 sched_dest_marked(struct sched *, struct sched_dest *, const struct sched_mark *);
struct sched_dest *sched_marked(struct sched *);		/* the next in turn, NULL if none */
int		 sched_dest_has_room(const struct sched_dest *);	/* takes a good number of items more */

/*
 * A recipient is due.  E_EXISTS: it is in memory already.  E_LIMIT: the window is full.
 * E_BUSY: its destination has its share; those of a priority above 0 and the others have a place for
 * SCHED_DEST_URGENT each beside any number of the other kind.  flow: hash of what may go together, the sender
 * first of all.
 */
int		 sched_add(struct sched *, uint64_t msgid, uint32_t index, struct sched_dest *, uint64_t flow,
		    int priority);
/* Put an item into a state without queueing it: ACTIVE or SETTLING; makes it if absent. */
int		 sched_set(struct sched *, uint64_t msgid, uint32_t index, enum sched_state);
enum sched_state sched_state(struct sched *, uint64_t msgid, uint32_t index);
void		 sched_forget(struct sched *, uint64_t msgid, uint32_t index);
size_t		 sched_items(const struct sched *);
size_t		 sched_room(const struct sched *);
uint32_t	 sched_active(const struct sched *);	/* jobs */

/* The next job among the kinds of delivery that can be served now; E_AGAIN if none. */
int		 sched_next(struct sched *, uint64_t now_ms, unsigned kinds, struct sched_job *);
/* Something that was missing (a deliver process, a configuration) is there again. */
void		 sched_wake(struct sched *);
/* A job handed out by SCHED_RUN has ended.  provider: 0 if unknown.  The destination may be freed. */
void		 sched_job_done(struct sched *, struct sched_dest *, enum reached, uint64_t provider,
		    const char *why, uint64_t now_ms);
/* It ended without a word about the destination (its deliver died, it was cancelled). */
void		 sched_job_lost(struct sched *, struct sched_dest *);
/* A job that runs since before this process started. */
void		 sched_job_adopt(struct sched *, struct sched_dest *);
/* The operator wants it tried now. */
void		 sched_dest_reset(struct sched *, struct sched_dest *);
/* Forget idle destinations; call now and then. */
void		 sched_sweep(struct sched *, uint64_t now_ms);

struct sched_view {
	uint32_t	active, limit;		/* jobs, and how many there may be */
	uint32_t	ready;			/* items */
	uint32_t	failures;		/* in a row */
	uint64_t	backoff_ms;		/* still to go; 0: none */
	const char	*why;			/* the last failure, "" if none */
};
void		 sched_dest_view(const struct sched_dest *, uint64_t now_ms, struct sched_view *);

/*
 * Retry times.  delay_s after so many attempts (1 after the first) by the schedule, an eighth more or less
 * by rnd; a hint of the remote host wins: never earlier, at most an eighth later.
 */
uint32_t	 sched_retry_delay(const uint32_t *retry, size_t nretry, uint32_t attempts, uint32_t hint_s,
		    uint32_t rnd);
/* Seconds to wait for a destination that is backed off: to the end of it and up to a quarter more. */
uint32_t	 sched_postpone_delay(const struct sched_dest *, uint64_t now_ms, uint32_t rnd);

#endif
