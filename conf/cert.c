/*
 * cert.c -- see cert.h.  OpenSSL reads the file, once, in a process that ends right after: keys are not looked for.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/limits.h"
#include "conf/cert.h"

#define RSA_BITS_MIN	2048	/* as keys has it */
#define RSA_BITS_MAX	8192
#define KEY_MARK	"PRIVATE KEY-----"	/* of every form of key in PEM, RFC 7468 10, 11 */

struct chain {
	X509	*cert[CHAIN_CERTS_MAX];
	size_t	 n;
};

static int
refuse(char *why, const char *text)
{
	(void)snprintf(why, CERT_WHY_MAX, "%s", text);
	return (0);
}

static int
read_chain(struct chain *c, const char *pem, char *why)
{
	BIO	*bio = BIO_new_mem_buf(pem, -1);
	X509	*x;
	int	 ok = 1;

	if (bio == NULL)
		mem_none();
	while (ok && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (c->n == CHAIN_CERTS_MAX) {
			X509_free(x);
			(void)snprintf(why, CERT_WHY_MAX, "more than %d certificates", CHAIN_CERTS_MAX);
			ok = 0;
		} else
			c->cert[c->n++] = x;
	}
	BIO_free(bio);
	if (ok && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		ok = refuse(why, c->n == 0 ? "its certificate cannot be read" : "a certificate in it cannot be read");
	else if (ok && c->n == 0)
		ok = refuse(why, "no certificate in PEM (-----BEGIN CERTIFICATE-----)");
	ERR_clear_error();
	return (ok);
}

/* RFC 8446 4.4.2: each one certifies the one before it. */
static int
check_order(const struct chain *c, char *why)
{
	EVP_PKEY	*issuer;

	for (size_t i = 1; i < c->n; i++) {
		issuer = X509_get0_pubkey(c->cert[i]);
		if (issuer != NULL && X509_check_issued(c->cert[i], c->cert[i - 1]) == X509_V_OK &&
		    X509_verify(c->cert[i - 1], issuer) == 1)
			continue;
		ERR_clear_error();
		(void)snprintf(why, CERT_WHY_MAX, "certificate %zu of the file did not sign certificate %zu: the server's "
		    "own comes first, then the one that signed it, and so on", i + 1, i);
		return (0);
	}
	return (1);
}

/* What postern-keys can sign with. */
static int
check_key(X509 *x, char *why)
{
	EVP_PKEY	*key = X509_get0_pubkey(x);
	char		 group[32] = "";
	int		 bits;

	if (key != NULL && EVP_PKEY_is_a(key, "RSA")) {
		bits = EVP_PKEY_get_bits(key);
		if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
			return (1);
		(void)snprintf(why, CERT_WHY_MAX, "its key is RSA of %d bits; expected %d to %d", bits, RSA_BITS_MIN,
		    RSA_BITS_MAX);
		return (0);
	}
	if (key != NULL && EVP_PKEY_is_a(key, "EC")) {
		if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
		    (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 ||
		    strcmp(group, "secp521r1") == 0))
			return (1);
		return (refuse(why, "its key is on a curve that is not P-256, P-384 or P-521"));
	}
	if (key != NULL && EVP_PKEY_is_a(key, "ED25519"))
		return (1);
	return (refuse(why, "its key is not RSA, EC or Ed25519"));
}

