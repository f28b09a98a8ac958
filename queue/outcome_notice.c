/*
 * outcome_notice.c -- which notices an operation's recipients call for, one for each kind and each sender.  Shell.
 *
 * What failed and what succeeded is told in the same transaction as the outcome; a deadline that passed
 * (RFC 2852 4.1.3) once a recipient; a delay once a message.  A list's members have the list's owner as
 * sender, so notices about them go there (RFC 3461 5.2.7.1).
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "queue/outcome.h"

#define AGAIN_S		30	/* seconds, and up to as many more, until a notice that may not be made now */

enum telling { TELL_FAILURE, TELL_SUCCESS, TELL_BY, TELL_DELAY };

static int	forget(struct mail_op *, int);
static int	tell(struct mail_op *, enum telling);
static int	tell_group(struct mail_op *, enum telling, uint32_t, uint8_t *);
static int	calls_for(struct mail_op *, enum telling, const struct recipient *);
static int	is_wanted(const struct mail_op *, enum telling, const struct recipient *);
static void	told_now(struct mail_op *, enum telling, struct recipient *);
static void	told_later(struct mail_op *, enum telling, struct recipient *);

int
outcome_notices(struct mail_op *o)
{
	int64_t age = clock_age(&o->q->clock, o->m.msgid, o->m.arrival);
	uint32_t delay = o->q->room.conf->queue.delay_notice;
	int err;

	if ((err = tell(o, TELL_FAILURE)) != E_OK || (err = tell(o, TELL_SUCCESS)) != E_OK ||
	    (err = tell(o, TELL_BY)) != E_OK)
		return (forget(o, err));
	/* RFC 4865: what was asked for is no delay. */
	if (o->m.hold_until > o->m.arrival)
		age -= o->m.hold_until - o->m.arrival;
	if (o->failed != 0 || o->expired != 0 || o->deferred == 0 || delay == 0 || age < delay ||
	    (o->m.flags & MSGF_DELAY_SENT) != 0)
		return (E_OK);
	err = tell(o, TELL_DELAY);
	return (err == E_OK ? E_OK : forget(o, err));
}

/* The operation is made again later, and its notices with it. */
static int
forget(struct mail_op *o, int err)
{
	struct store_op *op;

	while ((op = o->op.also) != NULL) {
		o->op.also = op->also;
		op->done(op, E_NOTFOUND);
	}
	return (err);
}

/* Those that call for it, in groups of one sender each. */
static int
tell(struct mail_op *o, enum telling what)
{
	uint8_t *seen = NULL;
	uint32_t i;
	int err = E_OK;

	for (i = 0; i < o->n && err == E_OK; i++) {
		if (!calls_for(o, what, &o->rcpt[i]) || (seen != NULL && seen[i]))
			continue;
		if (seen == NULL && (seen = calloc(o->n, 1)) == NULL)
			return (E_NOMEM);
		err = tell_group(o, what, i, seen);
	}
	free(seen);
	return (err);
}

static int
tell_group(struct mail_op *o, enum telling what, uint32_t first, uint8_t *seen)
{
	static const enum notice_kind kinds[] = {
		[TELL_FAILURE] = NOTICE_FAILURE, [TELL_SUCCESS] = NOTICE_SUCCESS,
		[TELL_BY] = NOTICE_DELAY, [TELL_DELAY] = NOTICE_DELAY,
	};
	const struct recipient *one = &o->rcpt[first];
	struct bounce b = { .kind = kinds[what], .by = what == TELL_BY, .owned = one->owned };
	struct store_op **tail;
	struct recipient *r;
	uint32_t i;
	int err;

	b.sender = rcpt_sender(&o->m, one);
	if ((b.rcpt = calloc(o->n - first, sizeof(*b.rcpt))) == NULL)
		return (E_NOMEM);
	for (i = first; i < o->n; i++) {
		r = &o->rcpt[i];
		if (seen[i] || !calls_for(o, what, r) || r->owned != one->owned ||
		    strcmp(rcpt_sender(&o->m, r), b.sender) != 0)
			continue;
		seen[i] = 2;		/* of this group */
		b.nall++;
		if (is_wanted(o, what, r))
			b.rcpt[b.n++] = *r;
	}
	for (tail = &o->op.also; *tail != NULL; tail = &(*tail)->also)
		;
	err = bounce_make(o->q, o->mail, &b, tail);
	for (i = first; i < o->n && (err == E_OK || err == E_AGAIN); i++) {
		if (seen[i] != 2)
			continue;
		seen[i] = 1;
		if (err == E_OK)
			told_now(o, what, &o->rcpt[i]);
		else
			told_later(o, what, &o->rcpt[i]);
	}
	if (err == E_AGAIN && what != TELL_DELAY)
		qlog_notice_waits(o->m.msgid, b.nall);
	if (err == E_OK && *tail != NULL && what == TELL_DELAY)
		o->m.flags |= MSGF_DELAY_SENT;
	if (err == E_OK && *tail != NULL && what == TELL_BY)
		o->m.flags |= MSGF_BY_SENT;
	free(b.rcpt);
	return (err == E_AGAIN ? E_OK : err);
}

