/*
 * bed.h -- smtpd as a process, for tests: the test is its master, its queue, its resolver, its pickup and its client.
 *
 * A child runs what main() runs, but for the sandbox.  With SMTPD_BIN naming the program, that is run instead, sandbox and
 * all; as root it then becomes user 65534.  Sockets are on loopback with a port of the kernel's choice, and every step
 * waits for an event, with a time limit.
 */
#ifndef TESTS_SMTPD_BED_H
#define TESTS_SMTPD_BED_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

#define WAIT_S		20	/* longest wait for one event; only a failure takes it */
#define PER_ADDRESS	60
#define TEST(f)		cmocka_unit_test_setup_teardown(f, setup, teardown)

enum { MX, LISTENERS_ALL = 4 };	/* listener 0 is plain and open; the others are the test's, see bed_tweak */

struct bed {
	pid_t		 pid;
	int		 master, queue, resolver, pickup;
	uint32_t	 resolver_seq;
	uint32_t	 master_seq, queue_seq, pickup_seq;
	uint64_t	 generation;
	struct ipc_sync	*in;		/* from smtpd to queue */
	struct sockaddr_in addr;	/* of mx */
};

static unsigned	bed_few;		/* descriptors the child may have; 0 leaves it */
static void	(*bed_tweak)(struct conf *, struct conf_listener *);	/* the configuration, before it is packed */

static inline void
set_wait(int fd)
{
	struct timeval	tv = { .tv_sec = WAIT_S };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
}

static inline void
pair(int fds[2])
{
	int	size = 1 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	set_wait(fds[0]);
}

