/*
 * ticket_ring.c -- see ticket_ring.h.  Core: pure.
 */
#include <string.h>

#include "master/ticket_ring.h"

uint64_t
ticket_ring_due(const struct ticket_ring *r)
{
	return (r->keys.n == 0 ? 0 : r->drawn_ms[0] + TICKET_ROTATE_MS);
}

void
ticket_ring_renew(struct ticket_ring *r, uint64_t now_ms, void (*draw)(struct ticket_key *))
{
	struct ipc_ticket_keys *k = &r->keys;

	if (k->n < TICKET_KEYS_MAX)
		k->n++;
	memmove(&k->key[1], &k->key[0], (k->n - 1u) * sizeof(k->key[0]));
	memmove(&r->drawn_ms[1], &r->drawn_ms[0], (k->n - 1u) * sizeof(r->drawn_ms[0]));
	draw(&k->key[0]);
	r->drawn_ms[0] = now_ms;
	/* Turns that were missed, as by a machine that slept, leave several keys past their time. */
	while (now_ms - r->drawn_ms[k->n - 1u] >= (uint64_t)TICKET_KEYS_MAX * TICKET_ROTATE_MS)
		explicit_bzero(&k->key[--k->n], sizeof(k->key[0]));
}

int
ticket_ring_turn(struct ticket_ring *r, uint64_t now_ms, void (*draw)(struct ticket_key *))
{
	if (now_ms < ticket_ring_due(r))
		return (0);
	ticket_ring_renew(r, now_ms, draw);
	return (1);
}

void
ticket_ring_clear(struct ticket_ring *r)
{
	explicit_bzero(r, sizeof(*r));
}
