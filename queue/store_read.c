/*
 * store_read.c -- reads, on the loop thread, each in its own short read transaction that is reset before
 * the call returns: a reader that stays would keep every page freed since from being used again.
 *
 * Every record is checked as if a stranger had written it (R17).  A damaged one is reported once and left where
 * it is; E_CORRUPT to who asked for it, marked in lists.
 */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "common/wire.h"
#include "queue/store_int.h"

#define SUM_LEN		8
#define TRASH_HEAD	8
#define AT_ONCE		8	/* recipients copied out per transaction */

static int
read_begin(struct store *s)
{
	int rc;

	pthread_rwlock_rdlock(&s->env_lock);
	rc = s->rtxn == NULL ? E_IO : store_err_mdb(mdb_txn_renew(s->rtxn));
	if (rc != E_OK)
		pthread_rwlock_unlock(&s->env_lock);
	return (rc);
}

static int
read_end(struct store *s, int rc)
{
	mdb_txn_reset(s->rtxn);
	pthread_rwlock_unlock(&s->env_lock);
	return (rc);
}

static void
report(struct store *s, const char *what, uint64_t msgid, uint32_t index)
{
	char id[MSGID_STRLEN];
	uint64_t mark;
	unsigned i;

	mark = XXH3_64bits_withSeed(what, strlen(what), msgid + index);
	for (i = 0; i < s->nreported; i++)
		if (s->reported[i] == mark)
			return;
	if (s->nreported < REPORTED_MAX)
		s->reported[s->nreported++] = mark;
	else
		s->reported[mark % REPORTED_MAX] = mark;
	log_warn("%s store: damaged %s record, number %u: set aside", msgid_str(msgid, id), what, index);
}

static int
get(struct store *s, enum store_table t, const struct key *key, MDB_val *v)
{
	MDB_val k;

	k.mv_data = (void *)(uintptr_t)key->p;
	k.mv_size = key->n;
	return (store_err_mdb(mdb_get(s->rtxn, s->dbi[t], &k, v)));
}

int
store_get_message(struct store *s, uint64_t msgid, struct message *m)
{
	struct key k;
	MDB_val v;
	int rc;

	if ((rc = read_begin(s)) != E_OK)
		return (rc);
	key_msgid(&k, msgid);
	if ((rc = get(s, T_MESSAGE, &k, &v)) == E_OK) {
		m->msgid = msgid;
		if ((rc = message_unpack(m, slice_make(v.mv_data, v.mv_size))) != E_OK)
			report(s, "message", msgid, 0);
	}
	return (read_end(s, rc));
}

/* What is left of a message that is being removed is not there. */
static int
is_there(struct store *s, uint64_t msgid)
{
	struct key k;
	MDB_val v;
	int rc;

	key_msgid(&k, msgid);
	if ((rc = get(s, T_MESSAGE, &k, &v)) == E_NOTFOUND)
		rc = get(s, T_TRASH, &k, &v);
	return (rc);
}

int
store_get_recipient(struct store *s, uint64_t msgid, uint32_t index, struct recipient *r)
{
	struct key k;
	MDB_val v;
	int rc;

	if ((rc = read_begin(s)) != E_OK)
		return (rc);
	key_part(&k, msgid, index);
	if ((rc = is_there(s, msgid)) == E_OK && (rc = get(s, T_RECIPIENT, &k, &v)) == E_OK) {
		r->index = index;
		if ((rc = recipient_unpack(r, slice_make(v.mv_data, v.mv_size))) != E_OK)
			report(s, "recipient", msgid, index);
	}
	return (read_end(s, rc));
}

/* Up to AT_ONCE recipients from index *from on. */
static int
some_recipients(struct store *s, uint64_t msgid, uint64_t *from, struct recipient *r, size_t *n)
{
	struct key key;
	MDB_cursor *c;
	MDB_val k, v;
	int rc;

	*n = 0;
	if ((rc = read_begin(s)) != E_OK)
		return (rc);
	if ((rc = is_there(s, msgid)) != E_OK ||
	    (rc = store_err_mdb(mdb_cursor_open(s->rtxn, s->dbi[T_RECIPIENT], &c))) != E_OK)
		return (read_end(s, rc));
	key_part(&key, msgid, (uint32_t)*from);
	k.mv_data = key.p;
	k.mv_size = key.n;
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0 && *n < AT_ONCE;
	    rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (k.mv_size != 12 || be64(k.mv_data) != msgid)
			break;
		r[*n].index = be32((const uint8_t *)k.mv_data + 8);
		*from = (uint64_t)r[*n].index + 1;
		if (recipient_unpack(&r[*n], slice_make(v.mv_data, v.mv_size)) == E_OK)
			++*n;
		else
			report(s, "recipient", msgid, r[*n].index);
	}
	mdb_cursor_close(c);
	return (read_end(s, rc == MDB_NOTFOUND ? E_OK : store_err_mdb(rc)));
}

