/*
 * cmd_helo.c -- EHLO, HELO and LHLO.  Core.
 *
 * RFC 5321 4.1.1.1, 4.1.4 (a second EHLO resets as RSET does); RFC 2033 4.1: LMTP has LHLO, and only
 * LMTP.  What is offered, in this order always, is what this client has on this listener: RFC 3207 (STARTTLS, until it
 * was said), 2920 (PIPELINING), 1870 (SIZE), 1985 (ETRN), 6152 (8BITMIME), 3030 (BINARYMIME, CHUNKING), 6531 (SMTPUTF8), 3461 (DSN),
 * 2034 (ENHANCEDSTATUSCODES), 9422 (LIMITS), 4954 (AUTH), 5321 (VRFY, EXPN, HELP); to clients that may relay 2852
 * (DELIVERBY), 4865 (FUTURERELEASE) and 6710 (MT-PRIORITY).
 */
#include "common/addr.h"
#include "common/err.h"
#include "common/units.h"
#include "smtpd/session.h"

/* The client's name: a domain or an address literal; 4.1.4 forbids to refuse more than that.  ASCII: RFC 6531 3.7.1. */
static int
take_name(struct smtp_session *s)
{
	char		 dom[DOMAIN_MAX + 1];
	struct net_addr	 a;
	const char	*why = "no domain or address literal";
	int		 ok;

	if (s->args.n != 0 && s->args.p[0] == '[')
		ok = addr_literal_parse(&a, s->args) == E_OK;
	else
		ok = domain_parse(dom, s->args, &why) == E_OK;
	if (!ok || slice_copy(s->args, s->helo, sizeof(s->helo)) != E_OK) {
		s->helo[0] = '\0';
		smtp_refuse(s, 501, "5.5.4", "%s: %s", s->verb, why);
		return (0);
	}
	return (1);
}

static int
offer_relay_client(struct smtp_session *s)
{
	char	date[DATE_STRLEN];
	int	err;

	if (!s->may_relay)
		return (E_OK);
	if ((err = buf_adds(s->env->out, "250-DELIVERBY\r\n")) == E_OK &&
	    (err = buf_addf(s->env->out, "250-FUTURERELEASE %u %s\r\n", HOLD_MAX_S,
	    date_rfc3339(s->env->wall_s + HOLD_MAX_S, date))) == E_OK)
		err = buf_adds(s->env->out, "250-MT-PRIORITY\r\n");
	return (err);
}

static int
offer_auth(struct smtp_session *s)
{
	unsigned	offered = smtp_auth_offered(s), m;
	int		err;

	if (offered == 0)
		return (E_OK);
	err = buf_adds(s->env->out, "250-AUTH");
	for (m = 0; m < SASL_MECHANISMS && err == E_OK; m++)
		if ((offered & 1u << m) != 0)
			err = buf_addf(s->env->out, " %s", sasl_mechanism_name(m));
	return (err == E_OK ? buf_adds(s->env->out, "\r\n") : err);
}

static void
greet_extended(struct smtp_session *s)
{
	const struct conf	*conf = s->env->conf;
	struct buf		*out = s->env->out;

	s->esmtp = 1;
	if (s->state == ST_CONNECT)
		smtp_set_state(s, ST_HELO);
	else
		smtp_reset(s);
	if (buf_addf(out,
	    "250-%s\r\n"
	    "%s"
	    "250-PIPELINING\r\n"
	    "250-SIZE %llu\r\n"
	    "250-ETRN\r\n"
	    "250-8BITMIME\r\n"
	    "250-BINARYMIME\r\n"
	    "250-CHUNKING\r\n"
	    "250-SMTPUTF8\r\n"
	    "250-DSN\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n"
	    "250-LIMITS MAILMAX=%u RCPTMAX=%u\r\n",
	    conf->hostname, smtp_starttls_offered(s) ? "250-STARTTLS\r\n" : "", (unsigned long long)conf->message_size_limit,
	    SESSION_MAILS_MAX, conf->smtpd.rcpt_max) != E_OK ||
	    offer_auth(s) != E_OK || offer_relay_client(s) != E_OK ||
	    (smtp_vrfy_allowed(s) && buf_adds(out, "250-VRFY\r\n") != E_OK) ||
	    (smtp_expn_allowed(s) && buf_adds(out, "250-EXPN\r\n") != E_OK) ||
	    (smtp_xclient_allowed(s) && buf_adds(out, "250-XCLIENT " SMTP_XCLIENT_ATTRS "\r\n") != E_OK) ||
	    (smtp_xforward_allowed(s) && buf_adds(out, "250-XFORWARD " SMTP_XFORWARD_ATTRS "\r\n") != E_OK) ||
	    buf_adds(out, "250 HELP\r\n") != E_OK)
		smtp_close(s, "no-memory");
}

/* A word of the other protocol: 500, so that a client set up wrongly is told at once (RFC 2033 4.1). */
static int
is_other_protocol(struct smtp_session *s, int lmtp)
{
	if (s->lmtp == lmtp)
		return (0);
	smtp_refuse(s, 500, "5.5.1", s->lmtp ? "this is LMTP: LHLO" : "this is SMTP: EHLO or HELO");
	return (1);
}

void
cmd_ehlo(struct smtp_session *s)
{
	if (!is_other_protocol(s, 0) && take_name(s))
		greet_extended(s);
}

void
cmd_lhlo(struct smtp_session *s)
{
	if (!is_other_protocol(s, 1) && take_name(s))
		greet_extended(s);
}

void
cmd_helo(struct smtp_session *s)
{
	if (is_other_protocol(s, 0) || !take_name(s))
		return;
	s->esmtp = 0;
	if (s->state == ST_CONNECT)
		smtp_set_state(s, ST_HELO);
	else
		smtp_reset(s);
	smtp_reply(s, 250, NULL, s->env->conf->hostname);
}
