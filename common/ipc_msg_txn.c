/*
 * ipc_msg_txn.c -- payloads between smtpd and queue, and pickup's to smtpd (see ipc_msg.h).
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
	wr_u8(w, m->protocol);
	wr_u8(w, m->body);
	wr_u64(w, m->size_hint);
	wr_str(w, m->helo);
	wr_str(w, m->name);
	wr_str(w, m->sender);
	wr_str(w, m->listener);
	wr_u8(w, m->utf8);
	wr_u8(w, m->ret);
	wr_u8(w, m->by_mode);
	wr_u8(w, m->by_trace);
	wr_u8(w, m->prioritized);
	wr_u8(w, (uint8_t)m->priority);
	wr_u8(w, m->hold);
	wr_u8(w, m->local);
	wr_u32(w, m->uid);
	wr_u32(w, (uint32_t)m->by_s);
	wr_u64(w, (uint64_t)m->hold_until);
	wr_str(w, m->envid);
	wr_str(w, m->login);
	wr_str(w, m->origin);
	wr_u8(w, m->tls);
	wr_str(w, m->tls_text);
}

int
ipc_unpack_txn_begin(struct rd *r, struct ipc_txn_begin *m)
{
	m->txn = rd_u32(r);
	m->session = rd_u64(r);
	ipc_rd_addr(r, &m->client);
	m->client_port = rd_u16(r);
	m->protocol = rd_u8max(r, PROTOCOLS - 1);
	m->body = rd_u8max(r, BODY_KINDS - 1);
	m->size_hint = ipc_rd_u64max(r, MESSAGE_SIZE_MAX);
	rd_str(r, m->helo, sizeof(m->helo));
	rd_str(r, m->name, sizeof(m->name));
	rd_str(r, m->sender, sizeof(m->sender));
	rd_str(r, m->listener, sizeof(m->listener));
	m->utf8 = rd_u8max(r, 1);
	m->ret = rd_u8max(r, RETS - 1);
	m->by_mode = rd_u8max(r, BY_MODES - 1);
	m->by_trace = rd_u8max(r, 1);
	m->prioritized = rd_u8max(r, 1);
	m->priority = ipc_rd_priority(r);
	m->hold = rd_u8max(r, 1);
	m->local = rd_u8max(r, 1);
	m->uid = rd_u32(r);
	m->by_s = (int32_t)rd_u32(r);
	m->hold_until = ipc_rd_time(r);
	rd_str(r, m->envid, sizeof(m->envid));
	rd_str(r, m->login, sizeof(m->login));
	rd_str(r, m->origin, sizeof(m->origin));
	m->tls = rd_u8max(r, 1);
	rd_str(r, m->tls_text, sizeof(m->tls_text));
	if (m->by_s < -BY_MAX_S || m->by_s > BY_MAX_S || (m->by_mode == BY_RETURN && m->by_s <= 0) ||
	    (m->by_mode != BY_NONE && m->hold_until != 0))
		rd_fail(r);		/* RFC 2852 4: R needs a time ahead; RFC 4865 4.3: never both */
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
	wr_u8(w, m->header8);
}

int
ipc_unpack_txn_commit(struct rd *r, struct ipc_txn_commit *m)
{
	m->txn = rd_u32(r);
	m->nrcpt = ipc_rd_u32range(r, 1, RCPT_MAX);
	m->body_len = ipc_rd_u64max(r, MESSAGE_SIZE_MAX);
	m->hops = rd_u8max(r, HOPS_MAX);
	m->header8 = rd_u8max(r, 1);
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

void
ipc_pack_verify(struct wr *w, const struct ipc_verify *m)
{
	wr_u32(w, m->id);
	wr_str(w, m->address);
}

int
ipc_unpack_verify(struct rd *r, struct ipc_verify *m)
{
	m->id = rd_u32(r);
	ipc_rd_str1(r, m->address, sizeof(m->address));
	return (rd_end(r));
}

void
ipc_pack_verify_result(struct wr *w, const struct ipc_verify_result *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->status);
	wr_u16(w, m->code);
	ipc_wr_enhanced(w, &m->enhanced);
	wr_str(w, m->text);
}

int
ipc_unpack_verify_result(struct rd *r, struct ipc_verify_result *m)
{
	m->id = rd_u32(r);
	m->status = rd_u8max(r, VERIFY_STATUSES - 1);
	m->code = ipc_rd_code(r);
	ipc_rd_enhanced(r, &m->enhanced, 1);
	rd_str(r, m->text, sizeof(m->text));
	return (rd_end(r));
}

void
ipc_pack_etrn(struct wr *w, const struct ipc_etrn *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->kind);
	wr_str(w, m->name);
}

int
ipc_unpack_etrn(struct rd *r, struct ipc_etrn *m)
{
	m->id = rd_u32(r);
	m->kind = rd_u8max(r, ETRN_KINDS - 1);
	ipc_rd_str1(r, m->name, sizeof(m->name));
	return (rd_end(r));
}

void
ipc_pack_etrn_result(struct wr *w, const struct ipc_etrn_result *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->status);
	wr_u32(w, m->count);
}

int
ipc_unpack_etrn_result(struct rd *r, struct ipc_etrn_result *m)
{
	m->id = rd_u32(r);
	m->status = rd_u8max(r, ETRN_STATUSES - 1);
	m->count = rd_u32(r);
	return (rd_end(r));
}

void
ipc_pack_submit(struct wr *w, const struct ipc_submit *m)
{
	wr_u32(w, m->uid);
}

int
ipc_unpack_submit(struct rd *r, struct ipc_submit *m)
{
	m->uid = rd_u32(r);
	return (rd_end(r));
}
