/*
 * sched_dest.c -- destinations and providers: who may have how many connections.  Core; see sched.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "queue/sched_dest.h"

static void	provider_set(struct sched *, struct sched_dest *, uint64_t);
static void	provider_serve(struct sched *, struct sched_provider *);
static void	provider_cut(struct sched_provider *);
static struct sched_provider *provider_new(const struct sched *, int);
static void	job_end(struct sched *, struct sched_dest *);
static void	backoff(struct sched *, struct sched_dest *, uint64_t);

struct sched_dest *
sched_dest_get(struct sched *s, const char *name, int local, uint64_t now_ms)
{
	struct sched_dest *d;
	size_t n = strlen(name);

	HASH_FIND(hh, s->dests, name, n, d);
	if (d != NULL) {
		d->used = now_ms;
		return (d);
	}
	if (HASH_COUNT(s->dests) >= SCHED_DESTS_MAX)
		sched_sweep(s, UINT64_MAX);
	if ((d = calloc(1, sizeof(*d) + n + 1)) == NULL)
		return (NULL);
	if ((d->prov = provider_new(s, local)) == NULL) {
		free(d);
		return (NULL);
	}
	d->prov->refs = 1;
	d->local = local != 0;
	d->used = now_ms;
	memcpy(d->name, name, n + 1);
	HASH_ADD(hh, s->dests, name, n, d);
	return (d);
}

struct sched_dest *
sched_dest_find(struct sched *s, const char *name)
{
	struct sched_dest *d;

	HASH_FIND(hh, s->dests, name, strlen(name), d);
	return (d);
}

const char *
sched_dest_name(const struct sched_dest *d)
{
	return (d->name);
}

int
sched_dest_local(const struct sched_dest *d)
{
	return (d->local);
}

struct sched_mark *
sched_dest_mark(struct sched_dest *d)
{
	return (&d->mark);
}

void
sched_dest_marked(struct sched *s, struct sched_dest *d, const struct sched_mark *mark)
{
	d->mark = *mark;
	if (d->mark.set == d->on_marked)
		return;
	if (d->mark.set)
		DL_APPEND2(s->marked, d, marked_prev, marked_next);
	else
		DL_DELETE2(s->marked, d, marked_prev, marked_next);
	d->on_marked = d->mark.set;
}

struct sched_dest *
sched_marked(struct sched *s)
{
	struct sched_dest *d = s->marked;

	if (d != NULL) {
		DL_DELETE2(s->marked, d, marked_prev, marked_next);
		DL_APPEND2(s->marked, d, marked_prev, marked_next);
	}
	return (d);
}

int
sched_dest_has_room(const struct sched_dest *d)
{
	return (d->ready <= SCHED_DEST_SHARE / 2);
}

int
sched_each_dest(struct sched *s, int (*fn)(void *, struct sched_dest *), void *arg)
{
	struct sched_dest *d, *tmp;
	int r;

	HASH_ITER(hh, s->dests, d, tmp)
		if ((r = fn(arg, d)) != 0)
			return (r);
	return (0);
}

void
sched_configure(struct sched *s, const struct sched_conf *conf)
{
	struct sched_dest *d, *tmp;

	s->conf = *conf;
	HASH_ITER(hh, s->dests, d, tmp)
		if (d->prov->window > conf->concurrency * SCHED_UNIT)
			d->prov->window = conf->concurrency * SCHED_UNIT;
	HASH_ITER(hh, s->dests, d, tmp)
		if (d->ready != 0)
			sched_place(s, d, PLACE_RING);
}

/* The one writer of d->place; asking for the ring puts it at the ring's end. */
void
sched_place(struct sched *s, struct sched_dest *d, enum sched_place place)
{
	switch (d->place) {
	case PLACE_RING:
		DL_DELETE(s->ring, d);
		break;
	case PLACE_WAITING:
		DL_DELETE(d->prov->waiting, d);
		break;
	case PLACE_PARKED:
		DL_DELETE(s->parked, d);
		break;
	case PLACE_CROWD:
		DL_DELETE(s->crowd, d);
		break;
	default:
		break;
	}
	switch (place) {
	case PLACE_RING:
		DL_APPEND(s->ring, d);
		break;
	case PLACE_WAITING:
		DL_APPEND(d->prov->waiting, d);
		break;
	case PLACE_PARKED:
		DL_APPEND(s->parked, d);
		break;
	case PLACE_CROWD:
		DL_APPEND(s->crowd, d);
		break;
	default:
		break;
	}
	d->place = place;
}

