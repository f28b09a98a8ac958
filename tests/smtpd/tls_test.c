/*
 * tls_test.c -- STARTTLS and implicit TLS at the real shell, with the test as its client and its keys.
 */
#include "tests/smtpd/tls_kit.h"

static int
implicit(void **state)
{
	return (kit_setup_with(state, LISTEN_IMPLICIT, TLS_INTERMEDIATE));
}

static void
message_under_tls(void **state)
{
	struct seen	s = { 0 };
	struct peer	p = kit_peer(kit_starttls(&kit), NULL);

	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_say(&kit, &p, "MAIL FROM:<s@client.example>\r\n");
	kit_hear(&kit, &p, "503 5.5.1 EHLO");		/* all is forgotten */
	kit_say(&kit, &p, "EHLO client.example\r\n");
	kit_hear(&kit, &p, "250");
	kit_say(&kit, &p, "MAIL FROM:<s@client.example>\r\nRCPT TO:<r@all.example>\r\nDATA\r\n");
	kit_hear(&kit, &p, "250 2.1.0");
	kit_hear(&kit, &p, "250 2.1.5");
	kit_hear(&kit, &p, "354");
	kit_say(&kit, &p, "hello\r\n.\r\n");
	queue_hears(kit.b, &s);
	assert_int_equal(s.commits, 1);
	assert_int_equal(s.begin.tls, 1);
	assert_string_equal(s.begin.tls_text, "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519");
	result(kit.b, s.txn, TXN_DURABLE, 2);
	kit_hear(&kit, &p, "250 2.0.0");
	kit_say(&kit, &p, "QUIT\r\n");
	kit_hear(&kit, &p, "221");
	kit_leave(&p);
}

/* A question that waits holds nobody else up; its answer resumes its own handshake. */
static void
signature_late(void **state)
{
	struct peer	a = kit_peer(kit_starttls(&kit), NULL), b;

	kit.how = ANSWER_LATER;
	SSL_do_handshake(a.ssl);
	while (kit.asked == 0)
		assert_int_equal(kit_turn(&kit, &a), 1);
	kit.how = ANSWER;
	b = kit_peer(kit_starttls(&kit), NULL);
	assert_int_equal(kit_handshake(&kit, &b), 1);
	kit_say(&kit, &b, "EHLO b.example\r\n");
	kit_hear(&kit, &b, "250");
	kit_sign(&kit, &kit.later, ANSWER);
	assert_int_equal(kit_handshake(&kit, &a), 1);
	kit_say(&kit, &a, "EHLO a.example\r\n");
	kit_hear(&kit, &a, "250");
	kit_leave(&a);
	kit_leave(&b);
}

static void
fails(enum answer how)
{
	struct peer	p = kit_peer(kit_starttls(&kit), NULL);

	kit.how = how;
	assert_int_equal(kit_handshake(&kit, &p), 0);
	assert_int_equal(kit.asked, 1);
	kit_leave(&p);
	kit.how = ANSWER;
	p = kit_peer(kit_starttls(&kit), NULL);
	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_leave(&p);
}

static void
signature_refused(void **state)
{
	fails(ANSWER_REFUSED);
}

static void
signature_busy(void **state)
{
	fails(ANSWER_BUSY);
}

static void
signature_wrong(void **state)
{
	fails(ANSWER_WRONG);	/* the client's to find out */
}

/* The client leaves while keys signs: the answer finds nobody, and the fibre is free again. */
static void
client_leaves_meanwhile(void **state)
{
	struct peer	p;
	unsigned	i;

	for (i = 1; i <= 20; i++) {
		p = kit_peer(kit_starttls(&kit), NULL);
		kit.how = ANSWER_LATER;
		SSL_do_handshake(p.ssl);
		while (kit.asked < i)
			assert_int_equal(kit_turn(&kit, &p), 1);
		kit_leave(&p);
		kit_sign(&kit, &kit.later, ANSWER);
	}
	kit.how = ANSWER;
	p = kit_peer(kit_starttls(&kit), NULL);
	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_leave(&p);
}

