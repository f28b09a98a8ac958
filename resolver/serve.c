/*
 * serve.c -- see serve.h.  Shell.
 */
#include "resolver/serve.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "resolver/event.h"
#include "resolver/query.h"
#include "resolver/ub.h"

struct peer {
	struct peer	*next;
	struct ipc	ipc;
	struct asker	asker;
};

static struct resolver	 resolver;
static struct room	*the_room;
static struct peer	*peers;

static void
peer_closed(struct ipc *ch)
{
	free(ch->arg);
}

static void
peer_answer(struct asker *a, const struct ipc_dns_answer *m)
{
	struct peer	*p = (struct peer *)((char *)a - offsetof(struct peer, asker));
	int		 err = ipc_send(&p->ipc, DNS_ANSWER, dns_answer, m);

	/* A peer that does not read has its own deadline; an answer more will not help it. */
	if (err != E_OK && err != E_CLOSED)
		log_warn("answer %u to %s %u dropped: %s", m->id, room_name(p->ipc.peer),
		    p->ipc.instance, err_name(err));
}

static int
peer_message(struct ipc *ch, enum ipc_type type, struct rd *rd, int fd)
{
	struct peer		*p = ch->arg;
	struct ipc_dns_query	 q;

	if (type != IPC_DNS_QUERY || ipc_unpack_dns_query(rd, &q) != E_OK)
		return (E_PROTO);
	asker_ask(&p->asker, &q);
	return (E_OK);
}

static void
peer_over(struct ipc *ch, int err)
{
	struct peer	*p = ch->arg, **at;

	for (at = &peers; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	asker_clear(&p->asker);
	ipc_close(ch, peer_closed);
}

static const struct ipc_ops peer_ops = { .message = peer_message, .closed = peer_over };

static void
resolver_peer(struct room *room, const struct ipc_channel *c, int fd)
{
	struct peer	*p, *next;

	/* One process has one channel: with a new one the old one is over, whoever holds its other end. */
	for (p = peers; p != NULL; p = next) {
		next = p->next;
		if (p->ipc.peer == c->room && p->ipc.instance == c->instance && p->ipc.role == c->role)
			peer_over(&p->ipc, E_CLOSED);
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		log_fatal("no memory for a channel");
	asker_init(&p->asker, &resolver, peer_answer);
	if (ipc_open(&p->ipc, &room->loop, fd, room->self, c->room, &peer_ops, p) != E_OK)
		log_fatal("cannot open the channel to %s %u", room_name(c->room), c->instance);
	p->ipc.instance = c->instance;
	p->ipc.role = c->role;
	p->next = peers;
	peers = p;
}

/* libunbound's settings are final once it runs: if they changed, master starts a new process. */
static void
resolver_conf(struct room *room, const struct conf *old)
{
	resolver.timeout_ms = room->conf->resolver.timeout * 1000;
}

static void
resolver_idle(struct resolver *res)
{
	room_leave(the_room);
}

static void
on_stop_timeout(uv_timer_t *t)
{
	room_leave(the_room);
}

/* Whoever waits is still answered, within the time given. */
static void
resolver_stop(struct room *room, uint32_t within_ms)
{
	static uv_timer_t	timer;

	if (resolver.count[COUNT_WAITING] == 0) {
		room_leave(room);
		return;
	}
	resolver.idle = resolver_idle;
	(void)uv_timer_init(&room->loop, &timer);
	(void)uv_timer_start(&timer, on_stop_timeout, within_ms, 0);
}

static void
resolver_counters(struct room *room, uint64_t counter[8])
{
	_Static_assert(COUNTS == 8, "PONG has eight counters");
	memcpy(counter, resolver.count, sizeof(resolver.count));
}

const struct room_ops resolver_ops = {
	.peer = resolver_peer,
	.conf = resolver_conf,
	.stop = resolver_stop,
	.counters = resolver_counters,
};

void
serve_open(struct room *room, uint64_t *nofile)
{
	struct ub_event_base	*base = event_base_new(&room->loop);
	unsigned		 sockets = ub_sockets(nofile);

	if (base == NULL)
		log_fatal("no memory for the event base");
	the_room = room;
	resolver_init(&resolver, &room->loop, ub_context_new(base, room->conf, sockets),
	    room->conf->resolver.timeout * 1000, sockets);
}
