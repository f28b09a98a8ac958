/*
 * smtpd_tls_fuzz.c -- a client's octets, and what keys says or does not say, in any order while a handshake is under way.
 *
 * The real shell (conn.c, conn_tls.c, tls.c, tls_ask.c) on a pair of sockets.  The input is a list of steps:
 *
 *	0 n octets	the client sends them (at most 255)		4	keys answers its oldest question: garbage
 *	1 n x at	the next words of a real client, of which the	5	keys answers it: refused, busy or failed
 *			n-th octet behind at is changed by x		6	keys goes; 7 another comes
 *	2 n		the real client writes n octets of commands	8	another snapshot, 9 other ticket keys
 *	3		keys answers it rightly				10	the client goes
 *
 * Oracle: whatever comes, smtpd writes TLS records and nothing else on a listener with implicit TLS; and when the client has
 * gone, no handshake is counted, no signature awaited, nothing held and no connection left.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"
#include "smtpd/tls.h"

#define STEPS_MAX	64

int	LLVMFuzzerInitialize(int *, char ***);
int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct smtpd		 d;
static struct room		 room;
static struct listener		 listener;
static struct conf		 conf;
static struct conf_listener	 conf_listener;
static struct conf_cert		 certs[2];
static EVP_PKEY			*keys[2];
static SSL_CTX			*client;
static uint64_t			 generation, noise;

static struct {
	int		 fd, keys;		/* our ends; -1 */
	uint32_t	 keys_seq;
	struct ipc_sync	 in;
	struct ipc_sign	 asked[64];
	uint8_t		 tbs[64][TBS_MAX];
	size_t		 first, n;
	SSL		*ssl;
	size_t		 head, body;		/* of the record that is being read: octets of it seen, and to come */
	uint8_t		 header[5];
} now;

/* The same input, the same octets. */
static int
not_random(unsigned char *p, int n)
{
	for (int i = 0; i < n; i++) {
		noise = noise * 6364136223846793005u + 1442695040888963407u;
		p[i] = (unsigned char)(noise >> 56);
	}
	return (1);
}

static int
status(void)
{
	return (1);
}

static void
must(int ok)
{
	if (!ok)
		abort();
}

