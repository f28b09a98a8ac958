/*
 * outcome.h -- one operation on a message's recipients, shared by outcome.c (operations, one at a time a
 * message), outcome_apply.c (what a change makes of a recipient) and outcome_notice.c (the notices that go with it).
 */
#ifndef QUEUE_OUTCOME_H
#define QUEUE_OUTCOME_H

#include "queue/queue.h"

struct mail_op {
	struct store_op	 op;		/* first */
	struct queue	*q;
	struct mail	*mail;
	struct mail_op	*next;		/* of queue.failed */
	struct message	 m;
	struct recipient *rcpt;
	uint32_t	 n;
	struct change	*changes;
	int		 patient;	/* only new due times: thousands of them may not delay anybody's 250 */
	uint32_t	 rnd;		/* one for all, so that recipients which failed together go together again */
	int64_t		 soonest;	/* of the new due times; 0: none */
	uint32_t	 delivered, failed, expired, deferred;
};

/* The recipient's new value into r.  E_EXISTS if there is nothing to change. */
int	outcome_apply(struct mail_op *, const struct change *, struct recipient *r);
/* Due so many seconds from now at most, and never later than what else has to be done at a time. */
void	outcome_due(struct mail_op *, struct recipient *, int64_t wait_s);

/*
 * The notices that o->rcpt call for, as operations behind o->op.  What may not be told now (R16) is due again for
 * it.  E_NOMEM and the store's errors: nothing was changed.
 */
int	outcome_notices(struct mail_op *);

#endif
