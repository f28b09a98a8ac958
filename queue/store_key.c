/*
 * store_key.c -- keys, numbers and codes of the store's tables.  All numbers in keys are big-endian, so that
 * the order of the octets is the order of time.
 */
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/err.h"
#include "common/wire.h"
#include "queue/store_int.h"

#define META_VALUE_LEN	16

uint64_t
be64(const void *v)
{
	uint64_t n;

	memcpy(&n, v, sizeof(n));
	return (be64toh(n));
}

uint32_t
be32(const void *v)
{
	uint32_t n;

	memcpy(&n, v, sizeof(n));
	return (be32toh(n));
}

void
put_be64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

static void
put_be32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

void
key_msgid(struct key *k, uint64_t msgid)
{
	put_be64(k->p, msgid);
	k->n = 8;
}

void
key_part(struct key *k, uint64_t msgid, uint32_t index)
{
	put_be64(k->p, msgid);
	put_be32(k->p + 8, index);
	k->n = 12;
}

void
key_due(struct key *k, int64_t when, uint64_t msgid, uint32_t index)
{
	put_be64(k->p, (uint64_t)when);
	put_be64(k->p + 8, msgid);
	put_be32(k->p + 16, index);
	k->n = 20;
}

void
key_domain(struct key *k, const char *domain, uint64_t msgid, uint32_t index)
{
	size_t n;

	n = strnlen(domain, DOMAIN_MAX);
	memcpy(k->p, domain, n);
	k->p[n] = '\0';
	put_be64(k->p + n + 1, msgid);
	put_be32(k->p + n + 9, index);
	k->n = n + 13;
}

void
key_mark(struct key *k, uint8_t kind, uint64_t msgid)
{
	k->p[0] = kind;
	put_be64(k->p + 1, msgid);
	k->n = 9;
}

void
key_mark_trash(struct key *k, int64_t when, uint64_t msgid)
{
	k->p[0] = MARK_TRASH;
	put_be64(k->p + 1, (uint64_t)when);
	put_be64(k->p + 9, msgid);
	k->n = 17;
}

size_t
meta_value_pack(uint8_t *p, uint64_t value)
{
	struct wr w;

	wr_init(&w, p, META_VALUE_LEN);
	wr_u64(&w, value);
	wr_u64(&w, XXH3_64bits(p, sizeof(value)));
	return (w.len);
}

int
meta_value_unpack(const MDB_val *v, uint64_t *value)
{
	struct rd r;

	if (v->mv_size != META_VALUE_LEN)
		return (E_CORRUPT);
	rd_init(&r, v->mv_data, v->mv_size);
	*value = rd_u64(&r);
	if (rd_u64(&r) != XXH3_64bits(v->mv_data, sizeof(*value)))
		return (E_CORRUPT);
	return (E_OK);
}

int
store_err_mdb(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return (E_OK);
	case MDB_NOTFOUND:
		return (E_NOTFOUND);
	case MDB_KEYEXIST:
		return (E_EXISTS);
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return (E_FULL);
	case ENOMEM:
		return (E_NOMEM);
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INCOMPATIBLE:
		return (E_CORRUPT);
	case EACCES:
	case EPERM:
	case EROFS:
		return (E_DENIED);
	case EAGAIN:
	case EBUSY:
		return (E_BUSY);
	default:
		return (E_IO);
	}
}

/*
 * Due holds those recipients for which there is something to do, an attempt or a notice, unless their message
 * is held; domain those that may still be tried.
 */
int
is_indexed(const struct message *m, const struct recipient *r)
{
	return (!rcpt_is_ended(r) && (m->flags & MSGF_HELD) == 0);
}
