/*
 * clients_test.c -- smtpd as a process (bed.h): limits of connections and descriptors, and the names of clients.
 */
#include <ifaddrs.h>

#include "tests/smtpd/bed.h"

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

static int
setup_few(void **state)
{
	int	rc;

	bed_few = 20;
	rc = setup(state);
	bed_few = 0;
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
		assert_string_equal(s.begin.name, round == 0 ? "name.example" : "");
		result(b, s.txn, TXN_DURABLE, 7);
		hear(fd, "250");
		close(fd);
		fd = -1;
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		TEST(share_of_one_address),
		TEST(client_name_leads_back),
		cmocka_unit_test_setup_teardown(no_descriptor_is_free, setup_few, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
