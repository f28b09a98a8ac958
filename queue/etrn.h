/*
 * etrn.h -- mail that waits for a node is tried now (RFC 1985).  Apart from store and channel, so that tests can drive it.
 *
 * A node is a domain; "@node" is it and all relay domains below it; "#name" is a queue, and a queue of ours bears the
 * name of the domain that it is for, so it is the same as the node.  The index of domains is walked a slice
 * at a time.  The client has its answer when all was looked at or after ETRN_LOOK_MAX recipients, whichever is
 * first: 250 then, and the rest is started behind it.
 *
 * A node that was started within ETRN_AGAIN_S is not started again: 252 if mail waits for it.  Times are
 * monotonic milliseconds.
 */
#ifndef QUEUE_ETRN_H
#define QUEUE_ETRN_H

#include <stdint.h>

#include "common/ipc_msg.h"
#include "queue/queue.h"

struct etrn_ops {
	/* The indexes of the store; as store_next_domain() and store_domain(). */
	int	(*next_domain)(void *, const char *after, char *dst);
	int	(*domain)(void *, const char *domain, const struct store_due *after, struct store_due *out, size_t max,
		    size_t *n);
	/* The recipients of a message at a domain are due now.  look: they are only counted. */
	int	(*retry)(void *, uint64_t msgid, const char *domain, int look, struct retried *);
	/* Whether mail for it is kept here for others to fetch: of no other domain is any started. */
	int	(*is_relay)(void *, const char *domain);
	/* Whether nothing may be delivered now. */
	int	(*paused)(void *);
	int	(*busy)(void *);	/* the store has enough to do for the moment */
	void	(*answer)(void *, uint64_t peer, const struct ipc_etrn *, const struct ipc_etrn_result *);
};

struct etrn	*etrn_new(const struct etrn_ops *, void *arg);
void		 etrn_free(struct etrn *);
/* Answered by etrn_run(), or at once. */
void		 etrn_start(struct etrn *, uint64_t peer, const struct ipc_etrn *, uint64_t now_ms);
int		 etrn_run(struct etrn *);	/* a slice for each; true if there is more to do */

#endif
