/*
 * serve.h -- the peers of the resolver: DNS_QUERY in, DNS_ANSWER out.  Shell.
 */
#ifndef RESOLVER_SERVE_H
#define RESOLVER_SERVE_H

#include <stdint.h>

#include "common/room.h"

extern const struct room_ops resolver_ops;

/* Make libunbound's context by room->conf; *nofile is what to ask of the sandbox.  Fatal on failure. */
void	serve_open(struct room *, uint64_t *nofile);

#endif
