/*
 * process_ends_test.c -- the whole daemon: ends in the middle, clients that hang up, and bad peers.
 */
#include "tests/auth/process_kit.h"

/* What was ended is not answered, whether it waited or was being hashed; nor is a peer's that has
 * gone. */
static void
ends(void **state)
{
	struct peer		p, q;
	struct ipc_sasl_answer	m;
	uint64_t		count[8];
	uint32_t		first, id;

	how.workers = 1;
	how.failures_max = 1000;
	daemon_start();
	peer_open(&p, 0);
	peer_open(&q, 1);
	first = begin(&p, "192.0.2.1", SASL_PLAIN, plain("slow", "slow"));
	for (int i = 0; i < 50; i++) {
		id = begin(&p, "192.0.2.1", SASL_PLAIN, plain("slow", "slow"));
		over(&p, id);
		(void)begin(&q, "192.0.2.1", SASL_PLAIN, plain("slow", "slow"));
	}
	counters(count);
	over(&p, first);
	over(&p, 4711);			/* crossed with its answer */
	close(q.fd);			/* 50 wait */
	assert_int_equal(asked(&p, "192.0.2.1", "bob", "secret", &m), SASL_OK);
	counters(count);
	assert_int_equal(count[COUNT_OPEN], 0);
	assert_false(has_answer(&p, 300));
	/* The same number again. */
	p.id = first - 1;
	assert_int_equal(asked(&p, "192.0.2.1", "bob", "secret", &m), SASL_OK);
	close(p.fd);
	daemon_stop();
}

/* Who hangs up before he hears that he was wrong has failed all the same: else hashes without end
 * could be had. */
static void
hung_up(void **state)
{
	struct peer		p;
	struct ipc_sasl_answer	m;
	uint64_t		count[8];
	uint32_t		id;

	how.failures_max = 3;
	daemon_start();
	peer_open(&p, 0);
	for (int i = 0; i < 3; i++) {
		id = begin(&p, "192.0.2.1", SASL_PLAIN, plain("slow", "wrong"));
		counters(count);
		counters(count);	/* by now a thread has it */
		over(&p, id);
		while (counters(count), count[COUNT_FAILED] != (uint64_t)i + 1)
			assert_false(has_answer(&p, 10));
	}
	assert_int_equal(asked(&p, "192.0.2.1", "bob", "secret", &m), SASL_TEMPORARY);
	assert_int_equal(asked(&p, "192.0.2.2", "bob", "secret", &m), SASL_OK);
	close(p.fd);
	daemon_stop();
}

/* R2: a message that breaks the table, or comes at a wrong time, costs its sender the channel, and
 * nobody else anything. */
static void
garbage(void **state)
{
	struct peer		bad, good;
	struct ipc_sasl_answer	m;
	struct ipc_channel	who;
	struct rd		rd;

	daemon_start();
	peer_open(&good, 1);
	for (int i = 0; i < 4; i++) {
		peer_open(&bad, 0);
		(void)begin(&bad, "192.0.2.1", SASL_PLAIN, plain("slow", "slow"));
		switch (i) {
		case 0:
			assert_int_equal(send(bad.fd, "garbage", 7, MSG_NOSIGNAL), 7);
			break;
		case 1:
			go_on(&bad, 4711, SASL_PLAIN, slice_str("x"));
			break;
		case 2:
			go_on(&bad, bad.id, SASL_PLAIN, slice_str("x"));
			break;
		default:
			bad.id--;
			(void)begin(&bad, "192.0.2.1", SASL_PLAIN, plain("bob", "x"));
		}
		master_expect(IPC_PEER_BROKEN, &rd);
		assert_int_equal(ipc_unpack_channel(&rd, &who), E_OK);
		assert_int_equal(who.room, ROOM_SMTPD);
		assert_int_equal(who.instance, 0);
		assert_int_equal(asked(&good, "192.0.2.2", "bob", "secret", &m), SASL_OK);
		close(bad.fd);
	}
	/* A new channel of one that has one: the old is over. */
	peer_open(&bad, 1);
	assert_int_equal(answer(&good, &m), E_CLOSED);
	assert_int_equal(asked(&bad, "192.0.2.2", "bob", "secret", &m), SASL_OK);
	close(bad.fd);
	close(good.fd);
	daemon_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ends), TEST(hung_up), TEST(garbage),
	};

	return (cmocka_run_group_tests(tests, make_table, end));
}
