/*
 * route.c -- see route.h.  Shell.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/siphash.h"
#include "deliver/policy.h"
#include "deliver/route.h"
#include "deliver/trial.h"

static void	route_ask_addrs(struct route *);
static void	route_ask_dane(struct route *, size_t i);

void
route_unref(struct route *r)
{
	if (--r->refs != 0)
		return;
	hosts_clear(&r->hosts);
	free(r);
}

/* ---- the memory of address families ---- */

uint64_t
route_host_hash(const char *host)
{
	uint64_t h = siphash(host, strlen(host));

	return (h != 0 ? h : 1);
}

void
route_remember(struct deliver *d, uint64_t hash, int is4)
{
	size_t i = hash % FAMILY_MEMORY;

	if (hash == 0)
		return;
	d->family[i].hash = hash;
	d->family[i].when_ms = deliver_now(d);
	d->family[i].is4 = is4;
}

static int
prefers4(const struct deliver *d, const char *host)
{
	uint64_t hash = route_host_hash(host);
	size_t i = hash % FAMILY_MEMORY;

	return (d->family[i].hash == hash && d->family[i].is4 &&
	    deliver_now(d) - d->family[i].when_ms < FAMILY_MEMORY_MS);
}

/* ---- the memory of hosts that broke off ---- */

static uint64_t
addr_hash(const struct net_addr *a)
{
	char text[NET_ADDR_STRLEN];

	return (route_host_hash(net_addr_str(a, text)));
}

void
route_broke(struct deliver *d, const struct net_addr *a)
{
	uint64_t hash = addr_hash(a);

	d->broke[hash % FAMILY_MEMORY].hash = hash;
	d->broke[hash % FAMILY_MEMORY].when_ms = deliver_now(d);
}

int
route_has_broken(const struct deliver *d, const struct net_addr *a)
{
	uint64_t hash = addr_hash(a);
	size_t i = hash % FAMILY_MEMORY;

	return (d->broke[i].hash == hash && deliver_now(d) - d->broke[i].when_ms < BROKE_MEMORY_MS);
}

/* ---- asking ---- */

static void
out_of_memory(struct hosts *h)
{
	h->failed = 1;
	h->nhost = 0;
	h->fail = (struct hosts_fail){ .outcome = OUT_TEMPFAIL, .stage = STAGE_DNS,
	    .enhanced = { 4, 3, 0 }, .text = "out of memory" };
}

/* An answer has been put in: those who waited look again. */
static void
route_answered(struct route *r)
{
	struct job_list list = TAILQ_HEAD_INITIALIZER(list);
	struct job *j;
	uint64_t ttl_ms;

	if (--r->asked == 0) {
		ttl_ms = r->hosts.ttl * UINT64_C(1000);
		if (ttl_ms < HOSTS_TTL_MIN_MS || r->hosts.failed)
			ttl_ms = HOSTS_TTL_MIN_MS;
		if (ttl_ms > HOSTS_TTL_MAX_MS)
			ttl_ms = HOSTS_TTL_MAX_MS;
		r->expires_ms = deliver_now(r->d) + ttl_ms;
	}
	TAILQ_CONCAT(&list, &r->waiting, link);
	while ((j = TAILQ_FIRST(&list)) != NULL) {
		TAILQ_REMOVE(&list, j, link);
		j->on_route = 0;
		remote_next(j);
	}
	if (r->asked == 0)
		trial_answered(r);
	route_unref(r);
}

static void
on_addrs(void *arg, size_t n, const struct ipc_dns_answer *a)
{
	struct route *r = arg;
	struct hosts *h = &r->hosts;

	if (n < h->nhost &&
	    hosts_set_addrs(h, n, a, &r->d->self, prefers4(r->d, h->host[n].name)) != E_OK)
		h->host[n].state = HOST_FAILED;
	route_ask_dane(r, n);
	route_answered(r);
}

static void
on_dane(void *arg, size_t n, const struct ipc_dns_answer *a)
{
	struct route *r = arg;

	hosts_dane_answer(&r->hosts, n, a);
	route_ask_dane(r, n);
	route_answered(r);
}

