/*
 * store_test.c -- each operation of the store, its reads, its order, its limits and its refusals.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>

#include "tests/queue/store_kit.h"

#define D0	"d0.example.net"

static int
setup(void **state)
{
	struct kit *k;

	if ((k = malloc(sizeof(*k))) == NULL)
		return (-1);
	kit_dir(k);
	*state = k;
	return (kit_open(k));
}

static int
teardown(void **state)
{
	kit_close(*state);
	kit_rmdir(*state);
	free(*state);
	return (0);
}

static void
again(struct kit *k)
{
	kit_close(k);
	assert_int_equal(kit_open(k), E_OK);
}

static size_t
due_count(struct kit *k)
{
	struct store_due d[3], after;
	size_t n, sum;

	/* By threes, so that positions are used. */
	for (sum = 0, n = 0; ; sum += n) {
		assert_int_equal(store_due(k->s, sum != 0 ? &after : NULL, d, 3, &n), E_OK);
		if (n == 0)
			return (sum);
		after = d[n - 1];
	}
}

static size_t
domain_count(struct kit *k, const char *domain)
{
	struct store_due d[2], after;
	size_t n, sum;

	for (sum = 0; ; sum += n) {
		assert_int_equal(store_domain(k->s, domain, sum != 0 ? &after : NULL, d, 2, &n), E_OK);
		if (n == 0)
			return (sum);
		after = d[n - 1];
	}
}

static void
put_and_read(void **state)
{
	static const uint64_t lens[] = { 0, 1, BODY_CHUNK - 1, BODY_CHUNK, BODY_CHUNK + 1, 10 * BODY_CHUNK };
	struct store_figures f;
	struct kit *k = *state;
	struct recipient r, want;
	struct message m;
	uint64_t ids[6];
	unsigned i, n;

	for (i = 0; i < 6; i++) {
		ids[i] = store_new_msgid(k->s);
		assert_int_equal(kit_put(k, ids[i], 5, lens[i]), E_OK);
	}
	for (n = 0; n < 2; n++, again(k)) {
		for (i = 0; i < 6; i++) {
			unsigned count = 0;

			assert_int_equal(store_get_message(k->s, ids[i], &m), E_OK);
			assert_int_equal(m.body_len, lens[i]);
			assert_int_equal(kit_check_body(k->s, ids[i], lens[i]), E_OK);
			assert_int_equal(store_each_recipient(k->s, ids[i], kit_count_fn, &count), E_OK);
			assert_int_equal(count, 5);
			kit_recipient(&want, ids[i], 4);
			assert_int_equal(store_get_recipient(k->s, ids[i], 4, &r), E_OK);
			assert_string_equal(r.address, want.address);
			assert_int_equal(store_get_recipient(k->s, ids[i], 5, &r), E_NOTFOUND);
		}
		assert_int_equal(due_count(k), 30);
		assert_int_equal(domain_count(k, D0), 12);
		assert_int_equal(domain_count(k, "d0.example.ne"), 0);
		store_figures(k->s, &f);
		assert_int_equal(f.messages, 6);
	}
	assert_int_equal(store_get_message(k->s, 1, &m), E_NOTFOUND);
	assert_int_equal(kit_put(k, ids[0], 1, 1), E_EXISTS);
}

static void
outcome(struct kit *k, uint64_t id, struct message *m, struct recipient *r, uint32_t n, const char *dialogue, int want)
{
	struct store_op op;

	memset(&op, 0, sizeof(op));
	op.kind = STORE_OUTCOME;
	op.msgid = id;
	op.message = m;
	op.rcpt = r;
	op.nrcpt = n;
	op.dialogue = slice_str(dialogue);
	assert_int_equal(kit_do(k, &op), want);
}

