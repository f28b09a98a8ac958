/*
 * conn.c -- see conn.h.  Shell.
 *
 * Few system calls: one write for a group of commands, one gathered write for body and final dot,
 * one read per wake-up; the poll is changed only when writing has to wait.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "deliver/conn.h"
#include "deliver/conn_tls.h"

static void	on_poll(uv_poll_t *, int, int);
static void	conn_act(struct conn *);
static int	conn_flush(struct conn *);
static void	conn_write_body(struct conn *);

static void
on_closed(uv_handle_t *h)
{
	struct conn *c = h->data;

	policy_unref(c->policy);	/* until then it is asked for: whether mail may go without TLS */
	free(c);
}

void
conn_want(struct conn *c, int events)
{
	if (conn_tls_waits(c))
		events |= UV_WRITABLE;
	if (c->state == CONN_CLOSED || c->events == events)
		return;
	c->events = events;
	if (uv_poll_start(&c->poll, events, on_poll) != 0)
		log_warn("connection to %s: cannot be polled", c->relay);
}

/* ---- life ---- */

/* The source address the operator chose; why, if it cannot be had. */
static const char *
conn_bind(struct conn *c)
{
	const struct conf *conf = c->d->room.conf;
	const char *text = net_addr_is4(&c->addr) ? conf->deliver.bind4 : conf->deliver.bind6;
	struct sockaddr_storage ss;
	struct net_addr a;
	socklen_t n;

	if (text[0] == '\0')
		return (NULL);
	if (net_addr_parse(&a, slice_str(text)) != E_OK)
		return ("the configured source address is no address");
	n = net_addr_to_sockaddr(&ss, &a, 0);
	if (bind(c->fd, (struct sockaddr *)&ss, n) == -1)
		return ("the configured source address is not one of this machine");
	return (NULL);
}

