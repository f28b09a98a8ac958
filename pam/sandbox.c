/*
 * sandbox.c -- what pam, its slots and PAM's modules may do: read the files of the system as root
 * without capabilities may, write none, make Unix sockets and no others, start programs of the
 * system.  No list of what is allowed: modules are code of others.
 */
#include "pam/pam.h"

#define PAM_DATA_MAX	(256ull << 20)	/* of each process */

const struct sandbox pam_sandbox = {
	.name = "pam",
	.data_max = PAM_DATA_MAX,
	.file_max = 0,
	.net_none = 1,
	.keep_root = 1,
	.files_read = 1,
	.modules = 1,
};
