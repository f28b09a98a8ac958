/*
 * client_auth.c -- AUTH towards a next hop that wants to know us.  Core.  RFC 4954, 4422.
 *
 * The password is not here: auth says what to say.  What it says is not recorded, and wiped once the shell has taken it.
 */
#include <stdio.h>
#include <string.h>

#include "common/base64.h"
#include "common/err.h"
#include "deliver/client_int.h"
#include "deliver/deliver_limits.h"

#define COMMAND_MAX	510	/* RFC 4954 4: a longer initial response waits for an empty challenge; without CRLF */

/* ---- what is offered ---- */

void
client_auth_ehlo(struct client *c, struct slice args)
{
	struct slice word;

	while (args.n != 0) {
		word = slice_make(args.p, 0);
		while (word.n < args.n && args.p[word.n] != ' ')
			word.n++;
		for (unsigned m = 0; m < SASL_MECHANISMS; m++) {
			if (slice_caseeq(word, slice_str(sasl_mechanism_name(m))))
				c->auth.mechanisms |= 1u << m;
		}
		word.n += word.n < args.n;
		args = slice_make(args.p + word.n, args.n - word.n);
	}
}

/* ---- the shell's turn ---- */

static void
auth_ask(struct client *c)
{
	client_set_state(c, CS_LOGIN);
	c->pending |= 1u << CLIENT_AUTH;
}

static void
auth_fail(struct client *c, const char *enhanced, const char *why)
{
	if (c->dialogue != NULL)
		dialogue_add(c->dialogue, c->now_ms, '*', 0, slice_str(why));
	client_fail(c, OUT_TEMPFAIL, enhanced, why);
	c->fail.stage = STAGE_AUTH;
}

void
client_auth_begin(struct client *c)
{
	c->auth.challenge = slice_make(c->auth.text, 0);
	c->auth.first = 1;
	c->auth.done = c->auth.holding = 0;
	if (c->policy == NULL || !c->policy->may_login)
		auth_fail(c, "4.7.0", "our password goes over verified TLS alone, which this is not");
	else if (!(c->offers & OFFER_AUTH))
		auth_fail(c, "4.7.4", "a login is configured for this host, and it does not offer AUTH");
	else if (c->auth.mechanisms == 0)
		auth_fail(c, "4.7.4", "a login is configured for this host, and it offers no mechanism that we know");
	else
		auth_ask(c);
}

/* One line that holds a secret: into out in one piece, so that no copy is left behind. */
static void
say_secret(struct client *c, const char *command, struct slice data, int empty_is_sign)
{
	size_t n = strlen(command), len = n + BASE64_LEN(data.n) + 4, at;
	char *p;

	if (data.n > SASL_DATA_MAX || (p = buf_reserve(&c->out, len)) == NULL) {
		auth_fail(c, "4.3.0", data.n > SASL_DATA_MAX ? "a response of ours is too long" : "out of memory");
		return;
	}
	memcpy(p, command, n);
	at = n;
	if (data.n == 0 && empty_is_sign)
		p[at++] = '=';
	else
		at += base64_encode(p + at, data);
	memcpy(p + at, "\r\n", 2);
	buf_commit(&c->out, at + 2);
	c->secret = 1;
}

static void
say_first(struct client *c, enum sasl_mechanism m, int has_data, struct slice data)
{
	char command[64];
	char *p;
	int n;

	n = snprintf(command, sizeof(command), "AUTH %s%s", sasl_mechanism_name(m), has_data ? " " : "");
	if (has_data && (size_t)n + BASE64_LEN(data.n) <= COMMAND_MAX) {
		if (c->dialogue != NULL) {
			(void)snprintf(command + n, sizeof(command) - (size_t)n, "(initial response)");
			dialogue_add(c->dialogue, c->now_ms, '>', 0, slice_str(command));
			command[n] = '\0';
		}
		say_secret(c, command, data, 1);
		return;
	}
	if (has_data) {
		if (data.n > SASL_DATA_MAX || (p = buf_reserve(&c->auth.held, data.n + 1)) == NULL) {
			auth_fail(c, "4.3.0", "out of memory");
			return;
		}
		memcpy(p, data.p, data.n);
		buf_commit(&c->auth.held, data.n);
		c->auth.holding = 1;
		command[n - 1] = '\0';
	}
	client_say(c, "%s", command);
}

void
client_auth_say(struct client *c, enum sasl_mechanism m, int has_data, struct slice data, uint64_t now_ms)
{
	int first = c->auth.first;

	c->now_ms = now_ms;
	if (c->state != CS_LOGIN)
		return;
	if (first && !(c->auth.mechanisms >> m & 1)) {
		auth_fail(c, "4.7.0", "auth has taken a mechanism that the host does not offer");
		return;
	}
	client_set_state(c, CS_AUTH);
	c->auth.first = 0;
	c->auth.challenge = slice_make(c->auth.text, 0);
	if (first) {
		say_first(c, m, has_data, data);
		return;
	}
	if (c->dialogue != NULL)
		dialogue_add(c->dialogue, now_ms, '>', 0, SLICE_LIT("(response)"));
	say_secret(c, "", data, 0);
}

void
client_auth_ok(struct client *c, uint64_t now_ms)
{
	c->now_ms = now_ms;
	if (c->state != CS_LOGIN || !c->auth.done)
		return;
	client_set_state(c, CS_READY);
	c->pending |= 1u << CLIENT_READY;
}

void
client_auth_failed(struct client *c, const char *enhanced, const char *why, uint64_t now_ms)
{
	c->now_ms = now_ms;
	if (c->state == CS_LOGIN)
		auth_fail(c, enhanced, why);
}

/* ---- the host's turn ---- */

/* A challenge is one line (RFC 4954 4); what is no base64 is found out below. */
void
auth_line(struct client *c, struct slice line)
{
	if (line.n < 4)
		line = slice_make(line.p, 0);
	else
		line = slice_make(line.p + 4, line.n - 4);
	memcpy(c->auth.text, line.p, line.n);
	c->auth.challenge = slice_make(c->auth.text, line.n);
}

void
auth_challenged(struct client *c)
{
	struct slice held = buf_slice(&c->auth.held);
	size_t n;

	if (c->in.r.lines != 1 ||
	    base64_decode(c->auth.text, sizeof(c->auth.text), &n, c->auth.challenge) != E_OK) {
		auth_fail(c, "4.7.0", "the host's challenge is malformed");
		return;
	}
	c->auth.challenge = slice_make(c->auth.text, n);
	if (!c->auth.holding) {
		auth_ask(c);
		return;
	}
	c->auth.holding = 0;
	if (n != 0)
		auth_fail(c, "4.7.0", "the host sent a challenge where the client speaks first");
	else {
		client_set_state(c, CS_AUTH);
		if (c->dialogue != NULL)
			dialogue_add(c->dialogue, c->now_ms, '>', 0, SLICE_LIT("(initial response)"));
		say_secret(c, "", held, 0);
	}
	explicit_bzero(c->auth.held.p, c->auth.held.size);
	buf_clear(&c->auth.held);
}

/* The host is content; whether it has proved itself is for auth to say. */
void
auth_taken(struct client *c)
{
	c->auth.challenge = slice_make(c->auth.text, 0);
	c->auth.done = 1;
	auth_ask(c);
}

void
auth_refused(struct client *c)
{
	client_host_refuses(c);
	c->fail.outcome = OUT_TEMPFAIL;		/* what is wrong with a login can be mended here */
	c->fail.enhanced.cls = 4;
}
