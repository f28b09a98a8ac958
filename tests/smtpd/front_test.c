/*
 * front_test.c -- smtpd as a process (bed.h): who is in front of it.  PROXY headers, Unix sockets, pickup's submissions, LMTP,
 * XCLIENT and XFORWARD with what hangs on them, and what a reload changes for sessions that are open.
 */
#include <fcntl.h>
#include <time.h>

#include "smtpd/proxy.h"
#include "tests/smtpd/bed.h"

enum { PROXIED = 1, SUBMIT, LMTP, SHARE = 3 };

static int			 gone;		/* the snapshot without rights for 127.0.0.1 */
static int			 only_mx;	/* or with one listener */
static struct sockaddr_in	 proxied, lmtp;
static char			 socket_path[64];

static struct conf_prefixes
prefix(struct net_prefix *p, const char *text)
{
	assert_int_equal(net_prefix_parse(p, slice_str(text)), E_OK);
	return ((struct conf_prefixes){ 1, p });
}

/* The proxy's own address may relay, and those of 10.0.0.0/8. */
static void
tweak(struct conf *c, struct conf_listener *l)
{
	static struct net_prefix	loopback, relay[2];

	c->nlisteners = only_mx ? 1 : LISTENERS_ALL;
	c->nrelay_from = 2;
	c->relay_from = relay;
	assert_int_equal(net_prefix_parse(&relay[0], SLICE_LIT("10.0.0.0/8")), E_OK);
	assert_int_equal(net_prefix_parse(&relay[1], gone ? SLICE_LIT("192.0.2.99/32") : SLICE_LIT("127.0.0.0/8")), E_OK);
	l[PROXIED].name = "proxied";
	l[PROXIED].proxy_from = prefix(&loopback, "127.0.0.1/32");
	l[SUBMIT].name = "submit";
	l[SUBMIT].kind = LISTEN_UNIX;
	l[SUBMIT].path = "/run/postern/submit";
	l[SUBMIT].everybody = 1;
	l[SUBMIT].port = 0;
	l[LMTP].name = "lmtp";
	l[LMTP].lmtp = 1;
	l[PROXIED].per_address = l[SUBMIT].per_address = l[MX].per_address = SHARE;
	if (!gone)
		l[MX].xclient_from = l[MX].xforward_from = l[LMTP].xclient_from = prefix(&loopback, "127.0.0.1/32");
}

static int
unix_socket(void)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	int			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", socket_path);
	unlink(socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return (fd);
}

static void
new_pickup(struct bed *b)
{
	struct ipc_channel	m = { .room = ROOM_PICKUP };
	int			fds[2];

	if (b->pickup != -1)
		close(b->pickup);
	pair(fds);
	b->pickup = fds[0];
	b->pickup_seq = 0;
	TELL(b, CHANNEL, channel, &m, fds[1]);
	close(fds[1]);
}

static int
front_setup(void **state)
{
	struct bed	*b;
	int		 all;

	gone = only_mx = 0;
	bed_tweak = tweak;
	snprintf(socket_path, sizeof(socket_path), "/tmp/postern-front-test.%ld", (long)getpid());
	if (setup(state) != 0)
		return (-1);
	b = *state;
	send_listener(b, PROXIED, "proxied", new_socket(&proxied));
	send_listener(b, SUBMIT, "submit", unix_socket());
	send_listener(b, LMTP, "lmtp", new_socket(&lmtp));
	new_pickup(b);
	/* They are in place once the last of them greets. */
	all = dial_to(&lmtp);
	hear(all, "220 mx.example.org LMTP Postern\r\n");
	close(all);
	return (0);
}

static int
front_teardown(void **state)
{
	unlink(socket_path);
	return (teardown(state));
}

static int
dial_unix(void)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	int			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	set_wait(fd);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", socket_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return (fd);
}

