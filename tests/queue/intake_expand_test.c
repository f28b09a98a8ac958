/* intake_expand_test.c -- transactions whose recipients have aliases: what is stored, by slices, and what if it ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/siphash.h"
#include "tests/common/rcpt_kit.h"
#include "tests/queue/intake_kit.h"

#define BIG	(3 * EXPAND_SLICE)	/* members: several turns */

static struct kit	k;
static struct rcpt_kit	tables;

static int
open_tables(void **state)
{
	struct buf	 b;

	siphash_seed();
	buf_init(&b, 1u << 20);
	assert_int_equal(buf_adds(&b, "domain d.test\nrecipients@d.test alice\nrecipients@d.test bob\n"
	    "aliases@d.test two alice@d.test bob@d.test\naliases@d.test null /dev/null\n"
	    "aliases@d.test ping pong@d.test\naliases@d.test pong ping@d.test\naliases@d.test big"), E_OK);
	for (unsigned i = 0; i < BIG; i++)
		assert_int_equal(buf_addf(&b, " m%u@else.test", i), E_OK);
	assert_int_equal(buf_adds(&b, "\naliases@d.test max"), E_OK);
	for (unsigned i = 0; i < RCPT_MAX; i++)
		assert_int_equal(buf_addf(&b, " m%u@else.test", i), E_OK);
	assert_int_equal(buf_add(&b, "\n", 2), E_OK);
	kit_open(&tables, buf_slice(&b).p);
	buf_clear(&b);
	return (0);
}

static int
close_tables(void **state)
{
	kit_close(&tables);
	return (0);
}

static int
setup(void **state)
{
	kit_init(&k);
	k.in.conf = &tables.conf;
	body_set_budget(64u << 20);
	return (0);
}

static int
teardown(void **state)
{
	intake_clear(&k.in);
	while (kit_complete(&k, E_OK))
		;
	assert_null(k.in.expanding);
	assert_int_equal(k.memory, 0);
	assert_int_equal(body_memory(), 0);
	assert_int_equal(k.in.ntxn, 0);
	return (0);
}

static void
message(uint32_t txn, const char *to, const char *to2, size_t chunks)
{
	assert_int_equal(kit_begin(&k, txn), E_OK);
	assert_int_equal(kit_rcpt_to(&k, txn, to, 0), E_OK);
	if (to2 != NULL)
		assert_int_equal(kit_rcpt_to(&k, txn, to2, 0), E_OK);
	for (size_t i = 0; i < chunks; i++)
		assert_int_equal(kit_chunk(&k, txn, IPC_CHUNK_MAX), E_OK);
	assert_int_equal(kit_commit(&k, txn, to2 != NULL ? 2 : 1, chunks * IPC_CHUNK_MAX), E_OK);
}

static void
test_small(void **state)
{
	message(1, "two@d.test", NULL, 1);
	assert_int_equal(k.puts, 1);
	assert_string_equal(k.last_rcpt, "bob@d.test");
	assert_true(kit_complete(&k, E_OK));
	assert_int_equal(k.accepted, 1);
	assert_int_equal(k.last_nrcpt, 2);
	/* The name is not shown to those it stands for more than to the client. */
	assert_non_null(strstr(k.last_body, "\tfor <two@d.test>;"));
	message(2, "alice@d.test", "ALICE@d.test", 1);
	assert_true(kit_complete(&k, E_OK));
	assert_int_equal(k.last_nrcpt, 1);
	message(3, "alice@d.test", "null@d.test", 1);
	assert_true(kit_complete(&k, E_OK));
	assert_int_equal(k.last_nrcpt, 1);
	assert_int_equal(k.discards, 1);
	assert_int_equal(k.result[2].status, TXN_DURABLE);
}

static void
test_nothing_left(void **state)
{
	message(1, "null@d.test", NULL, 1);
	assert_int_equal(k.puts, 0);
	assert_int_equal(k.nresult, 1);
	assert_int_equal(k.result[0].status, TXN_DURABLE);
	assert_int_equal(k.discards, 100);
	/* Chunks that went ahead are removed. */
	message(2, "null@d.test", NULL, 3);
	assert_int_equal(k.chunks, 0);
	assert_int_equal(kit_begin(&k, 3), E_OK);
	assert_int_equal(kit_rcpt_to(&k, 3, "null@d.test", 0), E_OK);
	for (unsigned i = 0; k.chunks == 0; i++) {
		assert_true(i < 100);
		assert_int_equal(kit_chunk(&k, 3, 16000), E_OK);
	}
	assert_int_equal(kit_commit(&k, 3, 1, k.in.txns->received), E_OK);
	assert_int_equal(k.result[2].status, TXN_DURABLE);
	assert_int_equal(k.drops, 1);
	assert_int_equal(k.puts, 0);
}

static void
test_nowhere(void **state)
{
	message(1, "ping@d.test", NULL, 1);
	assert_int_equal(k.nresult, 1);
	assert_int_equal(k.result[0].status, TXN_EXPANSION);
	assert_int_equal(k.puts, 0);
	message(2, "ping@d.test", "alice@d.test", 1);	/* one goes, the other is told */
	assert_int_equal(k.puts, 1);
	assert_true(kit_complete(&k, E_OK));
	assert_int_equal(k.last_nrcpt, 2);
}

