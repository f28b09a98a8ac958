/*
 * room_messages.c -- what master says to a daemon, taken apart and handed to the room's operations (see room.h).
 *
 * Shell.  The same handlers before GO and in the loop; what only makes sense in one of the two is E_PROTO in the other.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/room_parts.h"

/* ---- the snapshot ---- */

static void
send_conf_ready(struct room *room, uint64_t generation, int err)
{
	struct ipc_conf_ready	m = { .generation = generation, .err = err };
	struct room_inner	*in = room->inner;
	uint8_t			buf[sizeof(m)];
	struct wr		w;

	memcpy(m.why, room->refusal, sizeof(m.why));
	if (in->running) {
		if ((err = ipc_send(&room->master, CONF_READY, conf_ready, &m)) != E_OK)
			log_warn("to master: CONF_READY: %s", err_name(err));
		return;
	}
	wr_init(&w, buf, sizeof(buf));
	ipc_pack_conf_ready(&w, &m);
	if ((err = ipc_send_sync(ROOM_CHANNEL_FD, &in->seq_out, IPC_CONF_READY, buf, w.len, -1)) != E_OK)
		log_fatal("to master: %s", err_name(err));
}

/* The first step of a reload: unpack and check, change nothing. */
static int
on_conf(struct room *room, struct rd *payload, int fd)
{
	struct room_inner	*in = room->inner;
	struct ipc_conf_blob	 m;
	int			 err;

	if (ipc_unpack_conf_blob(payload, &m) != E_OK) {
		close(fd);
		return (E_PROTO);
	}
	if (in->next != NULL)
		conf_free(in->next);
	in->next = NULL;
	room->refusal[0] = '\0';
	err = conf_from_memfd(&in->next, fd);
	close(fd);
	if (err != E_OK) {
		in->next = NULL;
		log_warn("configuration %llu cannot be taken: %s", (unsigned long long)m.generation, err_name(err));
	}
	if (err == E_OK && room->ops->check != NULL)
		err = room->ops->check(room, in->next, m.generation);
	if (err != E_OK && in->next != NULL) {
		conf_free(in->next);
		in->next = NULL;
	}
	in->next_generation = m.generation;
	send_conf_ready(room, m.generation, err);
	return (E_OK);
}

static int
on_conf_use(struct room *room, struct rd *payload)
{
	struct room_inner	*in = room->inner;
	struct ipc_conf_use	 m;
	struct conf		*old = in->conf;

	if (in->next == NULL && !in->running)
		log_fatal("the configuration cannot be used");	/* why was told */
	if (ipc_unpack_conf_use(payload, &m) != E_OK || in->next == NULL || m.generation != in->next_generation)
		return (E_PROTO);
	in->conf = in->next;
	in->next = NULL;
	room->conf = in->conf;
	if (in->running && room->ops->conf != NULL)
		room->ops->conf(room, old);
	if (old != NULL)
		conf_free(old);
	return (E_OK);
}

/* ---- descriptors and secrets ---- */

static int
on_channel(struct room *room, struct rd *payload, int fd)
{
	struct room_inner	*in = room->inner;
	struct ipc_channel	 m;

	if (ipc_unpack_channel(payload, &m) != E_OK || room->ops->peer == NULL ||
	    (!in->running && in->npeers == PEERS_MAX)) {
		close(fd);
		return (E_PROTO);
	}
	if (in->running)
		room->ops->peer(room, &m, fd);
	else
		in->peers[in->npeers++] = (struct early_peer){ .m = m, .fd = fd };
	return (E_OK);
}

static int
on_listener(struct room *room, struct rd *payload, int fd)
{
	struct room_inner	*in = room->inner;
	struct ipc_listener	 m;

	if (ipc_unpack_listener(payload, &m) != E_OK || room->ops->listener == NULL ||
	    (!in->running && in->nlisteners == LISTENERS_MAX)) {
		close(fd);
		return (E_PROTO);
	}
	if (in->running)
		room->ops->listener(room, &m, fd);
	else
		in->listeners[in->nlisteners++] = (struct early_listener){ .m = m, .fd = fd };
	return (E_OK);
}

static int
on_key(struct room *room, struct rd *payload, int fd)
{
	struct ipc_key	m;

	if (ipc_unpack_key(payload, &m) != E_OK || room->ops->key == NULL) {
		close(fd);
		return (E_PROTO);
	}
	room->ops->key(room, &m, fd);
	return (E_OK);
}

