/*
 * control_change.c -- what an operator changes: hold, release, retry, delete, undo, pause.  Shell.
 *
 * Each change goes the way of all changes of a message (outcome.c) and is logged with the operator's uid; the
 * answer waits until all of them are durable (struct client_wait).
 */
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "queue/control.h"

static void	on_simple(struct store_op *, int);
static struct client_wait *wait_of(struct client *);
static void	add_change(struct client *, uint64_t, enum change_kind, uint32_t);

struct simple_op {			/* an operation without a mail in memory */
	struct store_op	 op;		/* first */
	struct queue	*q;
	struct client_wait *wait;
};

void
control_change(struct client *c, const struct message *m)
{
	if ((m->flags & MSGF_DAMAGED) && c->req.verb != CTL_DELETE)
		return;			/* there is nothing to try or to keep */
	switch (c->req.verb) {
	case CTL_HOLD:
		if ((m->flags & MSGF_HELD) == 0) {
			qlog_operator(m->msgid, "held", c->uid);
			add_change(c, m->msgid, CH_HOLD, 0);
		}
		break;
	case CTL_RELEASE:
		if (m->flags & MSGF_HELD) {
			qlog_operator(m->msgid, "released", c->uid);
			add_change(c, m->msgid, CH_RELEASE, 0);
		}
		break;
	case CTL_DELETE:
		qlog_operator(m->msgid, "deleted", c->uid);
		if (m->flags & MSGF_DAMAGED)	/* no mail can be made of it */
			control_submit(c, STORE_TRASH, m->msgid, NULL, 0);
		else
			add_change(c, m->msgid, CH_TRASH, 0);
		break;
	case CTL_UNDO:
		qlog_operator(m->msgid, "undeleted", c->uid);
		control_submit(c, STORE_UNDO, m->msgid, NULL, 0);
		break;
	default:
		control_retry(c, m);
		break;
	}
}

void
control_retry(struct client *c, const struct message *m)
{
	struct retried done;

	if (wait_of(c) == NULL ||
	    retry_message(c->q, m, c->req.verb == CTL_FLUSH ? c->req.text : NULL, c->wait, &done) != E_OK)
		return;
	qlog_operator(m->msgid, "retried", c->uid);
	if (done.changed == 0)
		c->count++;
}

static void
add_change(struct client *c, uint64_t msgid, enum change_kind kind, uint32_t index)
{
	struct change *ch;
	struct mail *mail;

	if (wait_of(c) == NULL)
		return;
	if (mail_get(c->q, msgid, &mail) != E_OK || (ch = change_new(c->q, kind, index)) == NULL) {
		c->wait->failed++;
		return;
	}
	ch->wait = c->wait;
	c->wait->pending++;
	mail_change(c->q, mail, ch);
}

void
control_submit(struct client *c, enum store_op_kind kind, uint64_t msgid, const char *name, uint64_t value)
{
	struct simple_op *s;

	if (wait_of(c) == NULL)
		return;
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		c->wait->failed++;
		return;
	}
	s->q = c->q;
	s->wait = c->wait;
	s->op.kind = kind;
	s->op.done = on_simple;
	s->op.msgid = msgid;
	s->op.name = name;
	s->op.value = value;
	c->wait->pending++;
	store_submit(c->q->store, &s->op);
}

static void
on_simple(struct store_op *op, int err)
{
	struct simple_op *s = (struct simple_op *)op;
	struct mail *m;

	if (op->kind == STORE_UNDO && err == E_OK) {
		/* A job that outlived the deletion may still hold the old record. */
		if ((m = mail_find(s->q, op->msgid)) != NULL)
			m->m.flags &= ~(uint32_t)MSGF_HELD;
		feed_note(s->q, 0);
	}
	control_done(s->q, s->wait, err);
	free(s);
}

static struct client_wait *
wait_of(struct client *c)
{
	if (c->wait == NULL && (c->wait = calloc(1, sizeof(*c->wait))) != NULL)
		c->wait->client = c;
	return (c->wait);
}

void
control_done(struct queue *q, struct client_wait *w, int err)
{
	w->pending--;
	if (err == E_OK)
		w->changed++;
	else
		w->failed++;
	if (w->client == NULL) {
		if (w->pending == 0)
			free(w);
		return;
	}
	if (w->complete && w->pending == 0)
		control_finish(w->client);
}
