/*
 * intake_kit.h -- an intake with a store and a channel that are made up: for its test and its fuzz target.
 *
 * The store is a list of operations, completed in order by kit_complete(); it checks the rules it relies on.
 */
#ifndef TESTS_QUEUE_INTAKE_KIT_H
#define TESTS_QUEUE_INTAKE_KIT_H

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "queue/intake.h"

#define KIT_CHECK(c)	do { if (!(c)) abort(); } while (0)
#define KIT_RESULTS	4096

struct kit {
	struct intake	 in;
	size_t		 memory;
	uint64_t	 msgid;
	struct store_op	*head, **tail;
	unsigned	 ops, puts, chunks, drops;
	unsigned	 accepted;
	uint64_t	 octets;		/* of accepted bodies */
	unsigned	 nresult;
	struct { uint32_t txn; enum txn_status status; } result[KIT_RESULTS];
	uint64_t	 credit;
	unsigned	 wakes, discards;
	unsigned	 many;		/* accepted with more recipients than fit */
	char		 last_rcpt[ADDRESS_MAX + 1];	/* of the last put, its last recipient */
	char		 last_body[512];	/* the beginning of the last one accepted from memory */
	uint32_t	 last_nrcpt;
};

static uint64_t
kit_new_msgid(void *arg)
{
	return (++((struct kit *)arg)->msgid);
}

static void
kit_submit(void *arg, struct store_op *op)
{
	struct kit *k = arg;

	KIT_CHECK(op->msgid != 0);
	op->next = NULL;
	*k->tail = op;
	k->tail = &op->next;
	k->ops++;
	k->puts += op->kind == STORE_PUT;
	k->chunks += op->kind == STORE_CHUNKS;
	k->drops += op->kind == STORE_DROP;
	if (op->kind == STORE_PUT) {
		struct recipient r;

		KIT_CHECK(op->nrcpt >= 1 && (op->rcpt_at != NULL || op->nrcpt <= RCPT_MAX));
		if (op->rcpt_at != NULL)
			op->rcpt_at(op, op->nrcpt - 1, &r);
		else
			r = op->rcpt[op->nrcpt - 1];
		KIT_CHECK(r.index == op->nrcpt - 1 && r.next == 1795305325 +
		    (op->message->hold_until > 1795305325 ? op->message->hold_until - 1795305325 : 0));
		memcpy(k->last_rcpt, r.address, sizeof(k->last_rcpt));
		KIT_CHECK(op->message->nrcpt == op->nrcpt && op->message->msgid == op->msgid);
	}
	if (op->kind == STORE_CHUNKS)
		KIT_CHECK(op->blocks != NULL);
}

static void
kit_credit(void *peer, uint32_t txn, uint32_t octets)
{
	struct kit *k = peer;

	KIT_CHECK(octets >= 1 && octets <= TXN_WINDOW);
	k->credit += octets;
}

static void
kit_result(void *peer, uint32_t txn, enum txn_status status, uint64_t msgid)
{
	struct kit *k = peer;

	KIT_CHECK((status == TXN_DURABLE) == (msgid != 0));
	if (k->nresult < KIT_RESULTS) {
		k->result[k->nresult].txn = txn;
		k->result[k->nresult].status = status;
	}
	k->nresult++;
}

static void
kit_accepted(void *arg, struct txn *t, struct recipient *rcpt)
{
	struct kit *k = arg;
	size_t n;

	KIT_CHECK((rcpt != NULL || t->m.nrcpt > RCPT_MAX) && t->m.nrcpt >= 1 && !t->failed);
	k->accepted++;
	k->many += rcpt == NULL;
	k->octets += t->m.body_len;
	k->last_nrcpt = t->m.nrcpt;
	k->last_body[0] = '\0';
	if (!t->streamed) {
		KIT_CHECK(t->body->first != NULL);
		n = t->body->first->len < sizeof(k->last_body) - 1 ? t->body->first->len :
		    sizeof(k->last_body) - 1;
		memcpy(k->last_body, t->body->first->octets + BODY_BLOCK - BODY_CHUNK, n);
		k->last_body[n] = '\0';
	}
	free(rcpt);
}

