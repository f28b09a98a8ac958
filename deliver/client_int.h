/*
 * client_int.h -- what the files of the SMTP client share.  Core.
 */
#ifndef DELIVER_CLIENT_INT_H
#define DELIVER_CLIENT_INT_H

#include "deliver/client.h"

enum sweep { SWEEP_NONE, SWEEP_ONE, SWEEP_ALL, SWEEP_ACCEPTED, SWEEP_UNSENT };

void	client_set_state(struct client *, enum client_state);
enum stage client_stage(enum client_state);

/* client_reply.c: one whole reply in c->in.r, by the table. */
void	client_reply(struct client *);
void	client_ehlo_line(void *, struct slice);
/* The connection is of no more use; open recipients may be tried elsewhere. */
void	client_fail(struct client *, enum outcome, const char *enhanced, const char *text);
/* c->r goes to the recipients of the sweep. */
void	client_sweep(struct client *, enum sweep, enum outcome, const char *enhanced, const char *text);
void	client_txn_done(struct client *);

/* client.c: commands. */
void	client_say(struct client *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void	client_say_next(struct client *);	/* unpipelined: the next RCPT, or DATA, or the end */
void	client_say_mail(struct client *);
size_t	client_rcpt_next(const struct client *, size_t from);	/* the next one that is part of this transaction */

#endif
