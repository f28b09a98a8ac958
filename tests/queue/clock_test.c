/*
 * clock_test.c -- steps of the wall clock: nothing expires at once, nothing stalls (F12).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "queue/clock.h"

#define T0	1800000000
#define DAY	86400
#define YEARS	(10 * 365ll * DAY)

/* Run for so many seconds in steps of one; the wall clock goes along. */
static void
run(struct clock *c, int64_t *wall, uint64_t *mono, unsigned seconds, uint64_t msgid)
{
	while (seconds-- > 0) {
		*wall += 1;
		*mono += 1000;
		assert_false(clock_tick(c, *wall, *mono, msgid));
	}
}

static void
test_plain(void **state)
{
	struct clock c = { 0 };
	int64_t wall = T0;
	uint64_t mono = 5123;

	clock_start(&c, wall, mono, 0, 100);
	run(&c, &wall, &mono, 1000, 100);
	assert_int_equal(clock_due(&c), T0 + 1000);
	assert_int_equal(clock_age(&c, 50, T0 - 10), 1010);
	assert_int_equal(clock_age(&c, 50, T0 + 5000), 0);
	assert_int_equal(clock_show(&c, T0 + 60), T0 + 60);
	assert_int_equal(clock_show(&c, 0), 0);
}

static void
test_step(void **state)
{
	static const int64_t steps[] = { DAY, -DAY, YEARS, -YEARS, 3600, -3600, 31, -31 };
	struct clock c;
	int64_t wall, due;
	uint64_t mono;
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		c = (struct clock){ 0 };
		wall = T0;
		mono = 777;
		clock_start(&c, wall, mono, 0, 100);
		run(&c, &wall, &mono, 100, 100);
		due = clock_due(&c);
		wall += steps[i] + 1;
		mono += 1000;
		assert_true(clock_tick(&c, wall, mono, 200));
		/* An old message is a second older, whatever the wall says; a new one knows no step. */
		assert_int_equal(clock_age(&c, 150, T0), 101);
		assert_int_equal(clock_age(&c, 200, wall), 0);
		/* Due times never run backwards, so what was to come in 60 seconds comes in 60 at most. */
		assert_true(clock_due(&c) >= due);
		assert_true(clock_due(&c) >= wall);
		run(&c, &wall, &mono, 60, 300);
		assert_true(clock_due(&c) >= due + 60);
		assert_int_equal(clock_age(&c, 150, T0), 161);
		assert_int_equal(clock_age(&c, 250, wall - 30), 30);
		/* People see wall-clock times. */
		assert_int_equal(clock_show(&c, clock_due(&c) + 5), wall + 5);
	}
}

/* There and back: as if nothing had been. */
static void
test_there_and_back(void **state)
{
	struct clock c = { 0 };
	int64_t wall = T0;
	uint64_t mono = 0;

	clock_start(&c, wall, mono, 0, 100);
	wall += YEARS;
	assert_true(clock_tick(&c, wall, mono, 200));
	wall -= YEARS;
	assert_true(clock_tick(&c, wall, mono, 300));
	assert_int_equal(clock_age(&c, 150, T0), 0);
	/* It arrived in the wrong year, and is not ten years old or unborn. */
	assert_int_equal(clock_age(&c, 250, T0 + YEARS), 0);
	run(&c, &wall, &mono, 40, 400);
	assert_int_equal(clock_age(&c, 250, T0 + YEARS), 40);
}

static void
test_restart(void **state)
{
	struct clock c = { 0 };

	/* A month without a queue does not count; a minute does. */
	clock_start(&c, T0 + 30 * DAY, 0, T0, 500);
	assert_int_equal(clock_age(&c, 400, T0 - 100), 100);
	assert_int_equal(clock_due(&c), T0 + 30 * DAY);
	c = (struct clock){ 0 };
	clock_start(&c, T0 + 60, 0, T0, 500);
	assert_int_equal(clock_age(&c, 400, T0 - 100), 160);
	/* Set back while nobody ran: due times go on from where they were. */
	c = (struct clock){ 0 };
	clock_start(&c, T0 - YEARS, 0, T0, 500);
	assert_int_equal(clock_due(&c), T0);
	assert_int_equal(clock_age(&c, 400, T0 - 100), 100);
}

