/*
 * mailq.h -- the queue in the form that mailq(1) has had for decades, for programs and people who read that.
 */
#ifndef CTL_MAILQ_H
#define CTL_MAILQ_H

#include <stdint.h>
#include <stdio.h>

#include "common/ipc_msg.h"

struct mailq {
	FILE		*out;
	uint64_t	 messages, octets;
	int		 shown;		/* the present message is */
};

void	mailq_init(struct mailq *, FILE *);
/* A conn_row_fn; arg is the struct mailq. */
int	mailq_take(void *arg, enum ipc_type, struct rd *);
int	mailq_end(struct mailq *);

#endif
