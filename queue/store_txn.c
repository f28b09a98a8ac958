/*
 * store_txn.c -- what each operation does inside the write transaction.  Store thread.
 *
 * An operation that fails before it has changed anything just gets its error; one that fails after a
 * change (w.touched) makes the thread abort and run the batch again without it (store_thread.c).
 */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/err.h"
#include "common/wire.h"
#include "queue/store_int.h"

#define SUM_LEN		8
#define TRASH_HEAD	8	/* the time in front of a record in the trash */

static int
get_message(struct store *s, uint64_t msgid, struct message *m)
{
	struct key k;
	MDB_val v;
	int rc;

	key_msgid(&k, msgid);
	if ((rc = wt_get(s, T_MESSAGE, &k, &v)) != E_OK)
		return (rc);
	m->msgid = msgid;
	return (message_unpack(m, slice_make(v.mv_data, v.mv_size)));
}

static int
put_message(struct store *s, uint64_t msgid, const struct message *m, int fresh)
{
	struct key k;
	size_t n;

	key_msgid(&k, msgid);
	if ((n = message_pack(m, s->w.rec)) == 0)
		return (E_LIMIT);
	return (fresh ? wt_append(s, T_MESSAGE, &k, s->w.rec, n) : wt_put(s, T_MESSAGE, &k, s->w.rec, n));
}

static int
get_recipient(struct store *s, uint64_t msgid, uint32_t index, struct recipient *r)
{
	struct key k;
	MDB_val v;
	int rc;

	key_part(&k, msgid, index);
	if ((rc = wt_get(s, T_RECIPIENT, &k, &v)) != E_OK)
		return (rc);
	r->index = index;
	return (recipient_unpack(r, slice_make(v.mv_data, v.mv_size)));
}

static int
put_recipient(struct store *s, uint64_t msgid, const struct recipient *r, int fresh)
{
	struct key k;
	size_t n;

	key_part(&k, msgid, r->index);
	if ((n = recipient_pack(r, s->w.rec)) == 0)
		return (E_LIMIT);
	return (fresh ? wt_append(s, T_RECIPIENT, &k, s->w.rec, n) : wt_put(s, T_RECIPIENT, &k, s->w.rec, n));
}

static int
put_blocks(struct store *s, uint64_t msgid, const struct body_block *b)
{
	struct key k;
	int rc;

	for (; b != NULL; b = b->next) {
		key_part(&k, msgid, b->index);
		rc = wt_append(s, T_BODY, &k, b->octets, (BODY_BLOCK - BODY_CHUNK) + b->len);
		if (rc != E_OK)
			return (rc);
	}
	return (E_OK);
}

static int
exists(struct store *s, enum store_table t, uint64_t msgid)
{
	struct key k;
	MDB_val v;

	key_msgid(&k, msgid);
	return (wt_get(s, t, &k, &v));
}

/* What came ahead under the incoming mark: the mark is there, and the chunk before the first of b. */
static int
end_incoming(struct store *s, uint64_t msgid, uint32_t ahead)
{
	struct key k;
	MDB_val v;
	int rc;

	key_part(&k, msgid, ahead - 1);
	if ((rc = wt_get(s, T_BODY, &k, &v)) != E_OK)
		return (rc);
	key_mark(&k, MARK_INCOMING, msgid);
	if ((rc = wt_get(s, T_MARK, &k, &v)) != E_OK)
		return (rc);
	return (wt_del(s, T_MARK, &k));
}

