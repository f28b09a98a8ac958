/*
 * cmd.h -- the commands of posternctl.  Shell.
 *
 * Each returns an exit status of args.h; what went wrong has been said on standard error (and as JSON
 * where that was asked for).
 */
#ifndef CTL_CMD_H
#define CTL_CMD_H

#include "ctl/args.h"

int	cmd_run(const struct ctl_args *);

/* The request for one operand, or for --all: an ID becomes msgid, all else text.  E_SYNTAX: not an ID
 * where only IDs will do; E_LIMIT: longer than any address. */
int	request_make(struct ipc_ctl_request *, const struct ctl_args *, const char *operand);
/* An exit status for how a conversation ended: err of conn_ask(), else the CTL_* status. */
int	exit_status(int err, unsigned ctl_status);

#endif
