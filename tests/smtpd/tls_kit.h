/*
 * tls_kit.h -- for tests of TLS: certificates, a keys process played by the test, and a client that never waits for both.
 */
#ifndef TESTS_SMTPD_TLS_KIT_H
#define TESTS_SMTPD_TLS_KIT_H

#include "tests/smtpd/bed.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

enum { KEY_RSA, KEY_EC, KEY_OTHER, KEYS };

enum answer { ANSWER, ANSWER_LATER, ANSWER_REFUSED, ANSWER_BUSY, ANSWER_WRONG };

struct kit {
	struct bed	*b;
	EVP_PKEY	*key[KEYS];
	int		 keys;		/* our end of the channel; -1 */
	uint32_t	 keys_seq;
	struct ipc_sync	*in;
	enum answer	 how;
	unsigned	 asked;
	uint64_t	 last_generation;
	struct ipc_sign	 later;		/* the question that is not answered yet */
	uint8_t		 later_tbs[TBS_MAX];
};

struct peer {				/* a client under TLS */
	int		 fd;
	SSL		*ssl;
};

static struct kit	 kit;
static SSL_CTX		*kit_client;
static struct conf_cert	 kit_certs[KEYS];
static unsigned		 kit_ncerts;
static enum listener_tls kit_tls;
static enum tls_level	 kit_level;
static uint32_t		 kit_many;	/* connections that are allowed; 0: the usual */

static inline void
kit_certificate(struct conf_cert *c, EVP_PKEY *k, const char *section, const char *name)
{
	X509			*x = X509_new();
	X509_NAME		*n = X509_get_subject_name(x);
	X509_EXTENSION		*e;
	char			 san[300];
	static const char	*names[KEYS];
	static unsigned		 used;
	unsigned char		*der = NULL;
	int			 len;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, k);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, n);
	(void)snprintf(san, sizeof(san), "DNS:%s", name);
	assert_non_null(e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san));
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(x, k, EVP_sha256()) > 0);
	assert_true((len = i2d_X509(x, &der)) > 0);
	X509_free(x);
	memset(c, 0, sizeof(*c));
	c->name = section;
	c->certificate_path = "/cert.pem";
	c->key_path = "/key.pem";
	c->chain = slice_make((char *)der, (size_t)len);
	c->nnames = 1;
	names[used % KEYS] = name;
	c->names = &names[used++ % KEYS];
}

static inline void
kit_tweak(struct conf *c, struct conf_listener *l)
{
	l[MX].tls = kit_tls;
	if (kit_many != 0)
		l[MX].connections = l[MX].per_address = l[MX].per_prefix = kit_many;
	c->certs = kit_certs;
	c->ncerts = kit_ncerts;
	c->tls_level = kit_level;
}

static inline void
kit_new_keys(struct kit *k)
{
	struct ipc_channel	m = { .room = ROOM_KEYS };
	int			fds[2];

	pair(fds);
	if (k->keys != -1)
		close(k->keys);
	k->keys = fds[0];
	k->keys_seq = 0;
	memset(k->in, 0, sizeof(*k->in));
	k->in->passed = -1;
	TELL(k->b, CHANNEL, channel, &m, fds[1]);
	close(fds[1]);
}

