/*
 * etrn_test.c -- RFC 1985's answers over an index that is made up.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "queue/etrn.h"

#define MANY	(3 * ETRN_LOOK_MAX)

struct item { char domain[64]; uint64_t msgid; int state; };	/* 0 waits, 1 is being tried, 2 later */

static struct kit {
	struct etrn	*e;
	struct item	 item[MANY];
	size_t		 n;
	int		 paused, busy, fail;
	unsigned	 retried, names;
	unsigned	 nanswer;
	uint64_t	 peer;
	struct ipc_etrn_result last;
} k;

static int
next_domain(void *arg, const char *after, char *dst)
{
	const char *best = NULL;
	size_t i;

	k.names++;
	for (i = 0; i < k.n; i++)
		if (strcmp(k.item[i].domain, after) > 0 && (best == NULL || strcmp(k.item[i].domain, best) < 0))
			best = k.item[i].domain;
	if (best == NULL)
		return (E_NOTFOUND);
	(void)snprintf(dst, DOMAIN_MAX + 1, "%s", best);
	return (E_OK);
}

static int
domain(void *arg, const char *name, const struct store_due *after, struct store_due *out, size_t max, size_t *n)
{
	size_t i;

	*n = 0;
	if (k.fail)
		return (E_IO);
	for (i = 0; i < k.n && *n < max; i++)
		if (strcmp(k.item[i].domain, name) == 0 && k.item[i].msgid > after->msgid)
			out[(*n)++] = (struct store_due){ .msgid = k.item[i].msgid };
	return (E_OK);
}

static int
retry(void *arg, uint64_t msgid, const char *name, int look, struct retried *done)
{
	size_t i;

	memset(done, 0, sizeof(*done));
	for (i = 0; i < k.n; i++) {
		if (k.item[i].msgid != msgid || strcmp(k.item[i].domain, name) != 0)
			continue;
		if (k.item[i].state == 2) {
			done->later++;
		} else if (look || k.item[i].state == 1) {
			done->under_way++;
		} else {
			done->changed++;
			k.item[i].state = 1;
			k.retried++;
		}
	}
	return (E_OK);
}

static int is_relay(void *arg, const char *name) { return (strncmp(name, "else.", 5) != 0); }
static int paused(void *arg) { return (k.paused); }
static int busy(void *arg) { return (k.busy); }

static void
answer(void *arg, uint64_t peer, const struct ipc_etrn *m, const struct ipc_etrn_result *r)
{
	k.nanswer++;
	k.peer = peer;
	k.last = *r;
}

static const struct etrn_ops ops = { .next_domain = next_domain, .domain = domain, .retry = retry, .is_relay = is_relay,
	.paused = paused,
	.busy = busy, .answer = answer };

static int
setup(void **state)
{
	memset(&k, 0, sizeof(k));
	k.e = etrn_new(&ops, NULL);
	return (k.e == NULL);
}

static int
teardown(void **state)
{
	etrn_free(k.e);
	return (0);
}

static void
add(const char *name, uint64_t msgid, int state)
{
	(void)snprintf(k.item[k.n].domain, sizeof(k.item[k.n].domain), "%s", name);
	k.item[k.n].msgid = msgid;
	k.item[k.n++].state = state;
}

static void
request(enum etrn_kind kind, const char *name, uint64_t now)
{
	struct ipc_etrn m = { .id = 5, .kind = (uint8_t)kind };

	k.nanswer = 0;
	(void)snprintf(m.name, sizeof(m.name), "%s", name);
	etrn_start(k.e, 3, &m, now);
	while (etrn_run(k.e))
		;
	assert_int_equal(k.nanswer, 1);
	assert_int_equal(k.peer, 3);
	assert_int_equal(k.last.id, 5);
}

static void
test_answers(void **state)
{
	static const struct { enum etrn_kind kind; const char *name; enum etrn_status status; uint32_t count; } t[] = {
		{ ETRN_NODE, "none.example", ETRN_NOTHING, 0 },
		{ ETRN_NODE, "a.example", ETRN_COUNTED, 2 },
		{ ETRN_NODE, "B.example", ETRN_COUNTED, 1 },		/* any case */
		{ ETRN_NODE, "busy.example", ETRN_PENDING, 0 },
		{ ETRN_NODE, "later.example", ETRN_NOTHING, 0 },	/* RFC 4865: not to be sent yet */
		{ ETRN_QUEUE, "c.example", ETRN_COUNTED, 1 },
		{ ETRN_TREE, "tree.example", ETRN_COUNTED, 3 },
		{ ETRN_TREE, "ree.example", ETRN_NOTHING, 0 },		/* not a label's end */
		{ ETRN_NODE, "example", ETRN_NOTHING, 0 },
		{ ETRN_NODE, "else.tree.example", ETRN_NOTHING, 0 },	/* no relay domain: not the client's to start */
	};
	size_t i;

	add("a.example", 1, 0);
	add("a.example", 2, 0);
	add("a.example", 3, 1);
	add("b.example", 4, 0);
	add("busy.example", 5, 1);
	add("later.example", 6, 2);
	add("c.example", 7, 0);
	add("tree.example", 8, 0);
	add("x.tree.example", 9, 0);
	add("a.b.c.tree.example", 10, 0);
	add("xtree.example", 11, 0);
	add("zz.example", 12, 0);
	add("else.tree.example", 13, 0);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		request(t[i].kind, t[i].name, 1000);
		if (k.last.status != t[i].status || k.last.count != t[i].count)
			fail_msg("%s: status %u count %u", t[i].name, k.last.status, k.last.count);
	}
	assert_int_equal(k.retried, 2 + 1 + 1 + 3);
	assert_int_equal(k.item[10].state, 0);
	assert_int_equal(k.item[11].state, 0);
}

