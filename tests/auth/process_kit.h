/*
 * process_kit.h -- auth as a process, for tests: the whole daemon in a child, with its real sandbox, and the test as master and
 * as several smtpd.
 */
#ifndef TESTS_AUTH_PROCESS_KIT_H
#define TESTS_AUTH_PROCESS_KIT_H

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

static inline void
master_expect(enum ipc_type want, struct rd *rd)
{
	enum ipc_type	type;
	int		fd;

	assert_int_equal(ipc_recv_sync(master, &master_sync, ROOM_AUTH, ROOM_MASTER, &type, rd, &fd), E_OK);
	assert_string_equal(ipc_type_name(type), ipc_type_name(want));
}

static inline void
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

static inline void
send_secret(uint64_t generation, enum secret_kind kind, const char *text)
{
	struct ipc_secret	m = { .generation = generation, .kind = (uint8_t)kind };
	size_t			n = strlen(text);
	int			fd = memfd_create("secret", MFD_CLOEXEC);

	assert_true(fd != -1 && write(fd, text, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
	SEND(master, &master_seq, SECRET, secret, &m, fd);
	close(fd);
}

static inline void
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

static inline void
send_use(uint64_t generation)
{
	struct ipc_conf_use	u = { .generation = generation };

	SEND(master, &master_seq, CONF_USE, conf_use, &u, -1);
}

/* main() of the daemon, in a child: its descriptor 3 is our channel. */
static inline void
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

static inline void
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

static inline void
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

static inline int
daemon_end(void)
{
	int	status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(master);
	return (status);
}

static inline void
daemon_stop(void)
{
	struct ipc_stop	stop = { .within_ms = 1000 };

	SEND(master, &master_seq, STOP, stop, &stop, -1);
	assert_int_equal(daemon_end(), 0);
}

static inline void
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

static inline void
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

static inline uint32_t
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

static inline void
go_on(struct peer *p, uint32_t id, enum sasl_mechanism mechanism, struct slice data)
{
	struct ipc_sasl	m = { .id = id, .mechanism = (uint8_t)mechanism, .data = data };

	SEND(p->fd, &p->seq, SASL, sasl, &m, -1);
}

static inline void
over(struct peer *p, uint32_t id)
{
	struct ipc_sasl_end	m = { .id = id };

	SEND(p->fd, &p->seq, SASL_END, sasl_end, &m, -1);
}

static inline int
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

static inline struct slice
plain(const char *login, const char *password)
{
	static char	text[LOGIN_MAX + PASSWORD_MAX + 3];
	int		n = snprintf(text, sizeof(text), "%c%s%c%s", 0, login, 0, password);

	return (slice_make(text, (size_t)n));
}

static inline int
asked(struct peer *p, const char *client, const char *login, const char *password, struct ipc_sasl_answer *m)
{
	uint32_t	id = begin(p, client, SASL_PLAIN, plain(login, password));

	assert_int_equal(answer(p, m), E_OK);
	assert_int_equal(m->id, id);
	return (m->status);
}

static inline int
has_answer(struct peer *p, int ms)
{
	struct pollfd	w = { p->fd, POLLIN, 0 };

	return (p->sync.off != p->sync.len || poll(&w, 1, ms) == 1);
}

/* Of the daemon, in us: what else the machine does does not count. */
static inline int64_t
cpu_us(void)
{
	struct timespec	t;
	clockid_t	clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &t), 0);
	return ((int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

static inline int64_t
now_ms(void)
{
	struct timespec	t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* A client of SCRAM with this password; what the last message is answered by. */
static inline int
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

/* ---- around a group of tests ---- */

static inline int
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

static inline int
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

static inline int
end(void **state)
{
	return (rmdir(empty_dir));
}

static inline int
usual(void **state)
{
	how.failures_max = 10;
	how.window_s = 600;
	how.workers = 2;
	how.path = "/etc/postern/passwd";
	return (0);
}

#define TEST(t)	cmocka_unit_test_setup(t, usual)

#endif
