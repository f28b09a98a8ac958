/*
 * time.c -- the daemon's one timer, its work between events, and its end.  Shell.
 *
 * Due times are whole seconds, so one tick a second serves them all; a look at the due index without a
 * due recipient is one seek.
 */
#include <stdio.h>
#include <sys/random.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "queue/queue.h"
#include "queue/verify.h"

#define TICK_MS		1000
#define SWEEP_TICKS	60		/* between two looks for idle destinations */
#define STEP_NAME_MAX	24

/* A number kept in the store; the name and the op are freed after the flush. */
struct meta_op {
	struct store_op	 op;		/* first */
	char		 name[STEP_NAME_MAX];
};

static void
on_meta(struct store_op *op, int err)
{
	if (err != E_OK)
		log_warn("%s cannot be stored: %s", op->name, err_name(err));
	free(op);
}

static void
save_number(struct queue *q, const char *name, unsigned n, uint64_t value)
{
	struct meta_op *m;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return;			/* a later tick stores it */
	(void)snprintf(m->name, sizeof(m->name), "%s%u", name, n);
	m->op.kind = STORE_META;
	m->op.done = on_meta;
	m->op.name = m->name;
	m->op.value = value;
	store_submit(q->store, &m->op);
}

static void
save_clock(struct queue *q, int steps)
{
	unsigned i;

	q->saved = clock_wall(&q->clock);
	save_number(q, "clock-high", 0, (uint64_t)clock_high(&q->clock));
	for (i = 0; steps && i < q->clock.nstep; i++) {
		save_number(q, "clock-step", i, (uint64_t)q->clock.step[i].seconds);
		save_number(q, "clock-down", i, (uint64_t)q->clock.step[i].down);
		save_number(q, "clock-before", i, q->clock.step[i].before);
	}
}

static uint64_t
load_number(struct queue *q, const char *name, unsigned n)
{
	char key[STEP_NAME_MAX];
	uint64_t v;

	(void)snprintf(key, sizeof(key), "%s%u", name, n);
	return (store_get_meta(q->store, key, &v) == E_OK ? v : 0);
}

/* The key of the jobs' ids outlives us: a deliver may, with jobs of ours. */
static void
job_key(struct queue *q)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		q->job_key[i] = load_number(q, "job-key", i);
	q->job_next = (uint32_t)store_boot(q->store) << 20;	/* not the numbers of the last process */
	if (q->job_key[0] != 0 && q->job_key[1] != 0)
		return;
	if (getrandom(q->job_key, sizeof(q->job_key), 0) != sizeof(q->job_key))
		log_fatal("no random octets");
	for (i = 0; i < 2; i++)
		save_number(q, "job-key", i, q->job_key[i] |= 1);
}

void
queue_time_open(struct queue *q)
{
	struct clock *c = &q->clock;
	unsigned was;

	for (c->nstep = 0; c->nstep < CLOCK_STEPS; c->nstep++) {
		c->step[c->nstep].seconds = (int64_t)load_number(q, "clock-step", c->nstep);
		c->step[c->nstep].down = (int64_t)load_number(q, "clock-down", c->nstep);
		c->step[c->nstep].before = load_number(q, "clock-before", c->nstep);
		if (c->step[c->nstep].before == 0)
			break;
	}
	was = c->nstep;
	clock_start(c, (int64_t)(now_wall_ms() / 1000), now_mono_ms(),
	    (int64_t)load_number(q, "clock-high", 0), store_new_msgid(q->store));
	if (c->nstep != was || c->ahead > CLOCK_STEP_S)
		log_warn("clock: the wall clock moved while no queue ran, or none ran for long; message lives do not count it");
	save_clock(q, c->nstep != was);
	job_key(q);
	q->paused = load_number(q, "paused", 0) != 0;
	if (queue_is_paused(q))
		log_info("paused: mail is accepted and not delivered");
}

static void
on_tick(uv_timer_t *t)
{
	struct queue *q = t->data;
	int64_t wall = (int64_t)(now_wall_ms() / 1000);

	if (clock_tick(&q->clock, wall, now_mono_ms(), store_new_msgid(q->store))) {
		log_warn("clock: the wall clock was set; message lives do not count the step");
		save_clock(q, 1);
	} else if (wall - q->saved >= CLOCK_SAVE_S) {
		save_clock(q, 0);
	}
	store_check_space(q->store);
	intake_sweep(q);
	intake_pressure(q);
	outcome_again(q);
	if (++q->ticks % SWEEP_TICKS == 0)
		sched_sweep(q->sched, uv_now(&q->room.loop));
	control_tick(q);
	mail_deadlines(q);
	verify_tick(q->verify, uv_now(&q->room.loop));
	feed_tick(q);
	dispatch_run(q);
	if (q->stopping)
		queue_try_leave(q);
}

static void
on_work(uv_idle_t *w)
{
	struct queue *q = w->data;

	uv_idle_stop(w);
	q->work_on = 0;
	feed_run(q);
	if ((control_work(q) | questions_work(q) | intake_work(q) | retry_work(q)) != 0)
		queue_work(q);
}

void
queue_work(struct queue *q)
{
	if (q->work_on || q->left)
		return;
	q->work_on = 1;
	uv_idle_start(&q->work, on_work);
}

static void
on_health(void *arg, enum store_health health)
{
	struct queue *q = arg;

	q->health = health;
	intake_pressure(q);
}

void
queue_time_start(struct queue *q)
{
	q->tick.data = q->work.data = q;
	uv_timer_init(&q->room.loop, &q->tick);
	uv_idle_init(&q->room.loop, &q->work);
	store_on_health(q->store, on_health, q);
	uv_timer_start(&q->tick, on_tick, TICK_MS, TICK_MS);
}

/* Open transactions may still end and outcomes may come; nothing is lost when the time is over first. */
void
queue_time_stop(struct queue *q, uint32_t within_ms)
{
	q->leave_at = uv_now(&q->room.loop) + within_ms / 2;
	queue_try_leave(q);
}

void
queue_try_leave(struct queue *q)
{
	if (q->left || !q->went)
		return;
	if ((intake_open(q) != 0 || q->nchange != 0 || sched_active(q->sched) != 0) &&
	    uv_now(&q->room.loop) < q->leave_at)
		return;
	save_clock(q, 0);
	q->left = 1;
	uv_timer_stop(&q->tick);
	uv_idle_stop(&q->work);
	room_leave(&q->room);	/* channels stay open: store_close() has the last answers for them */
}
