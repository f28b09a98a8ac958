/*
 * body.c -- DATA and what follows it, up to queue's answer; a message's octets, by DATA or BDAT.
 * Core.
 *
 * RFC 5321 4.1.1.4, 4.5.2, 6.3.  A message that is refused on the way (too large, too many hops, no
 * room) is read on to its end, within a bound (R4), so that the client gets to
 * read why.  A bare CR or LF in DATA is refused at once and ends the session: nobody could say
 * where that message ends.  In a chunk its end is known, and only the message is refused.
 *
 * Octets go through the lines (lines.h, where they are asked about), the header section (header.h),
 * and to queue.
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
	[FATE_EXPANSION] =	{ 554, "5.4.6", "the recipients' aliases lead to too many addresses, or to none" },
	[FATE_HEADER_SIZE] =	{ 552, "5.3.4", "the header section exceeds the limit (header-size-max)" },
	[FATE_HEADER_COUNT] =	{ 552, "5.3.4", "too many header fields (header-count-max)" },
	[FATE_LINE] =	{ 554, "5.6.0", "a line exceeds the limit (line-max)" },
	[FATE_NUL] =	{ 550, "5.6.0", "a NUL in the header section" },
	[FATE_FROM] =	{ 554, "5.6.0", "more than one From field: RFC 5322 3.6 allows one" },
	[FATE_BARE_CR] =	{ 554, "5.6.11", "bare CR in the message: lines end with CR LF" },
	[FATE_BARE_LF] =	{ 554, "5.6.11", "bare LF in the message: lines end with CR LF" },
};

static const enum smtp_fate header_fates[HEADER_EVENTS] = {
	[HEADER_HOPS] =		FATE_HOPS,
	[HEADER_SIZE] =		FATE_HEADER_SIZE,
	[HEADER_COUNT] =	FATE_HEADER_COUNT,
	[HEADER_NUL] =		FATE_NUL,
	[HEADER_FROM] =		FATE_FROM,
};

static const enum smtp_fate lines_fates[LINES_EVENTS] = {
	[LINES_BARE_CR] =	FATE_BARE_CR,
	[LINES_BARE_LF] =	FATE_BARE_LF,
	[LINES_LONG] =		FATE_LINE,
};

enum smtp_fate
smtp_queue_fate(const struct smtp_session *s)
{
	if (!s->env->queue_up || s->env->pressure == PRESSURE_IO)
		return (FATE_IO);
	return (s->env->pressure != PRESSURE_NONE ? FATE_FULL : FATE_OK);
}

int
smtp_queue_takes(struct smtp_session *s)
{
	enum smtp_fate	fate = smtp_queue_fate(s);

	if (fate == FATE_IO)
		smtp_refuse(s, 451, "4.3.0", "messages cannot be stored now");
	else if (fate != FATE_OK)
		smtp_refuse(s, 452, "4.3.1", "no room for messages now");
	return (fate == FATE_OK);
}

void
cmd_data(struct smtp_session *s)
{
	if (s->txn->body == BODY_BINARY) {
		smtp_refuse(s, 503, "5.5.1", "a BINARYMIME message comes by BDAT");	/* RFC 3030 3 */
		return;
	}
	if (!smtp_queue_takes(s))
		return;
	if (s->name_pending && s->now_ms < s->opened_ms + NAME_WAIT_MS) {
		smtp_set_state(s, ST_NAME);
		return;
	}
	smtp_body_start(s);
}

void
smtp_body_begin(struct smtp_session *s, int chunks)
{
	const struct conf	*conf = s->env->conf;
	struct smtp_txn		*t = s->txn;

	t->since_ms = t->last_ms = s->now_ms;
	t->window = TXN_WINDOW;
	/* As they are now, for the whole of the message: a reload may come in the midst of it. */
	t->limits.size = conf->smtpd.header_size_max;
	t->limits.count = conf->smtpd.header_count_max;
	t->line_max = conf->smtpd.line_max;
	t->lined = chunks || t->line_max != 0;
	t->ending = 0;
	smtp_rewrite_begin(s);
	t->size_max = conf->message_size_limit != 0 ? conf->message_size_limit : MESSAGE_SIZE_MAX;
	data_init(&t->dec);
	header_init(&t->header);
	t->header.missing = smtp_missing_wanted(s) ? smtp_missing : NULL;
	lines_init(&t->lines);
	s->chunk.told = 0;
}