static const char *
conn_start(struct conn *c, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t n;
	int one = 1;
	const char *why;

	c->fd = socket(net_addr_is4(&c->addr) ? AF_INET : AF_INET6,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return (
		    errno == EMFILE || errno == ENFILE ? "no descriptor is free" : strerror(errno));
	(void)setsockopt(
	    c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* only slower without */
	if ((why = conn_bind(c)) != NULL)
		return (why);
	n = net_addr_to_sockaddr(&ss, &c->addr, port);
	if (connect(c->fd, (struct sockaddr *)&ss, n) == -1 && errno != EINPROGRESS)
		return (strerror(errno));
	return (NULL);
}

static void
relay_name(struct conn *c, const char *host, uint16_t port)
{
	char ip[NET_ADDR_STRLEN];

	net_addr_str(&c->addr, ip);
	if (strcmp(host, ip) == 0)
		snprintf(c->relay, sizeof(c->relay), "[%s]:%u", ip, port);
	else
		snprintf(c->relay, sizeof(c->relay), "%s[%s]:%u", host, ip, port);
}

struct conn *
conn_dial(struct deliver *d, struct job *j, struct pool_dest *dest, const char *host,
    const struct net_addr *addr, uint16_t port, struct tls_policy *policy, int in_clear, const char **why)
{
	struct conn *c;
	char text[sizeof(c->relay) + 64];

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		*why = "out of memory";
		policy_unref(policy);
		return (NULL);
	}
	c->d = d;
	c->fd = -1;
	c->addr = *addr;
	c->port = port;
	c->epoch = d->epoch;
	c->timeouts = d->room.conf->deliver.timeouts;
	c->born_ms = deliver_now(d);
	relay_name(c, host, port);
	*why = conn_start(c, port);
	if (*why == NULL && uv_poll_init(&d->room.loop, &c->poll, c->fd) != 0)
		*why = "the socket cannot be watched";
	if (*why != NULL) {
		if (c->fd != -1)
			close(c->fd);
		policy_unref(policy);
		free(c);
		return (NULL);
	}
	c->poll.data = c;
	c->job = j;
	client_init(&c->client, d->hostname, &c->timeouts);
	c->policy = policy;
	client_secure(&c->client, policy, in_clear, dest->login[0] != '\0');
	c->client.dialogue = j != NULL ? &j->dialogue : NULL;
	c->client.now_ms = c->born_ms;
	c->client.deadline_ms = c->born_ms + c->timeouts.connect * UINT64_C(1000);
	snprintf(text, sizeof(text), "connecting to %s%s", c->relay, in_clear ? ", in clear since TLS failed" : "");
	if (j != NULL)
		dialogue_add(&j->dialogue, c->born_ms, '*', 0, slice_str(text));
	pool_add(&d->pool, dest, &c->pool);
	TAILQ_INSERT_TAIL(&d->conns, c, link);
	d->count[COUNT_CONNECTIONS]++;
	d->count[COUNT_OPEN]++;
	conn_want(c, UV_WRITABLE);
	return (c);
}

void
conn_close(struct conn *c)
{
	struct deliver *d = c->d;

	if (c->state == CONN_CLOSED)
		return;
	if (c->state == CONN_QUIT)
		d->nclosing--;
	else
		pool_remove(&d->pool, &c->pool);
	c->state = CONN_CLOSED;
	c->job = NULL;
	TAILQ_REMOVE(&d->conns, c, link);
	d->count[COUNT_OPEN]--;
	login_forget(c);
	conn_tls_free(c);
	client_clear(&c->client);
	conn_body_over(c);
	/* Out of the loop first: a closed number may be somebody else's at once. */
	uv_close((uv_handle_t *)&c->poll, on_closed);
	close(c->fd);
}

/* Its place is free at once; the goodbye is waited for elsewhere, and by few. */
void
conn_quit(struct conn *c)
{
	struct deliver *d = c->d;

	if (c->client.state != CS_READY || d->nclosing >= CLOSING_MAX) {
		conn_close(c);
		return;
	}
	pool_remove(&d->pool, &c->pool);
	c->state = CONN_QUIT;
	c->job = NULL;
	c->client.dialogue = NULL;
	d->nclosing++;
	client_quit(&c->client, deliver_now(d));
	conn_flush(c);
	deliver_tick_on(d);
}

/* ---- a message ---- */

void
conn_serve(struct conn *c, struct job *j)
{
	char text[sizeof(c->relay) + 64];

	c->job = j;
	c->nseg = c->at_seg = 0;
	c->seg_octets = 0;
	c->ended = c->body = 0;
	if (c->tls != NULL)
		c->tls->nrec = c->tls->at_rec = 0;
	conn_body_over(c);
	c->timeouts = c->d->room.conf->deliver.timeouts;
	if (c->client.dialogue != &j->dialogue) {
		snprintf(text, sizeof(text), "connected to %s since an earlier message", c->relay);
		dialogue_add(&j->dialogue, deliver_now(c->d), '*', 0, slice_str(text));
		if (c->client.tls)
			dialogue_add(&j->dialogue, deliver_now(c->d), '=', 0, slice_str(c->client.tls_text));
		c->client.dialogue = &j->dialogue;
	}
	j->mail.by_left = j->by_time - (int64_t)(now_wall_ms() / 1000);
	/* A failure here is the client's: conn_pump() finds it. */
	(void)client_mail(&c->client, &j->mail, deliver_now(c->d));
	conn_pump(c, slice_make(NULL, 0));
}

void
conn_write_more(struct conn *c)
{
	if (c->body && c->events == UV_READABLE)
		conn_write_body(c);
}

void
conn_expire(struct conn *c)
{
	client_eof(&c->client, deliver_now(c->d), "ran out of time for this attempt");
	conn_pump(c, slice_make(NULL, 0));
}

void
conn_tick(struct conn *c, uint64_t now_ms)
{
	if (c->state == CONN_CLOSED || now_ms < c->client.deadline_ms)
		return;
	client_timeout(&c->client, now_ms);
	conn_pump(c, slice_make(NULL, 0));
}

/* Give the core what came, note what it asks for, then do it. */
void
conn_pump(struct conn *c, struct slice in)
{
	struct client_result res;

	for (;;) {
		switch (client_step(&c->client, &in, deliver_now(c->d), &res)) {
		case CLIENT_RESULT:
			if (c->job != NULL)
				job_result(c->job, &res, c->relay);
			continue;
		case CLIENT_READY:
			c->ready = 1;
			continue;
		case CLIENT_BODY:
			c->body = 1;
			continue;
		case CLIENT_DONE:
			c->done = 1;
			continue;
		case CLIENT_TLS:
			c->shake = 1;
			continue;
		case CLIENT_AUTH:
			c->auth = 1;
			continue;
		case CLIENT_OVER:
			c->over = 1;
			continue;
		case CLIENT_WAIT:
			break;
		}
		break;
	}
	conn_act(c);
}

static void
conn_act(struct conn *c)
{
	struct client_result fail;
	struct job *j = c->job;
	int stale;

	c->body &= c->client.state == CS_BODY;	/* a refused chunk ends it before its end */
	if (c->done) {
		c->done = c->body = 0;
		c->job = NULL;
		c->client.dialogue = NULL;
		if (c->over) {
			conn_close(c);
			remote_place_free(c->d);
		}
		if (j != NULL) {
			j->conn = NULL;
			j->reached = j->yielded ? REACHED_FULL : REACHED;
			j->provider = c->provider;
			remote_job_over(j);
		}
		if (c->state == CONN_OPEN)
			remote_conn_free(c);	/* may serve, quit or close it */
		return;
	}
	if (c->over) {
		fail = c->client.fail;
		stale = c->client.fail_stale;
		if (c->trial != NULL)
			trial_over(c, &fail);
		conn_close(c);
		if (j != NULL)
			remote_conn_failed(c, j, &fail, stale);
		remote_place_free(c->d);
		return;
	}
	if (c->ready) {
		c->ready = 0;
		if (c->trial != NULL)
			trial_ready(c);
		else if (j != NULL)
			conn_serve(c, j);
		return;
	}
	if (c->shake) {
		c->shake = 0;
		conn_tls_begin(c);
		return;
	}
	if (c->auth) {
		c->auth = 0;
		login_ask(c);
		return;
	}
	if (conn_flush(c) && c->body)
		conn_write_body(c);
}

/* ---- the socket ---- */

void
conn_dead(struct conn *c, const char *what, int err)
{
	char text[128];

	snprintf(text, sizeof(text), "%s%s%s", what, err != 0 ? ": " : "",
	    err != 0 ? strerror(err) : "");
	client_eof(&c->client, deliver_now(c->d), text);
	conn_pump(c, slice_make(NULL, 0));
}

/* 1: all is written, or cannot be: what the peer said before it closed is still to be read. */
static int
flush_tls(struct conn *c)
{
	struct slice s = buf_slice(&c->client.out);

	if (s.n != 0) {
		(void)conn_tls_encrypt(c, s);
		client_out_taken(&c->client, s.n);
	}
	return (conn_tls_push(c) != E_AGAIN);
}

static int
flush_clear(struct conn *c)
{
	struct slice s;
	ssize_t n;

	while ((s = buf_slice(&c->client.out)).n != 0) {
		n = write(c->fd, s.p, s.n);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == ENOBUFS))
			return (0);
		/* What the peer said before it closed is still to be read. */
		client_out_taken(&c->client, n == -1 ? s.n : (size_t)n);
	}
	return (1);
}