static inline void
kit_sign(struct kit *k, const struct ipc_sign *m, enum answer how)
{
	static const struct { const char *md; uint16_t scheme; int pss; } schemes[] = {
		{ "SHA256", 0x0401, 0 }, { "SHA384", 0x0501, 0 }, { "SHA512", 0x0601, 0 }, { "SHA256", 0x0403, 0 },
		{ "SHA384", 0x0503, 0 }, { "SHA512", 0x0603, 0 }, { "SHA256", 0x0804, 1 }, { "SHA384", 0x0805, 1 },
		{ "SHA512", 0x0806, 1 },
	};
	static uint8_t		 buf[4096];
	uint8_t			 sig[SIGNATURE_MAX];
	struct ipc_signed	 s = { .id = m->id };
	struct wr		 w;
	EVP_MD_CTX		*md = EVP_MD_CTX_new();
	EVP_PKEY_CTX		*p;
	size_t			 i, len = sizeof(sig);

	if (how == ANSWER || how == ANSWER_WRONG) {
		for (i = 0; schemes[i].scheme != m->scheme; i++)
			assert_true(i + 1 < sizeof(schemes) / sizeof(schemes[0]));
		assert_int_equal(EVP_DigestSignInit_ex(md, &p, schemes[i].md, NULL, NULL, k->key[m->key], NULL), 1);
		if (schemes[i].pss) {
			EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
			EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
		}
		assert_int_equal(EVP_DigestSign(md, sig, &len, (const unsigned char *)m->tbs.p, m->tbs.n), 1);
		sig[len - 1] ^= how == ANSWER_WRONG;
		s.signature = slice_make((char *)sig, len);
	} else
		s.status = how == ANSWER_BUSY ? SIGN_BUSY : SIGN_REFUSED;
	EVP_MD_CTX_free(md);
	wr_init(&w, buf, sizeof(buf));
	ipc_pack_signed(&w, &s);
	assert_int_equal(ipc_send_sync(k->keys, &k->keys_seq, IPC_SIGNED, buf, w.len, -1), E_OK);
}

static inline int
kit_on_question(void *arg, enum ipc_type type, struct rd *r)
{
	struct kit	*k = arg;
	struct ipc_sign	 m;

	assert_int_equal(type, IPC_SIGN);
	assert_int_equal(ipc_unpack_sign(r, &m), E_OK);
	assert_true(m.key < KEYS);
	k->asked++;
	k->last_generation = m.generation;
	if (k->how == ANSWER_LATER) {
		k->later = m;
		memcpy(k->later_tbs, m.tbs.p, m.tbs.n);
		k->later.tbs.p = (char *)k->later_tbs;
	} else
		kit_sign(k, &m, k->how);
	return (E_OK);
}

/* What smtpd asks keys; waits for one datagram. */
static inline void
kit_keys_hear(struct kit *k)
{
	static uint8_t	dg[IPC_DATAGRAM_MAX];
	ssize_t		n = recv(k->keys, dg, sizeof(dg), 0);

	assert_true(n > 0);
	assert_int_equal(ipc_split(dg, (size_t)n, ROOM_SMTPD, ROOM_KEYS, 0, &k->in->seq, kit_on_question, k), E_OK);
}

/* Moves what waits between the client's OpenSSL and the socket, and serves keys meanwhile.  0 at the end of the connection. */
static inline int
kit_turn(struct kit *k, struct peer *p)
{
	static char	buf[32768];
	struct pollfd	pfd[2] = { { .fd = p->fd, .events = POLLIN }, { .fd = k->keys, .events = POLLIN } };
	int		n;

	while ((n = BIO_read(SSL_get_wbio(p->ssl), buf, sizeof(buf))) > 0)
		if (send(p->fd, buf, (size_t)n, MSG_NOSIGNAL) != n)
			return (0);
	assert_true(poll(pfd, 2, WAIT_S * 1000) > 0);
	if ((pfd[1].revents & POLLIN) != 0)
		kit_keys_hear(k);
	if (pfd[0].revents != 0) {
		if ((n = (int)recv(p->fd, buf, sizeof(buf), 0)) <= 0)
			return (0);
		assert_int_equal(BIO_write(SSL_get_rbio(p->ssl), buf, n), n);
	}
	return (1);
}

