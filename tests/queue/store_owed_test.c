/*
 * store_owed_test.c -- what came to the store with record version 2: a store of version 1 opens and is worked off, a
 * notice that is owed keeps its recipient due, and the index of domains can be walked by name.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/wire.h"
#include "tests/queue/store_kit.h"

static int
setup(void **state)
{
	struct kit *k = malloc(sizeof(*k));

	kit_dir(k);
	*state = k;
	return (kit_open(k) != E_OK);
}

static int
teardown(void **state)
{
	struct kit *k = *state;

	kit_close(k);
	kit_rmdir(k);
	free(k);
	return (0);
}

static void
be(uint8_t *p, uint64_t v, int n)
{
	int i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static void
replace(struct kit *k, const char *table, const uint8_t *key, size_t klen, struct wr *w)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val kk, v;

	wr_u64(w, XXH3_64bits(w->p, w->len));
	assert_int_equal(w->err, E_OK);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
	assert_int_equal(mdb_env_set_mapsize(env, 256 << 20), 0);
	assert_int_equal(mdb_env_open(env, k->dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	kk.mv_data = (void *)(uintptr_t)key;
	kk.mv_size = klen;
	assert_int_equal(mdb_get(txn, dbi, &kk, &v), 0);	/* it was there */
	v.mv_data = w->p;
	v.mv_size = w->len;
	assert_int_equal(mdb_put(txn, dbi, &kk, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

/* The octets that the version before wrote: record.c as it was. */
static void
v1_message(struct kit *k, uint64_t id, const struct message *m)
{
	uint8_t rec[RECORD_MAX], key[8];
	struct wr w;

	wr_init(&w, rec, sizeof(rec));
	wr_u8(&w, 1);
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
	be(key, id, 8);
	replace(k, "message", key, 8, &w);
}

static void
v1_recipient(struct kit *k, uint64_t id, const struct recipient *p)
{
	uint8_t rec[RECORD_MAX], key[12];
	struct wr w;

	wr_init(&w, rec, sizeof(rec));
	wr_u8(&w, 1);
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
	be(key, id, 8);
	be(key + 8, p->index, 4);
	replace(k, "recipient", key, 12, &w);
}

static int
outcome(struct kit *k, struct message *m, struct recipient *r, uint32_t n)
{
	struct store_op op = { .kind = STORE_OUTCOME, .msgid = m->msgid, .message = m, .rcpt = r, .nrcpt = n };

	return (kit_do(k, &op));
}

static size_t
due_now(struct kit *k, struct store_due *d)
{
	size_t n;

	assert_int_equal(store_due(k->s, NULL, d, 8, &n), E_OK);
	return (n);
}

static void
version_before(void **state)
{
	struct store_due due[8];
	struct kit *k = *state;
	struct recipient r[2];
	struct message m;
	uint64_t id;
	uint32_t i;

	id = store_new_msgid(k->s);
	assert_int_equal(kit_put(k, id, 2, 5000), E_OK);
	kit_close(k);
	kit_message(&m, id, 2, 5000);
	v1_message(k, id, &m);
	for (i = 0; i < 2; i++) {
		kit_recipient(&r[i], id, i);
		v1_recipient(k, id, &r[i]);
	}
	assert_int_equal(kit_open(k), E_OK);
	assert_int_equal(store_get_message(k->s, id, &m), E_OK);
	assert_int_equal(due_now(k, due), 2);
	assert_int_equal(kit_check_body(k->s, id, 5000), E_OK);
	/* One is delivered: the new record stands beside the old one, over a restart too. */
	m.msgid = id;
	assert_int_equal(store_get_recipient(k->s, id, 0, &r[0]), E_OK);
	r[0].index = 0;
	r[0].state = RCPT_DELIVERED;
	r[0].next = 0;
	m.ndone = 1;
	assert_int_equal(outcome(k, &m, &r[0], 1), E_OK);
	kit_close(k);
	assert_int_equal(kit_open(k), E_OK);
	assert_int_equal(due_now(k, due), 1);
	assert_int_equal(due[0].index, 1);
	assert_int_equal(store_get_recipient(k->s, id, 1, &r[1]), E_OK);
	assert_string_equal(r[1].sender, "");
	r[1].index = 1;
	r[1].state = RCPT_DELIVERED;
	r[1].next = 0;
	m.ndone = 2;
	m.flags |= MSGF_DONE;
	assert_int_equal(outcome(k, &m, &r[1], 1), E_OK);
	assert_int_equal(store_get_message(k->s, id, &m), E_NOTFOUND);
	assert_int_equal(due_now(k, due), 0);
	kit_close(k);
	assert_int_equal(kit_entries(k, "message"), 0);
	assert_int_equal(kit_entries(k, "recipient"), 0);
	assert_int_equal(kit_entries(k, "domain"), 0);
	assert_int_equal(kit_open(k), E_OK);
}

/* Born over and owing (an expanded alias); delivered and owing; told.  Held and trashed meanwhile. */
static void
owed(void **state)
{
	struct store_due due[8];
	struct kit *k = *state;
	struct kit_put p;
	struct message m;
	struct recipient r;
	uint64_t id;
	size_t n;

	id = store_new_msgid(k->s);
	kit_put_init(&p, id, 2, 100);
	p.r[1].state = RCPT_DELIVERED;
	p.r[1].owed = OWED_EXPANDED;
	assert_int_equal(kit_do(k, &p.op), E_OK);
	kit_put_clear(&p);
	assert_int_equal(due_now(k, due), 2);		/* both have something to do */
	assert_int_equal(store_domain(k->s, "d1.example.net", NULL, due, 8, &n), E_OK);
	assert_int_equal(n, 0);				/* but nothing is tried for the second */
	assert_int_equal(store_domain(k->s, "d0.example.net", NULL, due, 8, &n), E_OK);
	assert_int_equal(n, 1);

	assert_int_equal(store_get_message(k->s, id, &m), E_OK);
	m.msgid = id;
	m.flags |= MSGF_HELD;
	{
		struct store_op op = { .kind = STORE_MESSAGE, .msgid = id, .message = &m };

		assert_int_equal(kit_do(k, &op), E_OK);
		assert_int_equal(due_now(k, due), 0);
		m.flags &= ~(uint32_t)MSGF_HELD;
		assert_int_equal(kit_do(k, &op), E_OK);
		assert_int_equal(due_now(k, due), 2);
	}
	assert_int_equal(kit_simple(k, STORE_TRASH, id), E_OK);
	assert_int_equal(due_now(k, due), 0);
	assert_int_equal(kit_simple(k, STORE_UNDO, id), E_OK);
	assert_int_equal(due_now(k, due), 2);

	/* The first is delivered and owes as well: no longer in the index of domains, still due. */
	assert_int_equal(store_get_recipient(k->s, id, 0, &r), E_OK);
	r.index = 0;
	r.state = RCPT_DELIVERED;
	r.owed = OWED_DELIVERED;
	assert_int_equal(outcome(k, &m, &r, 1), E_OK);
	assert_int_equal(due_now(k, due), 2);
	assert_int_equal(store_domain(k->s, "d0.example.net", NULL, due, 8, &n), E_OK);
	assert_int_equal(n, 0);
	kit_close(k);
	assert_int_equal(kit_open(k), E_OK);		/* over a restart */
	assert_int_equal(due_now(k, due), 2);
	r.owed = OWED_NONE;				/* told */
	r.next = 0;
	m.ndone = 1;
	assert_int_equal(outcome(k, &m, &r, 1), E_OK);
	assert_int_equal(due_now(k, due), 1);
	assert_int_equal(due[0].index, 1);
	m.ndone = 2;
	m.flags |= MSGF_DONE;
	assert_int_equal(store_get_recipient(k->s, id, 1, &r), E_OK);
	r.index = 1;
	r.owed = OWED_NONE;
	assert_int_equal(outcome(k, &m, &r, 1), E_OK);
	assert_int_equal(due_now(k, due), 0);
	kit_close(k);
	assert_int_equal(kit_entries(k, "due"), 0);
	assert_int_equal(kit_entries(k, "recipient"), 0);
	assert_int_equal(kit_open(k), E_OK);
}

static void
domains(void **state)
{
	static const char *const names[] = { "a.example", "a-b.example", "b", "sub.a.example", "z.example" };
	static const char *const order[] = { "a-b.example", "a.example", "b", "sub.a.example", "z.example" };
	struct kit *k = *state;
	struct kit_put p;
	char name[DOMAIN_MAX + 1] = "", next[DOMAIN_MAX + 1];
	size_t i;

	assert_int_equal(store_next_domain(k->s, "", next), E_NOTFOUND);
	for (i = 0; i < 5; i++) {
		kit_put_init(&p, store_new_msgid(k->s), 2, 10);
		(void)snprintf(p.r[0].address, sizeof(p.r[0].address), "x@%s", names[i]);
		(void)snprintf(p.r[1].address, sizeof(p.r[1].address), "y@%s", names[i]);
		assert_int_equal(kit_do(k, &p.op), E_OK);
		kit_put_clear(&p);
	}
	kit_put_init(&p, store_new_msgid(k->s), 1, 10);
	(void)snprintf(p.r[0].address, sizeof(p.r[0].address), "postmaster");	/* has none */
	assert_int_equal(kit_do(k, &p.op), E_OK);
	kit_put_clear(&p);
	for (i = 0; i < 5; i++) {
		assert_int_equal(store_next_domain(k->s, name, next), E_OK);
		assert_string_equal(next, order[i]);
		memcpy(name, next, sizeof(name));
	}
	assert_int_equal(store_next_domain(k->s, name, next), E_NOTFOUND);
	assert_int_equal(store_next_domain(k->s, "a", next), E_OK);
	assert_string_equal(next, "a-b.example");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(version_before, setup, teardown),
		cmocka_unit_test_setup_teardown(owed, setup, teardown),
		cmocka_unit_test_setup_teardown(domains, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