static int
op_put(struct store *s, struct store_op *op)
{
	const struct body_block *b;
	const struct recipient *r;
	struct message *m;
	uint64_t octets;
	uint32_t i, n;
	int rc;

	m = op->message;
	if (op->nrcpt != m->nrcpt || op->msgid != m->msgid)
		return (E_RANGE);
	for (n = 0, octets = 0, b = op->blocks; b != NULL; b = b->next, n++) {
		if (b->len == 0 || b->len > BODY_CHUNK || b->index != op->blocks->index + n)
			return (E_RANGE);
		octets += b->len;
	}
	/* The record must agree with its body, or it would not be readable (message_unpack). */
	if (n > m->nchunk || (n != 0 && op->blocks->index != m->nchunk - n) ||
	    (uint64_t)(m->nchunk - n) * BODY_CHUNK + octets != m->body_len)
		return (E_RANGE);
	if ((rc = exists(s, T_MESSAGE, op->msgid)) != E_NOTFOUND)
		return (rc == E_OK ? E_EXISTS : rc);
	if (n < m->nchunk && (rc = end_incoming(s, op->msgid, m->nchunk - n)) != E_OK)
		return (rc);
	if ((rc = put_message(s, op->msgid, m, 1)) != E_OK)
		return (rc);
	for (i = 0; i < op->nrcpt; i++) {
		if (op->rcpt_at != NULL)
			op->rcpt_at(op, i, &s->w.rcpt);
		r = op->rcpt_at != NULL ? &s->w.rcpt : &op->rcpt[i];
		if ((rc = put_recipient(s, op->msgid, r, 1)) != E_OK ||
		    (rc = wt_index_add(s, m, r, op->msgid)) != E_OK)
			return (rc);
	}
	if (m->flags & MSGF_HELD)
		s->w.held++;
	return (put_blocks(s, op->msgid, op->blocks));
}

static int
op_chunks(struct store *s, struct store_op *op)
{
	struct key k;
	MDB_val v;
	int rc;

	if ((rc = exists(s, T_MESSAGE, op->msgid)) != E_NOTFOUND)
		return (rc == E_OK ? E_EXISTS : rc);
	key_mark(&k, MARK_INCOMING, op->msgid);
	rc = wt_get(s, T_MARK, &k, &v);
	if (rc == E_NOTFOUND)
		rc = wt_put(s, T_MARK, &k, NULL, 0);
	if (rc != E_OK)
		return (rc);
	return (put_blocks(s, op->msgid, op->blocks));
}

static int
op_drop(struct store *s, struct store_op *op)
{
	struct key k;
	MDB_val v;
	int rc;

	key_mark(&k, MARK_INCOMING, op->msgid);
	if ((rc = wt_get(s, T_MARK, &k, &v)) != E_OK)
		return (rc);
	if ((rc = wt_del(s, T_MARK, &k)) != E_OK)
		return (rc);
	return (remove_mark(s, op->msgid));
}

/* The dialogue is kept behind its checksum. */
static int
put_dialogue(struct store *s, uint64_t msgid, struct slice text)
{
	struct key k;
	struct wr w;

	if (text.n > DIALOGUE_MAX)
		return (E_LIMIT);
	wr_init(&w, s->w.rec, sizeof(s->w.rec));
	wr_u64(&w, XXH3_64bits(text.p, text.n));
	wr_raw(&w, text.p, text.n);
	if (w.err != E_OK)
		return (E_LIMIT);
	key_msgid(&k, msgid);
	return (wt_put(s, T_DIALOGUE, &k, w.p, w.len));
}

/* The held flag came or went: all recipients leave or join the due index. */
static int
turn_held(struct store *s, uint64_t msgid, const struct message *was, const struct message *is)
{
	struct recipient *r;
	struct key k;
	uint32_t i;
	int rc;

	if (((was->flags ^ is->flags) & MSGF_HELD) == 0)
		return (E_OK);
	r = &s->w.rcpt;
	s->w.held += is->flags & MSGF_HELD ? 1 : -1;
	for (i = 0; i < is->nrcpt; i++) {
		rc = get_recipient(s, msgid, i, r);
		if (rc == E_NOTFOUND || rc == E_CORRUPT)
			continue;
		if (rc != E_OK)
			return (rc);
		if (rcpt_is_ended(r))
			continue;
		key_due(&k, r->next, msgid, i);
		rc = is->flags & MSGF_HELD ? wt_del(s, T_DUE, &k) : wt_put(s, T_DUE, &k, NULL, 0);
		if (rc != E_OK)
			return (rc);
	}
	return (E_OK);
}

static int
remove_rest(struct store *s, uint64_t msgid)
{
	unsigned budget = REMOVE_AT_ONCE;
	int finished, rc;

	if ((rc = remove_some(s, msgid, &budget, &finished)) != E_OK || finished)
		return (rc);
	return (remove_mark(s, msgid));
}

