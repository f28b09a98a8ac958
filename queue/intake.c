/*
 * intake.c -- transactions of one smtpd; see intake.h.
 *
 * The peer is hostile (T8): every number is checked against what is open, octets against the window it
 * was given, memory against budgets.  A shortage of ours is that message's 452, kept until its
 * commit; what it still sends is taken and dropped within the same window.
 */
#include "queue/intake.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "queue/intake_int.h"
#include "queue/received.h"

struct ahead_op {			/* chunks ahead of the message, or the end of them */
	struct store_op	 op;		/* first */
	struct txn	*txn;
	uint64_t	 octets;
};

#define PACKED_RCPT_MAX	(1 + ADDRESS_MAX + 1 + ORCPT_MAX + 1)	/* octets of one in txn.packed, at most */

static int	on_begin(struct intake *, struct rd *);
static int	on_rcpt(struct intake *, struct rd *);
static int	on_chunk(struct intake *, struct rd *);
static int	on_commit(struct intake *, struct rd *);
static int	on_abort(struct intake *, struct rd *);
static void	submit_put(struct txn *);
static int	start_body(struct txn *);
static void	stream_ahead(struct txn *);
static void	give_credit(struct txn *);
static void	on_ahead(struct store_op *, int);
static void	on_put(struct store_op *, int);
static void	on_drop(struct store_op *, int);
static void	txn_end(struct txn *);
static void	txn_maybe_free(struct txn *);
static void	free_bulk(struct txn *);
static void	free_packed(struct txn *);

/* Which frame is handled in which step is in the handlers' first lines; who may send it, in ipc_msg.h. */
static const struct {
	enum ipc_type	type;
	int		(*fn)(struct intake *, struct rd *);
} frames[] = {
	{ IPC_TXN_BEGIN, on_begin },
	{ IPC_TXN_RCPT, on_rcpt },
	{ IPC_TXN_CHUNK, on_chunk },
	{ IPC_TXN_COMMIT, on_commit },
	{ IPC_TXN_ABORT, on_abort },
};

void
intake_init(struct intake *in, const struct intake_ops *ops, void *arg, void *peer,
    const char *hostname, size_t *memory)
{
	memset(in, 0, sizeof(*in));
	in->ops = ops;
	in->arg = arg;
	in->peer = peer;
	in->hostname = hostname;
	in->memory = memory;
}

