/*
 * clock.h -- the queue's idea of time, which a step of the wall clock does not upset (F12).  Core.
 *
 * Timers run on the monotonic clock.  Two things need wall-clock seconds that last over a restart:
 *
 * When a recipient is due.  clock_due() is the wall clock, but never goes back: after the clock was set
 * back it runs on from where it was, so that stored times are neither an age away nor a
 * stall.  The highest value is stored (clock_high()) and given back at the next start.
 *
 * How old a message is.  clock_age() counts the seconds in which the queue could have worked on the message:
 * a step of the wall clock is taken out for every message that was there before it, and
 * so is the time in which no queue ran, when that was longer than CLOCK_DOWN_S.  So no jump expires
 * mail.  Steps are told apart by message ids, which ascend and are never reused.
 *
 * How long ago a message came.  clock_passed() is for deadlines (RFC 2852): a step of the wall clock is taken
 * out, but time in which no queue ran has passed all the same.
 */
#ifndef QUEUE_CLOCK_H
#define QUEUE_CLOCK_H

#include <stdint.h>

#include "common/limits.h"

struct clock_step {
	uint64_t	before;		/* applies to messages with a smaller id */
	int64_t		seconds;	/* forward is positive */
	int64_t		down;		/* of them: no queue ran */
};

struct clock {
	int64_t		wall;		/* at the last tick, seconds */
	uint64_t	mono_ms;	/* the same moment */
	int64_t		ahead;		/* how far clock_due() is in front of the wall clock */
	struct clock_step step[CLOCK_STEPS];	/* oldest first; when full the two oldest become one */
	unsigned	nstep;
};

/* high: what clock_high() was when it was last stored, 0 if never.  Steps were put in by the caller. */
void	clock_start(struct clock *, int64_t wall, uint64_t mono_ms, int64_t high, uint64_t next_msgid);
/* Call each second or so.  True if a step was found: store the steps. */
int	clock_tick(struct clock *, int64_t wall, uint64_t mono_ms, uint64_t next_msgid);
int64_t	clock_due(const struct clock *);
int64_t	clock_wall(const struct clock *);
int64_t	clock_high(const struct clock *);
/* Seconds of a message's life, never below 0. */
int64_t	clock_age(const struct clock *, uint64_t msgid, int64_t arrival);
int64_t	clock_passed(const struct clock *, uint64_t msgid, int64_t arrival);	/* never below 0 */
/* A due time as wall clock, for people; 0 stays 0. */
int64_t	clock_show(const struct clock *, int64_t due);

#endif
