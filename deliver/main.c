/*
 * main.c -- deliver hands messages to other hosts (role remote) or into mailboxes (role mailbox).
 *
 * See postern-deliver(8).
 */
#include "common/err.h"
#include "common/log.h"
#include "deliver/main.h"
#include "deliver/tls.h"

static struct deliver d;

static void
remote_main(struct sandbox_run *run)
{
	d.role = &remote_ops;
	if (tls_open() != E_OK)
		log_fatal("OpenSSL cannot be started");
	deliver_init(&d);
	deliver_local_addrs(&d); /* last step that needs more than sockets to others */
	deliver_remote_limits(&d, run);
	room_sandbox(&d.room, &remote_sandbox, run);
}

static void
mailbox_main(struct sandbox_run *run)
{
	d.role = &mailbox_ops;
	deliver_init(&d);
	mailbox_limits(&d, run);
	room_sandbox(&d.room, &mailbox_sandbox, run);
	mailbox_open(&d);			/* its threads inherit every rule */
}

int
main(int argc, char **argv)
{
	struct sandbox_run run = { 0 };

	log_open("deliver");
	room_open(&d.room, ROOM_DELIVER, argc, argv, &deliver_room_ops, &d);
	if (d.room.role == ROLE_MAILBOX)
		mailbox_main(&run);
	else
		remote_main(&run);
	room_run(&d.room);			/* the loop; returns on orderly stop */
	return (0);
}
