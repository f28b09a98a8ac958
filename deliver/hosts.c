/*
 * hosts.c -- see hosts.h.  Core.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "deliver/deliver_limits.h"
#include "deliver/hosts.h"

#define FNV_START	UINT64_C(14695981039346656037)
#define FNV_PRIME	UINT64_C(1099511628211)

_Static_assert(ADDRS_MAX <= 32, "hosts_cursor.tried has a bit for each address");

void
hosts_init(struct hosts *h, enum hop_kind kind, uint16_t port)
{
	memset(h, 0, sizeof(*h));
	arena_init(&h->mem, HOSTS_MEMORY);
	h->kind = kind;
	h->port = port;
	h->ttl = UINT32_MAX;
	h->domain = h->domain_end = "";
}

void
hosts_clear(struct hosts *h)
{
	arena_clear(&h->mem);
	h->nhost = 0;
}

static void
hosts_fail(struct hosts *h, enum outcome out, const char *enhanced, const char *text)
{
	h->failed = 1;
	h->nhost = 0;
	h->fail.outcome = out;
	h->fail.stage = STAGE_DNS;
	enhanced_parse(&h->fail.enhanced, slice_str(enhanced));
	snprintf(h->fail.text, sizeof(h->fail.text), "%s", text);
}

/* A configured next hop is the operator's word: what is wrong with it can be corrected, so mail
 * waits (design.md 1.7). */
static void
hosts_fail_loop(struct hosts *h)
{
	if (h->kind == HOP_SMTP)
		hosts_fail(h, OUT_TEMPFAIL, "4.4.6",
		    "mail loops back: the configured next hop is this server");
	else
		hosts_fail(h, OUT_PERMFAIL, "5.4.6",
		    "mail loops back: this server is the best mail host of the domain");
}

static void
hosts_fail_dns(struct hosts *h, const char *what, const char *name, const struct ipc_dns_answer *a)
{
	char text[REPLY_TEXT_MAX];

	snprintf(text, sizeof(text), "looking up %s of %s: %s%s%s", what, name,
	    dns_status_name(a->status), a->reason[0] != '\0' ? ": " : "", a->reason);
	hosts_fail(h, OUT_TEMPFAIL, "4.4.3", text);
}

/* ---- is it us? ---- */

static int
addr_is_us(const struct hosts *h, const struct net_addr *a, const struct hosts_self *self)
{
	const struct conf_listener *l;
	int mine;

	if (net_addr_is_any(a))
		return (1);		/* the kernel takes it for ourselves */
	mine = net_addr_is_loopback(a);
	for (size_t i = 0; i < self->nlocal && !mine; i++)
		mine = net_addr_cmp(a, &self->local[i]) == 0;
	for (size_t i = 0; i < self->nlisteners; i++) {
		l = &self->listeners[i];
		if (l->port == h->port &&
		    (net_addr_cmp(a, &l->addr) == 0 || (mine && net_addr_is_any(&l->addr))))
			return (1);
	}
	return (0);
}

/* Cut off host i's preference and all behind it. */
static void
hosts_cut(struct hosts *h, size_t i)
{
	while (i > 0 && h->host[i - 1].pref == h->host[i].pref)
		i--;
	h->nhost = i;
	h->looped = 1;
	if (h->nhost == 0)
		hosts_fail_loop(h);
}

/* ---- making the list ---- */

static int
name_cmp(const void *a, const void *b)
{
	return (strcmp(((const struct host *)a)->name, ((const struct host *)b)->name));
}

static int
pref_cmp(const void *a, const void *b)
{
	const struct host *x = a, *y = b;

	return ((x->pref > y->pref) - (x->pref < y->pref));
}

/* FNV-1a, since SipHash's key differs between processes.  It only says which budget mail shares. */
static uint64_t
provider_hash(const struct host *host, size_t n)
{
	uint64_t v = FNV_START;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && strcmp(host[i].name, host[i - 1].name) == 0)
			continue;
		for (const char *p = host[i].name;; p++) {
			v = (v ^ (uint8_t)*p) * FNV_PRIME;
			if (*p == '\0')
				break;
		}
	}
	return (v != 0 ? v : 1);
}