int
sched_has_slot(const struct sched *s, const struct sched_dest *d)
{
	return (d->prov->active < d->prov->window / SCHED_UNIT);
}

void
sched_wake(struct sched *s)
{
	while (s->parked != NULL)
		sched_place(s, s->parked, PLACE_RING);
}

void
sched_job_adopt(struct sched *s, struct sched_dest *d)
{
	d->active++;
	d->prov->active++;
	if (d->local)
		s->active_local++;
	else
		s->active++;
}

void
sched_job_done(struct sched *s, struct sched_dest *d, enum reached reached, uint64_t provider,
    const char *why, uint64_t now_ms)
{
	struct sched_provider *p;
	uint32_t most = s->conf.concurrency * SCHED_UNIT;

	if (reached == REACHED_UNKNOWN) {
		job_end(s, d);
		return;
	}
	if (provider != 0 && provider != d->prov->id)
		provider_set(s, d, provider);
	p = d->prov;
	if (reached != REACHED_NOT) {
		d->failures = 0;
		d->in_a_row = 0;
		d->backoff_s = 0;
		d->backoff_until = 0;
		free(d->why);
		d->why = NULL;
		if (reached == REACHED_FULL)
			provider_cut(p);
		else if (p->round == 0 || p->slow_start)
			p->window += p->slow_start ? SCHED_UNIT : SCHED_UNIT * SCHED_UNIT / p->window + 1;
		if (p->window > most)
			p->window = most;
	} else {
		free(d->why);
		d->why = why != NULL ? strdup(why) : NULL;
		d->failures++;
		d->in_a_row++;
		/* A failure that says nothing of the hosts, such as DNS, is not their provider's. */
		if (provider == p->id)
			provider_cut(p);
		if (d->failures >= SCHED_DEAD_AFTER && d->backoff_until <= now_ms)
			backoff(s, d, now_ms);
	}
	job_end(s, d);
}

void
sched_job_lost(struct sched *s, struct sched_dest *d)
{
	job_end(s, d);
}

void
sched_dest_reset(struct sched *s, struct sched_dest *d)
{
	d->failures = 0;
	d->backoff_until = 0;
	d->backoff_s = 0;
	if (d->ready != 0)
		sched_place(s, d, PLACE_RING);
}

void
sched_sweep(struct sched *s, uint64_t now_ms)
{
	struct sched_dest *d, *tmp;

	HASH_ITER(hh, s->dests, d, tmp)
		if (d->ready == 0 && d->active == 0 && !d->mark.set &&
		    (now_ms == UINT64_MAX ? d->backoff_until == 0 :
		    now_ms > d->used && now_ms - d->used > SCHED_DEST_IDLE_S * 1000ull))
			sched_dest_free(s, d);
}

void
sched_dest_view(const struct sched_dest *d, uint64_t now_ms, struct sched_view *v)
{
	v->active = d->prov->active;
	v->limit = d->prov->window / SCHED_UNIT;
	v->ready = d->ready;
	v->failures = d->in_a_row;
	v->backoff_ms = d->backoff_until > now_ms ? d->backoff_until - now_ms : 0;
	v->why = d->why != NULL ? d->why : "";
}

void
sched_dest_free(struct sched *s, struct sched_dest *d)
{
	struct sched_mark none = { 0 };
	struct sched_level *l, *tmp;

	DL_FOREACH_SAFE(d->levels, l, tmp)
		free(l);
	sched_dest_marked(s, d, &none);
	sched_place(s, d, PLACE_NONE);
	sched_provider_unref(s, d->prov);
	HASH_DEL(s->dests, d);
	free(d->why);
	free(d);
}

