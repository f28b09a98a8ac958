/*
 * shell_test.c -- smtpd as a process (bed.h): messages on their way to queue, clients that leave or do not read, the end.
 */
#include "tests/smtpd/bed.h"

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
	assert_string_equal(s.begin.helo, "client.example");
	assert_string_equal(s.begin.listener, "mx");
	assert_int_equal(s.begin.protocol, PROTO_ESMTP);
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
	assert_int_equal(s.octets, 600002);	/* an empty line ends the header that is not there */
	assert_int_equal(s.body_len, 600002);
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
	say(other, "Half: ");
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
	while (s.body_len != strlen("\r\nlast\r\n")) {
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
	/* Once the writer is stuck or done, the replies are read: all of them. */
	for (i = 0; i < GROUPS * PER_GROUP; i++)
		hear_all(fd, "214");
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 0);
	close(fd);
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
	const struct CMUnitTest	tests[] = {
		TEST(small_message_is_one_datagram),
		TEST(large_message_by_credit),
		TEST(queue_goes_and_comes_back),
		TEST(client_leaves_in_mid_data),
		TEST(client_leaves_in_commit),
		TEST(queue_slow_and_back),
		TEST(refusal_is_heard_with_octets_unread),
		TEST(client_that_does_not_read),
		TEST(stop_between_messages),
	};

	signal(SIGPIPE, SIG_IGN);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