static void
say_octets(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void
hear_nothing_yet(int fd)
{
	char	c;

	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
}

static void
ehlo(int fd)
{
	say(fd, "EHLO client.example\r\n");
	hear_ehlo(fd);
}

/* A message through, and what queue was told of it. */
static void
message(struct bed *b, int fd, struct seen *s)
{
	memset(s, 0, sizeof(*s));
	envelope(fd);
	say(fd, "Subject: x\r\n\r\nx\r\n.\r\n");
	queue_hears(b, s);
	assert_int_equal(s->commits, 1);
	result(b, s->txn, TXN_DURABLE, 1);
	hear(fd, "250 2.0.0");
}

static void
rcpt(int fd, const char *to, const char *reply)
{
	char	line[256];

	snprintf(line, sizeof(line), "MAIL FROM:<s@client.example>\r\nRCPT TO:<%s>\r\nRSET\r\n", to);
	say(fd, line);
	hear(fd, "250 2.1.0");
	hear(fd, reply);
	hear(fd, "250 2.0.0");
}

static void
assert_client(const struct seen *s, const char *ip, unsigned port)
{
	char	text[NET_ADDR_STRLEN];

	assert_string_equal(net_addr_str(&s->begin.client, text), ip);
	assert_int_equal(s->begin.client_port, port);
}

/* ---- PROXY ---- */

static void
proxy_v1_octet_by_octet(void **state)
{
	static const char	header[] = "PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\n";
	struct bed		*b = *state;
	struct seen		 s;
	int			 fd = dial_to(&proxied);
	size_t			 i;

	for (i = 0; i < sizeof(header) - 1; i++) {
		hear_nothing_yet(fd);
		say_octets(fd, header + i, 1);
	}
	hear(fd, "220 mx.example.org ESMTP");
	ehlo(fd);
	message(b, fd, &s);
	assert_client(&s, "192.0.2.7", 4000);
	assert_int_equal(s.begin.local, 0);
	rcpt(fd, "x@elsewhere.example", "550 5.7.1");		/* the proxy may relay, its client may not */
	rcpt(fd, "postmaster@[198.51.100.1]", "250 2.1.5");	/* where the client reached the proxy */
	rcpt(fd, "postmaster@[127.0.0.1]", "550 5.7.1");
	say(fd, "XCLIENT ADDR=192.0.2.8\r\n");
	hear(fd, "550 5.7.1");
	close(fd);
}

static void
proxy_v2_and_what_comes_along(void **state)
{
	static const char	header[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
				    "\x0a\x01\x01\x01\xc6\x33\x64\x01\x0f\xa0\0\x19" "EHLO client.example\r\n";
	struct bed		*b = *state;
	struct seen		 s;
	int			 fd = dial_to(&proxied);

	say_octets(fd, header, sizeof(header) - 1);
	hear(fd, "220 ");
	hear_ehlo(fd);
	message(b, fd, &s);
	assert_client(&s, "10.1.1.1", 4000);
	rcpt(fd, "x@elsewhere.example", "250 2.1.5");		/* this client may */
	close(fd);
}

static void
proxy_local_and_unknown_have_no_rights(void **state)
{
	static const char	local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
	int			fd = dial_to(&proxied);

	say_octets(fd, local, sizeof(local) - 1);
	hear(fd, "220 ");
	ehlo(fd);
	rcpt(fd, "x@elsewhere.example", "550 5.7.1");
	rcpt(fd, "r@all.example", "250 2.1.5");
	close(fd);
	fd = dial_to(&proxied);
	say(fd, "PROXY UNKNOWN\r\n");
	hear(fd, "220 ");
	ehlo(fd);
	rcpt(fd, "x@elsewhere.example", "550 5.7.1");
	close(fd);
}

static void
proxy_bad_or_none(void **state)
{
	static const char *const	bad[] = {
		"EHLO client.example\r\n", "PROXY TCP4 192.0.2.7\r\n", "PROXY tcp4 192.0.2.7 192.0.2.1 1 2\r\n",
		"PROXY TCP4 192.0.2.7 198.51.100.1 4000 99999\r\n", "\r\n\r\nx", "\x16\x03\x01",
		"PROXYTCP4 192.0.2.7 198.51.100.1 4000 25\r\n",
	};
	static char			endless[PROXY_V1_MAX + 1];
	struct bed			*b = *state;
	int				 fd;
	size_t				 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = dial_to(&proxied);
		say(fd, bad[i]);
		hear_end(fd);		/* without a word */
		close(fd);
	}
	memset(endless, 'x', sizeof(endless) - 1);
	memcpy(endless, "PROXY TCP4 ", 11);
	fd = dial_to(&proxied);
	say(fd, endless);
	hear_end(fd);
	close(fd);
	fd = dial_to(&proxied);		/* cut off in the header, and before it */
	say(fd, "PROXY TCP4 192");
	close(fd);
	close(dial_to(&proxied));
	fd = greeted(b);		/* all others go on */
	close(fd);
}

static void
proxy_in_time(void **state)
{
	struct timespec	began, now;
	int		fd = dial_to(&proxied), partly = dial_to(&proxied);

	clock_gettime(CLOCK_MONOTONIC, &began);
	say(partly, "PROXY TCP4 192.0.2.7 198.51.1");
	hear_nothing_yet(fd);
	hear_end(fd);
	hear_end(partly);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true(now.tv_sec - began.tv_sec >= PROXY_WAIT_MS / 1000 - 1);
	close(fd);
	close(partly);
}

static void
proxy_where_nobody_asked(void **state)
{
	struct bed	*b = *state;
	int		 fd = dial(b);

	hear(fd, "220 ");
	say(fd, "PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\n");
	hear(fd, "500 5.5.2");
	ehlo(fd);
	rcpt(fd, "x@elsewhere.example", "250 2.1.5");	/* still itself, which may relay */
	close(fd);
}

static int
dial_as(const char *ip)
{
	char	line[128];
	int	fd = dial_to(&proxied);

	snprintf(line, sizeof(line), "PROXY TCP4 %s 198.51.100.1 4000 25\r\n", ip);
	say(fd, line);
	return (fd);
}

static void
proxy_limits_by_the_client(void **state)
{
	int	fd[SHARE], more, i;

	for (i = 0; i < SHARE; i++) {
		fd[i] = dial_as("192.0.2.7");
		hear(fd[i], "220 ");
	}
	more = dial_as("192.0.2.7");
	hear(more, "421 4.7.0 mx.example.org too many connections from your address");
	hear_end(more);
	close(more);
	more = dial_to(&proxied);		/* what it says along with it does not take our words back */
	say(more, "PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\nEHLO client.example\r\n");
	hear(more, "421 4.7.0");
	hear_end(more);
	close(more);
	more = dial_as("192.0.2.8");
	hear(more, "220 ");
	close(more);
	say(fd[0], "QUIT\r\n");
	hear(fd[0], "221");
	hear_end(fd[0]);
	close(fd[0]);
	fd[0] = dial_as("192.0.2.7");
	hear(fd[0], "220 ");
	for (i = 0; i < SHARE; i++)
		close(fd[i]);
	for (i = 0; i < SHARE; i++) {		/* no share for whom relay-from has */
		fd[i] = dial_as("10.0.0.1");
		hear(fd[i], "220 ");
	}
	more = dial_as("10.0.0.1");
	hear(more, "220 ");
	close(more);
	for (i = 0; i < SHARE; i++)
		close(fd[i]);
}

/* ---- users of this host ---- */

static void
local_users_by_uid(void **state)
{
	struct bed	*b = *state;
	struct seen	 s;
	int		 fd = dial_unix();

	hear(fd, "220 mx.example.org ESMTP");
	ehlo(fd);
	message(b, fd, &s);
	assert_client(&s, "::", 0);
	assert_int_equal(s.begin.local, 1);
	assert_int_equal(s.begin.uid, getuid());
	assert_string_equal(s.begin.listener, "submit");
	rcpt(fd, "x@elsewhere.example", "250 2.1.5");
	rcpt(fd, "postmaster@[0.0.0.0]", "250 2.1.5");	/* no address of ours: relayed, as any */
	say(fd, "XCLIENT ADDR=192.0.2.8\r\n");
	hear(fd, "550 5.7.1");
	say(fd, "XFORWARD ADDR=192.0.2.8\r\n");
	hear(fd, "550 5.7.1");
	close(fd);
}

static void
share_of_one_user(void **state)
{
	int	fd[SHARE], more, i;

	for (i = 0; i < SHARE; i++) {
		fd[i] = dial_unix();
		hear(fd[i], "220 ");
	}
	more = dial_unix();
	hear(more, "421 4.7.0 mx.example.org too many connections of yours");
	hear_end(more);
	close(more);
	say(fd[0], "QUIT\r\n");
	hear(fd[0], "221");
	hear_end(fd[0]);
	close(fd[0]);
	fd[0] = dial_unix();
	hear(fd[0], "220 ");
	for (i = 0; i < SHARE; i++)
		close(fd[i]);
}

/* ---- pickup ---- */

static void
submit(struct bed *b, uint32_t uid, int fd)
{
	struct ipc_submit	m = { uid };
	uint8_t			buf[64];
	struct wr		w;

	wr_init(&w, buf, sizeof(buf));
	ipc_pack_submit(&w, &m);
	assert_int_equal(ipc_send_sync(b->pickup, &b->pickup_seq, IPC_SUBMIT, buf, w.len, fd), E_OK);
}

static void
streams(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	set_wait(fds[0]);
}

/* The other end keeps its own copy and makes it wait: smtpd must not. */
static void
submission_by_pickup(void **state)
{
	struct bed	*b = *state;
	struct seen	 s;
	int		 fds[2], fd[SHARE], i;

	streams(fds);
	submit(b, 4711, fds[1]);
	assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0);
	hear(fds[0], "220 mx.example.org ESMTP");
	ehlo(fds[0]);
	message(b, fds[0], &s);
	assert_int_equal(s.begin.local, 1);
	assert_int_equal(s.begin.uid, 4711);
	assert_client(&s, "::", 0);
	assert_string_equal(s.begin.listener, "submit");
	rcpt(fds[0], "x@elsewhere.example", "250 2.1.5");
	say(fds[0], "NOOP\r\n");
	hear(fds[0], "250");
	close(greeted(b));
	close(fds[0]);
	close(fds[1]);
	for (i = 0; i < SHARE; i++) {		/* the share is the user's */
		streams(fds);
		submit(b, 4712, fds[1]);
		close(fds[1]);
		fd[i] = fds[0];
		hear(fd[i], "220");
	}
	streams(fds);
	submit(b, 4712, fds[1]);
	close(fds[1]);
	hear(fds[0], "421 4.7.0");
	hear_end(fds[0]);
	close(fds[0]);
	for (i = 0; i < SHARE; i++)
		close(fd[i]);
}

