/*
 * conn_tls.c -- TLS between a connection's socket and its session.  Shell (OpenSSL).
 *
 * OpenSSL sees no socket: its BIO reads from what the one read of a turn brought and writes
 * into one buffer of the process, so a connection that is idle keeps its SSL and nothing else.
 * In the handshake nothing is given to the core; after it conn_recv() and conn_send() pass
 * through here, and all else is as in clear.
 *
 * A handshake runs in a fibre (SSL_MODE_ASYNC) that pauses while keys signs: the loop goes on
 * (R11).
 */
#include <openssl/err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/log.h"
#include "common/tls_text.h"
#include "smtpd/conn_tls.h"
#include "smtpd/tls.h"
#include "smtpd/tls_client.h"

#define HANDSHAKE	0x16	/* ContentType of the first record, RFC 8446 5.1 */

struct tls_conn	*conn_tls_current;

/* ---- the handshake ---- */

int
conn_tls_ready(struct smtp_session *s)
{
	struct conn	*c = (struct conn *)(void *)s;	/* its first member */

	if (!tls_ready() || c->d->keys == NULL)
		return (E_CLOSED);
	return (c->d->nhandshakes < TLS_HANDSHAKES_MAX ? E_OK : E_LIMIT);
}

static void
over(struct tls_conn *t)
{
	t->c->d->nhandshakes -= t->counted;
	t->counted = 0;
	free(t->held);
	t->held = NULL;
}

static void
fail(struct conn *c, const char *why)
{
	conn_log_tls_failed(c, why);
	if (c->tls != NULL) {
		over(c->tls);
		c->tls->bye = 1;
	}
	smtp_tls_failed(&c->s, "tls-handshake", smtpd_now(c->d));
}

/* A certificate that is not good is as none; the log says why. */
static int
on_certificate(int ok, X509_STORE_CTX *x)
{
	struct tls_conn	*t = conn_tls_current;

	if (!ok && t != NULL && t->cert_err == X509_V_OK)
		t->cert_err = X509_STORE_CTX_get_error(x);
	return (1);
}

void
conn_tls_begin(struct conn *c)
{
	struct tls_conn	*t;
	BIO		*b;
	int		 err = conn_tls_ready(&c->s);

	if (err != E_OK) {
		fail(c, err == E_LIMIT ? "too many handshakes" : !tls_ready() ? "no certificate" : "keys is not there");
		return;
	}
	if ((t = calloc(1, sizeof(*t))) == NULL || (t->ssl = tls_new()) == NULL || (b = tls_bio_new(&t->io)) == NULL) {
		if (t != NULL)
			SSL_free(t->ssl);
		free(t);
		ERR_clear_error();
		fail(c, "no memory");
		return;
	}
	t->io.out = &c->d->tls_out;
	SSL_set_bio(t->ssl, b, b);
	SSL_set_mode(t->ssl, SSL_MODE_ASYNC);
	if (c->s.conf_listener != NULL && c->s.conf_listener->client_certs)
		tls_client_ask(t->ssl, on_certificate);
	t->c = c;
	t->counted = 1;
	c->d->nhandshakes++;
	c->tls = t;
}

/* The client's certificate, if it has sent one: in the text of the TLS for log and Received, and its name for EXTERNAL. */
static void
look_at_client(struct tls_conn *t)
{
	const X509	*x = SSL_get0_peer_certificate(t->ssl);
	long		 err = t->cert_err != X509_V_OK ? t->cert_err : SSL_get_verify_result(t->ssl);
	char		 name[ADDRESS_MAX + 1];
	int		 named;
	size_t		 n = strlen(t->text);

	if (x == NULL)
		return;
	named = tls_client_name(x, name);
	(void)snprintf(t->text + n, sizeof(t->text) - n, " %s", err == X509_V_OK ? "client-verified" : "client-unverified");
	conn_log_certificate(t->c, name, err == X509_V_OK ? NULL : X509_verify_cert_error_string(err));
	if (err == X509_V_OK && named == E_OK)
		t->c->s.external = t->external = strdup(name);
}

static void
done(struct conn *c)
{
	struct tls_conn	*t = c->tls;

	t->done = 1;
	SSL_clear_mode(t->ssl, SSL_MODE_ASYNC);
	tls_describe(t->ssl, t->text);
	c->s.tls_text = t->text;
	if (c->s.conf_listener != NULL && c->s.conf_listener->client_certs)
		look_at_client(t);
	c->s.bindable = SSL_version(t->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(t->ssl) == 1;
	c->d->counter[COUNT_TLS]++;
	conn_log_tls(c, SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name), SSL_session_reused(t->ssl));
	smtp_tls_started(&c->s, smtpd_now(c->d));
}

/* What came along with the client's last words. */
static void
rest(struct conn *c)
{
	ssize_t	n = conn_tls_recv(c, c->d->rbuf, READ_MAX);

	conn_send(c);
	if (n > 0) {
		conn_feed(c, c->d->rbuf, (size_t)n);
		return;
	}
	if (n == 0 || errno != EAGAIN)
		conn_lost(c, n == 0 ? "eof" : "tls-error");
}

static void
keep(struct tls_conn *t)
{
	char	*p;

	if (t->io.in_len == 0 || t->io.in == t->held)
		return;
	if ((p = malloc(t->io.in_len)) == NULL) {
		ask_key_forget(t->c, "no memory");	/* step() goes on with that */
		return;
	}
	memcpy(p, t->io.in, t->io.in_len);
	free(t->held);
	t->held = p;
	t->io.in = p;
}

