/*
 * ipc_bad_test.c -- bad frames and surplus descriptors end the channel and nothing else (R2, F18).
 */
#include "tests/common/ipc_end.h"

static const struct {
	const char	*what;
	int		 at;		/* -1: nothing changed */
	uint8_t		 value;
	unsigned	 nfd;
	int		 cut;		/* octets taken from the end */
} bad[] = {
	{ "magic", 0, 0, 0, 0 },
	{ "magic, second octet", 1, 0, 0, 0 },
	{ "version", 2, IPC_VERSION + 1, 0, 0 },
	{ "type none", 3, IPC_NONE, 0, 0 },
	{ "type past the last", 3, IPC_TYPES, 0, 0 },
	{ "direction", 3, IPC_TXN_RESULT, 0, 0 },
	{ "another room's", 3, IPC_JOB_SYNC, 0, 0 },
	{ "length one more", 4, 5, 0, 0 },
	{ "length one less", 4, 3, 0, 0 },
	{ "length huge", 7, 0xff, 0, 0 },
	{ "sequence", 8, 2, 0, 0 },
	{ "a descriptor nobody asked for", -1, 0, 1, 0 },
	{ "two descriptors", -1, 0, 2, 0 },
	{ "three descriptors", -1, 0, 3, 0 },
	{ "descriptor missing", 3, IPC_CHANNEL, 0, 0 },
	{ "cut in the payload", -1, 0, 0, 1 },
	{ "cut in the header", -1, 0, 0, 9 },
};

static size_t
raw_abort(uint8_t *p, uint32_t seq, uint32_t txn)
{
	struct wr w;

	ipc_header(p, IPC_TXN_ABORT, 4, seq);
	wr_init(&w, p + IPC_HEADER, 4);
	wr_u32(&w, txn);
	return (IPC_HEADER + 4);
}

static void
test_bad_frames(void **state)
{
	struct end	b;
	uint8_t		p[64];
	unsigned	before = open_fds();
	size_t		i, n;
	int		fds[2];

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ipc_pair(fds), E_OK);
		end_open(&b, fds[1], ROOM_QUEUE, ROOM_SMTPD);
		n = raw_abort(p, 0, 5);			/* a good one first */
		raw_send(fds[0], p, n, 0);
		n = raw_abort(p, 1, 6);
		if (bad[i].at != -1)
			p[bad[i].at] = bad[i].value;
		raw_send(fds[0], p, n - (size_t)bad[i].cut, bad[i].nfd);
		n = raw_abort(p, 2, 7);			/* never looked at */
		raw_send(fds[0], p, n, 0);
		until(&b.closed, 1);
		if (b.err != E_PROTO || b.sum != 5)
			fail_msg("%s: %s, sum %u", bad[i].what, err_name(b.err), (unsigned)b.sum);
		end_close(&b);
		close(fds[0]);
	}
	assert_int_equal(open_fds(), before);
}

/* A frame with a descriptor travels alone. */
static void
test_fd_not_alone(void **state)
{
	struct end	b;
	uint8_t		p[128];
	struct wr	w;
	unsigned	before = open_fds();
	int		fds[2];

	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&b, fds[1], ROOM_QUEUE, ROOM_MASTER);
	ipc_header(p, IPC_CHANNEL, 9, 0);
	wr_init(&w, p + IPC_HEADER, 9);
	ipc_pack_channel(&w, &(struct ipc_channel){ .room = ROOM_SMTPD, .instance = 1 });
	ipc_header(p + IPC_HEADER + 9, IPC_GO, 0, 1);
	raw_send(fds[0], p, IPC_HEADER + 9 + IPC_HEADER, 1);
	until(&b.closed, 1);
	assert_int_equal(b.err, E_PROTO);
	assert_int_equal(b.messages, 0);
	end_close(&b);
	close(fds[0]);
	assert_int_equal(open_fds(), before);
}

/* Our own table of descriptors is full: the kernel drops what came, and that must not go unseen. */
static void
test_fd_table_full(void **state)
{
	struct end	a, b;
	struct rlimit	old, small;
	int		fds[2];

	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&a, fds[0], ROOM_MASTER, ROOM_QUEUE);
	end_open(&b, fds[1], ROOM_QUEUE, ROOM_MASTER);
	assert_int_equal(send_channel(&a.ch, 1, STDIN_FILENO), E_OK);
	ipc_flush_all();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	small = old;
	small.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	until(&b.closed, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(b.err, E_PROTO);
	assert_int_equal(b.messages, 0);
	end_close(&a);
	end_close(&b);
}

static void
test_handler_refuses(void **state)
{
	struct end	a, b;
	int		fds[2];

	assert_int_equal(ipc_pair(fds), E_OK);
	end_open(&a, fds[0], ROOM_SMTPD, ROOM_QUEUE);
	end_open(&b, fds[1], ROOM_QUEUE, ROOM_SMTPD);
	b.refuse = 1;
	send_abort(&a.ch, 1);
	send_abort(&a.ch, 2);
	until(&b.closed, 1);
	assert_int_equal(b.err, E_PROTO);
	assert_int_equal(b.messages, 1);
	end_close(&b);
	until(&a.closed, 1);			/* and the sender learns it */
	assert_int_equal(a.err, E_CLOSED);
	end_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_bad_frames),
		T(test_fd_not_alone),
		T(test_fd_table_full),
		T(test_handler_refuses),
	};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	log_open("test");
	log_use(LOG_TO_STDERR, null);	/* the warnings are wanted, not their text */
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
