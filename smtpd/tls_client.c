/*
 * tls_client.c -- clients' certificates: asked for, checked, and whom they name.  Shell (OpenSSL).
 *
 * A listener with client-certificates asks for one and takes any, or none: a client's certificate
 * that nobody here has signed is no reason to refuse its mail (its owner may log in by password),
 * and mail programs send what they have to whoever asks. Only one that client-ca vouches for gives
 * its client a name, for AUTH EXTERNAL.  That it holds the key TLS has proved.
 *
 * All of a certificate is a stranger's octets, and OpenSSL reads them: the octets of a chain, of a
 * handshake and the chain's depth are bounded.
 */
#include "smtpd/tls_client.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "common/err.h"
#include "common/limits.h"

#define CA_NAMES_MAX	64	/* names of authorities that clients are told; more would fill the handshake */

/* ---- who may sign ---- */

static int
add_authority(SSL_CTX *ctx, X509 *x, size_t *n)
{
	return (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) == 1 &&
	    ((*n)++ >= CA_NAMES_MAX || SSL_CTX_add_client_CA(ctx, x) == 1));
}

int
tls_client_authorities(SSL_CTX *ctx, struct slice pem)
{
	BIO	*b;
	X509	*x;
	size_t	 n = 0;
	int	 ok = 1;

	if (pem.n == 0)
		return (E_OK);
	if ((b = BIO_new_mem_buf(pem.p, (int)pem.n)) == NULL)
		return (E_NOMEM);
	while (ok && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		ok = add_authority(ctx, x, &n);
		X509_free(x);
	}
	BIO_free(b);
	if (!ok || n == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return (E_CORRUPT);
	ERR_clear_error();	/* that there are no more */
	if (n > CA_NAMES_MAX)
		SSL_CTX_set_client_CA_list(ctx, NULL);
	return (E_OK);
}

void
tls_client_ask(SSL *ssl, int (*verify)(int, X509_STORE_CTX *))
{
	SSL_set_verify(ssl, SSL_VERIFY_PEER, verify);
	SSL_set_verify_depth(ssl, CHAIN_CERTS_MAX);
	/*
	 * A certificate is looked at in each handshake, not once and then believed for a ticket's
	 * life.
	 */
	SSL_set_num_tickets(ssl, 0);
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
}

/* ---- whom one names ---- */

/* A login has no octets that are not graphic ASCII; a NUL within would end it early. */
static int
take_name(char dst[ADDRESS_MAX + 1], const unsigned char *p, int len)
{
	int	i;

	if (p == NULL || len <= 0 || len > ADDRESS_MAX)
		return (E_SYNTAX);
	for (i = 0; i < len; i++)
		if (p[i] <= ' ' || p[i] >= 127)
			return (E_SYNTAX);
	memcpy(dst, p, (size_t)len);
	dst[len] = '\0';
	return (E_OK);
}

/* E_NOTFOUND: there is none. */
static int
first_mailbox(const X509 *x, char dst[ADDRESS_MAX + 1])
{
	GENERAL_NAMES		*names;
	const GENERAL_NAME	*g;
	int			 i, err = E_NOTFOUND, why = -1;

	if ((names = X509_get_ext_d2i(x, NID_subject_alt_name, &why, NULL)) == NULL)
		return (why == -1 ? E_NOTFOUND : E_SYNTAX);
	for (i = 0; i < sk_GENERAL_NAME_num(names) && err == E_NOTFOUND; i++) {
		g = sk_GENERAL_NAME_value(names, i);
		if (g->type == GEN_EMAIL)
			err = take_name(dst, ASN1_STRING_get0_data(g->d.rfc822Name), ASN1_STRING_length(g->d.rfc822Name));
	}
	GENERAL_NAMES_free(names);
	return (err);
}

/* Of two nobody could say which is meant. */
static int
common_name(const X509 *x, char dst[ADDRESS_MAX + 1])
{
	const X509_NAME	*name = X509_get_subject_name(x);
	int		 at = X509_NAME_get_index_by_NID(name, NID_commonName, -1), len, err;
	unsigned char	*text = NULL;

	if (at < 0)
		return (E_NOTFOUND);
	if (X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return (E_SYNTAX);
	len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	err = take_name(dst, text, len);
	OPENSSL_free(text);
	return (err);
}

int
tls_client_name(const X509 *x, char dst[ADDRESS_MAX + 1])
{
	int	err = first_mailbox(x, dst);

	if (err == E_NOTFOUND)
		err = common_name(x, dst);
	ERR_clear_error();
	if (err != E_OK)
		dst[0] = '\0';
	return (err);
}
