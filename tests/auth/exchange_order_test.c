/*
 * exchange_order_test.c -- exchanges that fail, and how often they may; what comes at the wrong time; limits, cancelling.
 */
#include "tests/auth/exchange_kit.h"

/* ---- failures ---- */

static void
failing(void **state)
{
	static const uint32_t	wait[] = { 1000, 2000, 4000 };
	struct ipc_sasl		m;

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0wrong")), -1);
		backend_says(SASL_FAILED);
		assert_int_equal(last.wait_ms, wait[i]);
	}
	/* No hash any more, whatever the mechanism; the log hears for whom. */
	checks = 0;
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0right")), SASL_TEMPORARY);
	assert_string_equal(last.login, "bob");
	assert_true(last.wait_ms > 0);
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0other\0right")), SASL_TEMPORARY);
	assert_int_equal(first(SASL_PLAIN, 1, LIT("x\0other\0right")), SASL_TEMPORARY);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_int_equal(next(SASL_LOGIN, LIT("right")), SASL_TEMPORARY);
	assert_int_equal(first(SASL_SCRAM_SHA_256, 1, LIT("n,,n=alice,r=abc")), SASL_TEMPORARY);
	assert_int_equal(external("alice", slice_make("", 0)), SASL_TEMPORARY);
	assert_int_equal(checks, 0);
	assert_int_equal(counters[COUNT_LIMITED], 6);
	/* The login from elsewhere too; others from there not. */
	m = message(SASL_PLAIN, 1, LIT("\0bob\0right"));
	assert_int_equal(net_addr_parse(&m.client, slice_str("192.0.2.2")), 0);
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_TEMPORARY);
	m = message(SASL_PLAIN, 1, LIT("\0carol\0right"));
	assert_int_equal(net_addr_parse(&m.client, slice_str("192.0.2.2")), 0);
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	backend_says(SASL_OK);
	now += 60000;
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0right")), -1);
	backend_says(SASL_OK);
	/* Malformed and temporary are no failures. */
	for (int i = 0; i < 10; i++) {
		assert_int_equal(first(SASL_PLAIN, 1, LIT("bob")), SASL_BAD);
		assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
		backend_says(SASL_TEMPORARY);
	}
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
	backend_says(SASL_OK);
}

/* Many at once do not get more than the limit: it is looked at again when the proof is there. */
static void
at_once(void **state)
{
	struct slice	f;
	uint32_t	ids[10];

	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(first(SASL_SCRAM_SHA_256, 1, LIT("n,,n=alice,r=abc")), SASL_CONTINUE);
		ids[i] = id;
	}
	f = final("n=alice,r=abc", "wrong", "biws");
	for (size_t i = 0; i < 10; i++) {
		id = ids[i];
		assert_int_equal(next(SASL_SCRAM_SHA_256, f), i < 3 ? SASL_FAILED : SASL_TEMPORARY);
	}
	id += 100;
}

/* ---- order ---- */

static void
wrong_order(void **state)
{
	struct ipc_sasl	m = { .id = 77, .mechanism = SASL_PLAIN, .data = LIT("\0bob\0x") }, again;

	assert_int_equal(exchange_message(&peer, &m), E_PROTO);		/* never begun */
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
	m.id = id;
	assert_int_equal(exchange_message(&peer, &m), E_PROTO);		/* it waits for us */
	again = message(SASL_PLAIN, 1, LIT("\0bob\0x"));
	again.id = --id;
	assert_int_equal(exchange_message(&peer, &again), E_PROTO);	/* begun twice */
	backend_says(SASL_OK);
	assert_int_equal(exchange_message(&peer, &m), E_PROTO);		/* over */
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_CONTINUE);
	m.id = id;
	assert_int_equal(exchange_message(&peer, &m), E_PROTO);		/* another mechanism */
	again = message(SASL_PLAIN, 0, LIT("x"));
	assert_int_equal(exchange_message(&peer, &again), E_PROTO);	/* no initial response, and yet one */
	exchange_end(&peer, 4711);					/* unknown: over already */
	exchange_end(&peer, m.id);
	assert_int_equal(cancels, 0);
	assert_int_equal(peer.nopen, 0);
}

static void
cancelled(void **state)
{
	unsigned	before;

	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
	before = answers;
	exchange_end(&peer, id);
	assert_int_equal(cancels, 1);
	assert_int_equal(answers, before);
	/* Between two steps of a backend's own, too. */
	env.backend = &by_itself;
	assert_int_equal(first(SASL_SCRAM_SHA_256, 1, LIT("n,,n=carol,r=abc")), -1);
	auth_challenge(asked, LIT("x"));
	exchange_end(&peer, id);
	assert_int_equal(cancels, 2);
	/* The peer has gone, and the backend of now is another one than it began with. */
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), -1);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	env.backend = NULL;
	exchange_end_all(&peer);
	assert_int_equal(cancels, 3);
	assert_int_equal(peer.nopen, 0);
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), SASL_TEMPORARY);
}

static void
not_offered(void **state)
{
	env.mechanisms = 1 << SASL_LOGIN;
	assert_int_equal(first(SASL_PLAIN, 1, LIT("\0bob\0x")), SASL_TEMPORARY);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_int_equal(checks, 0);
}

static void
open_limit(void **state)
{
	uint32_t	some;

	for (uint32_t i = 0; i < SASL_OPEN_MAX; i++)
		assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_CONTINUE);
	some = id;
	assert_int_equal(peer.nopen, SASL_OPEN_MAX);
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_TEMPORARY);
	exchange_end(&peer, some - 1000);
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_CONTINUE);
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_TEMPORARY);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(failing), TEST(at_once), TEST(wrong_order), TEST(cancelled), TEST(not_offered), TEST(open_limit),
	};

	siphash_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
