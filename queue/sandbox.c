/*
 * sandbox.c -- what queue may do: its own files, and nothing of the network (threat-model.md 4).
 */
#include "common/sandbox.h"

#define QUEUE_DATA_MAX	(2ull << 30)	/* bodies, the window, LMDB's dirty pages; the map is not counted */

extern const struct sandbox queue_sandbox;

const struct sandbox queue_sandbox = {
	.name = "queue",
	.groups = SB_STORE | SB_THREADS | SB_RECVFD,
	.more = 0,
	.data_max = QUEUE_DATA_MAX,
	.file_max = UINT64_MAX,		/* the store's own limit is kept by the store */
	.net_none = 1,
};
