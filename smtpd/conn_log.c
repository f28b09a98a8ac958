/*
 * conn_log.c -- smtpd's log lines, each written by one function (house-style.md 12).  Shell.
 *
 * Strangers' text is quoted and escaped (R9).
 */
#include <stdio.h>

#include "common/log.h"
#include "common/reply.h"
#include "smtpd/smtpd.h"

#define WORDS_MAX	320	/* octets of a client's words in one line */

void
conn_log_open(const struct conn *c)
{
	char	ip[NET_ADDR_STRLEN];

	log_info("connect client=%s port=%u listener=%s session=%llx",
	    net_addr_str(&c->s.client, ip), c->s.port, c->l->name, (unsigned long long)c->s.id);
}

void
conn_log_end(const struct conn *c)
{
	char	ip[NET_ADDR_STRLEN];

	log_info("disconnect client=%s name=%s session=%llx reason=%s commands=%u messages=%u "
	    "octets=%llu",
	    net_addr_str(&c->s.client, ip), c->s.name[0] != '\0' ? c->s.name : "unknown",
	    (unsigned long long)c->s.id, c->s.reason != NULL ? c->s.reason : "?", c->s.commands_all,
	    c->s.messages, (unsigned long long)c->s.octets_in);
}

void
conn_log_reject(const struct conn *c, struct slice reply)
{
	const struct smtp_session	*s = &c->s;
	char				 ip[NET_ADDR_STRLEN], args[WORDS_MAX], text[WORDS_MAX];
	char				 from[WORDS_MAX];

	log_info("reject client=%s name=%s session=%llx helo=%s%s%s%s verb=%s args=\"%s\" "
	    "reply=\"%s\"",
	    net_addr_str(&s->client, ip), s->name[0] != '\0' ? s->name : "unknown",
	    (unsigned long long)s->id, s->helo,
	    s->txn != NULL ? " from=<" : "",
	    s->txn != NULL ? text_escape_word(from, sizeof(from), slice_str(s->txn->sender)) : "",
	    s->txn != NULL ? ">" : "", s->verb, text_escape(args, sizeof(args), s->args),
	    text_escape(text, sizeof(text), reply));
}

/* What an access rule has to say of a client that is not refused. */
void
conn_log_note(const struct conn *c, const char *what, struct slice note, const char *about)
{
	const struct smtp_session	*s = &c->s;
	char				 ip[NET_ADDR_STRLEN], args[WORDS_MAX], text[2 * ACCESS_TEXT_MAX];

	log_info("%s client=%s name=%s session=%llx helo=%s rule=%s-access verb=%s args=\"%s\" text=\"%s\"", what,
	    net_addr_str(&s->client, ip), s->name[0] != '\0' ? s->name : "unknown", (unsigned long long)s->id,
	    s->helo, about, s->verb, text_escape(args, sizeof(args), s->args), text_escape(text, sizeof(text), note));
}

void
conn_log_refused(const struct listener *l, const struct net_addr *a, uint16_t port, const char *why)
{
	char	ip[NET_ADDR_STRLEN];

	log_info("reject client=%s port=%u listener=%s verb=CONNECT reply=\"421 %s\"",
	    net_addr_str(a, ip), port, l->name, why);
}
