/*
 * lookup.h -- queue's answer to `posternctl lookup', line by line, for people or as JSON.  Core but for stdio.
 *
 * The lines are those of queue/control_lookup.c; whoever sends others breaks the conversation (E_PROTO).
 */
#ifndef CTL_LOOKUP_H
#define CTL_LOOKUP_H

#include <jansson.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/ipc_msg.h"

struct lookup_view {
	FILE		*out;
	const char	*address;	/* as it was asked for */
	int		 json;
	struct buf	 line;		/* one that is not whole yet */
	json_t		*steps, *ends, *reply;
	int		 more;
};

int	lookup_init(struct lookup_view *, FILE *, const char *address, int json);
/* A conn_row_fn; arg is the struct lookup_view. */
int	lookup_take(void *arg, enum ipc_type, struct rd *);
int	lookup_end(struct lookup_view *);	/* all of it came: the JSON object */
void	lookup_clear(struct lookup_view *);

#endif
