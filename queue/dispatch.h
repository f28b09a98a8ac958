/*
 * dispatch.h -- jobs and the channels to deliver processes, shared by dispatch.c and reports.c.
 */
#ifndef QUEUE_DISPATCH_H
#define QUEUE_DISPATCH_H

#include "queue/queue.h"

#define PEER_JOBS_MAX	8192	/* jobs of one deliver, those it still had from before among them */

struct deliver_peer {
	struct ipc	 ipc;		/* first */
	struct queue	*q;
	uint64_t	 serial;	/* never reused */
	enum role	 role;
	uint8_t		 synced;
	uint8_t		 leaving;	/* takes no more jobs */
	uint8_t		 early;		/* its channel came before GO */
	uint32_t	 njobs;
	uint32_t	 held;		/* jobs that it keeps, not acknowledged yet */
	struct deliver_peer *prev, *next;
};

struct job_rcpt {
	uint32_t	 index;
	uint8_t		 reported;
};

struct job {
	uint64_t	 id;
	uint64_t	 msgid;
	struct deliver_peer *peer;
	struct mail	*mail;		/* NULL: the message is over; only acknowledgements are left */
	struct sched_dest *dest;	/* NULL: it counts nowhere */
	uint8_t		 replay;	/* from before this channel: its recipients come with it, or with the results */
	uint8_t		 whole;		/* all of the body was sent */
	uint16_t	 n;
	uint16_t	 room;
	struct job_rcpt	*rcpt;
	uint64_t	 sent;		/* body octets */
	uint32_t	 credit;	/* octets that may be sent now */
	const struct body_block *block;	/* next of a body in memory */
	uint32_t	 chunk;		/* next of a body in the store */
	struct change	*results, **results_tail;
	UT_hash_handle	 hh;
};

int	dispatch_deliver_message(struct ipc *, enum ipc_type, struct rd *, int fd);
void	dispatch_deliver_closed(struct ipc *, int err);
void	dispatch_deliver_drained(struct ipc *);
struct job *job_find(struct queue *, uint64_t id);
struct job *job_new(struct queue *, struct deliver_peer *, uint64_t id, uint64_t msgid, uint16_t room);
/*
 * A job's id is a count and a code over it and the message, keyed by a number that only queue knows: what a
 * deliver says of jobs from before this process can be believed for messages that it was really given.
 */
uint64_t	 job_id_new(struct queue *, uint64_t msgid);
int		 job_id_genuine(const struct queue *, uint64_t id, uint64_t msgid);
void	job_free(struct queue *, struct job *);
/* Whether a deliver that outlived its channel is still at work on this recipient. */
int	job_holds(const struct queue *, const struct mail *, uint32_t index);
/* As much of the body as credit and the channel take. */
void	job_send_body(struct queue *, struct job *);
/* What came is passed on to outcome.c; recipients without a word get this one. */
void	job_close(struct queue *, struct job *, enum outcome, const char *text, int ack,
	    const char *dialogue);

#endif
