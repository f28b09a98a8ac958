/*
 * cmd_misc.c -- RSET, NOOP, HELP, QUIT, and what is no SMTP.  Core.
 *
 * RFC 5321 4.1.1.5, 4.1.1.8 to 4.1.1.10.
 */
#include "common/err.h"
#include "smtpd/session.h"

void
cmd_rset(struct smtp_session *s)
{
	smtp_reset(s);
	smtp_reply(s, 250, "2.0.0", "reset");
}

void
cmd_noop(struct smtp_session *s)
{
	smtp_reply(s, 250, "2.0.0", "ok");
}

void
cmd_help(struct smtp_session *s)
{
	if (buf_adds(s->env->out,
	    "214-2.0.0 EHLO HELO MAIL RCPT DATA RSET\r\n"
	    "214-2.0.0 NOOP VRFY EXPN HELP QUIT\r\n"
	    "214 2.0.0 RFC 5321 says what they mean\r\n") != E_OK)
		smtp_close(s, "no-memory");
}

void
cmd_quit(struct smtp_session *s)
{
	smtp_replyf(s, 221, "2.0.0", "%s closes", s->env->conf->hostname);
	smtp_close(s, "quit");
}

void
cmd_http(struct smtp_session *s)
{
	smtp_refuse_close(s, "http", 554, "5.5.1", "this is SMTP, not HTTP");
}
