/*
 * ub.h -- the libunbound context of this process, made whole before the sandbox.  Shell.
 *
 * Errors are fatal: a resolver that cannot be set up as configured must not guess.
 * Changed settings mean a new process (libunbound's are final after the first question).
 */
#ifndef RESOLVER_UB_H
#define RESOLVER_UB_H

#include <stdint.h>

#include "common/conf.h"
#include "common/sandbox.h"

struct ub_ctx;
struct ub_event_base;

/* sockets: how many may be open at once for questions in flight. */
struct ub_ctx	*ub_context_new(struct ub_event_base *, const struct conf *, unsigned sockets);

/* How many sockets for questions the descriptor limit allows, at most UB_SOCKETS_MAX; *nofile is
 * what to ask of the sandbox. */
unsigned	 ub_sockets(uint64_t *nofile);

/* The ports name servers are asked on: 53, 853, and those of forwarders and stubs. */
void		 ub_ports(const struct conf *, struct sandbox_run *);

/* A server's "address@port"; E_SYNTAX.  Port 53 if there is none. */
int		 ub_server_parse(struct net_addr *, uint16_t *port, const char *text);

#define UB_SOCKETS_MAX	4096

#endif
