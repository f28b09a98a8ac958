/*
 * cmd_starttls.c -- STARTTLS, and a session under TLS.  Core.
 *
 * RFC 3207.  The handshake is the shell's; the core knows that one is under way (ST_TLS), that
 * it is over, and what may be said before and after.  4.2: what was said in clear is
 * forgotten, as after the first reply of all; what stands behind STARTTLS in the same octets
 * was not written by one who waits for its reply, and ends the session (R6).
 */
#include <stdlib.h>

#include "common/err.h"
#include "smtpd/session.h"

static enum listener_tls
kind(const struct smtp_session *s)
{
	return (s->conf_listener != NULL ? s->conf_listener->tls : LISTEN_CLEAR);
}

/* XCLIENT speaks for another client, whose own word cannot be had again after a handshake: the proxy has to do that first. */
int
smtp_starttls_offered(const struct smtp_session *s)
{
	return (!s->tls && s->xclient == 0 && (kind(s) == LISTEN_STARTTLS || kind(s) == LISTEN_REQUIRE));
}

int
smtp_tls_missing(const struct smtp_session *s)
{
	return (!s->tls && kind(s) == LISTEN_REQUIRE);
}

void
cmd_starttls(struct smtp_session *s)
{
	int	err;

	if (s->tls) {
		smtp_refuse(s, 503, "5.5.1", "TLS is active already");
		return;
	}
	if (!smtp_starttls_offered(s)) {
		smtp_refuse(s, 502, "5.5.1", s->xclient != 0 ? "no TLS after XCLIENT" : "no TLS here");
		return;
	}
	if (s->behind != 0) {
		smtp_refuse_close(s, "starttls-pipelined", 554, "5.5.1",
		    "%u octets stand behind STARTTLS: its reply has to be waited for", s->behind);
		return;
	}
	if ((err = s->env->ops->starttls(s)) != E_OK) {
		smtp_refuse(s, 454, "4.7.0", "TLS not available now: %s",
		    err == E_LIMIT ? "too many handshakes" : "no certificate or no key");
		return;
	}
	smtp_reply(s, 220, "2.0.0", "ready for TLS");
	smtp_reset(s);
	smtp_set_state(s, ST_TLS);
	s->command_ms = s->now_ms;
}

void
smtp_tls_started(struct smtp_session *s, uint64_t now_ms)
{
	int	greet = s->state == ST_TLS && s->tls_first;

	s->now_ms = now_ms;
	if (s->state != ST_TLS)
		return;
	smtp_reset(s);
	smtp_set_state(s, ST_CONNECT);
	s->tls = 1;
	s->tls_first = 0;
	s->esmtp = s->lmtp;
	s->helo[0] = '\0';
	if (s->authed) {
		s->authed = 0;
		s->login[0] = '\0';
		s->may_relay = (uint8_t)smtp_relays(s);
	}
	s->scanned = 0;
	free(s->etrn);
	s->etrn = NULL;
	s->command_ms = now_ms;
	if (greet)
		smtp_greet(s);
}

void
smtp_tls_failed(struct smtp_session *s, const char *reason, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (s->state == ST_TLS)
		smtp_close(s, reason);
}

uint64_t
smtp_tls_deadline(const struct smtp_session *s)
{
	uint64_t	ms = s->env->conf->smtpd.command_timeout * UINT64_C(1000);

	return (s->command_ms + (ms < TLS_WAIT_MS ? ms : TLS_WAIT_MS));
}
