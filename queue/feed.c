/*
 * feed.c -- from the due index into the scheduler's window, a batch a turn of the loop.  Shell.
 *
 * One cursor runs over the index in the order of time.  A recipient whose destination has its share of the
 * window is passed over; the destination remembers where, and is fed from there by a cursor of its own
 * when it has room (feed_passed, sched_marked).  A recipient whose destination is backed off is
 * given a later time in the store at once, so it takes no memory.  So neither the length of
 * the queue nor a dead destination decides how fast the others are.
 */
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "queue/queue.h"

#define SPREAD	0x9e3779b97f4a7c15ull	/* 2^64 by the golden ratio: neighbours become far apart */

enum taken { TAKEN, PASSED, STOP };

static int	feed_main(struct queue *);
static int	feed_dest(struct queue *, struct sched_dest *);
static enum taken take(struct queue *, const struct store_due *, struct sched_dest *);
static enum taken take_into(struct queue *, struct mail *, const struct recipient *, const struct store_due *,
		    struct sched_dest *, int);
static enum taken take_change(struct queue *, struct mail *, enum change_kind, const struct store_due *,
		    struct sched_dest *);
static void	skip_damaged(struct queue *, const struct store_due *, int);

/* One slice; asks for another turn while there is more to look at. */
void
feed_run(struct queue *q)
{
	struct sched_dest *d;
	int more = 0;

	if (!q->open || q->stopping || queue_is_paused(q))
		return;
	if (q->nchange >= FEED_CHANGES_MAX)
		return;			/* the end of a change looks again */
	if ((d = sched_marked(q->sched)) != NULL)
		more |= feed_dest(q, d);
	if (q->feed_wanted)
		more |= feed_main(q);
	outcome_start_late(q);
	dispatch_run(q);
	if (more)
		queue_work(q);
}

/* Room came back.  Only a good part of a batch is worth a look at the index. */
void
feed_more(struct queue *q)
{
	if ((q->feed_wanted && sched_room(q->sched) >= FEED_BATCH && q->nchange < FEED_CHANGES_MAX / 2) ||
	    sched_marked(q->sched) != NULL ||
	    (q->retrying != NULL && q->nchange < FEED_CHANGES_MAX / 2))
		queue_work(q);
}

void
feed_tick(struct queue *q)
{
	q->feed_wanted = 1;
	feed_run(q);
}

void
feed_note(struct queue *q, int64_t when)
{
	if (when > q->cursor.when)
		return;
	q->cursor.when = when > 0 ? when - 1 : 0;
	q->cursor.msgid = when > 0 ? UINT64_MAX : 0;
	q->cursor.index = when > 0 ? UINT32_MAX : 0;
	q->feed_wanted = 1;
	if (when <= clock_due(&q->clock))
		queue_work(q);
}

void
feed_passed(struct queue *q, struct sched_dest *d, int64_t when, uint64_t msgid, uint32_t index)
{
	struct sched_mark mark = *sched_dest_mark(d);

	/* The mark is what was looked at before, so that the next look begins with this one. */
	if (mark.set && (mark.when < when || (mark.when == when && mark.msgid <= msgid)))
		return;
	mark.set = 1;
	mark.when = index != 0 || msgid != 0 ? when : when - 1;
	mark.msgid = index != 0 ? msgid : msgid - 1;
	mark.index = index != 0 ? index - 1 : UINT32_MAX;
	sched_dest_marked(q->sched, d, &mark);
}

static int
feed_main(struct queue *q)
{
	struct store_due due[FEED_BATCH];
	int64_t now = clock_due(&q->clock);
	size_t i, n;
	int err;

	q->feed_wanted = 0;
	if ((err = store_due(q->store, &q->cursor, due, FEED_BATCH, &n)) != E_OK) {
		log_warn("due index: %s", err_name(err));
		return (0);
	}
	for (i = 0; i < n; i++) {
		if (due[i].when > now)
			return (0);
		if (take(q, &due[i], NULL) == STOP) {
			q->feed_wanted = 1;
			return (0);
		}
		q->cursor = due[i];
	}
	q->feed_wanted = n == FEED_BATCH;
	return (q->feed_wanted);
}

