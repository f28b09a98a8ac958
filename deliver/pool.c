/*
 * pool.c -- see pool.h.  Core.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/siphash.h"
#include "common/slice.h"
#include "deliver/pool.h"

void
pool_init(struct pool *p, size_t conn_max, size_t dest_conn_max)
{
	memset(p, 0, sizeof(*p));
	p->conn_max = conn_max;
	p->dest_conn_max = dest_conn_max;
	TAILQ_INIT(&p->idle);
	TAILQ_INIT(&p->waiters);
}

/* Where d's equal is, or would be. */
static struct pool_dest **
pool_slot(struct pool *p, const struct pool_dest *want)
{
	struct pool_dest **d;

	d = &p->bucket[siphash(want->host, strlen(want->host)) % POOL_BUCKETS];
	while (*d != NULL && ((*d)->kind != want->kind || (*d)->port != want->port ||
	    (*d)->implicit != want->implicit || strcmp((*d)->host, want->host) != 0 ||
	    strcmp((*d)->login, want->login) != 0))
		d = &(*d)->next;
	return (d);
}

struct pool_dest *
pool_dest_get(struct pool *p, unsigned kind, const char *host, uint16_t port, int implicit, const char *login)
{
	struct pool_dest **slot, *d, want = { .kind = (uint8_t)kind, .port = port, .implicit = implicit != 0 };

	if (slice_copy(slice_str(host), want.host, sizeof(want.host)) != E_OK ||
	    slice_copy(slice_str(login), want.login, sizeof(want.login)) != E_OK)
		return (NULL);
	slot = pool_slot(p, &want);
	if (*slot == NULL) {
		d = malloc(sizeof(*d));
		if (d == NULL)
			return (NULL);
		*d = want;
		TAILQ_INIT(&d->idle);
		TAILQ_INIT(&d->waiters);
		*slot = d;
		p->ndest++;
	}
	(*slot)->users++;
	return (*slot);
}

static void
pool_dest_check(struct pool *p, struct pool_dest *d)
{
	struct pool_dest **slot;

	if (d->users != 0 || d->nconn != 0 || !TAILQ_EMPTY(&d->waiters))
		return;
	slot = pool_slot(p, d);
	*slot = d->next;
	p->ndest--;
	if (p->dest_free != NULL)
		p->dest_free(d);
	free(d);
}

void
pool_dest_put(struct pool *p, struct pool_dest *d)
{
	d->users--;
	pool_dest_check(p, d);
}

static void
pool_busy(struct pool *p, struct pool_conn *c)
{
	if (!c->idle)
		return;
	c->idle = 0;
	p->nidle--;
	TAILQ_REMOVE(&c->dest->idle, c, link);
	TAILQ_REMOVE(&p->idle, c, age);
}

struct pool_conn *
pool_take(struct pool *p, struct pool_dest *d)
{
	struct pool_conn *c = TAILQ_FIRST(&d->idle);

	if (c != NULL)
		pool_busy(p, c);
	return (c);
}

void
pool_full(struct pool_dest *d, uint64_t now_ms, uint64_t full_ms)
{
	d->full_at = d->nconn;
	d->full_until_ms = now_ms + full_ms;
}

int
pool_is_full(const struct pool_dest *d, uint64_t now_ms)
{
	return (d->nconn != 0 && d->nconn >= d->full_at && now_ms < d->full_until_ms);
}

int
pool_may_dial(const struct pool *p, const struct pool_dest *d, struct pool_conn **evict)
{
	*evict = NULL;
	if (d->nconn >= p->dest_conn_max)
		return (0);
	if (p->nconn >= p->conn_max) {
		*evict = TAILQ_FIRST(&p->idle);
		return (0);
	}
	return (1);
}

void
pool_add(struct pool *p, struct pool_dest *d, struct pool_conn *c)
{
	c->dest = d;
	c->idle = 0;
	d->nconn++;
	p->nconn++;
}

void
pool_remove(struct pool *p, struct pool_conn *c)
{
	struct pool_dest *d = c->dest;

	if (d == NULL)
		return;
	pool_busy(p, c);
	c->dest = NULL;
	d->nconn--;
	p->nconn--;
	pool_dest_check(p, d);
}

void
pool_idle(struct pool *p, struct pool_conn *c, uint64_t now_ms)
{
	c->idle = 1;
	c->idle_ms = now_ms;
	p->nidle++;
	TAILQ_INSERT_HEAD(&c->dest->idle, c, link);
	TAILQ_INSERT_TAIL(&p->idle, c, age);
}

struct pool_conn *
pool_expired(const struct pool *p, uint64_t now_ms, uint64_t idle_ms)
{
	struct pool_conn *c = TAILQ_FIRST(&p->idle);

	return (c != NULL && now_ms - c->idle_ms >= idle_ms ? c : NULL);
}

void
pool_wait(struct pool *p, struct pool_dest *d, struct pool_waiter *w)
{
	w->dest = d;
	w->waiting = 1;
	TAILQ_INSERT_TAIL(&d->waiters, w, link);
	TAILQ_INSERT_TAIL(&p->waiters, w, age);
}

void
pool_unwait(struct pool *p, struct pool_waiter *w)
{
	struct pool_dest *d = w->dest;

	if (!w->waiting)
		return;
	w->waiting = 0;
	TAILQ_REMOVE(&d->waiters, w, link);
	TAILQ_REMOVE(&p->waiters, w, age);
	pool_dest_check(p, d);
}

struct pool_waiter *
pool_heir(const struct pool *p, const struct pool_dest *d, int *give_way)
{
	struct pool_waiter *oldest = TAILQ_FIRST(&p->waiters);

	*give_way = 0;
	if (p->nconn >= p->conn_max && oldest != NULL && oldest->dest != d &&
	    oldest->dest->nconn < p->dest_conn_max) {
		*give_way = 1;
		return (NULL);
	}
	return (TAILQ_FIRST(&d->waiters));
}

struct pool_conn *
pool_take_for_waiter(struct pool *p)
{
	struct pool_waiter *w;

	TAILQ_FOREACH(w, &p->waiters, age) {
		if (!TAILQ_EMPTY(&w->dest->idle))
			return (pool_take(p, w->dest));
	}
	return (NULL);
}

struct pool_waiter *
pool_dialer(const struct pool *p)
{
	struct pool_waiter *w;

	if (p->nconn >= p->conn_max)
		return (NULL);
	TAILQ_FOREACH(w, &p->waiters, age) {
		if (w->dest->nconn < p->dest_conn_max && (!w->patient || w->dest->nconn == 0))
			return (w);
	}
	return (NULL);
}
