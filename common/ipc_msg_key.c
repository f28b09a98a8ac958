/*
 * ipc_msg_key.c -- payloads to and from keys (see ipc_msg.h).
 *
 * Core: no input or output.
 */
#include "common/ipc_pack.h"

void
ipc_pack_key(struct wr *w, const struct ipc_key *m)
{
	wr_u64(w, m->generation);
	wr_u16(w, m->index);
}

int
ipc_unpack_key(struct rd *r, struct ipc_key *m)
{
	m->generation = rd_u64(r);
	m->index = ipc_rd_u16range(r, 0, CERTS_MAX - 1);
	return (rd_end(r));
}

void
ipc_pack_sign(struct wr *w, const struct ipc_sign *m)
{
	wr_u32(w, m->id);
	wr_u64(w, m->generation);
	wr_u16(w, m->key);
	wr_u16(w, m->scheme);
	wr_bytes(w, m->tbs.p, m->tbs.n);
}

int
ipc_unpack_sign(struct rd *r, struct ipc_sign *m)
{
	m->id = rd_u32(r);
	m->generation = rd_u64(r);
	m->key = ipc_rd_u16range(r, 0, CERTS_MAX - 1);
	m->scheme = rd_u16(r);
	m->tbs = rd_bytes(r, TBS_MAX);
	if (m->tbs.n == 0)
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_signed(struct wr *w, const struct ipc_signed *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->status);
	wr_bytes(w, m->signature.p, m->signature.n);
}

int
ipc_unpack_signed(struct rd *r, struct ipc_signed *m)
{
	m->id = rd_u32(r);
	m->status = rd_u8max(r, SIGN_STATUSES - 1);
	m->signature = rd_bytes(r, SIGNATURE_MAX);
	if ((m->status == SIGN_DONE) != (m->signature.n != 0))
		rd_fail(r);
	return (rd_end(r));
}

void
ipc_pack_ticket_keys(struct wr *w, const struct ipc_ticket_keys *m)
{
	uint8_t i;

	wr_u8(w, m->n);
	for (i = 0; i < m->n && i < TICKET_KEYS_MAX; i++) {
		wr_raw(w, m->key[i].name, sizeof(m->key[i].name));
		wr_raw(w, m->key[i].aes, sizeof(m->key[i].aes));
		wr_raw(w, m->key[i].hmac, sizeof(m->key[i].hmac));
	}
}

int
ipc_unpack_ticket_keys(struct rd *r, struct ipc_ticket_keys *m)
{
	uint8_t i;

	m->n = rd_u8max(r, TICKET_KEYS_MAX);
	for (i = 0; i < m->n; i++) {
		rd_raw(r, m->key[i].name, sizeof(m->key[i].name));
		rd_raw(r, m->key[i].aes, sizeof(m->key[i].aes));
		rd_raw(r, m->key[i].hmac, sizeof(m->key[i].hmac));
	}
	return (rd_end(r));
}
