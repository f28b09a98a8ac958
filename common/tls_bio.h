/*
 * tls_bio.h -- OpenSSL on plain buffers: it sees no socket.  Shell (OpenSSL).
 *
 * Records come from the octets of one read and go into the owner's buffer.  Only smtpd and deliver link it.
 */
#ifndef COMMON_TLS_BIO_H
#define COMMON_TLS_BIO_H

#include <openssl/bio.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct tls_bio {
	const char	*in;		/* records that OpenSSL has not taken; borrowed */
	size_t		 in_len;
	struct buf	*out;		/* the owner's */
	uint64_t	 written;	/* octets put into out, ever */
};

/* Reads and writes there; io outlives it.  NULL: no memory.  A buffer at its cap is an error of the write. */
BIO	*tls_bio_new(struct tls_bio *io);

#endif