static void
on_mx(void *arg, size_t n, const struct ipc_dns_answer *a)
{
	static uint64_t counter;
	struct route *r = arg;

	counter++;
	r->mx_asked = 0;
	if (hosts_from_mx(
		&r->hosts, r->domain, a, &r->d->self, siphash(&counter, sizeof(counter))) != E_OK)
		out_of_memory(&r->hosts);
	route_ask_addrs(r);
	route_answered(r);
}

static void
route_ask(struct route *r, enum dns_type type, const char *name, resolve_fn fn, size_t n)
{
	r->refs++;
	r->asked++;
	resolve_ask(r->d, type, name, fn, r, n);
}

/* RFC 7672 2.2.2: after the addresses, and only where these or the alias to them are signed. */
static void
route_ask_dane(struct route *r, size_t i)
{
	enum dns_type type;
	const char *name = hosts_dane_question(&r->hosts, i, &type);

	if (name != NULL)
		route_ask(r, type, name, on_dane, i);
}

static void
route_ask_addrs(struct route *r)
{
	/* An answer may come at once and cut the list short. */
	for (size_t i = 0; i < r->hosts.nhost; i++) {
		if (r->hosts.host[i].state == HOST_ASK)
			route_ask(r, DNS_ADDR, r->hosts.host[i].name, on_addrs, i);
	}
}

static void
route_begin(struct route *r)
{
	struct net_addr a;
	int err = E_OK;

	if (r->hosts.kind == HOP_MX) {
		r->mx_asked = 1;
		route_ask(r, DNS_MX, r->domain, on_mx, 0);
		return;
	}
	if (net_addr_parse(&a, slice_str(r->domain)) == E_OK)
		err = hosts_from_addr(&r->hosts, &a, &r->d->self);
	else
		err = hosts_from_name(&r->hosts, r->domain);
	if (err != E_OK)
		out_of_memory(&r->hosts);
	route_ask_addrs(r);
	if (r->asked == 0)
		r->expires_ms = deliver_now(r->d) + HOSTS_TTL_MAX_MS;
}

static struct route *
route_make(struct deliver *d, const struct pool_dest *dest, int dane)
{
	struct route *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return (NULL);
	r->refs = 1;
	r->d = d;
	r->expires_ms = UINT64_MAX;
	TAILQ_INIT(&r->waiting);
	memcpy(r->domain, dest->host, sizeof(r->domain));
	hosts_init(&r->hosts, dest->kind, dest->port);
	r->hosts.dane = dane;
	return (r);
}

struct route *
route_fresh(struct deliver *d, const struct pool_dest *dest)
{
	struct route *r = route_make(d, dest, d->room.conf->resolver.trust_anchor[0] != '\0');

	if (r != NULL)
		route_begin(r);
	return (r);
}

struct route *
route_get(struct job *j)
{
	struct pool_dest *dest = j->dest;
	struct route *r = dest->arg;
	int dane = policy_asks_dane(j->d->room.conf, dest->host);

	if (r != NULL && deliver_now(j->d) < r->expires_ms && r->hosts.dane == dane) {
		r->refs++;
		return (r);
	}
	if (r != NULL)
		route_unref(r);
	dest->arg = NULL;
	if ((r = route_make(j->d, dest, dane)) == NULL)
		return (NULL);
	r->refs++;		/* the destination's and the caller's */
	dest->arg = r;
	route_begin(r);
	return (r);
}

enum hosts_next
route_next(const struct route *r, struct hosts_cursor *c, size_t *host, size_t *addr)
{
	if (r->mx_asked)
		return (HOSTS_WAIT);
	return (hosts_next(&r->hosts, c, host, addr));
}

void
route_wait(struct route *r, struct job *j)
{
	j->on_route = 1;
	TAILQ_INSERT_TAIL(&r->waiting, j, link);
}

void
route_unwait(struct job *j)
{
	if (!j->on_route)
		return;
	j->on_route = 0;
	TAILQ_REMOVE(&j->route->waiting, j, link);
}
