/*
 * compose.h -- from the command line and standard input to a whole message.  Shell.
 */
#ifndef SENDMAIL_COMPOSE_H
#define SENDMAIL_COMPOSE_H

#include "sendmail/args.h"
#include "sendmail/outgoing.h"

/* EX_OK, or a status of sysexits.h; why is said on standard error. */
int	compose(struct outgoing *, const struct args *, const struct places *);

#endif
