/*
 * qlog.c -- queue's log lines, one function an event, so that their keys cannot drift (design.md 3).
 *
 * Addresses are parsed values, but may hold quoted characters: they are escaped as all that strangers wrote.
 */
#include <stdio.h>

#include "common/err.h"
#include "common/log.h"
#include "common/net.h"
#include "common/reply.h"
#include "common/units.h"
#include "queue/queue.h"

#define SHOWN	(2 * ADDRESS_MAX)

static void
log_accepted(const struct message *m, const char *more)
{
	char id[MSGID_STRLEN], from[SHOWN], ip[NET_ADDR_STRLEN];

	log_info("%s accepted from=<%s> size=%llu nrcpt=%u client=%s%s", msgid_str(m->msgid, id),
	    text_escape_word(from, sizeof(from), slice_str(m->sender)), (unsigned long long)m->body_len,
	    m->nrcpt, net_addr_is_any(&m->client) ? "local" : net_addr_str(&m->client, ip), more);
}

/* What is not most often there; its room is not cleared for every message.  RFC 6710 4 item 3: the priority. */
static __attribute__((noinline)) void
accepted_more(const struct message *m, const char *origin, const char *tls)
{
	char login[2 * LOGIN_MAX], envid[2 * ENVID_MAX + 1];
	char more[sizeof(login) + sizeof(envid) + 2 * ORIGIN_MAX + 2 * TLS_TEXT_MAX + 200];
	char orig[2 * ORIGIN_MAX], words[2 * TLS_TEXT_MAX], date[DATE_STRLEN];
	size_t n = 0;

	more[0] = '\0';
	if (origin[0] != '\0')
		n += (size_t)snprintf(more + n, sizeof(more) - n, " origin=%s",
		    text_escape_word(orig, sizeof(orig), slice_str(origin)));
	if (tls[0] != '\0')
		n += (size_t)snprintf(more + n, sizeof(more) - n, " tls=\"%s\"",
		    text_escape(words, sizeof(words), slice_str(tls)));
	if (m->flags & MSGF_LOCAL)
		n += (size_t)snprintf(more + n, sizeof(more) - n, " uid=%u", m->uid);
	if (m->login[0] != '\0')
		n += (size_t)snprintf(more + n, sizeof(more) - n, " login=%s",
		    text_escape_word(login, sizeof(login), slice_str(m->login)));
	if (m->envid[0] != '\0')
		n += (size_t)snprintf(more + n, sizeof(more) - n, " envid=%s",
		    text_escape_word(envid, sizeof(envid), slice_str(m->envid)));
	if (m->flags & MSGF_PRIORITIZED)
		n += (size_t)snprintf(more + n, sizeof(more) - n, " priority=%d", m->priority);
	if (m->hold_until != 0)
		n += (size_t)snprintf(more + n, sizeof(more) - n, " until=%s", date_rfc3339(m->hold_until, date));
	if (m->by_mode != BY_NONE)
		n += (size_t)snprintf(more + n, sizeof(more) - n, " deliver-by=%s", date_rfc3339(m->by_time, date));
	if (m->flags & MSGF_HELD_RULE)
		(void)snprintf(more + n, sizeof(more) - n, " held=rule");
	log_accepted(m, more);
}

void
qlog_accepted(const struct message *m, const char *origin, const char *tls)
{
	if (origin[0] != '\0' || tls[0] != '\0' || m->login[0] != '\0' || m->envid[0] != '\0' || m->hold_until != 0 ||
	    m->by_mode != BY_NONE || (m->flags & (MSGF_LOCAL | MSGF_PRIORITIZED | MSGF_HELD_RULE)) != 0)
		accepted_more(m, origin, tls);
	else
		log_accepted(m, "");
}

