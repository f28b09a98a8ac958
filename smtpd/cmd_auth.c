/*
 * cmd_auth.c -- AUTH: who the client is, as auth says.  Core.
 *
 * RFC 4954 4, RFC 4422 5.1.  The exchange itself is auth's; here are its lines and replies.  Only
 * under TLS, unless the client is on this host (R10); only after EHLO, between messages, once.  All
 * our mechanisms take an initial response: LOGIN too, where it is the name, because many clients
 * send it so.  A response is decoded into one buffer of the process, which is wiped before the call
 * is over, and never logged.
 *
 * What auth says may have to be told later (a growing delay against guessing): the session then
 * waits by its deadline and reads nothing, so that nothing is gained by sending ahead.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/err.h"
#include "smtpd/session.h"

int
smtp_auth_listener(const struct smtp_session *s)
{
	return (s->conf_listener != NULL && s->conf_listener->auth && !s->lmtp);
}

int
smtp_auth_missing(const struct smtp_session *s)
{
	return (smtp_auth_listener(s) && !s->may_relay);
}

int
smtp_auth_discreet(const struct smtp_session *s)
{
	return (s->discreet || smtp_auth_listener(s));
}

/*
 * Whether nobody listens in: TLS, or the client is on this host, by the kernel's word and its own.
 */
static int
is_private(const struct smtp_session *s)
{
	return (s->tls || s->local ||
	    (!s->veiled && net_addr_is_loopback(&s->client) && net_addr_is_loopback(&s->peer)));
}

unsigned
smtp_auth_offered(const struct smtp_session *s)
{
	unsigned	m;

	if (!smtp_auth_listener(s) || s->login[0] != '\0' || !is_private(s) || smtp_tls_missing(s))
		return (0);
	m = s->env->conf->auth.mechanisms;
	/*
	 * With XCLIENT the TLS is the proxy's: neither its binding nor its certificate is that of
	 * the client behind it.
	 */
	if (!s->tls || !s->bindable || s->xclient != 0)
		m &= ~(1u << SASL_SCRAM_SHA_256_PLUS);
	if (s->external == NULL || s->xclient != 0)
		m &= ~(1u << SASL_EXTERNAL);
	return (m);
}

void
smtp_auth_forget(struct smtp_session *s)
{
	struct smtp_sasl	*a = s->sasl;

	if (a == NULL)
		return;
	if (a->open)
		s->env->ops->sasl_end(s);
	if (a->data != NULL)
		explicit_bzero(a->data, a->ndata);
	free(a->data);
	explicit_bzero(a, sizeof(*a));
	free(a);
	s->sasl = NULL;
}

/* The exchange is over without a login. */
static void
give_up(struct smtp_session *s)
{
	smtp_auth_forget(s);
	smtp_set_state(s, ST_HELO);
	s->verb = "AUTH";
	s->args = slice_make(NULL, 0);
	s->command_ms = s->now_ms;
}

static void
event(struct smtp_session *s, enum auth_event what, unsigned mechanism, const char *login)
{
	if (s->env->ops->auth_event != NULL)
		s->env->ops->auth_event(s, what, sasl_mechanism_name(mechanism), slice_str(login));
}

/* "334 " and octets as base64. */
static void
challenge(struct smtp_session *s, struct slice data)
{
	struct buf	*out = s->env->out;
	size_t		 n = BASE64_LEN(data.n);
	char		*p = buf_reserve(out, 4 + n + 1 + 2);

	if (p == NULL) {
		smtp_close(s, "no-memory");
		return;
	}
	memcpy(p, "334 ", 4);
	n = 4 + base64_encode(p + 4, data);
	memcpy(p + n, "\r\n", 2);
	buf_commit(out, n + 2);
	s->command_ms = s->now_ms;
	smtp_set_state(s, ST_AUTH);
}

