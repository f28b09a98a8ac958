/*
 * txn.c -- transactions on the channel to queue, and the core's other calls.  Shell.
 *
 * BEGIN, RCPTs, the first octets and often COMMIT of a message leave in one datagram,
 * since nothing is sent before the first octets of the body are here.  Body octets go
 * from the read buffer straight into the frame that leaves.  The id of a transaction is
 * free again when queue has ended it, or we have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

/* Holds the place of a transaction that queue is at work on and whose client has gone. */
static char	nobody;

static struct conn *
conn_of(struct smtp_session *s)
{
	return ((struct conn *)(void *)s);	/* its first member */
}

static void
release(struct conn *c)
{
	slots_free(&c->d->txns, c->txn_id);
	c->txn_id = 0;
}

/* Queue will still answer: until then the number must not name anything else, and counts. */
static void
leave_to_queue(struct conn *c)
{
	slots_set(&c->d->txns, c->txn_id, &nobody);
	c->txn_id = 0;
}

/* ---- the core's calls ---- */

static int
send_begin(struct conn *c)
{
	const struct smtp_session	*s = &c->s;
	const struct smtp_txn		*t = s->txn;
	static struct ipc_txn_begin	 m;	/* large; no two calls overlap */

	m.txn = c->txn_id;
	m.session = s->id;
	m.client = s->client;
	m.client_port = s->port;
	m.tls = s->tls;
	snprintf(m.tls_text, sizeof(m.tls_text), "%s", s->tls && s->tls_text != NULL ? s->tls_text : "");
	m.protocol = s->lmtp ? PROTO_LMTP : s->esmtp ? PROTO_ESMTP : PROTO_SMTP;
	m.body = t->body;
	m.size_hint = t->size_hint;
	m.utf8 = t->utf8;
	m.ret = t->ret;
	m.by_mode = t->by_mode;
	m.by_trace = t->by_trace;
	m.by_s = t->by_s;
	m.prioritized = t->prioritized;
	m.priority = t->priority;
	m.hold = t->hold;
	m.hold_until = t->hold_until;
	m.local = s->local;
	m.uid = s->uid;
	memcpy(m.envid, t->envid, sizeof(m.envid));
	memcpy(m.login, s->login, sizeof(m.login));
	snprintf(m.origin, sizeof(m.origin), "%s", s->origin != NULL ? s->origin : "");
	memcpy(m.helo, s->helo, sizeof(m.helo));
	memcpy(m.name, s->name, sizeof(m.name));
	memcpy(m.sender, t->sender, sizeof(m.sender));
	snprintf(m.listener, sizeof(m.listener), "%s", s->listener);
	return (ipc_send(c->d->queue, TXN_BEGIN, txn_begin, &m));
}

static int
send_rcpts(struct conn *c)
{
	static struct ipc_txn_rcpt	 m;	/* large; no two calls overlap */
	struct slice			 all = buf_slice(&c->s.txn->rcpts);
	struct txn_rcpt			 rcpt;
	int				 err;

	m.txn = c->txn_id;
	while (txn_rcpt_next(&all, &rcpt) == E_OK) {
		m.notify = rcpt.notify;
		/* txn_rcpt_add() bounds both. */
		if ((err = slice_copy(slice_str(rcpt.address), m.address, sizeof(m.address))) != E_OK ||
		    (err = slice_copy(slice_str(rcpt.orcpt), m.orcpt, sizeof(m.orcpt))) != E_OK)
			return (err);
		if ((err = ipc_send(c->d->queue, TXN_RCPT, txn_rcpt, &m)) != E_OK)
			return (err);
	}
	return (E_OK);
}

/* An abort that the full channel does not take now goes when it can: else queue would
 * keep what it has of the message. */
static void
send_abort(struct smtpd *d, uint32_t id)
{
	struct ipc_txn_abort	 m = { id };
	uint32_t		*v, size;

	if (d->queue == NULL || ipc_send(d->queue, TXN_ABORT, txn_abort, &m) != E_LIMIT)
		return;		/* sent; or the channel is over, and queue forgets by itself */
	if (d->naborts == d->aborts_size) {
		size = d->aborts_size != 0 ? d->aborts_size * 2 : 64;
		if ((v = realloc(d->aborts, size * sizeof(*v))) == NULL) {
			log_warn("no memory to abort a transaction: queue keeps it");
			return;
		}
		d->aborts = v;
		d->aborts_size = size;
	}
	d->aborts[d->naborts++] = id;
}

static int
txn_begin(struct smtp_session *s)
{
	struct conn	*c = conn_of(s);
	int		 err;

	if (c->d->queue == NULL)
		return (E_CLOSED);
	if (c->d->txns.used >= TXN_PEER_MAX)
		return (E_LIMIT);	/* queue would end the channel, and all others with it */
	if ((c->txn_id = slots_take(&c->d->txns, c)) == 0)
		return (E_NOMEM);
	if ((err = send_begin(c)) == E_OK && (err = send_rcpts(c)) != E_OK)
		send_abort(c->d, c->txn_id);
	if (err != E_OK)
		release(c);
	return (err);
}