static uint64_t
next_random(uint64_t *seed)
{
	/* splitmix64 */
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31));
}

/* Sort by preference, in random order inside one; the best names sorted give the provider. */
static void
hosts_order(struct hosts *h, uint64_t seed)
{
	struct host tmp;
	size_t i, j, k;

	qsort(h->host, h->nhost, sizeof(h->host[0]), name_cmp);
	/* Stable by preference: a list of at most MX_MAX; qsort is not stable, so sort by both. */
	for (i = 1; i < h->nhost; i++) {
		tmp = h->host[i];
		for (j = i; j > 0 && pref_cmp(&h->host[j - 1], &tmp) > 0; j--)
			h->host[j] = h->host[j - 1];
		h->host[j] = tmp;
	}
	for (i = 0; i < h->nhost && h->host[i].pref == h->host[0].pref; i++)
		continue;
	h->provider = provider_hash(h->host, i);
	for (i = 0; i < h->nhost; i = j) {
		for (j = i; j < h->nhost && h->host[j].pref == h->host[i].pref; j++)
			continue;
		for (k = j - 1; k > i; k--) {
			size_t at = i + (size_t)(next_random(&seed) % (k - i + 1));

			tmp = h->host[k];
			h->host[k] = h->host[at];
			h->host[at] = tmp;
		}
	}
}

static int
hosts_alloc(struct hosts *h, size_t n)
{
	h->host = arena_alloc(&h->mem, n * sizeof(h->host[0]));
	return (h->host == NULL ? E_NOMEM : E_OK);
}

static int
hosts_add(struct hosts *h, const char *name, uint16_t pref)
{
	struct host *host = &h->host[h->nhost];

	memset(host, 0, sizeof(*host));
	host->name = arena_strdup(&h->mem, slice_str(name));
	if (host->name == NULL)
		return (E_NOMEM);
	host->pref = pref;
	host->said = host->dane.base = host->dane.why = "";
	h->nhost++;
	return (E_OK);
}

int
hosts_from_addr(struct hosts *h, const struct net_addr *a, const struct hosts_self *self)
{
	char text[NET_ADDR_STRLEN];

	if (hosts_alloc(h, 1) != E_OK || hosts_add(h, net_addr_str(a, text), 0) != E_OK)
		return (E_NOMEM);
	h->host[0].addr = arena_alloc(&h->mem, sizeof(*a));
	if (h->host[0].addr == NULL)
		return (E_NOMEM);
	h->host[0].addr[0] = *a;
	h->host[0].naddr = 1;
	h->host[0].state = HOST_GOOD;
	h->host[0].dane.why = "DANE is about names, and the next hop is an address (RFC 7672 2.2)";
	h->provider = provider_hash(h->host, 1);
	if (addr_is_us(h, a, self))
		hosts_cut(h, 0);
	return (E_OK);
}

int
hosts_from_name(struct hosts *h, const char *name)
{
	if (hosts_alloc(h, 1) != E_OK || hosts_add(h, name, 0) != E_OK)
		return (E_NOMEM);
	h->domain = h->host[0].name;
	h->provider = provider_hash(h->host, 1);
	return (E_OK);
}

