/*
 * process_test.c -- the whole daemon in a child, with its real sandbox, and this test as master and
 * as several smtpd: who may log in, fairness under a flood, ends in the middle, failure limits,
 * reloads with tables that are right and that are not, bad peers, memory.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/secure.h"
#include "common/conf_number.h"
#include "common/err.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/scram.h"

#define NOBODY		65534
#define NO_FILE		((const char *)NULL)

static int		 master = -1;
static uint32_t		 master_seq;
static struct ipc_sync	 master_sync;
static pid_t		 pid;
static char		 empty_dir[] = "/tmp/postern-auth-XXXXXX";
static char		 table[4096];		/* alice: SCRAM "pencil"; bob: $6$ "secret"; slow: bcrypt "slow"; cert@example.org: ! */
static struct { uint32_t failures_max, window_s, workers; const char *path; } how;

#define SEND(fd, seq, NAME, name, m, passfd) do { \
	uint8_t		room_[IPC_PAYLOAD_MAX]; \
	struct wr	w_; \
	wr_init(&w_, room_, sizeof(room_)); \
	ipc_pack_##name(&w_, (m)); \
	assert_int_equal(w_.err, E_OK); \
	assert_int_equal(ipc_send_sync((fd), (seq), IPC_##NAME, room_, w_.len, (passfd)), E_OK); \
} while (0)

/* ---- master's side ---- */

static void
master_expect(enum ipc_type want, struct rd *rd)
{
	enum ipc_type	type;
	int		fd;

	assert_int_equal(ipc_recv_sync(master, &master_sync, ROOM_AUTH, ROOM_MASTER, &type, rd, &fd), E_OK);
	assert_string_equal(ipc_type_name(type), ipc_type_name(want));
}

static void
expect_ready(uint64_t generation, int err, const char *why)
{
	struct ipc_conf_ready	m;
	struct rd		rd;

	master_expect(IPC_CONF_READY, &rd);
	assert_int_equal(ipc_unpack_conf_ready(&rd, &m), E_OK);
	if (strstr(m.why, why) == NULL || (why[0] == '\0') != (m.why[0] == '\0'))
		fail_msg("says \"%s\", wanted \"%s\"", m.why, why);
	assert_int_equal(m.generation, generation);
	assert_int_equal(m.err, err);
}

static void
send_secret(uint64_t generation, enum secret_kind kind, const char *text)
{
	struct ipc_secret	m = { .generation = generation, .kind = (uint8_t)kind };
	size_t			n = strlen(text);
	int			fd = memfd_create("secret", MFD_CLOEXEC);

	assert_true(fd != -1 && write(fd, text, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
	SEND(master, &master_seq, SECRET, secret, &m, fd);
	close(fd);
}

static void
send_conf(uint64_t generation)
{
	struct conf_listener	 l = { .name = "submissions", .path = "", .auth = 1, .addr = { { [15] = 1 } }, .port = 465,
		.connections = 1, .per_address = 1, .per_prefix = 1 };
	struct conf		 c;
	struct slice		 packed;
	struct ipc_conf_blob	 b = { .generation = generation };
	uint32_t		 retry = 60;
	int			 fd;

	memset(&c, 0, sizeof(c));
	c.hostname = "mx.test";
	c.directory = "/tmp";
	c.runtime = "/run/postern";
	c.user_prefix = c.postmaster = c.recipient_delimiter = c.deliver.bind4 = c.deliver.bind6 = "";
	c.log = LOG_TO_STDERR;
	for (size_t i = 0; i < conf_nnumbers; i++)
		conf_number_set(&c, &conf_numbers[i], conf_numbers[i].def);
	c.queue.nretry = 1;
	c.queue.retry = &retry;
	c.resolver.trust_anchor = "";
	c.nlisteners = 1;
	c.listeners = &l;
	c.auth.needed = 1;
	c.auth.passwd_path = how.path;
	c.auth.dovecot_path = c.auth.pam_service = "";
	if (how.path[0] == '\0')
		c.auth.pam_service = "postern";
	c.auth.mechanisms = conf_mechanisms(&c);
	c.auth.workers = how.workers;
	c.auth.failures_max = how.failures_max;
	c.auth.failure_window = how.window_s;
	assert_int_equal(conf_pack(&c, &packed), E_OK);
	fd = conf_to_memfd(packed);
	assert_true(fd >= 0);
	SEND(master, &master_seq, CONF, conf_blob, &b, fd);
	close(fd);
	free((void *)(uintptr_t)packed.p);
}

static void
send_use(uint64_t generation)
{
	struct ipc_conf_use	u = { .generation = generation };

	SEND(master, &master_seq, CONF_USE, conf_use, &u, -1);
}

/* main() of the daemon, in a child: its descriptor 3 is our channel. */
static void
child(int channel)
{
	static struct room		room;
	static struct sandbox_run	run = { .nofile = AUTH_NOFILE };
	char				*argv[] = { (char *)(uintptr_t)"postern-auth", NULL };
	int				fd;

	if (dup2(channel, ROOM_CHANNEL_FD) == -1)
		_exit(10);
	for (fd = ROOM_CHANNEL_FD + 1; fd < 64; fd++)
		(void)close(fd);
	log_open("auth");
	secure_open();
	room_open(&room, ROOM_AUTH, 1, argv, &auth_room_ops, NULL);
	auth_open(&room);
	room_sandbox(&room, &auth_sandbox, &run);
	room_run(&room);
	_exit(0);
}

static void
daemon_fork(void)
{
	struct ipc_start	start = { .room = ROOM_AUTH, .boot = 1 };
	int			pair[2];

	assert_int_equal(ipc_pair(pair), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(pair[1]);
	close(pair[1]);
	master = pair[0];
	master_seq = 0;
	memset(&master_sync, 0, sizeof(master_sync));
	(void)snprintf(start.root, sizeof(start.root), "%s", empty_dir);
	if (geteuid() == 0) {		/* no room runs as root: here it is nobody */
		start.privileged = 1;
		start.uid = start.gid = NOBODY;
	}
	SEND(master, &master_seq, START, start, &start, -1);
}

static void
daemon_start(void)
{
	struct ipc_log_socket	kind = { .kind = LOG_TO_STDERR };
	struct ipc_empty	empty = { 0 };
	struct rd		rd;
	int			log;

	daemon_fork();
	send_secret(1, SECRET_TABLE, table);
	send_conf(1);
	send_use(1);
	log = open(getenv("AUTH_TEST_LOG") != NULL ? getenv("AUTH_TEST_LOG") : "/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);
	SEND(master, &master_seq, LOG, log_socket, &kind, log);
	close(log);
	SEND(master, &master_seq, GO, empty, &empty, -1);
	expect_ready(1, E_OK, "");
	master_expect(IPC_READY, &rd);
}

static int
daemon_end(void)
{
	int	status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(master);
	return (status);
}

static void
daemon_stop(void)
{
	struct ipc_stop	stop = { .within_ms = 1000 };

	SEND(master, &master_seq, STOP, stop, &stop, -1);
	assert_int_equal(daemon_end(), 0);
}

static void
counters(uint64_t out[8])
{
	struct ipc_ping	ping = { .seq = 1 };
	struct ipc_pong	pong;
	struct rd	rd;

	SEND(master, &master_seq, PING, ping, &ping, -1);
	master_expect(IPC_PONG, &rd);
	assert_int_equal(ipc_unpack_pong(&rd, &pong), E_OK);
	memcpy(out, pong.counter, sizeof(pong.counter));
}

/* ---- an smtpd's side ---- */

struct peer {
	int		fd;
	uint32_t	seq, id;
	struct ipc_sync	sync;
};

static void
peer_open(struct peer *p, uint32_t instance)
{
	struct ipc_channel	c = { .room = ROOM_SMTPD, .instance = instance, .role = ROLE_SUBMISSION };
	int			pair[2];

	memset(p, 0, sizeof(*p));
	assert_int_equal(ipc_pair(pair), 0);
	SEND(master, &master_seq, CHANNEL, channel, &c, pair[1]);
	close(pair[1]);
	p->fd = pair[0];
}

static uint32_t
begin(struct peer *p, const char *client, enum sasl_mechanism mechanism, struct slice data)
{
	struct ipc_sasl	m = { .id = ++p->id, .first = 1, .mechanism = (uint8_t)mechanism, .initial = 1, .tls = 1, .client_port = 1,
		.own_port = 465, .data = data };

	assert_int_equal(net_addr_parse(&m.client, slice_str(client)), 0);
	if (mechanism == SASL_EXTERNAL)
		(void)snprintf(m.external, sizeof(m.external), "cert@example.org");
	SEND(p->fd, &p->seq, SASL, sasl, &m, -1);
	return (m.id);
}

static void
go_on(struct peer *p, uint32_t id, enum sasl_mechanism mechanism, struct slice data)
{
	struct ipc_sasl	m = { .id = id, .mechanism = (uint8_t)mechanism, .data = data };

	SEND(p->fd, &p->seq, SASL, sasl, &m, -1);
}

static void
over(struct peer *p, uint32_t id)
{
	struct ipc_sasl_end	m = { .id = id };

	SEND(p->fd, &p->seq, SASL_END, sasl_end, &m, -1);
}

static int
answer(struct peer *p, struct ipc_sasl_answer *m)
{
	enum ipc_type	type;
	struct rd	rd;
	int		fd, err;

	if ((err = ipc_recv_sync(p->fd, &p->sync, ROOM_AUTH, ROOM_SMTPD, &type, &rd, &fd)) != E_OK)
		return (err);
	assert_int_equal(type, IPC_SASL_ANSWER);
	return (ipc_unpack_sasl_answer(&rd, m));
}

static struct slice
plain(const char *login, const char *password)
{
	static char	text[LOGIN_MAX + PASSWORD_MAX + 3];
	int		n = snprintf(text, sizeof(text), "%c%s%c%s", 0, login, 0, password);

	return (slice_make(text, (size_t)n));
}

static int
asked(struct peer *p, const char *client, const char *login, const char *password, struct ipc_sasl_answer *m)
{
	uint32_t	id = begin(p, client, SASL_PLAIN, plain(login, password));

	assert_int_equal(answer(p, m), E_OK);
	assert_int_equal(m->id, id);
	return (m->status);
}

static int
has_answer(struct peer *p, int ms)
{
	struct pollfd	w = { p->fd, POLLIN, 0 };

	return (p->sync.off != p->sync.len || poll(&w, 1, ms) == 1);
}

/* Of the daemon, in us: what else the machine does does not count. */
static int64_t
cpu_us(void)
{
	struct timespec	t;
	clockid_t	clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &t), 0);
	return ((int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

static int64_t
now_ms(void)
{
	struct timespec	t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* ---- tests ---- */

/* A client of SCRAM with this password; what the last message is answered by. */
static int
scram(struct peer *p, const char *login, const char *password, struct ipc_sasl_answer *m)
{
	char			bare[300], first[310], server[600], before[400], text[500], b64[BASE64_LEN(SCRAM_KEY_LEN) + 1];
	char			*salt, *iterations;
	uint8_t			octets[SCRAM_SALT_MAX], salted[SCRAM_KEY_LEN], proof[SCRAM_KEY_LEN], server_key[SCRAM_KEY_LEN];
	struct scram_auth	a;
	size_t			n;
	uint32_t		id;

	(void)snprintf(bare, sizeof(bare), "n=%s,r=fyko+d2lbbFgONRv9qkxdawL", login);
	(void)snprintf(first, sizeof(first), "n,,%s", bare);
	id = begin(p, "192.0.2.1", SASL_SCRAM_SHA_256, slice_str(first));
	assert_int_equal(answer(p, m), E_OK);
	if (m->status != SASL_CONTINUE)
		return (m->status);
	assert_int_equal(slice_copy(m->data, server, sizeof(server)), E_OK);
	salt = strstr(server, ",s=");
	iterations = strstr(server, ",i=");
	assert_true(salt != NULL && iterations != NULL);
	assert_int_equal(base64_decode(octets, sizeof(octets), &n, slice_make(salt + 3, (size_t)(iterations - salt - 3))), E_OK);
	(void)snprintf(before, sizeof(before), "c=biws,%.*s", (int)(salt - server), server);
	a = (struct scram_auth){ { slice_str(bare), slice_str(server), slice_str(before) } };
	assert_int_equal(scram_salted_password(salted, slice_str(password), slice_make(octets, n),
	    (uint32_t)strtoul(iterations + 3, NULL, 10)), E_OK);
	assert_int_equal(scram_client_proof(proof, salted, &a), E_OK);
	(void)base64_encode(b64, slice_make(proof, sizeof(proof)));
	(void)snprintf(text, sizeof(text), "%s,p=%s", before, b64);
	go_on(p, id, SASL_SCRAM_SHA_256, slice_str(text));
	assert_int_equal(answer(p, m), E_OK);
	assert_int_equal(m->id, id);
	if (m->status == SASL_OK) {	/* it knows us, too */
		assert_int_equal(scram_keys(octets, server_key, salted), E_OK);
		assert_int_equal(scram_server_signature(proof, server_key, &a), E_OK);
		(void)base64_encode(b64, slice_make(proof, sizeof(proof)));
		assert_true(m->data.n > 2 && slice_eq(slice_make(m->data.p + 2, m->data.n - 2), slice_str(b64)));
	}
	return (m->status);
}

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

/* R10: locked, and no other process of its user may look at it. */
static void
memory(void **state)
{
	char	path[64], line[256];
	long	locked = -1;
	FILE	*f;

	daemon_start();
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_non_null(f = fopen(path, "r"));
	while (fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "VmLck: %ld kB", &locked);
	fclose(f);
	if (!SANDBOX_SANITIZER)		/* a sanitizer takes mlock() away */
		assert_true(locked >= 1024);
	/* Of a process that is not dumpable the kernel gives its files to root. */
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if (geteuid() == 0) {
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_uid, 0);
	} else
		assert_int_equal(open(path, O_RDONLY), -1);
	daemon_stop();
}

/* Where text stands in the daemon's memory: how often.  Root may look. */
static size_t
found(const char *text)
{
	char		path[64], line[512], perm[8], *chunk;
	unsigned long	from, to;
	size_t		n = 0, len = strlen(text);
	FILE		*maps;
	int		mem;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	assert_non_null(maps = fopen(path, "r"));
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	assert_true((mem = open(path, O_RDONLY | O_CLOEXEC)) != -1);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perm) != 3 || perm[0] != 'r' || to - from > (256ul << 20))
			continue;
		assert_non_null(chunk = malloc(to - from));
		if (pread(mem, chunk, to - from, (off_t)from) == (ssize_t)(to - from)) {
			for (const char *p = chunk; (p = memmem(p, to - from - (size_t)(p - chunk), text, len)) != NULL; p++) {
				print_message("%s at +%lx of %s", text, (unsigned long)(p - chunk), line);
				n++;
			}
		}
		free(chunk);
	}
	close(mem);
	fclose(maps);
	return (n);
}

/* R10: when it has been answered, no password of a client is left.  They are drawn here, after the
 * daemon was forked. */
static void
wiped(void **state)
{
	static const char *const	who[] = { "alice", "bob", "slow", "nobody", "cert@example.org" };
	char				password[5][41];
	struct peer			p;
	struct ipc_sasl_answer		m;
	uint8_t				octets[20];
	uint32_t			id;
	FILE				*f;

	if (geteuid() != 0 || SANDBOX_SANITIZER)
		skip();
	how.failures_max = 1000;
	daemon_start();
	peer_open(&p, 0);
	assert_non_null(f = fopen("/dev/urandom", "r"));
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(fread(octets, sizeof(octets), 1, f), 1);
		for (size_t j = 0; j < sizeof(octets); j++)
			(void)snprintf(password[i] + 2 * j, 3, "%02x", octets[j]);
	}
	fclose(f);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(asked(&p, "192.0.2.1", who[i], password[i], &m), SASL_FAILED);
		id = begin(&p, "192.0.2.1", SASL_LOGIN, slice_str("bob"));
		assert_int_equal(answer(&p, &m), E_OK);
		go_on(&p, id, SASL_LOGIN, slice_str(password[0]));
		assert_int_equal(answer(&p, &m), E_OK);
	}
	/* While one waits for its hash it is there: the search finds what there is. */
	for (int i = 0; i < 4; i++)
		(void)begin(&p, "192.0.2.1", SASL_PLAIN, plain("slow", password[4]));
	counters((uint64_t [8]){ 0 });
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_true(found(password[4]) > 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(answer(&p, &m), E_OK);
	assert_int_equal(asked(&p, "192.0.2.1", "bob", "nothing", &m), SASL_FAILED);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(found(password[i]), 0);
	close(p.fd);
	daemon_stop();
}

static int
add_hash(char *dst, size_t size, const char *login, const char *prefix, unsigned long count, const char *password)
{
	struct crypt_data	*data = calloc(1, sizeof(*data));
	char			salt[CRYPT_GENSALT_OUTPUT_SIZE];
	int			n = -1;

	if (data != NULL && crypt_gensalt_rn(prefix, count, NULL, 0, salt, sizeof(salt)) != NULL)
		n = snprintf(dst, size, "%s:%s\n", login, crypt_r(password, salt, data));
	free(data);
	return (n);
}

static int
make_table(void **state)
{
	struct scram_entry	e = { .iterations = SCRAM_ITERATIONS_MIN, .salt_len = 16, .salt = "0123456789abcde" };
	char			text[SCRAM_TEXT_MAX + 1];
	int			n;

	(void)signal(SIGPIPE, SIG_IGN);
	if (scram_derive(&e, slice_str("pencil")) != E_OK || mkdtemp(empty_dir) == NULL || chmod(empty_dir, 0555) != 0)
		return (-1);
	(void)scram_entry_text(&e, text);
	n = snprintf(table, sizeof(table), "# made by a test\nalice:%s\ncert@example.org:!\n", text);
	n += add_hash(table + n, sizeof(table) - (size_t)n, "bob", "$6$", 1000, "secret");
	n += add_hash(table + n, sizeof(table) - (size_t)n, "slow", "$2b$", 11, "slow");
	return (n < 2000 ? 0 : -1);
}

static int
end(void **state)
{
	return (rmdir(empty_dir));
}

static int
usual(void **state)
{
	how.failures_max = 10;
	how.window_s = 600;
	how.workers = 2;
	how.path = "/etc/postern/passwd";
	return (0);
}

#define TEST(t)	cmocka_unit_test_setup(t, usual)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_may), TEST(equal_cost), TEST(loop_is_free), TEST(flood), TEST(ends), TEST(hung_up), TEST(garbage), TEST(failures), TEST(reload),
		TEST(bad_start), TEST(memory), TEST(wiped),
	};

	return (cmocka_run_group_tests(tests, make_table, end));
}
