/*
 * access.c -- the operator's access rules, and who may use which sender.  Core.
 *
 * The keys and their order are those of Postfix's access(5) (table.h).  The client's, HELO's and the sender's rules
 * are asked at MAIL: then the log line names client, HELO and sender, RSET and QUIT still work, and a client that is
 * refused for one sender may try another.  The recipient's are asked at each RCPT, before anything else about it.
 * OK ends the rules of its own kind only, so that no rule about a client makes a sender or a recipient good.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "smtpd/session.h"

static void
note(struct smtp_session *s, const char *what, struct slice text, const char *about)
{
	if (s->env->ops->note != NULL)
		s->env->ops->note(s, what, text, about);
}

/* One kind of rules.  1: go on. */
static int
ask(struct smtp_session *s, struct table_access *a, const char *about, uint8_t *hold)
{
	struct table_value	 v;
	struct action		 action;
	char			 code[ENHANCED_STRLEN];
	int			 err;

	while ((err = table_access_next(a, &v, &action)) == E_OK) {
		switch (action.kind) {
		case ACTION_OK:
			return (1);
		case ACTION_REJECT:
			smtp_refuse(s, action.code, enhanced_str(&action.enhanced, code), "%.*s",
			    action.text.n != 0 ? (int)action.text.n : 13,
			    action.text.n != 0 ? action.text.p : "access denied");
			return (0);
		case ACTION_HOLD:
			*hold = 1;
			note(s, "hold", action.text, about);
			break;
		case ACTION_WARN:
			note(s, "warn", action.text, about);
			break;
		case ACTION_INFO:
			note(s, "info", action.text, about);
			break;
		default:
			break;
		}
	}
	if (err == E_NOTFOUND)
		return (1);
	smtp_refuse(s, 451, "4.3.0", "access rules cannot be read now");
	return (0);
}

/*
 * sender-login: a sender that stands in the table is for those it names.  Asked of those only whom we know: local
 * users, and who has authenticated; for all others sender-access is the place.
 */
static int
sender_is_his(struct smtp_session *s, const char *sender)
{
	const struct table	*t = &s->env->conf->tables.sender_login;
	char			 uid[16];
	struct table_value	 v;
	int			 err;

	if (table_is_empty(t) || sender[0] == '\0' || (!s->local && s->login[0] == '\0'))
		return (1);
	err = rcpt_find(s->env->conf, t, sender, &v);
	if (err == E_NOTFOUND)
		return (1);
	if (err == E_OK && s->login[0] != '\0' &&
	    (err = table_login_has(&v, slice_str(s->login))) == E_OK)
		return (1);
	if ((err == E_OK || err == E_NOTFOUND) && s->local) {
		(void)snprintf(uid, sizeof(uid), "uid:%u", s->uid);
		if ((err = table_login_has(&v, slice_str(uid))) == E_OK)
			return (1);
	}
	if (err == E_CORRUPT)
		smtp_refuse(s, 451, "4.3.0", "senders cannot be looked up now");
	else
		smtp_refuse(s, 553, "5.7.1", "this sender address is not yours");
	return (0);
}

int
smtp_access_mail(struct smtp_session *s, const char *sender, uint8_t *hold)
{
	const struct conf	*conf = s->env->conf;
	struct table_access	 a;

	/* A proxy that does not say for whom it speaks has no address to go by. */
	table_access_client(&a, &conf->tables.client_access, s->name,
	    s->local || s->veiled ? NULL : &s->client);
	if (!table_is_empty(a.t) && !ask(s, &a, "client", hold))
		return (0);
	table_access_name(&a, &conf->tables.helo_access, s->helo);
	if (!table_is_empty(a.t) && !ask(s, &a, "helo", hold))
		return (0);
	table_access_mail(&a, &conf->tables.sender_access, sender, conf->recipient_delimiter);
	if (!table_is_empty(a.t) && !ask(s, &a, "sender", hold))
		return (0);
	return (sender_is_his(s, sender));
}

int
smtp_access_rcpt(struct smtp_session *s, const char *address)
{
	const struct conf	*conf = s->env->conf;
	struct table_access	 a;

	if (table_is_empty(&conf->tables.recipient_access))
		return (1);
	table_access_mail(&a, &conf->tables.recipient_access, address, conf->recipient_delimiter);
	return (ask(s, &a, "recipient", &s->txn->hold));
}

int
smtp_access_waits(const struct smtp_session *s)
{
	return (s->state == ST_HELO && s->name_pending && s->now_ms < s->opened_ms + NAME_WAIT_MS &&
	    !table_is_empty(&s->env->conf->tables.client_access));
}
