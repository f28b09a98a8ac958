/*
 * keys_channel_fuzz.c -- what a broken-into smtpd may send to keys: whole datagrams, over the real channel into the real handler.
 *
 * The input is a list of steps: 0 n octets: a datagram of these; 1 scheme(2) key generation n octets: a SIGN of these fields, well
 * packed; 2 another channel; 3 the end of the channel; 4 another snapshot with the same keys; 5 a turn of the loop.
 *
 * Oracle: every answer is one of the table; SIGN_DONE only for a question that tbs_check() takes for a key and a snapshot that
 * there are, and then the signature is one that the public half verifies.
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "keys/key.h"
#include "keys/keys.h"
#include "keys/tbs.h"

#define STEPS_MAX	32
#define KEYS		2

int	LLVMFuzzerInitialize(int *, char ***);
const char *__asan_default_options(void);
int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct room	 room;
static struct conf	 conf;
static struct conf_cert	 certs[KEYS];
static EVP_PKEY		*keys[KEYS];
static uint64_t		 generation;

static struct {
	int		 fd;
	uint32_t	 seq, instance;
	struct ipc_sync	 in;
	struct ipc_sign	 asked[STEPS_MAX];	/* by id; len 0: not asked in this form */
	uint8_t		 tbs[STEPS_MAX][TBS_MAX];
	uint32_t	 n;
} now;

/* It does not see OpenSSL's secure heap, and takes for lost what hangs on the keys there. */
const char *
__asan_default_options(void)
{
	return ("detect_leaks=0");
}

static void
must(int ok)
{
	if (!ok)
		abort();
}

