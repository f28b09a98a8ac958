/*
 * query.c -- see query.h.  Shell: libuv and libunbound.
 *
 * libunbound calls back inside ub_resolve_event() when it has the answer in its cache: a lookup
 * that is being started is settled when the start is over, never within the callback.
 */
#include "resolver/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound-event.h>
#include <unbound.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/reply.h"
#include "common/siphash.h"
#include "resolver/names.h"
#include "resolver/packet.h"

#define SWEEP_MS	5000
#define CLASS_IN	1
#define PARTS_MAX	2		/* record types of one question: A and AAAA */
enum { UB_SEC_INSECURE, UB_SEC_BOGUS, UB_SEC_SECURE };	/* the callback's sec */

struct waiter {
	uv_timer_t	 deadline;
	struct asker	*asker;
	struct lookup	*lookup;
	struct waiter	*next, **prev;		/* of the lookup */
	struct waiter	*ask_next, **ask_prev;	/* of the asker */
	uint32_t	 id;
	int		 timed;			/* deadline was started */
};

struct part {			/* one record type of a lookup */
	struct lookup	*lookup;
	int		 ub_id;
	uint16_t	 rr;
	uint8_t		 pending;
	uint8_t		 secure;
	uint8_t		 status;	/* enum dns_status */
	uint32_t	 ttl;
};

struct lookup {
	struct lookup	*next;		/* in its bucket */
	struct resolver	*res;
	struct asker	*begun_for;	/* NULL once that one has gone */
	struct waiter	*waiters;
	uint64_t	 hash;
	uint64_t	 started;	/* uv_now() */
	uint8_t		 type;		/* enum dns_type */
	uint8_t		 starting;	/* within lookup_start(): callbacks only take notes */
	uint8_t		 nparts;
	uint8_t		 npending;
	struct part	 part[PARTS_MAX];
	uint16_t	 nrec;
	struct dns_record *rec;		/* what came so far; owned */
	uint8_t		 canonical_status;	/* of the part that canonical is from */
	char		 canonical[DOMAIN_MAX + 1];
	char		 name[DOMAIN_MAX + 1];
	char		 reason[sizeof(((struct ipc_dns_answer *)0)->reason)];
};

static void	lookup_settle(struct lookup *);

/* ---- waiters ---- */

static void
waiter_closed(uv_handle_t *h)
{
	free(h->data);
}

/* Takes w out of both lists and frees it, in the end. */
static void
waiter_drop(struct waiter *w)
{
	struct resolver	*res = w->asker->res;

	if ((*w->prev = w->next) != NULL)
		w->next->prev = w->prev;
	if ((*w->ask_prev = w->ask_next) != NULL)
		w->ask_next->ask_prev = w->ask_prev;
	w->asker->nwaiters--;
	res->count[COUNT_WAITING]--;
	if (w->timed)
		uv_close((uv_handle_t *)&w->deadline, waiter_closed);
	else
		free(w);
	if (res->count[COUNT_WAITING] == 0 && res->idle != NULL)
		res->idle(res);
}

static void
count_status(struct resolver *res, unsigned status)
{
	switch (status) {
	case DNS_OK:
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		res->count[COUNT_OK]++;
		break;
	case DNS_TIMED_OUT:
		res->count[COUNT_TIMED_OUT]++;
		break;
	case DNS_OVERLOAD:
		res->count[COUNT_OVERLOAD]++;
		break;
	default:
		res->count[COUNT_FAILED]++;
	}
}

static void
answer_send(struct asker *a, const struct ipc_dns_answer *m)
{
	count_status(a->res, m->status);
	a->answer(a, m);
}

/* An answer without records. */
static void
answer_status(struct asker *a, uint32_t id, uint8_t type, enum dns_status status, const char *reason)
{
	struct ipc_dns_answer	m;

	memset(&m, 0, sizeof(m));
	m.id = id;
	m.type = type;
	m.status = (uint8_t)status;
	(void)snprintf(m.reason, sizeof(m.reason), "%s", reason);
	answer_send(a, &m);
}

static void
on_deadline(uv_timer_t *t)
{
	struct waiter	*w = t->data;
	struct asker	*a = w->asker;
	uint32_t	 id = w->id;
	uint8_t		 type = w->lookup->type;

	waiter_drop(w);
	answer_status(a, id, type, DNS_TIMED_OUT, "no answer in time");
}

