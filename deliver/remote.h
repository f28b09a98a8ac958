/*
 * remote.h -- what the files of the role remote share.  Shell.
 */
#ifndef DELIVER_REMOTE_H
#define DELIVER_REMOTE_H

#include "deliver/conn.h"
#include "deliver/job.h"

/* remote_dial.c */
void	remote_dial(struct job *, size_t host, size_t addr);	/* one more of j->dial, or a failure more */
void	remote_note_fail(struct job *, const struct client_result *, const char *relay);	/* the one that came furthest is told */
/* After a failure of TLS: the same address again, in clear, if the policy and the attempt allow it. */
void	remote_without_tls(struct job *, const struct conn *, const struct client_result *);

#endif
