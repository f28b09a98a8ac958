/*
 * room_test.c -- a daemon's life, played by a child behind descriptor 3; the test is master.
 *
 * The child enters a real sandbox (as root: other ids and root directory), so a reload, a new log socket and
 * a new channel are tried with the file system and the network gone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "common/log.h"
#include "common/room.h"

#define NOBODY		65534
#define GUARD_S		20
#define LEAVE_SLACK_MS	3000

/* What the child counts, told by PONG. */
enum { C_PEERS, C_LISTENERS, C_GONE_LISTENERS, C_CONFS, C_LIMIT, C_GO, C_OLD_LIMIT, C_MESSAGES };

struct child {
	uint64_t	counter[8];
	struct ipc	peer[PEERS_MAX];
	size_t		npeers;
};

static char	work[] = "/tmp/postern-room-XXXXXX";

/* ---- the child ---- */

static int
peer_message(struct ipc *ch, enum ipc_type type, struct rd *payload, int fd)
{
	struct room *room = ch->arg;

	((struct child *)room->arg)->counter[C_MESSAGES]++;
	return (E_OK);
}

static void
peer_closed(struct ipc *ch, int err)
{
	ipc_close(ch, NULL);
}

static const struct ipc_ops peer_ops = { .message = peer_message, .closed = peer_closed };

static void
on_peer(struct room *room, const struct ipc_channel *m, int fd)
{
	struct child *c = room->arg;

	c->counter[C_PEERS]++;
	if (ipc_open(&c->peer[c->npeers++], &room->loop, fd, room->self, m->room, &peer_ops, room) != E_OK)
		log_fatal("peer");
}

static void
on_conf(struct room *room, const struct conf *old)
{
	struct child *c = room->arg;

	c->counter[C_CONFS]++;
	c->counter[C_LIMIT] = room->conf->message_size_limit;
	c->counter[C_OLD_LIMIT] = old->message_size_limit;
}

static void
on_listener(struct room *room, const struct ipc_listener *m, int fd)
{
	((struct child *)room->arg)->counter[C_LISTENERS]++;
	close(fd);
}

static void
on_listener_end(struct room *room, const struct ipc_listener *m)
{
	((struct child *)room->arg)->counter[C_GONE_LISTENERS]++;
}

static void
on_go(struct room *room)
{
	struct child *c = room->arg;

	/* What came before GO was passed on already. */
	c->counter[C_GO] = c->counter[C_PEERS] * 10 + c->counter[C_LISTENERS];
	c->counter[C_LIMIT] = room->conf->message_size_limit;
}

static void
on_counters(struct room *room, uint64_t counter[8])
{
	memcpy(counter, ((struct child *)room->arg)->counter, 8 * sizeof(uint64_t));
}

static void
stop_at_once(struct room *room, uint32_t within_ms)
{
	room_leave(room);
}

static void
stop_never(struct room *room, uint32_t within_ms)
{
}

static struct room_ops ops = {
	.peer = on_peer, .conf = on_conf, .listener = on_listener, .listener_end = on_listener_end, .go = on_go,
	.stop = stop_at_once, .counters = on_counters,
};

static const struct sandbox sandbox = { .name = "test", .groups = SB_ACCEPT, .net_none = 1 };

static void
child_main(void)
{
	static struct room	 room;
	static struct child	 c;
	struct sandbox_run	 run = { .nofile = 128 };
	char			*argv[] = { (char *)(uintptr_t)"test", NULL };

	log_open("test");
	room_open(&room, ROOM_SMTPD, 1, argv, &ops, &c);
	room_sandbox(&room, &sandbox, &run);
	room_run(&room);
	exit(0);
}

/* ---- master's side ---- */

static int		fd = -1;
static pid_t		pid;
static uint32_t		seq;
static struct ipc_sync	sync_in;
static uint64_t		last_ping;

static void
child_start(void)
{
	int fds[2], null;

	assert_int_equal(ipc_pair(fds), E_OK);
	fflush(NULL);
	assert_int_not_equal(pid = fork(), -1);
	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDERR_FILENO);
		if (fds[1] == ROOM_CHANNEL_FD)
			fcntl(fds[1], F_SETFD, 0);
		else
			dup2(fds[1], ROOM_CHANNEL_FD);
		close_range(ROOM_CHANNEL_FD + 1, ~0u, 0);
		if (getuid() != 0 || chown(work, NOBODY, NOBODY) == 0)
			child_main();
		_exit(99);
	}
	close(fds[1]);
	fd = fds[0];
	seq = 0;
	memset(&sync_in, 0, sizeof(sync_in));
	alarm(GUARD_S);
}