static void
outcomes(void **state)
{
	struct kit *k = *state;
	struct store_due d[8];
	struct recipient r[2];
	struct message m;
	char text[64];
	uint64_t id;
	size_t n;

	id = store_new_msgid(k->s);
	assert_int_equal(kit_put(k, id, 2, 5000), E_OK);
	kit_message(&m, id, 2, 5000);
	kit_recipient(&r[0], id, 0);
	kit_recipient(&r[1], id, 1);
	/* Deferred: later in the due index, its dialogue kept. */
	r[0].state = RCPT_DEFERRED;
	r[0].next += 600;
	r[0].attempts = 1;
	outcome(k, id, &m, &r[0], 1, "220 hello\n", E_OK);
	assert_int_equal(store_due(k->s, NULL, d, 8, &n), E_OK);
	assert_int_equal(n, 2);
	assert_int_equal(d[0].index, 1);
	assert_int_equal(d[1].index, 0);
	assert_int_equal(d[1].when, r[0].next);
	assert_int_equal(store_get_dialogue(k->s, id, text, sizeof(text), &n), E_OK);
	assert_int_equal(n, 10);
	assert_int_equal(store_get_dialogue(k->s, id, text, 9, &n), E_LIMIT);
	/* One over: out of both indexes. */
	r[1].state = RCPT_DELIVERED;
	r[1].next = 0;
	m.ndone = 1;
	outcome(k, id, &m, &r[1], 1, "", E_OK);
	assert_int_equal(due_count(k), 1);
	assert_int_equal(domain_count(k, "d1.example.net"), 0);
	assert_int_equal(domain_count(k, D0), 1);
	assert_int_equal(store_get_message(k->s, id, &m), E_OK);
	assert_int_equal(m.ndone, 1);
	/* The last: all of it goes. */
	r[0].state = RCPT_FAILED;
	r[0].next = 0;
	m.ndone = 2;
	m.flags |= MSGF_DONE;
	outcome(k, id, &m, &r[0], 1, "", E_OK);
	assert_int_equal(store_get_message(k->s, id, &m), E_NOTFOUND);
	assert_int_equal(store_get_recipient(k->s, id, 0, &r[0]), E_NOTFOUND);
	assert_int_equal(due_count(k) + domain_count(k, D0), 0);
	outcome(k, id, &m, &r[0], 1, "", E_NOTFOUND);
	kit_close(k);
	assert_int_equal(kit_entries(k, "body") + kit_entries(k, "recipient") + kit_entries(k, "dialogue") +
	    kit_entries(k, "mark") + kit_entries(k, "message"), 0);
}

/* An outcome and the notice it causes: both or neither. */
static void
outcome_with_notice(void **state)
{
	struct kit *k = *state;
	struct kit_put notice;
	struct recipient r;
	struct store_op op;
	struct message m;
	uint64_t id, nid;
	int i;

	for (i = 0; i < 2; i++) {
		id = store_new_msgid(k->s);
		nid = i == 0 ? store_new_msgid(k->s) : nid;	/* the second time the id is taken: the PUT fails */
		assert_int_equal(kit_put(k, id, 1, 100), E_OK);
		kit_put_init(&notice, nid, 1, 300);
		notice.op.arg = k;
		notice.op.done = kit_done;
		kit_message(&m, id, 1, 100);
		kit_recipient(&r, id, 0);
		r.state = RCPT_FAILED;
		m.ndone = 1;
		m.flags = MSGF_DONE;
		memset(&op, 0, sizeof(op));
		op.kind = STORE_OUTCOME;
		op.msgid = id;
		op.message = &m;
		op.rcpt = &r;
		op.nrcpt = 1;
		op.also = &notice.op;
		k->pending++;
		assert_int_equal(kit_do(k, &op), i == 0 ? E_OK : E_EXISTS);
		assert_int_equal(store_get_message(k->s, id, &m), i == 0 ? E_NOTFOUND : E_OK);
		assert_int_equal(kit_check_body(k->s, nid, 300), E_OK);
		kit_put_clear(&notice);
	}
}

struct order {
	struct kit	*k;
	struct store_op	 op;
	int		 want, *at;
};

static void
order_done(struct store_op *op, int err)
{
	struct order *o = op->arg;

	assert_int_equal(err, E_OK);
	assert_int_equal(*o->at, o->want);
	++*o->at;
	o->k->pending--;
}

