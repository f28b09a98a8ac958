/*
 * process_test.c -- the whole daemon in a child, with its real sandbox, a name server in a thread of
 * ours, and this test as master and as two peers: UDP, TCP, reload, bad peers, orderly ends.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/conf_number.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/room.h"
#include "resolver/packet.h"
#include "resolver/sandbox.h"
#include "resolver/serve.h"
#include "resolver/ub.h"

/* ---- a name server: "big" is answered truncated by UDP, whole by TCP; "cut" never whole ---- */

static int	udp, tcp, quit[2];
static unsigned	port;

static size_t
reply(uint8_t *p, size_t n, int by_tcp)
{
	static const uint8_t	a[16] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1 };
	size_t			end = 12, records = p[13] == 'b' ? 100 : 1, i;

	while (end < n && p[end] != 0)
		end += 1 + (size_t)p[end];
	end += 5;
	if (end > n)
		return (0);
	p[2] = 0x84 | (p[2] & 1);
	p[3] = 0;
	memset(p + 6, 0, 6);
	if (records > 1 && !by_tcp) {
		p[2] |= 2;
		return (end);
	}
	if (p[end - 3] != RR_A)
		return (end);
	for (i = 0; i < records; i++) {
		memcpy(p + end, a, sizeof(a));
		p[end + 15] = (uint8_t)i;
		end += sizeof(a);
	}
	p[7] = (uint8_t)records;
	return (end);
}

static void
serve_tcp(int fd)
{
	static uint8_t	p[4096];
	size_t		n;
	ssize_t		k = recv(fd, p, 2, MSG_WAITALL);

	if (k == 2 && (k = recv(fd, p + 2, (size_t)p[0] << 8 | p[1], MSG_WAITALL)) > 17 &&
	    (n = reply(p + 2, (size_t)k, 1)) != 0) {
		p[0] = (uint8_t)(n >> 8);
		p[1] = (uint8_t)n;
		(void)send(fd, p, n + 2, MSG_NOSIGNAL);
	}
	(void)close(fd);
}

static void *
name_server(void *arg)
{
	static uint8_t		p[4096];
	struct sockaddr_in	from;
	socklen_t		len;
	struct pollfd		w[3] = { { udp, POLLIN, 0 }, { tcp, POLLIN, 0 }, { quit[0], POLLIN, 0 } };
	ssize_t			n;
	size_t			m;

	while (poll(w, 3, -1) > 0 && w[2].revents == 0) {
		if (w[0].revents != 0) {
			len = sizeof(from);
			n = recvfrom(udp, p, sizeof(p), 0, (struct sockaddr *)&from, &len);
			if (n > 17 && (m = reply(p, (size_t)n, 0)) != 0)
				(void)sendto(udp, p, m, 0, (struct sockaddr *)&from, len);
		}
		if (w[1].revents != 0 && (n = accept(tcp, NULL, NULL)) != -1)
			serve_tcp((int)n);
	}
	return (NULL);
}

/* ---- master's side ---- */

static int		master;
static uint32_t		master_seq;
static struct ipc_sync	master_sync;
static pid_t		pid;
static char		empty_dir[] = "/tmp/postern-resolver-XXXXXX";

#define NOBODY		65534

