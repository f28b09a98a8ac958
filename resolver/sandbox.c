/*
 * sandbox.c -- what the resolver keeps: sockets to name servers, and nothing else.
 *
 * No file, no listening, no program.  The group SB_RECVFD is for a new snapshot of the
 * configuration.  libunbound opens nothing after its first question, which is asked before.
 */
#include "resolver/sandbox.h"

const struct sandbox resolver_sandbox = {
	.name = "resolver",
	.groups = SB_CONNECT | SB_UDP | SB_RECVFD,
	.more = NULL,
	.data_max = RESOLVER_DATA_MAX,
	.file_max = 0,
	.net_none = 0,
};
