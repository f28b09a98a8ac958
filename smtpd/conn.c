/*
 * conn.c -- a connection's life: opened, advanced, timed, ended.  Shell; see smtpd.h.
 *
 * An idle connection holds no buffer: reads go into one buffer per process, and all
 * deadlines hang in one wheel.  After a last reply that the client may not have read,
 * the socket is shut for writing and drained for a moment: a close with octets unread
 * would take our words back.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

static void	on_due(void *, struct wheel_node *);

static void
on_tick(uv_timer_t *t)
{
	struct smtpd	*d = t->data;

	wheel_run(&d->wheel, smtpd_now(d), on_due, d);
	listener_resume(d);
	if (d->conns == NULL)
		uv_timer_stop(t);
}

void
conn_timer_start(struct smtpd *d)
{
	if (uv_is_active((uv_handle_t *)&d->tick))
		return;
	/* It slept: nothing hangs in the wheel, so the time in between can be skipped. */
	if (d->conns == NULL)
		wheel_init(&d->wheel, smtpd_now(d));
	uv_timer_start(&d->tick, on_tick, WHEEL_TICK_MS, WHEEL_TICK_MS);
}

static void
set_timer(struct conn *c)
{
	uint64_t	at;

	if (c->proxied)
		at = c->s.opened_ms + PROXY_WAIT_MS;
	else
		at = c->linger_until != 0 ? c->linger_until : smtp_deadline(&c->s);
	if (conn_tls_deadline(c) < at)
		at = conn_tls_deadline(c);
	wheel_set(&c->d->wheel, &c->timer, at);
}

static void
on_due(void *arg, struct wheel_node *n)
{
	struct conn	*c = (struct conn *)(void *)((char *)n - offsetof(struct conn, timer));
	uint64_t	 now = smtpd_now(c->d);

	if (c->proxied) {
		if (now >= c->s.opened_ms + PROXY_WAIT_MS)
			conn_proxy_fail(c, "no whole PROXY header in time");
		else
			set_timer(c);
		return;
	}
	if (c->linger_until != 0) {
		if (now >= c->linger_until)
			conn_close(c);
		else
			set_timer(c);
		return;
	}
	if (now >= smtp_deadline(&c->s))
		smtp_time(&c->s, now);
	else if (now >= conn_tls_deadline(c)) {
		ask_key_forget(c, "keys did not answer in time");
		conn_tls_step(c);
	}
	conn_advance(c);
}

