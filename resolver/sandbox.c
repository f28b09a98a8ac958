/*
 * sandbox.c -- what the resolver keeps: sockets to name servers, and nothing else.
 *
 * No file, no listening, no program.  The group SB_RECVFD is for a new snapshot of the
 * configuration; the further calls are what libunbound makes once it runs.
 */
#include "resolver/sandbox.h"

#include <sys/syscall.h>

/* libunbound counts its own time, asks for its process id to seed, and looks at sockets. */
static const int more[] = {
	SYS_getrusage, SYS_getpid, SYS_newfstatat, SYS_ioctl, -1
};

const struct sandbox resolver_sandbox = {
	.name = "resolver",
	.groups = SB_CONNECT | SB_UDP | SB_RECVFD,
	.more = more,
	.data_max = RESOLVER_DATA_MAX,
	.file_max = 0,
	.net_none = 0,
};
