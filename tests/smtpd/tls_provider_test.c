/*
 * tls_provider_test.c -- whole handshakes with keys that are elsewhere: every kind of key, TLS 1.2 and 1.3; what is
 * asked for is what keys signs; the private half cannot be had from the handle.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "common/err.h"
#include "smtpd/tls_provider.h"

enum { RSA_2048, EC_P256, EC_P384, ED, KINDS };

static const struct { const char *md; uint16_t scheme; int pss; } schemes[] = {
	{ "SHA256", 0x0401, 0 }, { "SHA384", 0x0501, 0 }, { "SHA512", 0x0601, 0 }, { "SHA256", 0x0403, 0 },
	{ "SHA384", 0x0503, 0 }, { "SHA512", 0x0603, 0 }, { "SHA256", 0x0804, 1 }, { "SHA384", 0x0805, 1 },
	{ "SHA512", 0x0806, 1 }, { NULL, 0x0807, 0 },
};

static OSSL_LIB_CTX	*elsewhere;	/* the other process's OpenSSL */
static EVP_PKEY		*private[KINDS];
static unsigned		 asked, refuse;
static uint16_t		 last_scheme;

static int
ask(void *arg, uint16_t key, uint16_t scheme, struct slice tbs, uint8_t *sig, size_t *len)
{
	EVP_MD_CTX	*m = EVP_MD_CTX_new();
	EVP_PKEY_CTX	*p;
	size_t		 i;
	int		 ok;

	asked++;
	last_scheme = scheme;
	assert_true(key < KINDS);
	for (i = 0; schemes[i].scheme != scheme; i++)
		assert_true(i + 1 < sizeof(schemes) / sizeof(schemes[0]));
	ok = !refuse && EVP_DigestSignInit_ex(m, &p, schemes[i].md, elsewhere, NULL, private[key], NULL) == 1;
	if (ok && schemes[i].pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1;
	*len = TLS_SIG_MAX;
	ok = ok && EVP_DigestSign(m, sig, len, (const unsigned char *)tbs.p, tbs.n) == 1;
	EVP_MD_CTX_free(m);
	return (ok ? E_OK : E_IO);
}

static X509 *
certificate(EVP_PKEY *k)
{
	X509			*x = X509_new(), *y;
	X509_NAME		*n = X509_get_subject_name(x);
	unsigned char		*der = NULL;
	const unsigned char	*p;
	int			 len;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, k);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)"mx.example.org", -1, -1, 0);
	X509_set_issuer_name(x, n);
	assert_true(X509_sign(x, k, EVP_PKEY_is_a(k, "ED25519") ? NULL : EVP_sha256()) > 0);
	assert_true((len = i2d_X509(x, &der)) > 0);
	X509_free(x);
	p = der;
	assert_non_null(y = d2i_X509(NULL, &p, len));	/* as read from a file: nothing of k is left in it */
	OPENSSL_free(der);
	return (y);
}

