/*
 * process_pam_test.c -- the whole daemon with PAM as its backend; the test is postern-pam.
 */
#include "tests/auth/process_kit.h"

struct pam {
	int		fd;
	uint32_t	seq;
	struct ipc_sync	sync;
};

static void
pam_open(struct pam *p)
{
	struct ipc_channel	c = { .room = ROOM_PAM };
	int			pair[2];

	memset(p, 0, sizeof(*p));
	assert_int_equal(ipc_pair(pair), 0);
	SEND(master, &master_seq, CHANNEL, channel, &c, pair[1]);
	close(pair[1]);
	p->fd = pair[0];
}

static uint32_t
pam_asked(struct pam *p, const char *login, const char *password)
{
	static struct ipc_pam_ask	m;
	enum ipc_type			type;
	struct rd			rd;
	int				fd;

	assert_int_equal(ipc_recv_sync(p->fd, &p->sync, ROOM_AUTH, ROOM_PAM, &type, &rd, &fd), E_OK);
	assert_int_equal(type, IPC_PAM_ASK);
	assert_int_equal(ipc_unpack_pam_ask(&rd, &m), E_OK);
	assert_string_equal(m.login, login);
	assert_string_equal(m.password, password);
	return (m.id);
}

static void
pam_says(struct pam *p, uint32_t id, enum sasl_status status)
{
	struct ipc_pam_answer	m = { .id = id, .status = (uint8_t)status };

	SEND(p->fd, &p->seq, PAM_ANSWER, pam_answer, &m, -1);
}

/* A question is answered once, and only then the slot is free; who has hung up before PAM said that he was wrong has failed all
 * the same: else its slots could be had without end. */
static void
hung_up(void **state)
{
	struct pam		pam;
	struct peer		p;
	struct ipc_sasl_answer	m;
	uint64_t		count[8];
	uint32_t		id, question;

	how.path = "";
	how.failures_max = 3;
	daemon_start();
	pam_open(&pam);
	peer_open(&p, 0);
	id = begin(&p, "192.0.2.2", SASL_PLAIN, plain("bob", "secret"));
	pam_says(&pam, pam_asked(&pam, "bob", "secret"), SASL_OK);
	assert_int_equal(answer(&p, &m), E_OK);
	assert_true(m.id == id && m.status == SASL_OK);
	for (int i = 0; i < 3; i++) {
		id = begin(&p, "192.0.2.1", SASL_PLAIN, plain("alice", "wrong"));
		question = pam_asked(&pam, "alice", "wrong");
		over(&p, id);
		do
			counters(count);
		while (count[COUNT_OPEN] != 0);
		pam_says(&pam, question, SASL_FAILED);
		while (counters(count), count[COUNT_FAILED] != (uint64_t)i + 1)
			assert_false(has_answer(&p, 10));
	}
	assert_int_equal(asked(&p, "192.0.2.1", "alice", "right", &m), SASL_TEMPORARY);
	assert_string_equal(m.login, "alice");
	/* One who hangs up before PAM says that he was right has not failed. */
	for (int i = 0; i < 4; i++) {
		id = begin(&p, "192.0.2.2", SASL_PLAIN, plain("bob", "secret"));
		question = pam_asked(&pam, "bob", "secret");
		over(&p, id);
		do
			counters(count);
		while (count[COUNT_OPEN] != 0);
		pam_says(&pam, question, SASL_OK);
	}
	(void)begin(&p, "192.0.2.2", SASL_PLAIN, plain("bob", "secret"));
	pam_says(&pam, pam_asked(&pam, "bob", "secret"), SASL_OK);
	assert_int_equal(answer(&p, &m), E_OK);
	assert_int_equal(m.status, SASL_OK);
	close(p.fd);
	close(pam.fd);
	daemon_stop();
}

/* PAM dies with all its slots taken: they are told to come again, and a new one is asked anew. */
static void
dies(void **state)
{
	struct pam		pam;
	struct peer		p;
	struct ipc_sasl_answer	m;
	uint32_t		id;

	how.path = "";
	daemon_start();
	pam_open(&pam);
	peer_open(&p, 0);
	for (int i = 0; i < PAM_SLOTS + 3; i++)
		(void)begin(&p, "192.0.2.1", SASL_PLAIN, plain("bob", "secret"));
	for (int i = 0; i < PAM_SLOTS; i++)
		id = pam_asked(&pam, "bob", "secret");
	close(pam.fd);
	for (int i = 0; i < PAM_SLOTS + 3; i++) {
		assert_int_equal(answer(&p, &m), E_OK);
		assert_int_equal(m.status, SASL_TEMPORARY);
	}
	pam_open(&pam);
	counters((uint64_t [8]){ 0 });	/* by now auth has it */
	(void)begin(&p, "192.0.2.1", SASL_PLAIN, plain("bob", "secret"));
	id = pam_asked(&pam, "bob", "secret");
	/* An answer that nobody asked for costs the channel, and is no login. */
	pam_says(&pam, id + 1, SASL_OK);
	assert_int_equal(answer(&p, &m), E_OK);
	assert_int_equal(m.status, SASL_TEMPORARY);
	master_expect(IPC_PEER_BROKEN, &(struct rd){ 0 });
	close(p.fd);
	close(pam.fd);
	daemon_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hung_up), TEST(dies),
	};

	return (cmocka_run_group_tests(tests, make_table, end));
}
