/*
 * cmd_misc.c -- RSET, NOOP, HELP, QUIT, and what is no SMTP.  Core.
 *
 * RFC 5321 4.1.1.5, 4.1.1.8 to 4.1.1.10.
 */
#include <string.h>

#include "common/err.h"
#include "common/reply.h"
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

static int
is_smtp(const struct smtp_session *s)
{
	return (!s->lmtp);
}

static int
is_lmtp(const struct smtp_session *s)
{
	return (s->lmtp);
}

static int
auth_is_offered(const struct smtp_session *s)
{
	return (smtp_auth_offered(s) != 0);
}

static const struct {
	const char	*topic;
	const char	*text;
	int		(*here)(const struct smtp_session *);	/* NULL: everywhere */
} topics[] = {
	{ "EHLO",	"EHLO name: who you are, and what is offered here; RFC 5321 4.1.1.1",	is_smtp },
	{ "HELO",	"HELO name: who you are, without extensions; RFC 5321 4.1.1.1",		is_smtp },
	{ "LHLO",	"LHLO name: who you are, and what is offered here; RFC 2033 4.1",	is_lmtp },
	{ "MAIL",	"MAIL FROM:<sender> and parameters: begins a message; RFC 5321 4.1.1.2", NULL },
	{ "RCPT",	"RCPT TO:<recipient> and parameters: one recipient more; RFC 5321 4.1.1.3", NULL },
	{ "DATA",	"DATA: the message follows, up to a dot alone in its line; RFC 5321 4.1.1.4", NULL },
	{ "BDAT",	"BDAT octets [LAST]: so many octets of the message follow; RFC 3030 2",	NULL },
	{ "RSET",	"RSET: forgets the message that was begun; RFC 5321 4.1.1.5",		NULL },
	{ "NOOP",	"NOOP: does nothing; RFC 5321 4.1.1.9",					NULL },
	{ "QUIT",	"QUIT: ends the session; RFC 5321 4.1.1.10",				NULL },
	{ "VRFY",	"VRFY address [SMTPUTF8]: whether it is good here; RFC 5321 4.1.1.6",	NULL },
	{ "EXPN",	"EXPN list [SMTPUTF8]: who is on it; RFC 5321 4.1.1.7",			smtp_expn_allowed },
	{ "ETRN",	"ETRN domain: sends what waits for it; RFC 1985 5",			NULL },
	{ "STARTTLS",	"STARTTLS: goes on under TLS; RFC 3207 4",				smtp_starttls_offered },
	{ "AUTH",	"AUTH mechanism [response]: says who you are; RFC 4954 4",		auth_is_offered },
	{ "HELP",	"HELP [command]: what is to be said about it; RFC 5321 4.1.1.8",	NULL },
};

#define HELP_LINE_MAX	60	/* octets of verbs in a line */

static void
help_all(struct smtp_session *s)
{
	struct buf	*out = s->env->out;
	size_t		 i, n = 0;
	int		 err = E_OK;

	for (i = 0; i < sizeof(topics) / sizeof(topics[0]) && err == E_OK; i++) {
		if (topics[i].here != NULL && !topics[i].here(s))
			continue;
		if (n > HELP_LINE_MAX) {
			err = buf_adds(out, "\r\n");
			n = 0;
		}
		if (err == E_OK)
			err = buf_addf(out, "%s%s", n == 0 ? "214-2.0.0 " : " ", topics[i].topic);
		n += strlen(topics[i].topic) + 1;
	}
	if (err != E_OK || buf_adds(out, "\r\n214 2.0.0 HELP and one of these says more\r\n") != E_OK)
		smtp_close(s, "no-memory");
}

void
cmd_help(struct smtp_session *s)
{
	char	 text[HELP_LINE_MAX];
	size_t	 i;

	if (s->args.n == 0) {
		help_all(s);
		return;
	}
	for (i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		if (slice_caseeq(s->args, slice_str(topics[i].topic)) &&
		    (topics[i].here == NULL || topics[i].here(s))) {
			smtp_reply(s, 214, "2.0.0", topics[i].text);
			return;
		}
	}
	smtp_refuse(s, 504, "5.5.4", "no help on %s", text_escape(text, sizeof(text), s->args));
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
