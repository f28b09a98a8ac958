/*
 * ticket_ring_test.c -- keys of session tickets over days: one that seals, at most three that open, none past its time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "master/ticket_ring.h"

#define HOUR	(3600u * 1000u)

static uint8_t	drawn;

static void
draw(struct ticket_key *k)
{
	memset(k, ++drawn, sizeof(*k));
}

static void
setup(struct ticket_ring *r)
{
	memset(r, 0, sizeof(*r));
	drawn = 0;
}

/* The names of the keys, the newest first, as one number: 321. */
static unsigned
names(const struct ticket_ring *r)
{
	unsigned n = 0, i;

	for (i = 0; i < r->keys.n; i++) {
		n = n * 10 + r->keys.key[i].name[0];
		assert_memory_equal(r->keys.key[i].aes, r->keys.key[i].hmac, 32);
		assert_int_equal(r->keys.key[i].aes[31], r->keys.key[i].name[0]);
	}
	for (; i < TICKET_KEYS_MAX; i++)	/* a key that is gone is wiped */
		assert_int_equal(r->keys.key[i].name[0] | r->keys.key[i].aes[0] | r->keys.key[i].hmac[31], 0);
	return (n);
}

static void
test_turns(void **state)
{
	static const struct { uint64_t at; int turned; unsigned names; } rows[] = {
		{ 5, 1, 1 }, { 5, 0, 1 }, { 5 + 12 * HOUR - 1, 0, 1 }, { 5 + 12 * HOUR, 1, 21 },
		{ 5 + 24 * HOUR - 1, 0, 21 }, { 5 + 24 * HOUR, 1, 321 }, { 5 + 36 * HOUR - 1, 0, 321 },
		{ 5 + 36 * HOUR, 1, 432 }, { 5 + 48 * HOUR + 1, 1, 543 }, { 5 + 60 * HOUR, 0, 543 }, { 5 + 60 * HOUR + 1, 1, 654 },
	};
	struct ticket_ring r;
	size_t i;

	(void)state;
	setup(&r);
	assert_int_equal(ticket_ring_due(&r), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (ticket_ring_turn(&r, rows[i].at, draw) != rows[i].turned || names(&r) != rows[i].names)
			fail_msg("row %zu: keys %u, wanted %u", i, names(&r), rows[i].names);
		assert_true(ticket_ring_due(&r) > rows[i].at && ticket_ring_due(&r) <= rows[i].at + TICKET_ROTATE_MS);
	}
}

/* A machine that slept: no key opens longer than 36 hours after it was drawn. */
static void
test_sleep(void **state)
{
	static const struct { uint64_t slept; unsigned names; } rows[] = {
		{ 12 * HOUR, 432 }, { 24 * HOUR - 1, 432 }, { 24 * HOUR, 43 }, { 36 * HOUR - 1, 43 }, { 36 * HOUR, 4 },
		{ 1000ull * HOUR, 4 },
	};
	struct ticket_ring r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup(&r);
		assert_int_equal(ticket_ring_turn(&r, 0, draw) + ticket_ring_turn(&r, 12 * HOUR, draw) +
		    ticket_ring_turn(&r, 24 * HOUR, draw), 3);
		assert_int_equal(ticket_ring_turn(&r, 24 * HOUR + rows[i].slept, draw), 1);
		if (names(&r) != rows[i].names)
			fail_msg("row %zu: keys %u, wanted %u", i, names(&r), rows[i].names);
		assert_int_equal(ticket_ring_turn(&r, 24 * HOUR + rows[i].slept, draw), 0);
	}
}

static void
test_renew(void **state)
{
	struct ticket_ring r;

	(void)state;
	setup(&r);
	ticket_ring_renew(&r, 100, draw);
	ticket_ring_renew(&r, 100, draw);
	assert_int_equal(names(&r), 21);
	ticket_ring_renew(&r, 200, draw);
	ticket_ring_renew(&r, 200, draw);
	assert_int_equal(names(&r), 432);
	assert_int_equal(ticket_ring_due(&r), 200 + TICKET_ROTATE_MS);
	ticket_ring_clear(&r);
	assert_int_equal(r.keys.n, 0);
	assert_int_equal(names(&r), 0);
	assert_int_equal(ticket_ring_due(&r), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_sleep),
		cmocka_unit_test(test_renew),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
