/*
 * process_test.c -- the whole daemon in a child, with its real sandbox, and this test as master and as two smtpd:
 * what is signed and what not, fairness, limits, bad peers, reloads with keys that fit and that do not.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/mman.h>

#include "keys/key.h"
#include "keys/keys.h"
#include "tests/common/daemon_kit.h"
#include "tests/keys/key_kit.h"

#define ECDSA_P256	0x0403
#define RSA_PSS_256	0x0804

static const char	cert_verify[] =
	"                                                                "
	"TLS 1.3, server CertificateVerify\0hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh";
#define TBS		slice_make(cert_verify, sizeof(cert_verify) - 1)

static EVP_PKEY		*ec, *rsa, *other;
static int		 daemon_log = -1;

/* ---- master's side ---- */

static int
file_of(EVP_PKEY *k)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	char	*p;
	long	 n;
	int	 fd = memfd_create("key", MFD_CLOEXEC);

	assert_int_equal(PEM_write_bio_PrivateKey(bio, k, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &p);
	assert_true(fd != -1 && write(fd, p, (size_t)n) == n && lseek(fd, 0, SEEK_SET) == 0);
	BIO_free(bio);
	return (fd);
}

static void
send_key(uint64_t generation, uint16_t index, EVP_PKEY *k)
{
	struct ipc_key	m = { .generation = generation, .index = index };
	int		fd = file_of(k);

	SEND(master, &master_seq, KEY, key, &m, fd);
	close(fd);
}

/* A snapshot with certificates for these keys; the chains are only looked at from outside. */
static void
send_conf(uint64_t generation, EVP_PKEY **k, size_t n)
{
	static char		 der[] = "\x30\x02\x05\x00";
	struct conf_cert	 certs[2];
	struct conf		 c;

	conf_plain(&c);
	memset(certs, 0, sizeof(certs));
	c.ncerts = n;
	c.certs = certs;
	for (size_t i = 0; i < n; i++) {
		certs[i] = (struct conf_cert){ .name = "mx.test", .certificate_path = "/c.pem", .key_path = "/k.pem",
		    .chain = slice_make(der, 4) };
		spki(k[i], certs[i].spki);
	}
	send_snapshot(&c, generation);
}

static void
keys_main(struct room *room, char **argv)
{
	static struct sandbox_run	run;

	room_open(room, ROOM_KEYS, 1, argv, &keys_room_ops, NULL);
	keys_open(room);
	room_sandbox(room, &keys_sandbox, &run);
	room_run(room);
}

static const struct daemon_kit	kit = { .room = ROOM_KEYS, .main = keys_main };

/* Keys 0 (EC) and 1 (RSA), generation 1. */
static void
daemon_start(void)
{
	EVP_PKEY	*k[] = { ec, rsa };

	daemon_fork();
	send_key(1, 0, ec);
	send_key(1, 1, rsa);
	send_conf(1, k, 2);
	send_use(1);
	daemon_go(1, daemon_log != -1 ? dup(daemon_log) : open("/dev/null", O_WRONLY | O_CLOEXEC));
}

/* ---- an smtpd's side ---- */

static uint32_t
ask(struct peer *p, uint64_t generation, uint16_t key, uint16_t scheme, struct slice tbs)
{
	struct ipc_sign	m = { .id = ++p->id, .generation = generation, .key = key, .scheme = scheme, .tbs = tbs };

	SEND(p->fd, &p->seq, SIGN, sign, &m, -1);
	return (m.id);
}

static int
answer(struct peer *p, struct ipc_signed *m)
{
	struct rd	rd;
	int		err = peer_receive(p, IPC_SIGNED, &rd);

	return (err != E_OK ? err : ipc_unpack_signed(&rd, m));
}

static int
asked(struct peer *p, uint64_t generation, uint16_t key, uint16_t scheme, struct slice tbs, struct ipc_signed *m)
{
	uint32_t	id = ask(p, generation, key, scheme, tbs);

	assert_int_equal(answer(p, m), E_OK);
	assert_int_equal(m->id, id);
	return (m->status);
}