/* F1 for keys: handshakes under way end, an open session goes on, STARTTLS gets 454, and a new channel serves again. */
static void
keys_die(void **state)
{
	struct peer	open = kit_peer(kit_starttls(&kit), NULL), p;
	char		line[200];
	size_t		n;
	int		fd;

	assert_int_equal(kit_handshake(&kit, &open), 1);
	p = kit_peer(kit_starttls(&kit), NULL);
	kit.how = ANSWER_LATER;
	SSL_do_handshake(p.ssl);
	while (kit.asked < 2)
		assert_int_equal(kit_turn(&kit, &p), 1);
	close(kit.keys);
	kit.keys = -1;
	assert_int_equal(kit_handshake(&kit, &p), 0);
	kit_leave(&p);
	fd = greeted(kit.b);
	say(fd, "STARTTLS\r\n");
	hear(fd, "454 4.7.0");
	kit_say(&kit, &open, "EHLO open.example\r\n");
	kit_hear(&kit, &open, "250");
	kit.how = ANSWER;
	kit_new_keys(&kit);
	p = kit_peer(fd, NULL);
	do {			/* the channel may come a moment later */
		say(fd, "STARTTLS\r\n");
		for (n = 0; n == 0 || line[n - 1] != '\n'; n++)
			assert_true(n < sizeof(line) && recv(fd, line + n, 1, 0) == 1);
	} while (strncmp(line, "454", 3) == 0);
	assert_memory_equal(line, "220", 3);
	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_leave(&p);
	kit_leave(&open);
}

/* Octets that are no handshake end it: with an alert at most, never with a word of SMTP. */
static void
garbage(void **state)
{
	static const struct { const char *p; size_t n; } t[] = {
		{ "EHLO x\r\n", 8 }, { "\x16\x03\x01\0\0", 5 }, { "\x16\x03\x01\xff\xff" "aaaaaaaa", 13 },
		{ "\x80\x2e\x01\x03\x01", 5 }, { "\x16\x03\x01\0\x05\x02\0\0\x01\0", 10 },
		{ "\x17\x03\x03\0\x05hello", 10 }, { "\x15\x03\x01\0\x02\x02\x28", 7 }, { "\0\0\0\0\0\0\0\0", 8 },
		{ "\x16\x03\x01\0\x04\x01\xff\xff\xff", 9 },
	};
	char	buf[256];
	ssize_t	n;
	size_t	i;
	int	fd;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = kit_starttls(&kit);
		assert_int_equal(send(fd, t[i].p, t[i].n, MSG_NOSIGNAL), (ssize_t)t[i].n);
		shutdown(fd, SHUT_WR);
		while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
			if (buf[0] != 0x15)
				fail_msg("case %zu: %.*s", i, (int)n, buf);
		close(fd);
	}
	fd = greeted(kit.b);
	close(fd);
}

/* Octets of a plain session sent together with STARTTLS, or right behind its reply. */
static void
injected(void **state)
{
	struct peer	p;
	char		line[1024];
	int		fd = greeted(kit.b);

	say(fd, "STARTTLS\r\nMAIL FROM:<evil@evil.example>\r\n");
	hear(fd, "554 5.5.1");
	hear_end(fd);
	close(fd);
	fd = kit_starttls(&kit);
	say(fd, "RSET\r\n");
	p = kit_peer(fd, NULL);
	assert_int_equal(kit_handshake(&kit, &p), 0);
	assert_int_equal(kit_line(&kit, &p, line), 0);
	kit_leave(&p);
}

/* Records octet by octet, and several commands in one; a body larger than every buffer on the way. */
static void
cuts(void **state)
{
	struct peer	p = kit_peer(kit_starttls(&kit), NULL);
	char		out[8192];
	int		n, i;

	assert_int_equal(kit_handshake(&kit, &p), 1);
	assert_int_equal(SSL_write(p.ssl, "EHLO c.example\r\nNOOP\r\n", 22), 22);
	n = BIO_read(SSL_get_wbio(p.ssl), out, sizeof(out));
	for (i = 0; i < n; i++)
		assert_int_equal(send(p.fd, out + i, 1, MSG_NOSIGNAL), 1);
	kit_hear(&kit, &p, "250");
	kit_hear(&kit, &p, "250 2.0.0 ok");
	kit_leave(&p);
}

static void
large_message(void **state)
{
	static char	big[100001];
	struct peer	p = kit_peer(kit_starttls(&kit), NULL);
	struct seen	s = { 0 };
	size_t		i;

	for (i = 0; i < sizeof(big) - 1; i++)
		big[i] = i % 100 == 98 ? '\r' : i % 100 == 99 ? '\n' : 'x';
	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_say(&kit, &p, "EHLO c.example\r\n");
	kit_hear(&kit, &p, "250");
	kit_say(&kit, &p, "MAIL FROM:<s@client.example>\r\nRCPT TO:<r@all.example>\r\nDATA\r\n");
	kit_hear(&kit, &p, "250 2.1.0");
	kit_hear(&kit, &p, "250 2.1.5");
	kit_hear(&kit, &p, "354");
	for (i = 0; i < 100000; i += 10000) {
		char	piece[10001];

		memcpy(piece, big + i, 10000);
		piece[10000] = '\0';
		kit_say(&kit, &p, piece);
	}
	kit_say(&kit, &p, ".\r\n");
	while (s.commits == 0)
		queue_hears(kit.b, &s);
	assert_int_equal(s.body_len, 100002);	/* no header: an empty line comes first */
	assert_int_equal(s.octets, 100002);
	result(kit.b, s.txn, TXN_DURABLE, 2);
	kit_hear(&kit, &p, "250 2.0.0");
	kit_leave(&p);
}

