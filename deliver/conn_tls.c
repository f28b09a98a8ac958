/*
 * conn_tls.c -- see conn_tls.h.  Shell (OpenSSL).
 *
 * OpenSSL sees no socket: its BIO reads what the one read of a wake-up brought, and writes into the
 * connection's buffer of records.  A body goes in batches: one is encrypted when the socket has
 * taken the one before, and it counts as sent once its last record is gone, not before
 * (threat-model.md G3: a host can make nothing of a part of a record).
 */
#include "deliver/conn_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/tls_text.h"

#define HANDSHAKE	0x16	/* ContentType of a record, RFC 8446 5.1 ... */
#define ALERT		0x15

/* ---- the handshake ---- */

static void
failed(struct conn *c, const char *why)
{
	if (c->tls != NULL) {
		(void)conn_tls_push(c);		/* the alert, if the socket takes it */
		c->tls->dead = 1;
	}
	client_tls_failed(&c->client, why, deliver_now(c->d));
	conn_pump(c, slice_make(NULL, 0));
}

static void
step(struct conn *c)
{
	struct conn_tls *t = c->tls;
	char text[TLS_TEXT_MAX + 1];
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(t->peer.ssl);
	if (r == 1) {
		if (tls_peer_done(&t->peer, text) != E_OK) {
			failed(c, tls_peer_why(&t->peer));
			return;
		}
		t->done = 1;
		log_debug("relay=%s tls=\"%s\"", c->relay, text);
		client_tls_started(&c->client, text, deliver_now(c->d));
		conn_pump(c, slice_make(NULL, 0));
		return;
	}
	if (SSL_get_error(t->peer.ssl, r) != SSL_ERROR_WANT_READ) {
		failed(c, tls_peer_why(&t->peer));
		return;
	}
	(void)conn_tls_push(c);
	conn_want(c, UV_READABLE);
}

void
conn_tls_begin(struct conn *c)
{
	struct conn_tls *t;
	const char *why = "out of memory";
	BIO *b;

	if ((t = calloc(1, sizeof(*t))) == NULL ||
	    tls_peer_init(&t->peer, c->policy, &c->addr, c->port, &why) != E_OK || (b = tls_bio_new(&t->io)) == NULL) {
		if (t != NULL)
			tls_peer_clear(&t->peer);
		free(t);
		ERR_clear_error();
		failed(c, why);
		return;
	}
	SSL_set_bio(t->peer.ssl, b, b);
	t->peer.keep = c->trial != NULL;
	buf_init(&t->out, TLS_OUT_MAX);
	t->io.out = &t->out;
	c->tls = t;
	step(c);
}

/* ---- what the socket gives ---- */

/* Records to plain octets to the core, until there are no more, or the connection is gone. */
static void
decrypt(struct conn *c)
{
	static char plain[TLS_RECORD];
	struct conn_tls *t = c->tls;
	size_t n;
	int e;

	for (;;) {
		ERR_clear_error();
		if (SSL_read_ex(t->peer.ssl, plain, sizeof(plain), &n) != 1)
			break;
		conn_pump(c, slice_make(plain, n));
		if (c->state == CONN_CLOSED)
			return;
	}
	e = SSL_get_error(t->peer.ssl, 0);
	if (e == SSL_ERROR_WANT_READ) {
		if (t->out.len != 0)		/* an answer to a change of keys */
			conn_want(c, c->events);
		return;
	}
	t->dead |= e != SSL_ERROR_ZERO_RETURN;
	conn_dead(c, e == SSL_ERROR_ZERO_RETURN ? "lost connection" : tls_error(), 0);
}

void
conn_tls_read(struct conn *c, const char *p, size_t n)
{
	struct conn_tls *t = c->tls;

	if (!t->done) {
		if (t->octets == 0 && p[0] != HANDSHAKE && p[0] != ALERT) {
			failed(c, "the host sent no TLS where the handshake is due");
			return;
		}
		if ((t->octets += (uint32_t)n) > TLS_HANDSHAKE_OCTETS) {
			failed(c, "a handshake without end");
			return;
		}
	}
	t->io.in = p;
	t->io.in_len = n;
	if (!t->done)
		step(c);
	if (c->state != CONN_CLOSED && t->done)
		decrypt(c);
	if (c->state != CONN_CLOSED)
		t->io.in_len = 0;
}