/* 1 if both ends say that it is done. */
static int
handshake(int kind, int version, const char *client_algorithms)
{
	X509	*x = certificate(private[kind]);
	EVP_PKEY *handle = tls_provider_key(x, (uint16_t)kind);
	SSL_CTX	*sc = SSL_CTX_new(TLS_server_method()), *cc = SSL_CTX_new(TLS_client_method());
	SSL	*s, *c;
	BIO	*a, *b;
	int	 i, rs = 0, rc = 0;

	assert_non_null(handle);
	assert_int_equal(SSL_CTX_set_min_proto_version(sc, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(sc, version), 1);
	if (client_algorithms != NULL)
		assert_int_equal(SSL_CTX_set1_sigalgs_list(cc, client_algorithms), 1);
	assert_int_equal(SSL_CTX_use_certificate(sc, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(sc, handle), 1);
	assert_int_equal(SSL_CTX_check_private_key(sc), 1);
	s = SSL_new(sc);
	c = SSL_new(cc);
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(s, a, a);
	SSL_set_bio(c, b, b);
	SSL_set_accept_state(s);
	SSL_set_connect_state(c);
	asked = 0;
	for (i = 0; i < 10 && (rs != 1 || rc != 1); i++) {
		rc = SSL_do_handshake(c);
		rs = SSL_do_handshake(s);
	}
	SSL_free(s);
	SSL_free(c);
	SSL_CTX_free(sc);
	SSL_CTX_free(cc);
	EVP_PKEY_free(handle);
	X509_free(x);
	ERR_clear_error();
	return (rs == 1 && rc == 1);
}

static void
handshakes(void **state)
{
	static const struct {
		int		 kind, version;
		const char	*algorithms;
		uint16_t	 scheme;	/* 0: none is asked for */
	} t[] = {
		{ RSA_2048, TLS1_3_VERSION, NULL, 0x0804 },
		{ RSA_2048, TLS1_3_VERSION, "RSA-PSS+SHA384", 0x0805 },
		{ RSA_2048, TLS1_3_VERSION, "RSA-PSS+SHA512", 0x0806 },
		{ RSA_2048, TLS1_2_VERSION, NULL, 0x0804 },
		{ RSA_2048, TLS1_2_VERSION, "RSA+SHA256", 0x0401 },
		{ RSA_2048, TLS1_2_VERSION, "RSA+SHA384", 0x0501 },
		{ RSA_2048, TLS1_2_VERSION, "RSA+SHA512", 0x0601 },
		{ RSA_2048, TLS1_2_VERSION, "ECDSA+SHA256", 0 },
		{ EC_P256, TLS1_3_VERSION, NULL, 0x0403 },
		{ EC_P256, TLS1_3_VERSION, "ECDSA+SHA384", 0 },	/* in TLS 1.3 the hash is the curve's */
		{ EC_P256, TLS1_2_VERSION, NULL, 0x0403 },
		{ EC_P256, TLS1_2_VERSION, "ECDSA+SHA384", 0x0503 },
		{ EC_P384, TLS1_3_VERSION, NULL, 0x0503 },
		{ EC_P384, TLS1_2_VERSION, "ECDSA+SHA512", 0x0603 },
		{ ED, TLS1_3_VERSION, NULL, 0x0807 },
		{ ED, TLS1_2_VERSION, NULL, 0x0807 },
	};
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		last_scheme = 0;
		if (handshake(t[i].kind, t[i].version, t[i].algorithms) != (t[i].scheme != 0) ||
		    asked != (t[i].scheme != 0) || last_scheme != t[i].scheme)
			fail_msg("case %zu: asked %u times, at last for %04x", i, asked, last_scheme);
	}
}

static void
refused(void **state)
{
	refuse = 1;
	assert_int_equal(handshake(EC_P256, TLS1_3_VERSION, NULL), 0);
	assert_int_equal(handshake(RSA_2048, TLS1_2_VERSION, NULL), 0);
	refuse = 0;
	assert_int_equal(handshake(EC_P256, TLS1_3_VERSION, NULL), 1);
}

/* A certificate of another key goes with no handle but its own. */
static void
wrong_certificate(void **state)
{
	X509		*x = certificate(private[EC_P256]), *y = certificate(private[EC_P384]);
	EVP_PKEY	*handle = tls_provider_key(x, EC_P256);
	SSL_CTX		*sc = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate(sc, y), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(sc, handle), 0);
	ERR_clear_error();
	SSL_CTX_free(sc);
	EVP_PKEY_free(handle);
	X509_free(x);
	X509_free(y);
}

static void
no_private_half(void **state)
{
	X509		*x;
	EVP_PKEY	*handle;
	BIO		*bio;
	BIGNUM		*d;
	int		 i;

	for (i = 0; i < KINDS; i++) {
		x = certificate(private[i]);
		handle = tls_provider_key(x, (uint16_t)i);
		bio = BIO_new(BIO_s_mem());
		d = NULL;
		assert_int_equal(PEM_write_bio_PrivateKey(bio, handle, NULL, NULL, 0, NULL, NULL), 0);
		assert_int_equal(EVP_PKEY_get_bn_param(handle, i == RSA_2048 ? "d" : "priv", &d), 0);
		assert_null(d);
		BIO_free(bio);
		EVP_PKEY_free(handle);
		X509_free(x);
		ERR_clear_error();
	}
}

static int
set_up(void **state)
{
	if ((elsewhere = OSSL_LIB_CTX_new()) == NULL)
		return (-1);
	private[RSA_2048] = EVP_PKEY_Q_keygen(elsewhere, NULL, "RSA", (size_t)2048);
	private[EC_P256] = EVP_PKEY_Q_keygen(elsewhere, NULL, "EC", "P-256");
	private[EC_P384] = EVP_PKEY_Q_keygen(elsewhere, NULL, "EC", "P-384");
	private[ED] = EVP_PKEY_Q_keygen(elsewhere, NULL, "ED25519");
	return (tls_provider_open(ask, NULL));
}

static int
tear_down(void **state)
{
	int	i;

	tls_provider_close();
	for (i = 0; i < KINDS; i++)
		EVP_PKEY_free(private[i]);
	OSSL_LIB_CTX_free(elsewhere);
	return (0);
}

int
main(void)
{
	static const struct CMUnitTest	tests[] = {
		cmocka_unit_test(handshakes),
		cmocka_unit_test(refused),
		cmocka_unit_test(wrong_certificate),
		cmocka_unit_test(no_private_half),
	};

	return (cmocka_run_group_tests(tests, set_up, tear_down));
}
