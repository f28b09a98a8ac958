/*
 * turns.h -- whose turn is next: a fair queue in two levels (core).
 *
 * Owners (smtpd processes) take turns, and within one its lanes (client addresses).  A lane is
 * first in, first out.  Memory is that of the items and of one struct per lane that is not empty.
 * No locks: the caller's.
 */
#ifndef AUTH_TURNS_H
#define AUTH_TURNS_H

#include <stddef.h>
#include <stdint.h>

struct lane;
struct turn {				/* within what waits */
	struct turn	*next, *prev;	/* in its lane */
	struct lane	*lane;		/* NULL: it does not wait */
};

struct turns {
	struct owner	*owners;	/* ring; the next one's turn */
	size_t		 n;		/* all that wait */
};

/*
 * E_LIMIT: WORK_WAITING_MAX wait already, or WORK_LANE_MAX in this lane; E_NOMEM.  An owner who has
 * less than WORK_PEER_MIN there finds room beyond that (WORK_SPARE): what one peer sends, or all
 * the world through it, does not shut the others out.
 */
int	turns_add(struct turns *, struct turn *, const void *owner, uint64_t lane);
struct turn *turns_next(struct turns *);	/* and takes it out; NULL: nothing waits */
void	turns_remove(struct turns *, struct turn *);

#endif