static void
pickup_has_a_bound(void **state)
{
	struct bed	*b = *state;
	int		 fd[SUBMITS_MAX], fds[2], i;

	for (i = 0; i < SUBMITS_MAX; i++) {
		streams(fds);
		submit(b, 1000 + (uint32_t)i, fds[1]);
		close(fds[1]);
		fd[i] = fds[0];
		hear(fd[i], "220");
	}
	streams(fds);
	submit(b, 999, fds[1]);
	close(fds[1]);
	hear_end(fds[0]);
	close(fds[0]);
	say(fd[0], "QUIT\r\n");
	hear(fd[0], "221");
	hear_end(fd[0]);
	close(fd[0]);
	streams(fds);
	submit(b, 999, fds[1]);
	close(fds[1]);
	hear(fds[0], "220");
	close(fds[0]);
	for (i = 1; i < SUBMITS_MAX; i++)
		close(fd[i]);
}

static void
pickup_sends_what_is_no_stream(void **state)
{
	struct bed	*b = *state;
	int		 fds[2], bad[3], i;

	assert_int_equal(pipe(fds), 0);
	bad[0] = fds[0];
	close(fds[1]);
	assert_true((bad[1] = socket(AF_INET, SOCK_STREAM, 0)) != -1);
	assert_true((bad[2] = socket(AF_UNIX, SOCK_DGRAM, 0)) != -1);
	for (i = 0; i < 3; i++) {
		submit(b, 1, bad[i]);
		hear_end(b->pickup);		/* the channel is over, the server is not */
		close(bad[i]);
		new_pickup(b);
		/* Two sockets: the channel's number is ready when a session on it is. */
		streams(fds);
		submit(b, 1, fds[1]);
		close(fds[1]);
		hear(fds[0], "220");
		close(fds[0]);
	}
}

