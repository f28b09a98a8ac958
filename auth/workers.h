/*
 * workers.h -- threads for what is slow by purpose: password hashes (shell).
 *
 * A piece of work waits in the lane of who wants it, a peer's client address (/32, /64); the lanes
 * take turns (turns.h), so that one who guesses passwords delays the others by one hash each.  What
 * has its turn goes to an idle thread.  begin() and done() are called in the loop, run() in the
 * thread: that one touches nothing but its struct and the scratch memory.
 */
#ifndef AUTH_WORKERS_H
#define AUTH_WORKERS_H

#include <stdint.h>
#include <uv.h>

#include "auth/turns.h"
#include "common/net.h"

/* Octets for each thread, in secure memory, wiped after each run(): a struct crypt_data. */
#define WORK_SCRATCH	32768

/* First in the owner's struct; all zero but for the functions before it is submitted. */
struct work {
	struct turn	 turn;		/* while it waits */
	struct work	*next;		/* when it has its turn, and when it has run */
	/* Its turn has come: 0, and it is the owner's again, without run() and done().  May be
	 * NULL. */
	int		(*begin)(struct work *);
	void		(*run)(struct work *, void *scratch);
	void		(*done)(struct work *);	/* may free it */
	uint8_t		 dropped;	/* work_cancel() came too late: nobody waits for done() */
};

void	workers_open(uv_loop_t *);	/* before the sandbox; no thread yet */
/* So many threads from now on, 1 to 16; fatal if none can be started. */
void	workers_set(unsigned n);
/* Waits for those that run, and calls their done(); what waits stays where it is. */
void	workers_close(void);
/* E_LIMIT: too much waits already, in all or in this lane; E_NOMEM.  owner: whose turn it is among
 * equals, a peer.  begin() is never called from within. */
int	work_submit(struct work *, const void *owner, const struct net_addr *client);
/* 1: it waited, and is the owner's again; 0: it runs, done() follows with dropped set. */
int	work_cancel(struct work *);

#endif