/* Operations take effect, and are answered, in the order of submission; what came in one turn is one commit. */
static void
order_and_batch(void **state)
{
	enum { N = 500 };
	struct store_figures before, after;
	struct kit *k = *state;
	static struct order o[N];
	uint64_t v;
	int i, at = 0;

	memset(o, 0, sizeof(o));
	store_figures(k->s, &before);
	for (i = 0; i < N; i++) {
		o[i].k = k;
		o[i].at = &at;
		o[i].want = i;
		o[i].op.kind = STORE_META;
		o[i].op.name = "number";
		o[i].op.value = (uint64_t)i;
		o[i].op.arg = &o[i];
		o[i].op.done = order_done;
		k->pending++;
		store_submit(k->s, &o[i].op);
	}
	assert_int_equal(kit_wait(k), E_OK);
	assert_int_equal(at, N);
	assert_int_equal(store_get_meta(k->s, "number", &v), E_OK);
	assert_int_equal(v, N - 1);
	store_figures(k->s, &after);
	assert_int_equal(after.commits - before.commits, 1);
	assert_int_equal(after.operations - before.operations, N);
	assert_int_equal(store_get_meta(k->s, "nothing", &v), E_NOTFOUND);
}

/* What is in the background goes behind what came later, and takes several commits so that nobody waits long. */
static void
background(void **state)
{
	enum { N = 400, LATER = 10 };
	struct store_figures before, after;
	struct kit *k = *state;
	static struct order o[N + LATER];
	uint64_t v;
	int i, at = 0;

	memset(o, 0, sizeof(o));
	store_figures(k->s, &before);
	for (i = 0; i < N + LATER; i++) {
		o[i].k = k;
		o[i].at = &at;
		o[i].op.background = i < N;
		o[i].want = i < N ? LATER + i : i - N;
		o[i].op.kind = STORE_META;
		o[i].op.name = i < N ? "slow" : "quick";
		o[i].op.value = (uint64_t)i;
		o[i].op.arg = &o[i];
		o[i].op.done = order_done;
		k->pending++;
		store_submit(k->s, &o[i].op);
	}
	assert_int_equal(kit_wait(k), E_OK);
	assert_int_equal(at, N + LATER);
	assert_int_equal(store_get_meta(k->s, "slow", &v), E_OK);
	assert_int_equal(v, N - 1);
	store_figures(k->s, &after);
	assert_true(after.commits - before.commits > 4);
	assert_int_equal(after.operations - before.operations, N + LATER);
}

/* A wrong operation in the middle of a batch, even one that has changed something already, harms no other. */
static void
one_bad_among_many(void **state)
{
	struct kit *k = *state;
	struct kit_put p[5];
	struct message m;
	uint64_t id[5];
	int i;

	for (i = 0; i < 5; i++) {
		id[i] = store_new_msgid(k->s);
		kit_put_init(&p[i], id[i], 2, 5000);
	}
	p[1].op.nrcpt = 1;			/* E_RANGE before any change */
	p[3].op.also = &p[1].op;		/* fails after its own changes */
	for (i = 0; i < 5; i++) {
		if (i == 1)
			continue;
		kit_submit(k, &p[i].op);
	}
	p[1].op.arg = k;
	p[1].op.done = kit_done;
	k->pending++;
	assert_int_equal(kit_wait(k), E_RANGE);
	for (i = 0; i < 5; i++)
		assert_int_equal(store_get_message(k->s, id[i], &m), i == 1 || i == 3 ? E_NOTFOUND : E_OK);
	for (i = 0; i < 5; i++)
		kit_put_clear(&p[i]);
	assert_int_equal(due_count(k), 6);
}

static int
chunks(struct kit *k, uint64_t id, struct body *b, int whole)
{
	struct body_block *t;
	struct store_op op;
	int rc;

	body_seal(b);
	t = body_take_blocks(b, whole);
	memset(&op, 0, sizeof(op));
	op.kind = STORE_CHUNKS;
	op.msgid = id;
	op.blocks = t;
	rc = kit_do(k, &op);
	body_free_blocks(t);
	return (rc);
}

