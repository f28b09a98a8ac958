/*
 * wheel.c -- see wheel.h.
 */
#include <stddef.h>

#include "smtpd/wheel.h"

void
wheel_init(struct wheel *w, uint64_t now_ms)
{
	size_t	i;

	for (i = 0; i < WHEEL_SLOTS; i++)
		w->slot[i].prev = w->slot[i].next = &w->slot[i];
	w->tick = now_ms / WHEEL_TICK_MS;
}

void
wheel_del(struct wheel_node *n)
{
	if (n->next == NULL)
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->prev = n->next = NULL;
}

static void
hang(struct wheel_node *head, struct wheel_node *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

void
wheel_set(struct wheel *w, struct wheel_node *n, uint64_t at_ms)
{
	uint64_t	tick = at_ms / WHEEL_TICK_MS + 1;	/* not before at_ms */

	if (tick <= w->tick)
		tick = w->tick + 1;
	if (tick >= w->tick + WHEEL_SLOTS)
		tick = w->tick + WHEEL_SLOTS - 1;
	if (n->next != NULL) {
		if (n->tick <= tick)
			return;
		wheel_del(n);
	}
	n->tick = tick;
	hang(&w->slot[tick % WHEEL_SLOTS], n);
}

void
wheel_run(struct wheel *w, uint64_t now_ms, void (*fn)(void *, struct wheel_node *), void *arg)
{
	uint64_t		 until = now_ms / WHEEL_TICK_MS;
	struct wheel_node	 due, *head, *n;

	/* All nodes of a slot are due at its turn: the horizon is one round. */
	while (w->tick < until) {
		w->tick++;
		head = &w->slot[w->tick % WHEEL_SLOTS];
		if (head->next == head)
			continue;
		due.prev = due.next = &due;
		while ((n = head->next) != head) {
			wheel_del(n);
			hang(&due, n);
		}
		while ((n = due.next) != &due) {
			wheel_del(n);
			fn(arg, n);
		}
	}
}