int
store_each_recipient(struct store *s, uint64_t msgid, int (*fn)(void *, const struct recipient *), void *arg)
{
	struct recipient r[AT_ONCE];
	uint64_t from;
	size_t i, n;
	int rc;

	for (from = 0; from <= UINT32_MAX; ) {
		if ((rc = some_recipients(s, msgid, &from, r, &n)) != E_OK)
			return (rc);
		/* Outside the transaction: fn may read the store itself. */
		for (i = 0; i < n; i++)
			if (fn(arg, &r[i]) != 0)
				return (E_OK);
		if (n < AT_ONCE)
			break;
	}
	return (E_OK);
}

int
store_read_chunk(struct store *s, uint64_t msgid, uint32_t index, uint8_t *dst, uint32_t *len)
{
	struct slice data;
	struct key k;
	MDB_val v;
	int rc;

	if ((rc = read_begin(s)) != E_OK)
		return (rc);
	key_part(&k, msgid, index);
	if ((rc = get(s, T_BODY, &k, &v)) == E_OK) {
		if ((rc = body_chunk_check(slice_make(v.mv_data, v.mv_size), &data)) == E_OK) {
			memcpy(dst, data.p, data.n);
			*len = (uint32_t)data.n;
		} else
			report(s, "body", msgid, index);
	}
	return (read_end(s, rc));
}

int
store_get_meta(struct store *s, const char *name, uint64_t *value)
{
	struct key k;
	MDB_val v;
	int rc;

	k.n = strlen(name);
	if (k.n == 0 || k.n > sizeof(k.p))
		return (E_RANGE);
	memcpy(k.p, name, k.n);
	if ((rc = read_begin(s)) != E_OK)
		return (rc);
	if ((rc = get(s, T_META, &k, &v)) == E_OK && (rc = meta_value_unpack(&v, value)) != E_OK)
		report(s, "meta", 0, 0);
	return (read_end(s, rc));
}

/* A scan of a table whose keys end in msgid and index; fn takes a key, or says with 0 that it is not one of ours. */
static int
scan(struct store *s, enum store_table t, const struct key *from, int inclusive,
    int (*fn)(const struct key *, const MDB_val *, struct store_due *), struct store_due *out, size_t max, size_t *n)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc;

	*n = 0;
	if ((rc = read_begin(s)) != E_OK)
		return (rc);
	if ((rc = store_err_mdb(mdb_cursor_open(s->rtxn, s->dbi[t], &c))) != E_OK)
		return (read_end(s, rc));
	k.mv_data = (void *)(uintptr_t)from->p;
	k.mv_size = from->n;
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (rc == 0 && !inclusive && k.mv_size == from->n && memcmp(k.mv_data, from->p, from->n) == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	for (; rc == 0 && *n < max; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (!fn(from, &k, &out[*n]))
			break;
		++*n;
	}
	mdb_cursor_close(c);
	return (read_end(s, rc == MDB_NOTFOUND ? E_OK : store_err_mdb(rc)));
}

static int
due_of_key(const struct key *from, const MDB_val *k, struct store_due *d)
{
	const uint8_t *p;

	(void)from;
	p = k->mv_data;
	if (k->mv_size != 20)
		return (0);
	d->when = (int64_t)be64(p);
	d->msgid = be64(p + 8);
	d->index = be32(p + 16);
	return (1);
}

int
store_due(struct store *s, const struct store_due *after, struct store_due *out, size_t max, size_t *n)
{
	struct key from;

	if (after != NULL)
		key_due(&from, after->when, after->msgid, after->index);
	else
		key_due(&from, 0, 0, 0);
	return (scan(s, T_DUE, &from, after == NULL, due_of_key, out, max, n));
}

static int
due_of_domain(const struct key *from, const MDB_val *k, struct store_due *d)
{
	const uint8_t *p;

	p = k->mv_data;
	if (k->mv_size != from->n || memcmp(p, from->p, from->n - 12) != 0)
		return (0);
	d->when = 0;
	d->msgid = be64(p + from->n - 12);
	d->index = be32(p + from->n - 4);
	return (1);
}

