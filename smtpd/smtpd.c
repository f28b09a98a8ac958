/*
 * smtpd.c -- what master tells smtpd: listeners, channels, snapshots, the end.  Shell.
 *
 * A reload serves all sessions from their next command on; only an open transaction keeps the
 * recipients it has accepted.  At a stop nothing new is accepted, clients between
 * messages get 421, and a message on its way has the time that master gave.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "common/err.h"
#include "common/idn.h"
#include "common/log.h"
#include "common/tls_text.h"
#include "smtpd/smtpd.h"
#include "smtpd/tls.h"

void
smtpd_init(struct smtpd *d, struct room *room)
{
	idn_init();
	if (tls_open() != E_OK)
		log_fatal("OpenSSL: %s", tls_error());
	tls_use();		/* of the snapshot that came before */
	d->room = room;
	buf_init(&d->out, REPLIES_MAX);
	buf_init(&d->tls_out, TLS_OUT_MAX);
	d->env.out = &d->out;
	d->env.ops = &txn_smtp_ops;
	d->env.conf = room->conf;
	d->env.rcpts_max = RCPTS_TOTAL_MAX;
	d->reserve_fd = eventfd(0, EFD_CLOEXEC);
	uv_update_time(&room->loop);
	wheel_init(&d->wheel, smtpd_now(d));
	if (uv_timer_init(&room->loop, &d->tick) != 0 ||
	    uv_timer_init(&room->loop, &d->stop_timer) != 0)
		log_fatal("no timer");
	d->tick.data = d->stop_timer.data = d;
}

uint64_t
smtpd_descriptors(const struct room *room)
{
	uint64_t	n = DESCRIPTORS_EXTRA;
	size_t		i;

	for (i = 0; i < room->conf->nlisteners; i++)
		n += 2 * (uint64_t)room->conf->listeners[i].connections;
	return (n);
}

static void
on_peer(struct room *room, const struct ipc_channel *m, int fd)
{
	peer_open(room->arg, m, fd);
}

/* A snapshot whose certificates cannot be used is refused as a whole (G8). */
static int
on_check(struct room *room, const struct conf *next, uint64_t generation)
{
	return (tls_prepare(next, generation));
}

static void
on_ticket_keys(struct room *room, const struct ipc_ticket_keys *m)
{
	tls_tickets(m);
}

static void
on_conf(struct room *room, const struct conf *old)
{
	struct smtpd	*d = room->arg;

	d->env.conf = room->conf;
	tls_use();
	listener_conf(d);
	conn_conf(d);
}

static void
on_listener(struct room *room, const struct ipc_listener *m, int fd)
{
	listener_open(room->arg, m->name, fd);
}

static void
on_listener_end(struct room *room, const struct ipc_listener *m)
{
	listener_end(room->arg, m->name);
}

static void
on_go(struct room *room)
{
	struct smtpd	*d = room->arg;
	struct listener	*l;
	size_t		 n = 0;

	for (l = d->listeners; l != NULL; l = l->next)
		n++;
	log_info("ready: listeners=%zu", n);
}

void
smtpd_leave_if_idle(struct smtpd *d)
{
	if (!d->stopping || d->conns != NULL || d->left)
		return;
	d->left = 1;
	uv_timer_stop(&d->stop_timer);
	uv_timer_stop(&d->tick);
	room_leave(d->room);
}

static void
stop_all(struct smtpd *d, int force)
{
	struct conn	*c, *next;

	for (c = d->conns; c != NULL; c = next) {
		next = c->next;		/* conn_advance() unlinks c alone */
		if (c->proxied) {
			conn_proxy_fail(c, "the server stops");
			continue;
		}
		smtp_stop(&c->s, force, smtpd_now(d));
		conn_advance(c);
		if (force)
			conn_close(c);
	}
}

static void
on_stop_due(uv_timer_t *t)
{
	struct smtpd	*d = t->data;

	stop_all(d, 1);
	smtpd_leave_if_idle(d);
}

static void
on_stop(struct room *room, uint32_t within_ms)
{
	struct smtpd	*d = room->arg;

	if (d->stopping)
		return;
	d->stopping = d->env.stopping = 1;
	listener_end_all(d);
	stop_all(d, 0);
	uv_timer_start(&d->stop_timer, on_stop_due,
	    within_ms > STOP_MARGIN_MS ? within_ms - STOP_MARGIN_MS : 0, 0);
	smtpd_leave_if_idle(d);
}

static void
on_counters(struct room *room, uint64_t counter[8])
{
	struct smtpd	*d = room->arg;

	memcpy(counter, d->counter, sizeof(d->counter));
}

const struct room_ops smtpd_room_ops = {
	.peer = on_peer,
	.check = on_check,
	.conf = on_conf,
	.ticket_keys = on_ticket_keys,
	.listener = on_listener,
	.listener_end = on_listener_end,
	.go = on_go,
	.stop = on_stop,
	.counters = on_counters,
};