/* S2 to S4 at once where it is small; to S3 and on by slices where it is not. */
static int
finish(struct store *s, uint64_t msgid, const struct message *m)
{
	struct key k;
	int rc;

	if (m->flags & MSGF_HELD)
		s->w.held--;
	key_msgid(&k, msgid);
	if ((rc = wt_del(s, T_MESSAGE, &k)) != E_OK)
		return (rc);
	return (remove_rest(s, msgid));
}

/*
 * The operator deleted it while it was being delivered: what became of recipients is kept with it, so
 * that an undo does not send it to them again (G3).  With all of them over there is nothing to undo.
 */
static int
outcome_in_trash(struct store *s, struct store_op *op)
{
	struct message *m = &s->w.msg;
	struct key k, mark;
	MDB_val v;
	uint32_t i;
	size_t n;
	int rc;

	key_msgid(&k, op->msgid);
	if ((rc = wt_get(s, T_TRASH, &k, &v)) != E_OK)
		return (rc);
	if (v.mv_size < TRASH_HEAD)
		return (E_CORRUPT);
	key_mark_trash(&mark, (int64_t)be64(v.mv_data), op->msgid);
	memcpy(s->w.rec, v.mv_data, TRASH_HEAD);
	rc = message_unpack(m, slice_make((const char *)v.mv_data + TRASH_HEAD, v.mv_size - TRASH_HEAD));
	if (rc != E_OK)
		return (rc);
	if (op->message->flags & MSGF_DONE) {
		if ((rc = wt_del(s, T_TRASH, &k)) != E_OK || (rc = wt_del(s, T_MARK, &mark)) != E_OK)
			return (rc);
		return (remove_rest(s, op->msgid));
	}
	m->ndone = op->message->ndone;
	if ((n = message_pack(m, s->w.rec + TRASH_HEAD)) == 0)
		return (E_LIMIT);
	rc = wt_put(s, T_TRASH, &k, s->w.rec, TRASH_HEAD + n);
	for (i = 0; i < op->nrcpt && rc == E_OK; i++)
		rc = put_recipient(s, op->msgid, &op->rcpt[i], 0);	/* out of the indexes since the deletion */
	return (rc);
}

static int
op_outcome(struct store *s, struct store_op *op)
{
	struct message *was;
	struct recipient *old, *r;
	int rc, done;
	uint32_t i;

	was = &s->w.msg;
	old = &s->w.rcpt;
	rc = get_message(s, op->msgid, was);
	if (rc == E_NOTFOUND)
		return (outcome_in_trash(s, op));
	if (rc != E_OK)
		return (rc);
	done = (op->message->flags & MSGF_DONE) != 0;
	/* What a removal takes away whole needs no new values first. */
	if (done && (uint64_t)was->nchunk + was->nrcpt <= REMOVE_AT_ONCE)
		return (finish(s, op->msgid, was));
	for (i = 0; i < op->nrcpt; i++) {
		r = &op->rcpt[i];
		rc = get_recipient(s, op->msgid, r->index, old);
		if (rc == E_OK) {
			if (old->next != r->next || rcpt_is_over(old) != rcpt_is_over(r) ||
			    rcpt_is_ended(old) != rcpt_is_ended(r) || strcmp(old->address, r->address) != 0) {
				if ((rc = wt_index_del(s, was, old, op->msgid)) == E_OK)
					rc = wt_index_add(s, was, r, op->msgid);
			}
		} else if (rc == E_CORRUPT)	/* the new value mends it */
			rc = wt_index_add(s, was, r, op->msgid);
		if (rc != E_OK || (rc = put_recipient(s, op->msgid, r, 0)) != E_OK)
			return (rc);
	}
	if (done)
		return (finish(s, op->msgid, was));
	if ((rc = turn_held(s, op->msgid, was, op->message)) != E_OK)
		return (rc);
	if (op->dialogue.n != 0 && (rc = put_dialogue(s, op->msgid, op->dialogue)) != E_OK)
		return (rc);
	return (put_message(s, op->msgid, op->message, 0));
}