#define SEND(fd, seq, NAME, name, m, passfd) do { \
	uint8_t		room_[IPC_PAYLOAD_MAX]; \
	struct wr	w_; \
	wr_init(&w_, room_, sizeof(room_)); \
	ipc_pack_##name(&w_, (m)); \
	assert_int_equal(w_.err, E_OK); \
	assert_int_equal(ipc_send_sync((fd), (seq), IPC_##NAME, room_, w_.len, (passfd)), E_OK); \
} while (0)

static void
master_expect(enum ipc_type want, struct rd *rd)
{
	enum ipc_type	type;
	int		fd;

	assert_int_equal(ipc_recv_sync(master, &master_sync, ROOM_RESOLVER, ROOM_MASTER, &type, rd, &fd), E_OK);
	assert_string_equal(ipc_type_name(type), ipc_type_name(want));
}

static void
send_conf(uint32_t timeout)
{
	static char		at[32];
	static const char	*zone = "test", *server = at;
	struct conf		c;
	struct slice		packed;
	struct ipc_conf_blob	b = { .generation = timeout };
	struct ipc_conf_use	u = { .generation = timeout };
	size_t			i;
	uint32_t		retry = 60;
	int			fd;

	(void)snprintf(at, sizeof(at), "127.0.0.1@%u", port);
	memset(&c, 0, sizeof(c));
	arena_init(&c.mem, 1 << 20);
	c.hostname = "mx.test";
	c.directory = "/tmp";
	c.runtime = "/run/postern";
	c.user_prefix = c.postmaster = c.recipient_delimiter = c.deliver.bind4 = c.deliver.bind6 = "";
	c.log = LOG_TO_STDERR;
	c.message_size_limit = 1 << 20;
	for (i = 0; i < conf_nnumbers; i++)
		conf_number_set(&c, &conf_numbers[i], conf_numbers[i].def);
	c.queue.nretry = 1;
	c.queue.retry = &retry;
	c.resolver.nstub = 1;
	c.resolver.stub_zone = &zone;
	c.resolver.stub_server = &server;
	c.resolver.trust_anchor = "";
	c.auth.passwd_path = c.auth.dovecot_path = c.auth.pam_service = "";
	c.resolver.timeout = timeout;
	assert_int_equal(conf_pack(&c, &packed), E_OK);
	fd = conf_to_memfd(packed);
	assert_true(fd >= 0);
	SEND(master, &master_seq, CONF, conf_blob, &b, fd);
	SEND(master, &master_seq, CONF_USE, conf_use, &u, -1);
	(void)close(fd);
	free((void *)(uintptr_t)packed.p);
}

/* main() of the daemon, in a child: its descriptor 3 is our channel. */
static void
daemon_start(void)
{
	int			pair[2], log;
	char			*argv[] = { (char *)(uintptr_t)"postern-resolver", NULL };
	struct ipc_start	start = { .room = ROOM_RESOLVER, .boot = 1 };
	struct ipc_log_socket	kind = { .kind = LOG_TO_STDERR };
	struct ipc_empty	empty = { 0 };
	struct rd		rd;

	assert_int_equal(ipc_pair(pair), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		static struct room		room;
		static struct sandbox_run	run;

		if (dup2(pair[1], ROOM_CHANNEL_FD) == -1)
			_exit(10);
		for (log = ROOM_CHANNEL_FD + 1; log < 64; log++)
			(void)close(log);
		log_open("resolver");
		room_open(&room, ROOM_RESOLVER, 1, argv, &resolver_ops, NULL);
		serve_open(&room, &run.nofile);
		ub_ports(room.conf, &run);
		room_sandbox(&room, &resolver_sandbox, &run);
		room_run(&room);
		_exit(0);
	}
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
	send_conf(5);
	log = open("/dev/null", O_WRONLY | O_CLOEXEC);
	SEND(master, &master_seq, LOG, log_socket, &kind, log);
	(void)close(log);
	SEND(master, &master_seq, GO, empty, &empty, -1);
	master_expect(IPC_CONF_READY, &rd);
	master_expect(IPC_READY, &rd);
}

static int
daemon_end(void)
{
	int	status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(master);
	return (status);
}

/* ---- a peer's side ---- */

struct peer {
	int		fd;
	uint32_t	seq, id;
	struct ipc_sync	sync;
};

static void
peer_open(struct peer *p, uint32_t instance)
{
	struct ipc_channel	c = { .room = ROOM_SMTPD, .instance = instance };
	int			pair[2];

	memset(p, 0, sizeof(*p));
	assert_int_equal(ipc_pair(pair), 0);
	SEND(master, &master_seq, CHANNEL, channel, &c, pair[1]);
	(void)close(pair[1]);
	p->fd = pair[0];
}

static int
peer_receive(struct peer *p, struct ipc_dns_answer *m)
{
	static struct dns_record	rec[DNS_RECORDS_MAX];
	enum ipc_type			type;
	struct rd			rd;
	int				fd, err;

	err = ipc_recv_sync(p->fd, &p->sync, ROOM_RESOLVER, ROOM_SMTPD, &type, &rd, &fd);
	if (err != E_OK)
		return (err);
	assert_int_equal(type, IPC_DNS_ANSWER);
	m->rec = rec;
	return (ipc_unpack_dns_answer(&rd, m));
}

static void
peer_ask(struct peer *p, uint8_t type, const char *name)
{
	struct ipc_dns_query	q = { .id = ++p->id, .type = type, .timeout_ms = 4000 };

	(void)snprintf(q.name, sizeof(q.name), "%s", name);
	SEND(p->fd, &p->seq, DNS_QUERY, dns_query, &q, -1);
}

/* ---- tests ---- */

static void
answers(void **state)
{
	struct peer		p, other;
	struct ipc_dns_answer	m;
	struct rd		rd;
	struct ipc_ping		ping = { .seq = 9 };
	struct ipc_pong		pong;
	struct ipc_stop		stop = { .within_ms = 1000 };

	daemon_start();
	peer_open(&p, 1);
	peer_open(&other, 2);

	peer_ask(&p, DNS_ADDR, "host.test");
	assert_int_equal(peer_receive(&p, &m), E_OK);
	assert_int_equal(m.id, 1);
	assert_int_equal(m.status, DNS_OK);
	assert_int_equal(m.nrec, 1);

	/* Truncated by UDP: asked again by TCP, on a port the sandbox was told of. */
	peer_ask(&p, DNS_ADDR, "big.test");
	assert_int_equal(peer_receive(&p, &m), E_OK);
	assert_int_equal(m.status, DNS_OK);
	assert_int_equal(m.nrec, DNS_ADDRS_FAMILY_MAX);

	/* A reload of what may change without a new process. */
	send_conf(7);
	master_expect(IPC_CONF_READY, &rd);
	peer_ask(&other, DNS_MX, "host.test");
	assert_int_equal(peer_receive(&other, &m), E_OK);
	assert_int_equal(m.status, DNS_NODATA);

	/* A peer that breaks the table loses its channel, and master hears of it; the others keep theirs. */
	assert_int_equal(send(other.fd, "garbage", 7, MSG_NOSIGNAL), 7);
	assert_int_equal(peer_receive(&other, &m), E_CLOSED);
	master_expect(IPC_PEER_BROKEN, &rd);
	peer_ask(&p, DNS_PTR, "no address");
	assert_int_equal(peer_receive(&p, &m), E_OK);
	assert_int_equal(m.status, DNS_FAILED);
	assert_string_equal(m.reason, "not an address");

	/* One that leaves with a question open is nobody's trouble, and may come again. */
	peer_ask(&p, DNS_ADDR, "gone.test");
	(void)close(p.fd);
	peer_open(&p, 1);
	peer_ask(&p, DNS_ADDR, "again.test");
	assert_int_equal(peer_receive(&p, &m), E_OK);
	assert_int_equal(m.status, DNS_OK);

	SEND(master, &master_seq, PING, ping, &ping, -1);
	master_expect(IPC_PONG, &rd);
	assert_int_equal(ipc_unpack_pong(&rd, &pong), E_OK);
	assert_int_equal(pong.seq, 9);
	assert_int_equal(pong.counter[0], 6);

	SEND(master, &master_seq, STOP, stop, &stop, -1);
	assert_int_equal(daemon_end(), 0);
	(void)close(p.fd);
	(void)close(other.fd);
}

/* F2: master goes, the daemon leaves in order. */
static void
master_gone(void **state)
{
	int	status;

	daemon_start();
	(void)close(master);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	master = -1;
}

static int
listen_all(void **state)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	socklen_t		len = sizeof(sin);
	static pthread_t	thread;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)signal(SIGPIPE, SIG_IGN);
	/* One number for both; if UDP finds it taken, which is rare, the test fails here. */
	if (mkdtemp(empty_dir) == NULL || chmod(empty_dir, 0555) != 0)
		return (-1);
	if ((tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1 ||
	    bind(tcp, (struct sockaddr *)&sin, sizeof(sin)) != 0 || listen(tcp, 16) != 0 ||
	    getsockname(tcp, (struct sockaddr *)&sin, &len) != 0 ||
	    (udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1 ||
	    bind(udp, (struct sockaddr *)&sin, sizeof(sin)) != 0 || pipe(quit) != 0)
		return (-1);
	port = ntohs(sin.sin_port);
	*state = &thread;
	return (pthread_create(&thread, NULL, name_server, NULL));
}

static int
close_server(void **state)
{
	if (rmdir(empty_dir) != 0 || write(quit[1], "", 1) != 1)
		return (-1);
	return (pthread_join(*(pthread_t *)*state, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers), cmocka_unit_test(master_gone),
	};

	return (cmocka_run_group_tests(tests, listen_all, close_server));
}
