/*
 * receive.c -- the channels to smtpd processes, and whether mail is taken now.  Shell around intake.c.
 */
#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "queue/intake.h"
#include "queue/queue.h"
#include "queue/verify.h"

struct smtpd_peer {
	struct ipc	 ipc;		/* first */
	struct queue	*q;
	struct intake	 intake;
	uint64_t	 serial;	/* never reused */
	uint8_t		 closing;
	struct smtpd_peer *prev, *next;
};

static uint64_t
new_msgid(void *arg)
{
	return (store_new_msgid(((struct queue *)arg)->store));
}

static void
submit(void *arg, struct store_op *op)
{
	store_submit(((struct queue *)arg)->store, op);
}

static int64_t
wall(void *arg)
{
	return ((int64_t)(now_wall_ms() / 1000));	/* the tick's may be a second old */
}

static int64_t
due(void *arg)
{
	return (clock_due(&((struct queue *)arg)->clock));
}

/* A frame that cannot be queued means a peer that does not read: it is closed, and its clients see 451. */
static void
check(struct smtpd_peer *p, int err)
{
	if (err == E_OK || err == E_CLOSED || p->closing)
		return;
	log_warn("smtpd[%u]: channel: %s", p->ipc.instance, err_name(err));
	p->closing = 1;			/* not from here: a transaction of it may be in our caller's hands */
}

static void
credit(void *peer, uint32_t number, uint32_t octets)
{
	struct smtpd_peer *p = peer;
	struct ipc_txn_credit m = { .txn = number, .octets = octets };

	check(p, ipc_send(&p->ipc, TXN_CREDIT, txn_credit, &m));
}

static void
result(void *peer, uint32_t number, enum txn_status status, uint64_t msgid)
{
	struct smtpd_peer *p = peer;
	struct ipc_txn_result m = { .txn = number, .status = (uint8_t)status, .msgid = msgid };

	check(p, ipc_send(&p->ipc, TXN_RESULT, txn_result, &m));
	if (status == TXN_FULL)
		store_check_space(p->q->store);
}

static void
accepted(void *arg, struct txn *t, struct recipient *rcpt)
{
	struct queue *q = arg;

	q->count.received++;
	qlog_accepted(&t->m, t->begin.origin, t->begin.tls_text);
	if (rcpt == NULL)
		feed_note(q, t->due);
	else
		mail_hand_over(q, &t->m, rcpt, t->streamed ? NULL : t->body);
}

static void
wake(void *arg)
{
	queue_work(arg);
}

static void
discarded(void *arg, const struct txn *t, const char *address, int whole)
{
	qlog_discarded(t->msgid, t->begin.sender, address, whole);
}

static const struct intake_ops intake_ops = {
	.new_msgid = new_msgid,
	.submit = submit,
	.credit = credit,
	.result = result,
	.accepted = accepted,
	.wall = wall,
	.due = due,
	.wake = wake,
	.discarded = discarded,
};

static int
on_message(struct ipc *ipc, enum ipc_type type, struct rd *r, int fd)
{
	struct smtpd_peer *p = ipc->arg;
	int err;

	if (type == IPC_VERIFY)
		return (questions_verify(p->q, p->serial, r));
	if (type == IPC_ETRN)
		return (questions_etrn(p->q, p->serial, r));
	err = intake_frame(&p->intake, type, r);
	intake_pressure(p->q);
	return (err);
}

static void
free_peer(struct ipc *ipc)
{
	free(ipc->arg);
}

static void
on_closed(struct ipc *ipc, int err)
{
	struct smtpd_peer *p = ipc->arg;

	if (err != E_CLOSED)
		log_warn("smtpd[%u]: channel ended: %s", ipc->instance, err_name(err));
	intake_clear(&p->intake);
	verify_left(p->q->verify, p->serial);
	DL_DELETE(p->q->smtpds, p);
	ipc_close(&p->ipc, free_peer);
}

/* One process has one channel: with a new one the old one is over, whoever still holds its other end. */
static void
close_old(struct queue *q, const struct ipc_channel *c)
{
	struct smtpd_peer *p, *tmp;

	DL_FOREACH_SAFE(q->smtpds, p, tmp)
		if (p->ipc.instance == c->instance && p->ipc.role == c->role)
			on_closed(&p->ipc, E_CLOSED);
}

