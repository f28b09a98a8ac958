/*
 * deliver.c -- what both roles share: peers, reloads, stop, and the tick that looks at every
 * deadline.  Shell.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "deliver/deliver.h"
#include "deliver/job.h"
#include "deliver/main.h"
#include "deliver/tls.h"

#define STOP_MARGIN_MS	500	/* before master's patience is over */

static void	on_tick(uv_timer_t *);

void
deliver_tick_on(struct deliver *d)
{
	if (d->ticking)
		return;
	d->ticking = 1;
	/* Fails only for a closing handle. */
	(void)uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
}

/* What was sent to queue is durable there once acknowledged, and what it sent has been read: a job left in the channel would
 * count as unsure there (G3).  Without queue nobody will say so. */
static int
may_leave(const struct deliver *d)
{
	return (d->njobs == 0 && d->nclosing == 0 && (d->queue == NULL || (d->nheld == 0 && d->stopped)));
}

static void
on_tick(uv_timer_t *t)
{
	struct deliver *d = t->data;
	uint64_t now = deliver_now(d);

	d->role->tick(d, now);
	if (d->owing)
		queue_resume(d);
	job_sweep(d);
	if (d->stopping && (may_leave(d) || now >= d->stop_ms)) {
		if (d->njobs != 0)
			log_warn("stopped with %zu deliveries under way", d->njobs);
		uv_timer_stop(t);
		room_leave(&d->room);
		return;
	}
	if (!d->stopping && !d->owing && TAILQ_EMPTY(&d->spent) && !d->role->busy(d)) {
		uv_timer_stop(t);
		d->ticking = 0;
	}
}

static void
free_channel(struct ipc *ch)
{
	free(ch);
}

void
deliver_channel_over(struct ipc **at, struct ipc *ch)
{
	if (*at == ch)
		*at = NULL;
	ipc_close(ch, free_channel);
}

void
deliver_channel(struct deliver *d, struct ipc **at, const struct ipc_channel *c, int fd, const struct ipc_ops *ops)
{
	struct ipc *ch;

	if (*at != NULL)
		ops->closed(*at, E_CLOSED);
	if ((ch = calloc(1, sizeof(*ch))) == NULL)
		log_fatal("out of memory for a channel");
	if (ipc_open(ch, &d->room.loop, fd, ROOM_DELIVER, c->room, ops, d) != E_OK)
		log_fatal("cannot watch the channel to %s", room_name(c->room));
	ch->instance = c->instance;
	*at = ch;
}

static void
on_peer(struct room *room, const struct ipc_channel *c, int fd)
{
	struct deliver *d = room->arg;

	if (c->room == ROOM_QUEUE)
		queue_channel(d, c, fd);
	else if (c->room == ROOM_RESOLVER && room->role == ROLE_REMOTE)
		resolve_channel(d, c, fd);
	else if (c->room == ROOM_AUTH && room->role == ROLE_REMOTE)
		login_channel(d, c, fd);
	else
		log_fatal("a channel to %s is none of ours", room_name(c->room));
}

static void
on_conf(struct room *room, const struct conf *old)
{
	struct deliver *d = room->arg;

	d->role->conf(d, old);
}

/* Of the role remote: trust anchors that cannot be read are no reason to lose the old ones. */
static int
on_check(struct room *room, const struct conf *next, uint64_t generation)
{
	int err = room->role == ROLE_REMOTE ? tls_prepare(next) : E_OK;

	if (err == E_CORRUPT)
		snprintf(room->refusal, sizeof(room->refusal), "tls-ca holds what is no certificate");
	return (err);
}

static void
on_stop(struct room *room, uint32_t within_ms)
{
	struct deliver *d = room->arg;

	if (d->stopping)
		return;
	d->stopping = 1;
	d->stop_ms = deliver_now(d) + (within_ms > STOP_MARGIN_MS ? within_ms - STOP_MARGIN_MS : 0);
	queue_stop(d);
	d->role->stop(d);
	deliver_tick_on(d);
}

static void
on_counters(struct room *room, uint64_t counter[8])
{
	struct deliver *d = room->arg;

	memcpy(counter, d->count, sizeof(d->count));
}

const struct room_ops deliver_room_ops = {
	.peer = on_peer,
	.conf = on_conf,
	.check = on_check,
	.stop = on_stop,
	.counters = on_counters,
};

void
deliver_init(struct deliver *d)
{
	TAILQ_INIT(&d->jobs);
	TAILQ_INIT(&d->conns);
	TAILQ_INIT(&d->queries);
	TAILQ_INIT(&d->ready);
	TAILQ_INIT(&d->spent);
	if (uv_timer_init(&d->room.loop, &d->tick) != 0)
		log_fatal("cannot make a timer");
	d->tick.data = d;
	d->role->conf(d, NULL);
}
