/*
 * tls_verify.c -- whether a host's certificate is what its policy asks for.  Shell (OpenSSL).
 *
 * Called by OpenSSL in a full handshake, before anything of ours is said: where it says no, the
 * handshake ends with an alert. A resumed session was verified when it was made, for the same
 * policy. RFC 5280, RFC 6125 6.4, RFC 7817 3; RFC 6698 by OpenSSL's DANE, set up in tls.c.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "deliver/tls.h"

#define NAMES_SHOWN	4

/* ---- words ---- */

/* Others' octets as text: log lines and reports want printable ones alone. */
static void
add_text(char *dst, size_t size, const char *sep, const unsigned char *p, size_t n)
{
	size_t	at = strlen(dst);

	for (; *sep != '\0' && at + 1 < size; sep++)
		dst[at++] = *sep;
	for (size_t i = 0; i < n && at + 1 < size; i++)
		dst[at++] = (char)(p[i] > 0x20 && p[i] < 0x7f ? p[i] : '?');
	dst[at] = '\0';
}

static void
add_names(char *dst, size_t size, X509 *cert)
{
	GENERAL_NAMES	*all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int		 shown = 0, i, n = all != NULL ? sk_GENERAL_NAME_num(all) : 0;

	for (i = 0; i < n && shown < NAMES_SHOWN; i++) {
		const GENERAL_NAME	*g = sk_GENERAL_NAME_value(all, i);

		if (g->type != GEN_DNS)
			continue;
		add_text(dst, size, shown++ == 0 ? "" : ", ", ASN1_STRING_get0_data(g->d.dNSName),
		    (size_t)ASN1_STRING_length(g->d.dNSName));
	}
	GENERAL_NAMES_free(all);
	if (shown == 0)
		add_text(dst, size, "no name", NULL, 0);
	else if (i < n)
		add_text(dst, size, ", ...", NULL, 0);
}

static void
say_names(struct tls_peer *t, X509 *cert)
{
	const struct tls_policy	*p = t->policy;

	(void)snprintf(t->why, sizeof(t->why), "the certificate is for ");
	add_names(t->why, sizeof(t->why), cert);
	add_text(t->why, sizeof(t->why), ", wanted is ", NULL, 0);
	for (size_t i = 0; i < p->nnames && i < NAMES_SHOWN; i++)
		add_text(t->why, sizeof(t->why), i == 0 ? p->names[i][0] == '.' ? "*" : "" : p->names[i][0] == '.' ? " or *" :
		    " or ", (const unsigned char *)p->names[i], strlen(p->names[i]));
}

static void
say_chain(struct tls_peer *t, X509_STORE_CTX *x)
{
	X509	*at = X509_STORE_CTX_get_current_cert(x);
	char	 cn[96] = "";

	if (at != NULL)
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(at), NID_commonName, cn, sizeof(cn));
	(void)snprintf(t->why, sizeof(t->why), "the certificate is not accepted: %s (depth %d%s",
	    X509_verify_cert_error_string(X509_STORE_CTX_get_error(x)), X509_STORE_CTX_get_error_depth(x),
	    cn[0] != '\0' ? ", " : "");
	add_text(t->why, sizeof(t->why), "", (const unsigned char *)cn, strlen(cn));
	add_text(t->why, sizeof(t->why), ")", NULL, 0);
}

/* ---- the levels ---- */

static int
has_name(X509 *cert, const char *name)
{
	struct net_addr	ip;

	if (net_addr_parse(&ip, slice_str(name)) == E_OK)
		return (X509_check_ip_asc(cert, name, 0) == 1);
	/*
	 * ".below.it" is any name below (X509_check_host(3)); a subject's CN is no name (RFC 7817
	 * 3).
	 */
	return (X509_check_host(cert, name, strlen(name),
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1);
}

static int
by_ca(struct tls_peer *t, X509_STORE_CTX *x)
{
	X509	*cert = X509_STORE_CTX_get0_cert(x);

	if (X509_verify_cert(x) != 1) {
		if (X509_STORE_CTX_get_error(x) == X509_V_OK)
			X509_STORE_CTX_set_error(x, X509_V_ERR_UNSPECIFIED);
		say_chain(t, x);
		return (0);
	}
	for (size_t i = 0; i < t->policy->nnames; i++) {
		if (has_name(cert, t->policy->names[i]))
			return (1);
	}
	X509_STORE_CTX_set_error(x, X509_V_ERR_HOSTNAME_MISMATCH);
	say_names(t, cert);
	return (0);
}

static int
is_known(const struct tls_policy *p, const unsigned char *der, int len, char shown[2 * SPKI_HASH_LEN + 1])
{
	uint8_t		hash[EVP_MAX_MD_SIZE];
	unsigned	n = 0;

	if (der == NULL || len <= 0 || EVP_Digest(der, (size_t)len, hash, &n, EVP_sha256(), NULL) != 1 || n != SPKI_HASH_LEN)
		return (0);
	for (size_t i = 0; i < SPKI_HASH_LEN; i++)
		(void)snprintf(shown + 2 * i, 3, "%02x", hash[i]);
	for (size_t i = 0; i < p->nfingerprints; i++) {
		if (memcmp(p->fingerprints[i], hash, SPKI_HASH_LEN) == 0)
			return (1);
	}
	return (0);
}

static int
by_fingerprint(struct tls_peer *t, X509_STORE_CTX *x)
{
	X509		*cert = X509_STORE_CTX_get0_cert(x);
	unsigned char	*whole = NULL, *spki = NULL;
	char		 a[2 * SPKI_HASH_LEN + 1] = "?", b[2 * SPKI_HASH_LEN + 1] = "?";
	int		 ok, len;

	len = i2d_X509(cert, &whole);
	ok = is_known(t->policy, whole, len, a);
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
	ok |= is_known(t->policy, spki, len, b);
	OPENSSL_free(whole);
	OPENSSL_free(spki);
	X509_STORE_CTX_set_error(x, ok ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
	if (!ok)
		(void)snprintf(t->why, sizeof(t->why), "the certificate's fingerprint is %s, its key's %s: neither is configured", a, b);
	return (ok);
}

static int
by_dane(struct tls_peer *t, X509_STORE_CTX *x)
{
	if (X509_verify_cert(x) == 1)
		return (1);
	if (X509_STORE_CTX_get_error(x) == X509_V_OK)
		X509_STORE_CTX_set_error(x, X509_V_ERR_UNSPECIFIED);
	if (X509_STORE_CTX_get_error(x) == X509_V_ERR_DANE_NO_MATCH)
		(void)snprintf(t->why, sizeof(t->why), "no TLSA record of %s matches the certificate", t->policy->base);
	else if (X509_STORE_CTX_get_error(x) == X509_V_ERR_HOSTNAME_MISMATCH)
		say_names(t, X509_STORE_CTX_get0_cert(x));
	else
		say_chain(t, x);
	return (0);
}

int
tls_verify(X509_STORE_CTX *x, void *arg)
{
	SSL		*ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_peer	*t = SSL_get_app_data(ssl);

	t->why[0] = '\0';
	if (t->keep && t->seen == NULL && X509_STORE_CTX_get0_untrusted(x) != NULL)
		t->seen = X509_chain_up_ref(X509_STORE_CTX_get0_untrusted(x));
	switch (t->want) {
	case WANT_VERIFY:
		return (by_ca(t, x));
	case WANT_FINGERPRINT:
		return (by_fingerprint(t, x));
	case WANT_DANE:
		return (by_dane(t, x));
	default:		/* any certificate: it is not looked at */
		X509_STORE_CTX_set_error(x, X509_V_OK);
		return (1);
	}
}
