/*
 * dane_verify.h -- certificates held against TLSA records by OpenSSL (RFC 7672 3, RFC 7671 5).
 * Shell: OpenSSL.
 *
 * For deliver's connections, and for posternctl's check of a chain without any.  The names are
 * those of dane_found: the base domain first, then what else a certificate under usage 2 may be
 * for; under usage 3 names and dates do not count.
 */
#ifndef COMMON_DANE_VERIFY_H
#define COMMON_DANE_VERIFY_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "common/dane.h"

#define DANE_TEXT_MAX	256	/* octets of what matched, with NUL */
#define DANE_CHAIN_MAX	32	/* certificates of a chain */

/*
 * Before the handshake, on a context that had SSL_CTX_dane_enable(): the peer is to match one of
 * the usable records t[n].  Sets SNI to base, unless there is one.  E_SYNTAX: OpenSSL can use none
 * of them, after all (a "certificate" that is none): then RFC 7672 2.2 wants TLS with any
 * certificate, and this SSL would fall back to its CAs, so it must not be used to verify. E_NOMEM.
 * Records it cannot use beside others are left out.
 */
int	 dane_verify_setup(SSL *, const char *base, const struct tlsa *t, size_t n, const char *const *names, size_t nnames);

/*
 * After the handshake: E_OK and what matched ("3 1 1 matched the leaf certificate", "2 0 1 matched
 * the certificate at depth 2, name *.example.net"), or E_DENIED and why nothing did.  Returns E_OK
 * with "verified when the session was made" for a resumed session.
 */
int	 dane_verify_result(SSL *, char text[static DANE_TEXT_MAX]);

/*
 * The same for a chain at hand: leaf first, as a server sends it.  E_OK, E_DENIED, E_SYNTAX as
 * above, E_NOMEM.
 */
int	 dane_verify_chain(X509 *const *chain, size_t nchain, const char *base, const struct tlsa *t, size_t n,
	    const char *const *names, size_t nnames, char text[static DANE_TEXT_MAX]);

/*
 * Whether the record is about this certificate, whatever its usage says of where in a chain it has
 * to stand.
 */
int	 dane_matches(const struct tlsa *, X509 *);
/* The digest that a record with this selector would have; 0 if OpenSSL fails. */
int	 dane_digest(X509 *, unsigned selector, uint8_t sha256[static 32]);

/* The certificates of a PEM file in order into chain[DANE_CHAIN_MAX], to be freed; keys and other objects are passed over.
 * E_SYNTAX: none, or one that is broken; E_LIMIT: too many. */
int	 dane_chain_read(struct slice pem, X509 **chain, size_t *n);

#endif
