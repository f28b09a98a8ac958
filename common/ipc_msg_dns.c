/*
 * ipc_msg_dns.c -- payloads between smtpd or deliver and resolver (see ipc_msg.h).
 *
 * Core: no input or output.
 */
#include "common/ipc_pack.h"

void
ipc_pack_dns_query(struct wr *w, const struct ipc_dns_query *m)
{
	wr_u32(w, m->id);
	wr_u8(w, m->type);
	wr_u32(w, m->timeout_ms);
	wr_str(w, m->name);
}

int
ipc_unpack_dns_query(struct rd *r, struct ipc_dns_query *m)
{
	m->id = rd_u32(r);
	m->type = rd_u8max(r, DNS_TYPES - 1);
	m->timeout_ms = rd_u32(r);
	ipc_rd_str1(r, m->name, sizeof(m->name));
	return (rd_end(r));
}

static void
pack_record(struct wr *w, uint8_t type, const struct dns_record *rec)
{
	switch (type) {
	case DNS_ADDR:
		ipc_wr_addr(w, &rec->addr);
		break;
	case DNS_MX:
		wr_u16(w, rec->mx.pref);
		wr_str(w, rec->mx.host);
		break;
	case DNS_PTR:
	case DNS_CNAME:
		wr_str(w, rec->ptr.host);
		break;
	case DNS_TXT:
		wr_u16(w, rec->txt.len);
		wr_raw(w, rec->txt.data, rec->txt.len);
		break;
	case DNS_TLSA:
		wr_u8(w, rec->tlsa.usage);
		wr_u8(w, rec->tlsa.selector);
		wr_u8(w, rec->tlsa.matching);
		wr_u16(w, rec->tlsa.len);
		wr_raw(w, rec->tlsa.data, rec->tlsa.len);
		break;
	}
}

/* u16 length and that many octets into dst[size]. */
static uint16_t
unpack_data(struct rd *r, uint8_t *dst, size_t size)
{
	uint16_t len = rd_u16(r);

	if (len > size || len > r->len) {
		rd_fail(r);
		return (0);
	}
	rd_raw(r, dst, len);
	return (len);
}

static void
unpack_record(struct rd *r, uint8_t type, struct dns_record *rec)
{
	switch (type) {
	case DNS_ADDR:
		ipc_rd_addr(r, &rec->addr);
		break;
	case DNS_MX:
		rec->mx.pref = rd_u16(r);
		rd_str(r, rec->mx.host, sizeof(rec->mx.host));
		break;
	case DNS_PTR:
	case DNS_CNAME:
		ipc_rd_str1(r, rec->ptr.host, sizeof(rec->ptr.host));
		break;
	case DNS_TXT:
		rec->txt.len = unpack_data(r, rec->txt.data, sizeof(rec->txt.data));
		break;
	case DNS_TLSA:
		rec->tlsa.usage = rd_u8(r);
		rec->tlsa.selector = rd_u8(r);
		rec->tlsa.matching = rd_u8(r);
		rec->tlsa.len = unpack_data(r, rec->tlsa.data, sizeof(rec->tlsa.data));
		break;
	}
}

void
ipc_pack_dns_answer(struct wr *w, const struct ipc_dns_answer *m)
{
	uint16_t i;

	wr_u32(w, m->id);
	wr_u8(w, m->type);
	wr_u8(w, m->status);
	wr_u8(w, m->secure);
	wr_u32(w, m->ttl);
	wr_str(w, m->canonical);
	wr_str(w, m->reason);
	wr_u16(w, m->nrec);
	for (i = 0; i < m->nrec; i++)
		pack_record(w, m->type, &m->rec[i]);
}

int
ipc_unpack_dns_answer(struct rd *r, struct ipc_dns_answer *m)
{
	uint16_t i;

	m->id = rd_u32(r);
	m->type = rd_u8max(r, DNS_TYPES - 1);
	m->status = rd_u8max(r, DNS_STATUSES - 1);
	m->secure = rd_u8max(r, 1);
	m->ttl = rd_u32(r);
	rd_str(r, m->canonical, sizeof(m->canonical));
	rd_str(r, m->reason, sizeof(m->reason));
	m->nrec = ipc_rd_u16range(r, 0, DNS_RECORDS_MAX);
	/* Records come with DNS_OK, and only then. */
	if ((m->status == DNS_OK) != (m->nrec != 0))
		rd_fail(r);
	for (i = 0; r->err == E_OK && i < m->nrec; i++)
		unpack_record(r, m->type, &m->rec[i]);
	return (rd_end(r));
}
