/* turns_test.c -- whose turn is next, what leaves in the middle, and every limit. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "auth/turns.h"
#include "common/err.h"
#include "common/limits.h"

static struct turn	all[WORK_WAITING_MAX + WORK_SPARE + 1];
static struct turns	t;
static int		a, b, others[WORK_SPARE / WORK_PEER_MIN + 1];	/* owners */

static void
add(size_t i, const void *owner, uint64_t lane)
{
	assert_int_equal(turns_add(&t, &all[i], owner, lane), E_OK);
	assert_non_null(all[i].lane);
}

static size_t
next(void)
{
	struct turn	*w = turns_next(&t);

	assert_non_null(w);
	assert_null(w->lane);
	return ((size_t)(w - all));
}

/* One lane asks for ten, another owner's two lanes for two each: none waits for more than a
 * round. */
static void
fair(void **state)
{
	static const size_t	want[] = { 0, 10, 1, 12, 2, 11, 3, 13, 4, 5, 6, 7, 8, 9 };

	for (size_t i = 0; i < 10; i++)
		add(i, &a, 1);
	add(10, &b, 1);
	add(11, &b, 1);
	add(12, &b, 2);
	add(13, &b, 2);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(next(), want[i]);
	assert_null(turns_next(&t));
	assert_int_equal(t.n, 0);
}

/* Who comes anew is behind those who wait. */
static void
newcomer(void **state)
{
	add(0, &a, 1);
	add(1, &a, 1);
	add(2, &a, 2);
	assert_int_equal(next(), 0);
	add(3, &a, 3);
	assert_int_equal(next(), 2);
	assert_int_equal(next(), 1);
	assert_int_equal(next(), 3);
	assert_null(turns_next(&t));
}

static void
removal(void **state)
{
	for (size_t i = 0; i < 5; i++)
		add(i, &a, 1);
	add(5, &b, 1);
	turns_remove(&t, &all[2]);
	turns_remove(&t, &all[0]);
	turns_remove(&t, &all[4]);
	turns_remove(&t, &all[5]);
	assert_int_equal(t.n, 2);
	assert_int_equal(next(), 1);
	turns_remove(&t, &all[3]);
	assert_null(turns_next(&t));
	add(3, &b, 1);		/* and may wait again */
	assert_int_equal(next(), 3);
}

static void
limits(void **state)
{
	size_t	i = 0;

	for (; i < WORK_LANE_MAX; i++)
		add(i, &a, 1);
	assert_int_equal(turns_add(&t, &all[i], &a, 1), E_LIMIT);
	assert_null(all[i].lane);
	add(i++, &a, 2);
	add(i++, &b, 1);
	for (; i < WORK_WAITING_MAX; i++)
		add(i, &b, i);
	assert_int_equal(turns_add(&t, &all[i], &b, i), E_LIMIT);
	assert_int_equal(turns_add(&t, &all[i], &a, 3), E_LIMIT);
	turns_remove(&t, &all[7]);
	add(i++, &b, 1);
	/* Who has next to nothing there has room yet: to the last of WORK_SPARE. */
	for (size_t k = 0; k < WORK_PEER_MIN; k++)
		add(i++, &others[0], k);
	assert_int_equal(turns_add(&t, &all[i], &others[0], 0), E_LIMIT);
	for (size_t k = WORK_PEER_MIN; t.n < WORK_WAITING_MAX + WORK_SPARE; k++)
		add(i++, &others[k / WORK_PEER_MIN], 0);
	assert_int_equal(turns_add(&t, &all[i], &others[WORK_SPARE / WORK_PEER_MIN], 0), E_LIMIT);
	while (turns_next(&t) != NULL)
		;
	assert_int_equal(t.n, 0);
	assert_null(t.owners);
}

/* Against a plain model: in each round of owners everybody who waits has one turn, in order of its
 * lane. */
static void
random_order(void **state)
{
	uint64_t	last[4][8] = { { 0 } };
	size_t		waiting = 0, i, n = 0;
	uint64_t	serial[WORK_WAITING_MAX + 1] = { 0 };
	unsigned	where[WORK_WAITING_MAX + 1] = { 0 };
	static int	owners[4];

	srand(1);
	for (int step = 0; step < 20000; step++) {
		if (rand() % 3 != 0 && waiting < 200) {
			for (i = 0; all[i].lane != NULL; i++)
				;
			where[i] = (unsigned)rand() % 32;
			serial[i] = ++n;
			add(i, &owners[where[i] / 8], where[i] % 8);
			waiting++;
		} else if (waiting != 0 && rand() % 4 == 0) {
			for (i = (size_t)rand() % 200; all[i].lane == NULL; i = (i + 1) % 200)
				;
			turns_remove(&t, &all[i]);
			waiting--;
		} else if (waiting != 0) {
			i = next();
			assert_true(serial[i] > last[where[i] / 8][where[i] % 8]);
			last[where[i] / 8][where[i] % 8] = serial[i];
			waiting--;
		}
		assert_int_equal(t.n, waiting);
	}
	while (turns_next(&t) != NULL)
		;
}

static int
clear(void **state)
{
	memset(all, 0, sizeof(all));
	memset(&t, 0, sizeof(t));
	return (0);
}

#define TEST(f)	cmocka_unit_test_setup(f, clear)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(fair), TEST(newcomer), TEST(removal), TEST(limits), TEST(random_order),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