/* whole: nothing of the message is left, its ID names nothing. */
void
qlog_discarded(uint64_t msgid, const char *sender, const char *address, int whole)
{
	char id[MSGID_STRLEN], from[SHOWN], to[SHOWN];

	log_info("%s discarded rcpt=<%s> from=<%s> by=alias%s", msgid_str(msgid, id),
	    text_escape_word(to, sizeof(to), slice_str(address)),
	    text_escape_word(from, sizeof(from), slice_str(sender)), whole ? " whole=yes" : "");
}

void
qlog_removed(uint64_t msgid)
{
	char id[MSGID_STRLEN];

	log_info("%s removed", msgid_str(msgid, id));
}

void
qlog_expired(uint64_t msgid, const struct recipient *r, int64_t age)
{
	char id[MSGID_STRLEN], rcpt[SHOWN], span[32];

	log_info("%s expired rcpt=<%s> age=%s attempts=%u", msgid_str(msgid, id),
	    text_escape_word(rcpt, sizeof(rcpt), slice_str(r->address)),
	    duration_str((uint64_t)age, span), r->attempts);
}

void
qlog_postponed(uint64_t msgid, const struct recipient *r, const char *dest, uint32_t wait_s)
{
	char id[MSGID_STRLEN], rcpt[SHOWN], to[SHOWN], span[32];

	log_debug("%s postponed rcpt=<%s> destination=%s wait=%s", msgid_str(msgid, id),
	    text_escape_word(rcpt, sizeof(rcpt), slice_str(r->address)),
	    text_escape_word(to, sizeof(to), slice_str(dest)), duration_str(wait_s, span));
}

/* RFC 2852 4.1.3. */
void
qlog_deadline(const struct message *m, uint32_t index)
{
	char id[MSGID_STRLEN];

	log_info("%s deadline passed recipient=%u mode=%s", msgid_str(m->msgid, id), index,
	    m->by_mode == BY_RETURN ? "return" : "notify");
}

void
qlog_notice(uint64_t msgid, uint64_t notice, enum notice_kind kind, const char *to, uint32_t nrcpt)
{
	static const char *names[NOTICE_KINDS] = { "failure", "delay", "success" };
	char id[MSGID_STRLEN], nid[MSGID_STRLEN], shown[SHOWN];

	log_info("%s notice id=%s kind=%s to=<%s> nrcpt=%u", msgid_str(msgid, id),
	    msgid_str(notice, nid), names[kind], text_escape_word(shown, sizeof(shown), slice_str(to)), nrcpt);
}

void
qlog_no_notice(uint64_t msgid, const char *why, uint32_t nrcpt)
{
	char id[MSGID_STRLEN];

	log_info("%s notice none reason=\"%s\" nrcpt=%u", msgid_str(msgid, id), why, nrcpt);
}

void
qlog_notice_waits(uint64_t msgid, uint32_t nrcpt)
{
	char id[MSGID_STRLEN];

	log_info("%s notice waits reason=rate nrcpt=%u", msgid_str(msgid, id), nrcpt);
}

void
qlog_etrn(const struct ipc_etrn *m, enum etrn_status status, uint32_t count)
{
	static const char *kinds[ETRN_KINDS] = { "", "@", "#" };
	static const char *names[ETRN_STATUSES] = { "started", "nothing", "pending", "counted", "unable" };
	char node[2 * DOMAIN_MAX];

	log_info("etrn node=%s%s status=%s messages=%u", kinds[m->kind],
	    text_escape_word(node, sizeof(node), slice_str(m->name)), names[status], count);
}

void
qlog_operator(uint64_t msgid, const char *what, uint32_t uid)
{
	char id[MSGID_STRLEN];

	if (msgid != 0)
		log_info("%s %s uid=%u", msgid_str(msgid, id), what, uid);
	else
		log_info("%s uid=%u", what, uid);
}

void
qlog_damaged(uint64_t msgid, const char *what, int err)
{
	char id[MSGID_STRLEN];

	log_warn("%s damaged %s error=%s", msgid_str(msgid, id), what, err_name(err));
}