void
txn_chunk_end(struct smtpd *d)
{
	size_t	n, i;

	if (d->chunk == NULL)
		return;
	n = d->chunk->len - d->chunk_start;
	for (i = 0; i < 4; i++)		/* little-endian, as wr_u32() */
		d->chunk->p[d->chunk_start - 4 + i] = (uint8_t)(n >> (8 * i));
	d->chunk = NULL;
	/* What does not get through is noticed by queue's count at COMMIT at the latest. */
	if ((d->chunk_err = ipc_end(d->queue)) != E_OK)
		log_warn("channel to queue: chunk: %s", err_name(d->chunk_err));
}

static int
txn_body(struct smtp_session *s, struct slice run)
{
	struct conn	*c = conn_of(s);
	struct smtpd	*d = c->d;
	size_t		 n;

	d->chunk_err = E_OK;
	while (run.n != 0) {
		if (d->chunk == NULL) {
			if (d->queue == NULL)
				return (E_CLOSED);
			if ((d->chunk = ipc_begin(d->queue, IPC_TXN_CHUNK)) == NULL)
				return (ipc_end(d->queue));
			wr_u32(d->chunk, c->txn_id);
			wr_u32(d->chunk, 0);	/* the length, known at the end */
			d->chunk_start = d->chunk->len;
		}
		n = IPC_CHUNK_MAX - (d->chunk->len - d->chunk_start);
		if (n > run.n)
			n = run.n;
		wr_raw(d->chunk, run.p, n);
		run = slice_make(run.p + n, run.n - n);
		if (d->chunk->len - d->chunk_start == IPC_CHUNK_MAX) {
			txn_chunk_end(d);
			if (d->chunk_err != E_OK)
				return (d->chunk_err);
		}
	}
	return (E_OK);
}

static int
txn_commit(struct smtp_session *s)
{
	struct conn		*c = conn_of(s);
	struct ipc_txn_commit	 m;

	c->d->chunk_err = E_OK;		/* of another session's, if no chunk is open */
	txn_chunk_end(c->d);
	if (c->d->chunk_err != E_OK)
		return (c->d->chunk_err);
	m.txn = c->txn_id;
	m.nrcpt = s->txn->nrcpt;
	m.body_len = s->txn->body_len;
	m.hops = (uint8_t)s->txn->header.received;	/* at most HOPS_MAX */
	m.header8 = s->txn->header8;
	return (ipc_send(c->d->queue, TXN_COMMIT, txn_commit, &m));
}

static void
txn_abort(struct smtp_session *s)
{
	struct conn	*c = conn_of(s);

	txn_chunk_end(c->d);
	if (c->txn_id == 0)
		return;
	if (s->state == ST_COMMIT) {	/* too late to take it back: its answer is not waited for */
		leave_to_queue(c);
		return;
	}
	send_abort(c->d, c->txn_id);
	release(c);
}

static void
txn_reject(struct smtp_session *s, struct slice reply)
{
	struct conn	*c = conn_of(s);

	c->d->counter[COUNT_REJECTS]++;
	conn_log_reject(c, reply);
}

static void
txn_note(struct smtp_session *s, const char *what, struct slice text, const char *about)
{
	conn_log_note(conn_of(s), what, text, about);
}

static void
auth_event(struct smtp_session *s, enum auth_event what, const char *mechanism, struct slice login)
{
	conn_log_auth(conn_of(s), what, mechanism, login);
}

static void
introduced(struct smtp_session *s)
{
	conn_log_introduced(conn_of(s));
}

static int
own_address(struct smtp_session *s, const struct net_addr *a)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	struct net_addr		 own;
	uint16_t		 port;

	if (s->own_known)	/* a proxy's client reached the proxy */
		return (net_addr_cmp(&s->own, a) == 0 && !net_addr_is_any(a));
	return (getsockname(conn_of(s)->fd, (struct sockaddr *)&ss, &len) == 0 &&
	    net_addr_from_sockaddr(&own, &port, (struct sockaddr *)&ss) == E_OK &&
	    net_addr_cmp(&own, a) == 0);
}

const struct smtp_ops txn_smtp_ops = {
	.txn_begin = txn_begin,
	.txn_body = txn_body,
	.txn_commit = txn_commit,
	.txn_abort = txn_abort,
	.verify = ask_verify,
	.etrn = ask_etrn,
	.reject = txn_reject,
	.own_address = own_address,
	.client = share_move,
	.introduced = introduced,
	.note = txn_note,
	.starttls = conn_tls_ready,
	.sasl_step = ask_sasl,
	.sasl_end = ask_sasl_end,
	.auth_event = auth_event,
};