static void
certificate(struct conf_cert *c, EVP_PKEY *k, const char *section, const char *const *names)
{
	X509		*x = X509_new();
	unsigned char	*der = NULL;
	int		 n = 0;

	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, k);
	must(X509_sign(x, k, EVP_sha256()) > 0 && (n = i2d_X509(x, &der)) > 0);
	X509_free(x);
	c->name = section;
	c->certificate_path = c->key_path = "/pem";
	c->chain = slice_make((char *)der, (size_t)n);
	c->nnames = 1;
	c->names = (const char **)(uintptr_t)names;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const RAND_METHOD	method = { .bytes = not_random, .pseudorand = not_random, .status = status };
	static const char *const	first[] = { "mx.example.org" }, *const second[] = { "*.example.net" };
	struct ipc_ticket_keys		t = { .n = 1 };

	log_use(LOG_TO_STDERR, open("/dev/null", O_WRONLY | O_CLOEXEC));
	must(RAND_set_rand_method(&method) == 1);
	keys[0] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	certificate(&certs[0], keys[0], "mx.example.org", first);
	must((keys[1] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")) != NULL);
	certificate(&certs[1], keys[1], "other.example.net", second);
	conf = (struct conf){ .hostname = "mx.example.org", .message_size_limit = 1000, .nlisteners = 1,
	    .listeners = &conf_listener, .ncerts = 2, .certs = certs, .tls_level = TLS_INTERMEDIATE };
	conf_listener = (struct conf_listener){ .name = "mx", .path = "", .connections = 10, .per_address = 10,
	    .per_prefix = 10, .tls = LISTEN_IMPLICIT };
	conf.smtpd.command_timeout = conf.smtpd.data_timeout = 300;
	conf.smtpd.errors_max = conf.smtpd.commands_max = 100;
	conf.smtpd.rcpt_max = 10;
	room.conf = &conf;
	must(uv_loop_init(&room.loop) == 0);
	room.arg = &d;
	smtpd_init(&d, &room);
	must(tls_prepare(&conf, ++generation) == E_OK);
	tls_use();
	tls_tickets(&t);
	listener = (struct listener){ .d = &d, .conf = &conf_listener, .max = 10, .per_address = 10, .per_prefix = 10,
	    .name = "mx" };
	client = SSL_CTX_new(TLS_client_method());
	return (0);
}

/* ---- keys ---- */

static int
on_question(void *arg, enum ipc_type type, struct rd *r)
{
	size_t	at = (now.first + now.n) % 64;

	must(type == IPC_SIGN && ipc_unpack_sign(r, &now.asked[at]) == E_OK && now.n < 64);
	memcpy(now.tbs[at], now.asked[at].tbs.p, now.asked[at].tbs.n);
	now.asked[at].tbs.p = (char *)now.tbs[at];
	now.n++;
	return (E_OK);
}

static void
keys_listen(void)
{
	static uint8_t	dg[IPC_DATAGRAM_MAX];
	ssize_t		n;

	while (now.keys != -1 && (n = recv(now.keys, dg, sizeof(dg), MSG_DONTWAIT)) > 0)
		must(ipc_split(dg, (size_t)n, ROOM_SMTPD, ROOM_KEYS, 0, &now.in.seq, on_question, NULL) == E_OK);
}

static void
keys_close(void)
{
	if (now.keys != -1)
		close(now.keys);
	now.keys = -1;
	now.first = now.n = 0;
}

static void
keys_open(void)
{
	struct ipc_channel	m = { .room = ROOM_KEYS };
	int			fds[2];

	keys_close();
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	now.keys = fds[0];
	now.keys_seq = 0;
	memset(&now.in, 0, sizeof(now.in));
	peer_open(&d, &m, fds[1]);
}

static void
keys_answer(unsigned how)
{
	uint8_t			 buf[2048], sig[SIGNATURE_MAX] = { 0 };
	struct ipc_sign		*q = &now.asked[now.first];
	struct ipc_signed	 s = { .id = q->id, .status = how <= SIGN_FAILED ? (uint8_t)how : SIGN_DONE };
	EVP_MD_CTX		*md = EVP_MD_CTX_new();
	size_t			 len = sizeof(sig);
	struct wr		 w;

	if (now.n != 0) {
		must(q->key < 2);
		if (how == SIGN_DONE)
			must(EVP_DigestSignInit_ex(md, NULL, q->scheme >> 8 == 4 ? "SHA256" : q->scheme >> 8 == 5 ? "SHA384" : "SHA512",
			    NULL, NULL, keys[q->key], NULL) == 1 &&
			    EVP_DigestSign(md, sig, &len, (const unsigned char *)q->tbs.p, q->tbs.n) == 1);
		if (s.status == SIGN_DONE)
			s.signature = slice_make((char *)sig, len);
		wr_init(&w, buf, sizeof(buf));
		ipc_pack_signed(&w, &s);
		(void)ipc_send_sync(now.keys, &now.keys_seq, IPC_SIGNED, buf, w.len, -1);
		now.first = (now.first + 1) % 64;
		now.n--;
	}
	EVP_MD_CTX_free(md);
}

/* ---- the client ---- */

/* RFC 8446 5.1, RFC 5246 6.2: a type, a version, a length. */
static void
records(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (now.body != 0) {
			now.body--;
			continue;
		}
		now.header[now.head++] = p[i];
		must(now.header[0] >= 20 && now.header[0] <= 23 && (now.head < 2 || now.header[1] == 3));
		if (now.head == 5) {
			now.body = (size_t)(now.header[3] << 8 | now.header[4]);
			must(now.body != 0 && now.body <= 16384 + 256);
			now.head = 0;
		}
	}
}

