/*
 * slots.c -- see slots.h.
 */
#include <stdlib.h>

#include "smtpd/slots.h"

#define SLOTS_FIRST	64
#define GEN_MAX		((1u << (32 - SLOTS_INDEX_BITS)) - 1)

static int
grow(struct slots *s)
{
	uint32_t	 n = s->n != 0 ? s->n * 2 : SLOTS_FIRST, i;
	struct slot	*v;

	if (n > SLOTS_MAX || (v = realloc(s->v, n * sizeof(*v))) == NULL)
		return (0);
	for (i = n; i-- > s->n; ) {
		v[i].p = NULL;
		v[i].gen = 1;
		v[i].next_free = s->first_free;
		s->first_free = i + 1;
	}
	s->v = v;
	s->n = n;
	return (1);
}

uint32_t
slots_take(struct slots *s, void *p)
{
	uint32_t	i;

	if (s->first_free == 0 && !grow(s))
		return (0);
	i = s->first_free - 1;
	s->first_free = s->v[i].next_free;
	s->v[i].p = p;
	s->used++;
	return (s->v[i].gen << SLOTS_INDEX_BITS | i);
}

void *
slots_get(const struct slots *s, uint32_t id)
{
	uint32_t	i = id & (SLOTS_MAX - 1);

	if (i >= s->n || s->v[i].gen != id >> SLOTS_INDEX_BITS)
		return (NULL);
	return (s->v[i].p);
}

void
slots_set(struct slots *s, uint32_t id, void *p)
{
	if (slots_get(s, id) != NULL)
		s->v[id & (SLOTS_MAX - 1)].p = p;
}

void
slots_free(struct slots *s, uint32_t id)
{
	if (slots_get(s, id) != NULL)
		slots_free_at(s, id & (SLOTS_MAX - 1));
}

void
slots_free_at(struct slots *s, uint32_t i)
{
	s->v[i].p = NULL;
	s->v[i].gen = s->v[i].gen == GEN_MAX ? 1 : s->v[i].gen + 1;
	s->v[i].next_free = s->first_free;
	s->first_free = i + 1;
	s->used--;
}

void *
slots_next(const struct slots *s, uint32_t *i)
{
	while (*i < s->n) {
		if (s->v[(*i)++].p != NULL)
			return (s->v[*i - 1].p);
	}
	return (NULL);
}

void
slots_clear(struct slots *s)
{
	free(s->v);
	*s = (struct slots){ 0 };
}