void
sched_provider_unref(struct sched *s, struct sched_provider *p)
{
	if (--p->refs != 0)
		return;
	if (p->id != 0)
		HASH_DEL(s->providers, p);
	free(p);
}

/* Doubles up to its maximum; what waits in memory comes out of sched_next() to be postponed. */
static void
backoff(struct sched *s, struct sched_dest *d, uint64_t now_ms)
{
	d->backoff_s = d->backoff_s == 0 ? s->conf.backoff_min_s : d->backoff_s * 2;
	if (d->backoff_s > s->conf.backoff_max_s)
		d->backoff_s = s->conf.backoff_max_s;
	d->backoff_until = now_ms + d->backoff_s * 1000ull;
	/* One probe after it decides: the next failure is enough. */
	d->failures = SCHED_DEAD_AFTER - 1;
	if (d->prov->id == 0)
		d->prov->window = SCHED_UNIT;
	if (d->ready != 0)
		sched_place(s, d, PLACE_RING);
}

static void
job_end(struct sched *s, struct sched_dest *d)
{
	d->active--;
	d->prov->active--;
	if (d->prov->round != 0)
		d->prov->round--;
	if (d->local)
		s->active_local--;
	else
		s->active--;
	provider_serve(s, d->prov);
	if (d->ready != 0 && d->place == PLACE_NONE)
		sched_place(s, d, PLACE_RING);
}

/*
 * Half as many connections from now on.  The jobs under way began under the old number: what they
 * say until they have ended is about that, so they cut no further (one cut a round).
 */
static void
provider_cut(struct sched_provider *p)
{
	if (p->round != 0)
		return;
	p->slow_start = 0;
	p->window /= 2;
	if (p->window < SCHED_UNIT)
		p->window = SCHED_UNIT;
	p->round = p->active;		/* with the one that ends now */
}

/* As many as there are free slots may come back to the ring. */
static void
provider_serve(struct sched *s, struct sched_provider *p)
{
	struct sched_dest *d;
	uint32_t slots, used;

	slots = p->window / SCHED_UNIT;
	for (used = p->active; used < slots && (d = p->waiting) != NULL; ) {
		/* One whose items have left meanwhile must not take the place of the next. */
		used += d->ready != 0;
		sched_place(s, d, d->ready != 0 ? PLACE_RING : PLACE_NONE);
	}
}

static struct sched_provider *
provider_new(const struct sched *s, int local)
{
	struct sched_provider *p;
	uint32_t start = SCHED_START;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	/* A mailbox on this machine has nobody to overwhelm. */
	if (local || start > s->conf.concurrency)
		start = s->conf.concurrency;
	p->window = start * SCHED_UNIT;
	p->slow_start = 1;
	return (p);
}

/* The destination's hosts are known: its jobs count among those of all that share them. */
static void
provider_set(struct sched *s, struct sched_dest *d, uint64_t id)
{
	struct sched_provider *p, *old = d->prov;
	enum sched_place place = d->place;

	HASH_FIND(hh, s->providers, &id, sizeof(id), p);
	if (p == NULL) {
		if (old->id == 0 && old->refs == 1) {	/* its own so far; becomes the shared one */
			old->id = id;
			HASH_ADD(hh, s->providers, id, sizeof(old->id), old);
			return;
		}
		if ((p = provider_new(s, d->local)) == NULL)
			return;
		p->id = id;
		HASH_ADD(hh, s->providers, id, sizeof(p->id), p);
	}
	sched_place(s, d, PLACE_NONE);
	p->refs++;
	p->active += d->active;
	old->active -= d->active;
	provider_serve(s, old);
	d->prov = p;
	sched_provider_unref(s, old);
	if (place != PLACE_NONE)
		sched_place(s, d, PLACE_RING);
}
