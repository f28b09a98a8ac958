/*
 * conn_proxy.c -- the PROXY header in front of a session (proxy.h).  Shell.
 *
 * Asked for where the listener's proxy-from has the peer's address, and there it is due: until it is whole nothing is
 * said, and a connection without a good one ends without a word, for the log alone.  A header without addresses
 * (LOCAL, UNKNOWN) leaves the connection's own, but none of the rights that go by it: whoever is behind that
 * proxy is not the proxy.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/proxy.h"
#include "smtpd/smtpd.h"

void
conn_proxy_fail(struct conn *c, const char *why)
{
	c->d->counter[COUNT_REFUSED]++;
	conn_log_proxy(c, why);
	conn_drop_held(c);
	c->ended = 1;		/* no session: its line is this one */
	conn_close(c);
}

/* The header is whole: who the client is.  0: refused at a limit. */
static int
take_client(struct conn *c, const struct proxy *p)
{
	struct smtp_session	*s = &c->s;
	struct client		 who = { 0 };
	const char		*why = "";

	if (p->known) {
		s->client = p->client;
		s->port = p->client_port;
		s->own = p->server;
		s->own_known = 1;
	} else
		s->veiled = 1;
	who.addr = s->client;
	who.port = s->port;
	if (!smtp_relays(s)) {
		if (share_take(c->l, &who, &why) != E_OK) {
			conn_refuse(c, why);
			return (0);
		}
		c->counted = 1;
	}
	return (1);
}

/* n octets that were looked at. */
static void
take(struct conn *c, size_t n)
{
	static char	gone[READ_MAX];

	if (n != 0 && recv(c->fd, gone, n, MSG_DONTWAIT) != (ssize_t)n)
		log_debug("octets that were there have gone");
}

void
conn_proxy_read(struct conn *c)
{
	struct smtpd	*d = c->d;
	struct net_addr	 proxy = c->s.client;
	struct proxy	 p;
	size_t		 held = c->held_len, all;
	ssize_t		 n;

	/* Looked at, not taken: what stands behind the header is the session's to read, and under implicit TLS a ClientHello. */
	if (held != 0)
		memcpy(d->rbuf, c->held, held);
	n = recv(c->fd, d->rbuf + held, READ_MAX, MSG_PEEK | MSG_DONTWAIT);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
		conn_proxy_fail(c, n == 0 ? "closed before its PROXY header" : "reset before its PROXY header");
		return;
	}
	all = held + (n > 0 ? (size_t)n : 0);
	switch (proxy_parse(&p, slice_make(d->rbuf, all))) {
	case PROXY_MORE:
		take(c, all - held);
		conn_drop_held(c);
		if (all != 0 && conn_hold(c, d->rbuf, all) != E_OK)
			conn_proxy_fail(c, "no memory for a PROXY header");
		return;
	case PROXY_BAD:
		take(c, all - held);
		conn_proxy_fail(c, p.why);
		return;
	case PROXY_DONE:
		take(c, p.used - held);
		conn_drop_held(c);
		break;
	}
	d->counter[COUNT_OCTETS] += p.used;
	if (!take_client(c, &p))
		return;
	conn_begin(c, &proxy);
}
