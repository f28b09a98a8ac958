/*
 * main.c -- postern-keys: holds all private keys, and signs with them what TLS wants signed.
 * Shell.
 */
#include "common/log.h"
#include "common/room.h"
#include "keys/keys.h"

int
main(int argc, char **argv)
{
	struct room		room;
	struct sandbox_run	run = { .nofile = KEYS_NOFILE };

	log_open("keys");
	room_open(&room, ROOM_KEYS, argc, argv, &keys_room_ops, NULL);
	keys_open(&room);	/* OpenSSL and its locked memory: last step that needs more than channels */
	room_sandbox(&room, &keys_sandbox, &run);
	room_run(&room);
	room_flush(&room);
	return (0);
}