static void
until_no_marks(struct kit *k)
{
	/* The thread ends its removals before it waits; closing does not cut a slice short, so go on from start to start. */
	int i;

	for (i = 0; i < 50; i++) {
		kit_close(k);
		if (kit_entries(k, "mark") == 0)
			return;
		assert_int_equal(kit_open(k), E_OK);
	}
	fail();
}

static void
streaming(void **state)
{
	enum { LEN = 3000 * BODY_CHUNK + 17 };
	struct kit *k = *state;
	struct kit_put p;
	struct message m;
	struct body *b;
	uint64_t id;

	/* Ahead, then the PUT that makes it exist. */
	id = store_new_msgid(k->s);
	kit_put_init(&p, id, 1, LEN);
	b = body_ref(p.b);
	assert_int_equal(chunks(k, id, b, 0), E_OK);
	assert_int_equal(store_get_message(k->s, id, &m), E_NOTFOUND);
	p.op.blocks = b->first;
	assert_int_equal(kit_do(k, &p.op), E_OK);
	assert_int_equal(kit_check_body(k->s, id, LEN), E_OK);
	body_unref(b);
	kit_put_clear(&p);
	/* Its end: removed in slices, gone at once for readers. */
	kit_message(&m, id, 1, LEN);
	m.flags = MSGF_DONE;
	outcome(k, id, &m, NULL, 0, "", E_OK);
	assert_int_equal(store_get_message(k->s, id, &m), E_NOTFOUND);
	until_no_marks(k);
	assert_int_equal(kit_entries(k, "body"), 0);
	assert_int_equal(kit_entries(k, "recipient") + kit_entries(k, "due"), 0);

	/* Dropped, and left behind (S1). */
	assert_int_equal(kit_open(k), E_OK);
	id = store_new_msgid(k->s);
	b = kit_body(id, 2 * BODY_CHUNK);
	assert_int_equal(chunks(k, id, b, 1), E_OK);
	body_unref(b);
	assert_int_equal(kit_simple(k, STORE_DROP, id), E_OK);
	assert_int_equal(kit_simple(k, STORE_DROP, id), E_NOTFOUND);
	id = store_new_msgid(k->s);
	b = kit_body(id, 2000 * BODY_CHUNK);
	assert_int_equal(chunks(k, id, b, 1), E_OK);
	body_unref(b);
	again(k);
	/* Chunks of a life before are gone: a PUT that counts on them is refused. */
	kit_put_init(&p, id, 1, 2000 * BODY_CHUNK + 1);
	for (p.op.blocks = p.b->first; p.op.blocks->next != NULL; )
		p.op.blocks = p.op.blocks->next;
	assert_int_equal(kit_do(k, &p.op), E_NOTFOUND);
	kit_put_clear(&p);
	until_no_marks(k);
	assert_int_equal(kit_entries(k, "body"), 0);
}

static void
hold_and_trash(void **state)
{
	struct store_figures f;
	struct kit *k = *state;
	struct store_op op;
	struct message m, list[4];
	uint64_t id[3];
	size_t n;
	int i;

	for (i = 0; i < 3; i++) {
		id[i] = store_new_msgid(k->s);
		assert_int_equal(kit_put(k, id[i], 3, 100), E_OK);
	}
	memset(&op, 0, sizeof(op));
	op.kind = STORE_MESSAGE;
	op.msgid = id[1];
	op.message = &m;
	kit_message(&m, id[1], 3, 100);
	m.flags = MSGF_HELD;
	assert_int_equal(kit_do(k, &op), E_OK);
	store_figures(k->s, &f);
	assert_int_equal(f.held, 1);
	assert_int_equal(due_count(k), 6);
	assert_int_equal(domain_count(k, D0), 3);
	assert_int_equal(kit_simple(k, STORE_TRASH, id[1]), E_OK);
	assert_int_equal(kit_simple(k, STORE_TRASH, id[1]), E_NOTFOUND);
	assert_int_equal(kit_simple(k, STORE_TRASH, id[2]), E_OK);
	again(k);
	store_figures(k->s, &f);
	assert_int_equal(f.held, 0);
	assert_int_equal(f.messages, 1);
	assert_int_equal(f.trash, 2);
	assert_int_equal(due_count(k), 3);
	assert_int_equal(domain_count(k, D0), 1);
	assert_int_equal(store_list(k->s, 0, 1, list, 4, &n), E_OK);
	assert_int_equal(n, 2);
	assert_int_equal(list[0].msgid, id[1]);
	assert_int_equal(store_list(k->s, 0, 0, list, 4, &n), E_OK);
	assert_int_equal(n, 1);
	assert_int_equal(kit_simple(k, STORE_UNDO, id[1]), E_OK);
	assert_int_equal(kit_simple(k, STORE_UNDO, id[2]), E_OK);
	assert_int_equal(kit_simple(k, STORE_UNDO, id[2]), E_NOTFOUND);
	assert_int_equal(due_count(k), 6);		/* id[1] is still held */
	m.flags = 0;
	assert_int_equal(kit_do(k, &op), E_OK);
	assert_int_equal(due_count(k), 9);
	assert_int_equal(kit_check_body(k->s, id[1], 100), E_OK);
	store_figures(k->s, &f);
	assert_int_equal(f.held, 0);
	assert_int_equal(f.messages, 3);
	assert_int_equal(store_list(k->s, id[0], 0, list, 1, &n), E_OK);
	assert_int_equal(n, 1);
	assert_int_equal(list[0].msgid, id[1]);
}