static struct waiter *
waiter_new(struct asker *a, struct lookup *l, uint32_t id)
{
	struct waiter	*w = calloc(1, sizeof(*w));

	if (w == NULL)
		return (NULL);
	w->asker = a;
	w->lookup = l;
	w->id = id;
	if ((w->next = l->waiters) != NULL)
		w->next->prev = &w->next;
	l->waiters = w;
	w->prev = &l->waiters;
	if ((w->ask_next = a->waiters) != NULL)
		w->ask_next->ask_prev = &w->ask_next;
	a->waiters = w;
	w->ask_prev = &a->waiters;
	a->nwaiters++;
	a->res->count[COUNT_WAITING]++;
	return (w);
}

static void
waiter_arm(struct waiter *w, uint32_t timeout_ms)
{
	struct resolver	*res = w->asker->res;

	if (timeout_ms == 0 || timeout_ms > res->timeout_ms)
		timeout_ms = res->timeout_ms;
	(void)uv_timer_init(res->loop, &w->deadline);
	w->deadline.data = w;
	w->timed = 1;
	(void)uv_timer_start(&w->deadline, on_deadline, timeout_ms, 0);
}

/* ---- lookups ---- */

static uint64_t
lookup_hash(uint8_t type, const char *name)
{
	uint8_t	key[1 + DOMAIN_MAX];
	size_t	n = strlen(name);

	key[0] = type;
	memcpy(key + 1, name, n);
	return (siphash(key, 1 + n));
}

static struct lookup *
lookup_find(const struct resolver *res, uint64_t hash, uint8_t type, const char *name)
{
	struct lookup	*l;

	for (l = res->bucket[hash & (LOOKUP_BUCKETS - 1)]; l != NULL; l = l->next)
		if (l->hash == hash && l->type == type && strcmp(l->name, name) == 0)
			return (l);
	return (NULL);
}

static struct lookup *
lookup_new(struct asker *a, uint64_t hash, uint8_t type, const char *name, const uint16_t *rr,
    int nparts)
{
	struct resolver	*res = a->res;
	struct lookup	*l = calloc(1, sizeof(*l));
	int		 i;

	if (l == NULL)
		return (NULL);
	l->res = res;
	l->begun_for = a;
	l->hash = hash;
	l->started = uv_now(res->loop);
	l->type = type;
	memcpy(l->name, name, strlen(name) + 1);
	l->nparts = (uint8_t)nparts;
	for (i = 0; i < nparts; i++) {
		l->part[i].lookup = l;
		l->part[i].rr = rr[i];
	}
	l->next = res->bucket[hash & (LOOKUP_BUCKETS - 1)];
	res->bucket[hash & (LOOKUP_BUCKETS - 1)] = l;
	a->nlookups++;
	res->count[COUNT_LOOKUPS]++;
	return (l);
}

static void
lookup_free(struct lookup *l)
{
	struct resolver	*res = l->res;
	struct lookup	**p = &res->bucket[l->hash & (LOOKUP_BUCKETS - 1)];

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	if (l->begun_for != NULL)
		l->begun_for->nlookups--;
	res->count[COUNT_LOOKUPS]--;
	if (res->count[COUNT_LOOKUPS] == 0)
		(void)uv_timer_stop(&res->sweep);
	free(l->rec);
	free(l);
}

/* A part has failed: the first reason that fits its status is the one told. */
static void
part_fail(struct part *p, enum dns_status status, const char *reason)
{
	struct lookup	*l = p->lookup;

	p->status = (uint8_t)status;
	if (l->reason[0] == '\0' || status == DNS_BOGUS)
		(void)text_escape(l->reason, sizeof(l->reason), slice_str(reason));
}

/* Keep the records of one part; the other one may have brought some already. */
static int
lookup_keep(struct lookup *l, const struct packet_answer *a)
{
	struct dns_record	*rec;
	size_t			 n = l->nrec + (size_t)a->nrec;

	if (n > DNS_RECORDS_MAX)
		return (E_LIMIT);
	if ((rec = realloc(l->rec, n * sizeof(*rec))) == NULL)
		return (E_NOMEM);
	memcpy(rec + l->nrec, a->rec, a->nrec * sizeof(*rec));
	l->rec = rec;
	l->nrec = (uint16_t)n;
	return (E_OK);
}

/*
 * Where the aliases end.  Both families go by the same aliases; if a change of the zone came between the two questions,
 * the name that has addresses is the one.
 */
static void
part_canonical(struct part *p, const struct packet_answer *a)
{
	struct lookup	*l = p->lookup;

	if (a->canonical[0] == '\0' || (l->canonical[0] != '\0' && l->canonical_status == DNS_OK))
		return;
	memcpy(l->canonical, a->canonical, sizeof(l->canonical));
	l->canonical_status = p->status;
}

