/*
 * route.h -- the hosts of one destination, asked of resolver once and shared by its jobs.
 *
 * Shell.  Counted by reference: the destination's latest, one for each job that walks it, one for each
 * question that is open.  Kept for as long as DNS says, within bounds.
 */
#ifndef DELIVER_ROUTE_H
#define DELIVER_ROUTE_H

#include "deliver/job.h"

struct route {
	unsigned	 refs;
	unsigned	 asked;		/* answers that are still to come */
	int		 mx_asked;	/* the list of hosts is one of them */
	struct deliver	*d;
	struct hosts	 hosts;
	struct job_list	 waiting;
	uint64_t	 expires_ms;
	char		 domain[DOMAIN_MAX + 1];
};

struct route *route_get(struct job *);		/* by its destination; a reference; NULL without memory */
/* The same, asked afresh and kept by nobody else; records are looked for whatever the policy.  Answers: trial_answered(). */
struct route *route_fresh(struct deliver *, const struct pool_dest *);
void	route_unref(struct route *);
enum hosts_next route_next(const struct route *, struct hosts_cursor *, size_t *host, size_t *addr);
void	route_wait(struct route *, struct job *);	/* remote_next() when an answer comes */
void	route_unwait(struct job *);

uint64_t route_host_hash(const char *host);
void	route_remember(struct deliver *, uint64_t host_hash, int is4);	/* this family worked */
/* A host that broke off a long body: the next attempt begins with another, if there is one. */
void	route_broke(struct deliver *, const struct net_addr *);
int	route_has_broken(const struct deliver *, const struct net_addr *);

/* remote.c */
void	remote_next(struct job *);

#endif