static void
step(struct conn *c)
{
	struct tls_conn	*t = c->tls;
	int		 r, e;

	do {
		conn_tls_current = t;
		ERR_clear_error();
		r = SSL_do_handshake(t->ssl);
		e = r == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, r);
		conn_tls_current = NULL;
		t->paused = e == SSL_ERROR_WANT_ASYNC;
		if (t->paused && t->sign == SIGN_WAITS)
			keep(t);
	} while (t->paused && t->sign != SIGN_WAITS);
	conn_push(c, &c->d->tls_out);
	if (c->broken)
		return;
	switch (e) {
	case SSL_ERROR_NONE:
		done(c);
		if (!c->broken && t->io.in_len != 0 && !smtp_closed(&c->s))
			rest(c);
		over(t);
		break;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_ASYNC:
		break;
	default:
		fail(c, t->why != NULL ? t->why : e == SSL_ERROR_WANT_ASYNC_JOB ? "too many handshakes" : tls_error());
		ERR_clear_error();
		break;
	}
}

void
conn_tls_step(struct conn *c)
{
	if (c->tls != NULL && c->s.state == ST_TLS && !c->closing)
		step(c);
}

void
conn_tls_read(struct conn *c)
{
	struct tls_conn	*t = c->tls;
	struct smtpd	*d = c->d;
	ssize_t		 n;

	if (c->pend != NULL || t == NULL || t->sign == SIGN_WAITS)
		return;
	n = recv(c->fd, d->tls_in, sizeof(d->tls_in), MSG_DONTWAIT);
	if (n <= 0) {
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		conn_log_tls_failed(c, n == 0 ? "the client has gone" : "reset");
		conn_lost(c, n == 0 ? "eof" : "reset");
		return;
	}
	if (t->octets == 0 && (unsigned char)d->tls_in[0] != HANDSHAKE) {
		fail(c, "no TLS: other octets where a handshake is due");
		return;
	}
	if ((t->octets += (uint32_t)n) > TLS_HANDSHAKE_OCTETS) {
		fail(c, "a handshake without end");
		return;
	}
	t->io.in = d->tls_in;
	t->io.in_len = (size_t)n;
	step(c);
}

int
conn_tls_waits(const struct conn *c)
{
	return (c->tls != NULL && c->tls->sign == SIGN_WAITS);
}

uint64_t
conn_tls_deadline(const struct conn *c)
{
	return (conn_tls_waits(c) ? c->tls->sign_until : UINT64_MAX);
}

/* ---- after it ---- */

/* All that is here of records, as plain text: at most READ_MAX (see TLS_READ_MAX). */
static ssize_t
decrypt(struct tls_conn *t, char *dst, size_t size)
{
	size_t	all = 0, n;
	int	e = SSL_ERROR_NONE;

	ERR_clear_error();
	while (all < size && SSL_read_ex(t->ssl, dst + all, size - all, &n) == 1)
		all += n;
	if (all < size)
		e = SSL_get_error(t->ssl, 0);
	if (all != 0)		/* an error comes again */
		return ((ssize_t)all);
	switch (e) {
	case SSL_ERROR_WANT_READ:
		errno = EAGAIN;
		return (-1);
	case SSL_ERROR_ZERO_RETURN:
		return (0);
	default:
		log_debug("session=%llx tls: %s", (unsigned long long)t->c->s.id, tls_error());
		t->bye = 1;
		errno = EPROTO;
		return (-1);
	}
}

ssize_t
conn_tls_recv(struct conn *c, char *dst, size_t size)
{
	struct tls_conn	*t = c->tls;
	struct smtpd	*d = c->d;
	ssize_t		 n;

	if (t->io.in_len == 0) {
		n = recv(c->fd, d->tls_in, sizeof(d->tls_in), MSG_DONTWAIT);
		if (n <= 0)
			return (n);
		t->io.in = d->tls_in;
		t->io.in_len = (size_t)n;
	}
	n = decrypt(t, dst, size);
	if (t->io.in_len != 0)
		log_debug("session=%llx tls: %zu octets left", (unsigned long long)c->s.id, t->io.in_len);
	t->io.in_len = 0;
	return (n);
}

int
conn_tls_encrypt(struct conn *c, struct slice plain)
{
	struct tls_conn	*t = c->tls;
	size_t		 n;

	if (!t->done || t->bye)
		return (E_IO);
	ERR_clear_error();
	return (SSL_write_ex(t->ssl, plain.p, plain.n, &n) == 1 && n == plain.n ? E_OK : E_IO);
}

void
conn_tls_bye(struct conn *c)
{
	struct tls_conn	*t = c->tls;

	if (t == NULL || !t->done || t->bye)
		return;
	t->bye = 1;
	ERR_clear_error();
	if (SSL_shutdown(t->ssl) < 0)
		ERR_clear_error();
}

void
conn_tls_free(struct conn *c)
{
	struct tls_conn	*t = c->tls;

	if (t == NULL)
		return;
	while (t->paused) {	/* the fibre has to come to its end, or it would never be free again */
		ask_key_forget(c, "the client has gone");
		conn_tls_current = t;
		t->paused = SSL_get_error(t->ssl, SSL_do_handshake(t->ssl)) == SSL_ERROR_WANT_ASYNC;
		conn_tls_current = NULL;
	}
	ERR_clear_error();
	buf_drain(&c->d->tls_out, c->d->tls_out.len);
	over(t);
	SSL_free(t->ssl);
	free(t->external);
	free(t);
	c->tls = NULL;
	c->s.tls_text = c->s.external = NULL;
}
