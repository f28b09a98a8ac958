/*
 * workers.h -- threads for what is slow by purpose: password hashes (shell).
 *
 * A piece of work waits in the lane of who wants it, a peer's client address (/32, /64); the threads take from the lanes in
 * turn (turns.h), so that one who guesses passwords delays the others by one hash each.  run() is called in a thread and
 * touches nothing but its struct work; done() in the loop, once, in the order in which they end.
 */
#ifndef AUTH_WORKERS_H
#define AUTH_WORKERS_H

#include <stdint.h>
#include <uv.h>

#include "auth/turns.h"
#include "common/net.h"

struct work {				/* first in the owner's struct; the owner's memory from submit to done */
	struct turn	 turn;		/* while it waits */
	struct work	*next;		/* when it has run */
	void		(*run)(struct work *);	/* in a thread */
	void		(*done)(struct work *);	/* may free it */
	uint8_t		 running;	/* or has run, and done() has not been called yet */
	uint8_t		 dropped;	/* work_cancel() was called while it ran: done() has nothing more to do than to free it */
};

void	workers_open(uv_loop_t *);	/* before the sandbox; no thread yet */
/* So many threads from now on, at least one; fatal if none can be started. */
void	workers_set(unsigned n);
void	workers_close(void);		/* waits for those that run; all done() of what has run are called, what waits is not */
/* E_LIMIT: too much waits already, in all or in this lane.  owner: whose turn it is among equals, a peer. */
int	work_submit(struct work *, const void *owner, const struct net_addr *client);
/* 1: it waited, and is the caller's again; 0: it runs, done() follows with dropped set. */
int	work_cancel(struct work *);

#endif
