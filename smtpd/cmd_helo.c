/*
 * cmd_helo.c -- EHLO and HELO.  Core.
 *
 * RFC 5321 4.1.1.1, 4.1.4 (a second EHLO resets as RSET does); the extensions offered:
 * RFC 2920, 1870, 6152, 2034, 9422.
 */
#include "common/addr.h"
#include "common/err.h"
#include "smtpd/session.h"

/* The client's name: a domain or an address literal; 4.1.4 forbids to refuse more than that. */
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

void
cmd_ehlo(struct smtp_session *s)
{
	const struct conf	*conf = s->env->conf;

	if (!take_name(s))
		return;
	s->esmtp = 1;
	if (s->state == ST_CONNECT)
		smtp_set_state(s, ST_HELO);
	else
		smtp_reset(s);
	if (buf_addf(s->env->out,
	    "250-%s\r\n"
	    "250-PIPELINING\r\n"
	    "250-SIZE %llu\r\n"
	    "250-8BITMIME\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n"
	    "250-LIMITS MAILMAX=%u RCPTMAX=%u\r\n"
	    "250-VRFY\r\n"
	    "250 HELP\r\n",
	    conf->hostname, (unsigned long long)conf->message_size_limit,
	    SESSION_MAILS_MAX, conf->smtpd.rcpt_max) != E_OK)
		smtp_close(s, "no-memory");
}

void
cmd_helo(struct smtp_session *s)
{
	if (!take_name(s))
		return;
	s->esmtp = 0;
	if (s->state == ST_CONNECT)
		smtp_set_state(s, ST_HELO);
	else
		smtp_reset(s);
	smtp_reply(s, 250, NULL, s->env->conf->hostname);
}