int
hosts_from_mx(struct hosts *h, const char *domain, const struct ipc_dns_answer *a,
    const struct hosts_self *self, uint64_t seed)
{
	size_t n;
	int nulls = 0;

	h->mx_secure = a->secure;
	if ((h->domain = arena_strdup(&h->mem, slice_str(domain))) == NULL ||
	    (h->domain_end = arena_strdup(&h->mem, slice_str(a->canonical))) == NULL)
		return (E_NOMEM);
	switch (a->status) {
	case DNS_OK:
		break;
	case DNS_NODATA:		/* RFC 5321 5.1: implicit MX */
		if (hosts_from_name(h, domain) != E_OK)
			return (E_NOMEM);
		h->ttl = a->ttl;
		if (strcmp(domain, self->hostname) == 0)
			hosts_cut(h, 0);
		return (E_OK);
	case DNS_NXDOMAIN:
		hosts_fail(h, OUT_PERMFAIL, "5.1.2", "the recipient's domain does not exist");
		return (E_OK);
	default:
		hosts_fail_dns(h, "mail hosts", domain, a);
		return (E_OK);
	}
	n = a->nrec < MX_MAX ? a->nrec : MX_MAX;
	if (hosts_alloc(h, n > 0 ? n : 1) != E_OK)
		return (E_NOMEM);
	h->ttl = a->ttl;
	h->by_mx = 1;
	for (size_t i = 0; i < n; i++) {
		/* RFC 7505 3: a null MX stands alone; beside others it names no host. */
		if (a->rec[i].mx.host[0] == '\0')
			nulls++;
		else if (hosts_add(h, a->rec[i].mx.host, a->rec[i].mx.pref) != E_OK)
			return (E_NOMEM);
	}
	if (h->nhost == 0) {
		if (nulls != 0)
			hosts_fail(h, OUT_PERMFAIL, "5.1.10",
			    "the recipient's domain takes no mail (null MX)");
		else
			hosts_fail(h, OUT_TEMPFAIL, "4.4.3", "an answer without mail hosts");
		return (E_OK);
	}
	hosts_order(h, seed);
	for (size_t i = 0; i < h->nhost; i++) {
		if (strcmp(h->host[i].name, self->hostname) == 0) {
			hosts_cut(h, i);
			break;
		}
	}
	return (E_OK);
}

/* ---- addresses ---- */

/* Families in turn (RFC 8305 4), each in the order in which DNS gave them. */
static void
interleave(struct net_addr *dst, size_t n, const struct dns_record *rec, int want4)
{
	size_t at[2] = { 0, 0 }, i;

	for (i = 0; i < n; i++) {
		while (at[want4] < n && net_addr_is4(&rec[at[want4]].addr) != want4)
			at[want4]++;
		if (at[want4] < n) {
			dst[i] = rec[at[want4]++].addr;
			want4 = !want4;
			continue;
		}
		want4 = !want4;		/* that family is used up */
		while (net_addr_is4(&rec[at[want4]].addr) != want4)
			at[want4]++;
		dst[i] = rec[at[want4]++].addr;
	}
}

/* ---- TLSA ---- */

static void
dane_over(struct hosts *h, struct host *host)
{
	host->dane = host->search->found;
	host->search = NULL;
	if (host->dane.status == DANE_FAILED)
		h->ttl = 0;		/* the next attempt asks again */
	else if (host->dane.ttl < h->ttl)
		h->ttl = host->dane.ttl;
}

/* What cannot be looked for is not "none" (R12): the host has addresses by now, and would be spoken to without DANE. */
static int
dane_start(struct hosts *h, struct host *host, const struct ipc_dns_answer *a)
{
	const struct dane_host what = { .host = host->name, .port = h->port, .by_mx = h->by_mx,
	    .mx_secure = h->mx_secure, .nexthop = h->domain, .nexthop_end = h->domain_end };

	if ((host->search = arena_alloc(&h->mem, sizeof(*host->search))) == NULL) {
		host->dane.status = DANE_FAILED;
		host->dane.why = "out of memory";
		h->ttl = 0;
		return (E_OK);
	}
	dane_begin(host->search, &h->mem, &what, a);
	if (host->search->step == DANE_DONE)
		dane_over(h, host);
	return (E_OK);
}

const char *
hosts_dane_question(const struct hosts *h, size_t i, enum dns_type *type)
{
	if (i >= h->nhost || h->host[i].search == NULL)
		return (NULL);
	*type = h->host[i].search->step == DANE_ASK_CNAME ? DNS_CNAME : DNS_TLSA;
	return (h->host[i].search->question);
}