/* Commands go out.  1: all of them did; 0: they wait, or the connection is gone. */
static int
conn_flush(struct conn *c)
{
	if (c->state == CONN_CLOSED)
		return (0);
	if (!(c->tls != NULL ? flush_tls(c) : flush_clear(c))) {
		conn_want(c, UV_READABLE | UV_WRITABLE);
		return (0);
	}
	if (!c->body)
		conn_want(c, UV_READABLE);
	return (1);
}

/* One gathered write.  E_OK: all went; E_AGAIN; E_CLOSED. */
static int
conn_writev(struct conn *c)
{
	struct iovec iov[SEGMENTS_MAX];
	size_t k = 0, left;
	ssize_t n;

	if (c->tls != NULL)
		return (conn_tls_writev(c));
	for (size_t i = c->at_seg; i < c->nseg; i++) {
		iov[k].iov_base = (void *)(uintptr_t)c->seg[i].p;
		iov[k++].iov_len = c->seg[i].n;
	}
	do
		n = writev(c->fd, iov, (int)k);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return (errno == EAGAIN || errno == ENOBUFS ? E_AGAIN : E_CLOSED);
	client_body_sent(&c->client, (size_t)n, deliver_now(c->d));
	left = (size_t)n;
	while (c->at_seg < c->nseg && left >= c->seg[c->at_seg].n)
		left -= c->seg[c->at_seg++].n;
	if (c->at_seg == c->nseg)
		return (E_OK);
	c->seg[c->at_seg].p += left;
	c->seg[c->at_seg].n -= left;
	return (E_AGAIN);
}

