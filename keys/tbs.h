/*
 * tbs.h -- what keys signs, and nothing else: the two forms in which TLS asks a server for a signature (core: pure).
 *
 *	TLS 1.3		64 blanks, "TLS 1.3, server CertificateVerify", NUL, the transcript's hash (RFC 8446 4.4.3)
 *	TLS 1.2		client random, server random, an ECDHE public key on a named curve (RFC 8422 5.4)
 *
 * A process that speaks for a broken-into smtpd can ask for signatures of its own sessions as
 * long as it lives, but for nothing that another protocol, a certificate request or a client's
 * CertificateVerify would take.  The randoms of TLS 1.2 are as he likes; what follows them is not: a point that
 * is not on its curve (which key.c checks) leaves room for a certificate, or a request for one, in
 * the octets of the longest form.
 */
#ifndef KEYS_TBS_H
#define KEYS_TBS_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

enum tbs_key { TBS_RSA, TBS_EC_P256, TBS_EC_P384, TBS_EC_P521, TBS_ED25519, TBS_KEYS };

struct tbs_scheme {			/* a SignatureScheme of RFC 8446 4.2.3 */
	uint16_t	 number;
	enum tbs_key	 key;		/* TLS 1.2 takes any EC key with any hash */
	const char	*digest;	/* NULL: the algorithm's own */
	uint8_t		 pss;
};

const struct tbs_scheme *tbs_scheme(uint16_t number);
/* E_OK, or E_SYNTAX: not one of the two forms, or the scheme does not go with it. */
int	tbs_check(const struct tbs_scheme *, struct slice tbs);
/* The curve's number (23, 24, 25) and the point in TLS 1.2's form; 0: there is none to check. */
uint16_t tbs_point(struct slice tbs, struct slice *point);

#endif