#define TELL(b, NAME, name, m, fd) do { \
	static uint8_t	buf_[4096]; \
	struct wr	w_; \
	wr_init(&w_, buf_, sizeof(buf_)); \
	ipc_pack_##name(&w_, (m)); \
	assert_int_equal(w_.err, E_OK); \
	assert_int_equal(ipc_send_sync((b)->master, &(b)->master_seq, IPC_##NAME, buf_, w_.len, (fd)), E_OK); \
} while (0)

#define QUEUE_SAYS(b, NAME, name, m) do { \
	static uint8_t	buf_[4096]; \
	struct wr	w_; \
	wr_init(&w_, buf_, sizeof(buf_)); \
	ipc_pack_##name(&w_, (m)); \
	assert_int_equal(ipc_send_sync((b)->queue, &(b)->queue_seq, IPC_##NAME, buf_, w_.len, -1), E_OK); \
} while (0)

static inline void
child(int fd)
{
	struct rlimit		rl = { bed_few, bed_few };
	static struct smtpd	d;
	static struct room	room;
	char			name[] = "postern-smtpd", *argv[] = { name, NULL };

	alarm(120);		/* should the test die */
	if (fd != ROOM_CHANNEL_FD && dup2(fd, ROOM_CHANNEL_FD) == -1)
		_exit(9);
	if (bed_few != 0 && setrlimit(RLIMIT_NOFILE, &rl) == -1)
		_exit(7);
	if (getenv("SMTPD_BIN") != NULL) {
		execl(getenv("SMTPD_BIN"), name, (char *)NULL);
		_exit(8);
	}
	log_open("smtpd");
	room_open(&room, ROOM_SMTPD, 1, argv, &smtpd_room_ops, &d);
	smtpd_init(&d, &room);
	room_run(&room);
	exit(0);
}

static inline void
new_queue(struct bed *b)
{
	struct ipc_channel	m = { .room = ROOM_QUEUE };
	struct ipc_pressure	p = { PRESSURE_NONE };
	int			fds[2];

	pair(fds);
	if (b->queue != -1)
		close(b->queue);
	b->queue = fds[0];
	b->queue_seq = 0;
	memset(b->in, 0, sizeof(*b->in));
	b->in->passed = -1;
	TELL(b, CHANNEL, channel, &m, fds[1]);
	close(fds[1]);
	QUEUE_SAYS(b, PRESSURE, pressure, &p);
}

static inline void
new_resolver(struct bed *b)
{
	struct ipc_channel	m = { .room = ROOM_RESOLVER };
	int			fds[2];

	pair(fds);
	b->resolver = fds[0];
	TELL(b, CHANNEL, channel, &m, fds[1]);
	close(fds[1]);
}

/* A listening socket on loopback. */
static inline int
new_socket(struct sockaddr_in *addr)
{
	socklen_t	len = sizeof(*addr);
	int		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	addr->sin_family = AF_INET;
	addr->sin_port = 0;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	return (fd);
}

static inline int
make_conf(void)
{
	static struct conf_listener	l[LISTENERS_ALL];
	static struct conf_domain	dom = { .name = "all.example", .all = 1, .catch_all = "",
					    .deliver = { .kind = HOP_MAILDIR, .host = "", .path = "/m/%u", .login = "" } };
	static struct conf		c;
	static uint32_t			retry = 60;
	struct slice			packed;
	int				fd, i;

	for (i = 0; i < LISTENERS_ALL; i++) {
		l[i] = (struct conf_listener){ .name = i == MX ? "mx" : "?", .path = "", .connections = 100,
		    .per_address = PER_ADDRESS, .per_prefix = 80, .port = (uint16_t)(25 + i) };
		assert_int_equal(net_addr_parse(&l[i].addr, SLICE_LIT("127.0.0.1")), E_OK);
	}
	c = (struct conf){ .hostname = "mx.example.org", .directory = "/var/lib/postern",
	    .runtime = "/run/postern", .user_prefix = "", .log = LOG_TO_STDERR, .postmaster = "",
	    .recipient_delimiter = "", .message_size_limit = 1000000, .nlisteners = 1, .listeners = l, .ndomains = 1,
	    .domains = &dom };
	c.smtpd.processes = 1;
	c.smtpd.client_names = 1;
	c.smtpd.command_timeout = c.smtpd.data_timeout = 300;
	c.smtpd.errors_max = c.smtpd.commands_max = 100000;
	c.smtpd.min_rate = 100;
	c.smtpd.rcpt_max = RCPT_MAX;
	c.smtpd.header_size_max = 1u << 20;
	c.smtpd.header_count_max = 2000;
	c.queue.nretry = 1;
	c.queue.retry = &retry;
	c.queue.lifetime = c.queue.bounce_lifetime = 3600;
	c.queue.store_max = 1ull << 30;
	c.queue.verify_positive = c.queue.verify_negative = 3600;
	c.queue.reserve = 1u << 20;
	c.deliver.processes = c.deliver.concurrency = c.deliver.connections = 1;
	c.deliver.timeouts = (struct conf_timeouts){ 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	c.deliver.bind4 = c.deliver.bind6 = "";
	c.deliver.port = 25;
	c.resolver.trust_anchor = "";
	c.auth.passwd_path = c.auth.dovecot_path = c.auth.pam_service = "";
	c.auth.workers = c.auth.failures_max = c.auth.failure_window = c.smtpd.submission_processes = 1;
	c.resolver.timeout = 20;
	if (bed_tweak != NULL)
		bed_tweak(&c, l);
	assert_int_equal(conf_pack(&c, &packed), E_OK);
	fd = conf_to_memfd(packed);
	assert_true(fd >= 0);
	free((void *)(uintptr_t)packed.p);
	return (fd);
}

/* A snapshot, and the word to use it. */
static inline void
send_conf(struct bed *b)
{
	struct ipc_conf_blob	 blob = { ++b->generation };
	struct ipc_conf_use	 use = { b->generation };
	int			 fd = make_conf();

	TELL(b, CONF, conf_blob, &blob, fd);
	close(fd);
	TELL(b, CONF_USE, conf_use, &use, -1);
}

static inline void
send_listener(struct bed *b, unsigned i, const char *name, int fd)
{
	struct ipc_listener	m = { .index = (uint16_t)i };

	snprintf(m.name, sizeof(m.name), "%s", name);
	TELL(b, LISTENER, listener, &m, fd);
	close(fd);
}

static inline int
setup(void **state)
{
	struct bed		*b = calloc(1, sizeof(*b));
	static struct ipc_start	 start = { .room = ROOM_SMTPD };
	int			 fds[2];

	assert_non_null(b);
	assert_non_null(b->in = calloc(1, sizeof(*b->in)));
	b->queue = b->pickup = -1;
	pair(fds);
	b->master = fds[0];
	if ((b->pid = fork()) == 0) {
		close(fds[0]);
		child(fds[1]);
	}
	close(fds[1]);
	snprintf(start.root, sizeof(start.root), "/");
	if (getenv("SMTPD_BIN") != NULL && getuid() == 0) {
		start.privileged = 1;
		start.uid = start.gid = 65534;
	}
	TELL(b, START, start, &start, -1);
	send_conf(b);
	send_listener(b, MX, "mx", new_socket(&b->addr));
	new_queue(b);
	new_resolver(b);
	assert_int_equal(ipc_send_sync(b->master, &b->master_seq, IPC_GO, "", 0, -1), E_OK);
	*state = b;
	return (0);
}

static inline int
teardown(void **state)
{
	struct bed	*b = *state;
	int		 st;

	close(b->master);		/* end of file is a stop, F2 */
	assert_int_equal(waitpid(b->pid, &st, 0), b->pid);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	close(b->queue);
	close(b->resolver);
	if (b->pickup != -1)
		close(b->pickup);
	free(b->in);
	free(b);
	return (0);
}

/* ---- the client ---- */

static inline int
dial_to(const struct sockaddr_in *addr)
{
	int	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	set_wait(fd);
	assert_int_equal(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	return (fd);
}

static inline int
dial(const struct bed *b)
{
	return (dial_to(&b->addr));
}

static inline void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads exactly one reply line and wants it to start so. */
static inline void
hear(int fd, const char *start)
{
	char	line[1024];
	size_t	n = 0;

	while (n < sizeof(line) - 1 && (n == 0 || line[n - 1] != '\n')) {
		if (recv(fd, line + n, 1, 0) != 1)
			fail_msg("wanted \"%s\", got an end or nothing (%s)", start,
			    strerror(errno));
		n++;
	}
	line[n] = '\0';
	if (strncmp(line, start, strlen(start)) != 0)
		fail_msg("wanted \"%s\", got \"%s\"", start, line);
}

static inline void
hear_end(int fd)
{
	char	c;

	assert_int_equal(recv(fd, &c, 1, 0), 0);
}

/* A whole reply of any number of lines with this code; its last line into last. */
static inline void
hear_reply(int fd, const char *code, char last[1024])
{
	size_t	n;

	do {
		for (n = 0; n < 1023 && (n == 0 || last[n - 1] != '\n'); n++)
			if (recv(fd, last + n, 1, 0) != 1)
				fail_msg("wanted %s, got an end or nothing (%s)", code, strerror(errno));
		last[n] = '\0';
		if (strncmp(last, code, 3) != 0)
			fail_msg("wanted %s, got \"%s\"", code, last);
	} while (last[3] == '-');
}

static inline void
hear_all(int fd, const char *code)
{
	char	last[1024];

	hear_reply(fd, code, last);
}

/* What EHLO lists is for other tests. */
static inline void
hear_ehlo(int fd)
{
	char	last[1024];

	hear_reply(fd, "250", last);
	assert_string_equal(last, "250 HELP\r\n");
}

static inline int
greeted(const struct bed *b)
{
	int	fd = dial(b);

	hear(fd, "220 mx.example.org");
	say(fd, "EHLO client.example\r\n");
	hear_ehlo(fd);
	return (fd);
}

static inline void
envelope(int fd)
{
	say(fd, "MAIL FROM:<s@client.example>\r\nRCPT TO:<r@all.example>\r\nDATA\r\n");
	hear(fd, "250 2.1.0");
	hear(fd, "250 2.1.5");
	hear(fd, "354 ");
}

/* ---- queue ---- */

struct seen {
	uint32_t	txn;
	unsigned	begins, rcpts, chunks, commits, aborts;
	uint64_t	octets;
	uint64_t	body_len;
	char		sender[ADDRESS_MAX + 1], rcpt[ADDRESS_MAX + 1];
	struct ipc_txn_begin begin;	/* the last one */
};

static inline int
on_frame(void *arg, enum ipc_type type, struct rd *r)
{
	static struct ipc_txn_rcpt	rcpt;
	struct ipc_txn_chunk		chunk;
	struct ipc_txn_commit		commit;
	struct ipc_txn_abort		ab;
	struct seen			*s = arg;

	switch (type) {
	case IPC_TXN_BEGIN:
		assert_int_equal(ipc_unpack_txn_begin(r, &s->begin), E_OK);
		s->begins++;
		s->txn = s->begin.txn;
		memcpy(s->sender, s->begin.sender, sizeof(s->sender));
		break;
	case IPC_TXN_RCPT:
		assert_int_equal(ipc_unpack_txn_rcpt(r, &rcpt), E_OK);
		assert_int_equal(rcpt.txn, s->txn);
		s->rcpts++;
		memcpy(s->rcpt, rcpt.address, sizeof(s->rcpt));
		break;
	case IPC_TXN_CHUNK:
		assert_int_equal(ipc_unpack_txn_chunk(r, &chunk), E_OK);
		assert_int_equal(chunk.txn, s->txn);
		s->chunks++;
		s->octets += chunk.data.n;
		break;
	case IPC_TXN_COMMIT:
		assert_int_equal(ipc_unpack_txn_commit(r, &commit), E_OK);
		assert_int_equal(commit.txn, s->txn);
		s->commits++;
		s->body_len = commit.body_len;
		break;
	case IPC_TXN_ABORT:
		assert_int_equal(ipc_unpack_txn_abort(r, &ab), E_OK);
		assert_int_equal(ab.txn, s->txn);
		s->aborts++;
		break;
	default:
		fail_msg("unexpected %s", ipc_type_name(type));
	}
	return (E_OK);
}

/* One datagram, frame by frame.  The number of frames is s's counts. */
static inline void
queue_hears(struct bed *b, struct seen *s)
{
	static uint8_t	dg[IPC_DATAGRAM_MAX];
	ssize_t		n = recv(b->queue, dg, sizeof(dg), 0);

	assert_true(n > 0);
	assert_int_equal(ipc_split(dg, (size_t)n, ROOM_SMTPD, ROOM_QUEUE, 0, &b->in->seq, on_frame,
	    s), E_OK);
}

static inline void
result(struct bed *b, uint32_t txn, enum txn_status st, uint64_t msgid)
{
	struct ipc_txn_result	m = { .txn = txn, .status = (uint8_t)st, .msgid = msgid };

	QUEUE_SAYS(b, TXN_RESULT, txn_result, &m);
}

#endif