static int
calls_for(struct mail_op *o, enum telling what, const struct recipient *r)
{
	switch (what) {
	case TELL_FAILURE:
		return ((r->state == RCPT_FAILED || r->state == RCPT_EXPIRED) && (r->noticed & NOTICED_FINAL) == 0);
	case TELL_SUCCESS:
		return (r->state == RCPT_DELIVERED && r->owed != OWED_NONE);
	case TELL_BY:
		return (!rcpt_is_over(r) && o->m.by_mode == BY_NOTIFY && (r->noticed & NOTICED_BY) == 0 &&
		    mail_deadline(o->q, &o->m) <= clock_wall(&o->q->clock));
	default:
		return (r->state == RCPT_DEFERRED || r->state == RCPT_UNSURE);
	}
}

/* NOTIFY=NEVER is the sender's wish.  On our own notices it keeps others from answering them; the
 * postmaster is told all the same. */
static int
is_wanted(const struct mail_op *o, enum telling what, const struct recipient *r)
{
	if (o->m.flags & MSGF_NOTICE)
		return (1);
	if (what == TELL_SUCCESS)	/* owed is what was asked for, by NOTIFY or by BY */
		return ((r->notify & NOTIFY_NEVER) == 0);
	return (notice_wanted(what == TELL_FAILURE ? NOTICE_FAILURE : NOTICE_DELAY, r->notify));
}

static void
told_now(struct mail_op *o, enum telling what, struct recipient *r)
{
	switch (what) {
	case TELL_FAILURE:
		r->noticed |= NOTICED_FINAL;
		/* FALLTHROUGH */
	case TELL_SUCCESS:
		if (r->owed == OWED_NONE)
			break;
		r->owed = OWED_NONE;
		r->next = 0;
		o->m.ndone++;
		break;
	case TELL_BY:
		r->noticed |= NOTICED_BY;
		break;
	default:
		break;
	}
}

/*
 * R16: there may be no notice now.  Nobody's end may be kept back for that in memory, where it would
 * stand in the way of other mail and of deliver's jobs.  What is owed one stays due for it; what
 * failed just now stays in the queue as deferred, with what was said of it, and has its end with a later
 * attempt (G2).
 */
static void
told_later(struct mail_op *o, enum telling what, struct recipient *r)
{
	const struct conf *conf = o->q->room.conf;

	if (what == TELL_DELAY)
		return;			/* with the next attempt */
	if (what == TELL_FAILURE && r->owed == OWED_NONE) {
		if (r->state == RCPT_FAILED)
			o->failed--;
		else
			o->expired--;
		r->state = RCPT_DEFERRED;
		o->m.ndone--;
		o->deferred++;
		r->next = clock_due(&o->q->clock) +
		    sched_retry_delay(conf->queue.retry, conf->queue.nretry, r->attempts, 0, o->rnd);
	} else if (what != TELL_BY || r->next < clock_due(&o->q->clock) + AGAIN_S) {
		r->next = clock_due(&o->q->clock) + AGAIN_S + o->rnd % AGAIN_S;
	}
	if (o->soonest == 0 || r->next < o->soonest)
		o->soonest = r->next;
}
