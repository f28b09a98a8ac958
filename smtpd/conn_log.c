/*
 * conn_log.c -- smtpd's log lines, each written by one function (design.md 3).  Shell.
 *
 * Strangers' text is quoted and escaped (R9).
 */
#include <stdio.h>

#include "common/log.h"
#include "common/reply.h"
#include "smtpd/smtpd.h"
#include "smtpd/xclient.h"

#define WORDS_MAX	320	/* octets of a client's words in one line */
#define ORIGIN_LEN	(ORIGIN_MAX + 16)
#define PAIR_LEN	(2 * LOGIN_MAX + 16)

static const char *
who_text(char dst[static WHO_LEN], const struct net_addr *a, int local, uint32_t uid)
{
	if (local)
		snprintf(dst, WHO_LEN, "local uid=%u", uid);
	else
		net_addr_str(a, dst);
	return (dst);
}

static const char *
who(const struct smtp_session *s, char dst[static WHO_LEN])
{
	return (who_text(dst, &s->client, s->local, s->uid));
}

/* " origin=..." where XFORWARD named one. */
static const char *
origin(const struct smtp_session *s, char dst[static ORIGIN_LEN])
{
	char	text[ORIGIN_MAX + 1];

	dst[0] = '\0';
	if (s->origin != NULL)
		snprintf(dst, ORIGIN_LEN, " origin=%s", text_escape_word(text, sizeof(text), slice_str(s->origin)));
	return (dst);
}

/* " word=value", or "". */
static const char *
pair(char *dst, size_t size, const char *word, const char *value)
{
	char	text[2 * LOGIN_MAX];

	dst[0] = '\0';
	if (value[0] != '\0')
		snprintf(dst, size, " %s=%s", word, text_escape_word(text, sizeof(text), slice_str(value)));
	return (dst);
}

/* proxy: who sent the PROXY header; NULL: there was none. */
void
conn_log_open(const struct conn *c, const struct net_addr *proxy)
{
	char	text[WHO_LEN], ip[NET_ADDR_STRLEN];

	log_info("connect client=%s port=%u listener=%s session=%llx%s%s%s", who(&c->s, text), c->s.port, c->l->name,
	    (unsigned long long)c->s.id, proxy != NULL ? " proxy=" : "", proxy != NULL ? net_addr_str(proxy, ip) : "",
	    c->s.veiled ? " address=of-the-proxy" : "");
}

/* No session began: why its PROXY header was none. */
void
conn_log_proxy(const struct conn *c, const char *why)
{
	char	text[WHO_LEN];

	log_info("reject client=%s port=%u listener=%s verb=PROXY reason=\"%s\"", who(&c->s, text), c->s.port,
	    c->l->name, why);
}

/* XCLIENT: who it is from now on, and who says so.  XFORWARD: what the other host knows of a message's client. */
void
conn_log_introduced(const struct conn *c)
{
	const struct smtp_session	*s = &c->s;
	const struct smtp_forward	*f = s->forward;
	char				 text[WHO_LEN], ip[NET_ADDR_STRLEN], org[ORIGIN_LEN], a[PAIR_LEN], b[PAIR_LEN];
	char				 h[PAIR_LEN], i[PAIR_LEN];

	if (f == NULL)
		log_info("xclient client=%s port=%u name=%s session=%llx by=%s relay=%s%s%s", who(s, text), s->port,
		    s->name[0] != '\0' ? s->name : "unknown", (unsigned long long)s->id, net_addr_str(&s->peer, ip),
		    s->may_relay ? "yes" : "no", pair(h, sizeof(h), "helo", s->helo),
		    pair(a, sizeof(a), "login", s->login));
	else
		log_info("xforward client=%s session=%llx%s%s%s%s%s", who(s, text), (unsigned long long)s->id,
		    origin(s, org), pair(a, sizeof(a), "protocol", f->proto), pair(h, sizeof(h), "helo", f->helo),
		    pair(i, sizeof(i), "ident", f->ident), pair(b, sizeof(b), "source", f->source));
}

void
conn_log_end(const struct conn *c)
{
	char	text[WHO_LEN];

	log_info("disconnect client=%s name=%s session=%llx reason=%s commands=%u messages=%u "
	    "octets=%llu%s%s%s",
	    who(&c->s, text), c->s.name[0] != '\0' ? c->s.name : "unknown",
	    (unsigned long long)c->s.id, c->s.reason != NULL ? c->s.reason : "?", c->s.commands_all,
	    c->s.messages, (unsigned long long)c->s.octets_in, c->s.tls ? " tls=\"" : "",
	    c->s.tls && c->s.tls_text != NULL ? c->s.tls_text : "", c->s.tls ? "\"" : "");
}

