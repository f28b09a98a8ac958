/*
 * main.c -- smtpd speaks SMTP to clients and hands what they send to queue.
 *
 * See postern-smtpd(8).
 */
#include "common/log.h"
#include "smtpd/smtpd.h"

int
main(int argc, char **argv)
{
	static struct smtpd	d;
	static struct room	room;
	struct sandbox_run	run = { 0 };

	log_open("smtpd");
	room_open(&room, ROOM_SMTPD, argc, argv, &smtpd_room_ops, &d);
	smtpd_init(&d, &room);				/* last step that needs more than sockets */
	run.nofile = smtpd_descriptors(&room);
	room_sandbox(&room, &smtpd_sandbox, &run);	/* user, root directory, syscalls */
	room_run(&room);				/* the loop; returns on orderly stop */
	return (0);
}