int
intake_frame(struct intake *in, enum ipc_type type, struct rd *r)
{
	size_t i;

	for (i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		if (frames[i].type == type)
			return (frames[i].fn(in, r));
	return (E_PROTO);
}

void
intake_clear(struct intake *in)
{
	struct txn *t, *tmp;

	HASH_ITER(hh, in->txns, t, tmp) {
		txn_end(t);
		txn_drop(t);
	}
}

static struct txn *
txn_find(struct intake *in, uint32_t number)
{
	struct txn *t;

	HASH_FIND(hh, in->txns, &number, sizeof(number), t);
	return (t);
}

static int
on_begin(struct intake *in, struct rd *r)
{
	struct txn *t;

	if (in->ntxn >= TXN_PEER_MAX)
		return (E_PROTO);
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (E_PROTO);	/* no room even to remember a refusal: the peer's 451 */
	if (ipc_unpack_txn_begin(r, &t->begin) != E_OK || txn_find(in, t->begin.txn) != NULL) {
		free(t);
		return (E_PROTO);
	}
	t->number = t->begin.txn;
	t->intake = in;
	t->ops = in->ops;
	t->arg = in->arg;
	t->memory = in->memory;
	t->begun = in->ops->wall(in->arg);
	t->window = TXN_WINDOW;
	buf_init(&t->packed, (size_t)RCPT_MAX * PACKED_RCPT_MAX);
	HASH_ADD(hh, in->txns, number, sizeof(t->number), t);
	in->ntxn++;
	return (E_OK);
}

/* One more of the client's recipients.  E_NOMEM: no memory, or no budget. */
static int
pack(struct txn *t, const struct ipc_txn_rcpt *m)
{
	size_t na = strlen(m->address) + 1, no = strlen(m->orcpt) + 1, was = t->packed.size;
	char *p;

	p = buf_reserve(&t->packed, 1 + na + no);
	*t->memory += t->packed.size - was;
	if (p == NULL || *t->memory > TXN_RCPT_MEMORY_MAX)
		return (E_NOMEM);
	p[0] = (char)m->notify;
	memcpy(p + 1, m->address, na);
	memcpy(p + 1 + na, m->orcpt, no);
	buf_commit(&t->packed, 1 + na + no);
	return (E_OK);
}

static void
free_packed(struct txn *t)
{
	*t->memory -= t->packed.size;
	buf_clear(&t->packed);
}

/* All of them, as the store has them. */
static int
unpack(struct txn *t)
{
	const char *p = buf_slice(&t->packed).p;
	size_t need = t->nrcpt * sizeof(*t->rcpt), n;
	struct recipient *rcpt;
	uint32_t i;

	if (*t->memory + need > TXN_RCPT_MEMORY_MAX || (t->rcpt = calloc(t->nrcpt, sizeof(*t->rcpt))) == NULL)
		return (E_NOMEM);
	*t->memory += need;
	t->room = t->nrcpt;
	for (i = 0; i < t->nrcpt; i++) {
		rcpt = &t->rcpt[i];
		rcpt->index = i;
		rcpt->state = RCPT_PENDING;
		rcpt->notify = (uint8_t)*p++;
		n = strlen(p) + 1;
		memcpy(rcpt->address, p, n);
		p += n;
		n = strlen(p) + 1;
		memcpy(rcpt->orcpt, p, n);
		p += n;
	}
	free_packed(t);
	return (E_OK);
}

static int
on_rcpt(struct intake *in, struct rd *r)
{
	struct ipc_txn_rcpt m;
	struct txn *t;

	if (ipc_unpack_txn_rcpt(r, &m) != E_OK)
		return (E_PROTO);
	if ((t = txn_find(in, m.txn)) == NULL || t->step != TXN_ENVELOPE || t->nrcpt >= RCPT_MAX)
		return (E_PROTO);
	t->nrcpt++;
	if (!t->failed && pack(t, &m) != E_OK) {
		t->failed = TXN_BUSY;
		free_bulk(t);
	}
	return (E_OK);
}

static int
on_chunk(struct intake *in, struct rd *r)
{
	struct ipc_txn_chunk m;
	struct txn *t;

	if (ipc_unpack_txn_chunk(r, &m) != E_OK)
		return (E_PROTO);
	if ((t = txn_find(in, m.txn)) == NULL || t->step > TXN_BODY || t->nrcpt == 0 ||
	    m.data.n > t->window)
		return (E_PROTO);
	t->window -= (uint32_t)m.data.n;
	t->owed += (uint32_t)m.data.n;
	t->received += m.data.n;
	if (t->received > MESSAGE_SIZE_MAX)
		return (E_PROTO);
	if (t->step == TXN_ENVELOPE && start_body(t) != E_OK)
		t->failed = TXN_BUSY;
	if (!t->failed && body_add(t->body, m.data) != E_OK)
		t->failed = TXN_BUSY;
	if (t->failed)
		free_bulk(t);
	else if (t->body->held > TXN_MEMORY_MAX)
		stream_ahead(t);
	give_credit(t);
	return (E_OK);
}

static uint32_t
flags_of_txn(const struct ipc_txn_begin *b, const struct ipc_txn_commit *c)
{
	return ((b->body != BODY_7BIT ? MSGF_BODY8 : 0) | (b->protocol != PROTO_SMTP ? MSGF_ESMTP : 0) |
	    (b->protocol == PROTO_LMTP ? MSGF_LMTP : 0) | (b->utf8 ? MSGF_UTF8 : 0) |
	    (c->header8 ? MSGF_HEADER8 : 0) | (b->by_mode != BY_NONE && b->by_trace ? MSGF_BY_TRACE : 0) |
	    (b->prioritized ? MSGF_PRIORITIZED : 0) | (b->local ? MSGF_LOCAL : 0) |
	    (b->hold ? MSGF_HELD | MSGF_HELD_RULE : 0));
}

static void
message_of_txn(struct txn *t, const struct ipc_txn_commit *c)
{
	const struct ipc_txn_begin *b = &t->begin;
	struct message *msg = &t->m;

	msg->msgid = t->msgid;
	msg->arrival = t->ops->wall(t->arg);
	msg->body_len = t->body->len;
	msg->nchunk = t->body->nchunk;
	msg->nrcpt = t->nrcpt;
	msg->flags = flags_of_txn(b, c);
	msg->client = b->client;
	memcpy(msg->helo, b->helo, sizeof(msg->helo));
	memcpy(msg->client_name, b->name, sizeof(msg->client_name));
	memcpy(msg->sender, b->sender, sizeof(msg->sender));
	memcpy(msg->envid, b->envid, sizeof(msg->envid));
	memcpy(msg->login, b->login, sizeof(msg->login));
	msg->ret = b->ret;
	msg->body = b->body;
	msg->priority = b->prioritized ? b->priority : 0;
	msg->uid = b->local ? b->uid : 0;
	msg->hold_until = b->hold_until > msg->arrival ? b->hold_until : 0;
	/* RFC 2852 4: from the MAIL command on; a negative time stands for one that has passed. */
	msg->by_mode = b->by_mode;
	msg->by_time = b->by_mode != BY_NONE ? t->begun + b->by_s : 0;
	if (msg->by_mode != BY_NONE && msg->by_time < 1)
		msg->by_time = 1;
}

static int
on_commit(struct intake *in, struct rd *r)
{
	struct ipc_txn_commit m;
	struct txn *t;

	if (ipc_unpack_txn_commit(r, &m) != E_OK)
		return (E_PROTO);
	if ((t = txn_find(in, m.txn)) == NULL || t->step > TXN_BODY)
		return (E_PROTO);
	if (t->step == TXN_ENVELOPE && !t->failed && t->nrcpt != 0 && start_body(t) != E_OK)
		t->failed = TXN_BUSY;
	if (!t->failed && (m.nrcpt != t->nrcpt || m.body_len != t->received || t->nrcpt == 0))
		t->failed = TXN_MISMATCH;
	if (!t->failed && unpack(t) != E_OK)
		t->failed = TXN_BUSY;
	if (t->failed) {
		txn_answer(t, (enum txn_status)t->failed);
		txn_drop(t);
		return (E_OK);
	}
	t->step = TXN_STORING;
	body_seal(t->body);
	message_of_txn(t, &m);
	t->due = t->ops->due(t->arg);
	/* RFC 4865 5: no attempt before; a time that has passed is no wish. */
	if (t->m.hold_until > t->m.arrival)
		t->due += t->m.hold_until - t->m.arrival;
	txn_expand(t);
	return (E_OK);
}

void
txn_put(struct txn *t)
{
	uint32_t i;

	for (i = 0; t->put.rcpt_at == NULL && i < t->m.nrcpt; i++)
		t->rcpt[i].next = t->due;
	t->ready = 1;
	t->put.kind = STORE_PUT;
	t->put.done = on_put;
	t->put.arg = t;
	t->put.msgid = t->msgid;
	t->put.message = &t->m;
	t->put.rcpt = t->rcpt;
	t->put.nrcpt = t->m.nrcpt;
	t->put.blocks = t->body->first;
	/* What went ahead must be there first: a batch that failed is not followed by one that counts on it. */
	if (t->nop == 0)
		submit_put(t);
}

static void
submit_put(struct txn *t)
{
	t->nop++;
	t->putting = 1;
	t->ops->submit(t->arg, &t->put);
}

static int
on_abort(struct intake *in, struct rd *r)
{
	struct ipc_txn_abort m;
	struct txn *t;

	if (ipc_unpack_txn_abort(r, &m) != E_OK)
		return (E_PROTO);
	if ((t = txn_find(in, m.txn)) == NULL || t->step > TXN_BODY)
		return (E_PROTO);
	txn_end(t);
	txn_drop(t);
	return (E_OK);
}

/* The Received field goes in front, once the recipients are known. */
static int
start_body(struct txn *t)
{
	char field[RECEIVED_MAX];
	size_t n;

	t->step = TXN_BODY;
	if (t->failed)
		return (E_OK);
	t->msgid = t->ops->new_msgid(t->arg);
	if ((t->body = body_new()) == NULL)
		return (E_NOMEM);
	n = received_write(field, &t->begin, t->intake->hostname, t->msgid,
	    t->nrcpt == 1 ? buf_slice(&t->packed).p + 1 : NULL, t->ops->wall(t->arg));
	return (n != 0 ? body_add(t->body, slice_make(field, n)) : E_LIMIT);
}

/* Full blocks go into the store under an incoming mark, so memory does not grow with the message. */
static void
stream_ahead(struct txn *t)
{
	struct ahead_op *a;
	struct body_block *b;

	if ((a = calloc(1, sizeof(*a))) == NULL) {
		t->failed = TXN_BUSY;
		free_bulk(t);
		return;
	}
	body_seal(t->body);
	a->op.blocks = body_take_blocks(t->body, 0);
	for (b = a->op.blocks; b != NULL; b = b->next)
		a->octets += b->len;
	a->txn = t;
	a->op.kind = STORE_CHUNKS;
	a->op.done = on_ahead;
	a->op.msgid = t->msgid;
	t->ahead += a->octets;
	t->streamed = 1;
	t->nop++;
	t->ops->submit(t->arg, &a->op);
}

/* Half a window at a time; none while too much is on its way into the store. */
static void
give_credit(struct txn *t)
{
	uint32_t n = t->owed;

	if (t->intake == NULL || t->step > TXN_BODY || n < TXN_WINDOW / 2 || t->ahead > TXN_AHEAD_MAX)
		return;
	t->owed = 0;
	t->window += n;
	t->ops->credit(t->intake->peer, t->number, n);
}

static void
on_ahead(struct store_op *op, int err)
{
	struct ahead_op *a = (struct ahead_op *)op;
	struct txn *t = a->txn;

	body_free_blocks(op->blocks);
	t->ahead -= a->octets;
	t->nop--;
	free(a);
	if (err != E_OK && t->step != TXN_GONE && !t->failed) {
		t->failed = err == E_FULL ? TXN_FULL : err == E_NOMEM ? TXN_BUSY : TXN_IO;
		if (t->step == TXN_BODY)
			free_bulk(t);
	}
	if (t->step == TXN_STORING && t->nop == 0) {
		if (!t->failed) {
			if (t->ready)
				submit_put(t);
			return;
		}
		txn_answer(t, (enum txn_status)t->failed);
		txn_drop(t);
		return;
	}
	give_credit(t);
	txn_maybe_free(t);
}

static void
on_put(struct store_op *op, int err)
{
	struct txn *t = op->arg;
	struct recipient *rcpt;

	t->nop--;
	t->putting = 0;
	if (err == E_OK) {
		/* Ours now, whether or not anybody waits for the answer (RFC 5321 6.1). */
		t->durable = 1;
		txn_answer(t, TXN_DURABLE);
		rcpt = NULL;
		if (t->put.rcpt_at == NULL) {
			*t->memory -= t->room * sizeof(*t->rcpt);
			rcpt = t->rcpt;
			t->rcpt = NULL;
			t->room = 0;
		}
		t->ops->accepted(t->arg, t, rcpt);
	} else {
		txn_answer(t, err == E_FULL ? TXN_FULL : err == E_NOMEM ? TXN_BUSY : TXN_IO);
	}
	txn_drop(t);
}

void
txn_answer(struct txn *t, enum txn_status status)
{
	if (t->intake == NULL)
		return;
	t->ops->result(t->intake->peer, t->number, status, status == TXN_DURABLE ? t->msgid : 0);
	txn_end(t);
}

/* smtpd's number is free again; what it sends under it belongs to another transaction. */
static void
txn_end(struct txn *t)
{
	if (t->expanding)
		DL_DELETE(t->intake->expanding, t);
	t->expanding = 0;
	HASH_DEL(t->intake->txns, t);
	t->intake->ntxn--;
	t->intake = NULL;
}

/* Nobody waits for it.  A commit under way still counts; chunks that went ahead of nothing are removed. */
void
txn_drop(struct txn *t)
{
	struct ahead_op *a;

	if (t->putting)
		return;			/* on_put() comes back here */
	t->step = TXN_GONE;
	if (t->streamed && !t->durable && (a = calloc(1, sizeof(*a))) != NULL) {
		/* Without memory for it the next start of the store removes them. */
		a->txn = t;
		a->op.kind = STORE_DROP;
		a->op.msgid = t->msgid;
		a->op.done = on_drop;
		t->streamed = 0;
		t->nop++;
		t->ops->submit(t->arg, &a->op);
	}
	txn_maybe_free(t);
}

static void
on_drop(struct store_op *op, int err)
{
	struct ahead_op *a = (struct ahead_op *)op;

	a->txn->nop--;
	txn_maybe_free(a->txn);
	free(a);
}

static void
txn_maybe_free(struct txn *t)
{
	if (t->step != TXN_GONE || t->nop != 0)
		return;
	free_bulk(t);
	free(t);
}

static void
free_bulk(struct txn *t)
{
	txn_expand_free(t);
	*t->memory -= t->rcpt != NULL ? t->room * sizeof(*t->rcpt) : 0;
	free(t->rcpt);
	t->rcpt = NULL;
	t->room = 0;
	free_packed(t);
	body_unref(t->body);
	t->body = NULL;
}
