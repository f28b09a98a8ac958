/*
 * dane_verify.c -- see dane_verify.h.  Shell: OpenSSL.
 *
 * What OpenSSL 3.0 does by itself: digests by strength (RFC 7671 9), whole certificates and keys of
 * usage 2 as trust anchors (RFC 7671 5.2.2, 5.2.3), and no dates under usage 3.  What it does not:
 * it would check names under usage 3, and without a usable record it falls back to its CAs in
 * silence.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "common/dane_verify.h"
#include "common/err.h"
#include "common/reply.h"

#define SECURITY_LEVEL	1	/* of an offline check, as deliver's own */

int
dane_verify_setup(SSL *ssl, const char *base, const struct tlsa *t, size_t n,
    const char *const *names, size_t nnames)
{
	size_t	used = 0;
	int	rc;

	if (SSL_dane_enable(ssl, base) <= 0)
		return (E_NOMEM);
	/* RFC 7672 3.2.1.  And 3.2.3: a wildcard is a whole first label. */
	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < nnames; i++) {
		if (strcmp(names[i], base) != 0 && !SSL_add1_host(ssl, names[i]))
			return (E_NOMEM);
	}
	for (size_t i = 0; i < n; i++) {
		rc = SSL_dane_tlsa_add(
		    ssl, t[i].usage, t[i].selector, t[i].matching, t[i].data, t[i].len);
		if (rc < 0)
			return (E_NOMEM);
		used += rc > 0;
	}
	ERR_clear_error();	/* those of records left out */
	return (used != 0 ? E_OK : E_SYNTAX);
}

/* The digits of a record, without its data: nobody reads them. */
static void
numbers(char dst[static 16], unsigned usage, unsigned selector, unsigned matching)
{
	(void)snprintf(dst, 16, "%u %u %u", usage, selector, matching);
}

static void
tell_match(SSL *ssl, int depth, int by_key, char text[static DANE_TEXT_MAX])
{
	const char	*name = SSL_get0_peername(ssl);
	char		 record[16], safe[DOMAIN_MAX + 1];
	uint8_t		 usage = 0, selector = 0, matching = 0;

	(void)SSL_get0_dane_tlsa(ssl, &usage, &selector, &matching, NULL, NULL);
	numbers(record, usage, selector, matching);
	if (usage == TLSA_DANE_EE)
		name = NULL;
	if (name != NULL)
		(void)text_escape(safe, sizeof(safe), slice_str(name));
	if (by_key)
		(void)snprintf(text, DANE_TEXT_MAX,
		    "%s is the key that signed the certificate at depth %d", record, depth);
	else if (depth == 0)
		(void)snprintf(text, DANE_TEXT_MAX, "%s matched the leaf certificate", record);
	else
		(void)snprintf(
		    text, DANE_TEXT_MAX, "%s matched the certificate at depth %d", record, depth);
	if (name != NULL) {
		size_t	n = strlen(text);

		(void)snprintf(text + n, DANE_TEXT_MAX - n, ", name %s", safe);
	}
}

static void
tell_error(long err, char text[static DANE_TEXT_MAX])
{
	switch (err) {
	case X509_V_ERR_DANE_NO_MATCH:
		(void)snprintf(text, DANE_TEXT_MAX, "no TLSA record matches the certificate");
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
		(void)snprintf(text, DANE_TEXT_MAX, "the certificate is for another name");
		break;
	default:
		(void)snprintf(text, DANE_TEXT_MAX, "%s", X509_verify_cert_error_string(err));
	}
}

static int
result(SSL *ssl, long err, char text[static DANE_TEXT_MAX])
{
	X509		*cert = NULL;
	EVP_PKEY	*key = NULL;
	int		 depth;

	if (err != X509_V_OK) {
		tell_error(err, text);
		return (E_DENIED);
	}
	depth = SSL_get0_dane_authority(ssl, &cert, &key);
	if (depth >= 0) {
		/*
		 * Where the record's bare key is the anchor, depth is of the last certificate,
		 * which it signed.
		 */
		tell_match(ssl, depth, cert == NULL && key != NULL, text);
		return (E_OK);
	}
	if (SSL_session_reused(ssl)) {
		(void)snprintf(text, DANE_TEXT_MAX, "verified when the session was made");
		return (E_OK);
	}
	(void)snprintf(text, DANE_TEXT_MAX, "no TLSA record was used");
	return (E_DENIED);
}

int
dane_verify_result(SSL *ssl, char text[static DANE_TEXT_MAX])
{
	return (result(ssl, SSL_get_verify_result(ssl), text));
}

/* ---- a chain without a connection ---- */