static void
step(struct smtp_session *s, int initial, struct slice data)
{
	struct smtp_sasl	*a = s->sasl;
	int			 err = E_CLOSED;

	if (s->env->ops->sasl_step != NULL)
		err = s->env->ops->sasl_step(s, !a->open, initial, data);
	explicit_bzero(s->env->sasl, data.n);
	if (err == E_OK) {
		a->open = 1;
		a->since_ms = s->now_ms;
		smtp_set_state(s, ST_SASL);
		return;
	}
	give_up(s);
	smtp_refuse(s, 454, "4.7.0", "authentication is not to be had now");
}

/* A response: 0 if it was refused. */
static int
decode(struct smtp_session *s, struct slice text, struct slice *data)
{
	size_t	n;

	if (base64_decode(s->env->sasl, sizeof(s->env->sasl), &n, text) == E_OK) {
		*data = slice_make(s->env->sasl, n);
		return (1);
	}
	explicit_bzero(s->env->sasl, sizeof(s->env->sasl));
	give_up(s);
	smtp_refuse(s, 501, "5.5.2", "a response that is not base64");
	return (0);
}

/* The mechanism that is named, if it can be had now; SASL_MECHANISMS. */
static unsigned
find(unsigned offered, struct slice name)
{
	unsigned	m;

	for (m = 0; m < SASL_MECHANISMS; m++)
		if ((offered & 1u << m) != 0 && slice_caseeq(name, slice_str(sasl_mechanism_name(m))))
			break;
	return (m);
}

/* Whether AUTH can be said at all. */
static int
allowed(struct smtp_session *s)
{
	if (!smtp_auth_listener(s))
		smtp_refuse(s, 503, "5.5.1", "no AUTH here");
	else if (!s->esmtp)
		smtp_refuse(s, 503, "5.5.1", "EHLO first");
	else if (s->login[0] != '\0')
		smtp_refuse(s, 503, "5.5.1", "you have said who you are");
	else if (!is_private(s))
		smtp_refuse(s, 538, "5.7.11", "AUTH needs encryption here: STARTTLS first");
	else
		return (1);
	return (0);
}

void
cmd_auth(struct smtp_session *s)
{
	struct slice	text = s->response, data = slice_make(s->env->sasl, 0);
	unsigned	m;

	if (!allowed(s))
		return;
	if (s->args.n == 0) {
		smtp_refuse(s, 501, "5.5.4", "AUTH mechanism [initial-response]");
		return;
	}
	if ((m = find(smtp_auth_offered(s), s->args)) == SASL_MECHANISMS) {
		smtp_refuse(s, 504, "5.5.4", "no such mechanism is offered");
		return;
	}
	while (text.n != 0 && (*text.p == ' ' || *text.p == '\t'))
		text = slice_make(text.p + 1, text.n - 1);
	if (text.n > SASL_LINE_MAX) {
		smtp_refuse_close(s, "long-line", 500, "5.5.6", "a response longer than %d octets", SASL_LINE_MAX);
		return;
	}
	if ((s->sasl = calloc(1, sizeof(*s->sasl))) == NULL) {
		smtp_refuse(s, 454, "4.7.0", "no memory for AUTH");
		return;
	}
	s->sasl->mechanism = (uint8_t)m;
	if (text.n == 0 && m != SASL_LOGIN)	/* RFC 4422 5.1: its turn is the client's */
		challenge(s, slice_make(NULL, 0));
	else if (text.n == 0)
		step(s, 0, data);
	else if ((text.n == 1 && *text.p == '=') || decode(s, text, &data))
		step(s, 1, data);
}

/* ---- the client's lines ---- */

static void
accept_login(struct smtp_session *s)
{
	unsigned	m = s->sasl->mechanism;

	memcpy(s->login, s->sasl->login, sizeof(s->login));
	give_up(s);
	s->authed = 1;
	s->may_relay = (uint8_t)smtp_relays(s);
	event(s, AUTH_TAKEN, m, s->login);
	smtp_reply(s, 235, "2.7.0", "authentication successful");
}

