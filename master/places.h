/*
 * places.h -- <runtime>/paths: what sendmail, which reads no configuration, has to know of it.
 *
 * World-readable lines NAME=VALUE, replaced as a whole at the start and at each reload.  It stays when the server
 * stops: that is when sendmail needs to know where mail can wait.
 *
 *	directory=PATH			its drop/new is where it waits
 *	hostname=DOMAIN			what is put behind an address without a domain
 *	message-size-limit=OCTETS
 *	local-submission=yes | no
 */
#ifndef MASTER_PLACES_H
#define MASTER_PLACES_H

#include "common/conf.h"

/* A failure is logged: mail is taken without it where the defaults hold. */
void	places_write(const struct conf *);

#endif
