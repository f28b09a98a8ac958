/*
 * client.c -- the SMTP client: events, commands, the body, and what is given to the shell.  Core.
 * Transactions begin in client_mail.c; replies and what they mean are in client_reply.c.  RFC 5321,
 * 2920.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "deliver/client_int.h"
#include "deliver/deliver_limits.h"

#define LINE_MAX_OUT	1024	/* our longest command: RCPT, a path of 322 octets, NOTIFY, ORCPT */

static int	client_sweep_step(struct client *, struct client_result *);
static uint64_t	body_deadline(const struct client *);

void
client_init(struct client *c, const char *hostname, const struct conf_timeouts *t)
{
	memset(c, 0, sizeof(*c));
	c->hostname = hostname;
	c->timeouts = t;
	c->deadline_ms = UINT64_MAX;
	buf_init(&c->out, COMMANDS_MAX);
	buf_init(&c->auth.held, AUTH_RESPONSE_MAX);
	reply_parser_init(&c->in);
	c->state = CS_CONNECT;
}

void
client_clear(struct client *c)
{
	client_out_taken(c, c->out.len);
	if (c->auth.held.p != NULL)
		explicit_bzero(c->auth.held.p, c->auth.held.size);
	buf_clear(&c->auth.held);
	buf_clear(&c->out);
}

void
client_secure(struct client *c, const struct tls_policy *p, int in_clear, int login)
{
	c->policy = p;
	c->in_clear = in_clear != 0;
	c->login = login != 0;
}

void
client_out_taken(struct client *c, size_t n)
{
	buf_drain(&c->out, n);
	if (!c->secret || c->out.len != 0)
		return;
	c->secret = 0;
	explicit_bzero(c->out.p, c->out.size);
}

/* ---- what waits, and for how long ---- */

static const struct {
	const char	*name;		/* "timed out waiting for ..." */
	enum stage	 stage;
} states[CLIENT_STATES] = {
	[CS_CONNECT] =	{ "the connection", STAGE_CONNECT },
	[CS_GREETING] =	{ "the greeting", STAGE_GREETING },
	[CS_EHLO] =	{ "the reply to EHLO", STAGE_HELO },
	[CS_HELO] =	{ "the reply to HELO", STAGE_HELO },
	[CS_READY] =	{ "a message to send", STAGE_MAIL },
	[CS_RSET] =	{ "the reply to RSET", STAGE_MAIL },
	[CS_MAIL] =	{ "the reply to MAIL", STAGE_MAIL },
	[CS_RCPT] =	{ "the reply to RCPT", STAGE_RCPT },
	[CS_DATA] =	{ "the reply to DATA", STAGE_DATA },
	[CS_BODY] =	{ "the host to take the body", STAGE_BODY },
	[CS_DOT] =	{ "the reply to the end of data", STAGE_DOT },
	[CS_NULLDOT] =	{ "the reply to the end of no data", STAGE_DATA },
	[CS_CHUNKS] =	{ "the replies to chunks", STAGE_BODY },
	[CS_UNDO] =	{ "the reply to RSET", STAGE_RCPT },
	[CS_STARTTLS] =	{ "the reply to STARTTLS", STAGE_TLS },
	[CS_TLS] =	{ "the end of the TLS handshake", STAGE_TLS },
	[CS_LOGIN] =	{ "what to say to AUTH", STAGE_AUTH },
	[CS_AUTH] =	{ "the reply to AUTH", STAGE_AUTH },
	[CS_QUIT] =	{ "the reply to QUIT", STAGE_DOT },
	[CS_OVER] =	{ "nothing", STAGE_CONNECT },
};

const char *
client_state_name(enum client_state s)
{
	return (states[s].name);
}

enum stage
client_stage(enum client_state s)
{
	return (states[s].stage);
}

static uint64_t
state_timeout_ms(const struct client *c, enum client_state s)
{
	const struct conf_timeouts *t = c->timeouts;
	uint32_t seconds = 0;

	switch (s) {
	case CS_CONNECT:	seconds = t->connect; break;
	case CS_GREETING:	seconds = t->greeting; break;
	case CS_EHLO:
	case CS_STARTTLS:
	case CS_AUTH:
	case CS_HELO:		seconds = t->helo; break;
	case CS_TLS:		seconds = t->helo < HANDSHAKE_MAX_S ? t->helo : HANDSHAKE_MAX_S; break;
	case CS_LOGIN:		seconds = AUTH_WAIT_S; break;
	case CS_RSET:
	case CS_UNDO:
	case CS_MAIL:		seconds = t->mail; break;
	case CS_RCPT:		seconds = t->rcpt; break;
	case CS_DATA:		seconds = t->data_init; break;
	case CS_CHUNKS:
	case CS_BODY:		seconds = t->data_block; break;
	case CS_DOT:
	case CS_NULLDOT:	seconds = t->data_end; break;
	case CS_QUIT:		seconds = t->quit; break;
	case CS_READY:		/* the pool closes idle connections */
	case CS_OVER:
	case CLIENT_STATES:	return (UINT64_MAX);
	}
	return (seconds * UINT64_C(1000));
}

