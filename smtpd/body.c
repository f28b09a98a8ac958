/*
 * body.c -- DATA and what follows it, up to queue's answer.  Core.
 *
 * RFC 5321 4.1.1.4, 4.5.2, 6.3.  A message that is refused on the way (too large, too many hops, no
 * room) is read on to its final dot, within a bound (R4), so that the client gets to
 * read why.  A bare CR or LF is refused at once and ends the session: nobody could say
 * where that message ends.
 */
#include <string.h>

#include "common/err.h"
#include "smtpd/session.h"

static const struct {
	unsigned	 code;
	const char	*enhanced;
	const char	*text;
} fates[FATES] = {
	[FATE_SIZE] =	{ 552, "5.3.4", "message size exceeds the limit" },
	[FATE_HOPS] =	{ 554, "5.4.6", "too many hops, this is a loop" },
	[FATE_FULL] =	{ 452, "4.3.1", "no room for messages now" },
	[FATE_IO] =	{ 451, "4.3.0", "the message could not be stored now" },
	[FATE_MEMORY] =	{ 452, "4.3.0", "no memory for this message now" },
};

int
smtp_queue_takes(struct smtp_session *s)
{
	if (!s->env->queue_up || s->env->pressure == PRESSURE_IO) {
		smtp_refuse(s, 451, "4.3.0", "messages cannot be stored now");
		return (0);
	}
	if (s->env->pressure != PRESSURE_NONE) {
		smtp_refuse(s, 452, "4.3.1", "no room for messages now");
		return (0);
	}
	return (1);
}

void
cmd_data(struct smtp_session *s)
{
	if (!smtp_queue_takes(s))
		return;
	if (s->name_pending && s->now_ms < s->opened_ms + NAME_WAIT_MS) {
		smtp_set_state(s, ST_NAME);
		return;
	}
	smtp_body_start(s);
}

void
smtp_body_start(struct smtp_session *s)
{
	struct smtp_txn	*t = s->txn;

	t->since_ms = t->last_ms = s->now_ms;
	t->window = TXN_WINDOW;
	data_init(&t->dec);
	trace_init(&t->trace);
	smtp_set_state(s, ST_DATA);
	smtp_reply(s, 354, NULL, "end with CR LF . CR LF");
}

/* From now on octets are dropped. */
static void
fail(struct smtp_session *s, enum smtp_fate fate)
{
	struct smtp_txn	*t = s->txn;

	if (t->begun) {
		s->env->ops->txn_abort(s);
		t->begun = 0;
	}
	t->fate = fate;
}

static enum smtp_fate
fate_of(int err)
{
	return (err == E_LIMIT || err == E_NOMEM ? FATE_MEMORY : FATE_IO);
}

static int
begin(struct smtp_session *s)
{
	int	err;

	if (s->txn->begun)
		return (E_OK);
	if ((err = s->env->ops->txn_begin(s)) == E_OK)
		s->txn->begun = 1;
	return (err);
}

static void
take_run(struct smtp_session *s, struct slice run)
{
	struct smtp_txn	*t = s->txn;
	uint64_t	 limit = s->env->conf->message_size_limit;
	int		 err, over = 0;

	if (limit == 0)
		limit = MESSAGE_SIZE_MAX;
	if (t->body_len > limit || run.n > limit - t->body_len) {
		run.n = t->body_len < limit ? (size_t)(limit - t->body_len) : 0;
		over = 1;
	}
	trace_feed(&t->trace, run);	/* first: cuts must not decide which reason is given */
	if (t->trace.received > HOPS_MAX || over) {
		fail(s, t->trace.received > HOPS_MAX ? FATE_HOPS : FATE_SIZE);
		return;
	}
	if ((err = begin(s)) != E_OK || (err = s->env->ops->txn_body(s, run)) != E_OK) {
		fail(s, fate_of(err));
		return;
	}
	t->body_len += run.n;
	t->window -= (uint32_t)run.n;
}

static void
final_dot(struct smtp_session *s)
{
	struct smtp_txn	*t = s->txn;
	int		 err;

	t->last_ms = s->now_ms;
	if (t->fate == FATE_OK &&
	    ((err = begin(s)) != E_OK || (err = s->env->ops->txn_commit(s)) != E_OK))
		fail(s, fate_of(err));
	if (t->fate == FATE_OK)
		smtp_set_state(s, ST_COMMIT);
	else
		smtp_body_reply(s, t->fate);
}

/* The end of a message that was not taken. */
void
smtp_body_reply(struct smtp_session *s, enum smtp_fate fate)
{
	s->verb = "DATA";
	s->args = slice_make(NULL, 0);
	smtp_refuse(s, fates[fate].code, fates[fate].enhanced, "%s", fates[fate].text);
	smtp_reset(s);
}

/* Reading on only so that the reply is heard has an end. */
static int
discarded_enough(const struct smtp_session *s)
{
	uint64_t	limit = s->env->conf->message_size_limit;

	if (limit == 0)
		limit = MESSAGE_SIZE_MAX;
	limit += limit > DISCARD_MIN ? limit : DISCARD_MIN;
	return (s->txn->octets_in > limit);
}

size_t
smtp_body_input(struct smtp_session *s, struct slice in)
{
	struct smtp_txn	*t = s->txn;
	enum data_event	 ev;
	struct slice	 run;
	size_t		 off = 0, used, max;

	s->verb = "DATA";
	s->args = slice_make(NULL, 0);
	t->last_ms = s->now_ms;
	while (off < in.n) {
		max = t->fate != FATE_OK ? SIZE_MAX : s->env->throttled ? 0 : t->window;
		ev = data_decode(&t->dec, slice_make(in.p + off, in.n - off), max, &used, &run);
		if (ev == DATA_MORE && used == 0) {
			t->blocked_ms = s->now_ms != 0 ? s->now_ms : 1;
			break;
		}
		off += used;
		t->octets_in += used;
		if (ev == DATA_BARE_CR || ev == DATA_BARE_LF) {
			smtp_refuse_close(s, ev == DATA_BARE_CR ? "bare-cr" : "bare-lf", 554,
			    "5.6.11",
			    "bare %s in the message: lines end with CR LF",
			    ev == DATA_BARE_CR ? "CR" : "LF");
			return (in.n);
		}
		if (run.n != 0 && t->fate == FATE_OK)
			take_run(s, run);
		if (ev == DATA_END) {
			final_dot(s);
			break;
		}
		if (t->fate != FATE_OK && run.n != 0 && discarded_enough(s)) {
			smtp_refuse_close(s, "discard", fates[t->fate].code,
			    fates[t->fate].enhanced,
			    "%s", fates[t->fate].text);
			return (in.n);
		}
	}
	return (off);
}

/* Progress is due at data-timeout after the last octets, and min-rate over the whole of it, with
 * data-timeout as the start's allowance (R11). */
uint64_t
smtp_body_deadline(const struct smtp_session *s)
{
	const struct conf	*conf = s->env->conf;
	const struct smtp_txn	*t = s->txn;
	uint64_t		 allow = conf->smtpd.data_timeout * UINT64_C(1000), idle, rate;

	if (t->blocked_ms != 0)
		return (t->blocked_ms + COMMIT_WAIT_MS);
	idle = t->last_ms + allow;
	if (conf->smtpd.min_rate == 0)
		return (idle);
	rate = t->since_ms + allow + t->octets_in / conf->smtpd.min_rate * 1000;
	return (idle < rate ? idle : rate);
}
