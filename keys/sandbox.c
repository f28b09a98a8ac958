/*
 * sandbox.c -- what keys may do: read what it is handed, write to its channels.  No file, no
 * network, no thread, no child.
 */
#include "keys/keys.h"

#define KEYS_DATA_MAX	(256ull << 20)	/* the snapshot and the keys */

const struct sandbox keys_sandbox = {
	.name = "keys",
	.groups = SB_RECVFD,
	.more = NULL,
	.data_max = KEYS_DATA_MAX,
	.file_max = 0,
	.net_none = 1,
};
