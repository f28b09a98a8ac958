/*
 * tls_text.h -- what was agreed on in a handshake, for people and for channel bindings (shell:
 * OpenSSL).
 */
#ifndef COMMON_TLS_TEXT_H
#define COMMON_TLS_TEXT_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ipc_msg.h"
#include "common/limits.h"

/* "TLSv1.3 TLS_AES_256_GCM_SHA384 x25519" of a handshake that is done. */
void	 tls_describe(const SSL *, char dst[TLS_TEXT_MAX + 1]);
/* Why the last call failed: OpenSSL's first reason, and its queue is empty then. */
const char *tls_error(void);
/*
 * A channel binding (RFC 5056) of a handshake that is done; its octets, 0: there is none of this
 * kind.  The exporter's needs TLS 1.3 or the extended master secret (RFC 9266 4.2), and so does
 * tls-unique, which TLS 1.3 does not have (RFC 8446 C.5).  server: the server's certificate, for
 * BINDING_ENDPOINT.
 */
size_t	 tls_binding(SSL *, enum binding, X509 *server, uint8_t dst[SASL_BINDING_MAX]);

#endif
