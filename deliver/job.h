/*
 * job.h -- one message to some recipients at one next hop, from JOB_BEGIN to JOB_ACK.
 *
 * A job owns its strings (arena), its body's parts and its results.  The body is kept whole while it
 * can be needed for another host: if it fits the window.  A longer one is let go of as it is
 * written, and granted as credit.
 */
#ifndef DELIVER_JOB_H
#define DELIVER_JOB_H

#include <stdint.h>
#include <sys/queue.h>

#include "common/arena.h"
#include "common/ipc_msg.h"
#include "deliver/client.h"
#include "deliver/deliver.h"
#include "deliver/dialogue.h"
#include "deliver/hosts.h"
#include "deliver/pool.h"

enum job_state {
	JOB_RCPTS,		/* recipients are still coming */
	JOB_ROUTE,		/* remote: hosts are being asked for */
	JOB_WAIT,		/* remote: no connection is free; mailbox: no thread */
	JOB_DIAL,		/* remote: connecting */
	JOB_TALK,		/* remote: has a connection */
	JOB_FILE,		/* mailbox: files are being written */
	JOB_OVER,		/* reported; waits for JOB_ACK */
};

struct body_part {
	struct body_part *next;
	size_t		 len;
	char		 octets[];
};

struct job_out {		/* a recipient's outcome; strings are in the job's arena */
	uint8_t		 outcome, stage, handed, by_passed;
	uint16_t	 code;
	struct enhanced	 enhanced;
	uint32_t	 delay_ms, retry_hint;
	const char	*relay, *tls, *text;
};

struct route;
struct mailbox_work;

struct job {
	struct pool_waiter wait;	/* first: the pool's pointer is ours */
	TAILQ_ENTRY(job) all;
	TAILQ_ENTRY(job) link;		/* in a route's list, or the mailbox's */
	struct job	*hash_next;
	struct deliver	*d;
	enum job_state	 state;
	struct arena	 mem;

	uint64_t	 id, msgid, body_len;
	int64_t		 arrival;
	uint64_t	 start_ms;
	uint32_t	 attempt;
	uint8_t		 hop;
	int64_t		 by_time;	/* epoch seconds, with mail.by_mode */
	uint16_t	 port;
	uint8_t		 implicit;
	const char	*host, *path, *login;
	uint32_t	 nrcpt, have, nopen;
	uint32_t	*index;
	struct client_rcpt *rcpt;
	struct job_out	*out;
	struct client_mail mail;

	struct body_part *part, *part_last;
	struct body_part *at;		/* what is written next; NULL: all that has come was */
	size_t		 at_off;
	uint64_t	 body_have;	/* received */
	uint64_t	 body_done;	/* written */
	uint64_t	 granted;	/* that queue may have sent, with the window */
	uint32_t	 owed;		/* credit not granted yet */
	int		 released;	/* its first part is gone: no other host can have it */

	struct dialogue	 dialogue;
	uint8_t		 reached;	/* enum reached */
	uint64_t	 provider;
	uint32_t	 said;		/* results on this channel */
	int		 announced;	/* queue knows of it on this channel */
	int		 sent;		/* the report is on the channel */
	int		 probe;		/* a question about its one recipient; in no bucket, and never announced */
	uint64_t	 probe_ms;	/* patience for it */

	/* remote.c */
	struct pool_dest *dest;
	struct route	*route;
	int		 on_route;	/* in the route's list */
	struct hosts_cursor cursor;
	struct conn	*dial[DIALS_MAX];
	size_t		 ndial;
	uint64_t	 next_dial_ms;
	struct conn	*conn;
	struct client_result fail;	/* of the host that came furthest */
	char		 fail_relay[DOMAIN_MAX + 64];
	int		 tried, all_perm, retried, yielded, expired;
	int		 in_clear;	/* TLS failed at clear_addr, and may be done without */
	struct net_addr	 clear_addr;
	int		 skipped, last_pass;	/* hosts that broke off a long body: left out, or tried at last */

	/* mailbox.c */
	struct mailbox_work *work;
	int		 working, queued;
	int		 aborted;	/* nobody's any more: freed when its thread is done */
};

struct job *job_new(struct deliver *, const struct ipc_job_begin *);	/* NULL without memory */
struct job *job_new_probe(struct deliver *, const struct ipc_probe *);	/* NULL without memory */
int	job_add_rcpt(struct job *, const struct ipc_job_rcpt *);	/* E_NOMEM, E_PROTO */
int	job_add_body(struct job *, struct slice);			/* E_NOMEM, E_PROTO */
struct job *job_find(struct deliver *, uint64_t id);
void	job_free(struct job *);
void	job_spend(struct job *);	/* a probe is over: freed by job_sweep(), once nobody is at work on the list */
void	job_sweep(struct deliver *);

/* Back to the body's first octet for another host; 0 if that is gone. */
int	job_rewind(struct job *);
/* Grant what is owed, if it is worth a frame. */
void	job_grant(struct job *);
/* n octets of the body were written: let go of them and grant credit, if the body is long. */
void	job_written(struct job *, size_t n);
int	job_body_is_whole(const struct job *);

/* One recipient's outcome, logged at once.  Later ones for the same recipient are ignored. */
void	job_result(struct job *, const struct client_result *, const char *relay);
/* The same for all recipients without one. */
void	job_result_rest(struct job *, const struct client_result *, const char *relay);
/* All have outcomes: report.  The job may be gone afterwards. */
void	job_over(struct job *);

/* delivery_log.c: the one line per recipient and attempt, in both roles (design.md 3). */
void	log_delivery(const struct job *, uint32_t i);

#endif