static void
part_take(struct part *p, const void *packet, int len)
{
	static struct packet_answer	a;	/* 66 KB; one thread, used only here */
	struct lookup			*l = p->lookup;
	int				 err;

	err = packet_parse(&a, packet, len > 0 ? (size_t)len : 0, l->name, p->rr);
	if (err == E_LIMIT) {
		part_fail(p, DNS_FAILED, "the answer has too many or too large records");
		return;
	}
	if (err != E_OK) {
		part_fail(p, DNS_FAILED, "the answer is malformed");
		return;
	}
	p->ttl = a.ttl;
	p->status = (uint8_t)packet_status(&a);
	if (p->status == DNS_FAILED)
		part_fail(p, DNS_FAILED, a.rcode != RCODE_NOERROR ? rcode_text(a.rcode) :
		    "no record of the answer holds a usable host name");
	else if (p->status == DNS_OK && lookup_keep(l, &a) != E_OK)
		part_fail(p, DNS_FAILED, "no memory for the answer");
	if (p->status == DNS_OK || p->status == DNS_NODATA || p->status == DNS_NXDOMAIN)
		part_canonical(p, &a);
}

/* libunbound's callback: packet and why are valid only in here. */
static void
on_answer(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	struct part	*p = arg;
	struct lookup	*l = p->lookup;

	p->pending = 0;
	l->npending--;
	p->secure = sec == UB_SEC_SECURE;
	if (sec == UB_SEC_BOGUS)
		part_fail(p, DNS_BOGUS, why != NULL ? why : "DNSSEC validation failed");
	else if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN)
		part_fail(p, DNS_FAILED, rcode_text((unsigned)rcode));
	else
		part_take(p, packet, len);
	if (!l->starting && l->npending == 0)
		lookup_settle(l);
}

/*
 * Ask.  Returns with the lookup settled and gone (0) or in flight (1).
 */
static int
lookup_start(struct lookup *l)
{
	struct resolver	*res = l->res;
	struct part	*p;
	int		 i, err;

	l->starting = 1;
	l->npending = l->nparts;
	for (i = 0; i < l->nparts; i++) {
		p = &l->part[i];
		p->pending = 1;
		err = ub_resolve_event(res->ub, l->name, p->rr, CLASS_IN, p, on_answer, &p->ub_id);
		if (err != UB_NOERROR && p->pending) {
			p->pending = 0;
			l->npending--;
			part_fail(p, DNS_FAILED, ub_strerror(err));
		}
	}
	l->starting = 0;
	if (l->npending == 0) {
		lookup_settle(l);
		return (0);
	}
	return (1);
}

/* What all parts say together. */
static void
lookup_result(const struct lookup *l, struct ipc_dns_answer *m)
{
	const struct part	*p;
	enum dns_status		 status = l->part[0].status;
	int			 i;

	memset(m, 0, sizeof(*m));
	m->type = l->type;
	m->secure = 1;
	m->ttl = DNS_TTL_MAX;
	for (i = 1; i < l->nparts; i++)
		status = status_merge(status, l->part[i].status);
	m->status = (uint8_t)status;
	for (i = 0; i < l->nparts; i++) {
		p = &l->part[i];
		/* A family that could not be learned takes nothing from what the other proved: an
		 * attacker who drops packets would otherwise switch DANE off (RFC 7672 2.2.2). */
		if (p->status != DNS_OK && p->status != DNS_NODATA && p->status != DNS_NXDOMAIN)
			continue;
		m->secure &= p->secure;
		if (p->ttl < m->ttl && (p->status == DNS_OK || status != DNS_OK))
			m->ttl = p->ttl;
	}
	if (status == DNS_OK || status == DNS_NODATA || status == DNS_NXDOMAIN)
		memcpy(m->canonical, l->canonical, sizeof(m->canonical));
	if (status == DNS_OK) {
		m->nrec = l->nrec;
		m->rec = l->rec;
	} else if (status != DNS_NODATA && status != DNS_NXDOMAIN) {
		m->secure = 0;
		m->ttl = 0;
		memcpy(m->reason, l->reason, sizeof(m->reason));
	}
}

/* All parts are in: tell everybody who waits, and forget it. */
static void
lookup_settle(struct lookup *l)
{
	struct ipc_dns_answer	 m;
	struct waiter		*w;
	struct asker		*a;

	lookup_result(l, &m);
	while ((w = l->waiters) != NULL) {
		a = w->asker;
		m.id = w->id;
		waiter_drop(w);
		answer_send(a, &m);
	}
	if (m.status == DNS_BOGUS)
		log_debug("name=%s bogus reason=\"%s\"", l->name, m.reason);	/* who asked logs it */
	lookup_free(l);
}