static int
verifies(EVP_PKEY *k, struct slice signature)
{
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	int		 ok = EVP_DigestVerifyInit_ex(m, NULL, "SHA256", NULL, NULL, k, NULL) == 1 &&
	    EVP_DigestVerify(m, (const unsigned char *)signature.p, signature.n,
	    (const unsigned char *)cert_verify, sizeof(cert_verify) - 1) == 1;

	EVP_MD_CTX_free(m);
	return (ok);
}

/* ---- tests ---- */

static void
signs_and_refuses(void **state)
{
	static const struct { uint64_t generation; uint16_t key, scheme; const char *tbs; } refused[] = {
		{ 1, 0, ECDSA_P256, "anything else" },
		{ 1, 0, RSA_PSS_256, NULL },		/* not this key's */
		{ 1, 1, 0x0401, NULL },			/* PKCS 1 in TLS 1.3 */
		{ 1, 0, 0xffff, NULL },
		{ 1, 2, ECDSA_P256, NULL },		/* no such key */
		{ 1, CERTS_MAX - 1, ECDSA_P256, NULL },
		{ 0, 0, ECDSA_P256, NULL },		/* no such generation */
		{ 2, 0, ECDSA_P256, NULL },
		{ UINT64_MAX, 0, ECDSA_P256, NULL },
	};
	struct peer		p;
	struct ipc_signed	m;
	uint64_t		count[8];
	size_t			i, n = sizeof(refused) / sizeof(refused[0]);

	(void)state;
	daemon_start();
	peer_open(&p, 0);
	assert_int_equal(asked(&p, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	assert_true(verifies(ec, m.signature));
	assert_int_equal(asked(&p, 1, 1, RSA_PSS_256, TBS, &m), SIGN_DONE);
	assert_int_equal(m.signature.n, 256);
	for (i = 0; i < n; i++)
		assert_int_equal(asked(&p, refused[i].generation, refused[i].key, refused[i].scheme,
		    refused[i].tbs != NULL ? slice_str(refused[i].tbs) : TBS, &m), SIGN_REFUSED);
	assert_int_equal(asked(&p, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	counters(count);
	assert_int_equal(count[COUNT_SIGNED], 3);
	assert_int_equal(count[COUNT_REFUSED], n);
	assert_int_equal(count[COUNT_KEYS], 2);
	close(p.fd);
	daemon_stop();
}

/* R2: what is no message costs its sender the channel, and nobody else anything. */
static void
garbage(void **state)
{
	struct peer		bad, good;
	struct ipc_signed	m;
	struct ipc_channel	who;
	struct rd		rd;

	(void)state;
	daemon_start();
	peer_open(&bad, 0);
	peer_open(&good, 1);
	ask(&bad, 1, 1, RSA_PSS_256, TBS);	/* waits, or not, when its sender is cut off */
	assert_int_equal(send(bad.fd, "garbage", 7, MSG_NOSIGNAL), 7);
	master_expect(IPC_PEER_BROKEN, &rd);
	assert_int_equal(ipc_unpack_channel(&rd, &who), E_OK);
	assert_int_equal(who.room, ROOM_SMTPD);
	assert_int_equal(who.instance, 0);
	assert_int_equal(asked(&good, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	close(bad.fd);
	/* A new channel, and one that leaves with requests open. */
	peer_open(&bad, 0);
	assert_int_equal(asked(&bad, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	for (int i = 0; i < 100; i++)
		ask(&bad, 1, 1, RSA_PSS_256, TBS);
	close(bad.fd);
	assert_int_equal(asked(&good, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	close(good.fd);
	daemon_stop();
}

/* One that asks for more than may wait hears so at once; all it asked for is answered, in order of the taken. */
static void
flood(void **state)
{
	static uint8_t		seen[3 * SIGN_WAITING_MAX + 1];
	struct peer		p, other_peer;
	struct ipc_signed	m;
	size_t			i, n, done = 0, busy = 0;

	(void)state;
	daemon_start();
	peer_open(&p, 0);
	peer_open(&other_peer, 1);
	assert_int_equal(asked(&other_peer, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	assert_int_equal(kill(pid, SIGSTOP), 0);	/* so that they all are there at once */
	for (i = 0; i < 2 * SIGN_WAITING_MAX; i++) {
		struct pollfd w = { p.fd, POLLOUT, 0 };

		if (poll(&w, 1, 0) != 1)
			break;			/* the kernel holds no more: this much is a flood already */
		ask(&p, 1, 1, RSA_PSS_256, TBS);
	}
	n = i;
	assert_true(n > 100);
	ask(&other_peer, 1, 0, ECDSA_P256, TBS);
	assert_int_equal(kill(pid, SIGCONT), 0);
	/* The other's one signature does not wait for all of them. */
	assert_int_equal(answer(&other_peer, &m), E_OK);
	assert_int_equal(m.status, SIGN_DONE);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	for (i = 0; i < n && poll(&(struct pollfd){ p.fd, POLLIN, 0 }, 1, 0) == 1; i++) {
		assert_int_equal(answer(&p, &m), E_OK);
		assert_true(m.id >= 1 && m.id <= n && seen[m.id]++ == 0);
		if (m.status == SIGN_DONE)
			done++;
		else
			busy++;
	}
	print_message("%zu at once, %zu before the other's\n", n, done);
	assert_true(done < n / 2);
	assert_int_equal(kill(pid, SIGCONT), 0);
	for (i = n; i < 3 * SIGN_WAITING_MAX; i++)
		ask(&p, 1, 1, RSA_PSS_256, TBS);
	while (done + busy < 3 * SIGN_WAITING_MAX) {
		assert_int_equal(answer(&p, &m), E_OK);
		assert_true(m.id >= 1 && m.id <= 3 * SIGN_WAITING_MAX && seen[m.id]++ == 0);
		assert_true(m.status == SIGN_DONE || m.status == SIGN_BUSY);
		if (m.status == SIGN_DONE)
			done++;
		else
			busy++;
	}
	assert_true(done >= SIGN_WAITING_MAX);
	assert_true(busy > 0);
	/* And then it is served as before. */
	assert_int_equal(asked(&p, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	close(p.fd);
	close(other_peer.fd);
	daemon_stop();
}

/* What is refused is told once in a second, whatever a broken-into smtpd asks for (G6). */
static void
refused_in_the_log(void **state)
{
	struct peer		p;
	struct ipc_signed	m;
	char			text[65536];
	const char		*at;
	uint64_t		began;
	size_t			len;
	ssize_t			n;
	int			i, lines = 0, fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	daemon_log = fds[1];
	began = uv_hrtime();
	daemon_start();
	peer_open(&p, 0);
	for (i = 0; i < 3000; i++)
		assert_int_equal(asked(&p, 1, 0, ECDSA_P256, slice_str("anything else"), &m), SIGN_REFUSED);
	assert_int_equal(asked(&p, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	close(p.fd);
	daemon_stop();
	close(fds[1]);
	daemon_log = -1;
	for (len = 0; (n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0; len += (size_t)n)
		;
	text[len] = '\0';
	close(fds[0]);
	for (at = text; (at = strstr(at, "refused to sign")) != NULL; at++)
		lines++;
	assert_in_range(lines, 1, 2 + (uv_hrtime() - began) / 1000000000);
}

/* More than SIGN_RATE_MAX in a second wait for the next; another peer has a rate of its own. */
static void
rate(void **state)
{
	struct peer		p, other_peer;
	struct ipc_signed	m;
	int64_t			begin, took;
	uint32_t		sent = 0, got = 0;

	(void)state;
	daemon_start();
	peer_open(&p, 0);
	peer_open(&other_peer, 1);
	assert_int_equal(asked(&p, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	begin = now_ms();
	/* A refusal costs a place as a signature does, and little else. */
	while (got < SIGN_RATE_MAX + 1) {
		for (; sent < SIGN_RATE_MAX + 1 && sent - got < 32; sent++)
			ask(&p, 1, 1, 0xffff, TBS);
		assert_int_equal(answer(&p, &m), E_OK);
		assert_int_equal(m.status, SIGN_REFUSED);
		if (++got == SIGN_RATE_MAX - 64)
			assert_int_equal(asked(&other_peer, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	}
	took = now_ms() - begin;
	assert_true(took >= 900);
	close(p.fd);
	close(other_peer.fd);
	daemon_stop();
}

/* G8: all keys of a snapshot or none; the old ones serve until it is in force, and for handshakes under way after it. */
static void
reload(void **state)
{
	EVP_PKEY		*one[] = { other }, *swapped[] = { rsa, ec };
	struct peer		p;
	struct ipc_signed	m;
	uint32_t		id;

	(void)state;
	daemon_start();
	peer_open(&p, 0);

	/* A pair that does not fit, and a key that was not sent. */
	send_key(2, 0, ec);
	send_conf(2, one, 1);
	expect_ready(2, E_NOTFOUND, "key /k.pem of tls \"mx.test\" (certificate /c.pem): not the certificate's key");
	send_conf(3, one, 1);
	expect_ready(3, E_NOTFOUND, "was not handed over");
	assert_int_equal(asked(&p, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	assert_int_equal(asked(&p, 2, 0, ECDSA_P256, TBS, &m), SIGN_REFUSED);
	assert_int_equal(asked(&p, 3, 0, ECDSA_P256, TBS, &m), SIGN_REFUSED);

	/* One that fits, while requests wait. */
	send_key(4, 0, other);
	send_conf(4, one, 1);
	expect_ready(4, E_OK, "");
	for (int i = 0; i < 50; i++)
		id = ask(&p, 1, 1, RSA_PSS_256, TBS);
	send_use(4);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(answer(&p, &m), E_OK);
		assert_int_equal(m.status, SIGN_DONE);
	}
	assert_int_equal(m.id, id);
	assert_int_equal(asked(&p, 4, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	assert_true(verifies(other, m.signature));
	assert_false(verifies(ec, m.signature));
	assert_int_equal(asked(&p, 1, 0, ECDSA_P256, TBS, &m), SIGN_DONE);	/* the one before */
	assert_true(verifies(ec, m.signature));

	/* In another order; the first of all is forgotten now. */
	send_key(5, 0, rsa);
	send_key(5, 1, ec);
	send_conf(5, swapped, 2);
	expect_ready(5, E_OK, "");
	send_use(5);
	assert_int_equal(asked(&p, 5, 1, ECDSA_P256, TBS, &m), SIGN_DONE);
	assert_int_equal(asked(&p, 4, 0, ECDSA_P256, TBS, &m), SIGN_DONE);
	assert_int_equal(asked(&p, 1, 0, ECDSA_P256, TBS, &m), SIGN_REFUSED);
	close(p.fd);
	daemon_stop();
}

/* At the start there is nothing to stay in force: it says why, and leaves. */
static void
bad_start(void **state)
{
	EVP_PKEY	*k[] = { ec };
	int		 status;

	(void)state;
	daemon_fork();
	send_key(1, 0, rsa);
	send_conf(1, k, 1);
	send_use(1);
	expect_ready(1, E_NOTFOUND, "not the certificate's key");
	status = daemon_end();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

/* R10: locked, and no other process of its user may look at it. */
static void
memory(void **state)
{
	(void)state;
	daemon_start();
	expect_closed_memory(4096);
	daemon_stop();
}

static int
make_keys(void **state)
{
	(void)state;
	ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	return (ec == NULL || rsa == NULL || other == NULL ? -1 : kit_open());
}

static int
free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(ec);
	EVP_PKEY_free(other);
	EVP_PKEY_free(rsa);
	return (kit_close());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_and_refuses), cmocka_unit_test(garbage), cmocka_unit_test(flood), cmocka_unit_test(rate),
		cmocka_unit_test(refused_in_the_log),
		cmocka_unit_test(reload), cmocka_unit_test(bad_start), cmocka_unit_test(memory),
	};

	return (cmocka_run_group_tests(tests, make_keys, free_keys));
}
