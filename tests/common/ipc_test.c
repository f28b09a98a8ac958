/*
 * ipc_test.c -- channels: nothing is lost at a close, order, the queue's limit, re-entry,
 * and the calls without a loop.
 */
#include "tests/common/ipc_end.h"

/* ---- the end of a peer ---- */

/* Five messages with descriptors, then the peer closes: all arrive, then the end, once. */
static void
test_close_loses_nothing(void **state)
{
	struct end	a, b;
	unsigned	before = open_fds();
	int		fds[2], i, reset;

	for (reset = 0; reset < 2; reset++) {
		assert_int_equal(ipc_pair(fds), E_OK);
		end_open(&a, fds[0], ROOM_MASTER, ROOM_QUEUE);
		end_open(&b, fds[1], ROOM_QUEUE, ROOM_MASTER);
		if (reset) {	/* a leaves without having read this: the kernel then says ECONNRESET to b */
			struct ipc_pong pong = { .seq = 1 };

			assert_int_equal(ipc_send(&b.ch, PONG, pong, &pong), E_OK);
			ipc_flush(&b.ch);
		}
		for (i = 1; i <= 5; i++)
			assert_int_equal(send_channel(&a.ch, (uint32_t)i, STDIN_FILENO), E_OK);
		ipc_close(&a.ch, on_done);	/* before any turn of the loop */
		until(&b.closed, 1);
		assert_int_equal(b.messages, 5);
		assert_int_equal(b.fds, 5);
		assert_int_equal(b.sum, 1 + 2 + 3 + 4 + 5);
		assert_int_equal(b.closed, 1);
		assert_int_equal(b.err, E_CLOSED);
		assert_int_equal(send_abort(&b.ch, 1), E_CLOSED);
		end_close(&b);
		until(&a.done, 1);
	}
	assert_int_equal(open_fds(), before);
}

/* The peer takes nothing any more but did not leave: that is an end too. */
static void
test_half_closed(void **state)
{
	struct end	b;
	int		fds[2];

	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&b, fds[1], ROOM_SMTPD, ROOM_QUEUE);
	assert_int_equal(shutdown(fds[0], SHUT_RD), 0);
	assert_int_equal(send_abort(&b.ch, 1), E_OK);
	until(&b.closed, 1);
	assert_int_equal(b.err, E_CLOSED);
	assert_int_equal(send_abort(&b.ch, 1), E_CLOSED);
	end_close(&b);
	close(fds[0]);
}

/* ---- frames and datagrams ---- */

static void
test_many_frames_one_datagram(void **state)
{
	static uint8_t	p[IPC_DATAGRAM_MAX + 1];
	struct end	a;
	int		fds[2], i;

	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&a, fds[0], ROOM_SMTPD, ROOM_QUEUE);
	for (i = 0; i < 100; i++)
		assert_int_equal(send_abort(&a.ch, 7), E_OK);
	assert_int_equal(recv(fds[1], p, sizeof(p), MSG_DONTWAIT), -1);	/* nothing before the flush */
	ipc_flush_all();
	assert_int_equal(recv(fds[1], p, sizeof(p), MSG_DONTWAIT), 100 * (IPC_HEADER + 4));
	assert_int_equal(recv(fds[1], p, sizeof(p), MSG_DONTWAIT), -1);
	assert_int_equal(ipc_backlog(&a.ch), 0);

	/* What does not fit goes into the next one, whole: 2 x 32020 of 65536, then 1. */
	for (i = 0; i < 3; i++)
		assert_int_equal(send_chunk(&a.ch, IPC_CHUNK_MAX), E_OK);
	ipc_flush_all();
	assert_int_equal(recv(fds[1], p, sizeof(p), MSG_DONTWAIT), 2 * (IPC_HEADER + 8 + IPC_CHUNK_MAX));
	assert_int_equal(recv(fds[1], p, sizeof(p), MSG_DONTWAIT), IPC_HEADER + 8 + IPC_CHUNK_MAX);
	end_close(&a);
	close(fds[1]);
}

