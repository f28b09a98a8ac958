/*
 * cert_kit.h -- certificates made by tests of the checker, by keys of this process.
 */
#ifndef TESTS_CONF_CERT_KIT_H
#define TESTS_CONF_CERT_KIT_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define NOW	1800000000	/* 2027-01-15 08:00:00 UTC */
#define DAY	86400

static EVP_PKEY	*ec, *rsa;

/* A certificate for subject, signed by issuer's key; days from NOW.  san: "CA:TRUE" is basicConstraints. */
static inline X509 *
certificate(const char *subject, EVP_PKEY *key, const char *issuer, EVP_PKEY *by, int from, int to, const char *san)
{
	X509		*x = X509_new();
	X509_EXTENSION	*e;
	X509_NAME	*n;
	int		 nid;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), NOW + (time_t)from * DAY));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), NOW + (time_t)to * DAY));
	n = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1, 0);
	n = X509_NAME_new();
	X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)issuer, -1, -1, 0);
	X509_set_issuer_name(x, n);
	X509_NAME_free(n);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	if (san != NULL) {
		nid = strncmp(san, "CA:", 3) == 0 ? NID_basic_constraints : NID_subject_alt_name;
		assert_non_null(e = X509V3_EXT_conf_nid(NULL, NULL, nid, san));
		X509_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	assert_true(X509_sign(x, by, EVP_PKEY_is_a(by, "ED25519") ? NULL : EVP_sha256()) > 0);
	return (x);
}

static inline X509 *
own(EVP_PKEY *key, const char *san)
{
	return (certificate("a", key, "ca", rsa, -1, 30, san));
}

static inline X509 *
ca(void)
{
	return (certificate("ca", rsa, "ca", rsa, -1, 300, NULL));
}

/* The PEM of them all, each freed. */
static inline char *
pem(X509 **x, size_t n)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	char	*p, *text;
	long	 len;

	for (size_t i = 0; i < n; i++) {
		BIO_printf(bio, "some words\n");
		assert_int_equal(PEM_write_bio_X509(bio, x[i]), 1);
		X509_free(x[i]);
	}
	len = BIO_get_mem_data(bio, &p);
	assert_non_null(text = strndup(p != NULL ? p : "", (size_t)len));
	BIO_free(bio);
	return (text);
}

static inline int
make_keys(void **state)
{
	(void)state;
	ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	return (ec == NULL || rsa == NULL ? -1 : 0);
}

static inline int
free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(ec);
	EVP_PKEY_free(rsa);
	return (0);
}

#endif