/* Nobody waits and no answer came for so long: libunbound forgets our callback. */
static void
lookup_cancel(struct lookup *l)
{
	int	i;

	for (i = 0; i < l->nparts; i++)
		if (l->part[i].pending)
			(void)ub_cancel(l->res->ub, l->part[i].ub_id);
	lookup_free(l);
}

static void
on_sweep(uv_timer_t *t)
{
	struct resolver	*res = t->data;
	struct lookup	*l, *next;
	uint64_t	 now = uv_now(res->loop);
	size_t		 i;

	for (i = 0; i < LOOKUP_BUCKETS; i++) {
		for (l = res->bucket[i]; l != NULL; l = next) {
			next = l->next;
			if (l->waiters == NULL && now - l->started >= DNS_ABANDONED_MS)
				lookup_cancel(l);
		}
	}
}

/* ---- the door ---- */

void
resolver_init(struct resolver *res, uv_loop_t *loop, struct ub_ctx *ub, uint32_t timeout_ms,
    unsigned sockets)
{
	memset(res, 0, sizeof(*res));
	res->loop = loop;
	res->ub = ub;
	res->timeout_ms = timeout_ms;
	res->lookups_max = sockets / PARTS_MAX < DNS_LOOKUPS_MAX ? sockets / PARTS_MAX : DNS_LOOKUPS_MAX;
	(void)uv_timer_init(loop, &res->sweep);
	res->sweep.data = res;
}

void
resolver_clear(struct resolver *res)
{
	size_t	i;

	for (i = 0; i < LOOKUP_BUCKETS; i++)
		while (res->bucket[i] != NULL)
			lookup_cancel(res->bucket[i]);
	uv_close((uv_handle_t *)&res->sweep, NULL);
}

void
asker_init(struct asker *a, struct resolver *res,
    void (*answer)(struct asker *, const struct ipc_dns_answer *))
{
	memset(a, 0, sizeof(*a));
	a->res = res;
	a->answer = answer;
}

void
asker_ask(struct asker *a, const struct ipc_dns_query *q)
{
	struct resolver	*res = a->res;
	struct lookup	*l;
	struct waiter	*w;
	uint64_t	 hash;
	uint16_t	 rr[PARTS_MAX];
	int		 nparts;
	char		 name[DOMAIN_MAX + 1];

	res->count[COUNT_QUESTIONS]++;
	if ((nparts = question_prepare(q, name, rr)) < 0) {
		answer_status(a, q->id, q->type, DNS_FAILED, q->type == DNS_PTR ?
		    "not an address" : "not a domain name");
		return;
	}
	if (a->nwaiters >= DNS_WAITERS_PEER_MAX) {
		answer_status(a, q->id, q->type, DNS_OVERLOAD, "too many questions of one daemon");
		return;
	}
	hash = lookup_hash(q->type, name);
	if ((l = lookup_find(res, hash, q->type, name)) != NULL) {
		res->count[COUNT_SHARED]++;
		if ((w = waiter_new(a, l, q->id)) == NULL)
			answer_status(a, q->id, q->type, DNS_OVERLOAD, "out of memory");
		else
			waiter_arm(w, q->timeout_ms);
		return;
	}
	if (res->count[COUNT_LOOKUPS] >= res->lookups_max || a->nlookups >= DNS_LOOKUPS_PEER_MAX) {
		answer_status(a, q->id, q->type, DNS_OVERLOAD, "too many questions in flight");
		return;
	}
	if ((l = lookup_new(a, hash, q->type, name, rr, nparts)) == NULL) {
		answer_status(a, q->id, q->type, DNS_OVERLOAD, "out of memory");
		return;
	}
	if ((w = waiter_new(a, l, q->id)) == NULL) {
		lookup_free(l);
		answer_status(a, q->id, q->type, DNS_OVERLOAD, "out of memory");
		return;
	}
	/* A deadline costs a handle: only what did not come from the cache gets one. */
	if (lookup_start(l)) {
		waiter_arm(w, q->timeout_ms);
		if (!uv_is_active((uv_handle_t *)&res->sweep))
			(void)uv_timer_start(&res->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	}
}

void
asker_clear(struct asker *a)
{
	struct resolver	*res = a->res;
	struct lookup	*l;
	size_t		 i;

	while (a->waiters != NULL)
		waiter_drop(a->waiters);
	for (i = 0; i < LOOKUP_BUCKETS && a->nlookups != 0; i++) {
		for (l = res->bucket[i]; l != NULL; l = l->next) {
			if (l->begun_for == a) {
				l->begun_for = NULL;
				a->nlookups--;
			}
		}
	}
}