/* The client asks for far more than it reads: nothing is lost, and it waits. */
static void
client_that_does_not_read(void **state)
{
	enum { N = 3000 };
	struct peer	p = kit_peer(kit_starttls(&kit), NULL);
	static char	all[N * 6 + 1];
	int		small = 16384, i;
	pid_t		pid;
	char		buf[65536];
	int		n, st;

	assert_int_equal(setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_say(&kit, &p, "EHLO c.example\r\n");
	kit_hear(&kit, &p, "250");
	for (i = 0; i < N; i++)
		memcpy(all + i * 6, "HELP\r\n", 7);
	assert_int_equal(SSL_write(p.ssl, all, N * 6), N * 6);
	n = BIO_read(SSL_get_wbio(p.ssl), buf, sizeof(buf));
	assert_true(n > N * 6 && n < (int)sizeof(buf));
	if ((pid = fork()) == 0)
		_exit(send(p.fd, buf, (size_t)n, MSG_NOSIGNAL) != n);
	for (i = 0; i < N; i++)
		kit_hear(&kit, &p, "214");
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	kit_leave(&p);
}

/* close_notify ends a session as an end of file does; ours comes before the end. */
static void
farewell(void **state)
{
	struct peer	p = kit_peer(kit_starttls(&kit), NULL);
	char		line[1024];

	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_say(&kit, &p, "QUIT\r\n");
	kit_hear(&kit, &p, "221");
	assert_int_equal(kit_line(&kit, &p, line), 0);
	assert_true((SSL_get_shutdown(p.ssl) & SSL_RECEIVED_SHUTDOWN) != 0);
	kit_leave(&p);
	p = kit_peer(kit_starttls(&kit), NULL);
	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_say(&kit, &p, "EHLO c.example\r\n");
	kit_hear(&kit, &p, "250");
	SSL_shutdown(p.ssl);
	while (kit_turn(&kit, &p))
		;
	kit_leave(&p);
}

/* Other certificates: new handshakes show them and name the new snapshot, an open session notices nothing. */
static void
reload(void **state)
{
	struct peer	open = kit_peer(kit_starttls(&kit), NULL), p;
	uint64_t	before;
	char		cn[100];
	int		type;

	assert_int_equal(kit_handshake(&kit, &open), 1);
	before = kit.last_generation;
	kit_ncerts = 1;
	send_conf(kit.b);
	kit_ncerts = KEYS;
	kit_say(&kit, &open, "EHLO open.example\r\n");
	kit_hear(&kit, &open, "250");
	p = kit_peer(kit_starttls(&kit), "a.example.net");
	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_shown(&p, cn, &type);
	assert_string_equal(cn, "mx.example.org");
	assert_int_equal(type, EVP_PKEY_RSA);
	assert_int_equal(kit.last_generation, before + 1);
	kit_say(&kit, &open, "NOOP\r\n");
	kit_hear(&kit, &open, "250");
	kit_leave(&p);
	kit_leave(&open);
}

static int
many(void **state)
{
	kit_many = TLS_HANDSHAKES_MAX + 10;
	return (none(state));
}

static int
few(void **state)
{
	kit_many = 0;
	return (kit_teardown(state));
}

/* The handshakes under way are counted: the last that is allowed begins, the next is told so, and one that ends makes room. */
static void
handshakes_limit(void **state)
{
	static int	fd[TLS_HANDSHAKES_MAX + 1];
	char		line[1024];
	struct peer	p;
	int		i;

	for (i = 0; i < TLS_HANDSHAKES_MAX; i++)
		fd[i] = kit_starttls(&kit);
	fd[i] = greeted(kit.b);
	say(fd[i], "STARTTLS\r\n");
	hear(fd[i], "454 4.7.0");
	p = kit_peer(fd[0], NULL);
	assert_int_equal(kit_handshake(&kit, &p), 1);	/* over, and no longer counted */
	kit_say(&kit, &p, "EHLO c.example\r\n");
	kit_hear(&kit, &p, "250");
	say(fd[i], "STARTTLS\r\n");
	hear(fd[i], "220");
	close(fd[1]);
	close(fd[2]);
	do {			/* smtpd learns of it in a moment */
		fd[1] = greeted(kit.b);
		say(fd[1], "STARTTLS\r\n");
		assert_true(recv(fd[1], line, sizeof(line), 0) > 3);
		if (memcmp(line, "220", 3) != 0)
			close(fd[1]);
	} while (memcmp(line, "454", 3) == 0);
	assert_memory_equal(line, "220", 3);
	kit_leave(&p);
	for (i = 1; i <= TLS_HANDSHAKES_MAX; i++)
		if (i != 2)
			close(fd[i]);
}

/* ---- implicit TLS ---- */

static void
implicit_session(void **state)
{
	struct peer	p = kit_peer(dial(kit.b), "mx.example.org");

	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_hear(&kit, &p, "220 mx.example.org");
	kit_say(&kit, &p, "EHLO c.example\r\n");
	kit_hear(&kit, &p, "250");
	kit_say(&kit, &p, "STARTTLS\r\n");
	kit_hear(&kit, &p, "503 5.5.1");
	kit_leave(&p);
}

/* The client's first command comes along with the end of its handshake. */
static void
eager_client(void **state)
{
	struct peer	p = kit_peer(dial(kit.b), NULL);
	char		buf[8192];
	int		n = 0, r, more = 1;

	while ((r = SSL_do_handshake(p.ssl)) != 1 && more)
		more = kit_turn(&kit, &p);
	assert_int_equal(r, 1);
	assert_int_equal(SSL_write(p.ssl, "EHLO c.example\r\n", 16), 16);
	n = BIO_read(SSL_get_wbio(p.ssl), buf, sizeof(buf));
	assert_int_equal(send(p.fd, buf, (size_t)n, MSG_NOSIGNAL), n);
	kit_hear(&kit, &p, "220");
	kit_hear(&kit, &p, "250");
	kit_leave(&p);
}

/* SMTP in clear where TLS is due: not a word. */
static void
plain_on_implicit(void **state)
{
	int	fd = dial(kit.b);

	say(fd, "EHLO client.example\r\n");
	hear_end(fd);
	close(fd);
}

static void
leaves_before_hello(void **state)
{
	struct peer	p;

	close(dial(kit.b));
	p = kit_peer(dial(kit.b), NULL);
	assert_int_equal(kit_handshake(&kit, &p), 1);
	kit_hear(&kit, &p, "220");
	kit_leave(&p);
}

static void
implicit_stop(void **state)
{
	struct bed	*b = *state;
	struct ipc_stop	 m = { .within_ms = 10000 };
	struct peer	 idle = kit_peer(dial(kit.b), NULL);
	int		 fd = dial(kit.b);

	assert_int_equal(kit_handshake(&kit, &idle), 1);
	kit_hear(&kit, &idle, "220");
	TELL(b, STOP, stop, &m, -1);
	kit_hear(&kit, &idle, "421 4.3.2");
	hear_end(fd);		/* in the handshake: nothing in clear */
	close(fd);
	kit_leave(&idle);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup_teardown(message_under_tls, none, kit_teardown),
		cmocka_unit_test_setup_teardown(signature_late, none, kit_teardown),
		cmocka_unit_test_setup_teardown(signature_refused, none, kit_teardown),
		cmocka_unit_test_setup_teardown(signature_busy, none, kit_teardown),
		cmocka_unit_test_setup_teardown(signature_wrong, none, kit_teardown),
		cmocka_unit_test_setup_teardown(client_leaves_meanwhile, none, kit_teardown),
		cmocka_unit_test_setup_teardown(keys_die, none, kit_teardown),
		cmocka_unit_test_setup_teardown(garbage, none, kit_teardown),
		cmocka_unit_test_setup_teardown(injected, none, kit_teardown),
		cmocka_unit_test_setup_teardown(cuts, none, kit_teardown),
		cmocka_unit_test_setup_teardown(large_message, none, kit_teardown),
		cmocka_unit_test_setup_teardown(client_that_does_not_read, none, kit_teardown),
		cmocka_unit_test_setup_teardown(farewell, none, kit_teardown),
		cmocka_unit_test_setup_teardown(reload, none, kit_teardown),
		cmocka_unit_test_setup_teardown(handshakes_limit, many, few),
		cmocka_unit_test_setup_teardown(implicit_session, implicit, kit_teardown),
		cmocka_unit_test_setup_teardown(eager_client, implicit, kit_teardown),
		cmocka_unit_test_setup_teardown(plain_on_implicit, implicit, kit_teardown),
		cmocka_unit_test_setup_teardown(leaves_before_hello, implicit, kit_teardown),
		cmocka_unit_test_setup_teardown(implicit_stop, implicit, kit_teardown),
	};

	struct rlimit	rl = { 4 * TLS_HANDSHAKES_MAX, 4 * TLS_HANDSHAKES_MAX };

	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		fprintf(stderr, "descriptors stay as they are\n");
	signal(SIGPIPE, SIG_IGN);
	if (kit_open() != 0)
		return (1);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