/* RCPT_MAX ends fit an array; one more stays packed. */
static void
test_many(void **state)
{
	message(1, "max@d.test", NULL, 1);
	assert_true(kit_complete(&k, E_OK));
	assert_int_equal(k.last_nrcpt, RCPT_MAX);
	assert_int_equal(k.many, 0);
	message(2, "max@d.test", "alice@d.test", 1);
	assert_string_equal(k.last_rcpt, "alice@d.test");
	assert_true(k.memory > 0);
	assert_true(kit_complete(&k, E_OK));
	assert_int_equal(k.last_nrcpt, RCPT_MAX + 1);
	assert_int_equal(k.many, 1);
}

static void
test_slices(void **state)
{
	unsigned	 turns = 0;

	message(1, "big@d.test", NULL, 1);
	assert_int_equal(k.puts, 0);		/* not in this turn of the loop */
	assert_int_equal(k.wakes, 1);
	message(2, "alice@d.test", NULL, 1);	/* nobody waits for it */
	assert_int_equal(k.puts, 1);
	message(3, "big@d.test", NULL, 1);	/* two share the turns */
	while (intake_expand(&k.in, 0))
		assert_true(++turns < 100);
	assert_true(turns >= 2 * (BIG / EXPAND_SLICE - 1));
	assert_int_equal(k.puts, 3);
	while (kit_complete(&k, E_OK))
		;
	assert_int_equal(k.nresult, 3);
	assert_int_equal(k.many, 2);
	assert_int_equal(k.last_nrcpt, BIG);
}

/* A reload: all are finished with the configuration that goes. */
static void
test_finish(void **state)
{
	message(1, "big@d.test", NULL, 1);
	message(2, "big@d.test", NULL, 1);
	assert_false(intake_expand(&k.in, 1));
	assert_int_equal(k.puts, 2);
}

/* The store refuses what went ahead while the list is expanded; or the client's smtpd goes. */
static void
test_ends(void **state)
{
	assert_int_equal(kit_begin(&k, 1), E_OK);
	assert_int_equal(kit_rcpt_to(&k, 1, "big@d.test", 0), E_OK);
	for (unsigned i = 0; k.chunks == 0; i++) {
		assert_true(i < 100);
		assert_int_equal(kit_chunk(&k, 1, 16000), E_OK);
	}
	assert_int_equal(kit_commit(&k, 1, 1, k.in.txns->received), E_OK);
	assert_true(kit_complete(&k, E_FULL));
	assert_int_equal(k.result[0].status, TXN_FULL);
	assert_false(intake_expand(&k.in, 0));
	assert_int_equal(k.puts, 0);
	message(2, "big@d.test", NULL, 1);
	message(3, "big@d.test", NULL, 1);
	assert_true(intake_expand(&k.in, 0));
	intake_clear(&k.in);
	assert_false(intake_expand(&k.in, 0));
	assert_int_equal(k.puts, 0);
}

/* What went ahead is durable before the list is whole: the put waits for both, in either order. */
static void
test_ahead(void **state)
{
	for (uint32_t first = 0; first < 2; first++) {
		unsigned	 chunks = k.chunks, puts = k.puts;

		assert_int_equal(kit_begin(&k, 1), E_OK);
		assert_int_equal(kit_rcpt_to(&k, 1, "big@d.test", 0), E_OK);
		for (unsigned i = 0; k.chunks == chunks; i++) {
			assert_true(i < 100);
			assert_int_equal(kit_chunk(&k, 1, 16000), E_OK);
		}
		assert_int_equal(kit_commit(&k, 1, 1, k.in.txns->received), E_OK);
		if (first)
			assert_true(kit_complete(&k, E_OK));
		assert_int_equal(k.puts, puts);
		while (intake_expand(&k.in, 0))
			;
		assert_int_equal(k.puts, puts + first);
		if (!first)
			assert_true(kit_complete(&k, E_OK));
		assert_int_equal(k.puts, puts + 1);
		assert_true(kit_complete(&k, E_OK));
		assert_int_equal(k.result[first].status, TXN_DURABLE);
	}
}

/* Memory of all transactions together is bounded: 452, and nothing is kept. */
static void
test_memory(void **state)
{
	size_t	 taken;

	message(1, "two@d.test", NULL, 1);
	assert_true(kit_complete(&k, E_OK));
	taken = TXN_RCPT_MEMORY_MAX - 300000;
	k.memory += taken;
	message(2, "big@d.test", NULL, 1);
	(void)intake_expand(&k.in, 1);
	assert_int_equal(k.result[1].status, TXN_BUSY);
	assert_int_equal(k.memory, taken);
	k.memory = TXN_RCPT_MEMORY_MAX - 3000;	/* room for the name alone */
	message(3, "two@d.test", NULL, 1);
	assert_int_equal(k.result[2].status, TXN_BUSY);
	k.memory = 0;
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest	tests[] = {
		T(test_small), T(test_nothing_left), T(test_nowhere), T(test_many), T(test_slices), T(test_finish),
		T(test_ends), T(test_ahead), T(test_memory),
	};

	return (cmocka_run_group_tests(tests, open_tables, close_tables));
}
