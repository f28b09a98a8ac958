/*
 * tls_provider.h -- private keys that are elsewhere: an OpenSSL provider whose keys can only be
 * asked for (shell: OpenSSL).
 *
 * A key here is its public half and a number.  When libssl wants a signature it gets what ask()
 * returns: the process that holds the private half is asked with the number, a SignatureScheme (RFC
 * 8446 4.2.3) and the octets that TLS wants signed.  ask() may run in a fibre of SSL_MODE_ASYNC and
 * wait there (ASYNC_pause_job()).  The private half cannot be exported, since it is not here.
 */
#ifndef SMTPD_TLS_PROVIDER_H
#define SMTPD_TLS_PROVIDER_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define TLS_SIG_MAX	1024	/* octets: RSA of 8192 bits */

/* E_OK and the signature in sig[TLS_SIG_MAX]; anything else fails the handshake. */
typedef int (*tls_ask)(void *arg, uint16_t key, uint16_t scheme, struct slice tbs, uint8_t *sig, size_t *len);

/* Once, before the sandbox.  E_OK, E_IO. */
int	tls_provider_open(tls_ask, void *arg);
void	tls_provider_close(void);
/*
 * The handle of a private key whose public half stands in the certificate; NULL.  The caller's to
 * free.
 */
EVP_PKEY *tls_provider_key(X509 *, uint16_t key);

#endif
