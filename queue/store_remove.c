/*
 * store_remove.c -- how a message leaves: recipients, index entries, dialogue, chunks.  Store thread.
 *
 * A message of ordinary size goes within the transaction that records its last outcome.  A larger one is marked
 * and goes in slices (S3), each with the next commit, so that no transaction is giant and no one waits
 * for a removal.  Marks survive a crash; what they name is removed after the restart.
 */
#include "common/err.h"
#include "queue/store_int.h"

/* Remove at most *budget records.  The message record is the caller's. */
int
remove_some(struct store *s, uint64_t msgid, unsigned *budget, int *finished)
{
	struct recipient *r;
	struct key from, k;
	MDB_val key, v;
	int rc;

	r = &s->w.rcpt;
	*finished = 0;
	key_part(&from, msgid, 0);
	while (*budget > 0) {
		rc = wt_first(s, T_RECIPIENT, &from, &key, &v);
		if (rc == E_NOTFOUND || (rc == E_OK && (key.mv_size != 12 || be64(key.mv_data) != msgid)))
			break;
		if (rc != E_OK)
			return (rc);
		r->index = be32((const uint8_t *)key.mv_data + 8);
		key_part(&k, msgid, r->index);
		if (recipient_unpack(r, slice_make(v.mv_data, v.mv_size)) == E_OK && !rcpt_is_ended(r)) {
			/* As if not held: wherever it may be indexed. */
			static const struct message any;

			if ((rc = wt_index_del(s, &any, r, msgid)) != E_OK)
				return (rc);
		}
		if ((rc = wt_del(s, T_RECIPIENT, &k)) != E_OK)
			return (rc);
		--*budget;
	}
	while (*budget > 0) {
		rc = wt_first(s, T_BODY, &from, &key, &v);
		if (rc == E_NOTFOUND || (rc == E_OK && (key.mv_size != 12 || be64(key.mv_data) != msgid))) {
			key_msgid(&k, msgid);
			*finished = 1;
			return (wt_del(s, T_DIALOGUE, &k));
		}
		if (rc != E_OK)
			return (rc);
		if ((rc = wt_del_here(s, T_BODY)) != E_OK)
			return (rc);
		--*budget;
	}
	return (E_OK);
}

/*
 * Entries of an index that name a message, found by a walk: what the recipient's record would say cannot be read.
 * Keys end in msgid and index.
 */
static int
remove_from_index(struct store *s, enum store_table t, uint64_t msgid)
{
	struct key from = { .n = 1, .p = { 0 } };
	MDB_val k, v;
	int rc;

	for (rc = wt_first(s, t, &from, &k, &v); rc == E_OK; rc = wt_next(s, t, &k, &v)) {
		if (k.mv_size < 12 || be64((const uint8_t *)k.mv_data + k.mv_size - 12) != msgid)
			continue;
		if ((rc = wt_del_here(s, t)) != E_OK)
			return (rc);
	}
	return (rc == E_NOTFOUND ? E_OK : rc);
}

int
remove_damaged(struct store *s, uint64_t msgid)
{
	struct key k;
	int rc;

	key_msgid(&k, msgid);
	if ((rc = remove_from_index(s, T_DUE, msgid)) != E_OK ||
	    (rc = remove_from_index(s, T_DOMAIN, msgid)) != E_OK || (rc = wt_del(s, T_MESSAGE, &k)) != E_OK)
		return (rc);
	return (remove_mark(s, msgid));
}

int
remove_mark(struct store *s, uint64_t msgid)
{
	struct key k;

	s->w.removals = 1;
	key_mark(&k, MARK_REMOVE, msgid);
	return (wt_put(s, T_MARK, &k, NULL, 0));
}

/* The first mark of a kind; E_NOTFOUND.  *rest borrows what follows the kind. */
static int
first_mark(struct store *s, uint8_t kind, size_t len, const uint8_t **rest)
{
	struct key from;
	MDB_val k, v;
	int rc;

	from.p[0] = kind;
	from.n = 1;
	if ((rc = wt_first(s, T_MARK, &from, &k, &v)) != E_OK)
		return (rc);
	if (((const uint8_t *)k.mv_data)[0] != kind || k.mv_size != 1 + len)
		return (E_NOTFOUND);
	*rest = (const uint8_t *)k.mv_data + 1;
	return (E_OK);
}

int
remove_slice(struct store *s, unsigned budget)
{
	const uint8_t *rest;
	struct key k;
	uint64_t msgid;
	int finished, rc;

	while (budget > 0) {
		rc = first_mark(s, MARK_REMOVE, 8, &rest);
		if (rc == E_NOTFOUND) {
			s->w.removals = 0;
			return (E_OK);
		}
		if (rc != E_OK)
			return (rc);
		msgid = be64(rest);
		if ((rc = remove_some(s, msgid, &budget, &finished)) != E_OK)
			return (rc);
		if (!finished)
			break;
		key_mark(&k, MARK_REMOVE, msgid);
		if ((rc = wt_del(s, T_MARK, &k)) != E_OK)
			return (rc);
		if (budget > 0)
			budget--;
	}
	s->w.removals = 1;
	return (E_OK);
}

int
remove_trash(struct store *s)
{
	const uint8_t *rest;
	struct key k;
	uint64_t msgid;
	int64_t when;
	int i, rc;

	for (i = 0; i < TRASH_SLICE; i++) {
		rc = first_mark(s, MARK_TRASH, 16, &rest);
		if (rc == E_NOTFOUND)
			return (E_OK);
		if (rc != E_OK)
			return (rc);
		when = (int64_t)be64(rest);
		msgid = be64(rest + 8);
		if (when > s->w.now - TRASH_KEPT)
			return (E_OK);
		key_mark_trash(&k, when, msgid);
		if ((rc = wt_del(s, T_MARK, &k)) != E_OK)
			return (rc);
		key_msgid(&k, msgid);
		if ((rc = wt_del(s, T_TRASH, &k)) != E_OK || (rc = remove_mark(s, msgid)) != E_OK)
			return (rc);
	}
	return (E_OK);
}

int64_t
trash_oldest(struct store *s)
{
	const uint8_t *rest;

	return (first_mark(s, MARK_TRASH, 16, &rest) == E_OK ? (int64_t)be64(rest) : 0);
}

int
remove_incoming(struct store *s)
{
	const uint8_t *rest;
	struct key k;
	uint64_t msgid;
	int rc;

	while ((rc = first_mark(s, MARK_INCOMING, 8, &rest)) == E_OK) {
		msgid = be64(rest);
		key_mark(&k, MARK_INCOMING, msgid);
		if ((rc = wt_del(s, T_MARK, &k)) != E_OK || (rc = remove_mark(s, msgid)) != E_OK)
			return (rc);
	}
	return (rc == E_NOTFOUND ? E_OK : rc);
}
