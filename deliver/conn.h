/*
 * conn.h -- one TCP connection to a host, the SMTP client on it, and the job that it serves.
 *
 * Shell (uv_poll).  A connection belongs to the pool from its first SYN to its close or QUIT; it is freed
 * in its close callback.  What happened is told to remote.c by remote_conn_*().
 */
#ifndef DELIVER_CONN_H
#define DELIVER_CONN_H

#include "deliver/job.h"

enum conn_state { CONN_DIAL, CONN_OPEN, CONN_QUIT, CONN_CLOSED };

struct conn {
	struct pool_conn pool;		/* first: the pool's pointer is ours */
	uv_poll_t	 poll;
	TAILQ_ENTRY(conn) link;		/* in d->conns until it is closed */
	struct deliver	*d;
	int		 fd;
	int		 events;	/* polled now */
	enum conn_state	 state;
	struct conf_timeouts timeouts;
	struct client	 client;
	struct job	*job;		/* dialled for it, or serving it */
	struct trial	*trial;		/* it is a trial's: no message goes over it */
	size_t		 host_at, addr_at;	/* in the job's route */
	struct net_addr	 addr;
	uint16_t	 port;
	struct tls_policy *policy;	/* a reference */
	struct conn_tls	*tls;		/* conn_tls.c's; NULL in clear */
	uint32_t	 login_id;	/* of an exchange that auth has open, 0 none */
	uint64_t	 epoch;		/* d->epoch when it was dialled */
	uint64_t	 born_ms;
	uint64_t	 provider;
	uint64_t	 host_hash;	/* for the memory of families; 0: the host has only one */
	char		 relay[DOMAIN_MAX + 64];

	/* what the last events asked for */
	int		 ready, done, over, body, shake, auth;

	struct slice	 seg[SEGMENTS_MAX];	/* being written; they borrow from the job's parts */
	size_t		 nseg, at_seg;
	size_t		 seg_octets;	/* octets of the body that they stand for */
	int		 ended;		/* the last of them is the final dot, or of the last chunk */
	struct converter *conv;		/* of a body that the host cannot have as it is */
};

/* Begins to connect; takes the policy, in_clear says to do without TLS where it may.  NULL: could not even begin; *why is a
 * constant text.  For a trial there is no job, and what it is told of is set by it. */
struct conn *conn_dial(struct deliver *, struct job *, struct pool_dest *, const char *host,
	    const struct net_addr *, uint16_t port, struct tls_policy *, int in_clear, const char **why);
void	conn_serve(struct conn *, struct job *);	/* an open one takes a message */
void	conn_write_more(struct conn *);			/* more of the job's body has come */
void	conn_expire(struct conn *);			/* the job's time is over */
void	conn_quit(struct conn *);			/* politely, without a place in the pool */
void	conn_close(struct conn *);			/* at once */
void	conn_tick(struct conn *, uint64_t now_ms);
/* For conn_tls.c and login.c. */
void	conn_pump(struct conn *, struct slice);		/* octets to the core; it may be closed afterwards */
void	conn_dead(struct conn *, const char *what, int err);
void	conn_want(struct conn *, int events);

/* login.c: the next step of AUTH, by auth. */
void	login_ask(struct conn *);
void	login_forget(struct conn *);

/* conn_body.c: fill the segments from what has come of the body.  0: nothing to write now. */
int	conn_segments(struct conn *);
void	conn_body_over(struct conn *);			/* the converter's memory */

/* trial.c: it could take a message; or it is about to be closed. */
void	trial_ready(struct conn *);
void	trial_over(struct conn *, const struct client_result *);

/* remote.c */
void	remote_conn_up(struct conn *);			/* TCP is there: others of the same job may go */
void	remote_conn_failed(struct conn *, struct job *, const struct client_result *, int stale);
void	remote_job_over(struct job *);			/* all its outcomes are known */
void	remote_conn_free(struct conn *);		/* its job is over: who is next? */
void	remote_place_free(struct deliver *);		/* a connection less */

#endif
