/*
 * ask.c -- what a client's command asks of queue beside its message: call-ahead and ETRN.  Shell.
 *
 * A connection has at most one question on the way, since its session reads nothing meanwhile.  The id names the
 * question: an answer that comes after the session gave up finds nobody.
 */
#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

static struct conn *
conn_of(struct smtp_session *s)
{
	return ((struct conn *)(void *)s);	/* its first member */
}

void
ask_forget(struct conn *c)
{
	if (c->ask_id != 0)
		slots_free(&c->d->asks, c->ask_id);
	c->ask_id = 0;
}

/* A number for the question.  Queue would end the channel if there were more than it takes. */
static int
begin(struct conn *c)
{
	ask_forget(c);
	if (c->d->queue == NULL)
		return (E_CLOSED);
	if (c->d->asks.used >= VERIFY_PEER_MAX)
		return (E_LIMIT);
	c->ask_id = slots_take(&c->d->asks, c);
	return (c->ask_id != 0 ? E_OK : E_NOMEM);
}

static int
sent(struct conn *c, int err)
{
	if (err != E_OK)
		ask_forget(c);
	return (err);
}

int
ask_verify(struct smtp_session *s, const char *address)
{
	static struct ipc_verify	 m;
	struct conn			*c = conn_of(s);
	int				 err;

	if ((err = begin(c)) != E_OK)
		return (err);
	m.id = c->ask_id;
	if ((err = slice_copy(slice_str(address), m.address, sizeof(m.address))) == E_OK)
		err = ipc_send(c->d->queue, VERIFY, verify, &m);
	return (sent(c, err));
}

int
ask_etrn(struct smtp_session *s, enum etrn_kind kind, const char *name)
{
	static struct ipc_etrn	 m;
	struct conn		*c = conn_of(s);
	int			 err;

	if ((err = begin(c)) != E_OK)
		return (err);
	m.id = c->ask_id;
	m.kind = (uint8_t)kind;
	if ((err = slice_copy(slice_str(name), m.name, sizeof(m.name))) == E_OK)
		err = ipc_send(c->d->queue, ETRN, etrn, &m);
	return (sent(c, err));
}

/* Whose question it was; NULL if nobody waits any more. */
static struct conn *
answered(struct smtpd *d, uint32_t id)
{
	struct conn	*c = slots_get(&d->asks, id);

	if (c == NULL)
		d->counter[COUNT_LATE]++;
	else
		ask_forget(c);
	return (c);
}

int
ask_message(struct smtpd *d, enum ipc_type type, struct rd *r)
{
	static struct ipc_verify_result	 verify;
	struct ipc_etrn_result		 etrn;
	struct conn			*c;

	switch (type) {
	case IPC_VERIFY_RESULT:
		if (ipc_unpack_verify_result(r, &verify) != E_OK)
			return (E_PROTO);
		if ((c = answered(d, verify.id)) == NULL)
			return (E_OK);
		smtp_verified(&c->s, &verify, smtpd_now(d));
		break;
	case IPC_ETRN_RESULT:
		if (ipc_unpack_etrn_result(r, &etrn) != E_OK)
			return (E_PROTO);
		if ((c = answered(d, etrn.id)) == NULL)
			return (E_OK);
		smtp_etrn_done(&c->s, &etrn, smtpd_now(d));
		break;
	default:
		return (E_PROTO);
	}
	conn_advance(c);
	return (E_OK);
}

void
ask_lost(struct smtpd *d)
{
	struct conn	*c;
	uint32_t	 i = 0;

	while ((c = slots_next(&d->asks, &i)) != NULL) {
		ask_forget(c);
		smtp_verified(&c->s, NULL, smtpd_now(d));
		smtp_etrn_done(&c->s, NULL, smtpd_now(d));
		conn_advance(c);
	}
}