/* What was passed over of one destination, up to where the main cursor is now. */
static int
feed_dest(struct queue *q, struct sched_dest *d)
{
	struct store_due due[FEED_BATCH], after;
	struct sched_mark mark = *sched_dest_mark(d);
	int64_t now = clock_due(&q->clock);
	size_t i, n;
	int over = 0, stopped = 0;

	if (!sched_dest_has_room(d))
		return (0);		/* the end of one of its jobs looks again */
	after.when = mark.when;
	after.msgid = mark.msgid;
	after.index = mark.index;
	if (store_due(q->store, &after, due, FEED_BATCH, &n) != E_OK)
		return (0);
	for (i = 0; i < n && !over && !stopped; i++) {
		if (due[i].when > now || due[i].when > q->cursor.when ||
		    (due[i].when == q->cursor.when && due[i].msgid > q->cursor.msgid)) {
			over = 1;
			break;
		}
		if (take(q, &due[i], d) != TAKEN) {
			stopped = 1;
			break;
		}
		mark.when = due[i].when;
		mark.msgid = due[i].msgid;
		mark.index = due[i].index;
	}
	if (over || (n < FEED_BATCH && !stopped))
		mark.set = 0;
	sched_dest_marked(q->sched, d, &mark);
	return (!over && !stopped && n == FEED_BATCH);
}

/* One recipient of the index.  only: of this destination, the others were seen to. */
static enum taken
take(struct queue *q, const struct store_due *e, struct sched_dest *only)
{
	struct recipient r;
	struct sched_dest *d = NULL;
	struct mail *m;
	enum taken res;
	int err;

	if (sched_state(q->sched, e->msgid, e->index) != SCHED_ABSENT)
		return (TAKEN);
	if (sched_room(q->sched) == 0)
		return (STOP);
	if ((err = store_get_recipient(q->store, e->msgid, e->index, &r)) != E_OK) {
		skip_damaged(q, e, err);
		return (TAKEN);
	}
	r.index = e->index;
	if (rcpt_is_ended(&r) || (rcpt_is_over(&r) && only != NULL))
		return (TAKEN);
	if (!rcpt_is_over(&r) && (d = route_dest(q, r.address)) == NULL)
		return (STOP);
	if (only != NULL && d != only)
		return (TAKEN);
	if ((err = mail_get(q, e->msgid, &m)) != E_OK) {
		if (err == E_NOMEM)
			return (STOP);
		skip_damaged(q, e, err);
		return (TAKEN);
	}
	res = take_into(q, m, &r, e, d, only != NULL);
	mail_release(q, m);
	return (res);
}

/* What is to be done with a recipient that is due: an attempt, or something that needs none. */
static enum taken
take_into(struct queue *q, struct mail *m, const struct recipient *r, const struct store_due *e,
    struct sched_dest *d, int again)
{
	struct sched_view view;
	int err;

	if (m->m.flags & (MSGF_HELD | MSGF_DONE))
		return (TAKEN);
	if (rcpt_is_over(r))
		return (take_change(q, m, CH_NOTICE, e, NULL));
	if (m->m.hold_until > clock_wall(&q->clock))
		return (take_change(q, m, CH_UNTIL, e, NULL));
	if (mail_is_late(q, &m->m, r))
		return (take_change(q, m, CH_DEADLINE, e, NULL));
	sched_dest_view(d, uv_now(&q->room.loop), &view);
	if (view.backoff_ms != 0)
		return (take_change(q, m, CH_POSTPONE, e, d));
	err = mail_add_item(q, m, r, d);
	if (err == E_BUSY) {
		if (!again)
			feed_passed(q, d, e->when, e->msgid, e->index);
		return (again ? PASSED : TAKEN);
	}
	return (err == E_OK || err == E_EXISTS ? TAKEN : STOP);
}

/* d: its destination is backed off; else NULL. */
static enum taken
take_change(struct queue *q, struct mail *m, enum change_kind kind, const struct store_due *e, struct sched_dest *d)
{
	struct sched_view view;
	struct change *ch;

	if (q->nchange >= FEED_CHANGES_MAX || (ch = change_new(q, kind, e->index)) == NULL)
		return (STOP);
	if (d != NULL) {
		sched_dest_view(d, uv_now(&q->room.loop), &view);
		/* The message decides, so that its recipients stay together. */
		ch->wait_s = sched_postpone_delay(d, uv_now(&q->room.loop), (uint32_t)(e->msgid * SPREAD >> 32));
		(void)slice_copy(slice_make(view.why, strnlen(view.why, REPLY_TEXT_MAX)), ch->r.text,
		    sizeof(ch->r.text));
	}
	mail_change_later(q, m, ch);
	return (TAKEN);
}

static void
skip_damaged(struct queue *q, const struct store_due *e, int err)
{
	/* E_NOTFOUND: it went while we looked. */
	if (err != E_NOTFOUND)
		qlog_damaged(e->msgid, "record", err);
}
