/*
 * tls_test.c -- contexts, verification and sessions against OpenSSL's own server, in memory: what each policy takes of which
 * certificate, what is resumed and what is not, and how many sessions are kept.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "deliver/deliver_limits.h"
#include "deliver/tls.h"

#define NAME	"mx.example.net"

static struct { X509 *ca, *good, *name, *expired, *sha1, *small, *lone; EVP_PKEY *ca_key, *key, *small_key; } made;
static struct net_addr	here;

/* ---- certificates ---- */

static X509 *
issue(const char *name, EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const EVP_MD *md, long days)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509V3_CTX v;
	X509_EXTENSION *e;
	char san[128];

	assert_non_null(x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), -10 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(x), days * 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, ca != NULL ? X509_get_subject_name(ca) : X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	X509V3_set_ctx(&v, ca != NULL ? ca : x, x, NULL, NULL, 0);
	snprintf(san, sizeof(san), ca == NULL && ca_key == key ? "critical,CA:TRUE" : "DNS:%s", name);
	e = X509V3_EXT_conf_nid(NULL, &v, ca == NULL && ca_key == key ? NID_basic_constraints : NID_subject_alt_name, san);
	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	assert_int_not_equal(X509_sign(x, ca_key, md), 0);
	return (x);
}

static int
make_all(void **state)
{
	made.ca_key = EVP_EC_gen("P-256");
	made.key = EVP_EC_gen("P-256");
	made.small_key = EVP_RSA_gen(1024);
	made.ca = issue("the authority", made.ca_key, NULL, made.ca_key, EVP_sha256(), 10);
	made.good = issue(NAME, made.key, made.ca, made.ca_key, EVP_sha256(), 10);
	made.name = issue("other.example", made.key, made.ca, made.ca_key, EVP_sha256(), 10);
	made.expired = issue(NAME, made.key, made.ca, made.ca_key, EVP_sha256(), -1);
	made.sha1 = issue(NAME, made.key, made.ca, made.ca_key, EVP_sha1(), 10);
	made.small = issue(NAME, made.small_key, made.ca, made.ca_key, EVP_sha256(), 10);
	made.lone = issue(NAME, made.key, NULL, made.key, EVP_sha256(), 10);
	assert_int_equal(net_addr_parse(&here, SLICE_LIT("192.0.2.1")), E_OK);
	return (0);
}

static int
free_all(void **state)
{
	X509 *x[] = { made.ca, made.good, made.name, made.expired, made.sha1, made.small, made.lone };

	for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
		X509_free(x[i]);
	EVP_PKEY_free(made.ca_key);
	EVP_PKEY_free(made.key);
	EVP_PKEY_free(made.small_key);
	return (0);
}

/* tls-ca of a snapshot: PEM, with text around it as bundles have it. */
static void
use_conf(enum tls_level level)
{
	static struct conf conf;
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long n;

	BIO_puts(b, "# the authority\n");
	assert_int_equal(PEM_write_bio_X509(b, made.ca), 1);
	assert_int_equal(PEM_write_bio_X509(b, made.ca), 1);		/* twice is no error */
	BIO_puts(b, "# the end\n");
	n = BIO_get_mem_data(b, &p);
	conf.tls_level = level;
	conf.ca = slice_make(p, (size_t)n);
	assert_int_equal(tls_prepare(&conf), E_OK);
	tls_use();
	BIO_free(b);
}

/* ---- handshakes ---- */

struct server {
	SSL_CTX	*ctx;
	X509	*cert;
	int	 version;
};

