/*
 * control.h -- an operator's connection, shared by control.c (who asks, what is walked),
 * control_change.c (what is changed) and control_view.c (how messages and destinations are told).
 */
#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include "queue/queue.h"

enum client_step { CL_REQUEST, CL_WALK, CL_CHANGES, CL_TRIAL, CL_OVER };

struct client {
	struct ipc	 ipc;		/* first */
	struct queue	*q;
	uint32_t	 uid;
	uint8_t		 verb;		/* what master was asked for */
	uint8_t		 gone;
	enum client_step step;
	struct ipc_ctl_request req;
	struct client_wait *wait;
	uint8_t		 trash;		/* walks the trash */
	struct store_due after;		/* walk: what was looked at last */
	uint64_t	 last;		/* walk of a domain: the message told last */
	uint64_t	 count;
	size_t		 backlog;	/* octets not taken a second ago */
	unsigned	 still_s;	/* seconds for which the other end moved nothing */
	uint64_t	 trial, via;	/* CL_TRIAL: its id, and the serial of who makes it */
	uint64_t	 seen;		/* WHY: messages that match, told or not */
	struct client	*prev, *next;
};

/* What a walk learns of a message from its recipients. */
struct view {
	enum msg_state	 state;
	int64_t		 next;		/* due timeline; 0: none */
	uint32_t	 damaged;	/* recipients that cannot be read */
	int		 match;		/* the request's text names its sender or a recipient */
};

/* control.c: everything was looked at; the answer ends when all that was changed is durable. */
void	control_finish(struct client *);
void	control_end(struct client *, enum ctl_status, const char *text);

/* control_lookup.c: the answer to LOOKUP as text; *why if it is refused. */
enum ctl_status	 control_lookup(struct client *, const char **why);

/* control_tls.c: the answer has begun, and goes on (CL_TRIAL) or is over; *why if it is refused. */
enum ctl_status	 control_tls(struct client *, const char **why);

/* control_change.c: what the request asks for, with one message; RETRY and FLUSH; an operation without a
 * mail in memory. */
void	control_change(struct client *, const struct message *);
void	control_retry(struct client *, const struct message *);
void	control_submit(struct client *, enum store_op_kind, uint64_t msgid, const char *name, uint64_t value);

void	view_message(struct queue *, const struct message *, int trash, const char *text, struct view *);
int	view_send_message(struct client *, const struct message *, const struct view *);
int	view_send_recipients(struct client *, const struct message *, const char *text);
/* The last dialogue and, if why, what each recipient waits for. */
int	view_send_story(struct client *, const struct message *, const struct view *, int why);
int	view_send_destination(struct client *, const char *domain);
int	view_send_figures(struct client *);

#endif
