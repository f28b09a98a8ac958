/*
 * sched.c -- items, flows and the choice of the next job.  Core; see sched.h.
 */
#include "queue/sched.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "queue/sched_dest.h"

static struct sched_item *item_find(struct sched *, uint64_t, uint32_t);
static struct sched_item *item_make(struct sched *, uint64_t, uint32_t);
static void	item_unqueue(struct sched_item *);
static struct sched_level *level_get(struct sched_dest *, int);
static struct sched_level *level_next(struct sched_dest *);
static void	take_group(struct sched_dest *, enum sched_state, struct sched_job *);

struct sched *
sched_new(const struct sched_conf *conf)
{
	struct sched *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	s->conf = *conf;
	return (s);
}

void
sched_free(struct sched *s)
{
	struct sched_item *it, *tmp;
	struct sched_dest *d, *dtmp;

	HASH_ITER(hh, s->items, it, tmp) {
		item_unqueue(it);
		HASH_DEL(s->items, it);
		free(it);
	}
	HASH_ITER(hh, s->dests, d, dtmp)
		sched_dest_free(s, d);
	free(s);
}

int
sched_add(struct sched *s, uint64_t msgid, uint32_t index, struct sched_dest *d, uint64_t hash, int priority)
{
	struct sched_item *it;
	struct sched_flow *f;

	if (item_find(s, msgid, index) != NULL)
		return (E_EXISTS);
	if (s->nitem >= SCHED_WINDOW)
		return (E_LIMIT);
	if (d->ready >= SCHED_DEST_SHARE && (priority > 0 ? d->urgent : d->ready - d->urgent) >= SCHED_DEST_URGENT)
		return (E_BUSY);
	hash ^= (uint64_t)(uint32_t)priority << 32;	/* the same sender's others are a flow of their own */
	HASH_FIND(hh, d->by_hash, &hash, sizeof(hash), f);
	if (f == NULL) {
		if ((f = calloc(1, sizeof(*f))) == NULL)
			return (E_NOMEM);
		if ((f->level = level_get(d, priority)) == NULL) {
			free(f);
			return (E_NOMEM);
		}
		f->hash = hash;
		f->dest = d;
		HASH_ADD(hh, d->by_hash, hash, sizeof(f->hash), f);
		DL_APPEND(f->level->flows, f);
	}
	if ((it = item_make(s, msgid, index)) == NULL) {
		if (f->items == NULL) {
			DL_DELETE(f->level->flows, f);
			HASH_DEL(d->by_hash, f);
			free(f);
		}
		return (E_NOMEM);
	}
	it->state = SCHED_READY;
	it->flow = f;
	DL_APPEND(f->items, it);
	d->ready++;
	d->urgent += priority > 0;
	if (d->place == PLACE_NONE)
		sched_place(s, d, PLACE_RING);
	return (E_OK);
}

int
sched_set(struct sched *s, uint64_t msgid, uint32_t index, enum sched_state state)
{
	struct sched_item *it;

	assert(state == SCHED_ACTIVE || state == SCHED_SETTLING);
	if ((it = item_find(s, msgid, index)) == NULL && (it = item_make(s, msgid, index)) == NULL)
		return (E_NOMEM);
	item_unqueue(it);
	it->state = state;
	return (E_OK);
}

enum sched_state
sched_state(struct sched *s, uint64_t msgid, uint32_t index)
{
	const struct sched_item *it;

	it = item_find(s, msgid, index);
	return (it == NULL ? SCHED_ABSENT : (enum sched_state)it->state);
}

void
sched_forget(struct sched *s, uint64_t msgid, uint32_t index)
{
	struct sched_item *it;

	if ((it = item_find(s, msgid, index)) == NULL)
		return;
	item_unqueue(it);
	HASH_DEL(s->items, it);
	s->nitem--;
	free(it);
}

size_t
sched_items(const struct sched *s)
{
	return (s->nitem);
}

size_t
sched_room(const struct sched *s)
{
	return (s->nitem >= SCHED_WINDOW ? 0 : SCHED_WINDOW - s->nitem);
}

uint32_t
sched_active(const struct sched *s)
{
	return (s->active + s->active_local);
}

/*
 * Each step takes one destination from the ring and either gives out a job of it or puts it
 * where it waits for what it lacks, so a call costs as many steps as destinations changed state.
 */
