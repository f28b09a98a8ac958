/*
 * conn_tls.h -- a connection's TLS, between conn_tls.c and tls_ask.c.  Shell.
 */
#ifndef SMTPD_CONN_TLS_H
#define SMTPD_CONN_TLS_H

#include <openssl/ssl.h>

#include "common/tls_bio.h"
#include "smtpd/smtpd.h"

enum sign_state { SIGN_IDLE, SIGN_WAITS, SIGN_HERE, SIGN_NONE };

struct tls_conn {
	struct conn	*c;
	SSL		*ssl;
	struct tls_bio	 io;		/* in: of the present call, or held; out: the process's */
	char		*held;		/* they wait, and nothing is read, while a signature is awaited */
	uint32_t	 octets;	/* of the handshake */
	uint8_t		 paused;	/* its fibre is in the middle of a handshake */
	uint8_t		 done;		/* the handshake is over and succeeded */
	uint8_t		 counted;	/* in d->nhandshakes */
	uint8_t		 bye;		/* close_notify was said, or must not be */
	uint8_t		 sign;		/* enum sign_state */
	uint32_t	 sign_id;	/* on the channel to keys, 0 none */
	uint64_t	 sign_until;
	uint8_t		*sig;		/* SIGN_WAITS: where it is wanted, on the fibre's stack */
	size_t		 sig_len;
	const char	*why;		/* why there is no signature */
	int		 cert_err;	/* X509_V_*: the first thing that is wrong with the client's certificate */
	char		*external;	/* whom it names, if it is good; NULL nobody */
	char		 text[TLS_TEXT_MAX + 1];
};

extern struct tls_conn	*conn_tls_current;	/* whose OpenSSL is running */

#endif
