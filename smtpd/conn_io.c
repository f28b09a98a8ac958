/*
 * conn_io.c -- a connection's octets: one read and one write per exchange.  Shell.
 *
 * The core takes what it can from the process's one read buffer; what it leaves (a part of a line,
 * or anything while it waits) is kept with the connection and put in front of the next read.
 *
 * No call waits, whatever the socket's own mode: one that came from pickup could be changed behind our back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

/* What is held, or was read, may be a password: none of it stays behind (R10). */
void
conn_drop_held(struct conn *c)
{
	c->d->held_total -= c->held_len;
	if (c->held != NULL)
		explicit_bzero(c->held, c->held_len);
	free(c->held);
	c->held = NULL;
	c->held_len = 0;
}

void
conn_lost(struct conn *c, const char *reason)
{
	c->broken = 1;
	smtp_eof(&c->s, reason);
}

/* What the socket does not take waits behind c->pend. */
void
conn_push(struct conn *c, struct buf *out)
{
	struct slice	 o = buf_slice(out);
	ssize_t		 n = 0;
	char		*p;

	if (o.n == 0)
		return;
	if (!c->broken && c->pend == NULL) {
		n = send(c->fd, o.p, o.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1) {
			n = 0;
			if (errno != EAGAIN && errno != EINTR)
				conn_lost(c, "write-error");
		}
	}
	if (!c->broken && (size_t)n < o.n) {
		o.p += n;
		o.n -= (size_t)n;
		if ((p = realloc(c->pend, c->pend_len + o.n)) == NULL)
			conn_lost(c, "no-memory");
		else {
			c->pend = p;
			memcpy(p + c->pend_len, o.p, o.n);
			c->pend_len += (uint32_t)o.n;
		}
	}
	buf_drain(out, out->len);
}

/* Send what the core wrote. */
void
conn_send(struct conn *c)
{
	struct buf	*out = &c->d->out;

	if (c->tls == NULL) {
		conn_push(c, out);
		return;
	}
	if (out->len != 0 && !c->broken && conn_tls_encrypt(c, buf_slice(out)) != E_OK)
		conn_lost(c, "write-error");
	buf_drain(out, out->len);
	conn_push(c, &c->d->tls_out);
}

void
conn_write_rest(struct conn *c)
{
	ssize_t	n;

	if (c->pend == NULL || c->broken)
		return;
	n = send(c->fd, c->pend + c->pend_off, c->pend_len - c->pend_off, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			conn_lost(c, "write-error");
		return;
	}
	c->pend_off += (uint32_t)n;
	if (c->pend_off < c->pend_len)
		return;
	free(c->pend);
	c->pend = NULL;
	c->pend_len = c->pend_off = 0;
}

int
conn_hold(struct conn *c, const char *p, size_t len)
{
	struct smtpd	*d = c->d;
	char		*h;

	if (d->held_total + len > HELD_TOTAL_MAX || (h = malloc(len)) == NULL)
		return (E_NOMEM);
	memcpy(h, p, len);
	c->held = h;
	c->held_len = (uint32_t)len;
	d->held_total += len;
	return (E_OK);
}

/* Of the read buffer: all of it where AUTH may be said or was, else what is held from now on. */
static void
wipe(const struct conn *c, char *p, size_t len, size_t off)
{
	if (smtp_auth_discreet(&c->s))
		off = 0;
	if (off < len)
		explicit_bzero(p + off, len - off);
}

/* Give octets to the core, send its replies between groups.  What it leaves is held. */
void
conn_feed(struct conn *c, char *p, size_t len)
{
	struct smtpd	*d = c->d;
	size_t		 off = 0, used;

	d->env.wall_s = (int64_t)time(NULL);
	do {
		used = smtp_input(&c->s, slice_make(p + off, len - off), smtpd_now(d));
		txn_chunk_end(d);
		txn_throttle(d);
		conn_send(c);
		off += used;
	} while (used != 0 && off < len && c->pend == NULL && !smtp_blocked(&c->s));
	if (!smtp_closed(&c->s) && off < len && conn_hold(c, p + off, len - off) != E_OK) {
		smtp_refuse_close(&c->s, "no-memory", 421, "4.3.2",
		    "%s no memory for what you sent ahead",
		    d->env.conf->hostname);
		conn_send(c);
	}
	wipe(c, p, len, off);
}

/* Move what is held in front of the read buffer; its length. */
static size_t
unhold(struct conn *c)
{
	size_t	n = c->held_len;

	if (n != 0)
		memcpy(c->d->rbuf, c->held, n);
	conn_drop_held(c);
	return (n);
}

void
conn_feed_held(struct conn *c)
{
	size_t	n = unhold(c);

	conn_feed(c, c->d->rbuf, n);
}

ssize_t
conn_recv(struct conn *c, size_t *held)
{
	*held = unhold(c);
	if (c->tls != NULL)
		return (conn_tls_recv(c, c->d->rbuf + *held, READ_MAX));
	return (recv(c->fd, c->d->rbuf + *held, READ_MAX, MSG_DONTWAIT));
}

/* After the end: the client may finish its sentence, within bounds. */
static void
linger(struct conn *c)
{
	struct smtpd	*d = c->d;
	ssize_t		 n = recv(c->fd, d->rbuf, READ_MAX, MSG_DONTWAIT);

	if (n > 0)
		explicit_bzero(d->rbuf, (size_t)n);
	if (n > 0 && (c->lingered += (uint32_t)n) < LINGER_OCTETS)
		return;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	conn_close(c);
}

void
conn_read(struct conn *c)
{
	struct smtpd	*d = c->d;
	ssize_t		 n;
	size_t		 held;
	int		 i;

	if (smtp_closed(&c->s)) {
		linger(c);
		return;
	}
	if (c->s.state == ST_TLS) {
		conn_tls_read(c);
		return;
	}
	for (i = 0; i < READS_PER_TURN; i++) {
		if (smtp_closed(&c->s) || c->broken)
			return;
		if (c->pend != NULL || smtp_blocked(&c->s)) {
			/* It talks while it has to wait: do not look again before it may. */
			conn_poll(c, c->pend != NULL ? UV_WRITABLE : 0);
			return;
		}
		n = conn_recv(c, &held);
		if (n <= 0) {
			if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
				conn_feed(c, d->rbuf, held);
				return;
			}
			conn_lost(c, n == 0 ? "eof" : errno == EPROTO ? "tls-error" : "reset");
			explicit_bzero(d->rbuf, held);
			return;
		}
		d->counter[COUNT_OCTETS] += (uint64_t)n;
		conn_feed(c, d->rbuf, held + (size_t)n);
		if (n < READ_MAX)
			return;
	}
}

void
conn_poll(struct conn *c, int events)
{
	if (c->events == events || c->closing)
		return;
	c->events = (uint8_t)events;
	if (events == 0)
		uv_poll_stop(&c->poll);
	else
		uv_poll_start(&c->poll, events, conn_on_poll);
}
