/*
 * deliver.h -- the shell of deliver: one process in one of two roles, its peers, its jobs, its clock.
 *
 * remote: SMTP to other hosts, no file.  mailbox: maildirs, no network.  Both take jobs from queue and
 * keep each report until queue says that it is durable (JOB_ACK).  All waits are looked
 * at by one tick each TICK_MS while there is anything to wait for.  Times: uv_now(), milliseconds.
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "common/ipc.h"
#include "common/room.h"
#include "deliver/deliver_limits.h"
#include "deliver/hosts.h"
#include "deliver/pool.h"

struct deliver;
struct job;
struct conn;
struct resolve_query;
struct trial;

TAILQ_HEAD(job_list, job);
TAILQ_HEAD(conn_list, conn);
TAILQ_HEAD(query_list, resolve_query);

#define JOB_BUCKETS	4096

struct role_ops {
	void	(*begin)(struct job *);		/* all its recipients are known */
	void	(*body)(struct job *);		/* more of its body has come */
	/* Stop work on it and let go of it; it is freed by the caller, or, if this returns 0, by the role when it can. */
	int	(*abort)(struct job *);
	void	(*tick)(struct deliver *, uint64_t now_ms);
	void	(*stop)(struct deliver *);
	void	(*conf)(struct deliver *, const struct conf *old);	/* old: NULL at first */
	int	(*busy)(const struct deliver *);	/* whether the tick has to go on */
};
extern const struct role_ops remote_ops, mailbox_ops;

enum {				/* counters of PONG; see postern-deliver(8) */
	COUNT_JOBS, COUNT_DELIVERED, COUNT_TEMPFAIL, COUNT_PERMFAIL, COUNT_UNSURE, COUNT_CONNECTIONS,
	COUNT_REUSED, COUNT_OPEN,
};

struct deliver {
	struct room	 room;
	const struct role_ops *role;
	struct ipc	*queue, *resolver;	/* NULL while there is none */
	uint8_t		 owing;		/* queue's channel could not take something: again when it has drained */
	uint8_t		 sync_owed;	/* JOB_SYNC has not been said on this channel */

	struct job	*bucket[JOB_BUCKETS];
	struct job_list	 jobs;		/* all, oldest first */
	size_t		 njobs;		/* of them at work */
	size_t		 nheld;		/* of them at work or waiting for JOB_ACK */
	size_t		 nprobes;	/* questions about recipients, beside them; those at work are in njobs too */
	struct job_list	 spent;		/* answered ones, to be freed */
	struct job	*spare;		/* ended ones, kept for their memory */
	size_t		 nspare;

	uv_timer_t	 tick;
	int		 ticking;
	int		 stopping;
	int		 stop_owed;	/* queue is to be told */
	int		 stopped;	/* queue has said that no job follows */
	uint64_t	 stop_ms;
	uint64_t	 count[8];

	/* role remote */
	char		 hostname[DOMAIN_MAX + 1];	/* outlives a snapshot: connections point here */
	struct pool	 pool;
	struct conn_list conns;
	size_t		 nclosing;
	uint64_t	 epoch;		/* of what is asked of connections: one of an older epoch takes no further message */
	struct ipc	*auth;		/* NULL while there is none */
	uint32_t	 login_id;
	struct query_list queries;
	uint32_t	 query_id;
	struct hosts_self self;
	struct net_addr	 local[LOCAL_ADDRS_MAX];
	struct trial	*trials;		/* posternctl tls */
	size_t		 ntrials;
	struct { uint64_t hash, when_ms; int is4; } family[FAMILY_MEMORY];
	struct { uint64_t hash, when_ms; } broke[FAMILY_MEMORY];	/* addresses, by hash */

	/* role mailbox */
	int		 rootfd;		/* mailboxes are opened beneath it */
	uint32_t	 uid;			/* whose mailboxes must be */
	size_t		 nworks;
	struct job_list	 ready;		/* wait for a thread */
};

static inline uint64_t
deliver_now(const struct deliver *d)
{
	return (uv_now(&d->room.loop));
}

/* deliver.c */
void	deliver_tick_on(struct deliver *);	/* something waits from now on */
/* A daemon's channel, which begins and ends at *at of d; ops' closed() calls the second. */
void	deliver_channel(struct deliver *, struct ipc **at, const struct ipc_channel *, int fd, const struct ipc_ops *);
void	deliver_channel_over(struct ipc **at, struct ipc *);

/* queue.c */
void	queue_channel(struct deliver *, const struct ipc_channel *, int fd);
void	queue_report(struct job *);		/* JOB_RESULTs and JOB_DONE, now or when the channel lets us */
void	queue_owe(struct deliver *);		/* something could not be said */
void	queue_stop(struct deliver *);		/* asks for no more jobs: d->stopped once that is so */
void	queue_resume(struct deliver *);		/* say what is owed, as far as the channel takes it */

/* login.c */
void	login_channel(struct deliver *, const struct ipc_channel *, int fd);

/* resolve.c.  The callback may come before resolve_ask() returns.  a borrows. */
typedef void (*resolve_fn)(void *arg, size_t n, const struct ipc_dns_answer *a);
void	resolve_channel(struct deliver *, const struct ipc_channel *, int fd);
void	resolve_ask(struct deliver *, enum dns_type, const char *name, resolve_fn, void *arg, size_t n);
void	resolve_tick(struct deliver *, uint64_t now_ms);

#endif