/* A datagram is filled to its last octet; a frame that needs one more begins the next. */
static void
test_datagram_limit(void **state)
{
	static uint8_t	p[IPC_DATAGRAM_MAX + 1];
	const size_t	whole = IPC_HEADER + 8 + IPC_CHUNK_MAX, rest = IPC_DATAGRAM_MAX - 2 * whole;
	struct end	a;
	size_t		n;
	int		fds[2];

	for (n = rest - 1; n <= rest + 1; n++) {
		assert_int_equal(ipc_pair(fds), E_OK);
		end_open(&a, fds[0], ROOM_SMTPD, ROOM_QUEUE);
		assert_int_equal(send_chunk(&a.ch, IPC_CHUNK_MAX), E_OK);
		assert_int_equal(send_chunk(&a.ch, IPC_CHUNK_MAX), E_OK);
		assert_int_equal(send_chunk(&a.ch, n - IPC_HEADER - 8), E_OK);
		ipc_flush_all();
		assert_int_equal(recv(fds[1], p, sizeof(p), MSG_DONTWAIT), n <= rest ? 2 * whole + n : 2 * whole);
		assert_int_equal(recv(fds[1], p, sizeof(p), MSG_DONTWAIT), n <= rest ? -1 : (ssize_t)n);
		end_close(&a);
		close(fds[1]);
	}
}

/* Order holds between frames with and without descriptors. */
static void
test_order(void **state)
{
	struct end	a, b;
	int		fds[2];
	struct ipc_empty m = { 0 };

	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&a, fds[0], ROOM_MASTER, ROOM_QUEUE);
	end_open(&b, fds[1], ROOM_QUEUE, ROOM_MASTER);
	assert_int_equal(ipc_send(&a.ch, GO, empty, &m), E_OK);
	assert_int_equal(send_channel(&a.ch, 10, STDIN_FILENO), E_OK);
	assert_int_equal(ipc_send(&a.ch, GO, empty, &m), E_OK);
	assert_int_equal(send_channel(&a.ch, 20, STDIN_FILENO), E_OK);
	until_messages(&b, 4);
	assert_int_equal(b.sum, 30);
	assert_int_equal(b.fds, 2);
	assert_int_equal(b.closed, 0);		/* the sequence numbers agreed */
	end_close(&a);
	end_close(&b);
}

static void
test_sequence_wraps(void **state)
{
	struct end	a, b;
	int		fds[2], i;

	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&a, fds[0], ROOM_SMTPD, ROOM_QUEUE);
	end_open(&b, fds[1], ROOM_QUEUE, ROOM_SMTPD);
	a.ch.seq_out = b.ch.seq_in = UINT32_MAX - 1;
	for (i = 0; i < 4; i++)
		assert_int_equal(send_abort(&a.ch, 1), E_OK);
	until_messages(&b, 4);
	assert_int_equal(b.closed, 0);
	assert_int_equal(b.ch.seq_in, 2);
	end_close(&a);
	end_close(&b);
}

/* What may not be sent is refused here, and the channel goes on. */
static void
test_refused_at_home(void **state)
{
	struct end		a, b;
	struct ipc_txn_result	result = { .txn = 1, .status = TXN_BUSY };
	struct wr		*w;
	int			fds[2];
	static char		junk[IPC_PAYLOAD_MAX + 1];

	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&a, fds[0], ROOM_SMTPD, ROOM_QUEUE);
	end_open(&b, fds[1], ROOM_QUEUE, ROOM_SMTPD);
	assert_int_equal(ipc_send(&a.ch, TXN_RESULT, txn_result, &result), E_PROTO);	/* queue's alone */
	assert_int_equal(send_channel(&a.ch, 1, STDIN_FILENO), E_PROTO);
	w = ipc_begin(&a.ch, IPC_TXN_CHUNK);
	assert_non_null(w);
	wr_raw(w, junk, sizeof(junk));
	assert_int_equal(ipc_end(&a.ch), E_LIMIT);
	assert_int_equal(ipc_backlog(&a.ch), 0);
	assert_int_equal(send_abort(&a.ch, 3), E_OK);
	assert_int_equal(ipc_send(&a.ch, TXN_RESULT, txn_result, &result), E_PROTO);
	assert_int_equal(send_abort(&a.ch, 4), E_OK);
	until_messages(&b, 2);
	assert_int_equal(b.sum, 7);
	assert_int_equal(b.closed, 0);
	end_close(&a);
	end_close(&b);
}

