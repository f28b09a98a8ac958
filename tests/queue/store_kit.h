/*
 * store_kit.h -- what the tests of the store share: a folder, a loop, operations done one by one, messages whose
 * content follows from their id.
 */
#ifndef TESTS_QUEUE_STORE_KIT_H
#define TESTS_QUEUE_STORE_KIT_H

#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "common/err.h"
#include "queue/store.h"

#define KIT_HANG_MS	60000
#define KIT_QUOTA	(64ull << 20)

struct kit {
	char		 dir[64];
	uv_loop_t	 loop;
	uv_timer_t	 hang;
	struct store	*s;
	int		 pending, err, open;
};

static inline void
kit_hang(uv_timer_t *t)
{
	(void)t;
	fprintf(stderr, "store test: no answer from the store thread\n");
	abort();
}

static inline void
kit_dir(struct kit *k)
{
	memset(k, 0, sizeof(*k));
	snprintf(k->dir, sizeof(k->dir), "/tmp/postern-store.XXXXXX");
	if (mkdtemp(k->dir) == NULL)
		abort();
}

static inline void
kit_rmdir(struct kit *k)
{
	static const char *const names[] = { "data.mdb", "lock.mdb", "owner" };
	char p[128];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(p, sizeof(p), "%s/%s", k->dir, names[i]);
		unlink(p);
	}
	rmdir(k->dir);
}

static inline int
kit_open_as(struct kit *k, uint64_t quota, uint64_t reserve)
{
	struct store_options o = { k->dir, quota, reserve };
	int rc;

	if ((rc = store_open(&k->s, &o)) != E_OK)
		return (rc);
	uv_loop_init(&k->loop);
	uv_timer_init(&k->loop, &k->hang);
	uv_timer_start(&k->hang, kit_hang, KIT_HANG_MS, 0);
	k->open = 1;
	return (store_start(k->s, &k->loop));
}

static inline int
kit_open(struct kit *k)
{
	return (kit_open_as(k, KIT_QUOTA, 1 << 20));
}

static inline void
kit_close(struct kit *k)
{
	if (!k->open)
		return;
	store_close(k->s);
	uv_close((uv_handle_t *)&k->hang, NULL);
	uv_run(&k->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&k->loop) != 0)
		abort();
	k->open = 0;
}

static inline void
kit_done(struct store_op *op, int err)
{
	struct kit *k = op->arg;

	k->pending--;
	if (err != E_OK)
		k->err = err;
}

static inline void
kit_submit(struct kit *k, struct store_op *op)
{
	op->arg = k;
	op->done = kit_done;
	k->pending++;
	store_submit(k->s, op);
}

static inline int
kit_wait(struct kit *k)
{
	int err;

	while (k->pending > 0)
		uv_run(&k->loop, UV_RUN_ONCE);
	err = k->err;
	k->err = E_OK;
	return (err);
}

static inline int
kit_do(struct kit *k, struct store_op *op)
{
	kit_submit(k, op);
	return (kit_wait(k));
}

static inline uint8_t
kit_octet(uint64_t id, uint64_t i)
{
	return ((uint8_t)(id * 131 + i * 7 + (i >> 8)));
}

/* A sealed body of len octets that follow from id. */
static inline struct body *
kit_body(uint64_t id, uint64_t len)
{
	uint8_t piece[4096];
	struct body *b;
	uint64_t i, n;

	if ((b = body_new()) == NULL)
		abort();
	for (i = 0; i < len; i += n) {
		for (n = 0; n < sizeof(piece) && i + n < len; n++)
			piece[n] = kit_octet(id, i + n);
		if (body_add(b, slice_make(piece, n)) != E_OK)
			abort();
	}
	body_seal(b);
	return (b);
}

static inline void
kit_message(struct message *m, uint64_t id, uint32_t nrcpt, uint64_t len)
{
	memset(m, 0, sizeof(*m));
	m->msgid = id;
	m->arrival = 1795000000;
	m->body_len = len;
	m->nchunk = (uint32_t)((len + BODY_CHUNK - 1) / BODY_CHUNK);
	m->nrcpt = nrcpt;
	snprintf(m->sender, sizeof(m->sender), "s%llu@example.org", (unsigned long long)id);
	snprintf(m->helo, sizeof(m->helo), "client.example.org");
}

static inline void
kit_recipient(struct recipient *r, uint64_t id, uint32_t i)
{
	memset(r, 0, sizeof(*r));
	r->index = i;
	r->next = 1795000000;
	snprintf(r->address, sizeof(r->address), "r%llu.%u@d%u.example.net", (unsigned long long)id, i, i % 3);
}

/* A whole message in one operation; the caller waits. */
struct kit_put {
	struct store_op	 op;
	struct message	 m;
	struct recipient *r;
	struct body	*b;
};

static inline void
kit_put_init(struct kit_put *p, uint64_t id, uint32_t nrcpt, uint64_t len)
{
	uint32_t i;

	memset(p, 0, sizeof(*p));
	kit_message(&p->m, id, nrcpt, len);
	if ((p->r = calloc(nrcpt != 0 ? nrcpt : 1, sizeof(*p->r))) == NULL)
		abort();
	for (i = 0; i < nrcpt; i++)
		kit_recipient(&p->r[i], id, i);
	p->b = kit_body(id, len);
	p->op.kind = STORE_PUT;
	p->op.msgid = id;
	p->op.message = &p->m;
	p->op.rcpt = p->r;
	p->op.nrcpt = nrcpt;
	p->op.blocks = p->b->first;
}

static inline void
kit_put_clear(struct kit_put *p)
{
	body_unref(p->b);
	free(p->r);
}

static inline int
kit_put(struct kit *k, uint64_t id, uint32_t nrcpt, uint64_t len)
{
	struct kit_put p;
	int rc;

	kit_put_init(&p, id, nrcpt, len);
	rc = kit_do(k, &p.op);
	kit_put_clear(&p);
	return (rc);
}

/* An operation that needs no more than an id. */
static inline int
kit_simple(struct kit *k, enum store_op_kind kind, uint64_t id)
{
	struct store_op op;

	memset(&op, 0, sizeof(op));
	op.kind = kind;
	op.msgid = id;
	return (kit_do(k, &op));
}

/* E_OK if the body is there, whole and as it was made. */
static inline int
kit_check_body(struct store *s, uint64_t id, uint64_t len)
{
	uint8_t chunk[BODY_CHUNK];
	uint64_t at, i;
	uint32_t n, c;
	int rc;

	for (at = 0, c = 0; at < len; at += n, c++) {
		if ((rc = store_read_chunk(s, id, c, chunk, &n)) != E_OK)
			return (rc);
		for (i = 0; i < n; i++)
			if (chunk[i] != kit_octet(id, at + i))
				return (E_CORRUPT);
	}
	if (at != len)
		return (E_RANGE);
	return (store_read_chunk(s, id, c, chunk, &n) == E_NOTFOUND ? E_OK : E_EXISTS);
}

static inline int
kit_count_fn(void *arg, const struct recipient *r)
{
	(void)r;
	++*(unsigned *)arg;
	return (0);
}

/* Entries of a table, by LMDB itself; the store must be closed. */
static inline size_t
kit_entries(struct kit *k, const char *table)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_stat st;
	MDB_dbi dbi;
	size_t n;

	if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 16) != 0 ||
	    mdb_env_open(env, k->dir, 0, 0600) != 0 || mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 ||
	    mdb_dbi_open(txn, table, 0, &dbi) != 0 || mdb_stat(txn, dbi, &st) != 0)
		abort();
	n = st.ms_entries;
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return (n);
}

#endif
