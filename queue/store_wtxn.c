/*
 * store_wtxn.c -- one write transaction: begin, cursors, put, delete, commit.  Store thread (and store_open()).
 *
 * A cursor per table is opened at its first use and lives until the commit.  Nothing is allocated
 * here per operation.
 */
#include <string.h>

#include "common/err.h"
#include "common/units.h"
#include "queue/store_int.h"

/* LMDB's code into ours; all but "not there" and "there already" leaves a transaction that must be aborted. */
static int
wt_err(struct store *s, int rc)
{
	if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND && rc != MDB_KEYEXIST)
		s->w.hurt = 1;
	return (store_err_mdb(rc));
}

int
wt_begin(struct store *s)
{
	struct wtxn *w;
	int rc;

	w = &s->w;
	memset(w->cur, 0, sizeof(w->cur));
	w->touched = w->hurt = w->removals = 0;
	w->held = 0;
	w->freed = 0;
	w->hwm = 0;
	w->now = (int64_t)(now_wall_ms() / 1000);
	w->txn = NULL;
	if (s->env == NULL)
		return (E_IO);
	if ((rc = mdb_txn_begin(s->env, NULL, 0, &w->txn)) != 0)
		w->txn = NULL;
	return (store_err_mdb(rc));
}

void
wt_abort(struct store *s)
{
	if (s->w.txn != NULL)
		mdb_txn_abort(s->w.txn);	/* closes the cursors too */
	s->w.txn = NULL;
}

int
wt_commit(struct store *s)
{
	MDB_txn *txn;

	txn = s->w.txn;
	s->w.txn = NULL;
	return (store_err_mdb(mdb_txn_commit(txn)));
}

static MDB_cursor *
wt_cursor(struct store *s, enum store_table t)
{
	struct wtxn *w;

	w = &s->w;
	if (w->cur[t] == NULL && wt_err(s, mdb_cursor_open(w->txn, s->dbi[t], &w->cur[t])) != E_OK)
		w->cur[t] = NULL;
	return (w->cur[t]);
}

/* The value borrows: it dies with the next change. */
int
wt_get(struct store *s, enum store_table t, const struct key *key, MDB_val *v)
{
	MDB_cursor *c;
	MDB_val k;

	if ((c = wt_cursor(s, t)) == NULL)
		return (E_IO);
	k.mv_data = (void *)(uintptr_t)key->p;
	k.mv_size = key->n;
	return (wt_err(s, mdb_cursor_get(c, &k, v, MDB_SET_KEY)));
}

/* The first entry at or behind from. */
int
wt_first(struct store *s, enum store_table t, const struct key *from, MDB_val *k, MDB_val *v)
{
	MDB_cursor *c;

	if ((c = wt_cursor(s, t)) == NULL)
		return (E_IO);
	k->mv_data = (void *)(uintptr_t)from->p;
	k->mv_size = from->n;
	return (wt_err(s, mdb_cursor_get(c, k, v, MDB_SET_RANGE)));
}

/* The entry behind; after wt_del_here() the one that took its place. */
int
wt_next(struct store *s, enum store_table t, MDB_val *k, MDB_val *v)
{
	return (wt_err(s, mdb_cursor_get(s->w.cur[t], k, v, MDB_NEXT)));
}

/* The entry that was found last. */
int
wt_del_here(struct store *s, enum store_table t)
{
	s->w.touched = 1;
	s->w.freed++;
	return (wt_err(s, mdb_cursor_del(s->w.cur[t], 0)));
}

static int
put(struct store *s, enum store_table t, const struct key *key, const void *p, size_t n, unsigned flags)
{
	MDB_cursor *c;
	MDB_val k, v;
	int rc;

	if ((c = wt_cursor(s, t)) == NULL)
		return (E_IO);
	k.mv_data = (void *)(uintptr_t)key->p;
	k.mv_size = key->n;
	v.mv_data = (void *)(uintptr_t)p;
	v.mv_size = n;
	rc = mdb_cursor_put(c, &k, &v, flags);
	if (rc == MDB_KEYEXIST && flags == MDB_APPEND)	/* not behind the last key: an id that took longer to come */
		rc = mdb_cursor_put(c, &k, &v, 0);
	if (rc == MDB_SUCCESS)
		s->w.touched = 1;
	return (wt_err(s, rc));
}

int
wt_put(struct store *s, enum store_table t, const struct key *key, const void *p, size_t n)
{
	return (put(s, t, key, p, n, 0));
}

int
wt_append(struct store *s, enum store_table t, const struct key *key, const void *p, size_t n)
{
	return (put(s, t, key, p, n, MDB_APPEND));
}

int
wt_del(struct store *s, enum store_table t, const struct key *key)
{
	MDB_val v;
	int rc;

	rc = wt_get(s, t, key, &v);
	if (rc == E_NOTFOUND)
		return (E_OK);
	if (rc != E_OK)
		return (rc);
	return (wt_del_here(s, t));
}

static int
meta_key(struct key *k, const char *name)
{
	k->n = strlen(name);
	if (k->n == 0 || k->n > sizeof(k->p))
		return (E_RANGE);
	memcpy(k->p, name, k->n);
	return (E_OK);
}

int
wt_meta_get(struct store *s, const char *name, uint64_t *value)
{
	struct key k;
	MDB_val v;
	int rc;

	if ((rc = meta_key(&k, name)) != E_OK || (rc = wt_get(s, T_META, &k, &v)) != E_OK)
		return (rc);
	return (meta_value_unpack(&v, value));
}

int
wt_meta_put(struct store *s, const char *name, uint64_t value)
{
	struct key k;
	uint8_t v[16];
	int rc;

	if ((rc = meta_key(&k, name)) != E_OK)
		return (rc);
	return (wt_put(s, T_META, &k, v, meta_value_pack(v, value)));
}

int
wt_index_add(struct store *s, const struct message *m, const struct recipient *r, uint64_t msgid)
{
	struct key k;
	int rc;

	if (is_indexed(m, r)) {
		key_due(&k, r->next, msgid, r->index);
		if ((rc = wt_put(s, T_DUE, &k, NULL, 0)) != E_OK)
			return (rc);
	}
	if (rcpt_is_over(r))
		return (E_OK);
	key_domain(&k, recipient_domain(r), msgid, r->index);
	return (wt_put(s, T_DOMAIN, &k, NULL, 0));
}

int
wt_index_del(struct store *s, const struct message *m, const struct recipient *r, uint64_t msgid)
{
	struct key k;
	int rc;

	if (is_indexed(m, r)) {
		key_due(&k, r->next, msgid, r->index);
		if ((rc = wt_del(s, T_DUE, &k)) != E_OK)
			return (rc);
	}
	if (rcpt_is_over(r))
		return (E_OK);
	key_domain(&k, recipient_domain(r), msgid, r->index);
	return (wt_del(s, T_DOMAIN, &k));
}
