/*
 * record.c -- the store's records as bytes.  Core: values in, octets out.
 *
 * A packed record is one octet of version, the fields little-endian, and the XXH3 of all before it, so that
 * a page that the disk gave back altered, or that belongs to something else, is found on reading (R17, F7).
 */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/err.h"
#include "common/wire.h"
#include "queue/body.h"
#include "queue/record.h"

#define MESSAGE_VERSION		2	/* 1: ends behind ret */
#define RECIPIENT_VERSION	2	/* 1: ends behind text */
#define SUM_LEN			8	/* XXH3, 64 bits */
#define MSGF_V1			(MSGF_BODY8 | MSGF_HELD | MSGF_NOTICE | MSGF_DELAY_SENT | MSGF_DONE | MSGF_ESMTP)
#define MSGF_ALL		(MSGF_V1 | MSGF_UTF8 | MSGF_HEADER8 | MSGF_BY_TRACE | MSGF_PRIORITIZED | MSGF_LMTP | \
				MSGF_LOCAL | MSGF_BY_SENT | MSGF_HELD_RULE | MSGF_HELD_DAMAGED)
#define NOTIFY_ALL		(NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY)
#define CODE_MAX		999	/* three digits */
#define CLASS_MAX		9
#define DETAIL_MAX		999	/* RFC 3463 2 */

/* The checksum behind what was written; the whole length.  A record that did not fit would be a fault of
 * RECORD_MAX, which is larger than all fields at their longest. */
static size_t
seal(struct wr *w)
{
	uint64_t sum;

	sum = XXH3_64bits(w->p, w->len);
	wr_u64(w, sum);
	return (w->err == E_OK ? w->len : 0);
}

/* A reader of the fields of one record of a version from 1 to newest, or E_CORRUPT. */
static int
unseal(struct rd *r, struct slice in, uint8_t newest, uint8_t *version)
{
	struct rd tail;

	if (in.n < 1 + SUM_LEN || in.n > RECORD_MAX)
		return (E_CORRUPT);
	rd_init(&tail, in.p + in.n - SUM_LEN, SUM_LEN);
	if (rd_u64(&tail) != XXH3_64bits(in.p, in.n - SUM_LEN))
		return (E_CORRUPT);
	rd_init(r, in.p, in.n - SUM_LEN);
	*version = rd_u8(r);
	return (*version >= 1 && *version <= newest ? E_OK : E_CORRUPT);
}

size_t
message_pack(const struct message *m, uint8_t *dst)
{
	struct wr w;

	wr_init(&w, dst, RECORD_MAX);
	wr_u8(&w, MESSAGE_VERSION);
	wr_u64(&w, (uint64_t)m->arrival);
	wr_u64(&w, m->body_len);
	wr_u32(&w, m->nchunk);
	wr_u32(&w, m->nrcpt);
	wr_u32(&w, m->ndone);
	wr_u32(&w, m->flags);
	wr_raw(&w, m->client.a, sizeof(m->client.a));
	wr_str(&w, m->helo);
	wr_str(&w, m->client_name);
	wr_str(&w, m->sender);
	wr_str(&w, m->envid);
	wr_u8(&w, m->ret);
	wr_u8(&w, m->body);
	wr_u8(&w, m->by_mode);
	wr_u8(&w, (uint8_t)(m->priority + PRIORITY_MAX));
	wr_u32(&w, m->uid);
	wr_u64(&w, (uint64_t)m->by_time);
	wr_u64(&w, (uint64_t)m->hold_until);
	wr_str(&w, m->login);
	return (seal(&w));
}