/* More steps than are remembered never make a message older than it is. */
static void
test_many(void **state)
{
	struct clock c = { 0 };
	int64_t wall = T0;
	uint64_t mono = 0;
	int i;

	clock_start(&c, wall, mono, 0, 10);
	for (i = 0; i < 5 * CLOCK_STEPS; i++) {
		wall += i % 2 == 0 ? DAY : -DAY / 2;
		assert_true(clock_tick(&c, wall, mono, 20 + (uint64_t)i));
		assert_true(clock_age(&c, 5, T0) <= 1);
	}
	assert_true(c.nstep <= CLOCK_STEPS);
}

/* A step is found when it is larger than CLOCK_STEP_S, to either side. */
static void
test_step_limit(void **state)
{
	struct clock c;
	int64_t step;

	for (step = CLOCK_STEP_S - 1; step <= CLOCK_STEP_S + 1; step++) {
		for (int sign = -1; sign <= 1; sign += 2) {
			c = (struct clock){ 0 };
			clock_start(&c, T0, 0, 0, 100);
			assert_int_equal(clock_tick(&c, T0 + sign * step, 0, 200), step > CLOCK_STEP_S);
			assert_int_equal(c.nstep, step > CLOCK_STEP_S);
		}
		/* The same back step while nobody ran. */
		c = (struct clock){ 0 };
		clock_start(&c, T0 - step, 0, T0, 100);
		assert_int_equal(c.nstep, step > CLOCK_STEP_S);
		assert_int_equal(clock_due(&c), T0);
	}
}

/* Time without this process counts up to CLOCK_DOWN_S; a longer one counts as none. */
static void
test_down_limit(void **state)
{
	struct clock c;
	int64_t down;

	for (down = CLOCK_DOWN_S - 1; down <= CLOCK_DOWN_S + 1; down++) {
		c = (struct clock){ 0 };
		clock_start(&c, T0 + down, 0, T0, 500);
		assert_int_equal(clock_age(&c, 400, T0 - 100), down > CLOCK_DOWN_S ? 100 : 100 + down);
	}
}

/* One step more than are remembered pushes the oldest out, and only then. */
static void
test_steps_limit(void **state)
{
	struct clock c;
	unsigned i, n;

	for (n = CLOCK_STEPS - 1; n <= CLOCK_STEPS + 1; n++) {
		c = (struct clock){ 0 };
		clock_start(&c, T0, 0, 0, 10);
		for (i = 1; i <= n; i++)
			assert_true(clock_tick(&c, T0 + i * DAY, 0, 10 + i));
		assert_int_equal(c.nstep, n > CLOCK_STEPS ? CLOCK_STEPS : n);
		assert_int_equal(c.step[0].before, n > CLOCK_STEPS ? 12 : 11);
		assert_int_equal(clock_age(&c, 5, T0), 0);
	}
}

/* A deadline: a step of the clock does not bring it nearer, time without a queue does. */
static void
test_passed(void **state)
{
	struct clock c = { 0 };
	int64_t wall = T0;
	uint64_t mono = 777;

	clock_start(&c, wall, mono, 0, 100);
	run(&c, &wall, &mono, 100, 100);
	assert_int_equal(clock_passed(&c, 50, T0), 100);
	wall += DAY + 1;		/* set forward */
	mono += 1000;
	assert_true(clock_tick(&c, wall, mono, 100));
	assert_int_equal(clock_passed(&c, 50, T0), 101);
	assert_int_equal(clock_passed(&c, 150, wall), 0);
	wall += 1 - 2 * DAY;		/* and back */
	mono += 1000;
	assert_true(clock_tick(&c, wall, mono, 200));
	assert_int_equal(clock_passed(&c, 50, T0), 102);
	assert_int_equal(clock_age(&c, 50, T0), 102);
	/* Ten days without a queue: passed, but not lived. */
	wall = clock_high(&c) + 10 * DAY;
	clock_start(&c, wall, 5, clock_high(&c), 300);
	assert_int_equal(clock_age(&c, 250, wall - 10 * DAY - 7), 7);
	assert_int_equal(clock_passed(&c, 250, wall - 10 * DAY - 7), 10 * DAY + 7);
	assert_int_equal(clock_passed(&c, 250, wall + 5), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passed),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_step),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_step_limit),
		cmocka_unit_test(test_down_limit),
		cmocka_unit_test(test_steps_limit),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
