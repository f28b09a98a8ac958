/* turns.c -- see turns.h.  Core. */
#include <stdlib.h>

#include "auth/turns.h"
#include "common/err.h"
#include "common/limits.h"

struct lane {
	struct lane	*next, *prev;	/* ring of its owner */
	struct owner	*owner;
	uint64_t	 key;
	struct turn	*first, *last;
	size_t		 n;
};

struct owner {
	struct owner	*next, *prev;	/* ring */
	const void	*key;
	struct lane	*lanes;		/* the next one's turn; never NULL */
	size_t		 n;		/* that wait, of all its lanes */
};

static struct owner *
owner_find(struct turns *t, const void *key)
{
	struct owner	*o = t->owners;

	if (o == NULL)
		return (NULL);
	do {
		if (o->key == key)
			return (o);
		o = o->next;
	} while (o != t->owners);
	return (NULL);
}

/* At the ring's end: behind all who wait already. */
static struct owner *
owner_new(struct turns *t, const void *key)
{
	struct owner	*o = calloc(1, sizeof(*o));

	if (o == NULL)
		return (NULL);
	o->key = key;
	o->next = o->prev = o;
	if (t->owners != NULL) {
		o->next = t->owners;
		o->prev = t->owners->prev;
		o->prev->next = o->next->prev = o;
	} else
		t->owners = o;
	return (o);
}

static void
owner_free(struct turns *t, struct owner *o)
{
	o->prev->next = o->next;
	o->next->prev = o->prev;
	if (t->owners == o)
		t->owners = o->next == o ? NULL : o->next;
	free(o);
}

static struct lane *
lane_find(struct owner *o, uint64_t key)
{
	struct lane	*l = o->lanes;

	if (l == NULL)
		return (NULL);
	do {
		if (l->key == key)
			return (l);
		l = l->next;
	} while (l != o->lanes);
	return (NULL);
}

static struct lane *
lane_new(struct owner *o, uint64_t key)
{
	struct lane	*l = calloc(1, sizeof(*l));

	if (l == NULL)
		return (NULL);
	l->key = key;
	l->owner = o;
	l->next = l->prev = l;
	if (o->lanes != NULL) {
		l->next = o->lanes;
		l->prev = o->lanes->prev;
		l->prev->next = l->next->prev = l;
	} else
		o->lanes = l;
	return (l);
}

/* With the last of an owner's lanes the owner goes. */
static void
lane_free(struct turns *t, struct lane *l)
{
	struct owner	*o = l->owner;

	l->prev->next = l->next;
	l->next->prev = l->prev;
	if (o->lanes == l)
		o->lanes = l->next == l ? NULL : l->next;
	free(l);
	if (o->lanes == NULL)
		owner_free(t, o);
}

int
turns_add(struct turns *t, struct turn *w, const void *owner, uint64_t key)
{
	struct owner	*o;
	struct lane	*l;

	o = owner_find(t, owner);
	if (t->n >= WORK_WAITING_MAX + (o == NULL || o->n < WORK_PEER_MIN ? WORK_SPARE : 0))
		return (E_LIMIT);
	if (o == NULL && (o = owner_new(t, owner)) == NULL)
		return (E_NOMEM);
	if ((l = lane_find(o, key)) == NULL && (l = lane_new(o, key)) == NULL) {
		if (o->lanes == NULL)
			owner_free(t, o);
		return (E_NOMEM);
	}
	if (l->n >= WORK_LANE_MAX)
		return (E_LIMIT);
	w->lane = l;
	w->next = NULL;
	w->prev = l->last;
	if (l->last != NULL)
		l->last->next = w;
	else
		l->first = w;
	l->last = w;
	l->n++;
	o->n++;
	t->n++;
	return (E_OK);
}

void
turns_remove(struct turns *t, struct turn *w)
{
	struct lane	*l = w->lane;

	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		l->first = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	else
		l->last = w->prev;
	*w = (struct turn){ .lane = NULL };
	t->n--;
	l->owner->n--;
	if (--l->n == 0)
		lane_free(t, l);
}

struct turn *
turns_next(struct turns *t)
{
	struct owner	*o = t->owners;
	struct turn	*w;

	if (o == NULL)
		return (NULL);
	t->owners = o->next;
	w = o->lanes->first;
	o->lanes = o->lanes->next;
	turns_remove(t, w);
	return (w);
}