static void
check_times(const struct chain *c, int64_t now, char *warning)
{
	time_t		 t = (time_t)now;
	struct tm	 tm;
	char		 date[32];
	const ASN1_TIME	*end;
	int		 late;

	for (size_t i = 0; i < c->n; i++) {
		end = X509_get0_notAfter(c->cert[i]);
		late = X509_cmp_time(end, &t) <= 0;
		if (!late) {
			end = X509_get0_notBefore(c->cert[i]);
			if (X509_cmp_time(end, &t) <= 0)
				continue;
		}
		if (ASN1_TIME_to_tm(end, &tm) != 1 || strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
			date[0] = '\0';
		(void)snprintf(warning, CERT_WHY_MAX, "certificate %zu of the file %s %s", i + 1,
		    late ? "has expired on" : "is not valid before", date);
		return;
	}
}

/* Names that SNI may ask for (RFC 6125 6.4: a wildcard is the whole first label); others are of no use to us. */
static int
read_names(struct cert *out, X509 *x, struct arena *mem, char *why)
{
	GENERAL_NAMES	*list = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	char		 name[DOMAIN_MAX + 1], text[DOMAIN_MAX + 3];
	struct slice	 s;
	int		 wild, ok = 1;

	for (int i = 0; ok && i < sk_GENERAL_NAME_num(list); i++) {
		const GENERAL_NAME	*g = sk_GENERAL_NAME_value(list, i);

		if (g->type != GEN_DNS)
			continue;
		s = slice_make((const char *)ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName));
		wild = s.n > 2 && memcmp(s.p, "*.", 2) == 0;
		if (wild)
			s = slice_make(s.p + 2, s.n - 2);
		if (domain_parse(name, s, NULL) != E_OK)
			continue;
		if (out->names.n == CERT_NAMES_MAX) {
			(void)snprintf(why, CERT_WHY_MAX, "it is for more than %d names", CERT_NAMES_MAX);
			ok = 0;
		} else {
			(void)snprintf(text, sizeof(text), "%s%s", wild ? "*." : "", name);
			*(const char **)vec_add(&out->names, sizeof(char *)) = mem_strdup(mem, text);
		}
	}
	GENERAL_NAMES_free(list);
	return (ok);
}

static int
write_chain(struct cert *out, const struct chain *c, struct arena *mem, char *why)
{
	size_t		 total = 0, at = 0;
	int		 n;
	unsigned char	*p, *to;

	for (size_t i = 0; i < c->n; i++) {
		if ((n = i2d_X509(c->cert[i], NULL)) <= 0)
			return (refuse(why, "a certificate in it cannot be written again"));
		total += (size_t)n;	/* of at most CERT_FILE_MAX octets of text */
	}
	if (total > CHAIN_MAX) {
		(void)snprintf(why, CERT_WHY_MAX, "the chain is longer than %d octets", CHAIN_MAX);
		return (0);
	}
	if ((p = arena_alloc(mem, total)) == NULL)
		mem_none();
	for (size_t i = 0; i < c->n; i++) {
		to = p + at;
		at += (size_t)i2d_X509(c->cert[i], &to);
	}
	out->chain = slice_make((const char *)p, total);
	return (1);
}

static int
hash_spki(struct cert *out, X509 *x, char *why)
{
	unsigned char	*der = NULL;
	int		 n = i2d_PUBKEY(X509_get0_pubkey(x), &der);
	int		 ok = n > 0 && EVP_Digest(der, (size_t)n, out->spki, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return (ok ? 1 : refuse(why, "its public key cannot be written again"));
}

int
cert_read(struct cert *out, const char *pem, int64_t now, struct arena *mem, char why[static CERT_WHY_MAX])
{
	struct chain	 c = { .n = 0 };
	int		 ok;

	*out = (struct cert){ .warning = "" };
	if (strstr(pem, KEY_MARK) != NULL)
		return (refuse(why, "it holds a private key too, which is for postern-keys alone: put that into a file of its own"));
	ok = read_chain(&c, pem, why) && check_key(c.cert[0], why) && check_order(&c, why) &&
	    read_names(out, c.cert[0], mem, why) && write_chain(out, &c, mem, why) && hash_spki(out, c.cert[0], why);
	if (ok)
		check_times(&c, now, out->warning);
	for (size_t i = 0; i < c.n; i++)
		X509_free(c.cert[i]);
	if (!ok)
		free(out->names.p);
	return (ok);
}