/* A handshake that succeeded; name: by SNI, NULL none. */
void
conn_log_tls(const struct conn *c, const char *name, int resumed)
{
	char	text[WHO_LEN], sni[2 * DOMAIN_MAX];

	log_info("tls client=%s session=%llx tls=\"%s\" sni=%s resumed=%s", who(&c->s, text), (unsigned long long)c->s.id,
	    c->s.tls_text, name != NULL ? text_escape_word(sni, sizeof(sni), slice_str(name)) : "none", resumed ? "yes" : "no");
}

/* A client's certificate; name: "" none that a login can have; why: it is not verified, NULL it is. */
void
conn_log_certificate(const struct conn *c, const char *name, const char *why)
{
	char	text[WHO_LEN], login[2 * ADDRESS_MAX];

	log_info("client-certificate client=%s session=%llx name=\"%s\" verified=%s%s%s%s", who(&c->s, text),
	    (unsigned long long)c->s.id, text_escape(login, sizeof(login), slice_str(name)), why == NULL ? "yes" : "no",
	    why != NULL ? " reason=\"" : "", why != NULL ? why : "", why != NULL ? "\"" : "");
}

void
conn_log_tls_failed(const struct conn *c, const char *why)
{
	char	text[WHO_LEN], words[WORDS_MAX];

	log_info("tls-failed client=%s session=%llx listener=%s reason=\"%s\"", who(&c->s, text),
	    (unsigned long long)c->s.id, c->l->name, text_escape(words, sizeof(words), slice_str(why)));
}

void
conn_log_reject(const struct conn *c, struct slice reply)
{
	const struct smtp_session	*s = &c->s;
	char				 ip[WHO_LEN], args[WORDS_MAX], text[WORDS_MAX], org[ORIGIN_LEN];
	char				 from[WORDS_MAX];

	log_info("reject client=%s name=%s session=%llx helo=%s%s%s%s%s verb=%s args=\"%s\" "
	    "reply=\"%s\"",
	    who(s, ip), s->name[0] != '\0' ? s->name : "unknown",
	    (unsigned long long)s->id, s->helo, origin(s, org),
	    s->txn != NULL ? " from=<" : "",
	    s->txn != NULL ? text_escape_word(from, sizeof(from), slice_str(s->txn->sender)) : "",
	    s->txn != NULL ? ">" : "", s->verb, text_escape(args, sizeof(args), s->args),
	    text_escape(text, sizeof(text), reply));
}

/*
 * AUTH.  "auth-failed" is what fail2ban looks for (etc/fail2ban): the client stands in front of all that is the client's own
 * words, and those are escaped.
 */
void
conn_log_auth(const struct conn *c, enum auth_event what, const char *mechanism, struct slice login)
{
	static const char *const	 words[] = {
		[AUTH_TAKEN] = "auth", [AUTH_FAILED] = "auth-failed", [AUTH_REFUSED] = "auth-refused",
	};
	const struct smtp_session	*s = &c->s;
	char				 ip[WHO_LEN], name[2 * LOGIN_MAX];

	(void)text_escape(name, sizeof(name), login);
	if (what == AUTH_CLAIMED) {
		log_info("auth-parameter client=%s session=%llx value=\"%s\"", who(s, ip), (unsigned long long)s->id, name);
		return;
	}
	log_info("%s client=%s port=%u listener=%s session=%llx mechanism=%s login=\"%s\"%s%s%s", words[what], who(s, ip), s->port,
	    c->l->name, (unsigned long long)s->id, mechanism, name,
	    what == AUTH_FAILED ? " reason=\"authentication failed\"" : what == AUTH_REFUSED ? " reason=\"not checked now\"" : "",
	    s->tls ? " tls=" : "", s->tls ? "yes" : "");
}

/* What an access rule has to say of a client that is not refused. */
void
conn_log_note(const struct conn *c, const char *what, struct slice note, const char *about)
{
	const struct smtp_session	*s = &c->s;
	char				 ip[WHO_LEN], args[WORDS_MAX], text[2 * ACCESS_TEXT_MAX];

	log_info("%s client=%s name=%s session=%llx helo=%s rule=%s-access verb=%s args=\"%s\" text=\"%s\"", what,
	    who(s, ip), s->name[0] != '\0' ? s->name : "unknown", (unsigned long long)s->id,
	    s->helo, about, s->verb, text_escape(args, sizeof(args), s->args), text_escape(text, sizeof(text), note));
}

void
conn_log_refused(const struct listener *l, const struct client *from, const char *why)
{
	char	text[WHO_LEN];

	log_info("reject client=%s port=%u listener=%s verb=CONNECT reply=\"421 %s\"",
	    who_text(text, &from->addr, from->local, from->uid), from->port, l->name, why);
}