int
sched_next(struct sched *s, uint64_t now_ms, unsigned kinds, struct sched_job *job)
{
	struct sched_dest *d;

	for (;;) {
		/* Those that found every connection in use, one for each that is free. */
		if (s->ring == NULL && s->crowd != NULL && s->active < s->conf.connections)
			sched_place(s, s->crowd, PLACE_RING);
		if ((d = s->ring) == NULL)
			break;
		if (d->ready == 0) {
			sched_place(s, d, PLACE_NONE);
			continue;
		}
		if (d->backoff_until > now_ms) {
			job->kind = SCHED_POSTPONE;
			take_group(d, SCHED_SETTLING, job);
			return (E_OK);
		}
		if ((kinds & (d->local ? SCHED_LOCAL : SCHED_REMOTE)) == 0) {
			sched_place(s, d, PLACE_PARKED);
			continue;
		}
		if (!sched_has_slot(s, d)) {
			sched_place(s, d, PLACE_WAITING);
			continue;
		}
		if (!d->local && s->active >= s->conf.connections) {
			/* All connections are in use.  Local deliveries need none; they may stand behind. */
			sched_place(s, d, PLACE_CROWD);
			continue;
		}
		job->kind = SCHED_RUN;
		take_group(d, SCHED_ACTIVE, job);
		sched_job_adopt(s, d);
		sched_place(s, d, d->ready != 0 ? PLACE_RING : PLACE_NONE);	/* to the end */
		return (E_OK);
	}
	return (E_AGAIN);
}

static struct sched_level *
level_get(struct sched_dest *d, int priority)
{
	struct sched_level *l, *new;

	for (l = d->levels; l != NULL && l->priority > priority; l = l->next)
		;
	if (l != NULL && l->priority == priority)
		return (l);
	if ((new = calloc(1, sizeof(*new))) == NULL)
		return (NULL);
	new->priority = priority;
	if (l != NULL)
		DL_PREPEND_ELEM(d->levels, l, new);
	else
		DL_APPEND(d->levels, new);
	return (new);
}

/* The highest with flows; when it is the lower ones' turn, the one of them behind that which had it last. */
static struct sched_level *
level_next(struct sched_dest *d)
{
	struct sched_level *l, *top = NULL, *first = NULL;

	d->turn++;
	DL_FOREACH(d->levels, l) {
		if (l->flows == NULL)
			continue;
		if (top == NULL) {
			top = l;
			if (d->turn % SCHED_LOWER_TURN != 0)
				return (top);
			continue;
		}
		if (first == NULL)
			first = l;
		if (l->priority < d->lower) {
			d->lower = l->priority;
			return (l);
		}
	}
	if (first == NULL)
		return (top);
	d->lower = first->priority;
	return (first);
}

/* The next flow's first message: those of its recipients that stand together, at most a job's. */
static void
take_group(struct sched_dest *d, enum sched_state state, struct sched_job *job)
{
	struct sched_flow *f = level_next(d)->flows;
	struct sched_item *it, *next;

	job->dest = d;
	job->msgid = f->items->key.msgid;
	job->n = 0;
	/* The last item's removal frees the flow, so it goes to the end of the turn first. */
	DL_DELETE(f->level->flows, f);
	DL_APPEND(f->level->flows, f);
	for (it = f->items; it != NULL && it->key.msgid == job->msgid && job->n < JOB_RCPT_MAX;
	    it = next) {
		next = it->next;
		job->index[job->n++] = (uint32_t)it->key.index;
		item_unqueue(it);
		it->state = state;
	}
}

static struct sched_item *
item_find(struct sched *s, uint64_t msgid, uint32_t index)
{
	struct sched_item *it;
	struct { uint64_t msgid, index; } key = { msgid, index };

	HASH_FIND(hh, s->items, &key, sizeof(key), it);
	return (it);
}

static struct sched_item *
item_make(struct sched *s, uint64_t msgid, uint32_t index)
{
	struct sched_item *it;

	if ((it = calloc(1, sizeof(*it))) == NULL)
		return (NULL);
	it->key.msgid = msgid;
	it->key.index = index;
	HASH_ADD(hh, s->items, key, sizeof(it->key), it);
	s->nitem++;
	return (it);
}

static void
item_unqueue(struct sched_item *it)
{
	struct sched_flow *f = it->flow;
	struct sched_dest *d;

	if (f == NULL)
		return;
	d = f->dest;
	DL_DELETE(f->items, it);
	it->flow = NULL;
	d->ready--;
	d->urgent -= f->level->priority > 0;
	if (f->items == NULL) {
		DL_DELETE(f->level->flows, f);
		HASH_DEL(d->by_hash, f);
		free(f);
	}
}

uint32_t
sched_retry_delay(const uint32_t *retry, size_t nretry, uint32_t attempts, uint32_t hint_s,
    uint32_t rnd)
{
	uint64_t delay;
	size_t step;

	if (hint_s != 0) {
		delay = hint_s > RETRY_HINT_MAX_S ? RETRY_HINT_MAX_S : hint_s;
		return ((uint32_t)(delay + rnd % (delay / 8 + 1)));
	}
	step = attempts > 0 ? attempts - 1 : 0;
	if (step >= nretry)
		step = nretry - 1;
	delay = nretry != 0 && retry[step] != 0 ? retry[step] : 1;
	delay = delay - delay / 8 + rnd % (delay / 4 + 1);
	return ((uint32_t)delay);
}

uint32_t
sched_postpone_delay(const struct sched_dest *d, uint64_t now_ms, uint32_t rnd)
{
	uint64_t wait;

	wait = d->backoff_until > now_ms ? (d->backoff_until - now_ms) / 1000 + 1 : 1;
	return ((uint32_t)(wait + rnd % (wait / 4 + 1)));
}
