/*
 * main.c -- postern-queue: owns every accepted message.  Shell.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "queue/queue.h"

extern const struct sandbox queue_sandbox;

#define DESCRIPTORS	(64 + PEERS_MAX + CTL_CLIENTS_MAX)

static struct sched_conf sched_settings(const struct conf *);
static void	queue_open(struct queue *);
static void	on_peer(struct room *, const struct ipc_channel *, int);
static void	on_conf(struct room *, const struct conf *);
static void	on_ctl_client(struct room *, const struct ipc_ctl_client *, int);
static void	on_go(struct room *);
static void	on_stop(struct room *, uint32_t);
static void	on_counters(struct room *, uint64_t[8]);

static const struct room_ops ops = {
	.peer = on_peer,
	.conf = on_conf,
	.ctl_client = on_ctl_client,
	.go = on_go,
	.stop = on_stop,
	.counters = on_counters,
};

int
main(int argc, char **argv)
{
	static struct queue q;
	struct sandbox_run run = { .nofile = DESCRIPTORS, .ndirs = 1 };

	log_open("postern-queue");
	room_open(&q.room, ROOM_QUEUE, argc, argv, &ops, &q);
	run.dirs[0] = q.room.start.root;
	room_sandbox(&q.room, &queue_sandbox, &run);
	queue_open(&q);			/* beneath the new root directory */
	room_run(&q.room);
	store_close(q.store);		/* the last answers come from here */
	questions_close(&q);
	retry_close(&q);
	sched_free(q.sched);
	room_flush(&q.room);
	return (0);
}

static struct sched_conf
sched_settings(const struct conf *c)
{
	struct sched_conf sc = { .concurrency = c->deliver.concurrency,
	    .connections = c->deliver.connections };

	sc.backoff_min_s = c->queue.nretry != 0 ? c->queue.retry[0] : 1;
	sc.backoff_max_s = c->queue.nretry != 0 ? c->queue.retry[c->queue.nretry - 1] : 1;
	return (sc);
}

static void
queue_open(struct queue *q)
{
	const struct conf *c = q->room.conf;
	struct store_options opt = { .dir = ".", .max_octets = c->queue.store_max,
	    .reserve = c->queue.reserve };
	struct sched_conf sc = sched_settings(c);
	int err;

	if ((err = store_open(&q->store, &opt)) != E_OK)
		log_fatal("store in %s: %s", q->room.start.root, err == E_BUSY ?
		    "another process has it" : err_name(err));
	if ((err = store_start(q->store, &q->room.loop)) != E_OK)
		log_fatal("store thread: %s", err_name(err));
	body_set_budget(QUEUE_BODY_BUDGET);
	if ((q->sched = sched_new(&sc)) == NULL)
		log_fatal("no memory");
	if (getrandom(&q->rnd, sizeof(q->rnd), 0) != sizeof(q->rnd) || q->rnd == 0)
		q->rnd = now_wall_ms() | 1;
	queue_time_open(q);
	questions_open(q);
}

static void
on_peer(struct room *r, const struct ipc_channel *c, int fd)
{
	if (c->room == ROOM_SMTPD)
		intake_peer(r->arg, c, fd);
	else if (c->room == ROOM_DELIVER)
		deliver_peer_open(r->arg, c, fd);
	else
		log_fatal("a channel to %s is not queue's", room_name(c->room));
}

/* Routes are asked at each attempt; here only what is kept changes. */
static void
on_conf(struct room *r, const struct conf *old)
{
	struct queue *q = r->arg;
	struct sched_conf sc = sched_settings(r->conf);

	sched_configure(q->sched, &sc);
	intake_conf(q);
	questions_conf(q);
	sched_wake(q->sched);
	feed_tick(q);
	dispatch_run(q);
}

static void
on_ctl_client(struct room *r, const struct ipc_ctl_client *c, int fd)
{
	control_client(r->arg, c, fd);
}

static void
on_go(struct room *r)
{
	struct queue *q = r->arg;

	q->went = 1;
	queue_time_start(q);
	dispatch_gate(q);
}

static void
on_stop(struct room *r, uint32_t within_ms)
{
	struct queue *q = r->arg;

	q->stopping = 1;	/* no further job; what is in the store's hands is finished */
	queue_time_stop(q, within_ms);
}

static void
on_counters(struct room *r, uint64_t counter[8])
{
	const struct queue *q = r->arg;

	counter[0] = q->count.received;
	counter[1] = q->count.delivered;
	counter[2] = q->count.failed;
	counter[3] = q->count.expired;
	counter[4] = q->count.deferred;
	counter[5] = q->count.notices;
	counter[6] = sched_active(q->sched);
	counter[7] = sched_items(q->sched);
}
