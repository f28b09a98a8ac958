/*
 * outcome.c -- what becomes of recipients, durably, and only then acknowledged.  Shell.
 *
 * All changes of a message go through here, one operation of the store at a time, so a later value never
 * meets an earlier record.  What collects meanwhile goes into the next.  An operation that
 * the store could not take stays, and is submitted again by the tick: no outcome is forgotten, and deliver
 * keeps its copy until JOB_ACK.  A recipient that is over already takes no further outcome
 * (a repeat after a restart, G3): acknowledged and dropped.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/reply.h"
#include "queue/queue.h"

struct mail_op {
	struct store_op	 op;		/* first */
	struct queue	*q;
	struct mail	*mail;
	struct mail_op	*next;		/* of queue.failed */
	struct message	 m;
	struct recipient *rcpt;
	uint32_t	 n;
	struct change	*changes;
	int		 patient;	/* only new due times: thousands of them may not delay anybody's 250 */
	uint32_t	 rnd;		/* one for all, so that recipients which failed together go together again */
	int64_t		 soonest;	/* of the new due times; 0: none */
	uint32_t	 delivered, failed, expired, deferred;
};

static void	append(struct queue *, struct mail *, struct change *);
static void	op_start(struct queue *, struct mail *);
static int	op_of_message(struct mail_op *, struct change *);
static int	op_of_recipients(struct mail_op *);
static int	apply_change(struct mail_op *, struct change *, struct recipient *);
static void	apply_result(struct mail_op *, const struct change *, struct recipient *);
static int	add_notices(struct mail_op *);
static void	keep_for_notice(struct mail_op *);
static void	on_stored(struct store_op *, int);
static void	op_finish(struct mail_op *, int);
static void	op_free(struct mail_op *);

struct change *
change_new(struct queue *q, enum change_kind kind, uint32_t index)
{
	struct change *ch = q->free_changes;

	if (ch != NULL) {
		q->free_changes = ch->next;
		memset(ch, 0, sizeof(*ch));
	} else if ((ch = calloc(1, sizeof(*ch))) == NULL) {
		return (NULL);
	}
	ch->kind = kind;
	ch->index = index;
	return (ch);
}

void
change_free(struct queue *q, struct change *ch)
{
	free(ch->dialogue);
	ch->next = q->free_changes;
	q->free_changes = ch;
}

void
mail_change(struct queue *q, struct mail *m, struct change *ch)
{
	append(q, m, ch);
	op_start(q, m);
}

void
mail_change_later(struct queue *q, struct mail *m, struct change *ch)
{
	append(q, m, ch);
	if (m->late)
		return;
	m->late = 1;
	m->next_late = q->late;
	q->late = m;
}

void
outcome_start_late(struct queue *q)
{
	struct mail *m;

	while ((m = q->late) != NULL) {
		q->late = m->next_late;
		m->late = 0;
		op_start(q, m);
	}
}

static void
append(struct queue *q, struct mail *m, struct change *ch)
{
	*m->pend_tail = ch;
	for (; ch != NULL; ch = ch->next) {
		m->pend_tail = &ch->next;
		q->nchange++;
		/* Without memory for the mark the feed may see it again: the second word then changes nothing. */
		if (ch->kind <= CH_RETRY && ch->index < m->m.nrcpt)
			(void)mail_settle(q, m, ch->index);
	}
}

void
outcome_again(struct queue *q)
{
	struct mail_op *o, *next;

	o = q->failed;
	q->failed = NULL;
	for (; o != NULL; o = next) {
		next = o->next;
		o->next = NULL;
		if (o->op.done != NULL) {
			store_submit(q->store, &o->op);
		} else {		/* it waited for memory */
			struct mail *m = o->mail;

			*m->pend_tail = NULL;
			if (o->changes != NULL) {	/* in front of what came since */
				struct change *last = o->changes;

				while (last->next != NULL)
					last = last->next;
				last->next = m->pend_head;
				if (m->pend_head == NULL)
					m->pend_tail = &last->next;
				m->pend_head = o->changes;
				o->changes = NULL;
			}
			m->op = NULL;
			op_free(o);
			op_start(q, m);
		}
	}
}

