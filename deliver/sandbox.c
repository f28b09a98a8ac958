/*
 * sandbox.c -- what deliver keeps, by role (threat-model.md 4, column deliver).
 *
 * remote: TCP to other hosts, no file, no thread.  mailbox: files beneath its one directory,
 * threads for them, no way to make a socket.
 */
#include <sys/syscall.h>

#include "common/sandbox.h"
#include "deliver/main.h"

#define REMOTE_DATA_MAX (2ull << 30) /* 500 connections and the window of each job need less */
#define MAILBOX_DATA_MAX	(1ull << 30)

/* Looking through tmp/ for stale files. */
static const int mailbox_more[] = { SYS_getdents64, SYS_newfstatat, SYS_lseek, -1 };

const struct sandbox remote_sandbox = {
	.name = "deliver remote",
	.groups = SB_CONNECT | SB_RECVFD,
	.data_max = REMOTE_DATA_MAX,
	.file_max = 0,
};

const struct sandbox mailbox_sandbox = {
	.name = "deliver mailbox",
	.groups = SB_MAILDIR | SB_THREADS | SB_RECVFD,
	.more = mailbox_more,
	.data_max = MAILBOX_DATA_MAX,
	.file_max = UINT64_MAX,
	.net_none = 1,
};