static void
server_open(struct server *s, X509 *cert, EVP_PKEY *key, int version)
{
	s->ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_security_level(s->ctx, 0);
	assert_int_equal(SSL_CTX_use_certificate(s->ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, key), 1);
	SSL_CTX_set_session_id_context(s->ctx, (const unsigned char *)"t", 1);
	assert_int_equal(SSL_CTX_set_min_proto_version(s->ctx, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(s->ctx, version), 1);
}

static void
move(SSL *from, SSL *to)
{
	char *p;
	long n = BIO_get_mem_data(SSL_get_wbio(from), &p);

	if (n > 0) {
		assert_int_equal(BIO_write(SSL_get_rbio(to), p, (int)n), n);
		(void)BIO_reset(SSL_get_wbio(from));
	}
}

/* "verified by ca", "... resumed", or "no: " and why. */
static const char *
shake(struct server *s, const struct tls_policy *p, uint16_t port)
{
	static char out[600];
	char text[TLS_TEXT_MAX + 1], octet[4];
	struct tls_peer t;
	SSL *srv = SSL_new(s->ctx);
	const char *why;
	int r = 0, q = 0, turns;

	if (tls_peer_init(&t, p, &here, port, &why) != E_OK) {
		SSL_free(srv);
		snprintf(out, sizeof(out), "no: %s", why);
		return (out);
	}
	SSL_set_accept_state(srv);
	SSL_set_bio(srv, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_bio(t.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(srv), -1);
	BIO_set_mem_eof_return(SSL_get_rbio(t.ssl), -1);
	for (turns = 0; turns < 10 && !(r == 1 && q == 1); turns++) {
		r = SSL_do_handshake(t.ssl);
		if (r != 1 && SSL_get_error(t.ssl, r) != SSL_ERROR_WANT_READ)
			break;
		move(t.ssl, srv);
		q = SSL_do_handshake(srv);
		if (q != 1 && SSL_get_error(srv, q) != SSL_ERROR_WANT_READ) {
			move(srv, t.ssl);
			r = SSL_do_handshake(t.ssl);
			break;
		}
		move(srv, t.ssl);
	}
	if (r == 1 && q == 1 && tls_peer_done(&t, text) == E_OK) {
		(void)SSL_read(t.ssl, octet, sizeof(octet));	/* tickets of TLS 1.3 */
		snprintf(out, sizeof(out), "%s", strchr(text, ' ') != NULL ? strstr(text, "unverified") != NULL ?
		    strstr(text, "unverified") : strstr(text, "verified") : text);
	} else
		snprintf(out, sizeof(out), "no: %s", tls_peer_why(&t));
	(void)SSL_shutdown(t.ssl);
	tls_peer_clear(&t);
	SSL_free(srv);
	return (out);
}

static uint8_t		 prints[2][SPKI_HASH_LEN];
static const char	*names[2] = { "a.example.net", NAME };
static struct tls_policy any = { .refs = 1, .want = WANT_MAY, .resume = 1, .clear = 1, .base = "", .sni = NAME, .text = "" };
static struct tls_policy must = { .refs = 1, .want = WANT_ENCRYPT, .resume = 1, .base = "", .sni = NAME, .text = "" };
static struct tls_policy by_ca = { .refs = 1, .want = WANT_VERIFY, .resume = 1, .base = "", .sni = NAME, .text = "", .names = names,
	.nnames = 2 };
static struct tls_policy by_print = { .refs = 1, .want = WANT_FINGERPRINT, .resume = 1, .base = "", .sni = "", .text = "",
	.fingerprints = prints, .nfingerprints = 2 };

static void
certificates(void **state)
{
	const struct { X509 **cert; EVP_PKEY **key; const char *ca; } t[] = {
		{ &made.good, &made.key, "verified by ca" },
		{ &made.name, &made.key, "no: the certificate is for other.example, wanted is a.example.net or mx.example.net" },
		{ &made.expired, &made.key, "no: the certificate is not accepted: certificate has expired (depth 0, mx.example.net)" },
		{ &made.sha1, &made.key, "no: the certificate is not accepted: CA signature digest algorithm too weak" },
		{ &made.small, &made.small_key, "no: the certificate is not accepted: EE certificate key too weak" },
		{ &made.lone, &made.key, "no: the certificate is not accepted: self-signed certificate" },
	};
	struct server s;

	use_conf(TLS_INTERMEDIATE);
	for (size_t i = 0; i < 2 * sizeof(t) / sizeof(t[0]); i++) {
		server_open(&s, *t[i / 2].cert, *t[i / 2].key, i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		assert_string_equal(shake(&s, &any, 25), "unverified");
		assert_string_equal(shake(&s, &must, 25), "unverified");
		if (strncmp(shake(&s, &by_ca, 25), t[i / 2].ca, strlen(t[i / 2].ca)) != 0)
			fail_msg("case %zu: %s", i, shake(&s, &by_ca, 25));
		assert_memory_equal(shake(&s, &by_print, 25), "no: the certificate's fingerprint is ", 37);
		SSL_CTX_free(s.ctx);
		tls_session_forget_all();
	}
}

static void
fingerprints(void **state)
{
	unsigned char *spki = NULL;
	struct server s;
	int n;

	use_conf(TLS_INTERMEDIATE);
	server_open(&s, made.lone, made.key, TLS1_3_VERSION);
	assert_int_equal(X509_digest(made.lone, EVP_sha256(), prints[1], NULL), 1);
	assert_string_equal(shake(&s, &by_print, 1), "verified by fingerprint");
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(made.lone), &spki);
	assert_int_equal(EVP_Digest(spki, (size_t)n, prints[1], NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(spki);
	assert_string_equal(shake(&s, &by_print, 2), "verified by fingerprint");
	prints[1][31] ^= 1;
	assert_memory_equal(shake(&s, &by_print, 2), "no: ", 4);
	memset(prints, 0, sizeof(prints));
	SSL_CTX_free(s.ctx);
}

/* The names of a policy: below a domain, an address, none. */
static void
policy_names(void **state)
{
	static const struct { const char *want; int good; } t[] = {
		{ ".example.net", 1 }, { ".net", 1 }, { NAME, 1 }, { "MX.EXAMPLE.NET", 1 }, { ".mx.example.net", 0 }, { "example.net", 0 },
		{ "x.example.net", 0 }, { "192.0.2.1", 0 }, { "mx.example.net.evil.example", 0 },
	};
	struct server s;
	const char *one;
	struct tls_policy p = by_ca;

	use_conf(TLS_INTERMEDIATE);
	server_open(&s, made.good, made.key, TLS1_3_VERSION);
	p.resume = 0;
	p.names = &one;
	p.nnames = 1;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		one = t[i].want;
		if ((strcmp(shake(&s, &p, 25), "verified by ca") == 0) != t[i].good)
			fail_msg("%s: %s", t[i].want, shake(&s, &p, 25));
	}
	p.nnames = 0;
	assert_memory_equal(shake(&s, &p, 25), "no: ", 4);
	SSL_CTX_free(s.ctx);
}

static void
resumed(void **state)
{
	struct tls_policy other = by_ca, off = by_ca;
	const char *less[1] = { NAME };
	struct server s;

	off.resume = 0;
	other.names = less;
	other.nnames = 1;
	for (int v = TLS1_2_VERSION; v <= TLS1_3_VERSION; v++) {
		use_conf(TLS_INTERMEDIATE);
		server_open(&s, made.good, made.key, v);
		assert_string_equal(shake(&s, &by_ca, 25), "verified by ca");
		assert_string_equal(shake(&s, &by_ca, 25), "verified by ca, resumed");
		assert_string_equal(shake(&s, &by_ca, 25), "verified by ca, resumed");
		assert_string_equal(shake(&s, &by_ca, 26), "verified by ca");		/* another port */
		assert_string_equal(shake(&s, &other, 25), "verified by ca");		/* other demands */
		assert_string_equal(shake(&s, &any, 25), "unverified");
		assert_string_equal(shake(&s, &any, 25), "unverified, resumed");
		assert_string_equal(shake(&s, &by_ca, 25), "verified by ca, resumed");
		assert_string_equal(shake(&s, &off, 27), "verified by ca");
		assert_string_equal(shake(&s, &off, 27), "verified by ca");
		use_conf(TLS_INTERMEDIATE);						/* a reload of other things */
		assert_string_equal(shake(&s, &by_ca, 25), "verified by ca, resumed");
		use_conf(TLS_OLD);							/* and one of these */
		assert_string_equal(shake(&s, &by_ca, 25), "verified by ca");
		SSL_CTX_free(s.ctx);
	}
}

/* A server that cannot open the ticket any more: a full handshake, and its certificate counts. */
static void
ticket_forgotten(void **state)
{
	struct server s;

	use_conf(TLS_INTERMEDIATE);
	server_open(&s, made.good, made.key, TLS1_3_VERSION);
	assert_string_equal(shake(&s, &by_ca, 25), "verified by ca");
	SSL_CTX_free(s.ctx);
	server_open(&s, made.name, made.key, TLS1_3_VERSION);
	assert_memory_equal(shake(&s, &by_ca, 25), "no: the certificate is for", 26);
	SSL_CTX_free(s.ctx);
}

static SSL_SESSION *
a_session(void)
{
	SSL_SESSION *s = SSL_SESSION_new();
	static const unsigned char id[32] = "x";

	assert_int_equal(SSL_SESSION_set1_id(s, id, sizeof(id)), 1);
	return (s);
}

static void
sessions_at_their_limit(void **state)
{
	uint8_t key[TLS_KEY_LEN] = { 0 };

	tls_session_forget_all();
	for (unsigned i = 0; i < TLS_SESSIONS_MAX + 1; i++) {
		key[0] = (uint8_t)i;
		key[1] = (uint8_t)(i >> 8);
		tls_session_put(key, a_session());
		assert_int_equal(tls_session_count(), i < TLS_SESSIONS_MAX ? i + 1 : TLS_SESSIONS_MAX);
	}
	tls_session_put(key, a_session());		/* the same again */
	assert_int_equal(tls_session_count(), TLS_SESSIONS_MAX);
	memset(key, 0, sizeof(key));
	tls_session_forget(key);			/* the oldest has gone already */
	assert_int_equal(tls_session_count(), TLS_SESSIONS_MAX);
	key[0] = 1;
	assert_null(tls_session_get(key));		/* it has no certificate: no use, and not kept */
	assert_int_equal(tls_session_count(), TLS_SESSIONS_MAX - 1);
	tls_session_forget_all();
	assert_int_equal(tls_session_count(), 0);
}

/* A host with a long chain shakes hands in full each time; each session would hold all of it. */
static void
chains_at_their_limit(void **state)
{
	struct server s;

	for (int n = TLS_SESSION_CHAIN_MAX - 1; n <= TLS_SESSION_CHAIN_MAX + 1; n++) {
		use_conf(TLS_INTERMEDIATE);
		tls_session_forget_all();
		server_open(&s, made.good, made.key, TLS1_3_VERSION);
		for (int i = 1; i < n; i++)
			assert_int_equal(SSL_CTX_add1_chain_cert(s.ctx, made.ca), 1);
		(void)shake(&s, &must, 25);
		assert_string_equal(shake(&s, &must, 25), n <= TLS_SESSION_CHAIN_MAX ? "unverified, resumed" : "unverified");
		SSL_CTX_free(s.ctx);
	}
}

static void
versions(void **state)
{
	static const struct { enum tls_level level; int version; int may, must, ca; } t[] = {
		{ TLS_OLD, TLS1_VERSION, 1, 0, 0 }, { TLS_OLD, TLS1_2_VERSION, 1, 1, 1 }, { TLS_INTERMEDIATE, TLS1_VERSION, 0, 0, 0 },
		{ TLS_INTERMEDIATE, TLS1_1_VERSION, 0, 0, 0 }, { TLS_INTERMEDIATE, TLS1_2_VERSION, 1, 1, 1 },
		{ TLS_MODERN, TLS1_2_VERSION, 1, 1, 0 }, { TLS_MODERN, TLS1_3_VERSION, 1, 1, 1 },
	};
	struct server s;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		use_conf(t[i].level);
		server_open(&s, made.good, made.key, t[i].version);
		assert_int_equal(strncmp(shake(&s, &any, 25), "no: ", 4) != 0, t[i].may);
		assert_int_equal(strncmp(shake(&s, &must, 25), "no: ", 4) != 0, t[i].must);
		assert_int_equal(strncmp(shake(&s, &by_ca, 25), "no: ", 4) != 0, t[i].ca);
		SSL_CTX_free(s.ctx);
	}
}

/* A bundle that is none is refused, and what is in use stays. */
static void
anchors(void **state)
{
	static const char *const bad[] = {
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n",
	};
	struct conf conf = { .tls_level = TLS_INTERMEDIATE };
	struct server s;

	use_conf(TLS_INTERMEDIATE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		conf.ca = slice_str(bad[i]);
		if (tls_prepare(&conf) != E_CORRUPT)
			fail_msg("case %zu", i);
		tls_use();
	}
	server_open(&s, made.good, made.key, TLS1_3_VERSION);
	assert_string_equal(shake(&s, &by_ca, 25), "verified by ca");
	conf.ca = slice_make(NULL, 0);
	assert_int_equal(tls_prepare(&conf), E_OK);
	tls_use();
	assert_memory_equal(shake(&s, &by_ca, 25), "no: the certificate is not accepted: unable to get local issuer", 62);
	SSL_CTX_free(s.ctx);
}

static int
group_end(void **state)
{
	tls_close();
	return (free_all(state));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates), cmocka_unit_test(fingerprints), cmocka_unit_test(policy_names),
		cmocka_unit_test(resumed), cmocka_unit_test(ticket_forgotten), cmocka_unit_test(sessions_at_their_limit),
		cmocka_unit_test(chains_at_their_limit),
		cmocka_unit_test(versions), cmocka_unit_test(anchors),
	};

	return (cmocka_run_group_tests(tests, make_all, group_end));
}
