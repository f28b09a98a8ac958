/*
 * channels.c -- what goes down a daemon's channel at its start, and the pairs between daemons.  Shell.
 *
 * Order for a new daemon: START, KEY.. or SECRET.., CONF, CONF_USE, LOG, LISTENER.., TICKET_KEYS, CHANNEL.., GO.  A living peer gets its end of
 * the new pair as one more CHANNEL, and drops what it still holds of the old one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/wire.h"
#include "master/logs.h"
#include "master/master.h"
#include "master/paths.h"

#define PAYLOAD_MAX	2048	/* of the messages packed here; START's path is the longest part */

/* ---- from a daemon ---- */

/*
 * F18: a daemon closed its channel to a peer that broke the table.  Queue's word is enough to have
 * that peer replaced: queue hears no stranger.  Anybody else may be the one who lies, and must not be able to
 * have others killed: these two get a new channel, at most one a second.
 */
static int
on_peer_broken(struct daemon *d, const struct ipc_channel *c)
{
	struct daemon *peer;
	unsigned i;

	for (i = 0; i < DAEMONS_MAX; i++) {
		peer = &d->m->daemon[i];
		if (peer->used && peer->item.room == c->room && peer->item.instance == c->instance &&
		    peer->item.role == (enum role)c->role)
			break;
	}
	if (i == DAEMONS_MAX)
		return (E_OK);		/* a reload took it away meanwhile */
	if (!plan_talk(&d->item, &peer->item, NULL))
		return (E_PROTO);
	if (d->item.room == ROOM_QUEUE)
		daemon_broken(peer, "broke the message table to queue");
	else
		d->rejoin |= UINT64_C(1) << peer->slot;
	return (E_OK);
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct daemon *d = ch->arg;
	struct ipc_conf_ready ready;
	struct ipc_channel peer;
	struct ipc_pong pong;

	(void)fd;	/* the table lets none through */
	switch (type) {
	case IPC_READY:
		if (rd_end(r) != E_OK)
			return (E_PROTO);
		if (d->sv.state == SV_STARTING)
			log_info("daemon %s ready pid=%ld", d->name, (long)d->pid);
		daemon_event(d, SV_READY);
		ready_check(d->m);
		return (E_OK);
	case IPC_PONG:
		if (ipc_unpack_pong(r, &pong) != E_OK || pong.seq != d->ping_seq)
			return (E_PROTO);
		d->log_dropped = pong.log_dropped;
		memcpy(d->counter, pong.counter, sizeof(d->counter));
		daemon_event(d, SV_PONG);
		return (E_OK);
	case IPC_CONF_READY:
		if (ipc_unpack_conf_ready(r, &ready) != E_OK)
			return (E_PROTO);
		reloads_conf_ready(d, &ready);
		return (E_OK);
	case IPC_NEED_LOG:
		if (rd_end(r) != E_OK)
			return (E_PROTO);
		d->want_log = 1;	/* the periodic timer sees to it: asking often costs us nothing */
		return (E_OK);
	case IPC_NEED_DOVECOT:
		if (rd_end(r) != E_OK)
			return (E_PROTO);
		dovecot_need(d);
		return (E_OK);
	case IPC_PEER_BROKEN:
		if (ipc_unpack_channel(r, &peer) != E_OK)
			return (E_PROTO);
		return (on_peer_broken(d, &peer));
	default:
		return (E_PROTO);
	}
}

static void
on_closed(struct ipc *ch, int err)
{
	struct daemon *d = ch->arg;

	channel_close(d);
	reloads_gone(d);
	if (err == E_PROTO)
		daemon_broken(d, "broke the message table");
	else
		daemon_event(d, SV_LOSE);	/* normally its end follows at once */
}

static const struct ipc_ops daemon_ops = { .message = on_message, .closed = on_closed };

int
channel_open(struct daemon *d, int fd)
{
	d->ch = calloc(1, sizeof(*d->ch));
	if (d->ch == NULL) {
		(void)close(fd);
		return (E_NOMEM);
	}
	if (ipc_open(d->ch, &d->m->loop, fd, ROOM_MASTER, d->item.room, &daemon_ops, d) != E_OK) {
		free(d->ch);
		d->ch = NULL;
		return (E_IO);
	}
	d->ch->instance = d->item.instance;
	d->ch->role = (uint8_t)d->item.role;
	return (E_OK);
}

static void
channel_free(struct ipc *ch)
{
	free(ch);
}

void
channel_close(struct daemon *d)
{
	if (d->ch == NULL)
		return;
	ipc_close(d->ch, channel_free);
	d->ch = NULL;
}

/* ---- to a daemon ---- */

/* What cannot be sent leaves a daemon that does not know what it must: it is replaced. */
static void
sent(struct daemon *d, int err)
{
	if (err == E_OK || err == E_CLOSED)
		return;
	log_warn("daemon %s: message not sent: %s", d->name, err_name(err));
	daemon_broken(d, "could not be spoken to");
}

