/*
 * peer.c -- the daemons that smtpd talks to, and the end of their channels.  Shell.
 *
 * All channels are alike: master brings them, one of each kind; a new one takes the place of the one before, whose daemon has
 * gone, and what waited for its answers gets none.
 */
#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

static const struct peer_kind *const peers[] = { &queue_peer, &resolver_peer, &keys_peer, &auth_peer, &pickup_peer };

/* A channel's ops are part of its peer. */
static const struct peer_kind *
peer_of(const struct ipc *ch)
{
	return ((const struct peer_kind *)(const void *)((const char *)ch->ops - offsetof(struct peer_kind, ops)));
}

static struct ipc **
channel_of(struct smtpd *d, const struct peer_kind *p)
{
	return ((struct ipc **)(void *)((char *)d + p->channel));
}

static void
on_done(struct ipc *ch)
{
	free(ch);
}

static void
lose(struct smtpd *d, const struct peer_kind *p)
{
	struct ipc	**at = channel_of(d, p), *ch = *at;

	*at = NULL;
	ipc_close(ch, on_done);
	if (p->lost != NULL)
		p->lost(d);
}

void
peer_closed(struct ipc *ch, int err)
{
	const struct peer_kind	*p = peer_of(ch);

	if (p->lost != NULL)
		log_warn("%s has gone: %s", room_name(p->room), err_name(err));
	else
		log_info("%s has gone: %s", room_name(p->room), err_name(err));
	lose(ch->arg, p);
}

void
peer_open(struct smtpd *d, const struct ipc_channel *m, int fd)
{
	const struct peer_kind	*p = NULL;
	struct ipc		*ch;
	size_t			 i;

	for (i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		if (peers[i]->room == m->room)
			p = peers[i];
	if (p == NULL)
		log_fatal("channel to %s: not a peer", room_name(m->room));
	if (*channel_of(d, p) != NULL)
		lose(d, p);
	if ((ch = calloc(1, sizeof(*ch))) == NULL)
		log_fatal("no memory for a channel");
	if (ipc_open(ch, &d->room->loop, fd, ROOM_SMTPD, p->room, &p->ops, d) != E_OK)
		log_fatal("channel to %s: cannot be opened", room_name(p->room));
	ch->instance = m->instance;
	*channel_of(d, p) = ch;
}