/* ---- LMTP, XCLIENT, XFORWARD, reload ---- */

static void
lmtp_listener(void **state)
{
	struct bed	*b = *state;
	struct seen	 s = { 0 };
	int		 fd = dial_to(&lmtp);

	hear(fd, "220 mx.example.org LMTP Postern\r\n");
	say(fd, "EHLO client.example\r\n");
	hear(fd, "500 ");
	say(fd, "LHLO client.example\r\n");
	hear_ehlo(fd);
	say(fd, "MAIL FROM:<s@client.example>\r\nRCPT TO:<r@all.example>\r\nRCPT TO:<q@all.example>\r\nDATA\r\n");
	hear(fd, "250 2.1.0");
	hear(fd, "250 2.1.5");
	hear(fd, "250 2.1.5");
	hear(fd, "354");
	say(fd, "Subject: x\r\n\r\nx\r\n.\r\n");
	queue_hears(b, &s);
	assert_int_equal(s.begin.protocol, PROTO_LMTP);
	result(b, s.txn, TXN_DURABLE, 1);
	hear(fd, "250 2.0.0");
	hear(fd, "250 2.0.0");
	hear_nothing_yet(fd);
	close(fd);
}

/* The next question to the resolver is for the name of this address; it has none. */
static void
resolver_is_asked(struct bed *b, struct ipc_sync *in, const char *ip)
{
	static struct ipc_dns_query	q;
	struct ipc_dns_answer		m = { .type = DNS_PTR, .status = DNS_NXDOMAIN };
	uint8_t				buf[512];
	struct rd			r;
	struct wr			w;
	enum ipc_type			t;
	int				fd;

	assert_int_equal(ipc_recv_sync(b->resolver, in, ROOM_SMTPD, ROOM_RESOLVER, &t, &r, &fd), E_OK);
	assert_int_equal(t, IPC_DNS_QUERY);
	assert_int_equal(ipc_unpack_dns_query(&r, &q), E_OK);
	assert_int_equal(q.type, DNS_PTR);
	assert_string_equal(q.name, ip);
	m.id = q.id;
	wr_init(&w, buf, sizeof(buf));
	ipc_pack_dns_answer(&w, &m);
	assert_int_equal(ipc_send_sync(b->resolver, &b->resolver_seq, IPC_DNS_ANSWER, buf, w.len, -1), E_OK);
}