static void
turn(void)
{
	static uint8_t	buf[65536];
	ssize_t		n;

	for (int i = 0; i < 3; i++) {
		uv_run(&room.loop, UV_RUN_NOWAIT);
		ipc_flush_all();
		keys_listen();
	}
	must(d.tls_out.len == 0 && d.out.len == 0);
	while (now.fd != -1 && (n = recv(now.fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		records(buf, (size_t)n);
		(void)BIO_write(SSL_get_rbio(now.ssl), buf, (int)n);
	}
}

static void
client_says(const uint8_t *p, size_t n)
{
	if (now.fd != -1)
		(void)send(now.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
client_sends(unsigned n, unsigned x, unsigned at)
{
	static uint8_t	buf[65536];
	int		len = BIO_read(SSL_get_wbio(now.ssl), buf, sizeof(buf));

	if (len <= 0)
		return;
	if (x != 0)
		buf[(at * 256 + n) % (unsigned)len] ^= (uint8_t)x;
	client_says(buf, (size_t)len);
}

static void
client_close(void)
{
	if (now.fd != -1)
		close(now.fd);
	now.fd = -1;
}

static void
begin(uint8_t how)
{
	static char	own[] = "mx.example.org", other[] = "a.example.net";
	char		*name = (how & 4) != 0 ? other : own;
	struct client	who = { .local = 1, .uid = 1 };
	int		fds[2];

	memset(&now, 0, sizeof(now));
	now.keys = -1;
	noise = how;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	now.fd = fds[0];
	now.ssl = SSL_new(client);
	SSL_set_bio(now.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(now.ssl);
	if ((how & 1) != 0)
		SSL_set_max_proto_version(now.ssl, TLS1_2_VERSION);
	if ((how & 6) != 0)
		must(SSL_set_tlsext_host_name(now.ssl, name) == 1);
	keys_open();
	conn_open(&listener, fds[1], &who);
}

static void
end(void)
{
	uint32_t	i = 0;

	client_close();
	turn();
	/* One that is awaited is not read from: keys' end, or its time, is that connection's. */
	keys_close();
	for (int n = 0; n < 8; n++)
		turn();
	must(d.conns == NULL && d.nhandshakes == 0 && d.held_total == 0 && slots_next(&d.signs, &i) == NULL);
	SSL_free(now.ssl);
	ERR_clear_error();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char	commands[] = "EHLO a.example\r\nNOOP\r\nMAIL FROM:<>\r\nSTARTTLS\r\nEHLO b\r\nRSET\r\nHELP\r\nNOOP\r\n"
	    "VRFY a\r\nNOOP\r\nSTARTTLS\r\nNOOP\r\nNOOP\r\nEHLO c\r\nQUIT\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n"
	    "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n";
	const uint8_t		*p = data, *e = data + size;
	struct ipc_ticket_keys	 t = { .n = 2 };
	size_t			 n;
	int			 steps;

	if (size == 0)
		return (0);
	begin(*p++);
	turn();
	for (steps = 0; p < e && steps < STEPS_MAX; steps++) {
		(void)SSL_do_handshake(now.ssl);
		ERR_clear_error();
		switch (*p++ % 11) {
		case 0:
			n = p < e ? *p++ : 0;
			n = n < (size_t)(e - p) ? n : (size_t)(e - p);
			client_says(p, n);
			p += n;
			break;
		case 1:
			if (e - p >= 3)
				client_sends(p[0], p[1], p[2]);
			p = e - p >= 3 ? p + 3 : e;
			break;
		case 2:
			n = p < e ? *p++ : 0;
			(void)SSL_write(now.ssl, commands, (int)(n < sizeof(commands) - 1 ? n : sizeof(commands) - 1));
			client_sends(0, 0, 0);
			break;
		case 3:
			keys_answer(SIGN_DONE);
			break;
		case 4:
			keys_answer(99);
			break;
		case 5:
			keys_answer(p < e ? 1 + *p++ % 3 : 1);
			break;
		case 6:
			keys_close();
			break;
		case 7:
			keys_open();
			break;
		case 8:
			must(tls_prepare(&conf, ++generation) == E_OK);
			tls_use();
			conn_conf(&d);
			break;
		case 9:
			memset(t.key, p < e ? *p++ : 0, sizeof(t.key));
			tls_tickets(&t);
			break;
		default:
			client_close();
			break;
		}
		turn();
	}
	end();
	return (0);
}
