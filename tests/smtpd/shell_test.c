/*
 * shell_test.c -- smtpd as a process: the test is its master, its queue and its client.
 *
 * A child runs what main() runs, but for the sandbox.  With SMTPD_BIN naming the
 * program, that is run instead, sandbox and all; as root it then becomes user 65534.
 * Sockets are on loopback with a port of the kernel's choice, and every step waits for
 * an event, with a time limit.
 */
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
#include <ifaddrs.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

#define WAIT_S		20	/* longest wait for one event; only a failure takes it */
#define PER_ADDRESS	60

struct bed {
	pid_t		 pid;
	int		 master, queue, resolver;
	uint32_t	 resolver_seq;
	uint32_t	 master_seq, queue_seq;
	struct ipc_sync	*in;		/* from smtpd to queue */
	struct sockaddr_in addr;
};

static void
set_wait(int fd)
{
	struct timeval	tv = { .tv_sec = WAIT_S };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
}

static void
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

static unsigned	few;		/* descriptors the child may have; 0 leaves it */

static void
child(int fd)
{
	struct rlimit		rl = { few, few };
	static struct smtpd	d;
	static struct room	room;
	char			name[] = "postern-smtpd", *argv[] = { name, NULL };

	alarm(120);		/* should the test die */
	if (fd != ROOM_CHANNEL_FD && dup2(fd, ROOM_CHANNEL_FD) == -1)
		_exit(9);
	if (few != 0 && setrlimit(RLIMIT_NOFILE, &rl) == -1)
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

static void
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

static void
new_resolver(struct bed *b)
{
	struct ipc_channel	m = { .room = ROOM_RESOLVER };
	int			fds[2];

	pair(fds);
	b->resolver = fds[0];
	TELL(b, CHANNEL, channel, &m, fds[1]);
	close(fds[1]);
}

static int
new_listener(struct bed *b)
{
	socklen_t	len = sizeof(b->addr);
	int		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	b->addr.sin_family = AF_INET;
	b->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&b->addr, sizeof(b->addr)), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&b->addr, &len), 0);
	return (fd);
}