#define SEND_FD(d, NAME, name, m, fd) do {						\
	uint8_t octets_[PAYLOAD_MAX];							\
	struct wr w_;									\
	wr_init(&w_, octets_, sizeof(octets_));						\
	ipc_pack_##name(&w_, (m));							\
	sent((d), w_.err != E_OK ? w_.err :						\
	    ipc_send_with_fd((d)->ch, IPC_##NAME, octets_, w_.len, (fd)));		\
} while (0)

void
channel_send_conf(struct daemon *d, int fd, uint64_t generation)
{
	struct ipc_conf_blob blob = { .generation = generation };

	if (!daemon_can_hear(d))
		return;
	SEND_FD(d, CONF, conf_blob, &blob, fd);
	d->generation = generation;
}

void
channel_send_use(struct daemon *d, uint64_t generation)
{
	struct ipc_conf_use use = { .generation = generation };

	if (daemon_can_hear(d))
		sent(d, ipc_send(d->ch, CONF_USE, conf_use, &use));
}

void
channel_send_log(struct daemon *d)
{
	struct ipc_log_socket ls = { .kind = (uint8_t)d->m->conf->log };
	int fd;

	if (!daemon_can_hear(d))
		return;
	if ((fd = logs_open(d->m->conf->log)) == -1) {
		/* No log daemon now: the periodic timer tries again.  Meanwhile a stream keeps the lines, if
		 * the daemon has nothing at all yet. */
		if (d->want_log)
			return;
		d->want_log = 1;
		ls.kind = LOG_TO_STDERR;
		if ((fd = logs_open(LOG_TO_STDERR)) == -1)
			return;
	} else
		d->want_log = 0;
	SEND_FD(d, LOG, log_socket, &ls, fd);
	(void)close(fd);
}

static void
fill_listener(struct ipc_listener *l, const struct listeners *ls, size_t index)
{
	memset(l, 0, sizeof(*l));
	l->index = (uint16_t)index;
	(void)snprintf(l->name, sizeof(l->name), "%s", ls->l[index].name);
}

static void
rewind_file(const struct daemon *d, int fd)
{
	if (lseek(fd, 0, SEEK_SET) == -1)
		log_warn("daemon %s: a file for it: %s", d->name, strerror(errno));
}

/* The file has one position for all who have it open: whoever read it last left it at the end. */
void
channel_send_keys(struct daemon *d, const struct key_files *k, uint64_t generation)
{
	struct ipc_key key = { .generation = generation };

	for (; key.index < k->n && daemon_can_hear(d); key.index++) {
		rewind_file(d, k->fd[key.index]);
		SEND_FD(d, KEY, key, &key, k->fd[key.index]);
	}
}

void
channel_send_secrets(struct daemon *d, const struct secret_files *s, uint64_t generation)
{
	struct ipc_secret m = { .generation = generation };
	size_t i;

	for (i = 0; i < s->n && daemon_can_hear(d); i++) {
		m.kind = s->v[i].kind;
		m.index = s->v[i].index;
		rewind_file(d, s->v[i].fd);
		SEND_FD(d, SECRET, secret, &m, s->v[i].fd);
	}
}

void
channel_send_dovecot(struct daemon *d, int fd)
{
	struct ipc_empty m = { 0 };

	if (daemon_can_hear(d))
		SEND_FD(d, DOVECOT, empty, &m, fd);
}

void
channel_send_tickets(struct daemon *d, const struct ipc_ticket_keys *t)
{
	if (daemon_can_hear(d))
		sent(d, ipc_send(d->ch, TICKET_KEYS, ticket_keys, t));
}

void
channel_send_listener(struct daemon *d, const struct listeners *ls, size_t index)
{
	struct ipc_listener l;
	int fd = ls->l[index].fd[d->item.instance];

	if (!daemon_can_hear(d) || fd == -1)
		return;
	fill_listener(&l, ls, index);
	SEND_FD(d, LISTENER, listener, &l, fd);
}

void
channel_send_listener_end(struct daemon *d, const struct listeners *ls, size_t index)
{
	struct ipc_listener l;

	if (!daemon_can_hear(d))
		return;
	fill_listener(&l, ls, index);
	sent(d, ipc_send(d->ch, LISTENER_END, listener, &l));
}

/* The directory that becomes the daemon's root, or where it works. */
static int
fill_root(const struct daemon *d, char *dst, size_t size)
{
	const struct conf *c = d->m->conf;
	struct maildirs dirs;
	int n;

	if (d->item.role == ROLE_MAILBOX) {
		if (paths_maildirs(&dirs, c) != E_OK)
			return (E_LIMIT);
		return (paths_common(dst, size, &dirs));
	}
	/* Its modules read what the host's own files say of users: it stays where master is. */
	if (d->item.room == ROOM_PAM)
		return (slice_copy(SLICE_LIT(""), dst, size));
	n = snprintf(dst, size, "%s/%s", c->directory, d->item.room == ROOM_QUEUE ? "store" :
	    d->item.room == ROOM_PICKUP ? "drop" : "empty");
	return (n < 0 || (size_t)n >= size ? E_LIMIT : E_OK);
}

void
channel_greet(struct daemon *d)
{
	struct master *m = d->m;
	const struct owner *o = ids_of(d->trial ? &m->next_ids : &m->ids, d->item.room, d->item.role);
	struct ipc_start start;
	size_t i;

	memset(&start, 0, sizeof(start));
	start.room = d->item.room;
	start.instance = d->item.instance;
	start.role = (uint8_t)d->item.role;
	start.privileged = (uint8_t)m->ids.privileged;
	start.uid = (uint32_t)o->uid;
	start.gid = (uint32_t)o->gid;
	start.boot = m->boot;
	if (fill_root(d, start.root, sizeof(start.root)) != E_OK) {
		daemon_broken(d, "its root directory has too long a path");
		return;
	}
	sent(d, ipc_send(d->ch, START, start, &start));
	if (d->trial)
		return;		/* the snapshot follows as to all others, the rest when that is in force */
	if (d->item.room == ROOM_KEYS)
		channel_send_keys(d, &m->keys, m->generation);
	if (d->item.room == ROOM_AUTH)
		channel_send_secrets(d, &m->secrets, m->generation);
	channel_send_conf(d, m->blob_fd, m->generation);
	channel_send_use(d, m->generation);
	d->want_log = 0;
	channel_send_log(d);
	if (d->item.room == ROOM_SMTPD) {
		for (i = 0; i < m->listeners.n; i++) {
			if (m->listeners.l[i].role == d->item.role)
				channel_send_listener(d, &m->listeners, i);
		}
		tickets_send(d);
	}
}

/* ---- between daemons ---- */

static void
send_peer(struct daemon *to, const struct daemon *peer, int fd)
{
	struct ipc_channel c = { .room = peer->item.room, .instance = peer->item.instance,
	    .role = (uint8_t)peer->item.role };

	if (daemon_can_hear(to))
		SEND_FD(to, CHANNEL, channel, &c, fd);
}

static int
is_living(const struct daemon *d)
{
	return (daemon_can_hear(d) && !d->trial &&	/* who is on trial gets its channels when it has passed */
	    (d->sv.state == SV_STARTING || d->sv.state == SV_RUNNING));
}

/* Both are there, and have to do with each other. */
static int
talk(const struct master *m, const struct daemon *a, const struct daemon *b)
{
	return (is_living(a) && is_living(b) && plan_talk(&a->item, &b->item, m->conf));
}

static void
join(struct daemon *a, struct daemon *b)
{
	int pair[2];

	if (ipc_pair(pair) != E_OK) {
		log_warn("channel between %s and %s: %s", a->name, b->name, strerror(errno));
		/* One of them is new and of no use without it; it tries again after its back-off. */
		daemon_broken(a->sv.state == SV_STARTING ? a : b, "no channel could be made");
		return;
	}
	send_peer(a, b, pair[0]);
	send_peer(b, a, pair[1]);
	(void)close(pair[0]);
	(void)close(pair[1]);
}

void
channels_rejoin(struct master *m)
{
	struct daemon *a, *b;
	unsigned i, k;

	for (i = 0; i < DAEMONS_MAX; i++) {
		a = &m->daemon[i];
		for (k = 0; k < DAEMONS_MAX && a->rejoin != 0; k++) {
			b = &m->daemon[k];
			if ((a->rejoin & UINT64_C(1) << k) == 0 || !talk(m, a, b))
				continue;
			log_warn("daemon %s: new channel to %s, which it says broke the message table",
			    a->name, b->name);
			join(a, b);
		}
		a->rejoin = 0;
	}
}

void
channels_follow(struct master *m, const struct conf *old)
{
	struct daemon *d = m->daemon;
	unsigned i, k;

	for (i = 0; i < DAEMONS_MAX; i++) {
		for (k = i + 1; k < DAEMONS_MAX; k++) {
			if (talk(m, &d[i], &d[k]) && !plan_talk(&d[i].item, &d[k].item, old))
				join(&d[i], &d[k]);
		}
	}
}

void
channels_join(struct master *m, uint64_t set)
{
	struct daemon *d = m->daemon;
	unsigned i, k;

	for (i = 0; i < DAEMONS_MAX; i++) {
		for (k = i + 1; k < DAEMONS_MAX; k++) {
			if ((set & (UINT64_C(1) << i | UINT64_C(1) << k)) != 0 && talk(m, &d[i], &d[k]))
				join(&d[i], &d[k]);
		}
	}
	for (i = 0; i < DAEMONS_MAX; i++) {
		if ((set & UINT64_C(1) << i) == 0 || !is_living(&d[i]))
			continue;
		sent(&d[i], ipc_send(d[i].ch, GO, empty, &(struct ipc_empty){ 0 }));
		ipc_flush(d[i].ch);
	}
}