/* The connection goes while queue works on its message: the answer will find nobody. */
void
txn_forget(struct conn *c)
{
	if (c->txn_id != 0)
		leave_to_queue(c);
}

/* ---- queue's words ---- */

static int
on_result(struct smtpd *d, const struct ipc_txn_result *m)
{
	void		*p = slots_get(&d->txns, m->txn);
	struct conn	*c = p;

	if (p == NULL || p == &nobody) {
		slots_free(&d->txns, m->txn);
		d->counter[COUNT_LATE]++;
		return (E_OK);
	}
	release(c);
	if (m->status == TXN_DURABLE && c->s.state == ST_COMMIT)
		d->counter[COUNT_MESSAGES]++;
	smtp_result(&c->s, m->status, m->msgid, smtpd_now(d));
	conn_advance(c);
	return (E_OK);
}

static int
on_credit(struct smtpd *d, const struct ipc_txn_credit *m)
{
	void		*p = slots_get(&d->txns, m->txn);
	struct conn	*c = p;

	if (p == NULL || p == &nobody)
		return (E_OK);		/* crossed with its end */
	smtp_credit(&c->s, m->octets, smtpd_now(d));
	txn_chunk_end(d);		/* octets that had waited for it, or a COMMIT behind them */
	conn_advance(c);
	return (E_OK);
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	static const char *const	pressures[PRESSURES] = { "none", "full", "busy", "io" };
	struct smtpd			*d = ch->arg;
	union {
		struct ipc_txn_result	result;
		struct ipc_txn_credit	credit;
		struct ipc_pressure	pressure;
	} m;

	switch (type) {
	case IPC_TXN_RESULT:
		if (ipc_unpack_txn_result(r, &m.result) != E_OK)
			return (E_PROTO);
		return (on_result(d, &m.result));
	case IPC_TXN_CREDIT:
		if (ipc_unpack_txn_credit(r, &m.credit) != E_OK)
			return (E_PROTO);
		return (on_credit(d, &m.credit));
	case IPC_PRESSURE:
		if (ipc_unpack_pressure(r, &m.pressure) != E_OK)
			return (E_PROTO);
		if (!d->env.queue_up || d->env.pressure != m.pressure.state)
			log_info("queue pressure=%s", pressures[m.pressure.state]);
		d->env.pressure = m.pressure.state;
		d->env.queue_up = 1;	/* its first word on a new channel */
		return (E_OK);
	default:
		return (ask_message(d, type, r));
	}
}

/*
 * The channel takes octets again, or is gone.  All clients: one that was held up before its
 * first octets has no transaction with queue yet.
 */
static void
throttle_end(struct smtpd *d)
{
	struct conn	*c, *next;

	d->env.throttled = 0;
	for (c = d->conns; c != NULL; c = next) {
		next = c->next;		/* conn_advance() unlinks c alone */
		smtp_credit(&c->s, 0, smtpd_now(d));
		txn_chunk_end(d);
		conn_advance(c);
	}
}

static void
on_lost(struct smtpd *d)
{
	struct conn	*c;
	void		*p;
	uint32_t	 i = 0;
	int		 throttled = d->env.throttled;

	d->env.queue_up = 0;
	d->env.throttled = 0;
	d->naborts = 0;
	while ((p = slots_next(&d->txns, &i)) != NULL) {
		if (p == &nobody) {
			slots_free_at(&d->txns, i - 1);
			continue;
		}
		c = p;
		release(c);
		smtp_queue_lost(&c->s, smtpd_now(d));
		conn_advance(c);
	}
	ask_lost(d);
	if (throttled)
		throttle_end(d);
}

static void
on_drained(struct ipc *ch)
{
	struct smtpd	*d = ch->arg;
	uint32_t	 i, n = d->naborts;

	/* One that does not go now goes back to a place that was already read. */
	d->naborts = 0;
	for (i = 0; i < n; i++)
		send_abort(d, d->aborts[i]);
	if (d->env.throttled)
		throttle_end(d);
}

const struct peer_kind queue_peer = {
	.room = ROOM_QUEUE,
	.channel = offsetof(struct smtpd, queue),
	.ops = { .message = on_message, .closed = peer_closed, .drained = on_drained },
	.lost = on_lost,
};

/* Queue does not keep up: the kernel's buffer and ours are filling. */
void
txn_throttle(struct smtpd *d)
{
	if (d->queue == NULL || d->env.throttled || ipc_backlog(d->queue) < THROTTLE_HIGH)
		return;
	ipc_flush(d->queue);
	/* If the socket took it all there is nothing to wait for; else on_drained() comes. */
	if (ipc_backlog(d->queue) >= THROTTLE_HIGH)
		d->env.throttled = 1;
}
