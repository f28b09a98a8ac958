/*
 * stops.c -- the orderly end: those who listen first, then deliver, queue last.  Shell.
 */
#include "common/log.h"
#include "master/master.h"
#include "master/notify.h"

/* Ask all of the stage to leave; how many are still there. */
static unsigned
stage_stop(struct master *m)
{
	struct daemon *d;
	unsigned i, n = 0;

	for (i = 0; i < DAEMONS_MAX; i++) {
		d = &m->daemon[i];
		if (!d->used || plan_stage(d->item.room) != m->stage)
			continue;
		if (d->sv.state != SV_STOPPING)
			daemon_event(d, SV_STOP);
		if (d->used && supervise_alive(&d->sv))
			n++;
	}
	return (n);
}

void
stops_advance(struct master *m)
{
	struct daemon *d;
	unsigned i;

	/* daemon_event() above may come here again by daemon_gone(): the outer call goes on. */
	if (m->stopping > 1)
		return;
	for (i = 0; i < DAEMONS_MAX; i++) {
		d = &m->daemon[i];
		if (d->used && plan_stage(d->item.room) == m->stage && supervise_alive(&d->sv))
			return;
	}
	m->stopping = 2;
	while (++m->stage < PLAN_STAGES && stage_stop(m) == 0)
		;
	m->stopping = 1;
	if (m->stage >= PLAN_STAGES)
		uv_stop(&m->loop);
}

void
stops_begin(struct master *m, const char *why)
{
	if (m->stopping)
		return;
	log_info("stopping: %s", why);
	notify_send("STOPPING=1\nSTATUS=stopping: %s", why);
	m->stopping = 2;
	m->stage = 0;
	while (stage_stop(m) == 0 && ++m->stage < PLAN_STAGES)
		;
	m->stopping = 1;
	if (m->stage >= PLAN_STAGES)
		uv_stop(&m->loop);
}
