/*
 * main.c -- pickup takes the mail of local users that waited for the server.  Shell.
 *
 * See postern-pickup(8).
 */
#include "common/log.h"
#include "pickup/pickup.h"

#define DESCRIPTORS	(64 + 6 * PICKUP_SESSIONS_MAX + SMTPDS_MAX)

static void
on_peer(struct room *room, const struct ipc_channel *m, int fd)
{
	smtpd_peer(room->arg, m, fd);
}

static void
on_go(struct room *room)
{
	struct pickup *p = room->arg;

	log_info("ready: bad=%zu", p->bad_count);
	scan_begin(p);
}

/* What is being said may be said to its end; the rest stays where it is. */
static void
on_stop(struct room *room, uint32_t within_ms)
{
	struct pickup *p = room->arg;

	p->stopping = 1;
	leave_if_idle(p);
}

static void
on_counters(struct room *room, uint64_t counter[8])
{
	struct pickup *p = room->arg;
	size_t i;

	for (i = 0; i < 8; i++)
		counter[i] = p->counter[i];
}

static const struct room_ops ops = {
	.peer = on_peer,
	.go = on_go,
	.stop = on_stop,
	.counters = on_counters,
};

int
main(int argc, char **argv)
{
	static struct pickup p;
	static struct room room;
	struct sandbox_run run = { .nofile = DESCRIPTORS, .ndirs = 1 };

	log_open("pickup");
	room_open(&room, ROOM_PICKUP, argc, argv, &ops, &p);
	pickup_init(&p, &room);
	run.dirs[0] = room.start.root;
	room_sandbox(&room, &pickup_sandbox, &run);
	scan_open(&p);			/* beneath the new root directory */
	room_run(&room);		/* the loop; returns on orderly stop */
	return (0);
}
