/*
 * tls_text.c -- see tls_text.h.  Shell (OpenSSL).  RFC 5929, 9266.
 */
#include "common/tls_text.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define EXPORTER_LABEL	"EXPORTER-Channel-Binding"	/* RFC 9266 3 */
#define EXPORTER_LEN	32

const char *
tls_error(void)
{
	unsigned long	 e = ERR_peek_error();
	const char	*text = e != 0 ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return (text != NULL ? text : "no reason given");
}

/* As IANA writes it. */
static const char *
group_name(const SSL *ssl)
{
	int	nid = (int)SSL_get_negotiated_group((SSL *)(uintptr_t)ssl);

	switch (nid) {
	case NID_X25519:
		return ("x25519");
	case NID_X448:
		return ("x448");
	case NID_X9_62_prime256v1:
		return ("secp256r1");
	case NID_secp384r1:
		return ("secp384r1");
	case NID_secp521r1:
		return ("secp521r1");
	default:
		return (NULL);
	}
}

void
tls_describe(const SSL *ssl, char dst[TLS_TEXT_MAX + 1])
{
	const SSL_CIPHER	*c = SSL_get_current_cipher(ssl);
	const char		*suite = c != NULL ? SSL_CIPHER_standard_name(c) : NULL, *group = group_name(ssl);

	(void)snprintf(dst, TLS_TEXT_MAX + 1, "%s %s%s%s", SSL_get_version(ssl), suite != NULL ? suite : "unknown",
	    group != NULL ? " " : "", group != NULL ? group : "");
}

/*
 * RFC 5929 4.1: by the hash of the certificate's signature, but at least SHA-256; without a hash of
 * its own there is none.
 */
static size_t
endpoint(X509 *server, uint8_t dst[SASL_BINDING_MAX])
{
	const EVP_MD	*md = EVP_sha256();
	unsigned	 n = 0;
	int		 digest;

	_Static_assert(EVP_MAX_MD_SIZE <= SASL_BINDING_MAX, "a binding has room for every hash");
	if (server == NULL || X509_get_signature_info(server, &digest, NULL, NULL, NULL) != 1 || digest == NID_undef)
		return (0);
	if (digest != NID_md5 && digest != NID_sha1 && (md = EVP_get_digestbynid(digest)) == NULL)
		return (0);
	return (X509_digest(server, md, dst, &n) == 1 ? n : 0);
}

/*
 * RFC 5929 3: the first Finished message of the handshake: the client's, or in an abbreviated one
 * the server's.
 */
static size_t
unique(SSL *ssl, uint8_t dst[SASL_BINDING_MAX])
{
	int	own = (SSL_is_server(ssl) != 0) == (SSL_session_reused(ssl) != 0);
	size_t	n = own ? SSL_get_finished(ssl, dst, SASL_BINDING_MAX) : SSL_get_peer_finished(ssl, dst, SASL_BINDING_MAX);

	return (n <= SASL_BINDING_MAX ? n : 0);
}

size_t
tls_binding(SSL *ssl, enum binding kind, X509 *server, uint8_t dst[SASL_BINDING_MAX])
{
	int	v13 = SSL_version(ssl) >= TLS1_3_VERSION;
	size_t	n = 0;

	if (kind == BINDING_ENDPOINT)
		n = endpoint(server, dst);
	else if (!v13 && SSL_get_extms_support(ssl) != 1)
		n = 0;
	else if (kind == BINDING_UNIQUE)
		n = v13 ? 0 : unique(ssl, dst);
	else if (SSL_export_keying_material(ssl, dst, EXPORTER_LEN, EXPORTER_LABEL, sizeof(EXPORTER_LABEL) - 1, NULL, 0, 0) == 1)
		n = EXPORTER_LEN;
	ERR_clear_error();
	return (n);
}
