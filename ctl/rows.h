/*
 * rows.h -- the rows of one answer, shown as they come, in columns or as JSON.  Core but for stdio.
 *
 * Memory does not grow with the number of rows: as JSON a message waits for its recipients
 * (RCPT_MAX at most) and is printed when the next one begins.
 */
#ifndef CTL_ROWS_H
#define CTL_ROWS_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "common/ipc_msg.h"

enum rows_style {
	ROWS_TABLE,		/* one line a message */
	ROWS_STORY,		/* a paragraph a message: show and why */
	ROWS_STATUS,		/* daemons and the queue's figures */
};

struct rows {
	FILE		*out;
	enum rows_style	 style;
	int		 json;
	int		 header;	/* still to be printed */
	int64_t		 now;		/* epoch seconds */
	uint64_t	 nmessages;
	uint64_t	 ntext;		/* octets of CTL_TEXT shown */
	int		 have_queue;
	struct ipc_ctl_queue queue;
	/* JSON only. */
	json_t		*message;	/* the one whose recipients are coming */
	json_t		*daemons;	/* ROWS_STATUS */
	json_t		*texts;		/* remarks of the present message */
	int		 nprinted;	/* elements of the array so far */
	int		 open;		/* the array was begun */
};

void	rows_init(struct rows *, FILE *out, enum rows_style, int json, int header, int64_t now);
/* A conn_row_fn; arg is the struct rows.  E_IO when the output is gone, E_NOMEM, E_PROTO. */
int	rows_take(void *arg, enum ipc_type, struct rd *);
/* All rows came (or no more will): the end of the table or array. */
int	rows_end(struct rows *);
void	rows_clear(struct rows *);

#endif