static const struct ipc_ops peer_ops = {
	.message = on_message,
	.closed = on_closed,
};

static void
send_pressure(struct smtpd_peer *p)
{
	struct ipc_pressure m = { .state = (uint8_t)p->q->pressure };

	check(p, ipc_send(&p->ipc, PRESSURE, pressure, &m));
}

void
intake_peer(struct queue *q, const struct ipc_channel *c, int fd)
{
	struct smtpd_peer *p;

	close_old(q, c);
	if ((p = calloc(1, sizeof(*p))) == NULL)
		log_fatal("no memory for a channel");
	p->q = q;
	p->serial = ++q->serial;
	intake_init(&p->intake, &intake_ops, q, p, q->room.conf->hostname, &q->txn_memory);
	p->intake.conf = q->room.conf;
	if (ipc_open(&p->ipc, &q->room.loop, fd, q->room.self, ROOM_SMTPD, &peer_ops, p) != E_OK)
		log_fatal("smtpd[%u]: channel cannot be opened", c->instance);
	p->ipc.instance = c->instance;
	p->ipc.role = c->role;
	DL_APPEND(q->smtpds, p);
	send_pressure(p);
}

static struct smtpd_peer *
peer_find(struct queue *q, uint64_t serial)
{
	struct smtpd_peer *p;

	DL_FOREACH(q->smtpds, p)
		if (p->serial == serial)
			return (p);
	return (NULL);
}

void
receive_verify_result(struct queue *q, uint64_t serial, const struct ipc_verify_result *m)
{
	struct smtpd_peer *p = peer_find(q, serial);

	if (p != NULL)
		check(p, ipc_send(&p->ipc, VERIFY_RESULT, verify_result, m));
}

void
receive_etrn_result(struct queue *q, uint64_t serial, const struct ipc_etrn_result *m)
{
	struct smtpd_peer *p = peer_find(q, serial);

	if (p != NULL)
		check(p, ipc_send(&p->ipc, ETRN_RESULT, etrn_result, m));
}

void
intake_sweep(struct queue *q)
{
	struct smtpd_peer *p, *tmp;

	DL_FOREACH_SAFE(q->smtpds, p, tmp)
		if (p->closing) {
			if (ipc_on_broken != NULL)
				ipc_on_broken(&p->ipc);
			on_closed(&p->ipc, E_LIMIT);
		}
}

/* The worst of what the store and memory say; told to all at each change. */
void
intake_pressure(struct queue *q)
{
	static const char *names[PRESSURES] = { "takes mail", "store is nearly full", "short of memory",
	    "store has failed" };
	struct smtpd_peer *p;
	enum pressure now = PRESSURE_NONE;
	size_t high;

	/* Back below three quarters before it is over, so that it does not flutter. */
	high = q->pressure == PRESSURE_BUSY ? QUEUE_BODY_BUDGET / 4 * 3 : QUEUE_BODY_BUDGET / 8 * 7;
	if (q->health == STORE_FAILED)
		now = PRESSURE_IO;
	else if (q->health == STORE_NEARLY_FULL)
		now = PRESSURE_FULL;
	else if (body_memory() > high || q->txn_memory > TXN_RCPT_MEMORY_MAX / 8 * 7)
		now = PRESSURE_BUSY;
	if (now == q->pressure)
		return;
	q->pressure = now;
	log_warn("intake: %s", names[now]);
	DL_FOREACH(q->smtpds, p)
		send_pressure(p);
}

void
intake_conf(struct queue *q)
{
	struct smtpd_peer *p;

	DL_FOREACH(q->smtpds, p) {
		(void)intake_expand(&p->intake, 1);	/* by the old one, which goes now */
		p->intake.hostname = q->room.conf->hostname;
		p->intake.conf = q->room.conf;
	}
}

int
intake_work(struct queue *q)
{
	struct smtpd_peer *p;
	int more = 0;

	DL_FOREACH(q->smtpds, p)
		more |= intake_expand(&p->intake, 0);
	return (more);
}

/* Transactions that are open: the stop waits for them a while. */
uint64_t
intake_open(const struct queue *q)
{
	const struct smtpd_peer *p;
	uint64_t n = 0;

	DL_FOREACH(q->smtpds, p)
		n += p->intake.ntxn;
	return (n);
}