/* The one writer of c->state.  The time-out runs anew for each reply, never for single octets. */
void
client_set_state(struct client *c, enum client_state s)
{
	uint64_t t;

	c->state = s;
	t = state_timeout_ms(c, s);
	c->deadline_ms = t == UINT64_MAX ? UINT64_MAX : c->now_ms + t;
}

/* ---- events ---- */

void
client_connected(struct client *c, uint64_t now_ms)
{
	c->now_ms = now_ms;
	if (c->state != CS_CONNECT)
		return;
	if (c->policy != NULL && c->policy->implicit) {		/* RFC 8314 3.3 */
		client_set_state(c, CS_TLS);
		c->pending |= 1u << CLIENT_TLS;
	} else
		client_set_state(c, CS_GREETING);
}

/* The connection has died under us. */
static void
client_lost(struct client *c, const char *what)
{
	char text[REPLY_TEXT_MAX], lost[REPLY_TEXT_MAX];

	if (c->state == CS_OVER)
		return;
	if (client_tls_is_fresh(c)) {
		snprintf(lost, sizeof(lost), "%s while waiting for %s", what, states[c->state].name);
		client_tls_reason(c, text, sizeof(text), lost);
	} else if (c->state == CS_CONNECT)
		snprintf(text, sizeof(text), "cannot connect: %s", what);
	else
		snprintf(
		    text, sizeof(text), "%s while waiting for %s", what, states[c->state].name);
	if (c->dialogue != NULL)
		dialogue_add(c->dialogue, c->now_ms, '*', 0, slice_str(text));
	if (c->state == CS_DOT && c->chunk_refused) {	/* and no more can become of it */
		client_sweep(c, SWEEP_ACCEPTED, OUT_TEMPFAIL, "", "");
		c->r = c->chunk_fail;
	} else if (c->state == CS_DOT)
		client_sweep(c, SWEEP_ACCEPTED, OUT_UNSURE, "4.4.2", text);
	client_fail(c, OUT_TEMPFAIL, c->state == CS_CONNECT ? "4.4.1" : "4.4.2", text);
}

void
client_eof(struct client *c, uint64_t now_ms, const char *why)
{
	c->now_ms = now_ms;
	client_lost(c, why);
}

void
client_timeout(struct client *c, uint64_t now_ms)
{
	c->now_ms = now_ms;
	client_lost(c, "timed out");
}

/*
 * Octets that came in clear and that nobody has asked for: behind the 220 of STARTTLS, or before
 * STARTTLS was said.  Under TLS they would be taken for the host's word (CVE-2021-38371 and its
 * kin).
 */
static void
client_injected(struct client *c)
{
	char text[REPLY_TEXT_MAX];

	c->pending &= ~(1u << CLIENT_TLS);
	client_tls_reason(c, text, sizeof(text), "the host sent octets in clear where the TLS handshake is due");
	if (c->dialogue != NULL)
		dialogue_add(c->dialogue, c->now_ms, '*', 0, slice_str(text));
	client_fail(c, OUT_TEMPFAIL, "4.7.0", text);
}

enum client_event
client_step(struct client *c, struct slice *in, uint64_t now_ms, struct client_result *res)
{
	size_t used;
	int err;

	c->now_ms = now_ms;
	for (;;) {
		if (client_sweep_step(c, res))
			return (CLIENT_RESULT);
		if (c->state == CS_TLS && c->greeted && in->n != 0)
			client_injected(c);
		for (unsigned e = CLIENT_READY; e <= CLIENT_OVER; e++) {
			if (c->pending & (1u << e)) {
				c->pending &= ~(1u << e);
				return ((enum client_event)e);
			}
		}
		if (c->state == CS_OVER || c->state == CS_CONNECT || in->n == 0)
			return (CLIENT_WAIT);
		err = reply_feed(&c->in, *in, &used, client_ehlo_line, c);
		in->p += used;
		in->n -= used;
		if (err == E_AGAIN)
			return (CLIENT_WAIT);
		if (err == E_OK) {
			client_reply(c);
			if (c->state == CS_STARTTLS && in->n != 0)
				client_injected(c);
			continue;
		}
		client_lost(c, err == E_LIMIT ? "got a reply too long to read" : "got garbage");
	}
}

/* ---- outcomes ---- */

void
client_sweep(
    struct client *c, enum sweep sweep, enum outcome out, const char *enhanced, const char *text)
{
	memset(&c->r, 0, offsetof(struct client_result, text));
	c->sweep = (uint8_t)sweep;
	c->sweep_next = sweep == SWEEP_ONE ? c->next : 0;
	c->r.outcome = out;
	c->r.stage = states[c->state].stage;
	enhanced_parse(&c->r.enhanced, slice_str(enhanced));
	snprintf(c->r.text, sizeof(c->r.text), "%s", text);
}