/* Started once in ETRN_AGAIN_S; what can be said in between is whether mail waits. */
static void
test_again(void **state)
{
	add("a.example", 1, 0);
	request(ETRN_NODE, "a.example", 1000);
	assert_int_equal(k.last.status, ETRN_COUNTED);
	k.item[0].state = 0;
	request(ETRN_NODE, "a.example", 1000 + ETRN_AGAIN_S * 1000 - 1);
	assert_int_equal(k.last.status, ETRN_PENDING);
	assert_int_equal(k.retried, 1);
	k.n = 0;
	request(ETRN_NODE, "a.example", 1000 + ETRN_AGAIN_S * 1000 - 1);
	assert_int_equal(k.last.status, ETRN_NOTHING);
	k.n = 1;
	request(ETRN_NODE, "a.example", 1000 + ETRN_AGAIN_S * 1000);
	assert_int_equal(k.last.status, ETRN_COUNTED);
	assert_int_equal(k.retried, 2);
	k.item[0].state = 0;
	request(ETRN_TREE, "a.example", 1000 + ETRN_AGAIN_S * 1000);	/* another request */
	assert_int_equal(k.last.status, ETRN_COUNTED);
}

static void
test_unable(void **state)
{
	add("a.example", 1, 0);
	k.paused = 1;
	request(ETRN_NODE, "a.example", 1000);
	assert_int_equal(k.last.status, ETRN_UNABLE);
	k.paused = 0;
	k.fail = 1;
	request(ETRN_NODE, "a.example", 1000);
	assert_int_equal(k.last.status, ETRN_UNABLE);
	assert_int_equal(k.retried, 0);
}

/* Up to ETRN_LOOK_MAX recipients the answer counts; beyond it comes at once and the rest follows. */
static void
test_look_limit(void **state)
{
	static const size_t sizes[] = { ETRN_LOOK_MAX - 1, ETRN_LOOK_MAX, ETRN_LOOK_MAX + 1, MANY };
	struct ipc_etrn m = { .id = 5, .kind = ETRN_NODE, .name = "a.example" };
	unsigned turns;
	size_t i, j;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		k.n = 0;
		k.retried = k.nanswer = 0;
		for (j = 0; j < sizes[i]; j++)
			add("a.example", j + 1, 0);
		etrn_start(k.e, 3, &m, 1000 + i * ETRN_AGAIN_S * 1000);
		for (turns = 0; etrn_run(k.e); turns++)
			if (k.nanswer != 0)
				assert_true(k.retried >= ETRN_LOOK_MAX);
		assert_int_equal(k.nanswer, 1);
		assert_int_equal(k.retried, sizes[i]);
		assert_true(turns >= sizes[i] / 64);	/* never all at once */
		if (sizes[i] < ETRN_LOOK_MAX) {
			assert_int_equal(k.last.status, ETRN_COUNTED);
			assert_int_equal(k.last.count, sizes[i]);
		} else {
			assert_int_equal(k.last.status, ETRN_STARTED);
		}
	}
}

/* Who may only look has his answer in time, and nothing goes on behind it: ETRN in a loop costs no more. */
static void
test_look_ends(void **state)
{
	char name[64];
	unsigned i;

	for (i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "n%05u.example", i);
		add(name, i + 1, 0);
	}
	request(ETRN_TREE, "tree.example", 1000);
	assert_int_equal(k.last.status, ETRN_STARTED);
	assert_true(k.names > MANY);
	k.names = 0;
	request(ETRN_TREE, "tree.example", 1001);
	assert_int_equal(k.last.status, ETRN_PENDING);
	assert_in_range(k.names, ETRN_LOOK_MAX, ETRN_LOOK_MAX + 64);
}

static void
test_runs_limit(void **state)
{
	struct ipc_etrn m = { .id = 1, .kind = ETRN_NODE };
	unsigned i;

	for (i = 0; i < ETRN_RUNS_MAX; i++) {
		(void)snprintf(m.name, sizeof(m.name), "n%u.example", i);
		etrn_start(k.e, 3, &m, 1000);
	}
	assert_int_equal(k.nanswer, 0);
	etrn_start(k.e, 3, &m, 1000);
	assert_int_equal(k.nanswer, 1);
	assert_int_equal(k.last.status, ETRN_UNABLE);
	k.busy = 1;			/* the store has enough to do: later */
	assert_true(etrn_run(k.e));
	assert_int_equal(k.nanswer, 1);
	k.busy = 0;
	assert_false(etrn_run(k.e));
	assert_int_equal(k.nanswer, 1 + ETRN_RUNS_MAX);
}

static void
test_nodes_limit(void **state)
{
	char name[64];
	unsigned i;

	for (i = 0; i < ETRN_NODES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example", i);
		request(ETRN_NODE, name, 1000);
	}
	add("late.example", 1, 0);
	request(ETRN_NODE, "late.example", 1001);	/* no room to remember it: only looked at */
	assert_int_equal(k.last.status, ETRN_PENDING);
	request(ETRN_NODE, "late.example", 1001 + ETRN_AGAIN_S * 1000);
	assert_int_equal(k.last.status, ETRN_COUNTED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_look_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_look_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_runs_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nodes_limit, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
