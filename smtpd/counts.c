/*
 * counts.c -- see counts.h.
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/siphash.h"
#include "smtpd/counts.h"

#define COUNTS_FIRST	64

static uint32_t
hash(const struct net_addr *a, uint8_t len)
{
	uint8_t	key[sizeof(a->a) + 1];

	memcpy(key, a->a, sizeof(a->a));
	key[sizeof(a->a)] = len;
	return ((uint32_t)siphash(key, sizeof(key)));
}

/* The key's place, or the free one where it would go. */
static struct count_entry *
find(struct count_entry *v, uint32_t size, const struct net_addr *a, uint8_t len)
{
	uint32_t	i = hash(a, len) & (size - 1);

	while (v[i].n != 0 && (v[i].len != len || net_addr_cmp(&v[i].addr, a) != 0))
		i = (i + 1) & (size - 1);
	return (&v[i]);
}

static int
resize(struct counts *c, uint32_t size)
{
	struct count_entry	*v;
	uint32_t		 i;

	if ((v = calloc(size, sizeof(*v))) == NULL)
		return (E_NOMEM);
	for (i = 0; i < c->size; i++)
		if (c->v[i].n != 0)
			*find(v, size, &c->v[i].addr, c->v[i].len) = c->v[i];
	free(c->v);
	c->v = v;
	c->size = size;
	return (E_OK);
}

int
counts_add(struct counts *c, const struct net_addr *addr, uint8_t len, uint32_t max)
{
	struct net_addr		 a = net_addr_mask(addr, len);
	struct count_entry	*e;

	if (max == 0)
		return (E_LIMIT);
	if (c->used + 1 > c->size / 2 &&
	    resize(c, c->size != 0 ? c->size * 2 : COUNTS_FIRST) != E_OK)
		return (E_NOMEM);
	e = find(c->v, c->size, &a, len);
	if (e->n >= max)
		return (E_LIMIT);
	if (e->n++ == 0) {
		e->addr = a;
		e->len = len;
		c->used++;
	}
	return (E_OK);
}

void
counts_sub(struct counts *c, const struct net_addr *addr, uint8_t len)
{
	struct net_addr		 a = net_addr_mask(addr, len);
	struct count_entry	*e;
	uint32_t		 i, j, home;

	if (c->size == 0 || (e = find(c->v, c->size, &a, len))->n == 0 || --e->n != 0)
		return;
	c->used--;
	/* Close the gap: move up whatever probed past it. */
	i = j = (uint32_t)(e - c->v);
	for (;;) {
		j = (j + 1) & (c->size - 1);
		if (c->v[j].n == 0)
			break;
		home = hash(&c->v[j].addr, c->v[j].len) & (c->size - 1);
		if (((j - home) & (c->size - 1)) >= ((j - i) & (c->size - 1))) {
			c->v[i] = c->v[j];
			c->v[j].n = 0;
			i = j;
		}
	}
	if (c->size > COUNTS_FIRST && c->used < c->size / 8)
		resize(c, c->size / 2);		/* without memory it stays large */
}

uint32_t
counts_get(const struct counts *c, const struct net_addr *addr, uint8_t len)
{
	struct net_addr	a = net_addr_mask(addr, len);

	return (c->size != 0 ? find(c->v, c->size, &a, len)->n : 0);
}

void
counts_clear(struct counts *c)
{
	free(c->v);
	*c = (struct counts){ 0 };
}
