/*
 * reload_test.c -- the two steps of a reload: all or nothing, and storms cost two (G8, F19).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "master/reload.h"

static void
test_good(void **state)
{
	struct reload r = { 0 };
	uint64_t round;

	(void)state;
	assert_int_equal(reload_request(&r, &round), RELOAD_CHECK);
	assert_int_equal(round, 1);
	assert_int_equal(reload_checked(&r, 1, 7, 0x15, 1000), RELOAD_SEND);
	assert_int_equal(reload_ready(&r, 0, 7, 1), RELOAD_NOTHING);
	assert_int_equal(reload_ready(&r, 0, 7, 1), RELOAD_NOTHING);	/* said twice */
	assert_int_equal(reload_ready(&r, 1, 7, 1), RELOAD_NOTHING);	/* was not asked */
	assert_int_equal(reload_ready(&r, 2, 6, 1), RELOAD_NOTHING);	/* an older one */
	assert_int_equal(reload_ready(&r, 2, 7, 1), RELOAD_NOTHING);
	assert_int_equal(reload_ready(&r, 4, 7, 1), RELOAD_COMMIT);
	assert_int_equal(reload_over(&r), RELOAD_NOTHING);
	assert_int_equal(r.state, RELOAD_IDLE);
}

static void
test_refused(void **state)
{
	struct reload r = { 0 };
	uint64_t round;

	(void)state;
	(void)reload_request(&r, &round);
	assert_int_equal(reload_checked(&r, 0, 2, 3, 0), RELOAD_ABORT);
	assert_int_equal(reload_over(&r), RELOAD_NOTHING);
	/* One daemon cannot use it: nobody does. */
	(void)reload_request(&r, &round);
	assert_int_equal(round, 2);
	(void)reload_checked(&r, 1, 2, 3, 0);
	(void)reload_ready(&r, 0, 2, 1);
	assert_int_equal(reload_ready(&r, 1, 2, 0), RELOAD_ABORT);
	(void)reload_over(&r);
	/* Answers that come later do no harm. */
	assert_int_equal(reload_ready(&r, 1, 2, 1), RELOAD_NOTHING);
}

static void
test_gone_and_late(void **state)
{
	struct reload r = { 0 };
	uint64_t round;

	(void)state;
	(void)reload_request(&r, &round);
	(void)reload_checked(&r, 1, 2, 3, 500);
	assert_int_equal(reload_gone(&r, 0), RELOAD_NOTHING);
	assert_int_equal(reload_tick(&r, 500 + RELOAD_READY_MS - 1), RELOAD_NOTHING);
	assert_int_equal(reload_tick(&r, 500 + RELOAD_READY_MS), RELOAD_ABORT);
	(void)reload_over(&r);
	(void)reload_request(&r, &round);
	(void)reload_checked(&r, 1, 3, 3, 500);
	assert_int_equal(reload_gone(&r, 0), RELOAD_NOTHING);
	assert_int_equal(reload_gone(&r, 1), RELOAD_COMMIT);
	/* With nobody to ask it takes effect at once. */
	(void)reload_over(&r);
	(void)reload_request(&r, &round);
	assert_int_equal(reload_checked(&r, 1, 4, 0, 500), RELOAD_COMMIT);
}

static void
test_storm(void **state)
{
	struct reload r = { 0 };
	uint64_t round, first, checks = 0;
	int i;

	(void)state;
	assert_int_equal(reload_request(&r, &first), RELOAD_CHECK);
	checks++;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(reload_request(&r, &round), RELOAD_NOTHING);
		assert_int_equal(round, first + 1);
	}
	assert_int_equal(reload_checked(&r, 1, 2, 1, 0), RELOAD_SEND);
	assert_int_equal(reload_request(&r, &round), RELOAD_NOTHING);
	assert_int_equal(reload_ready(&r, 0, 2, 1), RELOAD_COMMIT);
	while (reload_over(&r) == RELOAD_CHECK) {
		checks++;
		assert_int_equal(r.round, first + 1);
		assert_int_equal(reload_checked(&r, 0, 3, 1, 0), RELOAD_ABORT);
	}
	assert_int_equal(checks, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_gone_and_late),
		cmocka_unit_test(test_storm),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
