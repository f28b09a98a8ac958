/*
 * process_test.c -- the whole daemon: who may log in, at what cost, fairness under a flood, and a start that cannot be.
 */
#include "tests/auth/process_kit.h"

static void
who_may(void **state)
{
	struct peer		p;
	struct ipc_sasl_answer	m;
	uint64_t		count[8];
	uint32_t		id;

	daemon_start();
	peer_open(&p, 0);
	assert_int_equal(asked(&p, "192.0.2.1", "bob", "secret", &m), SASL_OK);
	assert_string_equal(m.login, "bob");
	assert_int_equal(asked(&p, "192.0.2.1", "bob", "Secret", &m), SASL_FAILED);
	assert_string_equal(m.login, "bob");
	assert_int_equal(m.wait_ms, 1000);
	assert_int_equal(asked(&p, "192.0.2.1", "alice", "pencil", &m), SASL_OK);
	assert_int_equal(asked(&p, "192.0.2.1", "alice", "secret", &m), SASL_FAILED);
	assert_int_equal(asked(&p, "192.0.2.1", "nobody", "secret", &m), SASL_FAILED);
	assert_int_equal(asked(&p, "192.0.2.1", "cert@example.org", "!", &m), SASL_FAILED);
	assert_int_equal(asked(&p, "192.0.2.1", "", "x", &m), SASL_BAD);
	assert_int_equal(scram(&p, "alice", "pencil", &m), SASL_OK);
	assert_string_equal(m.login, "alice");
	assert_int_equal(scram(&p, "alice", "pencils", &m), SASL_FAILED);
	assert_int_equal(scram(&p, "bob", "secret", &m), SASL_FAILED);	/* its hash is not SCRAM's */
	assert_int_equal(scram(&p, "nobody", "pencil", &m), SASL_FAILED);
	id = begin(&p, "192.0.2.1", SASL_EXTERNAL, slice_str(""));
	assert_int_equal(answer(&p, &m), E_OK);
	assert_int_equal(m.id, id);
	assert_int_equal(m.status, SASL_OK);
	assert_string_equal(m.login, "cert@example.org");
	id = begin(&p, "192.0.2.1", SASL_LOGIN, slice_str("bob"));
	assert_int_equal(answer(&p, &m), E_OK);
	assert_true(m.status == SASL_CONTINUE && slice_eq(m.data, slice_str("Password:")));
	go_on(&p, id, SASL_LOGIN, slice_str("secret"));
	assert_int_equal(answer(&p, &m), E_OK);
	assert_int_equal(m.status, SASL_OK);
	counters(count);
	assert_int_equal(count[COUNT_OK], 5);
	assert_int_equal(count[COUNT_FAILED], 7);
	assert_int_equal(count[COUNT_BAD], 1);
	assert_int_equal(count[COUNT_TEMPORARY], 0);
	assert_int_equal(count[COUNT_OPEN], 0);
	assert_int_equal(count[COUNT_LOGINS], 4);
	close(p.fd);
	daemon_stop();
}

/* R10: who is not there costs what most do; here the table is all of one kind, so all three are
 * alike. */
static void
equal_cost(void **state)
{
	static const char *const	who[] = { "u1", "nobody", "none" };
	char				hash[CRYPT_OUTPUT_SIZE], salt[64], same[1024];
	struct crypt_data		*data = calloc(1, sizeof(*data));
	struct peer			p;
	struct ipc_sasl_answer		m;
	int64_t				best[3] = { INT64_MAX, INT64_MAX, INT64_MAX }, at, took;

	assert_non_null(crypt_gensalt_rn("$2b$", 8, NULL, 0, salt, sizeof(salt)));
	(void)snprintf(hash, sizeof(hash), "%s", crypt_r("x", salt, data));
	free(data);
	(void)snprintf(same, sizeof(same), "u1:%s\nu2:%s\nnone:!\n", hash, hash);
	memcpy(table + 2000, table, 2000);
	memcpy(table, same, sizeof(same));
	how.failures_max = 1000;
	daemon_start();
	memcpy(table, table + 2000, 2000);
	peer_open(&p, 0);
	for (int round = 0; round < 8; round++) {
		for (size_t i = 0; i < 3; i++) {
			at = cpu_us();
			assert_int_equal(asked(&p, "192.0.2.1", who[i], "wrong", &m), SASL_FAILED);
			if ((took = cpu_us() - at) < best[i])
				best[i] = took;
		}
	}
	print_message("known %d us, unknown %d us, without password %d us\n", (int)best[0], (int)best[1], (int)best[2]);
	assert_true(best[0] >= 4000);
	for (size_t i = 1; i < 3; i++)
		assert_true(best[i] * 3 >= best[0] * 2 && best[i] * 2 <= best[0] * 3);
	close(p.fd);
	daemon_stop();
}