static int
client_sweep_step(struct client *c, struct client_result *res)
{
	struct client_rcpt *r;
	int take;

	while (c->sweep != SWEEP_NONE && c->mail != NULL && c->sweep_next < c->mail->nrcpt) {
		r = &c->mail->rcpt[c->sweep_next];
		take = !r->done &&
		    (c->sweep == SWEEP_ALL || (c->sweep == SWEEP_ACCEPTED && r->accepted) ||
			(c->sweep == SWEEP_UNSENT && !r->sent) || c->sweep == SWEEP_ONE ||
			(c->sweep == SWEEP_UTF8 && client_needs_utf8(r->address)));
		c->r.rcpt = c->sweep_next++;
		if (c->sweep == SWEEP_ONE)
			c->sweep = SWEEP_NONE;
		if (!take)
			continue;
		r->done = 1;
		*res = c->r;
		memcpy(res->tls, c->tls_text, sizeof(res->tls));
		return (1);
	}
	c->sweep = SWEEP_NONE;
	if (c->crowded && c->mail != NULL) {	/* behind those who cannot go there at all */
		c->crowded = 0;
		client_sweep(c, SWEEP_UNSENT, OUT_TEMPFAIL, "4.5.3",
		    "the host takes fewer recipients at a time");
		c->r.stage = STAGE_RCPT;
		c->r.retry_hint = RETRY_AT_ONCE;
		return (client_sweep_step(c, res));
	}
	return (0);
}

/* ---- commands ---- */

void
client_say(struct client *c, const char *fmt, ...)
{
	char line[LINE_MAX_OUT];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line) - 2) {
		client_fail(c, OUT_TEMPFAIL, "4.3.0", "a command of ours is too long");
		return;
	}
	if (c->dialogue != NULL)
		dialogue_add(c->dialogue, c->now_ms, '>', 0, slice_make(line, (size_t)n));
	line[n] = '\r';
	line[n + 1] = '\n';
	if (buf_add(&c->out, line, (size_t)n + 2) != E_OK)
		client_fail(c, OUT_TEMPFAIL, "4.3.0", "out of memory");
}

int
client_is_sending(const struct client *c)
{
	return (c->state == CS_BODY || c->state == CS_DOT);
}

int
client_reusable(const struct client *c)
{
	return (c->state == CS_READY && (c->mail_max == 0 || c->ntxn < c->mail_max));
}

void
client_quit(struct client *c, uint64_t now_ms)
{
	c->now_ms = now_ms;
	if (c->state != CS_READY)
		return;
	client_set_state(c, CS_QUIT);
	client_say(c, "QUIT");
}

/* ---- the body ---- */

/* Both a time without any progress and a least rate over the whole (R11). */
static uint64_t
body_deadline(const struct client *c)
{
	uint64_t block, rate;

	block = c->timeouts->data_block * UINT64_C(1000);
	rate = c->body_start_ms + block + c->body_sent * 1000 / BODY_RATE_MIN;
	return (c->now_ms + block < rate ? c->now_ms + block : rate);
}

int
client_body(
    struct client *c, struct slice in, struct slice *seg, size_t max, size_t *nseg, size_t *used)
{
	int err;

	if (c->bdat) {
		bdat_body(c, in, seg, max, nseg, used);
		return (E_OK);
	}
	err = dot_stuff(&c->dot, in, seg, max, nseg, used);
	if (err != E_OK)
		client_body_refuse(c, "5.6.0",
		    "the message holds a carriage return or line feed that is not part of a line "
		    "end");
	return (err);
}

void
client_body_refuse(struct client *c, const char *enhanced, const char *why)
{
	if (c->state != CS_BODY)
		return;
	client_sweep(c, SWEEP_ACCEPTED, OUT_PERMFAIL, enhanced, why);
	client_fail(c, OUT_TEMPFAIL, "4.3.0", "message given up");
}

int
client_body_end(struct client *c, struct slice *end)
{
	int err;

	if (c->bdat) {
		bdat_end(c, end);
		return (E_OK);
	}
	err = dot_end(&c->dot, end);
	if (err != E_OK)
		client_body_refuse(c, "5.6.0", "the message ends in a bare carriage return");
	return (err);
}

void
client_body_sent(struct client *c, size_t octets, uint64_t now_ms)
{
	c->now_ms = now_ms;
	if (c->state != CS_BODY)
		return;
	c->body_sent += octets;
	c->deadline_ms = body_deadline(c);
}

void
client_dot_sent(struct client *c, uint64_t now_ms)
{
	char text[64];
	int n;

	c->now_ms = now_ms;
	if (c->state != CS_BODY)
		return;
	client_set_state(c, CS_DOT);
	if (c->dialogue != NULL) {
		n = snprintf(
		    text, sizeof(text), "(%llu octets of data)", (unsigned long long)c->body_sent);
		dialogue_add(c->dialogue, now_ms, '>', 0, slice_make(text, (size_t)n));
	}
}