void
smtp_body_start(struct smtp_session *s)
{
	smtp_body_begin(s, 0);
	smtp_set_state(s, ST_DATA);
	smtp_reply(s, 354, NULL, "end with CR LF . CR LF");
}

void
smtp_body_fail(struct smtp_session *s, enum smtp_fate fate)
{
	struct smtp_txn	*t = s->txn;

	if (t->begun) {
		s->env->ops->txn_abort(s);
		t->begun = 0;
	}
	t->fate = fate;
	buf_clear(&t->pend);
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

int
smtp_body_queue(struct smtp_session *s, struct slice run)
{
	struct smtp_txn	*t = s->txn;
	int		 err;

	if ((err = begin(s)) != E_OK || (err = s->env->ops->txn_body(s, run)) != E_OK) {
		smtp_body_fail(s, fate_of(err));
		return (err);
	}
	t->body_len += run.n;
	t->window -= (uint32_t)run.n;
	return (E_OK);
}

/* What the header section lets out, and the body. */
static int
hand_on(void *arg, struct slice run)
{
	struct smtp_session	*s = arg;
	int			 err;

	if (!s->txn->rewriting)
		return (smtp_body_queue(s, run));
	if ((err = buf_add(&s->txn->pend, run.p, run.n)) != E_OK)
		smtp_body_fail(s, fate_of(err));
	return (err);
}

/* How many octets of the message can be taken.  While its header section is open something is kept back for
 * what that may hold and add. */
size_t
smtp_body_room(const struct smtp_session *s)
{
	const struct smtp_txn	*t = s->txn;
	uint32_t		 kept = HEADER_HELD_MAX + (t->header.missing != NULL ? HEADER_FIELDS_MAX : 0);

	if (t->rewriting)
		return (REWRITE_STEP);
	if (s->env->throttled || t->pend.len != 0)
		return (0);
	if (header_done(&t->header))
		return (t->window);
	return (t->window > kept ? t->window - kept : 0);
}

/*
 * Where several rules are broken the first place counts, whatever the cuts: each rule shortens the
 * run to what is fine by it, and the next one sees only that.
 */
void
smtp_body_take(struct smtp_session *s, struct slice run)
{
	struct smtp_txn		*t = s->txn;
	struct slice		 fine;
	enum smtp_fate		 fate = FATE_OK;
	enum lines_event	 lev = LINES_OK;
	enum header_event	 hev;

	if (run.n > t->size_max - t->taken) {
		run.n = (size_t)(t->size_max - t->taken);
		fate = FATE_SIZE;
	}
	fine = run;
	if (t->lined)
		fine.n = lines_feed(&t->lines, run, t->line_max, &lev);
	hev = header_feed(&t->header, &t->limits, fine, hand_on, s);
	if (hev == HEADER_OK && t->body == BODY_BINARY && header_done(&t->header)) {
		/* Its header section is lines (RFC 3030 3), what follows is not. */
		t->lined = 0;
		lev = LINES_OK;
		if (fine.n < run.n)
			hev = header_feed(&t->header, &t->limits,
			    slice_make(run.p + fine.n, run.n - fine.n), hand_on, s);
	}
	t->taken += run.n;
	if (hev == HEADER_OUT)
		return;			/* has failed already */
	if (hev == HEADER_OK && t->rewriting && header_done(&t->header))
		smtp_rewrite_done(s);
	if (hev != HEADER_OK)
		smtp_body_fail(s, header_fates[hev]);
	else if (lev != LINES_OK)
		smtp_body_fail(s, lines_fates[lev]);
	else if (fate != FATE_OK)
		smtp_body_fail(s, fate);
}

void
smtp_body_end(struct smtp_session *s)
{
	struct smtp_txn	*t = s->txn;

	t->last_ms = s->now_ms;
	if (t->fate == FATE_OK && t->lined && t->lines.cr)
		smtp_body_fail(s, FATE_BARE_CR);
	if (t->fate == FATE_OK)
		header_end(&t->header, hand_on, s);
	if (t->fate == FATE_OK && t->rewriting)
		smtp_rewrite_done(s);
	if (t->fate == FATE_OK && t->pend.len != 0) {
		t->ending = 1;
		t->blocked_ms = s->now_ms != 0 ? s->now_ms : 1;
	} else
		smtp_body_finish(s);
}

void
smtp_body_finish(struct smtp_session *s)
{
	struct smtp_txn	*t = s->txn;
	int		 err;

	t->ending = 0;
	t->header8 = t->header.eight;
	if (t->fate == FATE_OK &&
	    ((err = begin(s)) != E_OK || (err = s->env->ops->txn_commit(s)) != E_OK))
		smtp_body_fail(s, fate_of(err));
	if (t->fate == FATE_OK)
		smtp_set_state(s, ST_COMMIT);
	else
		smtp_body_reply(s, t->fate);
}

void
smtp_body_refuse(struct smtp_session *s, enum smtp_fate fate)
{
	s->args = slice_make(NULL, 0);
	smtp_refuse(s, fates[fate].code, fates[fate].enhanced, "%s", fates[fate].text);
}

/* The end of a message that was not taken.  RFC 2033 4.2: by LMTP a reply for each recipient; it
 * is one error. */
void
smtp_body_reply(struct smtp_session *s, enum smtp_fate fate)
{
	uint32_t	n = s->lmtp ? s->txn->nrcpt : 1;

	if (s->verb == NULL || strcmp(s->verb, "BDAT") != 0)
		s->verb = "DATA";
	smtp_body_refuse(s, fate);
	while (s->state != ST_CLOSED && --n != 0)
		smtp_reply(s, fates[fate].code, fates[fate].enhanced, fates[fate].text);
	smtp_reset(s);
	if (s->env->stopping)
		smtp_stop(s, 0, s->now_ms);
}

uint64_t
smtp_body_limit(const struct smtp_session *s)
{
	uint64_t	limit = s->env->conf->message_size_limit;

	return (limit != 0 ? limit : MESSAGE_SIZE_MAX);
}

/* Reading on only so that the reply is heard has an end. */
uint64_t
smtp_body_patience(const struct smtp_session *s)
{
	uint64_t	limit = smtp_body_limit(s);

	return (limit + (limit > DISCARD_MIN ? limit : DISCARD_MIN));
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
		max = t->fate != FATE_OK ? SIZE_MAX : smtp_body_room(s);
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
			smtp_body_take(s, run);
		if (ev == DATA_END) {
			smtp_body_end(s);
			break;
		}
		if (t->fate != FATE_OK && run.n != 0 && t->octets_in > smtp_body_patience(s)) {
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
	const struct smtp_chunk	*c = &s->chunk;
	uint64_t		 allow = conf->smtpd.data_timeout * UINT64_C(1000), idle, rate;
	int			 stray = s->state == ST_BDAT && c->skip != NULL;

	if (!stray && t->blocked_ms != 0)
		return (t->blocked_ms + COMMIT_WAIT_MS);
	idle = (stray ? c->last_ms : t->last_ms) + allow;
	if (conf->smtpd.min_rate == 0)
		return (idle);
	rate = (stray ? c->since_ms : t->since_ms) + allow +
	    (stray ? c->size - c->left : t->octets_in) / conf->smtpd.min_rate * 1000;
	return (idle < rate ? idle : rate);
}