/* The next operation of this message: one change of the whole message, or all of recipients in a row. */
static void
op_start(struct queue *q, struct mail *m)
{
	struct mail_op *o;
	struct change *ch, **tail;
	int err;

	if (m->op != NULL || m->pend_head == NULL)
		return;
	if ((o = calloc(1, sizeof(*o))) == NULL)
		log_fatal("no memory for an outcome");	/* the store is the truth; deliver keeps its results */
	o->q = q;
	o->mail = m;
	o->m = m->m;
	o->rnd = queue_random(q);
	m->op = o;
	o->patient = 1;
	tail = &o->changes;
	do {
		ch = m->pend_head;
		m->pend_head = ch->next;
		ch->next = NULL;
		*tail = ch;
		tail = &ch->next;
		o->n++;
		o->patient &= ch->kind == CH_POSTPONE || ch->kind == CH_RETRY;
	} while (ch->kind <= CH_RETRY && m->pend_head != NULL && m->pend_head->kind <= CH_RETRY);
	if (m->pend_head == NULL)
		m->pend_tail = &m->pend_head;
	o->op.msgid = m->msgid;
	o->op.message = &o->m;
	o->op.arg = o;
	err = ch->kind > CH_RETRY ? op_of_message(o, ch) : op_of_recipients(o);
	if (err == E_AGAIN || err == E_NOMEM || err == E_IO) {
		o->next = q->failed;
		q->failed = o;
		return;
	}
	if (err != E_OK) {
		op_finish(o, err == E_EXISTS ? E_OK : err);	/* E_EXISTS: nothing to store */
		return;
	}
	o->op.done = on_stored;
	o->op.background = o->patient;
	store_submit(q->store, &o->op);
}

static int
op_of_message(struct mail_op *o, struct change *ch)
{
	switch (ch->kind) {
	case CH_HOLD:
		o->m.flags |= MSGF_HELD;
		o->op.kind = STORE_MESSAGE;
		break;
	case CH_RELEASE:
		o->m.flags &= ~(uint32_t)MSGF_HELD;
		o->op.kind = STORE_MESSAGE;
		break;
	default:
		o->op.kind = STORE_TRASH;
		break;
	}
	return (E_OK);
}

static int
op_of_recipients(struct mail_op *o)
{
	struct change *ch;
	uint32_t n = 0;
	int err;

	if ((o->rcpt = calloc(o->n, sizeof(*o->rcpt))) == NULL)
		return (E_NOMEM);
	for (ch = o->changes; ch != NULL; ch = ch->next) {
		err = apply_change(o, ch, &o->rcpt[n]);
		if (err == E_OK) {
			n++;
			if (ch->dialogue != NULL)
				o->op.dialogue = slice_str(ch->dialogue);
		} else if (err == E_IO || err == E_NOMEM) {
			return (err);
		} else {
			ch->stale = 1;
		}
	}
	o->n = n;
	if (n == 0)
		return (E_EXISTS);
	if (o->m.ndone >= o->m.nrcpt)
		o->m.flags |= MSGF_DONE;
	o->op.kind = STORE_OUTCOME;
	o->op.rcpt = o->rcpt;
	o->op.nrcpt = n;
	return (add_notices(o));
}

