/*
 * outgoing.h -- a message on its way out of sendmail: what it is, whom it is for, and what was said.
 *
 *	outgoing.c	the core: recipients, what may be left to do after a conversation, exit status
 *	talk.c		the conversation with the server
 *	keep.c		where it waits if there is none
 */
#ifndef SENDMAIL_OUTGOING_H
#define SENDMAIL_OUTGOING_H

#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/submit.h"
#include "common/verdict.h"
#include "sendmail/address.h"
#include "sendmail/places.h"
#include "sendmail/spool.h"

struct outgoing {
	struct arena	 mem;		/* recipients' addresses */
	struct submit_rcpt *rcpt;	/* still to be done; malloc'd */
	size_t		 n, size;
	struct submit_rcpt *late;	/* the server wants them another time, or there is none; malloc'd */
	size_t		 nlate;
	struct submit_mail mail;	/* everything but its recipients */
	struct buf	 header;	/* final, with the empty line */
	struct spool	 body;
	int		 failed;	/* an exit status: what was refused for good; 0 nothing */
	size_t		 sent;
};

/* What somebody is to be told: a recipient, or NULL for the whole message. */
typedef void (*outgoing_say)(const char *recipient, const struct submit_answer *);

void	outgoing_init(struct outgoing *);
void	outgoing_clear(struct outgoing *);
/* E_LIMIT: more than DROP_RCPT_MAX; E_NOMEM. */
int	outgoing_add(struct outgoing *, const char *address, uint8_t notify);
/* Each recipient once, in the order of their first mention; once, when all are known.  E_LIMIT, E_NOMEM. */
int	outgoing_unique(struct outgoing *);
/* A transaction with the first count of them is over.  Non-zero: another one with what is left makes sense. */
int	outgoing_result(struct outgoing *, const struct submit *, size_t count, enum verdict, outgoing_say);
/* No server: all that is left waits. */
void	outgoing_postpone(struct outgoing *);
/* The status of sysexits.h for a refusal. */
int	outgoing_status(const struct submit_answer *);

/* talk.c */
enum talked {
	TALKED,			/* everything was answered; some may be late */
	TALK_DOWN,		/* no server, or it broke off */
};
enum talked talk(struct outgoing *, const struct places *, outgoing_say);
int	talk_connect(const struct places *);			/* a blocking stream, or -1 */
int	talk_shuttle(const struct places *);			/* -bs; exit status */

/* keep.c: the recipients that are late, into the drop directory; E_OK once it is safe, why else. */
int	keep(struct outgoing *, const struct places *, char *why, size_t size);

/* queue.c: exit status. */
int	queue_command(const struct args *, const struct places *);

#endif