static void
xclient_moves_share_name_and_rights(void **state)
{
	static struct ipc_sync	 in;
	struct bed		*b = *state;
	struct seen		 s;
	int			 fd[SHARE + 1], i;

	memset(&in, 0, sizeof(in));
	in.passed = -1;
	for (i = 0; i <= SHARE; i++) {
		fd[i] = greeted(b);		/* in relay-from: no share */
		if (i == 0)
			rcpt(fd[i], "x@elsewhere.example", "250 2.1.5");
		say(fd[i], "XCLIENT ADDR=198.51.100.9 PORT=77 NAME=[UNAVAILABLE]\r\n");
		if (i == SHARE)
			hear(fd[i], "421 4.7.0 mx.example.org too many connections from your address");
		else
			hear(fd[i], "220 ");
	}
	hear_end(fd[SHARE]);
	close(fd[SHARE]);
	ehlo(fd[0]);
	rcpt(fd[0], "x@elsewhere.example", "550 5.7.1");
	message(b, fd[0], &s);
	assert_client(&s, "198.51.100.9", 77);
	assert_string_equal(s.begin.name, "");
	say(fd[0], "XCLIENT ADDR=198.51.100.10\r\n");	/* one place is free again; its name is asked for */
	hear(fd[0], "220 ");
	resolver_is_asked(b, &in, "198.51.100.10");
	fd[SHARE] = greeted(b);
	say(fd[SHARE], "XCLIENT ADDR=198.51.100.9 NAME=Given.Example LOGIN=ann\r\n");
	hear(fd[SHARE], "220 ");
	ehlo(fd[SHARE]);
	rcpt(fd[SHARE], "x@elsewhere.example", "250 2.1.5");	/* who has logged in there may relay */
	message(b, fd[SHARE], &s);
	assert_string_equal(s.begin.name, "given.example");
	assert_string_equal(s.begin.login, "ann");
	say(fd[SHARE], "XFORWARD NAME=far.example ADDR=IPV6:2001:db8::7 PORT=5\r\nXFORWARD IDENT=AB1 SOURCE=REMOTE\r\n");
	hear(fd[SHARE], "250 2.0.0");
	hear(fd[SHARE], "250 2.0.0");
	message(b, fd[SHARE], &s);
	assert_string_equal(s.begin.origin, "far.example[2001:db8::7]:5");
	assert_client(&s, "198.51.100.9", 0);
	message(b, fd[SHARE], &s);
	assert_string_equal(s.begin.origin, "");
	for (i = 0; i <= SHARE; i++)
		close(fd[i]);
}