/* ---- the queue's limit ---- */

#define FULL_CHUNK	(IPC_HEADER + 8 + IPC_CHUNK_MAX)

static void
test_queue_limit(void **state)
{
	static const int	over[] = { -1, 0, 1 };
	static const int	wanted[] = { E_OK, E_OK, E_LIMIT };
	struct end		a, b;
	size_t			i, rest;
	uint64_t		sum;
	unsigned		n;
	int			fds[2];

	for (i = 0; i < 3; i++) {
		assert_int_equal(ipc_pair(fds), E_OK);
		end_open(&a, fds[0], ROOM_SMTPD, ROOM_QUEUE);
		for (n = 0; (n + 1) * FULL_CHUNK <= IPC_QUEUE_MAX - IPC_CHUNK_MAX / 2; n++)
			assert_int_equal(send_chunk(&a.ch, IPC_CHUNK_MAX), E_OK);
		rest = IPC_QUEUE_MAX - ipc_backlog(&a.ch) - IPC_HEADER - 8 + (size_t)(ssize_t)over[i];
		assert_true(rest <= IPC_CHUNK_MAX);
		sum = (uint64_t)n * IPC_CHUNK_MAX;
		assert_int_equal(send_chunk(&a.ch, rest), wanted[i]);
		if (wanted[i] == E_OK) {
			sum += rest;
			n++;
			assert_int_equal(send_chunk(&a.ch, 1), E_LIMIT);
		}
		/* The peer reads only now: all of it arrives in order, and drained() is called once. */
		ipc_flush_all();
		assert_true(ipc_backlog(&a.ch) > 0);
		end_open(&b, fds[1], ROOM_QUEUE, ROOM_SMTPD);
		until_messages(&b, n);
		assert_int_equal(b.sum, sum);
		until(&a.drained, 1);
		assert_int_equal(ipc_backlog(&a.ch), 0);
		assert_int_equal(send_chunk(&a.ch, 1), E_OK);
		until_messages(&b, n + 1);
		assert_int_equal(a.drained, 1);
		end_close(&a);
		end_close(&b);
	}
}

/* ---- re-entry ---- */

static void
test_close_in_callback(void **state)
{
	struct end	a, b, c;
	unsigned	before = open_fds();
	int		fds[2], more[2];

	/* Its own channel, with frames and descriptors still to come. */
	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&a, fds[0], ROOM_MASTER, ROOM_QUEUE);
	end_open(&b, fds[1], ROOM_QUEUE, ROOM_MASTER);
	b.close_at_first = &b.ch;
	send_channel(&a.ch, 1, STDIN_FILENO);
	send_channel(&a.ch, 2, STDIN_FILENO);
	send_channel(&a.ch, 3, STDIN_FILENO);
	until(&b.done, 1);
	assert_int_equal(b.messages, 1);
	assert_int_equal(b.closed, 0);		/* who closes is not told */
	until(&a.closed, 1);
	end_close(&a);

	/* Another one that has something to read and something to send. */
	assert_int_equal(ipc_pair(fds), E_OK);
	assert_int_equal(ipc_pair(more), E_OK);
	end_open(&a, fds[0], ROOM_SMTPD, ROOM_QUEUE);
	end_open(&b, fds[1], ROOM_QUEUE, ROOM_SMTPD);
	end_open(&c, more[1], ROOM_QUEUE, ROOM_SMTPD);
	b.close_at_first = &c.ch;
	raw_send(more[0], "junk", 4, 1);
	{
		struct ipc_pressure m = { .state = PRESSURE_FULL };

		assert_int_equal(ipc_send(&c.ch, PRESSURE, pressure, &m), E_OK);
	}
	send_abort(&a.ch, 1);
	ipc_flush(&a.ch);
	until_messages(&b, 1);
	until(&c.done, 1);
	assert_true(c.messages == 0 && c.closed <= 1);
	end_close(&a);
	end_close(&b);
	close(more[0]);
	assert_int_equal(open_fds(), before);
}

