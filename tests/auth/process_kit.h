/*
 * process_kit.h -- auth as a process, for tests: the whole daemon in a child, with its real sandbox, and the test as master and
 * as several smtpd.
 */
#ifndef TESTS_AUTH_PROCESS_KIT_H
#define TESTS_AUTH_PROCESS_KIT_H

#include <crypt.h>
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>

#include "auth/auth.h"
#include "auth/secure.h"
#include "common/scram.h"
#include "tests/common/daemon_kit.h"

#define NO_FILE		((const char *)NULL)

static char		 table[4096];		/* alice: SCRAM "pencil"; bob: $6$ "secret"; slow: bcrypt "slow"; cert@example.org: ! */
static struct { uint32_t failures_max, window_s, workers; const char *path; } how;

/* ---- master's side ---- */

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

	conf_plain(&c);
	c.nlisteners = 1;
	c.listeners = &l;
	c.auth.needed = 1;
	c.auth.passwd_path = how.path;
	if (how.path[0] == '\0')
		c.auth.pam_service = "postern";
	c.auth.mechanisms = conf_mechanisms(&c);
	c.auth.workers = how.workers;
	c.auth.failures_max = how.failures_max;
	c.auth.failure_window = how.window_s;
	send_snapshot(&c, generation);
}

static inline void
auth_main(struct room *room, char **argv)
{
	static struct sandbox_run	run = { .nofile = AUTH_NOFILE };

	secure_open();
	room_open(room, ROOM_AUTH, 1, argv, &auth_room_ops, NULL);
	auth_open(room);
	room_sandbox(room, &auth_sandbox, &run);
	room_run(room);
}

static const struct daemon_kit	kit = { .room = ROOM_AUTH, .peer_role = ROLE_SUBMISSION, .main = auth_main };

static inline void
daemon_start(void)
{
	const char	*log = getenv("AUTH_TEST_LOG");

	daemon_fork();
	send_secret(1, SECRET_TABLE, table);
	send_conf(1);
	send_use(1);
	daemon_go(1, open(log != NULL ? log : "/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC));
}

/* ---- an smtpd's side ---- */

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
	struct rd	rd;
	int		err = peer_receive(p, IPC_SASL_ANSWER, &rd);

	return (err != E_OK ? err : ipc_unpack_sasl_answer(&rd, m));
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

	if (scram_derive(&e, slice_str("pencil")) != E_OK || kit_open() != 0)
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
	return (kit_close());
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