/* The recipient's new value into r.  E_EXISTS if there is nothing to change. */
static int
apply_change(struct mail_op *o, struct change *ch, struct recipient *r)
{
	struct queue *q = o->q;
	int64_t now = clock_due(&q->clock);
	struct recipient *p;
	int64_t left;
	int err;

	for (p = o->rcpt; p < r; p++) {
		if (p->index != ch->index)
			continue;
		/* Two words about one recipient: the first stands, but when it is tried next is the operator's. */
		if (ch->kind == CH_RETRY && !rcpt_is_over(p))
			o->soonest = p->next = now;
		return (E_EXISTS);
	}
	if ((err = mail_recipient(q, o->mail, ch->index, r)) != E_OK)
		return (err);
	if (rcpt_is_over(r))
		return (E_EXISTS);
	switch (ch->kind) {
	case CH_RESULT:
		apply_result(o, ch, r);
		break;
	case CH_RETRY:
		r->next = now;
		break;
	default:
		if (ch->r.text[0] != '\0') {
			(void)slice_copy(slice_str(ch->r.text), r->text, sizeof(r->text));
			r->code = 0;
			r->enhanced = (struct enhanced){ 4, 4, 1 };	/* no answer from host */
		}
		if (mail_expires(q, &o->m) <= clock_wall(&q->clock)) {
			r->state = RCPT_EXPIRED;
			r->next = 0;
			o->m.ndone++;
			o->expired++;
			break;
		}
		r->state = r->state == RCPT_PENDING ? RCPT_DEFERRED : r->state;
		left = mail_expires(q, &o->m) - clock_wall(&q->clock);
		r->next = now + (ch->wait_s < left ? ch->wait_s : left);
		o->deferred++;
		break;
	}
	if (r->next != 0 && (o->soonest == 0 || r->next < o->soonest))
		o->soonest = r->next;
	return (E_OK);
}

static void
apply_result(struct mail_op *o, const struct change *ch, struct recipient *r)
{
	struct queue *q = o->q;
	const struct conf *conf = q->room.conf;
	const struct ipc_job_result *res = &ch->r;
	int64_t left, wait;

	r->attempts++;
	r->last = clock_wall(&q->clock);
	r->code = res->code;
	r->enhanced = res->enhanced;
	r->stage = res->stage;
	(void)slice_copy(slice_str(res->relay), r->relay, sizeof(r->relay));
	(void)slice_copy(slice_str(res->text), r->text, sizeof(r->text));
	left = mail_expires(q, &o->m) - clock_wall(&q->clock);
	switch (res->outcome) {
	case OUT_DELIVERED:
		r->state = RCPT_DELIVERED;
		o->delivered++;
		break;
	case OUT_PERMFAIL:
		r->state = RCPT_FAILED;
		o->failed++;
		break;
	default:
		if (left <= 0) {
			r->state = RCPT_EXPIRED;
			o->expired++;
			break;
		}
		r->state = res->outcome == OUT_UNSURE ? RCPT_UNSURE : RCPT_DEFERRED;
		wait = sched_retry_delay(conf->queue.retry, conf->queue.nretry, r->attempts,
		    res->retry_hint, o->rnd);
		/* The last attempt comes when the time is over, not a whole step later. */
		if (wait > left)
			wait = left;
		r->next = clock_due(&q->clock) + wait;
		o->deferred++;
		return;
	}
	r->next = 0;
	o->m.ndone++;
}

/* At most one notice an operation: what failed comes first, a delay is told with the next attempt. */
static int
add_notices(struct mail_op *o)
{
	struct queue *q = o->q;
	int64_t age = clock_age(&q->clock, o->m.msgid, o->m.arrival);
	uint32_t delay = q->room.conf->queue.delay_notice;
	int err;

	if (o->failed != 0 || o->expired != 0) {
		err = bounce_make(q, o->mail, NOTICE_FAILURE, o->rcpt, o->n, &o->op.also);
		if (err != E_AGAIN)
			return (err);
		keep_for_notice(o);
		return (E_OK);
	}
	if (o->deferred == 0 || delay == 0 || age < delay || (o->m.flags & MSGF_DELAY_SENT) != 0)
		return (E_OK);
	err = bounce_make(q, o->mail, NOTICE_DELAY, o->rcpt, o->n, &o->op.also);
	if (err == E_OK && o->op.also != NULL)
		o->m.flags |= MSGF_DELAY_SENT;
	return (E_OK);		/* a delay that cannot be told now is told later */
}

