/*
 * main.c -- postern-pam: asks PAM about passwords.  Shell.
 */
#include "common/log.h"
#include "common/room.h"
#include "pam/pam.h"

int
main(int argc, char **argv)
{
	struct room		room;
	struct sandbox_run	run = { .nofile = PAM_NOFILE, .ndirs = 1, .dirs = { "/" } };

	log_open("pam");
	room_open(&room, ROOM_PAM, argc, argv, &pam_room_ops, NULL);
	room_sandbox(&room, &pam_sandbox, &run);
	pam_open(&room);
	room_run(&room);
	room_flush(&room);
	return (0);
}
