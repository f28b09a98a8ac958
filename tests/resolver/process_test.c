/*
 * process_test.c -- the whole daemon in a child, with its real sandbox, a name server in a thread of
 * ours, and this test as master and as two peers: UDP, TCP, reload, bad peers, orderly ends.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "resolver/packet.h"
#include "resolver/sandbox.h"
#include "resolver/serve.h"
#include "resolver/ub.h"
#include "tests/common/daemon_kit.h"

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

static void
send_conf(uint32_t timeout)
{
	static char		at[32];
	static const char	*zone = "test", *server = at;
	struct conf		c;

	(void)snprintf(at, sizeof(at), "127.0.0.1@%u", port);
	conf_plain(&c);
	c.resolver.nstub = 1;
	c.resolver.stub_zone = &zone;
	c.resolver.stub_server = &server;
	c.resolver.timeout = timeout;
	send_snapshot(&c, timeout);
	send_use(timeout);
}

static void
resolver_main(struct room *room, char **argv)
{
	static struct sandbox_run	run;

	room_open(room, ROOM_RESOLVER, 1, argv, &resolver_ops, NULL);
	serve_open(room, &run.nofile);
	ub_ports(room->conf, &run);
	room_sandbox(room, &resolver_sandbox, &run);
	room_run(room);
}

static const struct daemon_kit	kit = { .room = ROOM_RESOLVER, .main = resolver_main };

static void
daemon_start(void)
{
	daemon_fork();
	send_conf(5);
	daemon_go(5, open("/dev/null", O_WRONLY | O_CLOEXEC));
}

/* ---- a peer's side ---- */

static int
peer_answer(struct peer *p, struct ipc_dns_answer *m)
{
	static struct dns_record	rec[DNS_RECORDS_MAX];
	struct rd			rd;
	int				err = peer_receive(p, IPC_DNS_ANSWER, &rd);

	m->rec = rec;
	return (err != E_OK ? err : ipc_unpack_dns_answer(&rd, m));
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
	uint64_t		count[8];

	daemon_start();
	peer_open(&p, 1);
	peer_open(&other, 2);

	peer_ask(&p, DNS_ADDR, "host.test");
	assert_int_equal(peer_answer(&p, &m), E_OK);
	assert_int_equal(m.id, 1);
	assert_int_equal(m.status, DNS_OK);
	assert_int_equal(m.nrec, 1);

	/* Truncated by UDP: asked again by TCP, on a port the sandbox was told of. */
	peer_ask(&p, DNS_ADDR, "big.test");
	assert_int_equal(peer_answer(&p, &m), E_OK);
	assert_int_equal(m.status, DNS_OK);
	assert_int_equal(m.nrec, DNS_ADDRS_FAMILY_MAX);

	/* A reload of what may change without a new process. */
	send_conf(7);
	master_expect(IPC_CONF_READY, &rd);
	peer_ask(&other, DNS_MX, "host.test");
	assert_int_equal(peer_answer(&other, &m), E_OK);
	assert_int_equal(m.status, DNS_NODATA);

	/* A peer that breaks the table loses its channel, and master hears of it; the others keep theirs. */
	assert_int_equal(send(other.fd, "garbage", 7, MSG_NOSIGNAL), 7);
	assert_int_equal(peer_answer(&other, &m), E_CLOSED);
	master_expect(IPC_PEER_BROKEN, &rd);
	peer_ask(&p, DNS_PTR, "no address");
	assert_int_equal(peer_answer(&p, &m), E_OK);
	assert_int_equal(m.status, DNS_FAILED);
	assert_string_equal(m.reason, "not an address");

	/* One that leaves with a question open is nobody's trouble, and may come again. */
	peer_ask(&p, DNS_ADDR, "gone.test");
	(void)close(p.fd);
	peer_open(&p, 1);
	peer_ask(&p, DNS_ADDR, "again.test");
	assert_int_equal(peer_answer(&p, &m), E_OK);
	assert_int_equal(m.status, DNS_OK);

	counters(count);
	assert_int_equal(count[0], 6);

	daemon_stop();
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
	/* One number for both; if UDP finds it taken, which is rare, the test fails here. */
	if (kit_open() != 0 ||
	    (tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1 ||
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
	if (kit_close() != 0 || write(quit[1], "", 1) != 1)
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