int
message_unpack(struct message *m, struct slice in)
{
	struct rd r;
	uint8_t version;

	if (unseal(&r, in, MESSAGE_VERSION, &version) != E_OK)
		return (E_CORRUPT);
	m->arrival = (int64_t)rd_u64(&r);
	m->body_len = rd_u64(&r);
	m->nchunk = rd_u32(&r);
	m->nrcpt = rd_u32(&r);
	m->ndone = rd_u32(&r);
	m->flags = rd_u32(&r);
	rd_raw(&r, m->client.a, sizeof(m->client.a));
	rd_str(&r, m->helo, sizeof(m->helo));
	rd_str(&r, m->client_name, sizeof(m->client_name));
	rd_str(&r, m->sender, sizeof(m->sender));
	rd_str(&r, m->envid, sizeof(m->envid));
	m->ret = rd_u8max(&r, RETS - 1);
	if (version > 1) {
		m->body = rd_u8max(&r, BODY_KINDS - 1);
		m->by_mode = rd_u8max(&r, BY_MODES - 1);
		m->priority = (int8_t)(rd_u8max(&r, 2 * PRIORITY_MAX) - PRIORITY_MAX);
		m->uid = rd_u32(&r);
		m->by_time = (int64_t)rd_u64(&r);
		m->hold_until = (int64_t)rd_u64(&r);
		rd_str(&r, m->login, sizeof(m->login));
	} else {
		m->body = (m->flags & MSGF_BODY8) != 0 ? BODY_8BIT : BODY_7BIT;
		m->by_mode = BY_NONE;
		m->priority = 0;
		m->uid = 0;
		m->by_time = m->hold_until = 0;
		m->login[0] = '\0';
	}
	if (m->ndone > m->nrcpt || m->arrival < 0 || m->by_time < 0 || m->hold_until < 0 ||
	    (m->flags & ~(uint32_t)(version > 1 ? MSGF_ALL : MSGF_V1)) != 0)
		rd_fail(&r);
	/* All blocks but the last are full, so that the number follows from the length. */
	if (m->nchunk != m->body_len / BODY_CHUNK + (m->body_len % BODY_CHUNK != 0))
		rd_fail(&r);
	return (rd_end(&r) == E_OK ? E_OK : E_CORRUPT);
}

size_t
recipient_pack(const struct recipient *p, uint8_t *dst)
{
	struct wr w;

	wr_init(&w, dst, RECORD_MAX);
	wr_u8(&w, RECIPIENT_VERSION);
	wr_u8(&w, p->state);
	wr_u8(&w, p->notify);
	wr_u8(&w, p->noticed);
	wr_u32(&w, p->attempts);
	wr_u64(&w, (uint64_t)p->last);
	wr_u64(&w, (uint64_t)p->next);
	wr_u16(&w, p->code);
	wr_u8(&w, p->enhanced.cls);
	wr_u16(&w, p->enhanced.subject);
	wr_u16(&w, p->enhanced.detail);
	wr_u8(&w, p->stage);
	wr_str(&w, p->address);
	wr_str(&w, p->orcpt);
	wr_str(&w, p->relay);
	wr_str(&w, p->text);
	wr_str(&w, p->sender);
	wr_str(&w, p->alias);
	wr_u8(&w, p->owned);
	wr_u8(&w, p->owed);
	return (seal(&w));
}

int
recipient_unpack(struct recipient *p, struct slice in)
{
	struct rd r;
	uint8_t version;

	if (unseal(&r, in, RECIPIENT_VERSION, &version) != E_OK)
		return (E_CORRUPT);
	p->state = rd_u8max(&r, RCPT_STATES - 1);
	p->notify = rd_u8max(&r, NOTIFY_ALL);
	p->noticed = rd_u8max(&r, RCPT_STATES - 1);
	p->attempts = rd_u32(&r);
	p->last = (int64_t)rd_u64(&r);
	p->next = (int64_t)rd_u64(&r);
	p->code = rd_u16(&r);
	p->enhanced.cls = rd_u8max(&r, CLASS_MAX);
	p->enhanced.subject = rd_u16(&r);
	p->enhanced.detail = rd_u16(&r);
	p->stage = rd_u8max(&r, STAGES - 1);
	rd_str(&r, p->address, sizeof(p->address));
	rd_str(&r, p->orcpt, sizeof(p->orcpt));
	rd_str(&r, p->relay, sizeof(p->relay));
	rd_str(&r, p->text, sizeof(p->text));
	p->sender[0] = p->alias[0] = '\0';
	p->owned = p->owed = 0;
	if (version > 1) {
		rd_str(&r, p->sender, sizeof(p->sender));
		rd_str(&r, p->alias, sizeof(p->alias));
		p->owned = rd_u8max(&r, 1);
		p->owed = rd_u8max(&r, OWED_KINDS - 1);
	}
	if ((p->owed != OWED_NONE && p->state != (p->owed == OWED_FAILED ? RCPT_FAILED : RCPT_DELIVERED)) ||
	    (!p->owned && p->sender[0] != '\0'))
		rd_fail(&r);
	if (p->state == RCPT_ACTIVE || p->code > CODE_MAX || p->last < 0 || p->next < 0 ||
	    p->enhanced.subject > DETAIL_MAX || p->enhanced.detail > DETAIL_MAX)
		rd_fail(&r);
	return (rd_end(&r) == E_OK ? E_OK : E_CORRUPT);
}

const char *
recipient_domain(const struct recipient *p)
{
	const char *at;

	/* Addresses are canonical (addr.h): the domain is in lower case and holds no "@", a quoted local part may. */
	at = strrchr(p->address, '@');
	return (at != NULL ? at + 1 : "");
}