static inline struct peer
kit_peer(int fd, const char *name)
{
	struct peer	p = { .fd = fd, .ssl = SSL_new(kit_client) };

	SSL_set_bio(p.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(p.ssl);
	if (name != NULL)
		SSL_set_tlsext_host_name(p.ssl, name);
	return (p);
}

/* 1 if it succeeds, 0 if the server ends it. */
static inline int
kit_handshake(struct kit *k, struct peer *p)
{
	int	r, more = 1;

	while ((r = SSL_do_handshake(p->ssl)) != 1) {
		if (SSL_get_error(p->ssl, r) != SSL_ERROR_WANT_READ || !more) {
			ERR_clear_error();
			return (0);
		}
		more = kit_turn(k, p);
	}
	return (1);
}

static inline void
kit_say(struct kit *k, struct peer *p, const char *text)
{
	char	buf[32768];
	int	n;

	assert_int_equal(SSL_write(p->ssl, text, (int)strlen(text)), (int)strlen(text));
	while ((n = BIO_read(SSL_get_wbio(p->ssl), buf, sizeof(buf))) > 0)
		assert_int_equal(send(p->fd, buf, (size_t)n, MSG_NOSIGNAL), n);
}

/* One reply line into line[1024]; 0 at the end. */
static inline int
kit_line(struct kit *k, struct peer *p, char line[1024])
{
	size_t	n = 0;
	int	r;

	while (n < 1023 && (n == 0 || line[n - 1] != '\n')) {
		if ((r = SSL_read(p->ssl, line + n, 1)) == 1)
			n++;
		else if (SSL_get_error(p->ssl, r) != SSL_ERROR_WANT_READ || !kit_turn(k, p)) {
			ERR_clear_error();
			return (0);
		}
	}
	line[n] = '\0';
	return (1);
}

static inline void
kit_hear(struct kit *k, struct peer *p, const char *code)
{
	char	line[1024];

	do {
		if (!kit_line(k, p, line) || strncmp(line, code, strlen(code)) != 0)
			fail_msg("wanted %s, got \"%s\"", code, line);
	} while (strlen(code) == 3 && line[3] == '-');
}

static inline void
kit_leave(struct peer *p)
{
	SSL_free(p->ssl);
	close(p->fd);
}

static inline int
kit_setup(void **state)
{
	kit.keys = -1;
	kit.how = ANSWER;
	kit.asked = 0;
	if (kit.in == NULL)
		kit.in = calloc(1, sizeof(*kit.in));
	bed_tweak = kit_tweak;
	if (setup(state) != 0)
		return (-1);
	kit.b = *state;
	kit_new_keys(&kit);
	return (0);
}

static inline int
kit_teardown(void **state)
{
	if (kit.keys != -1)
		close(kit.keys);
	return (teardown(state));
}

static inline int
kit_open(void)
{
	kit.key[KEY_RSA] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	kit.key[KEY_EC] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	kit.key[KEY_OTHER] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	kit_certificate(&kit_certs[0], kit.key[KEY_RSA], "mx.example.org", "mx.example.org");
	kit_certificate(&kit_certs[1], kit.key[KEY_EC], "mx.example.org", "mx.example.org");
	kit_certificate(&kit_certs[2], kit.key[KEY_OTHER], "other.example.net", "*.example.net");
	kit_ncerts = KEYS;
	kit_tls = LISTEN_STARTTLS;
	kit_level = TLS_INTERMEDIATE;
	kit_client = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(kit_client, SSL_SESS_CACHE_OFF);	/* else a ticket of TLS 1.3 serves once */
	return (kit_client != NULL ? 0 : -1);
}

/* The name of the certificate that the server showed. */
static inline void
kit_shown(const struct peer *p, char dst[100], int *type)
{
	X509	*x = SSL_get1_peer_certificate(p->ssl);

	assert_non_null(x);
	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, dst, 100);
	*type = EVP_PKEY_get_base_id(X509_get0_pubkey(x));
	X509_free(x);
}

/* Up to the answer to STARTTLS. */
static inline int
kit_starttls(struct kit *k)
{
	int	fd = greeted(k->b);

	say(fd, "STARTTLS\r\n");
	hear(fd, "220 2.0.0");
	return (fd);
}

/* A setup with listeners of this kind at this level. */
static inline int
kit_setup_with(void **state, enum listener_tls tls, enum tls_level level)
{
	kit_tls = tls;
	kit_level = level;
	return (kit_setup(state));
}

static int
none(void **state)
{
	return (kit_setup_with(state, LISTEN_STARTTLS, TLS_INTERMEDIATE));
}

#endif
