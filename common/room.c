/*
 * room.c -- a daemon's start by master, its loop, its end (see room.h); what master says is in room_messages.c.
 *
 * Shell.  Before GO messages are read one by one, waiting; after it the same handler serves the
 * loop.  A fault of master's is fatal: it is the one peer whose word we must be able to take.
 */
#include "common/room.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/room_parts.h"
#include "common/siphash.h"
#include "common/version.h"

static void	on_closed(struct ipc *, int);

static const struct ipc_ops master_ops = {
	.message = room_message,
	.closed = on_closed,
};

/* ---- start ---- */

static void
null_stdio(int from, int to)
{
	int fd, i;

	if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		log_fatal("/dev/null: %s", strerror(errno));
	for (i = from; i <= to; i++) {
		if (fd != i && dup2(fd, i) == -1)
			log_fatal("/dev/null: %s", strerror(errno));
	}
	if (fd > STDERR_FILENO)
		close(fd);
}

static void
signals_init(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);	/* write(2) of a peer that left */
	signal(SIGINT, SIG_IGN);	/* the terminal's: master decides */
	signal(SIGHUP, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* RLIMIT_FSIZE answers EFBIG: the caller handles that */
	signal(SIGTERM, SIG_DFL);
}

/* libuv keeps one descriptor in reserve, opened with the first stream: now, since later no file can be. */
static void
reserve_fd_init(uv_loop_t *loop)
{
	uv_pipe_t pipe;

	if (uv_pipe_init(loop, &pipe, 0) != 0)
		log_fatal("cannot make a stream handle");
	uv_close((uv_handle_t *)&pipe, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
}

static void
channel_check(void)
{
	int		type = 0;
	socklen_t	len = sizeof(type);

	if (getsockopt(ROOM_CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &len) == -1 || type != SOCK_SEQPACKET) {
		fprintf(stderr, "This program is started by posternd, not by hand.\n");
		exit(1);
	}
	if (fcntl(ROOM_CHANNEL_FD, F_SETFD, FD_CLOEXEC) == -1)
		log_fatal("channel: %s", strerror(errno));
}

static int
on_start_message(struct room *room, enum ipc_type type, struct rd *payload)
{
	if (type != IPC_START || ipc_unpack_start(payload, &room->start) != E_OK ||
	    room->start.room != room->self)
		return (E_PROTO);
	room->instance = room->start.instance;
	room->role = (enum role)room->start.role;
	room->inner->started = 1;
	return (E_OK);
}

void
room_open(struct room *room, unsigned self, int argc, char **argv, const struct room_ops *ops, void *arg)
{
	struct room_inner	*in;
	struct rd		 payload;
	enum ipc_type		 type = IPC_NONE;
	int			 err, fd;

	if (argc == 2 && strcmp(argv[1], "-V") == 0) {
		printf("postern-%s %s\n", room_name(self), POSTERN_VERSION);
		exit(0);
	}
	if (argc > 1) {
		fprintf(stderr, "usage: postern-%s [-V]\n", room_name(self));
		exit(1);
	}
	channel_check();
	signals_init();
	umask(077);
	null_stdio(STDIN_FILENO, STDOUT_FILENO);
	siphash_seed();
	tzset();

	memset(room, 0, sizeof(*room));
	if ((in = calloc(1, sizeof(*in))) == NULL)
		log_fatal("out of memory");
	room->self = self;
	room->ops = ops;
	room->arg = arg;
	room->inner = in;
	if (uv_loop_init(&room->loop) != 0)
		log_fatal("cannot make an event loop");
	reserve_fd_init(&room->loop);

	room->master.arg = room;	/* on_message() needs it before ipc_open() */
	while (type != IPC_GO) {
		if ((err = ipc_recv_sync(ROOM_CHANNEL_FD, &in->sync, ROOM_MASTER, self, &type, &payload,
		    &fd)) != E_OK)
			log_fatal("from master: %s", err_name(err));
		if (!in->started)
			err = on_start_message(room, type, &payload);
		else
			err = room_message(&room->master, type, &payload, fd);
		if (err != E_OK)
			log_fatal("from master: %s: %s", ipc_type_name(type), err_name(err));
	}
	if (in->conf == NULL)
		log_fatal("from master: GO without a configuration");
}

void
room_sandbox(struct room *room, const struct sandbox *sandbox, struct sandbox_run *run)
{
	struct sandbox mine = *sandbox;

	/* The log has its own descriptor by now; nothing else of a daemon's goes to a terminal. */
	if (room->inner->logging && !SANDBOX_SANITIZER && dup2(STDIN_FILENO, STDERR_FILENO) == -1)
		log_fatal("stderr: %s", strerror(errno));
	mine.groups |= SB_RECVFD;	/* a reload maps the new snapshot */
	if (room->inner->log_is_file)
		mine.file_max = UINT64_MAX;
	run->privileged = room->start.privileged;
	run->uid = room->start.uid;
	run->gid = room->start.gid;
	run->root = room->start.root;
	sandbox_enter(&mine, run);
}

/* ---- the end ---- */

static void
on_stop_timer(uv_timer_t *timer)
{
	struct room *room = timer->data;

	log_warn("not finished in time, leaving");
	room_leave(room);
}

void
room_stop_within(struct room *room, uint32_t within_ms)
{
	struct room_inner	*in = room->inner;
	uint64_t		 at = uv_now(&room->loop) + within_ms;
	int			 first = !in->stopping;

	if (in->leaving)
		return;
	in->stopping = 1;
	if (room->ops->stop == NULL) {
		room_leave(room);
		return;
	}
	if (first || at < in->stop_at) {
		in->stop_at = at;
		uv_timer_start(&in->stop_timer, on_stop_timer, within_ms, 0);
	}
	if (first)
		room->ops->stop(room, within_ms);
}

static void
on_closed(struct ipc *ch, int err)
{
	struct room *room = ch->arg;

	if (err != E_CLOSED)
		log_fatal("from master: %s", err_name(err));
	ipc_close(ch, NULL);
	if (!room->inner->stopping)
		log_warn("master is gone, leaving");
	room_stop_within(room, ROOM_ORPHAN_MS);
}

/* Master decides what becomes of a peer that broke the table; we have closed the channel to it. */
static struct room	*the_room;

static void
on_peer_broken(const struct ipc *ch)
{
	struct ipc_channel	m = { .room = ch->peer, .instance = ch->instance, .role = ch->role };
	int			err;

	if ((ch->peer & ROOM_DAEMON) == 0)
		return;
	if ((err = ipc_send(&the_room->master, PEER_BROKEN, channel, &m)) != E_OK && err != E_CLOSED)
		log_warn("to master: PEER_BROKEN: %s", err_name(err));
}

/* ---- the loop ---- */

void
room_flush(struct room *room)
{
	struct ipc_empty m = { 0 };

	ipc_flush_all();
	log_flush();
	if (log_need_fd() && ipc_send(&room->master, NEED_LOG, empty, &m) == E_OK)
		ipc_flush(&room->master);
}

static void
on_prepare(uv_prepare_t *prepare)
{
	room_flush(prepare->data);
}

/* What came before GO, in order. */
static void
pass_on(struct room *room)
{
	struct room_inner	*in = room->inner;
	struct rd		 payload;
	enum ipc_type		 type;
	size_t			 i;
	int			 err, fd;

	in->running = 1;
	for (i = 0; i < in->npeers; i++)
		room->ops->peer(room, &in->peers[i].m, in->peers[i].fd);
	for (i = 0; i < in->nlisteners; i++)
		room->ops->listener(room, &in->listeners[i].m, in->listeners[i].fd);
	if (room->ops->go != NULL)
		room->ops->go(room);
	/* Frames that came in one datagram with GO; such a datagram has no descriptor. */
	while (in->sync.off != in->sync.len) {
		if ((err = ipc_recv_sync(ROOM_CHANNEL_FD, &in->sync, ROOM_MASTER, room->self, &type, &payload,
		    &fd)) == E_OK)
			err = room_message(&room->master, type, &payload, fd);
		ipc_sync_done(&in->sync);
		if (err != E_OK)
			log_fatal("from master: %s", err_name(err));
	}
}

void
room_run(struct room *room)
{
	struct room_inner	*in = room->inner;
	struct ipc_empty	 ready = { 0 };
	int			 err;

	if (ipc_open(&room->master, &room->loop, ROOM_CHANNEL_FD, room->self, ROOM_MASTER, &master_ops,
	    room) != E_OK)
		log_fatal("cannot poll the channel to master");
	room->master.seq_out = in->seq_out;
	the_room = room;
	ipc_on_broken = on_peer_broken;
	uv_prepare_init(&room->loop, &in->prepare);
	in->prepare.data = room;
	uv_prepare_start(&in->prepare, on_prepare);
	uv_timer_init(&room->loop, &in->stop_timer);
	in->stop_timer.data = room;

	pass_on(room);
	room->master.seq_in = in->sync.seq;
	if ((err = ipc_send(&room->master, READY, empty, &ready)) != E_OK)
		log_fatal("to master: %s", err_name(err));
	while (!in->leaving)
		uv_run(&room->loop, UV_RUN_DEFAULT);
	room_flush(room);
}

void
room_leave(struct room *room)
{
	room->inner->leaving = 1;
	uv_stop(&room->loop);
}