static void
reload_counts_for_open_sessions(void **state)
{
	struct bed	*b = *state;
	char		 line[256];
	ssize_t		 n;
	int		 fd = greeted(b), pending = dial_to(&proxied), uid = dial_unix();

	rcpt(fd, "x@elsewhere.example", "250 2.1.5");
	gone = 1;
	send_conf(b);
	do {			/* the snapshot and our octets come by two sockets */
		say(fd, "XFORWARD PORT=1\r\n");
		assert_true((n = recv(fd, line, sizeof(line), 0)) > 4);
	} while (memcmp(line, "250 ", 4) == 0);
	assert_memory_equal(line, "550 5.7.1", 9);
	rcpt(fd, "x@elsewhere.example", "550 5.7.1");
	say(pending, "PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n");
	hear(pending, "220");
	hear(uid, "220");
	ehlo(uid);
	rcpt(uid, "x@elsewhere.example", "250 2.1.5");
	close(fd);
	close(pending);
	close(uid);
}

/* Between the snapshot and the end of a listener that it has no more: nobody may pass for the proxy itself there. */
static void
listener_out_of_the_snapshot(void **state)
{
	struct bed	*b = *state;
	char		 line[256];
	ssize_t		 n;
	int		 fd = greeted(b), proxy = dial_to(&proxied);

	only_mx = gone = 1;
	send_conf(b);
	do {
		say(fd, "XFORWARD PORT=1\r\n");
		assert_true((n = recv(fd, line, sizeof(line), 0)) > 4);
	} while (memcmp(line, "250 ", 4) == 0);
	say(proxy, "PROXY TCP4 192.0.2.7 198.51.100.1 4000 25\r\n");	/* begun before: goes on */
	hear(proxy, "220");
	ehlo(proxy);
	say(proxy, "XCLIENT ADDR=192.0.2.8\r\n");
	hear(proxy, "550 5.7.1");
	close(proxy);
	proxy = dial_to(&proxied);
	hear(proxy, "421 4.3.2");
	hear_end(proxy);
	close(proxy);
	close(fd);
}

static void
stop_with_a_header_awaited(void **state)
{
	struct bed	*b = *state;
	struct ipc_stop	 m = { .within_ms = 10000 };
	int		 fd = dial_to(&proxied), local = dial_unix();

	hear(local, "220");
	TELL(b, STOP, stop, &m, -1);
	hear_end(fd);
	hear(local, "421 4.3.2");
	hear_end(local);
	close(fd);
	close(local);
}

int
main(void)
{
#define FRONT(f)	cmocka_unit_test_setup_teardown(f, front_setup, front_teardown)
	const struct CMUnitTest	tests[] = {
		FRONT(proxy_v1_octet_by_octet),
		FRONT(proxy_v2_and_what_comes_along),
		FRONT(proxy_local_and_unknown_have_no_rights),
		FRONT(proxy_bad_or_none),
		FRONT(proxy_in_time),
		FRONT(proxy_where_nobody_asked),
		FRONT(proxy_limits_by_the_client),
		FRONT(local_users_by_uid),
		FRONT(share_of_one_user),
		FRONT(submission_by_pickup),
		FRONT(pickup_has_a_bound),
		FRONT(pickup_sends_what_is_no_stream),
		FRONT(lmtp_listener),
		FRONT(xclient_moves_share_name_and_rights),
		FRONT(reload_counts_for_open_sessions),
		FRONT(listener_out_of_the_snapshot),
		FRONT(stop_with_a_header_awaited),
	};

	signal(SIGPIPE, SIG_IGN);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