/* ---- what it takes ---- */

int
conn_tls_encrypt(struct conn *c, struct slice s)
{
	struct conn_tls *t = c->tls;
	size_t n;

	if (t->dead || !t->done)
		return (E_CLOSED);
	ERR_clear_error();
	if (SSL_write_ex(t->peer.ssl, s.p, s.n, &n) == 1 && n == s.n)
		return (E_OK);
	log_debug("relay=%s tls: %s", c->relay, tls_error());
	t->dead = 1;
	return (E_CLOSED);
}

int
conn_tls_waits(const struct conn *c)
{
	return (c->tls != NULL && c->tls->out.len != 0);
}

int
conn_tls_sending(const struct conn *c)
{
	return (c->tls != NULL && c->tls->at_rec < c->tls->nrec);
}

/* n octets have gone: which records of the body are whole there? */
static void
went(struct conn *c, size_t n)
{
	struct conn_tls *t = c->tls;

	t->sent += n;
	while (t->at_rec < t->nrec && t->sent >= t->rec[t->at_rec].end)
		client_body_sent(&c->client, t->rec[t->at_rec++].octets, deliver_now(c->d));
}

int
conn_tls_push(struct conn *c)
{
	struct conn_tls *t = c->tls;
	struct slice s;
	ssize_t n;

	while ((s = buf_slice(&t->out)).n != 0) {
		n = write(c->fd, s.p, s.n);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == ENOBUFS))
			return (E_AGAIN);
		if (n == -1) {
			buf_drain(&t->out, s.n);
			t->dead = 1;
			return (E_CLOSED);
		}
		buf_drain(&t->out, (size_t)n);
		went(c, (size_t)n);
	}
	return (E_OK);
}

/* One record from the segments; the octets, 0: OpenSSL would not. */
static size_t
encrypt_record(struct conn *c)
{
	static char plain[TLS_RECORD];
	struct slice *s;
	size_t n = 0, k;

	while (c->at_seg < c->nseg && n < sizeof(plain)) {
		s = &c->seg[c->at_seg];
		k = s->n < sizeof(plain) - n ? s->n : sizeof(plain) - n;
		memcpy(plain + n, s->p, k);
		n += k;
		s->p += k;
		s->n -= k;
		c->at_seg += s->n == 0;
	}
	return (n != 0 && conn_tls_encrypt(c, slice_make(plain, n)) == E_OK ? n : 0);
}

int
conn_tls_writev(struct conn *c)
{
	struct conn_tls *t = c->tls;
	size_t n;
	int err;

	for (;;) {
		err = conn_tls_push(c);
		if (t->at_rec == t->nrec && c->at_seg == c->nseg)
			return (E_OK);
		if (err != E_OK || t->dead)
			return (err != E_OK ? err : E_CLOSED);
		t->nrec = t->at_rec = 0;
		while (c->at_seg < c->nseg && t->nrec < sizeof(t->rec) / sizeof(t->rec[0])) {
			if ((n = encrypt_record(c)) == 0)
				return (E_CLOSED);
			t->rec[t->nrec].octets = n;
			t->rec[t->nrec++].end = t->io.written;
		}
	}
}

/* ---- the rest ---- */

size_t
conn_tls_binding(struct conn *c, enum binding kind, uint8_t dst[SASL_BINDING_MAX])
{
	X509 *cert;
	size_t n;

	if (c->tls == NULL || !c->tls->done)
		return (0);
	cert = SSL_get1_peer_certificate(c->tls->peer.ssl);
	n = tls_binding(c->tls->peer.ssl, kind, cert, dst);
	X509_free(cert);
	return (n);
}

void
conn_tls_free(struct conn *c)
{
	struct conn_tls *t = c->tls;

	if (t == NULL)
		return;
	if (t->done && !t->dead && t->out.len == 0) {	/* what was half sent has no end to put behind it */
		ERR_clear_error();
		(void)SSL_shutdown(t->peer.ssl);
		(void)conn_tls_push(c);
	}
	ERR_clear_error();
	tls_peer_clear(&t->peer);
	buf_clear(&t->out);
	free(t);
	c->tls = NULL;
}
