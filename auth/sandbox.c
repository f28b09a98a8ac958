/*
 * sandbox.c -- what auth may do: read what it is handed, write to its channels, hash in threads.
 * No file, no network, no child.
 */
#include <seccomp.h>

#include "auth/auth.h"

/* 16 workers with 64M each for a yescrypt hash, the table in use and the one that comes, what
 * waits. */
#define AUTH_DATA_MAX	(1536ull << 20)

static const int more[] = { SCMP_SYS(mlock), -1 };	/* secrets of a reload */

const struct sandbox auth_sandbox = {
	.name = "auth",
	.groups = SB_RECVFD | SB_THREADS,
	.more = more,
	.data_max = AUTH_DATA_MAX,
	.file_max = 0,
	.net_none = 1,
};