/* A job ran when the operator deleted its message: its outcome is kept, and undo does not undo that (G3). */
static void
outcome_in_the_trash(void **state)
{
	struct store_figures f;
	struct kit *k = *state;
	struct store_op op;
	struct recipient r;
	struct message m;
	uint64_t id = store_new_msgid(k->s);

	assert_int_equal(kit_put(k, id, 3, 100), E_OK);
	assert_int_equal(kit_simple(k, STORE_TRASH, id), E_OK);
	memset(&op, 0, sizeof(op));
	op.kind = STORE_OUTCOME;
	op.msgid = id;
	op.message = &m;
	op.rcpt = &r;
	op.nrcpt = 1;
	kit_message(&m, id, 3, 100);
	m.ndone = 1;
	kit_recipient(&r, id, 1);
	r.state = RCPT_DELIVERED;
	r.next = 0;
	assert_int_equal(kit_do(k, &op), E_OK);
	assert_int_equal(due_count(k), 0);
	again(k);
	assert_int_equal(kit_simple(k, STORE_UNDO, id), E_OK);
	assert_int_equal(due_count(k), 2);
	assert_int_equal(store_get_message(k->s, id, &m), E_OK);
	assert_int_equal(m.ndone, 1);
	assert_int_equal(store_get_recipient(k->s, id, 1, &r), E_OK);
	assert_int_equal(r.state, RCPT_DELIVERED);
	/* With the last outcome there is nothing left to bring back. */
	assert_int_equal(kit_simple(k, STORE_TRASH, id), E_OK);
	kit_message(&m, id, 3, 100);
	m.ndone = 3;
	m.flags |= MSGF_DONE;
	assert_int_equal(kit_do(k, &op), E_OK);
	assert_int_equal(kit_simple(k, STORE_UNDO, id), E_NOTFOUND);
	store_figures(k->s, &f);
	assert_int_equal(f.trash, 0);
	assert_int_equal(f.messages, 0);
	assert_int_equal(kit_do(k, &op), E_NOTFOUND);
}

static void
ids(void **state)
{
	struct kit *k = *state;
	uint64_t last, id;
	uint32_t boot;
	int i, j;

	for (last = 0, j = 0; j < 5; j++) {
		boot = store_boot(k->s);
		for (i = 0; i < 10000; i++) {
			id = store_new_msgid(k->s);
			assert_true(id > last);
			last = id;
		}
		again(k);
		assert_int_equal(store_boot(k->s), boot + 1);
	}
}

