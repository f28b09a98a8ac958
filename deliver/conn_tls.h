/*
 * conn_tls.h -- a connection's TLS between its socket and the SMTP client on it.  Shell (OpenSSL).
 */
#ifndef DELIVER_CONN_TLS_H
#define DELIVER_CONN_TLS_H

#include "common/tls_bio.h"
#include "deliver/conn.h"
#include "deliver/tls.h"

struct conn_tls {
	struct tls_peer	 peer;
	struct tls_bio	 io;		/* in: of the present read */
	struct buf	 out;		/* records that the socket has not taken */
	uint32_t	 octets;	/* of the handshake, from the host */
	uint8_t		 done;		/* the handshake succeeded */
	uint8_t		 dead;		/* nothing more may be sent */
	uint64_t	 sent;		/* octets that left out, of io.written */
	/*
	 * Records of a body that the socket has not taken whole: where each ends, and what it
	 * stands for.
	 */
	unsigned	 nrec, at_rec;
	struct { uint64_t end; size_t octets; } rec[TLS_BATCH / TLS_RECORD + 1];
};

void	conn_tls_begin(struct conn *);		/* CLIENT_TLS: the first flight */
void	conn_tls_read(struct conn *, const char *, size_t);	/* what the socket gave */
/* Plain octets into records.  E_OK, E_CLOSED. */
int	conn_tls_encrypt(struct conn *, struct slice);
/* Records to the socket.  E_OK: all; E_AGAIN; E_CLOSED. */
int	conn_tls_push(struct conn *);
/*
 * The body's segments.  As conn_writev(): E_OK means that the socket has the last record of them.
 */
int	conn_tls_writev(struct conn *);
int	conn_tls_waits(const struct conn *);	/* records wait for the socket ... */
int	conn_tls_sending(const struct conn *);	/* ... and they are a body's */
size_t	conn_tls_binding(struct conn *, enum binding, uint8_t dst[SASL_BINDING_MAX]);
void	conn_tls_free(struct conn *);		/* with a close_notify, if the socket takes it */

#endif