/*
 * R16: there may be no notice now.  Nobody's end may be kept back for that in memory, where it would
 * stand in the way of other mail and of deliver's jobs: the recipients stay in the queue as
 * deferred, with what was said of them, and have their end with a later attempt (G2).
 */
static void
keep_for_notice(struct mail_op *o)
{
	const struct conf *conf = o->q->room.conf;
	struct recipient *r;
	uint32_t n = 0;

	for (r = o->rcpt; r < o->rcpt + o->n; r++) {
		if (r->state != RCPT_FAILED && r->state != RCPT_EXPIRED)
			continue;
		r->state = RCPT_DEFERRED;
		r->noticed = 0;
		r->next = clock_due(&o->q->clock) +
		    sched_retry_delay(conf->queue.retry, conf->queue.nretry, r->attempts, 0, o->rnd);
		if (o->soonest == 0 || r->next < o->soonest)
			o->soonest = r->next;
		o->m.ndone--;
		n++;
	}
	o->m.flags &= ~(uint32_t)MSGF_DONE;
	o->failed = o->expired = 0;
	o->deferred += n;
	qlog_notice_waits(o->m.msgid, n);
}

static void
on_stored(struct store_op *op, int err)
{
	struct mail_op *o = op->arg;
	struct queue *q = o->q;

	if (err == E_FULL || err == E_IO || err == E_NOMEM) {
		o->next = q->failed;
		q->failed = o;
		return;
	}
	op_finish(o, err);
}

/* Durable, or there is nothing left to write to (E_NOTFOUND, E_CORRUPT): then the changes are moot. */
static void
op_finish(struct mail_op *o, int err)
{
	struct queue *q = o->q;
	struct mail *m = o->mail;
	struct change *ch, *next;
	uint32_t i;

	if (err != E_OK && err != E_NOTFOUND)
		qlog_damaged(m->msgid, "outcome", err);
	if (err == E_OK) {
		m->m = o->m;
		for (i = 0; o->rcpt != NULL && i < o->op.nrcpt; i++) {
			if (m->rcpt != NULL)
				m->rcpt[o->rcpt[i].index] = o->rcpt[i];
			if (o->rcpt[i].state == RCPT_EXPIRED)
				qlog_expired(m->msgid, &o->rcpt[i],
				    clock_age(&q->clock, m->msgid, m->m.arrival));
		}
		q->count.delivered += o->delivered;
		q->count.failed += o->failed;
		q->count.expired += o->expired;
		q->count.deferred += o->deferred;
		if (o->op.done != NULL && o->op.kind == STORE_OUTCOME && (o->m.flags & MSGF_DONE))
			qlog_removed(m->msgid);
	}
	for (ch = o->changes; ch != NULL; ch = next) {
		next = ch->next;
		if (ch->kind <= CH_RETRY)
			mail_forget_item(q, m, ch->index);
		if (ch->ack_job != 0)
			queue_ack(q, ch->ack_peer, ch->ack_job);
		if (ch->wait != NULL)
			control_done(q, ch->wait, err);
		if (ch->kind == CH_RELEASE && err == E_OK)
			feed_note(q, 0);
		if (ch->kind == CH_TRASH && err == E_OK)
			m->m.flags |= MSGF_HELD;	/* what waits in memory is not to be tried */
		q->nchange--;
		change_free(q, ch);
	}
	o->changes = NULL;
	if (err == E_OK && o->soonest != 0)
		feed_note(q, o->soonest);
	m->op = NULL;
	op_free(o);
	m->jobs++;			/* what starts now may end at once */
	op_start(q, m);
	m->jobs--;
	mail_release(q, m);
	feed_more(q);
}

static void
op_free(struct mail_op *o)
{
	struct change *ch;

	while ((ch = o->changes) != NULL) {
		o->changes = ch->next;
		change_free(o->q, ch);
	}
	free(o->rcpt);
	free(o);
}
