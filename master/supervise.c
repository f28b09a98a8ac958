/*
 * supervise.c -- the state machine of supervise.h.  Core: pure.
 *
 * One function per event; sv_enter() is the only writer of the state.  An event that a state
 * does not expect changes nothing: a READY that arrives after SIGKILL was sent, a second STOP.
 */
#include <stdio.h>
#include <string.h>

#include "master/supervise.h"

#define NEVER	UINT64_MAX

static void
sv_enter(struct supervise *s, enum sv_state state, uint64_t now_ms, uint64_t due_ms)
{
	s->state = state;
	s->since_ms = now_ms;
	s->due_ms = due_ms;
	s->ping_ms = 0;
	s->term_sent = 0;
}

void
supervise_init(struct supervise *s)
{
	memset(s, 0, sizeof(*s));
	s->due_ms = NEVER;
}

int
supervise_alive(const struct supervise *s)
{
	switch (s->state) {
	case SV_STARTING:
	case SV_RUNNING:
	case SV_LOST:
	case SV_KILLED:
	case SV_STOPPING:
	case SV_RECYCLING:
		return (1);
	default:
		return (0);
	}
}

static enum sv_action
sv_spawn(struct supervise *s, uint64_t now_ms)
{
	if (s->starts++ > 0)
		s->restarts++;
	sv_enter(s, SV_STARTING, now_ms, now_ms + START_TIMEOUT_MS);
	return (SV_DO_SPAWN);
}

static enum sv_action
sv_start(struct supervise *s, uint64_t now_ms)
{
	if (s->state != SV_IDLE && s->state != SV_FAILED)
		return (SV_NOTHING);
	s->ncrashes = 0;
	s->backoff_ms = 0;
	return (sv_spawn(s, now_ms));
}

static enum sv_action
sv_ready(struct supervise *s, uint64_t now_ms)
{
	if (s->state == SV_STARTING)
		sv_enter(s, SV_RUNNING, now_ms, now_ms + PING_INTERVAL_MS);
	return (SV_NOTHING);
}

static enum sv_action
sv_pong(struct supervise *s, uint64_t now_ms)
{
	if (s->state == SV_RUNNING && s->ping_ms != 0) {
		s->ping_ms = 0;
		s->due_ms = now_ms + PING_INTERVAL_MS;
	}
	return (SV_NOTHING);
}

static enum sv_action
sv_lose(struct supervise *s, uint64_t now_ms)
{
	if (s->state == SV_STARTING || s->state == SV_RUNNING)
		sv_enter(s, SV_LOST, now_ms, now_ms + LOST_GRACE_MS);
	return (SV_NOTHING);
}

static enum sv_action
sv_broken(struct supervise *s, uint64_t now_ms)
{
	if (s->state != SV_STARTING && s->state != SV_RUNNING && s->state != SV_LOST)
		return (SV_NOTHING);	/* it is leaving anyway, with a time limit */
	sv_enter(s, SV_KILLED, now_ms, NEVER);
	return (SV_DO_KILL);
}

/* Note a crash at now_ms; how many lie within the window, this one counted. */
static size_t
sv_note_crash(struct supervise *s, uint64_t now_ms)
{
	size_t old = 0;

	while (old < s->ncrashes && now_ms - s->crash_ms[old] >= CRASH_WINDOW_MS)
		old++;
	if (s->ncrashes - old == CRASH_MAX + 1)
		old++;
	memmove(s->crash_ms, s->crash_ms + old, (s->ncrashes - old) * sizeof(s->crash_ms[0]));
	s->ncrashes -= old;
	s->crash_ms[s->ncrashes++] = now_ms;
	return (s->ncrashes);
}

static enum sv_action
sv_crash(struct supervise *s, uint64_t now_ms, int healthy)
{
	if (healthy) {
		s->backoff_ms = 0;
		s->ncrashes = 0;
	}
	if (sv_note_crash(s, now_ms) > CRASH_MAX) {
		sv_enter(s, SV_FAILED, now_ms, NEVER);
		return (SV_DO_ALERT);
	}
	if (s->backoff_ms == 0)
		s->backoff_ms = BACKOFF_FIRST_MS;
	else if (s->backoff_ms > BACKOFF_MAX_MS / 2)
		s->backoff_ms = BACKOFF_MAX_MS;
	else
		s->backoff_ms *= 2;
	sv_enter(s, SV_BACKOFF, now_ms, now_ms + s->backoff_ms);
	return (SV_DO_BACKOFF);
}