/* ---- without a loop ---- */

static void
test_sync(void **state)
{
	static struct ipc_sync	s;
	struct end		a;
	struct ipc_channel	channel;
	struct ipc_stop		stop = { .within_ms = 5 };
	struct rd		payload;
	enum ipc_type		type;
	uint32_t		seq = 0;
	uint8_t			p[4];
	struct wr		w;
	int			fds[2], fd, i;

	memset(&s, 0, sizeof(s));
	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&a, fds[0], ROOM_MASTER, ROOM_QUEUE);
	for (i = 0; i < 3; i++)
		assert_int_equal(ipc_send(&a.ch, STOP, stop, &stop), E_OK);
	assert_int_equal(send_channel(&a.ch, 9, STDIN_FILENO), E_OK);
	ipc_flush_all();
	for (i = 0; i < 3; i++) {
		assert_int_equal(ipc_recv_sync(fds[1], &s, ROOM_MASTER, ROOM_QUEUE, &type, &payload, &fd), E_OK);
		assert_int_equal(type, IPC_STOP);
		assert_int_equal(fd, -1);
		stop.within_ms = 0;
		assert_int_equal(ipc_unpack_stop(&payload, &stop), E_OK);
		assert_int_equal(stop.within_ms, 5);
	}
	assert_int_equal(ipc_recv_sync(fds[1], &s, ROOM_MASTER, ROOM_QUEUE, &type, &payload, &fd), E_OK);
	assert_int_equal(type, IPC_CHANNEL);
	assert_int_equal(ipc_unpack_channel(&payload, &channel), E_OK);
	assert_int_equal(channel.instance, 9);
	assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	close(fd);

	/* The other way, into the loop. */
	wr_init(&w, p, sizeof(p));
	ipc_pack_log_socket(&w, &(struct ipc_log_socket){ .kind = LOG_TO_SYSLOG });
	assert_int_equal(ipc_send_sync(fds[1], &seq, IPC_READY, NULL, 0, -1), E_OK);
	assert_int_equal(ipc_send_sync(fds[1], &seq, IPC_READY, NULL, 0, -1), E_OK);
	assert_int_equal(seq, 2);
	until_messages(&a, 2);
	/* A frame that does not belong there. */
	assert_int_equal(ipc_send_sync(fds[1], &seq, IPC_LOG, p, w.len, STDIN_FILENO), E_OK);
	until(&a.closed, 1);
	assert_int_equal(a.err, E_PROTO);
	end_close(&a);
	assert_int_equal(ipc_recv_sync(fds[1], &s, ROOM_MASTER, ROOM_QUEUE, &type, &payload, &fd), E_CLOSED);
	assert_int_equal(ipc_send_sync(fds[1], &seq, IPC_READY, NULL, 0, -1), E_CLOSED);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_close_loses_nothing),
		T(test_half_closed),
		T(test_many_frames_one_datagram),
		T(test_datagram_limit),
		T(test_order),
		T(test_sequence_wraps),
		T(test_refused_at_home),
		T(test_queue_limit),
		T(test_close_in_callback),
		T(test_sync),
	};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	log_open("test");
	log_use(LOG_TO_STDERR, null);	/* the warnings are wanted, not their text */
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