static void
response(struct smtp_session *s, struct slice line)
{
	struct slice	data;

	if (s->commands++ >= s->env->conf->smtpd.commands_max)
		smtp_refuse_close(s, "commands", 421, "4.7.0", "%s too many commands without a message",
		    s->env->conf->hostname);
	else if (line.n == 1 && *line.p == '*') {
		give_up(s);
		smtp_refuse(s, 501, "5.7.0", "authentication cancelled");
	} else if (s->sasl->last && line.n == 0)
		accept_login(s);
	else if (s->sasl->last) {
		give_up(s);
		smtp_refuse(s, 501, "5.5.2", "an empty line was due: authentication is over");
	} else if (decode(s, line, &data))
		step(s, !s->sasl->open, data);
}

size_t
smtp_auth_input(struct smtp_session *s, struct slice in)
{
	struct slice	line;
	size_t		n, used;

	s->verb = "AUTH";
	n = smtp_line_input(s, in, SASL_LINE_MAX + 2, &line, &used);
	if (n == 0)
		return (used);
	s->args = slice_make(NULL, 0);
	response(s, line);
	return (n);
}

/* ---- auth's word ---- */

static void
failed(struct smtp_session *s, unsigned status)
{
	give_up(s);
	if (++s->auth_failures >= SESSION_AUTH_FAILURES_MAX)
		smtp_refuse_close(s, "auth-failures", 421, "4.7.0", "%s too many failed authentications",
		    s->env->conf->hostname);
	else if (status == SASL_BAD)
		smtp_refuse(s, 501, "5.5.2", "a response that its mechanism does not know");
	else
		smtp_refuse(s, 535, "5.7.8", "authentication failed");
}

/* It is time to say how it ended. */
static void
tell(struct smtp_session *s)
{
	struct smtp_sasl	*a = s->sasl;
	unsigned		 m = a->mechanism;

	s->verb = "AUTH";
	switch (a->status) {
	case SASL_OK:
		if (a->data != NULL) {
			a->last = 1;
			challenge(s, slice_make(a->data, a->ndata));
		} else
			accept_login(s);
		break;
	case SASL_FAILED:
		event(s, AUTH_FAILED, m, a->login);
		failed(s, a->status);
		break;
	case SASL_BAD:
		failed(s, a->status);
		break;
	default:
		event(s, AUTH_REFUSED, m, a->login);
		give_up(s);
		smtp_refuse(s, 454, "4.7.0", "authentication is not to be had now");
		break;
	}
	if (s->env->stopping)
		smtp_stop(s, 0, s->now_ms);
}

void
smtp_sasl_answer(struct smtp_session *s, const struct ipc_sasl_answer *m, uint64_t now_ms)
{
	struct smtp_sasl	*a = s->sasl;
	uint32_t		 wait;

	s->now_ms = now_ms;
	if (s->state != ST_SASL || a->until_ms != 0)
		return;
	if (m != NULL && m->status == SASL_CONTINUE) {
		challenge(s, m->data);
		if (s->env->stopping)
			smtp_stop(s, 0, now_ms);
		return;
	}
	a->open = 0;
	a->status = m != NULL ? m->status : SASL_TEMPORARY;
	if (m != NULL) {
		memcpy(a->login, m->login, sizeof(a->login));
		if (a->status == SASL_OK && m->data.n != 0) {
			if ((a->data = malloc(m->data.n)) == NULL)
				a->status = SASL_TEMPORARY;
			else {
				memcpy(a->data, m->data.p, m->data.n);
				a->ndata = (uint32_t)m->data.n;
			}
		}
	}
	wait = m == NULL ? 0 : m->wait_ms < SASL_DELAY_MAX_MS ? m->wait_ms : SASL_DELAY_MAX_MS;
	a->until_ms = now_ms + wait;
	if (wait == 0)
		tell(s);
}

uint64_t
smtp_auth_deadline(const struct smtp_session *s)
{
	return (s->sasl->until_ms != 0 ? s->sasl->until_ms : s->sasl->since_ms + SASL_WAIT_MS);
}

void
smtp_auth_time(struct smtp_session *s)
{
	if (s->sasl->until_ms == 0) {		/* auth is too late: what it may still say is not waited for */
		s->env->ops->sasl_end(s);
		s->sasl->open = 0;
		s->sasl->status = SASL_TEMPORARY;
	}
	tell(s);
}
