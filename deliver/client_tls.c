/*
 * client_tls.c -- STARTTLS, and what a connection may go on with when there is no TLS.  Core. RFC
 * 3207, 8314 3.3, 7672 2.2.  Enhanced codes: 4.7.4 where the host has no TLS to give, 4.7.5 where
 * that fails.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "deliver/client_int.h"

void
client_say_hello(struct client *c)
{
	client_set_state(c, CS_EHLO);
	client_say(c, "EHLO %s", c->hostname);
}

/* What was required, by which rule, and what was found. */
void
client_tls_reason(const struct client *c, char *dst, size_t size, const char *what)
{
	if (c->policy != NULL && !c->policy->clear)
		snprintf(dst, size, "TLS is required (%s): %s", c->policy->text, what);
	else
		snprintf(dst, size, "opportunistic TLS: %s", what);
}

int
client_tls_is_fresh(const struct client *c)
{
	return (c->state == CS_STARTTLS || c->state == CS_TLS || (c->tls && !c->tls_heard));
}

static void
remark(struct client *c, char how, const char *text)
{
	if (c->dialogue != NULL)
		dialogue_add(c->dialogue, c->now_ms, how, 0, slice_str(text));
}

static void
tls_fail(struct client *c, const char *enhanced, const char *what)
{
	char text[REPLY_TEXT_MAX];

	client_tls_reason(c, text, sizeof(text), what);
	remark(c, '*', text);
	client_fail(c, OUT_TEMPFAIL, enhanced, text);
	c->fail.stage = STAGE_TLS;
}

/* Behind EHLO and TLS. */
static void
hello_done(struct client *c)
{
	if (c->login) {
		client_auth_begin(c);
		return;
	}
	client_set_state(c, CS_READY);
	c->pending |= 1u << CLIENT_READY;
}

static int
wants_tls(const struct client *c)
{
	return (!c->tls && !c->in_clear && c->policy != NULL && c->policy->want != WANT_NONE);
}

void
client_hello_over(struct client *c)
{
	if (!wants_tls(c)) {
		hello_done(c);
		return;
	}
	if (c->offers & OFFER_STARTTLS) {
		client_set_state(c, CS_STARTTLS);
		client_say(c, "STARTTLS");
		return;
	}
	if (!c->policy->clear) {
		tls_fail(c, "4.7.4", "the host does not offer STARTTLS");
		return;
	}
	hello_done(c);
}

void
starttls_taken(struct client *c)
{
	client_set_state(c, CS_TLS);
	c->pending |= 1u << CLIENT_TLS;
}

/* RFC 3207 4: the session goes on as it was. */
void
starttls_refused(struct client *c)
{
	char what[REPLY_TEXT_MAX];

	if (c->policy->clear) {
		hello_done(c);
		return;
	}
	snprintf(what, sizeof(what), "the host refused STARTTLS: %03u %.400s", c->in.r.code, c->in.r.text);
	tls_fail(c, "4.7.4", what);
	c->fail.code = c->in.r.code;
}

void
client_tls_started(struct client *c, const char *text, uint64_t now_ms)
{
	char line[TLS_TEXT_MAX + 32];

	c->now_ms = now_ms;
	if (c->state != CS_TLS)
		return;
	c->tls = 1;
	snprintf(c->tls_text, sizeof(c->tls_text), "%s", text);
	snprintf(line, sizeof(line), "TLS established: %s", text);
	remark(c, '=', line);
	client_ehlo_forget(c);		/* RFC 3207 4.2 */
	reply_parser_init(&c->in);
	if (c->greeted)
		client_say_hello(c);
	else
		client_set_state(c, CS_GREETING);
}

void
client_tls_failed(struct client *c, const char *why, uint64_t now_ms)
{
	c->now_ms = now_ms;
	if (c->state == CS_TLS)
		tls_fail(c, "4.7.5", why);
}