/* As libssl does for a server's chain (ssl_verify_cert_chain()). */
static int
verify(SSL *ssl, X509_STORE *store, X509 *leaf, STACK_OF(X509) *rest, long *err)
{
	X509_STORE_CTX	*ctx = X509_STORE_CTX_new();
	int		 rc = E_NOMEM;

	if (ctx != NULL && X509_STORE_CTX_init(ctx, store, leaf, rest) &&
	    X509_STORE_CTX_set_default(ctx, "ssl_server") &&
	    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(ctx), SSL_get0_param(ssl))) {
		X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), SECURITY_LEVEL);
		X509_STORE_CTX_set0_dane(ctx, SSL_get0_dane(ssl));
		*err = X509_verify_cert(ctx) > 0 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
		if (*err == X509_V_OK && X509_STORE_CTX_get_error(ctx) != X509_V_OK)
			*err = X509_STORE_CTX_get_error(ctx);
		X509_VERIFY_PARAM_move_peername(
		    SSL_get0_param(ssl), X509_STORE_CTX_get0_param(ctx));
		SSL_set_verify_result(ssl, *err);
		rc = E_OK;
	}
	X509_STORE_CTX_free(ctx);
	return (rc);
}

int
dane_verify_chain(X509 *const *chain, size_t nchain, const char *base, const struct tlsa *t,
    size_t n, const char *const *names, size_t nnames, char text[static DANE_TEXT_MAX])
{
	SSL_CTX		*ctx = SSL_CTX_new(TLS_client_method());
	X509_STORE	*store = X509_STORE_new();	/* of no CA */
	STACK_OF(X509)	*rest = sk_X509_new_null();
	SSL		*ssl = NULL;
	long		 err = X509_V_ERR_UNSPECIFIED;
	int		 rc = E_NOMEM;

	(void)snprintf(text, DANE_TEXT_MAX, "out of memory");
	for (size_t i = 1; i < nchain && rest != NULL; i++) {
		if (!sk_X509_push(rest, chain[i]))
			goto out;
	}
	if (ctx != NULL && store != NULL && rest != NULL && SSL_CTX_dane_enable(ctx) > 0)
		ssl = SSL_new(ctx);
	if (ssl == NULL || nchain == 0)
		goto out;
	if ((rc = dane_verify_setup(ssl, base, t, n, names, nnames)) == E_SYNTAX)
		(void)snprintf(text, DANE_TEXT_MAX, "none of the records can be used");
	if (rc == E_OK && (rc = verify(ssl, store, chain[0], rest, &err)) == E_OK)
		rc = result(ssl, err, text);
out:
	SSL_free(ssl);
	sk_X509_free(rest);
	X509_STORE_free(store);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return (rc);
}

/* ---- one certificate ---- */

/* What the selector selects, in DER; to be freed. */
static int
selected(X509 *x, unsigned selector, uint8_t **der)
{
	*der = NULL;
	return (selector == TLSA_CERT ? i2d_X509(x, der) :
					i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), der));
}

int
dane_matches(const struct tlsa *t, X509 *x)
{
	const EVP_MD	*md = t->matching == TLSA_SHA256 ? EVP_sha256() : EVP_sha512();
	uint8_t		*der, digest[EVP_MAX_MD_SIZE];
	unsigned	 len = 0;
	int		 n, yes = 0;

	if (tlsa_unusable(t) != NULL || (n = selected(x, t->selector, &der)) <= 0)
		return (0);
	if (t->matching == TLSA_FULL)
		yes = (size_t)n == t->len && memcmp(der, t->data, t->len) == 0;
	else if (EVP_Digest(der, (size_t)n, digest, &len, md, NULL))
		yes = len == t->len && memcmp(digest, t->data, len) == 0;
	OPENSSL_free(der);
	return (yes);
}

int
dane_digest(X509 *x, unsigned selector, uint8_t sha256[static 32])
{
	uint8_t	*der;
	int	 n = selected(x, selector, &der), ok;

	if (n <= 0)
		return (0);
	ok = EVP_Digest(der, (size_t)n, sha256, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	return (ok);
}

int
dane_chain_read(struct slice pem, X509 **chain, size_t *n)
{
	BIO		*in = BIO_new_mem_buf(pem.p, pem.n > INT32_MAX ? 0 : (int)pem.n);
	X509		*x;
	unsigned long	 err;
	int		 rc = E_OK;

	*n = 0;
	if (in == NULL)
		return (E_NOMEM);
	while (rc == E_OK && (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		if (*n < DANE_CHAIN_MAX)
			chain[(*n)++] = x;
		else {
			X509_free(x);
			rc = E_LIMIT;
		}
	}
	err = ERR_peek_last_error();
	if (rc == E_OK && (*n == 0 || ERR_GET_REASON(err) != PEM_R_NO_START_LINE))
		rc = E_SYNTAX;
	ERR_clear_error();
	BIO_free(in);
	return (rc);
}
