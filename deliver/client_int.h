/*
 * client_int.h -- what the files of the SMTP client share.  Core.
 */
#ifndef DELIVER_CLIENT_INT_H
#define DELIVER_CLIENT_INT_H

#include "deliver/client.h"

enum sweep { SWEEP_NONE, SWEEP_ONE, SWEEP_ALL, SWEEP_ACCEPTED, SWEEP_UNSENT, SWEEP_UTF8 };

void	client_set_state(struct client *, enum client_state);
enum stage client_stage(enum client_state);

/* client_reply.c: one whole reply in c->in.r, by the table. */
void	client_reply(struct client *);
/* The connection is of no more use; open recipients may be tried elsewhere. */
void	client_fail(struct client *, enum outcome, const char *enhanced, const char *text);
/* c->r goes to the recipients of the sweep. */
void	client_sweep(struct client *, enum sweep, enum outcome, const char *enhanced, const char *text);
void	client_txn_done(struct client *);

/* client_reply.c: the reply at hand as a result. */
void	client_take_reply(struct client *, struct client_result *);
void	client_sweep_reply(struct client *, enum sweep);
void	client_host_refuses(struct client *);
void	client_unexpected(struct client *);
/* client_ehlo.c: one line of a reply. */
void	client_ehlo_line(void *, struct slice);
void	client_ehlo_forget(struct client *);

/* client_tls.c: EHLO or HELO was answered: STARTTLS, AUTH or the first message is next. */
void	client_hello_over(struct client *);
void	client_say_hello(struct client *);
void	starttls_taken(struct client *);
void	starttls_refused(struct client *);
int	client_tls_is_fresh(const struct client *);	/* what is lost now is lost by TLS */
void	client_tls_reason(const struct client *, char *dst, size_t size, const char *what);

/* client_auth.c */
void	client_auth_begin(struct client *);
void	auth_line(struct client *, struct slice line);	/* one line of a reply in CS_AUTH */
void	auth_challenged(struct client *);
void	auth_taken(struct client *);
void	auth_refused(struct client *);
void	client_auth_ehlo(struct client *, struct slice args);

/* client_bdat.c: the body in chunks, and the replies to them. */
void	bdat_start(struct client *);
void	bdat_body(struct client *, struct slice in, struct slice *seg, size_t max, size_t *nseg, size_t *used);
void	bdat_end(struct client *, struct slice *end);
void	bdat_answered(struct client *);		/* in CS_BODY */
void	bdat_refused(struct client *);		/* in CS_BODY */
int	bdat_last(struct client *);		/* in CS_DOT: 1 if this is the reply to the last chunk, and all went well before */
void	bdat_dropped(struct client *);		/* in CS_CHUNKS */

/* client.c */
void	client_say(struct client *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* client_mail.c: a transaction's commands. */
int	client_needs_utf8(const char *address);
void	client_say_next(struct client *);	/* unpipelined: the next RCPT, or what follows them */
void	client_say_mail(struct client *);
size_t	client_rcpt_next(const struct client *, size_t from);	/* the next one that is part of this transaction */

#endif
