/*
 * reload.c -- the state machine of reload.h.  Core: pure.
 */
#include "master/reload.h"

enum reload_action
reload_request(struct reload *r, uint64_t *round)
{
	if (r->state != RELOAD_IDLE) {
		r->again = 1;
		*round = r->round + 1;
		return (RELOAD_NOTHING);
	}
	r->state = RELOAD_CHECKING;
	*round = ++r->round;
	return (RELOAD_CHECK);
}

enum reload_action
reload_checked(struct reload *r, int ok, uint64_t generation, uint64_t daemons, uint64_t now_ms)
{
	if (r->state != RELOAD_CHECKING)
		return (RELOAD_NOTHING);
	if (!ok)
		return (RELOAD_ABORT);
	r->state = RELOAD_READYING;
	r->generation = generation;
	r->waiting = daemons;
	r->due_ms = now_ms + RELOAD_READY_MS;
	return (daemons == 0 ? RELOAD_COMMIT : RELOAD_SEND);
}

enum reload_action
reload_ready(struct reload *r, unsigned daemon, uint64_t generation, int ok)
{
	uint64_t bit = UINT64_C(1) << daemon;

	if (r->state != RELOAD_READYING || generation != r->generation || (r->waiting & bit) == 0)
		return (RELOAD_NOTHING);
	if (!ok)
		return (RELOAD_ABORT);
	r->waiting &= ~bit;
	return (r->waiting == 0 ? RELOAD_COMMIT : RELOAD_NOTHING);
}

enum reload_action
reload_gone(struct reload *r, unsigned daemon)
{
	return (reload_ready(r, daemon, r->generation, 1));
}

enum reload_action
reload_tick(struct reload *r, uint64_t now_ms)
{
	if (r->state != RELOAD_READYING || now_ms < r->due_ms)
		return (RELOAD_NOTHING);
	return (RELOAD_ABORT);
}

enum reload_action
reload_over(struct reload *r)
{
	r->state = RELOAD_IDLE;
	r->waiting = 0;
	if (!r->again)
		return (RELOAD_NOTHING);
	r->again = 0;
	r->state = RELOAD_CHECKING;
	r->round++;
	return (RELOAD_CHECK);
}
