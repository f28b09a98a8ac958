/*
 * cert_text.h -- a certificate in words, for operators: printable ASCII alone, whatever it holds.  Shell: OpenSSL.
 */
#ifndef COMMON_CERT_TEXT_H
#define COMMON_CERT_TEXT_H

#include <openssl/x509.h>
#include <stddef.h>

#define CERT_NAME_LEN	256	/* octets of a distinguished name, with NUL; a longer one is cut */
#define CERT_NAMES_LEN	1024	/* of its DNS names */

struct cert_text {
	char	subject[CERT_NAME_LEN], issuer[CERT_NAME_LEN];	/* "CN=mx.example.net" */
	char	names[CERT_NAMES_LEN];		/* "mx.example.net, *.example.net", ", ..." where more do not fit; "" none */
	char	from[24], until[24];		/* "2026-01-31 12:00:00Z"; "?" if it is no time */
	int	expired, early;			/* now */
	char	sha256[32 * 3];			/* of the whole, "AB:CD:..." */
	char	key[64];			/* "RSA 2048 bits", "EC 256 bits" */
};

void	cert_describe(struct cert_text *, X509 *);

#endif