int
store_domain(struct store *s, const char *domain, const struct store_due *after, struct store_due *out, size_t max,
    size_t *n)
{
	struct key from;

	if (after != NULL)
		key_domain(&from, domain, after->msgid, after->index);
	else
		key_domain(&from, domain, 0, 0);
	return (scan(s, T_DOMAIN, &from, after == NULL, due_of_domain, out, max, n));
}

int
store_next_domain(struct store *s, const char *after, char *dst)
{
	MDB_cursor *c;
	MDB_val k, v;
	struct key from;
	size_t n;
	int rc;

	/* Keys are the name, a NUL, msgid and index: behind all of them stands the name with a 1. */
	n = strnlen(after, DOMAIN_MAX);
	memcpy(from.p, after, n);
	from.p[n] = 1;
	from.n = n + 1;
	if ((rc = read_begin(s)) != E_OK)
		return (rc);
	if ((rc = store_err_mdb(mdb_cursor_open(s->rtxn, s->dbi[T_DOMAIN], &c))) != E_OK)
		return (read_end(s, rc));
	k.mv_data = from.p;
	k.mv_size = from.n;
	rc = store_err_mdb(mdb_cursor_get(c, &k, &v, MDB_SET_RANGE));
	if (rc == E_OK) {
		if (k.mv_size < 13 || k.mv_size - 13 > DOMAIN_MAX)
			rc = E_CORRUPT;
		else {
			memcpy(dst, k.mv_data, k.mv_size - 13);
			dst[k.mv_size - 13] = '\0';
			/* A bare postmaster's domain is "", which stands in front of all. */
			if (strlen(dst) != k.mv_size - 13)
				rc = E_CORRUPT;
		}
	}
	mdb_cursor_close(c);
	return (read_end(s, rc));
}

int
store_list(struct store *s, uint64_t after, int trash, struct message *out, size_t max, size_t *n)
{
	struct key from;
	struct slice value;
	MDB_cursor *c;
	MDB_val k, v;
	int rc;

	*n = 0;
	if (after == UINT64_MAX)
		return (E_OK);
	if ((rc = read_begin(s)) != E_OK)
		return (rc);
	if ((rc = store_err_mdb(mdb_cursor_open(s->rtxn, s->dbi[trash ? T_TRASH : T_MESSAGE], &c))) != E_OK)
		return (read_end(s, rc));
	key_msgid(&from, after + 1);
	k.mv_data = from.p;
	k.mv_size = from.n;
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0 && *n < max;
	    rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (k.mv_size != 8)
			continue;
		out[*n].msgid = be64(k.mv_data);
		value = slice_make(v.mv_data, v.mv_size);
		if (trash) {
			if (value.n < TRASH_HEAD)
				value.n = 0;
			else {
				value.p += TRASH_HEAD;
				value.n -= TRASH_HEAD;
			}
		}
		if (message_unpack(&out[*n], value) != E_OK) {
			report(s, "message", out[*n].msgid, 0);
			memset(&out[*n], 0, sizeof(out[*n]));
			out[*n].msgid = be64(k.mv_data);
			out[*n].flags = MSGF_DAMAGED;
		}
		++*n;
	}
	mdb_cursor_close(c);
	return (read_end(s, rc == MDB_NOTFOUND ? E_OK : store_err_mdb(rc)));
}

int
store_get_dialogue(struct store *s, uint64_t msgid, char *dst, size_t size, size_t *len)
{
	const char *p;
	struct key k;
	struct rd r;
	MDB_val v;
	size_t n;
	int rc;

	if ((rc = read_begin(s)) != E_OK)
		return (rc);
	key_msgid(&k, msgid);
	if ((rc = get(s, T_DIALOGUE, &k, &v)) == E_OK) {
		rd_init(&r, v.mv_data, v.mv_size);
		n = v.mv_size < SUM_LEN ? 0 : v.mv_size - SUM_LEN;
		p = (const char *)v.mv_data + SUM_LEN;
		if (n == 0 || n > DIALOGUE_MAX || rd_u64(&r) != XXH3_64bits(p, n)) {
			report(s, "dialogue", msgid, 0);
			rc = E_CORRUPT;
		} else if (n > size)
			rc = E_LIMIT;
		else {
			memcpy(dst, p, n);
			*len = n;
		}
	}
	return (read_end(s, rc));
}
