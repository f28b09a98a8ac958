/*
 * main.c -- postern-resolver: the names of hosts for smtpd and deliver.  Shell.
 *
 * It sees names and answers, never mail or addresses, and may only talk to name servers.
 */
#include "common/log.h"
#include "common/room.h"
#include "resolver/sandbox.h"
#include "resolver/serve.h"
#include "resolver/ub.h"

int
main(int argc, char **argv)
{
	struct room		room;
	struct sandbox_run	run = { 0 };

	log_open("resolver");
	room_open(&room, ROOM_RESOLVER, argc, argv, &resolver_ops, NULL);
	serve_open(&room, &run.nofile);		/* libunbound's context: last step that needs more than sockets */
	ub_ports(room.conf, &run);
	room_sandbox(&room, &resolver_sandbox, &run);
	log_info("ready: %zu forwarders, %zu stubs, validation %s", room.conf->resolver.nforward,
	    room.conf->resolver.nstub, room.conf->resolver.trust_anchor[0] != '\0' ? "on" : "off");
	room_run(&room);
	room_flush(&room);
	return (0);
}
