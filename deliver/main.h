/*
 * main.h -- the steps of main(): set-up of the process, and the two sandboxes.
 */
#ifndef DELIVER_MAIN_H
#define DELIVER_MAIN_H

#include "common/room.h"
#include "common/sandbox.h"
#include "deliver/deliver.h"

extern const struct room_ops deliver_room_ops;
extern const struct sandbox remote_sandbox, mailbox_sandbox;

void	deliver_init(struct deliver *);			/* after the role is set */
void	deliver_local_addrs(struct deliver *);		/* before the sandbox: what "us" is on 0.0.0.0 and :: */
void	deliver_remote_limits(const struct deliver *, struct sandbox_run *);
void	mailbox_limits(struct deliver *, struct sandbox_run *);
void	mailbox_open(struct deliver *);			/* after the sandbox: the directory, the threads */

#endif
