/*
 * ipc_msg_txn.c -- payloads between smtpd and queue (see ipc_msg.h).
 *
 * Core: no input or output.
 */
#include "common/ipc_pack.h"

#define NOTIFY_ALL	(NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY)

void
ipc_pack_txn_begin(struct wr *w, const struct ipc_txn_begin *m)
{
	wr_u32(w, m->txn);
	wr_u64(w, m->session);
	ipc_wr_addr(w, &m->client);
	wr_u16(w, m->client_port);
	wr_u8(w, m->esmtp);
	wr_u8(w, m->body8);
	wr_u64(w, m->size_hint);
	wr_str(w, m->helo);
	wr_str(w, m->name);
	wr_str(w, m->sender);
	wr_str(w, m->listener);
}

int
ipc_unpack_txn_begin(struct rd *r, struct ipc_txn_begin *m)
{
	m->txn = rd_u32(r);
	m->session = rd_u64(r);
	ipc_rd_addr(r, &m->client);
	m->client_port = rd_u16(r);
	m->esmtp = rd_u8max(r, 1);
	m->body8 = rd_u8max(r, 1);
	m->size_hint = ipc_rd_u64max(r, MESSAGE_SIZE_MAX);
	rd_str(r, m->helo, sizeof(m->helo));
	rd_str(r, m->name, sizeof(m->name));
	rd_str(r, m->sender, sizeof(m->sender));
	rd_str(r, m->listener, sizeof(m->listener));
	return (rd_end(r));
}

void
ipc_pack_txn_rcpt(struct wr *w, const struct ipc_txn_rcpt *m)
{
	wr_u32(w, m->txn);
	wr_u8(w, m->notify);
	wr_str(w, m->address);
	wr_str(w, m->orcpt);
}

int
ipc_unpack_txn_rcpt(struct rd *r, struct ipc_txn_rcpt *m)
{
	m->txn = rd_u32(r);
	m->notify = rd_u8max(r, NOTIFY_ALL);
	if ((m->notify & NOTIFY_NEVER) != 0 && m->notify != NOTIFY_NEVER)
		rd_fail(r);		/* RFC 3461 4.1: NEVER stands alone */
	ipc_rd_str1(r, m->address, sizeof(m->address));
	rd_str(r, m->orcpt, sizeof(m->orcpt));
	return (rd_end(r));
}

void
ipc_pack_txn_chunk(struct wr *w, const struct ipc_txn_chunk *m)
{
	wr_u32(w, m->txn);
	wr_bytes(w, m->data.p, m->data.n);
}

int
ipc_unpack_txn_chunk(struct rd *r, struct ipc_txn_chunk *m)
{
	m->txn = rd_u32(r);
	m->data = rd_bytes(r, IPC_CHUNK_MAX);
	if (m->data.n == 0)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_txn_commit(struct wr *w, const struct ipc_txn_commit *m)
{
	wr_u32(w, m->txn);
	wr_u32(w, m->nrcpt);
	wr_u64(w, m->body_len);		/* octets sent in chunks */
	wr_u8(w, m->hops);
}

int
ipc_unpack_txn_commit(struct rd *r, struct ipc_txn_commit *m)
{
	m->txn = rd_u32(r);
	m->nrcpt = ipc_rd_u32range(r, 1, RCPT_MAX);
	m->body_len = ipc_rd_u64max(r, MESSAGE_SIZE_MAX);
	m->hops = rd_u8max(r, HOPS_MAX);
	return (rd_end(r));
}

void
ipc_pack_txn_abort(struct wr *w, const struct ipc_txn_abort *m)
{
	wr_u32(w, m->txn);
}

int
ipc_unpack_txn_abort(struct rd *r, struct ipc_txn_abort *m)
{
	m->txn = rd_u32(r);
	return (rd_end(r));
}

void
ipc_pack_txn_credit(struct wr *w, const struct ipc_txn_credit *m)
{
	wr_u32(w, m->txn);
	wr_u32(w, m->octets);
}

int
ipc_unpack_txn_credit(struct rd *r, struct ipc_txn_credit *m)
{
	m->txn = rd_u32(r);
	m->octets = ipc_rd_u32range(r, 1, TXN_WINDOW);	/* no more than can have been sent */
	return (rd_end(r));
}

void
ipc_pack_txn_result(struct wr *w, const struct ipc_txn_result *m)
{
	wr_u32(w, m->txn);
	wr_u8(w, m->status);
	wr_u64(w, m->msgid);
}

int
ipc_unpack_txn_result(struct rd *r, struct ipc_txn_result *m)
{
	m->txn = rd_u32(r);
	m->status = rd_u8max(r, TXN_STATUSES - 1);
	m->msgid = rd_u64(r);
	if (m->status == TXN_DURABLE && m->msgid == 0)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_pressure(struct wr *w, const struct ipc_pressure *m)
{
	wr_u8(w, m->state);
}

int
ipc_unpack_pressure(struct rd *r, struct ipc_pressure *m)
{
	m->state = rd_u8max(r, PRESSURES - 1);
	return (rd_end(r));
}