/* At the quota new mail is refused; outcomes, notices and removals go on, and then there is room again. */
static void
quota(void **state)
{
	enum { LEN = 40 * BODY_CHUNK };
	struct store_figures f;
	struct kit *k = *state;
	struct recipient r;
	struct message m;
	uint64_t id[400], extra;
	unsigned i, n;
	int rc;

	kit_close(k);
	assert_int_equal(kit_open_as(k, 16 << 20, 4 << 20), E_OK);
	for (n = 0; n < 400; n++) {
		id[n] = store_new_msgid(k->s);
		rc = kit_put(k, id[n], 1, LEN);
		if (rc != E_OK)
			break;
	}
	assert_int_equal(rc, E_FULL);
	assert_in_range(n, 50, 75);		/* 12 MB of 160 KB each */
	store_figures(k->s, &f);
	assert_in_range(f.octets, 11 << 20, 12 << 20);
	assert_int_equal(store_get_message(k->s, id[n], &m), E_NOTFOUND);
	for (i = 0; i < n; i++) {
		kit_recipient(&r, id[i], 0);
		kit_message(&m, id[i], 1, LEN);
		r.state = RCPT_DEFERRED;
		r.next += 60;
		outcome(k, id[i], &m, &r, 1, "a dialogue", E_OK);
	}
	extra = store_new_msgid(k->s);
	assert_int_equal(kit_put(k, extra, 1, LEN), E_FULL);
	for (i = 0; i < n; i++) {
		kit_message(&m, id[i], 1, LEN);
		m.flags = MSGF_DONE;
		outcome(k, id[i], &m, NULL, 0, "", E_OK);
	}
	assert_int_equal(kit_put(k, extra, 1, LEN), E_OK);
	store_figures(k->s, &f);
	assert_int_equal(f.messages, 1);
	assert_in_range(f.octets, LEN, 1 << 20);
}

/* ---- refusals at the door ---- */

static void
path_of(struct kit *k, const char *name, char dst[128])
{
	snprintf(dst, 128, "%s/%s", k->dir, name);
}