static int
make_conf(void)
{
	static struct conf_listener	l = { .name = "mx", .path = "", .connections = 100, .per_address = PER_ADDRESS,
					    .per_prefix = 80, .port = 25 };
	static struct conf_domain	dom = { .name = "all.example", .all = 1, .catch_all = "",
					    .deliver = { .kind = HOP_MAILDIR, .host = "", .path = "/m/%u" } };
	static struct conf		c;
	static uint32_t			retry = 60;
	struct slice			packed;
	int				fd;

	assert_int_equal(net_addr_parse(&l.addr, SLICE_LIT("127.0.0.1")), E_OK);
	c = (struct conf){ .hostname = "mx.example.org", .directory = "/var/lib/postern",
	    .runtime = "/run/postern", .user_prefix = "", .log = LOG_TO_STDERR, .postmaster = "",
	    .recipient_delimiter = "", .message_size_limit = 1000000, .nlisteners = 1, .listeners = &l, .ndomains = 1,
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
	c.resolver.timeout = 20;
	assert_int_equal(conf_pack(&c, &packed), E_OK);
	fd = conf_to_memfd(packed);
	assert_true(fd >= 0);
	free((void *)(uintptr_t)packed.p);
	return (fd);
}

static int
setup(void **state)
{
	struct bed		*b = calloc(1, sizeof(*b));
	static struct ipc_start	 start = { .room = ROOM_SMTPD };
	struct ipc_conf_blob	 blob = { 1 };
	struct ipc_conf_use	 use = { 1 };
	struct ipc_listener	 lm = { .index = 0, .name = "mx" };
	int			 fds[2], fd;

	assert_non_null(b);
	assert_non_null(b->in = calloc(1, sizeof(*b->in)));
	b->queue = -1;
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
	fd = make_conf();
	TELL(b, CONF, conf_blob, &blob, fd);
	close(fd);
	TELL(b, CONF_USE, conf_use, &use, -1);
	fd = new_listener(b);
	TELL(b, LISTENER, listener, &lm, fd);
	close(fd);
	new_queue(b);
	new_resolver(b);
	assert_int_equal(ipc_send_sync(b->master, &b->master_seq, IPC_GO, "", 0, -1), E_OK);
	*state = b;
	return (0);
}

static int
teardown(void **state)
{
	struct bed	*b = *state;
	int		 st;

	close(b->master);		/* end of file is a stop, F2 */
	assert_int_equal(waitpid(b->pid, &st, 0), b->pid);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	close(b->queue);
	close(b->resolver);
	free(b->in);
	free(b);
	return (0);
}

/* ---- the client ---- */

static int
dial(const struct bed *b)
{
	int	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	set_wait(fd);
	assert_int_equal(connect(fd, (const struct sockaddr *)&b->addr, sizeof(b->addr)), 0);
	return (fd);
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads exactly one reply line and wants it to start so. */
static void
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

static void
hear_end(int fd)
{
	char	c;

	assert_int_equal(recv(fd, &c, 1, 0), 0);
}

static void
hear_ehlo(int fd)
{
	int	i;

	for (i = 0; i < 7; i++)
		hear(fd, "250-");
	hear(fd, "250 HELP");
}

static int
greeted(const struct bed *b)
{
	int	fd = dial(b);

	hear(fd, "220 mx.example.org");
	say(fd, "EHLO client.example\r\n");
	hear_ehlo(fd);
	return (fd);
}

static void
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
	char		sender[ADDRESS_MAX + 1], rcpt[ADDRESS_MAX + 1], name[DOMAIN_MAX + 1];
};

static int
on_frame(void *arg, enum ipc_type type, struct rd *r)
{
	static struct ipc_txn_begin	begin;
	static struct ipc_txn_rcpt	rcpt;
	struct ipc_txn_chunk		chunk;
	struct ipc_txn_commit		commit;
	struct ipc_txn_abort		ab;
	struct seen			*s = arg;

	switch (type) {
	case IPC_TXN_BEGIN:
		assert_int_equal(ipc_unpack_txn_begin(r, &begin), E_OK);
		s->begins++;
		s->txn = begin.txn;
		memcpy(s->sender, begin.sender, sizeof(s->sender));
		memcpy(s->name, begin.name, sizeof(s->name));
		assert_string_equal(begin.helo, "client.example");
		assert_string_equal(begin.listener, "mx");
		assert_int_equal(begin.protocol, PROTO_ESMTP);
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
static void
queue_hears(struct bed *b, struct seen *s)
{
	static uint8_t	dg[IPC_DATAGRAM_MAX];
	ssize_t		n = recv(b->queue, dg, sizeof(dg), 0);

	assert_true(n > 0);
	assert_int_equal(ipc_split(dg, (size_t)n, ROOM_SMTPD, ROOM_QUEUE, 0, &b->in->seq, on_frame,
	    s), E_OK);
}

static void
result(struct bed *b, uint32_t txn, enum txn_status st, uint64_t msgid)
{
	struct ipc_txn_result	m = { .txn = txn, .status = (uint8_t)st, .msgid = msgid };

	QUEUE_SAYS(b, TXN_RESULT, txn_result, &m);
}

/* ---- tests ---- */

static void
small_message_is_one_datagram(void **state)
{
	struct bed	*b = *state;
	struct seen	 s = { 0 };
	int		 fd = greeted(b);

	envelope(fd);
	say(fd, "Subject: x\r\n\r\n..dot\r\n.\r\n");
	queue_hears(b, &s);
	assert_int_equal(s.begins, 1);
	assert_int_equal(s.rcpts, 1);
	assert_int_equal(s.chunks, 1);
	assert_int_equal(s.commits, 1);
	assert_int_equal(s.octets, 20);
	assert_int_equal(s.body_len, 20);
	assert_string_equal(s.sender, "s@client.example");
	assert_string_equal(s.rcpt, "r@all.example");
	result(b, s.txn, TXN_DURABLE, 33);
	hear(fd, "250 2.0.0 Ok: queued as 11\r\n");
	say(fd, "QUIT\r\n");
	hear(fd, "221 2.0.0");
	hear_end(fd);
	close(fd);
}

static void
large_message_by_credit(void **state)
{
	struct bed		*b = *state;
	struct seen		 s = { 0 };
	struct ipc_txn_credit	 cr = { .octets = 60000 };
	uint64_t		 given = TXN_WINDOW;
	char			 line[101];
	int			 fd = greeted(b), i;
	pid_t			 pid;

	memset(line, 'x', 98);
	memcpy(line + 98, "\r\n", 3);
	envelope(fd);
	if ((pid = fork()) == 0) {	/* the client writes while queue reads */
		for (i = 0; i < 6000; i++)
			if (send(fd, line, 100, MSG_NOSIGNAL) != 100)
				_exit(1);
		_exit(send(fd, ".\r\nNOOP\r\n", 9, MSG_NOSIGNAL) == 9 ? 0 : 1);
	}
	while (s.commits == 0) {
		queue_hears(b, &s);
		assert_true(s.octets <= given);
		if (s.octets + 30000 > given && s.commits == 0) {
			cr.txn = s.txn;
			QUEUE_SAYS(b, TXN_CREDIT, txn_credit, &cr);
			given += cr.octets;
		}
	}
	assert_int_equal(s.octets, 600000);
	assert_int_equal(s.body_len, 600000);
	assert_int_equal(waitpid(pid, &i, 0), pid);
	assert_int_equal(i, 0);
	result(b, s.txn, TXN_FULL, 0);
	hear(fd, "452 4.3.1");
	hear(fd, "250 2.0.0 ok");	/* the pipelined NOOP waited */
	close(fd);
}

static void
queue_goes_and_comes_back(void **state)
{
	struct bed	*b = *state;
	struct seen	 s = { 0 };
	int		 fd = greeted(b), other = greeted(b);

	envelope(fd);
	say(fd, "a\r\n.\r\n");
	queue_hears(b, &s);
	envelope(other);
	say(other, "half");
	queue_hears(b, &s);
	assert_int_equal(s.begins, 2);
	close(b->queue);
	b->queue = -1;
	hear(fd, "451 4.3.0");
	say(fd, "MAIL FROM:<s@client.example>\r\n");
	hear(fd, "451 4.3.0");
	say(other, "\r\n.\r\n");
	hear(other, "451 4.3.0");
	new_queue(b);
	/* The channel and its first word travel on two sockets: ask until both are there. */
	for (;;) {
		char	c[128];
		ssize_t	n;

		say(fd, "MAIL FROM:<s@client.example>\r\n");
		n = recv(fd, c, sizeof(c), 0);
		assert_true(n > 3);
		if (memcmp(c, "250", 3) == 0)
			break;
		assert_memory_equal(c, "451", 3);
	}
	say(fd, "RCPT TO:<r@all.example>\r\nDATA\r\n");
	hear(fd, "250 2.1.5");
	hear(fd, "354");
	memset(&s, 0, sizeof(s));
	say(fd, "a\r\n.\r\n");
	queue_hears(b, &s);
	assert_int_equal(s.commits, 1);
	result(b, s.txn, TXN_DURABLE, 1);
	hear(fd, "250 2.0.0 Ok: queued as 1\r\n");
	close(fd);
	close(other);
}

static void
client_leaves_in_mid_data(void **state)
{
	struct bed	*b = *state;
	struct seen	 s = { 0 };
	int		 fd = greeted(b);

	envelope(fd);
	say(fd, "some\r\n");
	queue_hears(b, &s);
	assert_int_equal(s.begins, 1);
	assert_int_equal(s.commits, 0);
	close(fd);
	queue_hears(b, &s);
	assert_int_equal(s.aborts, 1);
}

/* Its number stays taken until queue has answered: else a late answer or a count of queue's would
 * meet somebody else's message. */
static void
client_leaves_in_commit(void **state)
{
	struct bed	*b = *state;
	struct linger	 reset = { .l_onoff = 1 };
	struct seen	 s = { 0 };
	uint32_t	 first;
	int		 fd = greeted(b);

	envelope(fd);
	say(fd, "a\r\n.\r\n");
	queue_hears(b, &s);
	assert_int_equal(s.commits, 1);
	first = s.txn;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(fd);
	fd = greeted(b);		/* the loop has seen the end of the other by now, or will not care */
	say(fd, "NOOP\r\n");
	hear(fd, "250");
	envelope(fd);
	say(fd, "b\r\n.\r\n");
	queue_hears(b, &s);
	assert_int_equal(s.commits, 2);
	assert_int_equal(s.aborts, 0);	/* too late to take the first one back */
	assert_int_not_equal(s.txn & (SLOTS_MAX - 1), first & (SLOTS_MAX - 1));
	result(b, first, TXN_DURABLE, 1);
	result(b, s.txn, TXN_DURABLE, 2);
	hear(fd, "250 2.0.0 Ok: queued as 2\r\n");
	close(fd);
}

static int
count_frame(void *arg, enum ipc_type type, struct rd *r)
{
	struct ipc_txn_commit	 commit;
	struct seen		*s = arg;

	s->begins += type == IPC_TXN_BEGIN;
	if (type == IPC_TXN_COMMIT) {
		s->commits++;
		assert_int_equal(ipc_unpack_txn_commit(r, &commit), E_OK);
		s->txn = commit.txn;
		s->body_len = commit.body_len;
	}
	return (E_OK);
}

/* Queue does not read for a while: a client that had to wait before its first octets went to
 * queue is not forgotten when it reads again. */
static void
queue_slow_and_back(void **state)
{
	static uint8_t	 dg[IPC_DATAGRAM_MAX];
	static char	 big[128001];
	struct bed	*b = *state;
	struct seen	 s = { 0 };
	ssize_t		 n;
	size_t		 i;
	int		 fd;

	for (i = 0; i < sizeof(big) - 1; i++)
		big[i] = i % 100 == 98 ? '\r' : i % 100 == 99 ? '\n' : 'x';
	for (i = 0; i < 45; i++) {	/* more than the socket and half the channel's queue hold */
		fd = greeted(b);
		envelope(fd);
		say(fd, big);
		say(fd, ".\r\n");
		close(fd);
	}
	fd = greeted(b);
	envelope(fd);
	say(fd, "last\r\n.\r\n");
	while (s.body_len != strlen("last\r\n")) {
		if ((n = recv(b->queue, dg, sizeof(dg), 0)) <= 0)
			fail_msg("%u begun, %u committed, then nothing", s.begins, s.commits);
		assert_int_equal(ipc_split(dg, (size_t)n, ROOM_SMTPD, ROOM_QUEUE, 0, &b->in->seq,
		    count_frame, &s), E_OK);
	}
	result(b, s.txn, TXN_DURABLE, 3);
	hear(fd, "250 2.0.0 Ok: queued as 3\r\n");
	close(fd);
}

static void
refusal_is_heard_with_octets_unread(void **state)
{
	struct bed	*b = *state;
	char		 junk[4096];
	int		 fd = greeted(b), i;

	envelope(fd);
	say(fd, "a\nb\r\n");
	memset(junk, 'j', sizeof(junk));
	for (i = 0; i < 16; i++)
		if (send(fd, junk, sizeof(junk), MSG_NOSIGNAL) == -1)
			break;
	hear(fd, "554 5.6.11 bare LF");
	hear_end(fd);
	close(fd);
}

static void
share_of_one_address(void **state)
{
	struct bed	*b = *state;
	int		 fd[PER_ADDRESS], extra, i;

	for (i = 0; i < PER_ADDRESS; i++) {
		fd[i] = dial(b);
		hear(fd[i], "220");
	}
	extra = dial(b);
	hear(extra, "421 4.7.0 mx.example.org too many connections from your address");
	hear_end(extra);
	close(extra);
	say(fd[0], "QUIT\r\n");
	hear(fd[0], "221");
	hear_end(fd[0]);
	close(fd[0]);
	fd[0] = dial(b);		/* its place is free before our end of file is written */
	hear(fd[0], "220");
	for (i = 0; i < PER_ADDRESS; i++)
		close(fd[i]);
}

static void
client_that_does_not_read(void **state)
{
	enum { GROUPS = 15, PER_GROUP = 50 };
	struct bed	*b = *state;
	char		 group[PER_GROUP * 6 + 1];
	int		 fd = greeted(b), small = 16384, i, st;
	pid_t		 pid;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (i = 0; i < PER_GROUP; i++)
		memcpy(group + i * 6, "HELP\r\n", 7);
	if ((pid = fork()) == 0) {
		for (i = 0; i < GROUPS; i++)
			if (send(fd, group, PER_GROUP * 6, MSG_NOSIGNAL) != PER_GROUP * 6)
				_exit(1);
		_exit(0);
	}
	/* Once the writer is stuck or done, the replies are read: all of them, in order. */
	for (i = 0; i < GROUPS * PER_GROUP; i++) {
		hear(fd, "214-");
		hear(fd, "214-");
		hear(fd, "214 ");
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	close(fd);
}

static int
setup_few(void **state)
{
	int	rc;

	few = 20;
	rc = setup(state);
	few = 0;
	return (rc);
}

static int
is_greeting(int fd)
{
	char	line[256];
	ssize_t	n = recv(fd, line, sizeof(line), 0);

	assert_true(n > 10);
	if (memcmp(line, "220 ", 4) == 0)
		return (1);
	assert_memory_equal(line, "421 4.3.2 ", 10);
	assert_non_null(memmem(line, (size_t)n, "no descriptor is free", 21));
	return (0);
}

static void
no_descriptor_is_free(void **state)
{
	struct bed	*b = *state;
	int		 fd[PER_ADDRESS], n, refused;

	for (n = 0; n < PER_ADDRESS; n++) {
		fd[n] = dial(b);
		if (!is_greeting(fd[n]))
			break;
	}
	assert_true(n > 0 && n < PER_ADDRESS);	/* the limit of descriptors came first */
	refused = fd[n];
	hear_end(refused);
	close(refused);
	fd[n] = dial(b);		/* waits in the backlog until one leaves */
	say(fd[0], "QUIT\r\n");
	hear(fd[0], "221");
	close(fd[0]);
	while (!is_greeting(fd[n])) {	/* the listener looks again each tick */
		close(fd[n]);
		fd[n] = dial(b);
	}
	for (; n > 0; n--)
		close(fd[n]);
}

/* A client whose address is not loopback; -1 if this machine has none. */
static int
dial_from_outside(const struct bed *b, struct net_addr *own)
{
	struct ifaddrs	*all, *i;
	uint16_t	 port;
	int		 fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = -1;

	assert_true(fd != -1);
	set_wait(fd);
	assert_int_equal(getifaddrs(&all), 0);
	for (i = all; i != NULL && rc == -1; i = i->ifa_next) {
		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET ||
		    net_addr_from_sockaddr(own, &port, i->ifa_addr) != E_OK ||
		    net_addr_is_loopback(own))
			continue;
		if (bind(fd, i->ifa_addr, sizeof(struct sockaddr_in)) == 0 &&
		    connect(fd, (const struct sockaddr *)&b->addr, sizeof(b->addr)) == 0)
			rc = fd;
	}
	freeifaddrs(all);
	if (rc == -1)
		close(fd);
	return (rc);
}

/* The next question; the answer is rec, or NXDOMAIN. */
static void
resolve(struct bed *b, struct ipc_sync *in, unsigned type, const char *name, struct dns_record *rec)
{
	static struct ipc_dns_query	q;
	struct ipc_dns_answer		m = { .type = (uint8_t)type, .status = DNS_NXDOMAIN };
	uint8_t				buf[4096];
	struct rd			r;
	struct wr			w;
	enum ipc_type			t;
	int				fd;

	assert_int_equal(ipc_recv_sync(b->resolver, in, ROOM_SMTPD, ROOM_RESOLVER, &t, &r, &fd),
	    E_OK);
	assert_int_equal(t, IPC_DNS_QUERY);
	assert_int_equal(ipc_unpack_dns_query(&r, &q), E_OK);
	assert_int_equal(q.type, type);
	assert_string_equal(q.name, name);
	assert_true(q.timeout_ms <= NAME_WAIT_MS);
	m.id = q.id;
	if (rec != NULL) {
		m.status = DNS_OK;
		m.nrec = 1;
		m.rec = rec;
	}
	wr_init(&w, buf, sizeof(buf));
	ipc_pack_dns_answer(&w, &m);
	assert_int_equal(ipc_send_sync(b->resolver, &b->resolver_seq, IPC_DNS_ANSWER, buf, w.len,
	    -1), E_OK);
}

static void
client_name_leads_back(void **state)
{
	static struct ipc_sync	 in;
	static struct dns_record ptr, addr;
	struct bed		*b = *state;
	struct seen		 s = { 0 };
	struct net_addr		 own;
	char			 ip[NET_ADDR_STRLEN];
	int			 fd = dial_from_outside(b, &own), round;

	if (fd == -1)
		skip();
	memset(&in, 0, sizeof(in));
	in.passed = -1;
	snprintf(ptr.ptr.host, sizeof(ptr.ptr.host), "Name.Example");
	addr.addr = own;
	for (round = 0; round < 3; round++) {
		if (fd == -1)
			fd = dial_from_outside(b, &own);
		hear(fd, "220");
		say(fd, "EHLO client.example\r\n");
		hear_ehlo(fd);
		say(fd, "MAIL FROM:<s@client.example>\r\nRCPT TO:<r@all.example>\r\nDATA\r\n");
		hear(fd, "250 2.1.0");
		hear(fd, "250 2.1.5");		/* and 354 once the name is known */
		if (round == 1)
			addr.addr.a[15] ^= 1;	/* leads elsewhere */
		resolve(b, &in, DNS_PTR, net_addr_str(&own, ip), round == 2 ? NULL : &ptr);
		if (round < 2)
			resolve(b, &in, DNS_ADDR, "name.example", &addr);
		hear(fd, "354");
		memset(&s, 0, sizeof(s));
		say(fd, "a\r\n.\r\n");
		queue_hears(b, &s);
		assert_int_equal(s.commits, 1);
		assert_string_equal(s.name, round == 0 ? "name.example" : "");
		result(b, s.txn, TXN_DURABLE, 7);
		hear(fd, "250");
		close(fd);
		fd = -1;
	}
}

static void
stop_between_messages(void **state)
{
	struct bed	*b = *state;
	struct ipc_stop	 m = { .within_ms = 10000 };
	struct seen	 s = { 0 };
	int		 idle = greeted(b), busy = greeted(b);

	envelope(busy);
	TELL(b, STOP, stop, &m, -1);
	hear(idle, "421 4.3.2");
	hear_end(idle);
	close(idle);
	say(busy, "a\r\n.\r\n");
	queue_hears(b, &s);
	assert_int_equal(s.commits, 1);
	result(b, s.txn, TXN_DURABLE, 2);
	hear(busy, "250 2.0.0 Ok: queued as 2\r\n");
	hear(busy, "421 4.3.2");
	hear_end(busy);
	close(busy);
}

int
main(void)
{
#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest	tests[] = {
		TEST(small_message_is_one_datagram),
		TEST(large_message_by_credit),
		TEST(queue_goes_and_comes_back),
		TEST(client_leaves_in_mid_data),
		TEST(client_leaves_in_commit),
		TEST(queue_slow_and_back),
		TEST(refusal_is_heard_with_octets_unread),
		TEST(share_of_one_address),
		TEST(client_that_does_not_read),
		TEST(stop_between_messages),
		TEST(client_name_leads_back),
		cmocka_unit_test_setup_teardown(no_descriptor_is_free, setup_few, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
