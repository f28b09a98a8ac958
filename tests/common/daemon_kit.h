/*
 * daemon_kit.h -- a whole daemon in a child, with its real sandbox, and the test as master and as its peers (each smtpd).
 *
 * The test defines kit: which daemon, and what its main() does.  One daemon at a time.
 */
#ifndef TESTS_COMMON_DAEMON_KIT_H
#define TESTS_COMMON_DAEMON_KIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/conf_number.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/room.h"

#define NOBODY		65534

struct daemon_kit {
	unsigned room;
	uint8_t	 peer_role;			/* of the smtpd that are its peers */
	void	(*main)(struct room *, char **argv);	/* descriptor 3 is master's channel; exits when it returns */
};

static const struct daemon_kit	kit;		/* the test's */

static int		 master = -1;
static uint32_t		 master_seq;
static struct ipc_sync	 master_sync;
static pid_t		 pid;
static char		 empty_dir[] = "/tmp/postern-daemon-XXXXXX";

#define SEND(fd, seq, NAME, name, m, passfd) do { \
	uint8_t		room_[IPC_PAYLOAD_MAX]; \
	struct wr	w_; \
	wr_init(&w_, room_, sizeof(room_)); \
	ipc_pack_##name(&w_, (m)); \
	assert_int_equal(w_.err, E_OK); \
	assert_int_equal(ipc_send_sync((fd), (seq), IPC_##NAME, room_, w_.len, (passfd)), E_OK); \
} while (0)

/* The daemon's root directory; with this a group of tests begins ... */
static inline int
kit_open(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	return (mkdtemp(empty_dir) == NULL || chmod(empty_dir, 0555) != 0 ? -1 : 0);
}

/* ... and with this it ends. */
static inline int
kit_close(void)
{
	return (rmdir(empty_dir));
}

static inline int64_t
now_ms(void)
{
	struct timespec	t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* ---- master's side ---- */

static inline void
master_expect(enum ipc_type want, struct rd *rd)
{
	enum ipc_type	type;
	int		fd;

	assert_int_equal(ipc_recv_sync(master, &master_sync, kit.room, ROOM_MASTER, &type, rd, &fd), E_OK);
	assert_string_equal(ipc_type_name(type), ipc_type_name(want));
}

static inline void
expect_ready(uint64_t generation, int err, const char *why)
{
	struct ipc_conf_ready	m;
	struct rd		rd;

	master_expect(IPC_CONF_READY, &rd);
	assert_int_equal(ipc_unpack_conf_ready(&rd, &m), E_OK);
	if (strstr(m.why, why) == NULL || (why[0] == '\0') != (m.why[0] == '\0'))
		fail_msg("says \"%s\", wanted \"%s\"", m.why, why);
	assert_int_equal(m.generation, generation);
	assert_int_equal(m.err, err);
}

/* A snapshot with nothing in it, for the test to fill. */
static inline void
conf_plain(struct conf *c)
{
	static uint32_t	retry = 60;

	memset(c, 0, sizeof(*c));
	c->hostname = "mx.test";
	c->directory = "/tmp";
	c->runtime = "/run/postern";
	c->user_prefix = c->postmaster = c->recipient_delimiter = c->deliver.bind4 = c->deliver.bind6 = "";
	c->log = LOG_TO_STDERR;
	for (size_t i = 0; i < conf_nnumbers; i++)
		conf_number_set(c, &conf_numbers[i], conf_numbers[i].def);
	c->queue.nretry = 1;
	c->queue.retry = &retry;
	c->resolver.trust_anchor = "";
	c->auth.passwd_path = c->auth.dovecot_path = c->auth.pam_service = "";
}

static inline void
send_snapshot(const struct conf *c, uint64_t generation)
{
	struct slice		packed;
	struct ipc_conf_blob	b = { .generation = generation };
	int			fd;

	assert_int_equal(conf_pack(c, &packed), E_OK);
	fd = conf_to_memfd(packed);
	assert_true(fd >= 0);
	SEND(master, &master_seq, CONF, conf_blob, &b, fd);
	(void)close(fd);
	free((void *)(uintptr_t)packed.p);
}

static inline void
send_use(uint64_t generation)
{
	struct ipc_conf_use	u = { .generation = generation };

	SEND(master, &master_seq, CONF_USE, conf_use, &u, -1);
}

static inline void
kit_child(int channel)
{
	static struct room	 room;
	char			*argv[] = { (char *)(uintptr_t)"postern-daemon", NULL };
	int			 fd;

	if (dup2(channel, ROOM_CHANNEL_FD) == -1)
		_exit(10);
	for (fd = ROOM_CHANNEL_FD + 1; fd < 64; fd++)
		(void)close(fd);
	log_open(room_name(kit.room));
	kit.main(&room, argv);
	_exit(0);
}

/* The daemon has START; what it needs at first is the test's to send. */
static inline void
daemon_fork(void)
{
	struct ipc_start	start = { .room = kit.room, .boot = 1 };
	int			pair[2];

	assert_int_equal(ipc_pair(pair), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		kit_child(pair[1]);
	(void)close(pair[1]);
	master = pair[0];
	master_seq = 0;
	memset(&master_sync, 0, sizeof(master_sync));
	(void)snprintf(start.root, sizeof(start.root), "%s", empty_dir);
	if (geteuid() == 0) {		/* no room runs as root: here it is nobody */
		start.privileged = 1;
		start.uid = start.gid = NOBODY;
	}
	SEND(master, &master_seq, START, start, &start, -1);
}

/* It has its first generation: it logs to this descriptor, which is closed here, and is ready. */
static inline void
daemon_go(uint64_t generation, int log)
{
	struct ipc_log_socket	kind = { .kind = LOG_TO_STDERR };
	struct ipc_empty	empty = { 0 };
	struct rd		rd;

	SEND(master, &master_seq, LOG, log_socket, &kind, log);
	(void)close(log);
	SEND(master, &master_seq, GO, empty, &empty, -1);
	expect_ready(generation, E_OK, "");
	master_expect(IPC_READY, &rd);
}

static inline int
daemon_end(void)
{
	int	status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(master);
	return (status);
}

static inline void
daemon_stop(void)
{
	struct ipc_stop	stop = { .within_ms = 1000 };

	SEND(master, &master_seq, STOP, stop, &stop, -1);
	assert_int_equal(daemon_end(), 0);
}

static inline void
counters(uint64_t out[8])
{
	static uint64_t	seq;
	struct ipc_ping	ping = { .seq = ++seq };
	struct ipc_pong	pong;
	struct rd	rd;

	SEND(master, &master_seq, PING, ping, &ping, -1);
	master_expect(IPC_PONG, &rd);
	assert_int_equal(ipc_unpack_pong(&rd, &pong), E_OK);
	assert_int_equal(pong.seq, ping.seq);
	memcpy(out, pong.counter, sizeof(pong.counter));
}

/* R10: so many kB are locked at least, and no other process of its user may look at its memory. */
static inline void
expect_closed_memory(long least)
{
	char	path[64], line[256];
	long	locked = -1;
	FILE	*f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_non_null(f = fopen(path, "r"));
	while (fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "VmLck: %ld kB", &locked);
	fclose(f);
	assert_true(locked >= least);
	/* Of a process that is not dumpable the kernel gives its files to root. */
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if (geteuid() == 0) {
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_uid, 0);
	} else
		assert_int_equal(open(path, O_RDONLY), -1);
}

/* ---- a peer's side ---- */

struct peer {
	int		fd;
	uint32_t	seq, id;
	struct ipc_sync	sync;
};

static inline void
peer_open(struct peer *p, uint32_t instance)
{
	struct ipc_channel	c = { .room = ROOM_SMTPD, .instance = instance, .role = kit.peer_role };
	int			pair[2];

	memset(p, 0, sizeof(*p));
	assert_int_equal(ipc_pair(pair), 0);
	SEND(master, &master_seq, CHANNEL, channel, &c, pair[1]);
	(void)close(pair[1]);
	p->fd = pair[0];
}

/* The next message, which must be this one; else why there is none. */
static inline int
peer_receive(struct peer *p, enum ipc_type want, struct rd *rd)
{
	enum ipc_type	type;
	int		fd, err;

	if ((err = ipc_recv_sync(p->fd, &p->sync, kit.room, ROOM_SMTPD, &type, rd, &fd)) != E_OK)
		return (err);
	assert_string_equal(ipc_type_name(type), ipc_type_name(want));
	return (E_OK);
}

#endif