static void
conn_write_body(struct conn *c)
{
	int err;

	while (c->body && c->state == CONN_OPEN) {
		if (c->at_seg == c->nseg && !conn_tls_sending(c) && !conn_segments(c)) {
			if (c->client.state == CS_OVER)		/* the body may not be sent */
				conn_pump(c, slice_make(NULL, 0));
			else
				conn_want(c, UV_READABLE);	/* queue has more */
			return;
		}
		err = conn_writev(c);
		if (err == E_AGAIN) {
			conn_want(c, UV_READABLE | UV_WRITABLE);
			return;
		}
		if (err == E_CLOSED) {
			/* A refusal may wait to be read; end of file follows it. */
			c->body = 0;
			conn_want(c, UV_READABLE);
			return;
		}
		job_written(c->job, c->seg_octets);
		c->nseg = c->at_seg = c->seg_octets = 0;
		if (c->ended) {
			c->body = 0;
			client_dot_sent(&c->client, deliver_now(c->d));
			conn_want(c, UV_READABLE);
		}
	}
}

static void
conn_is_up(struct conn *c)
{
	int err = 0;
	socklen_t n = sizeof(err);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n) == -1)
		err = errno;
	if (err != 0) {
		conn_dead(c, strerror(err), 0);
		return;
	}
	c->state = CONN_OPEN;
	client_connected(&c->client, deliver_now(c->d));
	conn_want(c, UV_READABLE);
	if (c->trial == NULL)
		remote_conn_up(c);
	conn_pump(c, slice_make(NULL, 0));	/* smtps: the handshake */
}

static void
conn_read(struct conn *c)
{
	static char input[READ_MAX];
	ssize_t n;

	do
		n = read(c->fd, input, sizeof(input));
	while (n == -1 && errno == EINTR);
	if (n > 0 && c->tls != NULL)
		conn_tls_read(c, input, (size_t)n);
	else if (n > 0)
		conn_pump(c, slice_make(input, (size_t)n));
	else if (n == 0)
		conn_dead(c, "lost connection", 0);
	else if (errno != EAGAIN)
		conn_dead(c, "lost connection", errno);
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct conn *c = h->data;

	if (c->state == CONN_DIAL) {
		conn_is_up(c);
		return;
	}
	if (status < 0 || (events & UV_READABLE))
		conn_read(c);
	if ((events & UV_WRITABLE) && c->state != CONN_CLOSED) {
		if (conn_flush(c) && c->body)
			conn_write_body(c);
	}
}
