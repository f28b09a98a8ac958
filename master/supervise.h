/*
 * supervise.h -- the life of one daemon as a pure state machine: events and the time in, one action out.
 *
 * Rule R13 (threat-model.md): a crash is answered by a restart with back-off, 100 ms doubling
 * to 60 s, reset after 10 minutes of health; more than CRASH_MAX crashes in CRASH_WINDOW_MS stop
 * this service, with an alert, while the others live.  F19: a daemon that answers no ping is
 * killed, and its end is then a crash like any other.
 *
 * Core: no clock, no signal, no process.  Times are milliseconds of one monotonic clock.
 * The shell owns struct supervise, calls supervise_event() for what happened, does what it returns, and
 * calls again with SV_TICK when supervise_due() has come.
 */
#ifndef MASTER_SUPERVISE_H
#define MASTER_SUPERVISE_H

#include <stddef.h>
#include <stdint.h>

#define BACKOFF_FIRST_MS	100u
#define BACKOFF_MAX_MS		60000u
#define HEALTHY_MS		600000u		/* so long without a crash: the back-off starts anew */
#define CRASH_MAX		10u		/* this many in the window are borne, one more stops the service */
#define CRASH_WINDOW_MS		300000u
#define START_TIMEOUT_MS	120000u		/* from fork to READY; a large store takes a while to open */
#define PING_INTERVAL_MS	3000u
#define PING_TIMEOUT_MS		15000u		/* a ping without its answer for so long */
#define LATE_MS			1000u		/* a look at a time limit that comes later is master's own delay */
#define STOP_GRACE_MS		2000u		/* after the time it was given, and again after SIGTERM */
#define LOST_GRACE_MS		5000u		/* its channel is closed, yet it lives */

enum sv_state {
	SV_IDLE,		/* not started, or over for good */
	SV_STARTING,		/* forked, not READY yet */
	SV_RUNNING,
	SV_LOST,		/* closed its channel; its end is expected */
	SV_KILLED,		/* SIGKILL was sent; its end will count as a crash */
	SV_BACKOFF,		/* ended; the next start is at due_ms */
	SV_STOPPING,		/* asked to leave for good */
	SV_RECYCLING,		/* asked to leave, a successor follows at once */
	SV_FAILED,		/* crashed too often; only a reload or a restart of master brings it back */
	SV_STATES
};

enum sv_event {
	SV_START,		/* begin, or begin again after SV_FAILED */
	SV_READY,
	SV_PONG,		/* any answer to a ping */
	SV_LOSE,		/* its channel ended */
	SV_BROKEN,		/* it broke the message table, or cannot be spoken to */
	SV_EXIT,		/* the process is gone */
	SV_TICK,		/* due_ms has come */
	SV_STOP,		/* leave for good, within stop_ms */
	SV_RECYCLE,		/* leave within stop_ms, then a new one */
	SV_EVENTS
};

enum sv_action {
	SV_NOTHING,
	SV_DO_SPAWN,
	SV_DO_PING,
	SV_DO_STOP,		/* send STOP */
	SV_DO_TERM,		/* SIGTERM */
	SV_DO_KILL,		/* SIGKILL */
	SV_DO_BACKOFF,		/* nothing but the log line: it starts again at due_ms */
	SV_DO_ALERT,		/* crashed too often: SV_FAILED from now on */
	SV_DO_GONE,		/* it left as it was asked to */
};

struct supervise {
	enum sv_state	state;
	uint32_t	stop_ms;	/* how long STOP gives it; set by the shell before SV_STOP and SV_RECYCLE */
	uint32_t	backoff_ms;	/* the last wait; 0 before the first crash */
	uint64_t	since_ms;	/* when the state was entered */
	uint64_t	due_ms;		/* when SV_TICK is wanted; UINT64_MAX is never */
	uint64_t	ping_ms;	/* when the unanswered ping went out; 0 is none */
	unsigned	term_sent;	/* STOPPING, RECYCLING: SIGTERM was sent */
	unsigned	restarts;	/* starts after the first one */
	unsigned	starts;
	size_t		ncrashes;	/* used places of crash_ms */
	uint64_t	crash_ms[CRASH_MAX + 1];	/* the newest last */
};

void		supervise_init(struct supervise *);
enum sv_action	supervise_event(struct supervise *, enum sv_event, uint64_t now_ms);
static inline uint64_t
supervise_due(const struct supervise *s)
{
	return (s->due_ms);
}
/* Whether a process exists, or is thought to. */
int		supervise_alive(const struct supervise *);
/* For the operator: "running", "backing off 3s", "stopped: 11 crashes in 300s".  Returns dst. */
char		*supervise_str(const struct supervise *, uint64_t now_ms, char *dst, size_t size);

#endif