static void
kit_wake(void *arg)
{
	((struct kit *)arg)->wakes++;
}

static void
kit_discarded(void *arg, const struct txn *t, const char *address, int whole)
{
	((struct kit *)arg)->discards += whole ? 100 : 1;
}

static int64_t
kit_time(void *arg)
{
	return (1795305325);
}

static const struct intake_ops kit_ops = {
	.new_msgid = kit_new_msgid,
	.submit = kit_submit,
	.credit = kit_credit,
	.result = kit_result,
	.accepted = kit_accepted,
	.wall = kit_time,
	.due = kit_time,
	.wake = kit_wake,
	.discarded = kit_discarded,
};

static inline void
kit_init(struct kit *k)
{
	memset(k, 0, sizeof(*k));
	k->tail = &k->head;
	intake_init(&k->in, &kit_ops, k, k, "mx.example.org", &k->memory);
}

/* The oldest operation ends; what it starts stands behind the others.  False if there was none. */
static inline int
kit_complete(struct kit *k, int err)
{
	struct store_op *op = k->head;

	if (op == NULL)
		return (0);
	if ((k->head = op->next) == NULL)
		k->tail = &k->head;
	op->err = err;
	op->done(op, err);
	return (1);
}

/* One frame, packed and handed in as the channel does. */
#define KIT_SEND(k, NAME, name, m) (__extension__ ({ \
	static uint8_t kit_buf[IPC_PAYLOAD_MAX]; \
	struct wr kit_w; \
	struct rd kit_r; \
	wr_init(&kit_w, kit_buf, sizeof(kit_buf)); \
	ipc_pack_##name(&kit_w, (m)); \
	KIT_CHECK(kit_w.err == E_OK); \
	rd_init(&kit_r, kit_buf, kit_w.len); \
	intake_frame(&(k)->in, IPC_##NAME, &kit_r); }))

static inline int
kit_begin(struct kit *k, uint32_t txn)
{
	static struct ipc_txn_begin m;

	memset(&m, 0, sizeof(m));
	m.txn = txn;
	m.session = 1;
	m.client.a[15] = 1;
	m.client_port = 25;
	m.protocol = PROTO_ESMTP;
	strncpy(m.helo, "client.example.net", sizeof(m.helo) - 1);
	strncpy(m.sender, "a@example.org", sizeof(m.sender) - 1);
	strncpy(m.listener, "mx", sizeof(m.listener) - 1);
	return (KIT_SEND(k, TXN_BEGIN, txn_begin, &m));
}

static inline int
kit_rcpt_to(struct kit *k, uint32_t txn, const char *to, uint8_t notify)
{
	static struct ipc_txn_rcpt m;

	memset(&m, 0, sizeof(m));
	m.txn = txn;
	m.notify = notify;
	strncpy(m.address, to, sizeof(m.address) - 1);
	return (KIT_SEND(k, TXN_RCPT, txn_rcpt, &m));
}

static inline int
kit_rcpt(struct kit *k, uint32_t txn)
{
	return (kit_rcpt_to(k, txn, "b@example.net", 0));
}

static inline int
kit_chunk(struct kit *k, uint32_t txn, size_t n)
{
	static const char octets[IPC_CHUNK_MAX] = "Subject: x\r\n\r\n";
	struct ipc_txn_chunk m = { .txn = txn, .data = { octets, n } };

	return (KIT_SEND(k, TXN_CHUNK, txn_chunk, &m));
}

static inline int
kit_commit(struct kit *k, uint32_t txn, uint32_t nrcpt, uint64_t len)
{
	struct ipc_txn_commit m = { .txn = txn, .nrcpt = nrcpt, .body_len = len };

	return (KIT_SEND(k, TXN_COMMIT, txn_commit, &m));
}

static inline int
kit_abort(struct kit *k, uint32_t txn)
{
	struct ipc_txn_abort m = { .txn = txn };

	return (KIT_SEND(k, TXN_ABORT, txn_abort, &m));
}

#endif
