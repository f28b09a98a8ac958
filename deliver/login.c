/*
 * login.c -- our own login at a next hop: auth speaks, the connection passes on.  Shell.
 *
 * What comes from auth is a password or leads to one: it goes from the datagram, which ipc wipes,
 * into the client's output, which the client wipes.  threat-model.md R6.
 */
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "deliver/conn_tls.h"

static int	on_message(struct ipc *, enum ipc_type, struct rd *, int);
static void	on_closed(struct ipc *, int);

static const struct ipc_ops auth_ops = { on_message, on_closed, NULL };

static void
login_failed(struct conn *c, const char *enhanced, const char *why)
{
	c->login_id = 0;
	client_auth_failed(&c->client, enhanced, why, deliver_now(c->d));
	conn_pump(c, slice_make(NULL, 0));
}

/* ---- questions ---- */

void
login_ask(struct conn *c)
{
	const struct client_auth *a = &c->client.auth;
	uint8_t text[BINDINGS][SASL_BINDING_MAX];
	struct ipc_credential m = { .first = a->first, .done = a->done };
	struct deliver *d = c->d;
	int bound = 0;

	if (d->auth == NULL) {
		login_failed(c, "4.7.0", "cannot log in: auth, which knows the password, is not there");
		return;
	}
	if (a->first) {
		if (++d->login_id == 0)
			d->login_id = 1;
		c->login_id = d->login_id;
		(void)slice_copy(slice_str(c->pool.dest->login), m.login, sizeof(m.login));
		for (unsigned i = 0; i < BINDINGS; i++) {
			m.binding[i] = slice_make((char *)text[i], conn_tls_binding(c, i, text[i]));
			bound |= m.binding[i].n != 0;
		}
		m.mechanisms = (uint8_t)(a->mechanisms & ~(1u << SASL_EXTERNAL));	/* we have no certificate to show */
		if (!bound)
			m.mechanisms &= (uint8_t)~(1u << SASL_SCRAM_SHA_256_PLUS);
	} else
		m.data = a->challenge;
	m.id = c->login_id;
	if (ipc_send(d->auth, CREDENTIAL, credential, &m) != E_OK)
		login_failed(c, "4.7.0", "cannot log in: auth takes no question now");
}

/* The connection is over, or has what it wanted. */
void
login_forget(struct conn *c)
{
	struct ipc_sasl_end m = { .id = c->login_id };

	if (c->login_id != 0 && c->d->auth != NULL)
		(void)ipc_send(c->d->auth, CREDENTIAL_END, sasl_end, &m);	/* or auth forgets it in time */
	c->login_id = 0;
}

/* ---- answers ---- */

static struct conn *
find(struct deliver *d, uint32_t id)
{
	struct conn *c;

	TAILQ_FOREACH(c, &d->conns, link) {
		if (c->login_id == id)
			return (c);
	}
	return (NULL);
}

static void
answered(struct conn *c, const struct ipc_credential_answer *m)
{
	uint64_t now = deliver_now(c->d);

	switch (m->status) {
	case SASL_CONTINUE:
		client_auth_say(&c->client, m->mechanism, m->has_data, m->data, now);
		conn_pump(c, slice_make(NULL, 0));
		return;
	case SASL_OK:
		c->login_id = 0;
		client_auth_ok(&c->client, now);
		conn_pump(c, slice_make(NULL, 0));
		return;
	case SASL_FAILED:
		login_failed(c, "4.7.0", c->client.auth.first ? "cannot log in: the host offers no mechanism that will do" :
		    "cannot log in: the host has not proved that it knows the password");
		return;
	case SASL_BAD:
		login_failed(c, "4.7.0", "cannot log in: the host's challenge is malformed");
		return;
	default:
		login_failed(c, "4.7.0", "cannot log in: the password is not to be had now");
		return;
	}
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct deliver *d = ch->arg;
	struct ipc_credential_answer m;
	struct conn *c;

	if (type != IPC_CREDENTIAL_ANSWER || ipc_unpack_credential_answer(r, &m) != E_OK || m.id == 0)
		return (E_PROTO);
	if ((c = find(d, m.id)) == NULL)
		return (E_OK);		/* it has gone meanwhile */
	if (c->client.state != CS_LOGIN)
		return (E_PROTO);
	answered(c, &m);
	return (E_OK);
}

/* ---- the channel ---- */

static void
on_closed(struct ipc *ch, int err)
{
	struct deliver *d = ch->arg;
	struct conn *c, *next;

	deliver_channel_over(&d->auth, ch);
	if (!d->stopping)
		log_warn("auth has gone (%s): logins at next hops wait", err_name(err));
	/* A closed connection keeps its link until this turn of the loop is over. */
	for (c = TAILQ_FIRST(&d->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->login_id != 0 && c->state != CONN_CLOSED)
			login_failed(c, "4.7.0", "cannot log in: auth has gone");
	}
}

void
login_channel(struct deliver *d, const struct ipc_channel *c, int fd)
{
	deliver_channel(d, &d->auth, c, fd, &auth_ops);
}
