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
#include "queue/dispatch.h"
#include "queue/outcome.h"

static void	append(struct queue *, struct mail *, struct change *);
static void	op_start(struct queue *, struct mail *);
static int	op_of_message(struct mail_op *, struct change *);
static int	op_of_recipients(struct mail_op *);
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

/*
 * The next operation of this message: one change of the whole message, or those of recipients in a row, so many
 * that the loop and the store are not held up by them.
 */
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
		o->patient &= ch->kind == CH_POSTPONE || ch->kind == CH_RETRY || ch->kind == CH_UNTIL;
	} while (ch->kind <= CH_RETRY && m->pend_head != NULL && m->pend_head->kind <= CH_RETRY &&
	    o->n < OUTCOME_MAX);
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
		o->m.flags |= MSGF_HELD | (ch->damaged ? MSGF_HELD_DAMAGED : 0);
		o->op.kind = STORE_MESSAGE;
		break;
	case CH_RELEASE:
		o->m.flags &= ~(uint32_t)(MSGF_HELD | MSGF_HELD_RULE | MSGF_HELD_DAMAGED);
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
		err = outcome_apply(o, ch, &o->rcpt[n]);
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
	o->op.kind = STORE_OUTCOME;
	o->op.rcpt = o->rcpt;
	o->op.nrcpt = n;
	if ((err = outcome_notices(o)) != E_OK)
		return (err);
	if (o->m.ndone >= o->m.nrcpt)
		o->m.flags |= MSGF_DONE;
	return (E_OK);
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
		if (ch->kind == CH_DEADLINE && !ch->stale && err == E_OK)
			qlog_deadline(&o->m, ch->index);
		/* "Unsure" was written as its channel ended, but the deliver lives and goes on: no second attempt. */
		if (ch->kind <= CH_RETRY && !job_holds(q, m, ch->index))
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