static enum sv_action
sv_exit(struct supervise *s, uint64_t now_ms)
{
	switch (s->state) {
	case SV_RUNNING:
		return (sv_crash(s, now_ms, now_ms - s->since_ms >= HEALTHY_MS));
	case SV_STARTING:
	case SV_LOST:
	case SV_KILLED:
		return (sv_crash(s, now_ms, 0));
	case SV_STOPPING:
		sv_enter(s, SV_IDLE, now_ms, NEVER);
		return (SV_DO_GONE);
	case SV_RECYCLING:
		return (sv_spawn(s, now_ms));
	default:
		return (SV_NOTHING);
	}
}

static enum sv_action
sv_tick(struct supervise *s, uint64_t now_ms)
{
	if (now_ms < s->due_ms)
		return (SV_NOTHING);
	/*
	 * Who looks so late was stopped or starved himself, and the answer may lie unread, since timers come
	 * before sockets: once more, then.
	 */
	if (now_ms - s->due_ms >= LATE_MS && (s->state == SV_STARTING || s->state == SV_LOST ||
	    (s->state == SV_RUNNING && s->ping_ms != 0))) {
		s->due_ms = now_ms + PING_INTERVAL_MS;
		return (SV_NOTHING);
	}
	switch (s->state) {
	case SV_STARTING:
	case SV_LOST:
		sv_enter(s, SV_KILLED, now_ms, NEVER);
		return (SV_DO_KILL);
	case SV_RUNNING:
		if (s->ping_ms == 0) {
			s->ping_ms = now_ms;
			s->due_ms = now_ms + PING_TIMEOUT_MS;
			return (SV_DO_PING);
		}
		sv_enter(s, SV_KILLED, now_ms, NEVER);
		return (SV_DO_KILL);
	case SV_BACKOFF:
		return (sv_spawn(s, now_ms));
	case SV_STOPPING:
	case SV_RECYCLING:
		if (!s->term_sent) {
			s->term_sent = 1;
			s->due_ms = now_ms + STOP_GRACE_MS;
			return (SV_DO_TERM);
		}
		s->due_ms = NEVER;
		return (SV_DO_KILL);
	default:
		s->due_ms = NEVER;
		return (SV_NOTHING);
	}
}

static enum sv_action
sv_stop(struct supervise *s, uint64_t now_ms, enum sv_state to)
{
	switch (s->state) {
	case SV_STARTING:
	case SV_RUNNING:
	case SV_LOST:
		sv_enter(s, to, now_ms, now_ms + s->stop_ms + STOP_GRACE_MS);
		return (SV_DO_STOP);
	case SV_KILLED:
		sv_enter(s, to, now_ms, NEVER);	/* its end is on the way */
		return (SV_NOTHING);
	case SV_STOPPING:
	case SV_RECYCLING:
		/* Its time limit runs already; only whether a successor follows may have changed. */
		s->state = to;
		return (SV_NOTHING);
	case SV_BACKOFF:
	case SV_FAILED:
		if (to == SV_RECYCLING)
			return (SV_NOTHING);	/* the next start takes the new settings anyway */
		sv_enter(s, SV_IDLE, now_ms, NEVER);
		return (SV_DO_GONE);
	default:
		return (SV_NOTHING);
	}
}

enum sv_action
supervise_event(struct supervise *s, enum sv_event event, uint64_t now_ms)
{
	switch (event) {
	case SV_START:
		return (sv_start(s, now_ms));
	case SV_READY:
		return (sv_ready(s, now_ms));
	case SV_PONG:
		return (sv_pong(s, now_ms));
	case SV_LOSE:
		return (sv_lose(s, now_ms));
	case SV_BROKEN:
		return (sv_broken(s, now_ms));
	case SV_EXIT:
		return (sv_exit(s, now_ms));
	case SV_TICK:
		return (sv_tick(s, now_ms));
	case SV_STOP:
		return (sv_stop(s, now_ms, SV_STOPPING));
	case SV_RECYCLE:
		return (sv_stop(s, now_ms, SV_RECYCLING));
	default:
		return (SV_NOTHING);
	}
}

char *
supervise_str(const struct supervise *s, uint64_t now_ms, char *dst, size_t size)
{
	static const char *const names[SV_STATES] = {
		"not started", "starting", "running", "lost", "killed", "backing off", "stopping",
		"restarting", "stopped",
	};

	if (s->state == SV_BACKOFF)
		(void)snprintf(dst, size, "backing off %llus", (unsigned long long)
		    (s->due_ms > now_ms ? (s->due_ms - now_ms + 999) / 1000 : 0));
	else if (s->state == SV_FAILED)
		(void)snprintf(dst, size, "stopped: %zu crashes in %us", s->ncrashes,
		    CRASH_WINDOW_MS / 1000);
	else
		(void)snprintf(dst, size, "%s", names[s->state]);
	return (dst);
}
