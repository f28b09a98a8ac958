/*
 * pool.h -- destinations, their connections and those who wait for one.  Core: links and counts only.
 *
 * A destination is a hop (kind, host, port, implicit TLS, login).  It lives while it has a connection, a waiter or a user.
 * Connections of all destinations together are bounded, and those of each; idle ones are kept for a
 * time, latest used first, and give way to a destination that needs their place.
 */
#ifndef DELIVER_POOL_H
#define DELIVER_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/limits.h"

#define POOL_BUCKETS	1024

struct pool_dest;

struct pool_conn {		/* embedded in a connection */
	struct pool_dest *dest;
	uint64_t	 idle_ms;	/* idle since */
	int		 idle;
	TAILQ_ENTRY(pool_conn) link;	/* in dest->idle */
	TAILQ_ENTRY(pool_conn) age;	/* in pool->idle, oldest first */
};
TAILQ_HEAD(pool_conns, pool_conn);

struct pool_waiter {		/* embedded in a job */
	struct pool_dest *dest;
	int		 waiting;
	int		 patient;	/* was refused while others were served: waits for one of theirs to end */
	TAILQ_ENTRY(pool_waiter) link;	/* in dest->waiters */
	TAILQ_ENTRY(pool_waiter) age;	/* in pool->waiters, oldest first */
};
TAILQ_HEAD(pool_waiters, pool_waiter);

struct pool_dest {
	struct pool_dest *next;		/* in its bucket */
	uint8_t		 kind;		/* enum hop_kind */
	uint16_t	 port;
	uint8_t		 implicit;
	char		 host[DOMAIN_MAX + 1];
	char		 login[LOGIN_TITLE_MAX + 1];
	unsigned	 users;		/* references besides connections and waiters */
	size_t		 nconn;		/* all, idle ones too */
	struct pool_conns idle;		/* latest used first */
	struct pool_waiters waiters;
	size_t		 full_at;	/* connections it had when it refused one more ... */
	uint64_t	 full_until_ms;	/* ... which is believed so long */
	void		*arg;		/* the shell's */
};

struct pool {
	size_t		 nconn, nidle, ndest;
	size_t		 conn_max, dest_conn_max;
	struct pool_conns idle;
	struct pool_waiters waiters;
	struct pool_dest *bucket[POOL_BUCKETS];
	void		(*dest_free)(struct pool_dest *);	/* frees dest->arg; may be NULL */
};

void	pool_init(struct pool *, size_t conn_max, size_t dest_conn_max);
/* A user's reference, made if need be; NULL without memory.  pool_dest_put() gives it back. */
struct pool_dest *pool_dest_get(struct pool *, unsigned kind, const char *host, uint16_t port, int implicit,
	    const char *login);
void	pool_dest_put(struct pool *, struct pool_dest *);

/* An idle connection, now busy; NULL if there is none. */
struct pool_conn *pool_take(struct pool *, struct pool_dest *);
/* It refused one connection more beside those it has: for full_ms it is believed that it takes no more. */
void	pool_full(struct pool_dest *, uint64_t now_ms, uint64_t full_ms);
int	pool_is_full(const struct pool_dest *, uint64_t now_ms);
/* Whether a new connection may be made; else whose idle connection must go first (*evict), or neither: wait. */
int	pool_may_dial(const struct pool *, const struct pool_dest *, struct pool_conn **evict);
void	pool_add(struct pool *, struct pool_dest *, struct pool_conn *);	/* a new, busy connection */
void	pool_remove(struct pool *, struct pool_conn *);
void	pool_idle(struct pool *, struct pool_conn *, uint64_t now_ms);
/* The longest idle one, if it has been so for idle_ms; NULL. */
struct pool_conn *pool_expired(const struct pool *, uint64_t now_ms, uint64_t idle_ms);

void	pool_wait(struct pool *, struct pool_dest *, struct pool_waiter *);
void	pool_unwait(struct pool *, struct pool_waiter *);
/* Who may have a connection of this destination that has just become free; NULL: nobody.  When all
 * places are taken and another destination has waited longer, it is nobody's (the connection gives way). */
struct pool_waiter *pool_heir(const struct pool *, const struct pool_dest *, int *give_way);
/* An idle connection that somebody waits for, now busy; NULL. */
struct pool_conn *pool_take_for_waiter(struct pool *);
/* The oldest waiter that may dial now. */
struct pool_waiter *pool_dialer(const struct pool *);

#endif
