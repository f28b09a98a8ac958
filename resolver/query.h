/*
 * query.h -- questions of peers, answered through libunbound.  Shell.
 *
 * A *lookup* is one question being worked on (a name and a type; DNS_ADDR is two record
 * types); a *waiter* is one peer's wish to know.  The same question asked again joins the lookup in
 * flight.  Each waiter has its own deadline; a lookup all of whose waiters have gone goes on for
 * the cache's sake and is cancelled after DNS_ABANDONED_MS, and counts all the while, so that
 * short deadlines cannot pile up work.
 *
 * Limits: DNS_LOOKUPS_MAX in all, DNS_LOOKUPS_PEER_MAX begun for one peer, DNS_WAITERS_PEER_MAX for one peer;
 * beyond them the answer is DNS_OVERLOAD, at once.
 */
#ifndef RESOLVER_QUERY_H
#define RESOLVER_QUERY_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/ipc_msg.h"

struct lookup;
struct ub_ctx;

#define LOOKUP_BUCKETS	1024	/* a power of two */

enum {				/* PONG's counters, in this order */
	COUNT_QUESTIONS,	/* asked by peers */
	COUNT_OK,		/* answered: OK, NODATA, NXDOMAIN */
	COUNT_FAILED,		/* FAILED, BOGUS */
	COUNT_TIMED_OUT,
	COUNT_OVERLOAD,
	COUNT_SHARED,		/* joined a lookup in flight */
	COUNT_LOOKUPS,		/* in flight now */
	COUNT_WAITING,		/* waiters now */
	COUNTS
};

struct resolver {
	uv_loop_t	*loop;
	struct ub_ctx	*ub;
	uint32_t	 timeout_ms;	/* the longest any question may take */
	unsigned	 lookups_max;
	uint64_t	 count[COUNTS];
	struct lookup	*bucket[LOOKUP_BUCKETS];
	uv_timer_t	 sweep;		/* runs while there are lookups */
	void		(*idle)(struct resolver *);	/* the last waiter has gone; may be NULL */
};

struct waiter;

/* One who asks.  answer() must not call back into this module. */
struct asker {
	struct resolver	*res;
	void		(*answer)(struct asker *, const struct ipc_dns_answer *);
	struct waiter	*waiters;
	unsigned	 nwaiters;
	unsigned	 nlookups;	/* in flight, begun for this one */
};

/* sockets: what the context was made with. */
void	resolver_init(struct resolver *, uv_loop_t *, struct ub_ctx *, uint32_t timeout_ms,
	    unsigned sockets);
/* Before ub_ctx_delete(): forgets every lookup.  All askers were cleared; the sweep's handle is closed. */
void	resolver_clear(struct resolver *);

void	asker_init(struct asker *, struct resolver *,
	    void (*answer)(struct asker *, const struct ipc_dns_answer *));
/* Exactly one answer comes, perhaps before this returns, unless asker_clear() is called. */
void	asker_ask(struct asker *, const struct ipc_dns_query *);
void	asker_clear(struct asker *);	/* it has gone: nobody waits for its answers */

#endif
