/*
 * names.c -- a client's name: PTR, confirmed by the address it leads back to.  Shell.
 *
 * Asked for while the client speaks; a message waits for it at most NAME_WAIT_MS from
 * the connection on (session.h).  A name that is not confirmed, late or failed is
 * "unknown"; nothing depends on it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

struct name_query {
	struct conn	*c;
	uint64_t	 until_ms;
	char		 host[DOMAIN_MAX + 1];	/* what PTR said; "" while it was not */
};

static int
ask(struct smtpd *d, uint32_t id, struct name_query *q, enum dns_type type, const char *name)
{
	static struct ipc_dns_query	 m;
	uint64_t			 now = smtpd_now(d);

	if (d->resolver == NULL || now >= q->until_ms)
		return (E_TIMEOUT);
	m.id = id;
	m.type = (uint8_t)type;
	m.timeout_ms = (uint32_t)(q->until_ms - now);
	if (slice_copy(slice_str(name), m.name, sizeof(m.name)) != E_OK)
		return (E_LIMIT);
	return (ipc_send(d->resolver, DNS_QUERY, dns_query, &m));
}

int
name_ask(struct conn *c)
{
	struct smtpd		*d = c->d;
	struct name_query	*q;
	char			 ip[NET_ADDR_STRLEN];

	name_forget(c);
	if (!d->env.conf->smtpd.client_names || c->s.may_relay || net_addr_is_loopback(&c->s.client) ||
	    net_addr_is_any(&c->s.client))
		return (0);
	if (d->resolver == NULL || (q = calloc(1, sizeof(*q))) == NULL)
		return (0);
	q->c = c;
	q->until_ms = smtpd_now(d) + NAME_WAIT_MS;
	if ((c->name_id = slots_take(&d->names, q)) == 0) {
		free(q);
		return (0);
	}
	if (ask(d, c->name_id, q, DNS_PTR, net_addr_str(&c->s.client, ip)) != E_OK) {
		name_forget(c);
		return (0);
	}
	return (1);
}

void
name_forget(struct conn *c)
{
	struct name_query	*q = slots_get(&c->d->names, c->name_id);

	if (c->name_id == 0)
		return;
	slots_free(&c->d->names, c->name_id);
	c->name_id = 0;
	free(q);
}

static void
answer(struct conn *c, const char *name)
{
	char	copy[DOMAIN_MAX + 1];	/* name may be the query's */

	if (slice_copy(slice_str(name), copy, sizeof(copy)) != E_OK)
		copy[0] = '\0';
	name_forget(c);
	smtp_name(&c->s, copy, smtpd_now(c->d));
	conn_advance(c);
}

static int
leads_back(const struct ipc_dns_answer *m, const struct net_addr *a)
{
	size_t	i;

	for (i = 0; i < m->nrec; i++)
		if (net_addr_cmp(&m->rec[i].addr, a) == 0)
			return (1);
	return (0);
}

static void
on_answer(struct smtpd *d, const struct ipc_dns_answer *m)
{
	struct name_query	*q = slots_get(&d->names, m->id);
	const char		*why;

	if (q == NULL) {
		d->counter[COUNT_LATE]++;
		return;
	}
	if (m->type == DNS_PTR && q->host[0] == '\0') {
		/* The name goes into Received and the log: only what is a domain may. */
		if (m->status == DNS_OK && m->nrec != 0 &&
		    domain_parse(q->host, slice_str(m->rec[0].ptr.host), &why) == E_OK &&
		    ask(d, m->id, q, DNS_ADDR, q->host) == E_OK)
			return;
		answer(q->c, "");
	} else if (m->type == DNS_ADDR && q->host[0] != '\0')
		answer(q->c, m->status == DNS_OK && leads_back(m, &q->c->s.client) ? q->host : "");
	else
		answer(q->c, "");
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	static struct dns_record	 rec[DNS_RECORDS_MAX];
	static struct ipc_dns_answer	 m;

	m.rec = rec;
	if (type != IPC_DNS_ANSWER || ipc_unpack_dns_answer(r, &m) != E_OK)
		return (E_PROTO);
	on_answer(ch->arg, &m);
	return (E_OK);
}

/* All questions on the way are lost with the channel. */
static void
on_lost(struct smtpd *d)
{
	struct name_query	*q;
	uint32_t		 i = 0;

	while ((q = slots_next(&d->names, &i)) != NULL)
		answer(q->c, "");
}

const struct peer_kind resolver_peer = {
	.room = ROOM_RESOLVER,
	.channel = offsetof(struct smtpd, resolver),
	.ops = { .message = on_message, .closed = peer_closed },
	.lost = on_lost,
};