void
hosts_dane_answer(struct hosts *h, size_t i, const struct ipc_dns_answer *a)
{
	if (i >= h->nhost || h->host[i].search == NULL)
		return;			/* cut off meanwhile */
	dane_answer(h->host[i].search, a);
	if (h->host[i].search->step == DANE_DONE)
		dane_over(h, &h->host[i]);
}

int
hosts_set_addrs(struct hosts *h, size_t i, const struct ipc_dns_answer *a,
    const struct hosts_self *self, int prefer4)
{
	struct host *host;
	size_t n;

	if (i >= h->nhost)
		return (E_OK);		/* cut off meanwhile */
	host = &h->host[i];
	switch (a->status) {
	case DNS_OK:
		break;
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		host->said = dns_status_name(a->status);
		host->state = HOST_NONE;
		return (E_OK);
	default:
		host->said = dns_status_name(a->status);
		host->state = HOST_FAILED;
		snprintf(h->fail.text, sizeof(h->fail.text), "looking up addresses of %s: %s%s%s",
		    host->name, dns_status_name(a->status), a->reason[0] != '\0' ? ": " : "",
		    a->reason);
		return (E_OK);
	}
	n = a->nrec < ADDRS_MAX ? a->nrec : ADDRS_MAX;
	host->addr = arena_alloc(&h->mem, (n > 0 ? n : 1) * sizeof(host->addr[0]));
	if (host->addr == NULL)
		return (E_NOMEM);
	interleave(host->addr, n, a->rec, prefer4 != 0);
	host->naddr = n;
	host->state = n > 0 ? HOST_GOOD : HOST_NONE;
	if (a->ttl < h->ttl)
		h->ttl = a->ttl;
	for (size_t k = 0; k < n; k++) {
		if (addr_is_us(h, &host->addr[k], self)) {
			hosts_cut(h, i);
			return (E_OK);
		}
	}
	return (h->dane && host->state == HOST_GOOD ? dane_start(h, host, a) : E_OK);
}

enum hosts_next
hosts_next(const struct hosts *h, struct hosts_cursor *c, size_t *host, size_t *addr)
{
	size_t i, k;

	for (;;) {
		if (c->host >= h->nhost)
			return (HOSTS_END);
		/* All of one preference must be known: one of them may be this machine. */
		for (i = c->host; i < h->nhost && h->host[i].pref == h->host[c->host].pref; i++) {
			if (h->host[i].state == HOST_ASK)
				return (HOSTS_WAIT);
		}
		if (h->host[c->host].search != NULL)
			return (HOSTS_WAIT);
		for (k = 0; k < h->host[c->host].naddr; k++) {
			if ((c->tried & (1u << k)) == 0) {
				*host = c->host;
				*addr = k;
				return (HOSTS_ADDR);
			}
		}
		c->host++;
		c->tried = 0;
	}
}

void
hosts_mark(struct hosts_cursor *c, size_t addr, int tried)
{
	if (tried)
		c->tried |= 1u << addr;
	else
		c->tried &= ~(1u << addr);
}

void
hosts_why(const struct hosts *h, struct hosts_fail *f)
{
	int temporary = 0;

	*f = h->fail;
	if (h->failed)
		return;
	f->stage = STAGE_DNS;
	for (size_t i = 0; i < h->nhost; i++)
		temporary |= h->host[i].state != HOST_NONE;
	if (temporary) {
		f->outcome = OUT_TEMPFAIL;
		f->enhanced = (struct enhanced){ 4, 4, 3 };
		if (f->text[0] == '\0')
			snprintf(f->text, sizeof(f->text), "no address of a mail host is known");
		return;
	}
	/* DNS is certain.  A configured hop can be corrected; a domain's hosts are its owner's
	 * word. */
	f->outcome = h->kind == HOP_SMTP ? OUT_TEMPFAIL : OUT_PERMFAIL;
	f->enhanced = (struct enhanced){ h->kind == HOP_SMTP ? 4 : 5, 4, 4 };
	snprintf(f->text, sizeof(f->text), "%s", h->kind == HOP_SMTP ?
	    "the configured next hop has no address" : "no mail host of the domain has an address");
}