#define SEND(NAME, name, passed, ...) do { \
	struct ipc_##name m_ = __VA_ARGS__; \
	static uint8_t p_[IPC_PAYLOAD_MAX]; \
	struct wr w_; \
	wr_init(&w_, p_, sizeof(p_)); \
	ipc_pack_##name(&w_, &m_); \
	assert_int_equal(ipc_send_sync(fd, &seq, IPC_##NAME, p_, w_.len, passed), E_OK); \
} while (0)

static struct rd
want(enum ipc_type wanted)
{
	enum ipc_type	type;
	struct rd	payload;
	int		passed, err;

	err = ipc_recv_sync(fd, &sync_in, ROOM_SMTPD, ROOM_MASTER, &type, &payload, &passed);
	if (err != E_OK || type != wanted)
		fail_msg("%s instead of %s", err != E_OK ? err_name(err) : ipc_type_name(type), ipc_type_name(wanted));
	return (payload);
}

/* Both, in any order: a line written earlier may have found the log gone first. */
static void
want_both(enum ipc_type one, enum ipc_type other)
{
	enum ipc_type	type;
	struct rd	payload;
	int		passed;

	assert_int_equal(ipc_recv_sync(fd, &sync_in, ROOM_SMTPD, ROOM_MASTER, &type, &payload, &passed), E_OK);
	assert_true(type == one || type == other);
	want(type == one ? other : one);
}

static void
ping(struct ipc_pong *pong)
{
	struct rd r;

	SEND(PING, ping, -1, { .seq = ++last_ping });
	r = want(IPC_PONG);
	assert_int_equal(ipc_unpack_pong(&r, pong), E_OK);
	assert_int_equal(pong->seq, last_ping);
}

static int
conf_fd(uint64_t limit)
{
	static uint32_t	retry[] = { 60 };
	struct conf	c;
	struct slice	packed;
	size_t		i;
	int		memfd;

	memset(&c, 0, sizeof(c));
	for (i = 0; i < conf_nnumbers; i++)
		conf_number_set(&c, &conf_numbers[i], conf_numbers[i].def);
	c.hostname = "mx.example.org";
	c.directory = "/var/lib/postern";
	c.runtime = "/run/postern";
	c.user_prefix = "";
	c.postmaster = c.recipient_delimiter = "";
	c.message_size_limit = limit;
	c.queue.nretry = 1;
	c.queue.retry = retry;
	c.deliver.bind4 = c.deliver.bind6 = "";
	c.resolver.trust_anchor = "";
	c.auth.passwd_path = c.auth.dovecot_path = c.auth.pam_service = "";
	assert_int_equal(conf_pack(&c, &packed), E_OK);
	memfd = conf_to_memfd(packed);
	assert_true(memfd >= 0);
	free((void *)(uintptr_t)packed.p);
	return (memfd);
}

static void
send_conf(uint64_t generation, uint64_t limit)
{
	int memfd = conf_fd(limit);

	SEND(CONF, conf_blob, memfd, { .generation = generation });
	close(memfd);
}

static void
want_conf_ready(uint64_t generation, int err)
{
	struct ipc_conf_ready	m;
	struct rd		r = want(IPC_CONF_READY);

	assert_int_equal(ipc_unpack_conf_ready(&r, &m), E_OK);
	assert_int_equal(m.generation, generation);
	assert_int_equal(m.err, err);
}

/* A log that nobody reads but that is there; its other end. */
static int
send_log(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	SEND(LOG, log_socket, fds[1], { .kind = LOG_TO_SYSLOG });
	close(fds[1]);
	return (fds[0]);
}

static void
send_start(unsigned room)
{
	struct ipc_start m = { .room = room, .instance = 2, .boot = 5 };
	uint8_t		 p[2048];
	struct wr	 w;

	m.privileged = getuid() == 0;
	m.uid = m.gid = NOBODY;
	memcpy(m.root, work, sizeof(work));
	wr_init(&w, p, sizeof(p));
	ipc_pack_start(&w, &m);
	assert_int_equal(ipc_send_sync(fd, &seq, IPC_START, p, w.len, -1), E_OK);
}

static int
send_peer(void)
{
	int fds[2];

	assert_int_equal(ipc_pair(fds), E_OK);
	SEND(CHANNEL, channel, fds[1], { .room = ROOM_QUEUE, .instance = 0 });
	close(fds[1]);
	return (fds[0]);
}

static int	log_end = -1;

/* To READY, with one peer and two listeners. */
static int
child_ready(void)
{
	int peer;

	child_start();
	send_start(ROOM_SMTPD);
	send_conf(1, 1000000);
	want_conf_ready(1, E_OK);
	SEND(CONF_USE, conf_use, -1, { .generation = 1 });
	log_end = send_log();
	SEND(LISTENER, listener, STDIN_FILENO, { .index = 0, .name = "mx" });
	SEND(LISTENER, listener, STDIN_FILENO, { .index = 1, .name = "mx2" });
	peer = send_peer();
	SEND(GO, empty, -1, { 0 });
	want(IPC_READY);
	return (peer);
}

/* The child's end: its exit status, -1 if a signal. */
static int
child_status(void)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	alarm(0);
	if (fd != -1)
		close(fd);
	if (log_end != -1)
		close(log_end);
	fd = log_end = -1;
	if (WIFSIGNALED(status))
		print_message("signal %d\n", WTERMSIG(status));
	return (WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* ---- tests ---- */

static void
test_life(void **state)
{
	struct ipc_pong	pong;
	int		peer = child_ready(), second, memfd;

	ping(&pong);
	assert_int_equal(pong.counter[C_GO], 12);
	assert_int_equal(pong.counter[C_LIMIT], 1000000);
	assert_int_equal(pong.counter[C_CONFS], 0);
	assert_int_equal(pong.log_dropped, 0);

	/* Two steps: ready, then in use. */
	send_conf(2, 2000000);
	want_conf_ready(2, E_OK);
	ping(&pong);
	assert_int_equal(pong.counter[C_LIMIT], 1000000);
	SEND(CONF_USE, conf_use, -1, { .generation = 2 });
	ping(&pong);
	assert_int_equal(pong.counter[C_LIMIT], 2000000);
	assert_int_equal(pong.counter[C_OLD_LIMIT], 1000000);
	assert_int_equal(pong.counter[C_CONFS], 1);

	/* One that is not sealed is refused, and the old one stays. */
	memfd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(memfd, "junk", 4), 4);
	SEND(CONF, conf_blob, memfd, { .generation = 3 });
	close(memfd);
	want_conf_ready(3, E_PROTO);
	/* Replaced before it was used. */
	send_conf(4, 4000000);
	want_conf_ready(4, E_OK);
	send_conf(5, 5000000);
	want_conf_ready(5, E_OK);
	SEND(CONF_USE, conf_use, -1, { .generation = 5 });
	ping(&pong);
	assert_int_equal(pong.counter[C_LIMIT], 5000000);

	/* A peer was restarted; a listener comes and goes. */
	second = send_peer();
	SEND(LISTENER, listener, STDIN_FILENO, { .index = 2, .name = "late" });
	SEND(LISTENER_END, listener, -1, { .index = 2, .name = "late" });
	ping(&pong);
	assert_int_equal(pong.counter[C_PEERS], 2);
	assert_int_equal(pong.counter[C_LISTENERS], 3);
	assert_int_equal(pong.counter[C_GONE_LISTENERS], 1);
	close(peer);
	close(second);
	ping(&pong);

	SEND(STOP, stop, -1, { .within_ms = 1000 });
	assert_int_equal(child_status(), 0);
}

/* Its peer sends rubbish: that channel ends, with a line, and master hears whose it was; the daemon lives. */
static void
test_peer_rubbish(void **state)
{
	struct ipc_channel who;
	struct ipc_pong	pong;
	struct rd	r;
	char		buf[8192];
	ssize_t		n;
	int		peer = child_ready(), found = 0;

	assert_int_equal(send(peer, "rubbish", 7, 0), 7);
	assert_true(recv(peer, buf, 1, 0) <= 0);	/* non-blocking: nothing yet, or closed already */
	r = want(IPC_PEER_BROKEN);
	assert_int_equal(ipc_unpack_channel(&r, &who), E_OK);
	assert_int_equal(who.room, ROOM_QUEUE);
	assert_int_equal(who.instance, 0);
	ping(&pong);
	assert_int_equal(recv(peer, buf, 1, 0), 0);	/* it was closed */
	while ((n = recv(log_end, buf, sizeof(buf) - 1, 0)) > 0) {
		buf[n] = '\0';
		found |= strstr(buf, "channel to queue[0]: bad frame") != NULL;
	}
	assert_true(found);
	close(peer);
	SEND(STOP, stop, -1, { .within_ms = 1000 });
	assert_int_equal(child_status(), 0);
}

/* The log daemon dies: NEED_LOG, and a new socket gets what waited. */
static void
test_log_restart(void **state)
{
	struct ipc_pong	pong;
	char		buf[8192];
	ssize_t		n;
	int		peer = child_ready(), found = 0;

	close(log_end);
	assert_int_equal(send(peer, "rubbish", 7, 0), 7);	/* makes it say something */
	want_both(IPC_PEER_BROKEN, IPC_NEED_LOG);
	log_end = send_log();
	ping(&pong);
	ping(&pong);
	while ((n = recv(log_end, buf, sizeof(buf) - 1, 0)) > 0) {
		buf[n] = '\0';
		found |= strstr(buf, "channel to queue[0]: bad frame") != NULL;
	}
	assert_true(found);
	assert_int_equal(pong.log_dropped, 0);
	close(peer);
	SEND(STOP, stop, -1, { .within_ms = 1000 });
	assert_int_equal(child_status(), 0);
}

/* Master goes: the daemon leaves, at once if it can, else after five seconds (F2). */
static void
test_master_gone(void **state)
{
	uint64_t	start;
	int		peer = child_ready();

	close(fd);
	fd = -1;
	start = now_ms();
	assert_int_equal(child_status(), 0);
	assert_true(now_ms() - start < LEAVE_SLACK_MS);
	close(peer);

	ops.stop = stop_never;
	peer = child_ready();
	ops.stop = stop_at_once;
	close(fd);
	fd = -1;
	start = now_ms();
	assert_int_equal(child_status(), 0);
	assert_in_range(now_ms() - start, ROOM_ORPHAN_MS - 100, ROOM_ORPHAN_MS + LEAVE_SLACK_MS);
	close(peer);
}

/* STOP's time is kept even if the daemon does not finish; a second STOP can only shorten it. */
static void
test_stop_deadline(void **state)
{
	uint64_t	start;
	int		peer;

	ops.stop = stop_never;
	peer = child_ready();
	ops.stop = stop_at_once;
	start = now_ms();
	SEND(STOP, stop, -1, { .within_ms = 60000 });
	SEND(STOP, stop, -1, { .within_ms = 200 });
	SEND(STOP, stop, -1, { .within_ms = 60000 });
	assert_int_equal(child_status(), 0);
	assert_in_range(now_ms() - start, 150, 200 + LEAVE_SLACK_MS);
	close(peer);
}

/* Master's faults are fatal: exit status 1. */
static void
test_bad_master(void **state)
{
	int peer, i;

	child_start();			/* another room's START */
	send_start(ROOM_QUEUE);
	assert_int_equal(child_status(), 1);

	child_start();			/* something before START */
	SEND(GO, empty, -1, { 0 });
	assert_int_equal(child_status(), 1);

	child_start();			/* GO without a configuration */
	send_start(ROOM_SMTPD);
	SEND(GO, empty, -1, { 0 });
	assert_int_equal(child_status(), 1);

	child_start();			/* end of file before GO */
	send_start(ROOM_SMTPD);
	close(fd);
	fd = -1;
	assert_int_equal(child_status(), 1);

	for (i = 0; i < 4; i++) {
		peer = child_ready();
		switch (i) {
		case 0:			/* use of what never came */
			SEND(CONF_USE, conf_use, -1, { .generation = 9 });
			break;
		case 1:			/* START twice */
			send_start(ROOM_SMTPD);
			break;
		case 2:			/* GO twice */
			SEND(GO, empty, -1, { 0 });
			break;
		case 3:
			assert_int_equal(send(fd, "rubbish", 7, 0), 7);
			break;
		}
		assert_int_equal(child_status(), 1);
		close(peer);
	}
}

/* What comes before GO is kept: so many channels and listeners, and one more is a fault of master. */
static void
test_early_limits(void **state)
{
	static const struct { int peers, max; } t[] = { { 1, PEERS_MAX }, { 0, LISTENERS_MAX } };
	struct ipc_pong	pong;
	int		peer[PEERS_MAX + 1], i, n;
	size_t		k;

	for (k = 0; k < sizeof(t) / sizeof(t[0]); k++) {
		for (n = t[k].max - 1; n <= t[k].max + 1; n++) {
			child_start();
			send_start(ROOM_SMTPD);
			send_conf(1, 1000000);
			want_conf_ready(1, E_OK);
			SEND(CONF_USE, conf_use, -1, { .generation = 1 });
			log_end = send_log();
			for (i = 0; i < n; i++) {
				if (t[k].peers)
					peer[i] = send_peer();
				else
					SEND(LISTENER, listener, STDIN_FILENO,
					    { .index = (uint16_t)(i % LISTENERS_MAX), .name = "mx" });
			}
			if (n <= t[k].max) {
				SEND(GO, empty, -1, { 0 });
				want(IPC_READY);
				ping(&pong);
				assert_int_equal(pong.counter[t[k].peers ? C_PEERS : C_LISTENERS], n);
				SEND(STOP, stop, -1, { .within_ms = 1000 });
			}
			assert_int_equal(child_status(), n <= t[k].max ? 0 : 1);
			for (i = 0; t[k].peers && i < n; i++)
				close(peer[i]);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_peer_rubbish),
		cmocka_unit_test(test_log_restart),
		cmocka_unit_test(test_master_gone),
		cmocka_unit_test(test_stop_deadline),
		cmocka_unit_test(test_bad_master),
		cmocka_unit_test(test_early_limits),
	};
	int failed;

	if (mkdtemp(work) == NULL)
		return (1);
	log_open("test");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(work);
	return (failed);
}