/* A slow hash holds up neither the loop nor who asks for nothing slow. */
static void
loop_is_free(void **state)
{
	struct peer		p, q;
	struct ipc_sasl_answer	m;
	uint64_t		count[8];
	size_t			n;

	daemon_start();
	peer_open(&p, 0);
	peer_open(&q, 1);
	assert_int_equal(asked(&q, "192.0.2.2", "bob", "secret", &m), SASL_OK);
	for (int i = 0; i < 8; i++)
		(void)begin(&p, "192.0.2.1", SASL_PLAIN, plain("slow", "slow"));
	for (int i = 0; i < 5; i++) {
		counters(count);
		assert_int_equal(scram(&q, "alice", "pencil", &m), SASL_OK);
	}
	for (n = 0; n < 8; n++) {
		if (!has_answer(&p, 0))
			break;
		assert_int_equal(answer(&p, &m), E_OK);
		assert_int_equal(m.status, SASL_OK);
	}
	assert_true(n < 8);
	for (; n < 8; n++) {
		assert_int_equal(answer(&p, &m), E_OK);
		assert_int_equal(m.status, SASL_OK);
	}
	close(p.fd);
	close(q.fd);
	daemon_stop();
}

/* One address, and one smtpd, ask for all they can: others have their turn; past the limits the
 * answer is at once. */
static void
flood(void **state)
{
	struct peer		p, q;
	struct ipc_sasl_answer	m;
	size_t			n = 0, busy = 0, checked = 0, before;

	how.failures_max = 100000;
	how.workers = 1;
	daemon_start();
	peer_open(&p, 0);
	peer_open(&q, 1);
	(void)begin(&p, "192.0.2.1", SASL_PLAIN, plain("slow", "wrong"));
	for (n = 1; n < 2 * WORK_LANE_MAX; n++)
		(void)begin(&p, "192.0.2.1", SASL_PLAIN, plain("bob", "wrong"));
	(void)begin(&p, "192.0.2.77", SASL_PLAIN, plain("bob", "secret"));	/* another address behind the same smtpd */
	(void)begin(&q, "192.0.2.1", SASL_PLAIN, plain("bob", "secret"));	/* and the same address behind another */
	assert_int_equal(answer(&q, &m), E_OK);
	assert_int_equal(m.status, SASL_OK);
	for (before = 0; busy + checked < n + 1; ) {
		assert_int_equal(answer(&p, &m), E_OK);
		if (m.status == SASL_TEMPORARY) {
			assert_string_equal(m.login, "");
			busy++;
			continue;
		}
		checked++;
		if (m.id == n + 1) {
			assert_int_equal(m.status, SASL_OK);
			before = checked;
		} else
			assert_int_equal(m.status, SASL_FAILED);
	}
	print_message("%zu checked, %zu not; the other address was number %zu\n", checked, busy, before);
	assert_true(before > 0 && before <= 10);
	assert_true(checked >= WORK_LANE_MAX && checked <= WORK_LANE_MAX + 3);
	/* More than may wait in all. */
	for (n = 0; n < WORK_WAITING_MAX + 100; n++) {
		char	client[32];

		(void)snprintf(client, sizeof(client), "10.0.%zu.1", n / 8);
		(void)begin(&p, client, SASL_PLAIN, plain("bob", "secret"));
	}
	for (busy = checked = 0; busy + checked < n; ) {
		assert_int_equal(answer(&p, &m), E_OK);
		*(m.status == SASL_TEMPORARY ? &busy : &checked) += 1;
	}
	assert_true(checked > 0);
	assert_int_equal(asked(&p, "192.0.2.1", "bob", "secret", &m), SASL_OK);
	close(p.fd);
	close(q.fd);
	daemon_stop();
}

/* At the start there is nothing to stay in force: it says why, and leaves. */
static void
bad_start(void **state)
{
	int	status;

	daemon_fork();
	send_secret(1, SECRET_TABLE, "alice\n");
	send_conf(1);
	send_use(1);
	expect_ready(1, E_SYNTAX, "/etc/postern/passwd:1: no \":\" between login and hash");
	status = daemon_end();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_may), TEST(equal_cost), TEST(loop_is_free), TEST(flood), TEST(bad_start),
	};

	return (cmocka_run_group_tests(tests, make_table, end));
}