static int
op_message(struct store *s, struct store_op *op)
{
	int rc;

	if ((rc = get_message(s, op->msgid, &s->w.msg)) != E_OK)
		return (rc);
	if ((rc = turn_held(s, op->msgid, &s->w.msg, op->message)) != E_OK)
		return (rc);
	return (put_message(s, op->msgid, op->message, 0));
}

static int
op_trash(struct store *s, struct store_op *op)
{
	struct message *m;
	struct key k;
	uint32_t i;
	size_t n;
	int rc;

	m = &s->w.msg;
	rc = get_message(s, op->msgid, m);
	if (rc == E_CORRUPT)
		return (remove_damaged(s, op->msgid));
	if (rc != E_OK)
		return (rc);
	for (i = 0; i < m->nrcpt; i++) {
		rc = get_recipient(s, op->msgid, i, &s->w.rcpt);
		if (rc == E_NOTFOUND || rc == E_CORRUPT)
			continue;
		if (rc != E_OK || (rc = wt_index_del(s, m, &s->w.rcpt, op->msgid)) != E_OK)
			return (rc);
	}
	key_msgid(&k, op->msgid);
	put_be64(s->w.rec, (uint64_t)s->w.now);
	if ((n = message_pack(m, s->w.rec + TRASH_HEAD)) == 0)
		return (E_LIMIT);
	if ((rc = wt_put(s, T_TRASH, &k, s->w.rec, TRASH_HEAD + n)) != E_OK ||
	    (rc = wt_del(s, T_MESSAGE, &k)) != E_OK)
		return (rc);
	if (m->flags & MSGF_HELD)
		s->w.held--;
	key_mark_trash(&k, s->w.now, op->msgid);
	return (wt_put(s, T_MARK, &k, NULL, 0));
}

static int
op_undo(struct store *s, struct store_op *op)
{
	struct message *m;
	struct recipient *r;
	struct key k;
	int64_t when;
	MDB_val v;
	uint32_t i;
	int rc;

	m = &s->w.msg;
	r = &s->w.rcpt;
	key_msgid(&k, op->msgid);
	if ((rc = wt_get(s, T_TRASH, &k, &v)) != E_OK)
		return (rc);
	if (v.mv_size < TRASH_HEAD)
		return (E_CORRUPT);
	when = (int64_t)be64(v.mv_data);
	rc = message_unpack(m, slice_make((const char *)v.mv_data + TRASH_HEAD, v.mv_size - TRASH_HEAD));
	if (rc != E_OK)
		return (rc);
	if ((rc = wt_del(s, T_TRASH, &k)) != E_OK)
		return (rc);
	key_mark_trash(&k, when, op->msgid);
	if ((rc = wt_del(s, T_MARK, &k)) != E_OK)
		return (rc);
	for (i = 0; i < m->nrcpt; i++) {
		rc = get_recipient(s, op->msgid, i, r);
		if (rc == E_NOTFOUND || rc == E_CORRUPT)
			continue;
		if (rc != E_OK)
			return (rc);
		if (rcpt_is_ended(r))
			continue;
		r->next = s->w.now;
		if ((rc = put_recipient(s, op->msgid, r, 0)) != E_OK ||
		    (rc = wt_index_add(s, m, r, op->msgid)) != E_OK)
			return (rc);
	}
	if (m->flags & MSGF_HELD)
		s->w.held++;
	return (put_message(s, op->msgid, m, 0));
}

static int
apply_one(struct store *s, struct store_op *op)
{
	switch (op->kind) {
	case STORE_PUT:
		return (op_put(s, op));
	case STORE_CHUNKS:
		return (op_chunks(s, op));
	case STORE_DROP:
		return (op_drop(s, op));
	case STORE_OUTCOME:
		return (op_outcome(s, op));
	case STORE_MESSAGE:
		return (op_message(s, op));
	case STORE_TRASH:
		return (op_trash(s, op));
	case STORE_UNDO:
		return (op_undo(s, op));
	case STORE_META:
		return (wt_meta_put(s, op->name, op->value));
	}
	return (E_RANGE);
}

int
txn_apply(struct store *s, struct store_op *op)
{
	int rc;

	s->w.touched = 0;
	for (rc = E_OK; op != NULL && rc == E_OK; op = op->also)
		rc = apply_one(s, op);
	return (rc);
}