/* All keys of another snapshot, as master brings it. */
static void
snapshot(void)
{
	struct ipc_key	m = { .generation = ++generation };
	unsigned char	*der = NULL;
	size_t		 i;
	FILE		*f;
	int		 fd, n;

	for (i = 0; i < KEYS; i++) {
		must((fd = memfd_create("key", MFD_CLOEXEC)) != -1 && (f = fdopen(dup(fd), "w")) != NULL);
		must(PEM_write_PrivateKey(f, keys[i], NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
		must(lseek(fd, 0, SEEK_SET) == 0);
		m.index = (uint16_t)i;
		keys_room_ops.key(&room, &m, fd);
		der = NULL;
		must((n = i2d_PUBKEY(keys[i], &der)) > 0);
		must(EVP_Digest(der, (size_t)n, certs[i].spki, NULL, EVP_sha256(), NULL) == 1);
		OPENSSL_free(der);
	}
	must(keys_room_ops.check(&room, &conf, generation) == E_OK);
	keys_room_ops.conf(&room, &conf);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	size_t	i;

	log_use(LOG_TO_STDERR, open("/dev/null", O_WRONLY | O_CLOEXEC));
	keys[0] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	keys[1] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	for (i = 0; i < KEYS; i++)
		certs[i] = (struct conf_cert){ .name = "mx.test", .certificate_path = "/c", .key_path = "/k" };
	conf = (struct conf){ .ncerts = KEYS, .certs = certs };
	must(uv_loop_init(&room.loop) == 0);
	room.conf = &conf;
	room.self = ROOM_KEYS;
	keys_open(&room);
	snapshot();
	return (0);
}

static void
leave(void)
{
	if (now.fd != -1)
		close(now.fd);
	now.fd = -1;
}

static void
enter(void)
{
	struct ipc_channel	m = { .room = ROOM_SMTPD, .instance = 0 };
	int			fds[2];

	leave();
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	now.fd = fds[0];
	now.seq = 0;
	now.n = 0;
	memset(&now.in, 0, sizeof(now.in));
	memset(now.asked, 0, sizeof(now.asked));
	keys_room_ops.peer(&room, &m, fds[1]);
}

/* ---- answers ---- */

static int
verifies(const struct ipc_sign *q, struct slice sig)
{
	static const char *const md[] = { "SHA256", "SHA384", "SHA512" };
	const struct tbs_scheme	*s = tbs_scheme(q->scheme);
	EVP_MD_CTX		*m = EVP_MD_CTX_new();
	EVP_PKEY_CTX		*p = NULL;
	unsigned		 hash = s->pss ? (q->scheme & 0xff) - 4u : (q->scheme >> 8) - 4u;
	int			 ok;

	ok = hash < 3 && EVP_DigestVerifyInit_ex(m, &p, md[hash], NULL, NULL, keys[q->key], NULL) == 1;
	if (ok && s->pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1;
	ok = ok && EVP_DigestVerify(m, (const unsigned char *)sig.p, sig.n, (const unsigned char *)q->tbs.p, q->tbs.n) == 1;
	EVP_MD_CTX_free(m);
	return (ok);
}

static int
on_answer(void *arg, enum ipc_type type, struct rd *r)
{
	struct ipc_signed	 m;
	const struct ipc_sign	*q;

	must(type == IPC_SIGNED && ipc_unpack_signed(r, &m) == E_OK);
	if (m.status != SIGN_DONE)
		return (E_OK);
	/* An id of the input's own datagrams is no proof; those that were packed here are above all it can pack. */
	if (m.id < 0xffff0000u)
		return (E_OK);
	must(m.id - 0xffff0000u < now.n);
	q = &now.asked[m.id - 0xffff0000u];
	must(q->key < KEYS && q->generation != 0 && q->generation <= generation && q->generation + 2 > generation);
	must(tbs_scheme(q->scheme) != NULL && tbs_check(tbs_scheme(q->scheme), q->tbs) == E_OK && verifies(q, m.signature));
	return (E_OK);
}

static void
turn(void)
{
	static uint8_t	dg[IPC_DATAGRAM_MAX];
	ssize_t		n;

	for (int i = 0; i < 4; i++) {
		uv_run(&room.loop, UV_RUN_NOWAIT);
		ipc_flush_all();
	}
	while (now.fd != -1 && (n = recv(now.fd, dg, sizeof(dg), MSG_DONTWAIT)) > 0)
		must(ipc_split(dg, (size_t)n, ROOM_KEYS, ROOM_SMTPD, 0, &now.in.seq, on_answer, NULL) == E_OK);
}

static void
ask(uint16_t scheme, uint8_t key, uint8_t back, const uint8_t *p, size_t n)
{
	uint8_t		 buf[TBS_MAX + 64];
	struct ipc_sign	*q = &now.asked[now.n];
	struct wr	 w;

	if (n == 0 || now.n == STEPS_MAX || now.fd == -1)
		return;
	memcpy(now.tbs[now.n], p, n);
	*q = (struct ipc_sign){ .id = 0xffff0000u + now.n, .generation = generation - back % 4, .key = key, .scheme = scheme,
	    .tbs = slice_make(now.tbs[now.n], n) };
	now.n++;
	wr_init(&w, buf, sizeof(buf));
	ipc_pack_sign(&w, q);
	must(w.err == E_OK);
	(void)ipc_send_sync(now.fd, &now.seq, IPC_SIGN, buf, w.len, -1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t	*p = data, *e = data + size;
	size_t		 n;
	int		 steps;

	now.fd = -1;
	enter();
	for (steps = 0; p < e && steps < STEPS_MAX; steps++) {
		switch (*p++ % 6) {
		case 0:
			n = p < e ? *p++ : 0;
			n = n < (size_t)(e - p) ? n : (size_t)(e - p);
			if (now.fd != -1 && n != 0)
				(void)send(now.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
			p += n;
			break;
		case 1:
			if (e - p < 5) {
				p = e;
				break;
			}
			n = p[4] < e - p - 5 ? p[4] : (size_t)(e - p - 5);
			ask((uint16_t)(p[0] << 8 | p[1]), p[2], p[3], p + 5, n);
			p += 5 + n;
			break;
		case 2:
			enter();
			break;
		case 3:
			leave();
			break;
		case 4:
			snapshot();
			break;
		default:
			turn();
			break;
		}
	}
	turn();
	leave();
	turn();
	return (0);
}