static int
on_secret(struct room *room, struct rd *payload, int fd)
{
	struct ipc_secret	m;

	if (ipc_unpack_secret(payload, &m) != E_OK || room->ops->secret == NULL) {
		close(fd);
		return (E_PROTO);
	}
	room->ops->secret(room, &m, fd);
	return (E_OK);
}

static int
on_dovecot(struct room *room, struct rd *payload, int fd)
{
	struct ipc_empty	m;

	if (ipc_unpack_empty(payload, &m) != E_OK || room->ops->dovecot == NULL) {
		close(fd);
		return (E_PROTO);
	}
	room->ops->dovecot(room, fd);
	return (E_OK);
}

static int
on_ticket_keys(struct room *room, struct rd *payload)
{
	struct ipc_ticket_keys	m = { .n = 0 };
	int			err = ipc_unpack_ticket_keys(payload, &m);

	if (err == E_OK && room->ops->ticket_keys != NULL)
		room->ops->ticket_keys(room, &m);
	else
		err = E_PROTO;
	explicit_bzero(&m, sizeof(m));
	return (err);
}

static int
on_listener_end(struct room *room, struct rd *payload)
{
	struct ipc_listener m;

	if (ipc_unpack_listener(payload, &m) != E_OK || room->ops->listener_end == NULL ||
	    !room->inner->running)
		return (E_PROTO);
	room->ops->listener_end(room, &m);
	return (E_OK);
}

static int
on_ctl_client(struct room *room, struct rd *payload, int fd)
{
	struct ipc_ctl_client m;

	if (ipc_unpack_ctl_client(payload, &m) != E_OK || room->ops->ctl_client == NULL ||
	    !room->inner->running) {
		close(fd);
		return (E_PROTO);
	}
	room->ops->ctl_client(room, &m, fd);
	return (E_OK);
}

/* ---- the rest ---- */

static int
on_log(struct room *room, struct rd *payload, int fd)
{
	struct ipc_log_socket	m;
	struct stat		st;

	if (ipc_unpack_log_socket(payload, &m) != E_OK) {
		close(fd);
		return (E_PROTO);
	}
	room->inner->log_is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	room->inner->logging = 1;
	log_use((enum log_kind)m.kind, fd);
	return (E_OK);
}

static int
on_ping(struct room *room, struct rd *payload)
{
	struct ipc_ping	ping;
	struct ipc_pong	pong = { .seq = 0 };
	int		err;

	if (ipc_unpack_ping(payload, &ping) != E_OK || !room->inner->running)
		return (E_PROTO);
	pong.seq = ping.seq;
	pong.log_dropped = log_dropped();
	if (room->ops->counters != NULL)
		room->ops->counters(room, pong.counter);
	if ((err = ipc_send(&room->master, PONG, pong, &pong)) != E_OK)
		log_warn("to master: PONG: %s", err_name(err));
	return (E_OK);
}

static int
on_stop(struct room *room, struct rd *payload)
{
	struct ipc_stop m;

	if (ipc_unpack_stop(payload, &m) != E_OK)
		return (E_PROTO);
	if (!room->inner->running) {	/* nothing was begun yet */
		log_flush();
		exit(0);
	}
	room_stop_within(room, m.within_ms);
	return (E_OK);
}

int
room_message(struct ipc *ch, enum ipc_type type, struct rd *payload, int fd)
{
	struct room		*room = ch->arg;
	struct ipc_empty	 empty;

	switch (type) {
	case IPC_CONF:
		return (on_conf(room, payload, fd));
	case IPC_CONF_USE:
		return (on_conf_use(room, payload));
	case IPC_LISTENER:
		return (on_listener(room, payload, fd));
	case IPC_LISTENER_END:
		return (on_listener_end(room, payload));
	case IPC_KEY:
		return (on_key(room, payload, fd));
	case IPC_SECRET:
		return (on_secret(room, payload, fd));
	case IPC_DOVECOT:
		return (on_dovecot(room, payload, fd));
	case IPC_TICKET_KEYS:
		return (on_ticket_keys(room, payload));
	case IPC_CHANNEL:
		return (on_channel(room, payload, fd));
	case IPC_LOG:
		return (on_log(room, payload, fd));
	case IPC_GO:
		return (room->inner->running ? E_PROTO : ipc_unpack_empty(payload, &empty));
	case IPC_PING:
		return (on_ping(room, payload));
	case IPC_STOP:
		return (on_stop(room, payload));
	case IPC_CTL_CLIENT:
		return (on_ctl_client(room, payload, fd));
	default:
		/* START comes once; the table lets nothing else through. */
		if (fd != -1)
			close(fd);
		return (E_PROTO);
	}
}
