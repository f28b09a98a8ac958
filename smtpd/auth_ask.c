/*
 * auth_ask.c -- AUTH on the channel to auth.  Shell.
 *
 * A connection has at most one exchange; its number names it until auth has ended it or we have.
 * What auth does not answer in time the core gives up by itself.
 */
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/log.h"
#include "common/tls_text.h"
#include "smtpd/conn_tls.h"
#include "smtpd/smtpd.h"

static struct conn *
conn_of(struct smtp_session *s)
{
	return ((struct conn *)(void *)s);	/* its first member */
}

static void
forget(struct conn *c)
{
	if (c->sasl_id != 0)
		slots_free(&c->d->sasls, c->sasl_id);
	c->sasl_id = 0;
}

/* Our address towards the client: a proxy's word, or the socket's. */
static void
own_end(struct conn *c, struct ipc_sasl *m)
{
	struct sockaddr_storage	ss = { .ss_family = AF_UNSPEC };
	socklen_t		len = sizeof(ss);

	memset(&m->own, 0, sizeof(m->own));
	m->own_port = 0;
	if (c->s.own_known)
		m->own = c->s.own;
	else if (getsockname(c->fd, (struct sockaddr *)&ss, &len) == 0 && ss.ss_family != AF_UNIX)
		(void)net_addr_from_sockaddr(&m->own, &m->own_port, (struct sockaddr *)&ss);
}

/* What auth may want to know of the connection. */
static void
facts(struct conn *c, struct ipc_sasl *m, uint8_t room[BINDINGS][SASL_BINDING_MAX])
{
	const struct smtp_session	*s = &c->s;
	unsigned			 i;

	m->tls = s->tls;
	m->client = s->client;
	m->client_port = s->port;
	own_end(c, m);
	for (i = 0; i < BINDINGS && s->bindable && s->xclient == 0 && c->tls != NULL; i++)
		m->binding[i] = slice_make((char *)room[i],
		    tls_binding(c->tls->ssl, (enum binding)i, SSL_get_certificate(c->tls->ssl), room[i]));
	if (s->external != NULL && s->xclient == 0)
		(void)slice_copy(slice_str(s->external), m->external, sizeof(m->external));
}

int
ask_sasl(struct smtp_session *s, int first, int initial, struct slice data)
{
	struct conn	*c = conn_of(s);
	struct smtpd	*d = c->d;
	uint8_t		 room[BINDINGS][SASL_BINDING_MAX];
	struct ipc_sasl	 m = { .first = (uint8_t)first, .initial = (uint8_t)initial, .data = data,
			     .mechanism = s->sasl->mechanism };
	int		 err;

	if (d->auth == NULL)
		return (E_CLOSED);
	if (first) {
		forget(c);
		if (d->sasls.used >= SASL_OPEN_MAX)
			return (E_LIMIT);	/* auth would end the channel, and all others with it */
		if ((c->sasl_id = slots_take(&d->sasls, c)) == 0)
			return (E_NOMEM);
		facts(c, &m, room);
	}
	if (c->sasl_id == 0)
		return (E_CLOSED);	/* begun on a channel that is gone */
	m.id = c->sasl_id;
	if ((err = ipc_send(d->auth, SASL, sasl, &m)) != E_OK && first)
		forget(c);
	return (err);
}

void
ask_sasl_end(struct smtp_session *s)
{
	struct conn		*c = conn_of(s);
	struct ipc_sasl_end	 m = { c->sasl_id };

	if (c->sasl_id == 0)
		return;
	/* Should the full channel not take it, auth ends it by its own time limit. */
	if (c->d->auth != NULL && ipc_send(c->d->auth, SASL_END, sasl_end, &m) != E_OK)
		log_debug("auth is not told of an end");
	forget(c);
}

/* ---- auth's words ---- */

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	static struct ipc_sasl_answer	 m;
	struct smtpd			*d = ch->arg;
	struct conn			*c;

	if (type != IPC_SASL_ANSWER || ipc_unpack_sasl_answer(r, &m) != E_OK)
		return (E_PROTO);
	if ((c = slots_get(&d->sasls, m.id)) == NULL) {
		d->counter[COUNT_LATE]++;
		return (E_OK);
	}
	if (m.status != SASL_CONTINUE)
		forget(c);
	smtp_sasl_answer(&c->s, &m, smtpd_now(d));
	conn_advance(c);
	return (E_OK);
}

static void
on_lost(struct smtpd *d)
{
	struct conn	*c;
	uint32_t	 i = 0;

	while ((c = slots_next(&d->sasls, &i)) != NULL) {
		forget(c);
		smtp_sasl_answer(&c->s, NULL, smtpd_now(d));
		conn_advance(c);
	}
}

const struct peer_kind auth_peer = {
	.room = ROOM_AUTH,
	.channel = offsetof(struct smtpd, auth),
	.ops = { .message = on_message, .closed = peer_closed },
	.lost = on_lost,
};
