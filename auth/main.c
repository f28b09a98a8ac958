/*
 * main.c -- postern-auth: holds passwords, and says who may log in.  Shell.
 */
#include "auth/auth.h"
#include "auth/secure.h"
#include "common/log.h"
#include "common/room.h"

int
main(int argc, char **argv)
{
	struct room		room;
	struct sandbox_run	run = { .nofile = AUTH_NOFILE };

	log_open("auth");
	secure_open();		/* the first snapshot comes with secrets */
	room_open(&room, ROOM_AUTH, argc, argv, &auth_room_ops, NULL);
	auth_open(&room);
	room_sandbox(&room, &auth_sandbox, &run);
	room_run(&room);
	room_flush(&room);
	return (0);
}