static void
refuse(struct listener *l, int fd, const struct client *who, const char *why)
{
	struct smtpd	*d = l->d;

	d->counter[COUNT_REFUSED]++;
	conn_log_refused(l, who, why);
	if (buf_addf(&d->out, "421 4.7.0 %s %s\r\n", d->env.conf->hostname, why) == E_OK &&
	    send(fd, buf_slice(&d->out).p, d->out.len, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("refused client has gone");
	buf_drain(&d->out, d->out.len);
	close(fd);
}

void
conn_on_poll(uv_poll_t *h, int status, int events)
{
	struct conn	*c = h->data;

	if (c->proxied) {
		conn_proxy_read(c);
		return;
	}
	/* status < 0 is EPOLLERR: the next read says what it was. */
	if ((events & UV_WRITABLE) != 0)
		conn_write_rest(c);
	if (!c->closing && (status < 0 || (events & UV_READABLE) != 0))
		conn_read(c);
	if (!c->closing)
		conn_advance(c);
	if (status < 0 && !c->closing) {
		/* libuv has stopped the handle. */
		smtp_eof(&c->s, "reset");
		c->broken = 1;
		conn_advance(c);
	}
}

/* The session begins. */
void
conn_begin(struct conn *c, const struct net_addr *proxy)
{
	struct smtpd		*d = c->d;
	struct smtp_session	*s = &c->s;

	c->proxied = 0;
	if (!s->veiled)
		s->peer = s->client;
	s->may_relay = (uint8_t)smtp_relays(s);
	s->tls_first = s->conf_listener != NULL && s->conf_listener->tls == LISTEN_IMPLICIT && !c->submitted;
	conn_log_open(c, proxy);
	s->name_pending = (uint8_t)(!s->veiled && name_ask(c));
	smtp_open(s, smtpd_now(d));
	conn_poll(c, UV_READABLE);
	conn_advance(c);
}

/* Refused once it is known who it is.  It may have sent more already, which would take the refusal back if it were left. */
void
conn_refuse(struct conn *c, const char *why)
{
	struct smtp_session	*s = &c->s;
	struct client		 who = { .addr = s->client, .port = s->port };

	c->d->counter[COUNT_REFUSED]++;
	conn_log_refused(c->l, &who, why);
	c->ended = 1;		/* that was its line */
	s->verb = "";
	smtp_replyf(s, 421, "4.7.0", "%s %s", c->d->env.conf->hostname, why);
	conn_send(c);
	if (recv(c->fd, c->d->rbuf, READ_MAX, MSG_DONTWAIT) == -1)
		log_debug("refused client has said nothing more");
	explicit_bzero(c->d->rbuf, READ_MAX);
	conn_close(c);
}

/* Whether it begins with a PROXY header. */
static int
is_proxied(const struct listener *l, const struct client *who)
{
	return (!who->local && l->conf != NULL && conf_prefixes_have(&l->conf->proxy_from, &who->addr));
}

void
conn_open(struct listener *l, int fd, const struct client *who)
{
	struct smtpd	*d = l->d;
	struct conn	*c;
	const char	*why = "no memory for a connection";
	int		 proxied = is_proxied(l, who), counted = 0;

	/* A proxy's client has its share once it is known. */
	if (!proxied && (who->local || !conf_may_relay(d->env.conf, &who->addr))) {
		if (share_take(l, who, &why) != E_OK) {
			refuse(l, fd, who, why);
			return;
		}
		counted = 1;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    uv_poll_init(&d->room->loop, &c->poll, fd) != 0) {
		if (counted)
			share_give(d, who);
		free(c);
		refuse(l, fd, who, why);
		return;
	}
	c->d = d;
	c->l = l;
	c->fd = fd;
	c->counted = (uint8_t)counted;
	c->submitted = who->submitted;
	c->poll.data = c;
	c->s.env = &d->env;
	c->s.id = ++d->next_session;
	c->s.client = who->addr;
	c->s.port = who->port;
	c->s.local = who->local;
	c->s.uid = who->uid;
	c->s.listener = l->name;
	c->s.conf_listener = l->conf;
	c->s.lmtp = l->conf != NULL && l->conf->lmtp;
	conn_timer_start(d);
	if ((c->next = d->conns) != NULL)
		c->next->prev = c;
	d->conns = c;
	l->nconn++;
	d->nsubmitted += c->submitted;
	d->counter[COUNT_OPEN]++;
	d->counter[COUNT_CONNECTIONS]++;
	if (!proxied) {
		conn_begin(c, NULL);
		return;
	}
	c->proxied = 1;
	c->s.opened_ms = smtpd_now(d);
	set_timer(c);
	conn_poll(c, UV_READABLE);
}

void
conn_conf(struct smtpd *d)
{
	struct conn	*c;

	for (c = d->conns; c != NULL; c = c->next) {
		c->s.conf_listener = c->l->conf;
		c->s.may_relay = (uint8_t)smtp_relays(&c->s);
	}
}

static void
end(struct conn *c)
{
	if (c->ended)
		return;
	c->ended = 1;
	conn_log_end(c);
	conn_drop_held(c);
	txn_forget(c);
	name_forget(c);
	ask_forget(c);
}

/* The session is over: say what is still to be said, then go. */
static void
wind_up(struct conn *c)
{
	int	polite;

	end(c);
	if (c->broken || c->s.quiet) {
		conn_close(c);
		return;
	}
	if (c->linger_until == 0) {
		conn_tls_bye(c);
		conn_push(c, &c->d->tls_out);
		c->linger_until = smtpd_now(c->d) + LINGER_MS;
		set_timer(c);
	}
	if (c->pend != NULL) {
		conn_poll(c, UV_WRITABLE);
		return;
	}
	/* After QUIT the client has nothing more to say; else it may be in mid-sentence. */
	polite = strcmp(c->s.reason, "quit") == 0;
	if (polite || shutdown(c->fd, SHUT_WR) == -1) {
		conn_close(c);
		return;
	}
	conn_poll(c, UV_READABLE);
}

void
conn_advance(struct conn *c)
{
	if (c->closing || c->proxied)
		return;
	conn_send(c);
	if (c->s.state == ST_TLS && c->tls == NULL)
		conn_tls_begin(c);
	if (!smtp_closed(&c->s) && c->held != NULL && c->pend == NULL && !smtp_blocked(&c->s))
		conn_feed_held(c);
	if (smtp_closed(&c->s)) {
		/* Once is enough: while it lingers only reads and the timer matter. */
		if (c->linger_until == 0 || c->pend != NULL || c->broken ||
		    c->events == UV_WRITABLE)
			wind_up(c);
		return;
	}
	/* Reading goes on unless something is in the way; stopping is left to conn_read(), which
	 * finds out only if the client does talk meanwhile. */
	if (c->pend != NULL)
		conn_poll(c, UV_WRITABLE);
	else if (c->s.state == ST_TLS)
		conn_poll(c, conn_tls_waits(c) ? 0 : UV_READABLE);
	else if (c->events == UV_WRITABLE || (c->events == 0 && !smtp_blocked(&c->s)))
		conn_poll(c, UV_READABLE);
	set_timer(c);
}

static void
on_closed(uv_handle_t *h)
{
	struct conn	*c = h->data;

	free(c->pend);
	free(c);
}

void
conn_close(struct conn *c)
{
	struct smtpd	*d = c->d;

	if (c->closing)
		return;
	smtp_eof(&c->s, "closed");
	end(c);
	c->closing = 1;
	conn_tls_free(c);
	wheel_del(&c->timer);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		d->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	share_drop(c);
	d->nsubmitted -= c->submitted;
	d->counter[COUNT_OPEN]--;
	uv_close((uv_handle_t *)&c->poll, on_closed);	/* before its number is free */
	close(c->fd);
	c->s.listener = NULL;
	listener_unref(c->l);
	listener_resume(d);
	smtpd_leave_if_idle(d);
}
