/*
 * outcome_apply.c -- what an attempt's outcome, a deadline or an operator makes of a recipient.  Shell.
 *
 * DELIVERBY (RFC 2852 4.1.3): a recipient is due again at its deadline at the latest.  With by-mode R it fails
 * then with 5.4.7, with N its sender is told and the attempts go on.  Success (RFC 3461 5.2): whoever asked for it is
 * owed a notice, which goes into the store with the outcome or, if there may be none now, keeps the recipient due.
 */
#include "common/err.h"
#include "common/reply.h"
#include "queue/outcome.h"

#define BY_OVER	"the time within which the sender wanted it delivered is over"

static void	apply_result(struct mail_op *, const struct change *, struct recipient *);
static void	apply_postpone(struct mail_op *, const struct change *, struct recipient *);
static void	apply_deadline(struct mail_op *, struct recipient *);
static enum owed owed_for(struct mail_op *, const struct ipc_job_result *, const struct recipient *);
static void	ends(struct mail_op *, struct recipient *, enum rcpt_state);
static int	by_is_over(struct mail_op *);

int
outcome_apply(struct mail_op *o, const struct change *ch, struct recipient *r)
{
	struct queue *q = o->q;
	int64_t now = clock_due(&q->clock), wall = clock_wall(&q->clock);
	struct recipient *p;
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
	if (rcpt_is_ended(r) || rcpt_is_over(r) != (ch->kind == CH_NOTICE))
		return (E_EXISTS);
	switch (ch->kind) {
	case CH_RESULT:
		apply_result(o, ch, r);
		break;
	case CH_RETRY:
		r->next = now;
		break;
	case CH_UNTIL:
		r->next = now + (o->m.hold_until > wall ? o->m.hold_until - wall : 0);
		break;
	case CH_DEADLINE:
		apply_deadline(o, r);
		break;
	case CH_NOTICE:
		break;			/* outcome_notices() sees that it is owed */
	default:
		apply_postpone(o, ch, r);
		break;
	}
	if (r->next != 0 && (o->soonest == 0 || r->next < o->soonest))
		o->soonest = r->next;
	return (E_OK);
}

void
outcome_due(struct mail_op *o, struct recipient *r, int64_t wait)
{
	struct queue *q = o->q;
	int64_t wall = clock_wall(&q->clock), left;

	/* The last attempt comes when the time is over, not a whole step later. */
	left = mail_expires(q, &o->m) - wall;
	if (wait > left)
		wait = left;
	if (o->m.by_mode != BY_NONE && (r->noticed & NOTICED_BY) == 0) {
		left = mail_deadline(q, &o->m) - wall;
		if (wait > left)
			wait = left;
	}
	r->next = clock_due(&q->clock) + (wait > 0 ? wait : 0);
	if (o->soonest == 0 || r->next < o->soonest)
		o->soonest = r->next;
}

static int
by_is_over(struct mail_op *o)
{
	return (o->m.by_mode == BY_RETURN && mail_deadline(o->q, &o->m) <= clock_wall(&o->q->clock));
}

static void
ends(struct mail_op *o, struct recipient *r, enum rcpt_state state)
{
	r->state = (uint8_t)state;
	r->next = 0;
	o->m.ndone++;
	if (state == RCPT_FAILED)
		o->failed++;
	else if (state == RCPT_EXPIRED)
		o->expired++;
	else
		o->delivered++;
}

static void
apply_result(struct mail_op *o, const struct change *ch, struct recipient *r)
{
	struct queue *q = o->q;
	const struct conf *conf = q->room.conf;
	const struct ipc_job_result *res = &ch->r;

	r->attempts++;
	r->last = clock_wall(&q->clock);
	r->code = res->code;
	r->enhanced = res->enhanced;
	r->stage = res->stage;
	(void)slice_copy(slice_str(res->relay), r->relay, sizeof(r->relay));
	(void)slice_copy(slice_str(res->text), r->text, sizeof(r->text));
	if (res->outcome == OUT_DELIVERED) {
		ends(o, r, RCPT_DELIVERED);
		if ((r->owed = (uint8_t)owed_for(o, res, r)) != OWED_NONE) {
			o->m.ndone--;		/* until the notice is made */
			r->next = clock_due(&q->clock);
		}
	} else if (res->outcome == OUT_PERMFAIL) {
		ends(o, r, RCPT_FAILED);
	} else if (by_is_over(o)) {
		r->enhanced = (struct enhanced){ 5, 4, 7 };	/* what was said last is the diagnostic */
		ends(o, r, RCPT_FAILED);
	} else if (mail_expires(q, &o->m) <= clock_wall(&q->clock)) {
		ends(o, r, RCPT_EXPIRED);
	} else {
		r->state = res->outcome == OUT_UNSURE ? RCPT_UNSURE : RCPT_DEFERRED;
		outcome_due(o, r, sched_retry_delay(conf->queue.retry, conf->queue.nretry, r->attempts,
		    res->retry_hint, o->rnd));
		o->deferred++;
	}
}

static void
apply_postpone(struct mail_op *o, const struct change *ch, struct recipient *r)
{
	if (ch->r.text[0] != '\0') {
		(void)slice_copy(slice_str(ch->r.text), r->text, sizeof(r->text));
		r->code = 0;
		r->enhanced = (struct enhanced){ 4, 4, 1 };	/* no answer from host */
	}
	if (mail_expires(o->q, &o->m) <= clock_wall(&o->q->clock)) {
		ends(o, r, RCPT_EXPIRED);
		return;
	}
	r->state = r->state == RCPT_PENDING ? RCPT_DEFERRED : r->state;
	outcome_due(o, r, ch->wait_s);
	o->deferred++;
}

static void
apply_deadline(struct mail_op *o, struct recipient *r)
{
	if (o->m.by_mode != BY_RETURN) {
		r->next = clock_due(&o->q->clock);	/* the attempts go on; outcome_notices() tells the sender */
		return;
	}
	r->enhanced = (struct enhanced){ 5, 4, 7 };
	if (r->attempts == 0) {
		r->code = 0;
		(void)slice_copy(SLICE_LIT(BY_OVER), r->text, sizeof(r->text));
	}
	ends(o, r, RCPT_FAILED);
}

/* RFC 3461 5.2.1 to 5.2.3; RFC 2852 4.1.4 and 4.1.4.2 for what is relayed. */
static enum owed
owed_for(struct mail_op *o, const struct ipc_job_result *res, const struct recipient *r)
{
	int asked = (r->notify & NOTIFY_SUCCESS) != 0;

	if (rcpt_sender(&o->m, r)[0] == '\0' || (r->notify & NOTIFY_NEVER) != 0)
		return (OWED_NONE);
	if (res->handed == HANDED_FINAL)
		return (asked ? OWED_DELIVERED : OWED_NONE);
	if (res->handed == HANDED_PLAIN && asked)
		return (OWED_RELAYED);
	if (o->m.by_mode == BY_NONE || r->owned)
		return (OWED_NONE);
	if (o->m.flags & MSGF_BY_TRACE)
		return (OWED_RELAYED);
	return (o->m.by_mode == BY_NOTIFY && !res->by_passed &&
	    mail_deadline(o->q, &o->m) > clock_wall(&o->q->clock) ? OWED_RELAYED : OWED_NONE);
}
