/*
 * tls_bio.c -- see tls_bio.h.  Shell (OpenSSL).
 */
#include "common/tls_bio.h"

#include <string.h>

#include "common/err.h"

static int
bio_read(BIO *b, char *dst, int len)
{
	struct tls_bio *io = BIO_get_data(b);
	size_t n = (size_t)len < io->in_len ? (size_t)len : io->in_len;

	BIO_clear_retry_flags(b);
	if (n == 0) {
		BIO_set_retry_read(b);
		return (-1);
	}
	memcpy(dst, io->in, n);
	io->in += n;
	io->in_len -= n;
	return ((int)n);
}

static int
bio_write(BIO *b, const char *p, int len)
{
	struct tls_bio *io = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (buf_add(io->out, p, (size_t)len) != E_OK)
		return (-1);
	io->written += (size_t)len;
	return (len);
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *p)
{
	return (cmd == BIO_CTRL_FLUSH);
}

BIO *
tls_bio_new(struct tls_bio *io)
{
	static BIO_METHOD *m;
	BIO *b;

	if (m == NULL && ((m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "connection")) == NULL ||
	    BIO_meth_set_read(m, bio_read) != 1 || BIO_meth_set_write(m, bio_write) != 1 ||
	    BIO_meth_set_ctrl(m, bio_ctrl) != 1))
		return (NULL);
	if ((b = BIO_new(m)) == NULL)
		return (NULL);
	BIO_set_data(b, io);
	BIO_set_init(b, 1);
	return (b);
}
