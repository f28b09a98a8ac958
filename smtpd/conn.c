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
	uint64_t	at = c->linger_until != 0 ? c->linger_until : smtp_deadline(&c->s);

	wheel_set(&c->d->wheel, &c->timer, at);
}

static void
on_due(void *arg, struct wheel_node *n)
{
	struct conn	*c = (struct conn *)(void *)((char *)n - offsetof(struct conn, timer));
	uint64_t	 now = smtpd_now(c->d);

	if (c->linger_until != 0) {
		if (now >= c->linger_until)
			conn_close(c);
		else
			set_timer(c);
		return;
	}
	if (now >= smtp_deadline(&c->s))
		smtp_time(&c->s, now);
	conn_advance(c);
}

static uint8_t
prefix_len(const struct net_addr *a)
{
	return (net_addr_is4(a) ? PREFIX4 : PREFIX6);
}

/* Per-address and per-prefix shares; E_OK, or why is set. */
static int
take_share(struct listener *l, const struct net_addr *a, const char **why)
{
	struct counts	*cs = &l->d->counts;
	int		 err;

	*why = "too many connections from your address";
	if ((err = counts_add(cs, a, 128, l->per_address)) != E_OK)
		return (err);
	*why = "too many connections from your network";
	if ((err = counts_add(cs, a, prefix_len(a), l->per_prefix)) != E_OK)
		counts_sub(cs, a, 128);
	return (err);
}

static void
refuse(struct listener *l, int fd, const struct net_addr *a, uint16_t port, const char *why)
{
	struct smtpd	*d = l->d;

	d->counter[COUNT_REFUSED]++;
	conn_log_refused(l, a, port, why);
	if (buf_addf(&d->out, "421 4.7.0 %s %s\r\n", d->env.conf->hostname, why) == E_OK &&
	    write(fd, buf_slice(&d->out).p, d->out.len) == -1)
		log_debug("refused client has gone");
	buf_drain(&d->out, d->out.len);
	close(fd);
}

void
conn_on_poll(uv_poll_t *h, int status, int events)
{
	struct conn	*c = h->data;

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

void
conn_open(struct listener *l, int fd, const struct net_addr *a, uint16_t port)
{
	struct smtpd	*d = l->d;
	struct conn	*c;
	const char	*why = "no memory for a connection";
	int		 relay = conf_may_relay(d->env.conf, a), counted = 0;

	if (!relay) {
		if (take_share(l, a, &why) != E_OK) {
			refuse(l, fd, a, port, why);
			return;
		}
		counted = 1;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    uv_poll_init(&d->room->loop, &c->poll, fd) != 0) {
		if (counted) {
			counts_sub(&d->counts, a, 128);
			counts_sub(&d->counts, a, prefix_len(a));
		}
		free(c);
		refuse(l, fd, a, port, why);
		return;
	}
	c->d = d;
	c->l = l;
	c->fd = fd;
	c->counted = (uint8_t)counted;
	c->poll.data = c;
	c->s.env = &d->env;
	c->s.id = ++d->next_session;
	c->s.client = *a;
	c->s.port = port;
	c->s.listener = l->name;
	c->s.may_relay = (uint8_t)relay;
	conn_timer_start(d);
	if ((c->next = d->conns) != NULL)
		c->next->prev = c;
	d->conns = c;
	l->nconn++;
	d->counter[COUNT_OPEN]++;
	d->counter[COUNT_CONNECTIONS]++;
	conn_log_open(c);
	if (d->env.conf->smtpd.client_names && !relay && !net_addr_is_loopback(a))
		c->s.name_pending = (uint8_t)name_ask(c);
	smtp_open(&c->s, smtpd_now(d));
	conn_poll(c, UV_READABLE);
	conn_advance(c);
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
	if (c->closing)
		return;
	conn_send(c);
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
	wheel_del(&c->timer);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		d->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->counted) {
		counts_sub(&d->counts, &c->s.client, 128);
		counts_sub(&d->counts, &c->s.client, prefix_len(&c->s.client));
	}
	d->counter[COUNT_OPEN]--;
	uv_close((uv_handle_t *)&c->poll, on_closed);	/* before its number is free */
	close(c->fd);
	c->s.listener = NULL;
	listener_unref(c->l);
	listener_resume(d);
	smtpd_leave_if_idle(d);
}
