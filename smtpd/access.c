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

/* Whether one local part is the other, perhaps with an extension: "alice+lists" is alice. */
static int
same_local(const struct conf *conf, struct slice local, struct slice own)
{
	if (local.n > own.n && strchr(conf->recipient_delimiter, local.p[own.n]) != NULL && local.p[own.n] != '\0')
		local.n = own.n;
	return (slice_caseeq(local, own));
}

/* Whether an address of this domain (NULL: of none of ours) is a recipient or an alias as it stands; what cannot be looked up
 * might be one. */
static int
is_recipient(const struct conf *conf, const struct conf_domain *d, struct slice local, const char *address)
{
	struct table_value	v;

	return (table_get(&conf->tables.virtual, slice_str(address), &v) != E_NOTFOUND || (d != NULL &&
	    (table_get_local(&d->recipients, local, &v) != E_NOTFOUND || table_get_local(&d->aliases, local, &v) != E_NOTFOUND)));
}

/* A login's own addresses: itself where it is one, else as the local part of each of our domains; with an extension if that is
 * not somebody else: mail to "bob-smith" finds him before it finds "bob". */
static int
is_own(const struct conf *conf, const char *login, const char *sender)
{
	const struct conf_domain	*d;
	const char			*at = strrchr(sender, '@');
	struct slice			 local, mine;
	struct addr			 own;

	if (at == NULL)
		return (0);
	local = slice_make(sender, (size_t)(at - sender));
	d = conf_domain_find(conf, at + 1);
	if (strchr(login, '@') == NULL) {
		if (d == NULL || d->relay)
			return (0);
		mine = slice_str(login);
	} else if (addr_parse(&own, slice_str(login), NULL) == E_OK && own.domain_off != 0 &&
	    strcmp(at + 1, addr_domain(&own)) == 0)
		mine = slice_make(own.text, own.local_len);
	else
		return (0);
	return (same_local(conf, local, mine) && (local.n == mine.n || !is_recipient(conf, d, local, sender)));
}

/* Whether one of them whom an entry of sender-login names is this client.  E_OK, E_NOTFOUND, E_CORRUPT. */
static int
names_him(const struct smtp_session *s, const struct table_value *v)
{
	char	uid[16];
	int	err = E_NOTFOUND;

	if (s->login[0] != '\0')
		err = table_login_has(v, slice_str(s->login));
	if (err == E_NOTFOUND && s->local) {
		(void)snprintf(uid, sizeof(uid), "uid:%u", s->uid);
		err = table_login_has(v, slice_str(uid));
	}
	return (err);
}

/*
 * A sender that stands in sender-login is for those it names.  Without an entry, who has authenticated has his own addresses,
 * unless the listener has any-sender.  Asked of those only whom we know: local users, and who has authenticated; for all others
 * sender-access is the place.  <> is everybody's: receipts have it (RFC 8098 3).
 */
static int
sender_is_his(struct smtp_session *s, const char *sender)
{
	const struct table	*t = &s->env->conf->tables.sender_login;
	struct table_value	 v;
	int			 err = E_NOTFOUND;

	if (sender[0] == '\0' || (!s->local && s->login[0] == '\0'))
		return (1);
	if (!table_is_empty(t))
		err = rcpt_find(s->env->conf, t, sender, &v);
	if (err == E_NOTFOUND && (!s->authed || (s->conf_listener != NULL && s->conf_listener->any_sender) ||
	    is_own(s->env->conf, s->login, sender)))
		return (1);
	if (err == E_OK && (err = names_him(s, &v)) == E_OK)
		return (1);
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