static void
second_open(void **state)
{
	struct kit *k = *state;
	struct store_options o = { k->dir, KIT_QUOTA, 0 };
	struct store *other;
	int status;
	pid_t pid;

	/* flock() belongs to the open file, so another open in this process stands for another process; and a real one. */
	assert_int_equal(store_open(&other, &o), E_BUSY);
	if ((pid = fork()) == 0)
		_exit(store_open(&other, &o) == E_BUSY ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(kit_put(k, store_new_msgid(k->s), 1, 1), E_OK);
}

static void
cut_file(void **state)
{
	struct kit *k = *state;
	char p[128];
	uint64_t id;
	int i;

	id = store_new_msgid(k->s);
	assert_int_equal(kit_put(k, id, 1, 200 * BODY_CHUNK), E_OK);
	kit_close(k);
	path_of(k, "data.mdb", p);
	assert_int_equal(truncate(p, 100 * 4096), 0);
	assert_int_equal(kit_open(k), E_CORRUPT);
	for (i = 0; i < 3; i++) {
		assert_int_equal(truncate(p, i * 100), 0);
		assert_int_equal(kit_open(k), E_CORRUPT);
	}
	assert_int_equal(unlink(p), 0);
	assert_int_equal(kit_open(k), E_CORRUPT);
	/* Only the operator's word makes it an empty store. */
	path_of(k, "owner", p);
	assert_int_equal(unlink(p), 0);
	assert_int_equal(kit_open(k), E_OK);
}

/* Change one record beneath the store: byte `at` of the value, or a whole new value. */
static void
tamper(struct kit *k, const char *table, const void *key, size_t klen, size_t at)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val kk, v;
	uint8_t *copy;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
	assert_int_equal(mdb_env_set_mapsize(env, 256 << 20), 0);
	assert_int_equal(mdb_env_open(env, k->dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	kk.mv_data = (void *)(uintptr_t)key;
	kk.mv_size = klen;
	assert_int_equal(mdb_get(txn, dbi, &kk, &v), 0);
	assert_true(at < v.mv_size);
	assert_non_null(copy = malloc(v.mv_size));
	memcpy(copy, v.mv_data, v.mv_size);
	copy[at] ^= 0x10;
	v.mv_data = copy;
	assert_int_equal(mdb_put(txn, dbi, &kk, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	free(copy);
}

static void
be_key(uint8_t *p, uint64_t id, uint32_t index)
{
	int i;

	for (i = 0; i < 8; i++)
		p[i] = (uint8_t)(id >> (56 - 8 * i));
	for (i = 0; i < 4; i++)
		p[8 + i] = (uint8_t)(index >> (24 - 8 * i));
}

static void
damaged_records(void **state)
{
	struct message m, list[4];
	struct kit *k = *state;
	uint8_t chunk[BODY_CHUNK], key[12];
	struct recipient r;
	unsigned count = 0;
	uint64_t id[3];
	uint32_t len;
	size_t n;
	int i;

	for (i = 0; i < 3; i++) {
		id[i] = store_new_msgid(k->s);
		assert_int_equal(kit_put(k, id[i], 2, 2 * BODY_CHUNK), E_OK);
	}
	kit_close(k);
	be_key(key, id[0], 0);
	tamper(k, "message", key, 8, 20);
	be_key(key, id[1], 1);
	tamper(k, "recipient", key, 12, 30);
	tamper(k, "body", key, 12, 2000);
	assert_int_equal(kit_open(k), E_OK);
	assert_int_equal(store_get_message(k->s, id[0], &m), E_CORRUPT);
	assert_int_equal(store_get_recipient(k->s, id[1], 1, &r), E_CORRUPT);
	assert_int_equal(store_get_recipient(k->s, id[1], 0, &r), E_OK);
	assert_int_equal(store_read_chunk(k->s, id[1], 1, chunk, &len), E_CORRUPT);
	assert_int_equal(store_read_chunk(k->s, id[1], 0, chunk, &len), E_OK);
	assert_int_equal(store_each_recipient(k->s, id[1], kit_count_fn, &count), E_OK);
	assert_int_equal(count, 1);
	assert_int_equal(store_list(k->s, 0, 0, list, 4, &n), E_OK);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].msgid, id[0]);
	assert_int_equal(list[0].flags, MSGF_DAMAGED);
	assert_int_equal(list[1].msgid, id[1]);
	assert_int_equal(list[1].flags & MSGF_DAMAGED, 0);
	/* The rest goes on, and a damaged recipient can be given a new value. */
	assert_int_equal(kit_check_body(k->s, id[2], 2 * BODY_CHUNK), E_OK);
	kit_message(&m, id[1], 2, 2 * BODY_CHUNK);
	kit_recipient(&r, id[1], 1);
	r.state = RCPT_DEFERRED;
	outcome(k, id[1], &m, &r, 1, "", E_OK);
	assert_int_equal(store_get_recipient(k->s, id[1], 1, &r), E_OK);
	/* A damaged message can be ended: nothing of it stays, not even in the indexes, and the others do. */
	assert_int_equal(kit_simple(k, STORE_TRASH, id[0]), E_OK);
	assert_int_equal(store_list(k->s, 0, 1, list, 4, &n), E_OK);
	assert_int_equal(n, 0);
	kit_close(k);
	assert_int_equal(kit_entries(k, "message"), 2);
	assert_int_equal(kit_entries(k, "recipient"), 4);
	assert_int_equal(kit_entries(k, "body"), 4);
	assert_int_equal(kit_entries(k, "domain"), 4);
	assert_int_equal(kit_entries(k, "due"), 4);
	assert_int_equal(kit_entries(k, "mark"), 0);
}

static void
wrong_version(void **state)
{
	struct kit *k = *state;
	struct store_op op;

	memset(&op, 0, sizeof(op));
	op.kind = STORE_META;
	op.name = "schema";
	op.value = 99;
	assert_int_equal(kit_do(k, &op), E_OK);
	kit_close(k);
	assert_int_equal(kit_open(k), E_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(put_and_read), T(outcomes), T(outcome_with_notice), T(order_and_batch), T(background),
		T(one_bad_among_many), T(streaming), T(hold_and_trash), T(ids), T(quota), T(second_open), T(cut_file),
		T(one_bad_among_many), T(streaming), T(outcome_in_the_trash), T(ids), T(quota), T(second_open), T(cut_file),
		T(damaged_records), T(wrong_version),
#undef T
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
