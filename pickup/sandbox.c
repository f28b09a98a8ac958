/*
 * sandbox.c -- what pickup keeps: the drop directory, and streams to nobody but smtpd (threat-model.md 4).
 */
#include <sys/syscall.h>

#include "common/sandbox.h"
#include "pickup/pickup.h"

#define PICKUP_DATA_MAX	(256ull << 20)	/* eight heads, a notice, and the names of one pass */

static const int more[] = { SYS_getdents64, SYS_pread64, SYS_inotify_add_watch, -1 };

const struct sandbox pickup_sandbox = {
	.name = "pickup",
	.groups = SB_MAILDIR | SB_PAIR | SB_RECVFD,
	.more = more,
	.data_max = PICKUP_DATA_MAX,
	.file_max = UINT64_MAX,		/* what waits on is as long as the message was */
	.net_none = 1,
};
