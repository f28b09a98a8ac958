/*
 * process_reload_test.c -- the whole daemon: failure limits, and reloads with tables that are right and that are not.
 */
#include "tests/auth/process_kit.h"

/* Past failures-max: no hash, until the window has passed; the address where it succeeded stays
 * open. */
static void
failures(void **state)
{
	struct peer		p;
	struct ipc_sasl_answer	m;
	uint64_t		count[8];
	int64_t			at;

	how.failures_max = 3;
	how.window_s = 3;
	daemon_start();
	peer_open(&p, 0);
	assert_int_equal(asked(&p, "198.51.100.7", "slow", "slow", &m), SASL_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(asked(&p, "192.0.2.1", "slow", "wrong", &m), SASL_FAILED);
		assert_int_equal(m.wait_ms, 1000 << i);
	}
	at = now_ms();
	for (int i = 0; i < 20; i++) {
		assert_int_equal(asked(&p, "192.0.2.1", "slow", "slow", &m), SASL_TEMPORARY);
		assert_string_equal(m.login, "slow");
	}
	assert_int_equal(asked(&p, "192.0.2.2", "slow", "slow", &m), SASL_TEMPORARY);
	assert_true(now_ms() - at < 1000);	/* 21 of these hashes take longer */
	assert_int_equal(asked(&p, "198.51.100.7", "slow", "slow", &m), SASL_OK);
	counters(count);
	assert_int_equal(count[COUNT_LIMITED], 21);
	/* Many at once, whose first three fail: the others are not hashed when their turn comes. */
	for (int i = 0; i < 30; i++)
		(void)begin(&p, "203.0.113.5", SASL_PLAIN, plain("bob", "wrong"));
	for (int i = 0; i < 30; i++)
		assert_int_equal(answer(&p, &m), E_OK);
	counters(count);
	assert_true(count[COUNT_LIMITED] >= 21 + 30 - 3 - 2);	/* two may be with the workers */
	while (now_ms() - at < 3100)
		assert_false(has_answer(&p, 50));
	assert_int_equal(asked(&p, "192.0.2.2", "slow", "slow", &m), SASL_OK);
	close(p.fd);
	daemon_stop();
}

/* G8: a table is in force as a whole or not at all, and exchanges under way go on with what they
 * began. */
static void
reload(void **state)
{
	static const struct { const char *text, *why; int err; } bad[] = {
		{ NO_FILE, "/etc/postern/passwd: was not handed over", E_NOTFOUND },
		{ "alice:x\n", "/etc/postern/passwd:1: neither a hash", E_SYNTAX },
		{ "# new\ncarol:!\n\ncarol:!\n", "/etc/postern/passwd:4: a login that stands on an earlier line too", E_SYNTAX },
	};
	struct peer		p;
	struct ipc_sasl_answer	m;
	uint64_t		count[8], generation = 2;

	how.failures_max = 1000;
	daemon_start();
	peer_open(&p, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++, generation++) {
		if (bad[i].text != NO_FILE)
			send_secret(generation, SECRET_TABLE, bad[i].text);
		send_conf(generation);
		expect_ready(generation, bad[i].err, bad[i].why);
		assert_int_equal(asked(&p, "192.0.2.1", "alice", "pencil", &m), SASL_OK);
	}
	/* The size of the file: lines are looked at up to AUTH_TABLE_MAX, and a larger one is not read. */
	for (off_t n = AUTH_TABLE_MAX - 1; n <= (off_t)AUTH_TABLE_MAX + 1; n++, generation++) {
		struct ipc_secret	sec = { .generation = generation, .kind = SECRET_TABLE };
		int			fd = memfd_create("table", MFD_CLOEXEC);

		assert_int_equal(ftruncate(fd, n), 0);
		assert_int_equal(pwrite(fd, "#\n", 2, n - 2), 2);
		SEND(master, &master_seq, SECRET, secret, &sec, fd);
		close(fd);
		send_conf(generation);
		expect_ready(generation, E_LIMIT, n > (off_t)AUTH_TABLE_MAX ? "passwd: larger than 32M" :
		    "passwd:1: a line of more than 1024 octets");
	}
	/* One that fits, while hashes of the old one wait; fewer and more workers. */
	for (int i = 0; i < 6; i++)
		(void)begin(&p, "192.0.2.1", SASL_PLAIN, plain("slow", "slow"));
	how.workers = 1;
	send_secret(generation, SECRET_TABLE, "alice:!\ncert@example.org:!\n");
	send_conf(generation);
	expect_ready(generation, E_OK, "");
	send_use(generation++);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(answer(&p, &m), E_OK);
		assert_int_equal(m.status, SASL_OK);
	}
	assert_int_equal(asked(&p, "192.0.2.1", "alice", "pencil", &m), SASL_FAILED);
	assert_int_equal(asked(&p, "192.0.2.1", "slow", "slow", &m), SASL_FAILED);
	counters(count);
	assert_int_equal(count[COUNT_LOGINS], 2);
	/* Another backend, which is not there, and back. */
	how.path = "";
	send_conf(generation);
	expect_ready(generation, E_OK, "");
	(void)begin(&p, "192.0.2.1", SASL_PLAIN, plain("alice", "x"));
	send_use(generation++);
	assert_int_equal(answer(&p, &m), E_OK);
	assert_int_equal(asked(&p, "192.0.2.1", "alice", "pencil", &m), SASL_TEMPORARY);
	assert_int_equal(scram(&p, "alice", "pencil", &m), SASL_TEMPORARY);
	how.path = "/etc/postern/passwd";
	how.workers = 16;
	send_secret(generation, SECRET_TABLE, table);
	send_conf(generation);
	expect_ready(generation, E_OK, "");
	send_use(generation++);
	assert_int_equal(asked(&p, "192.0.2.1", "alice", "pencil", &m), SASL_OK);
	close(p.fd);
	daemon_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(failures), TEST(reload),
	};

	return (cmocka_run_group_tests(tests, make_table, end));
}
