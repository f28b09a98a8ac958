/*
 * wheel.h -- the deadlines of all connections in one timer (pure).
 *
 * A node hangs in the slot of its tick; moving a deadline later costs nothing: the node
 * fires at the old time and its owner puts it back.  Deadlines past the horizon fire at
 * the horizon. Units: milliseconds; a node fires up to WHEEL_TICK_MS late, never early
 * but for the horizon.
 */
#ifndef SMTPD_WHEEL_H
#define SMTPD_WHEEL_H

#include <stdint.h>

#define WHEEL_TICK_MS	250
#define WHEEL_SLOTS	2048	/* a power of two: 512 seconds */

struct wheel_node {
	struct wheel_node	*prev, *next;	/* NULL while in no slot */
	uint64_t		 tick;
};

struct wheel {
	struct wheel_node	 slot[WHEEL_SLOTS];	/* heads of rings */
	uint64_t		 tick;			/* the last one that fired */
};

void	wheel_init(struct wheel *, uint64_t now_ms);
/* Fire at at_ms at the latest; one that would fire earlier anyway is left alone. */
void	wheel_set(struct wheel *, struct wheel_node *, uint64_t at_ms);
void	wheel_del(struct wheel_node *);
/* Takes each due node off the wheel and calls fn, which may set or delete any node. */
void	wheel_run(struct wheel *, uint64_t now_ms, void (*fn)(void *, struct wheel_node *),
    void *arg);

#endif
