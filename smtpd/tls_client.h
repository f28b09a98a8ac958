/*
 * tls_client.h -- clients' certificates: asked for, checked, and whom they name (shell: OpenSSL).
 */
#ifndef SMTPD_TLS_CLIENT_H
#define SMTPD_TLS_CLIENT_H

#include <openssl/ssl.h>

#include "common/limits.h"
#include "common/slice.h"

/* Who may sign clients' certificates, PEM; empty: nobody.  E_CORRUPT, E_NOMEM. */
int	tls_client_authorities(SSL_CTX *, struct slice pem);
/*
 * A handshake that asks for one.  verify is told of each certificate (SSL_CTX_set_verify(3)); it
 * returns 1.
 */
void	tls_client_ask(SSL *, int (*verify)(int, X509_STORE_CTX *));
/* The login of a certificate: its first rfc822Name, or where it has none its one commonName.  E_NOTFOUND; E_SYNTAX: what stands
 * there is no login. */
int	tls_client_name(const X509 *, char dst[ADDRESS_MAX + 1]);

#endif
