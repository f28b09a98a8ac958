/* sched_limits_test.c -- the scheduler at limit - 1, limit and limit + 1 (threat-model.md R3). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/err.h"
#include "queue/sched.h"

#define BOTH	(SCHED_REMOTE | SCHED_LOCAL)

static struct sched *
fresh(void)
{
	static const struct sched_conf conf = { .concurrency = 20, .connections = 50,
		.backoff_min_s = 60, .backoff_max_s = 3600 };
	struct sched *s = sched_new(&conf);

	assert_non_null(s);
	return (s);
}

/* The window of items, and one destination's share of it. */
static void
test_window_limit(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *d = NULL;
	char name[32];
	uint32_t i, share = 0;

	for (i = 0; i < SCHED_WINDOW; i++) {
		assert_int_equal(sched_room(s), SCHED_WINDOW - i);
		if (i % SCHED_DEST_SHARE == 0) {
			(void)snprintf(name, sizeof(name), "d%u.test", i);
			assert_non_null(d = sched_dest_get(s, name, 0, 0));
			share = 0;
		}
		assert_int_equal(sched_add(s, 1 + i, 0, d, 1, 0), E_OK);
		if (++share == SCHED_DEST_SHARE && i + 1 < SCHED_WINDOW)
			assert_int_equal(sched_add(s, 1000000, 0, d, 1, 0), E_BUSY);
	}
	assert_int_equal(sched_room(s), 0);
	assert_non_null(d = sched_dest_get(s, "other.test", 0, 0));
	assert_int_equal(sched_add(s, 1000000, 0, d, 1, 0), E_LIMIT);
	sched_forget(s, 1, 0);
	assert_int_equal(sched_add(s, 1000000, 0, d, 1, 0), E_OK);
	assert_int_equal(sched_add(s, 1000001, 0, d, 1, 0), E_LIMIT);
	sched_free(s);
}

/* A job takes so many recipients; the others follow in the next. */
static void
test_job_limit(void **state)
{
	struct sched *s;
	struct sched_dest *d;
	struct sched_job j;
	uint32_t i, n;

	for (n = JOB_RCPT_MAX - 1; n <= JOB_RCPT_MAX + 1; n++) {
		s = fresh();
		d = sched_dest_get(s, "a.test", 0, 0);
		for (i = 0; i < n; i++)
			assert_int_equal(sched_add(s, 1, i, d, 9, 0), E_OK);
		assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
		assert_int_equal(j.n, n > JOB_RCPT_MAX ? JOB_RCPT_MAX : n);
		assert_int_equal(sched_next(s, 0, BOTH, &j), n > JOB_RCPT_MAX ? E_OK : E_AGAIN);
		sched_free(s);
	}
}

static int
count_dest(void *arg, struct sched_dest *d)
{
	++*(uint32_t *)arg;
	return (0);
}

/* The table of destinations: when it is full, those that nobody uses make room; the others stay. */
static void
test_dests_limit(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *used = sched_dest_get(s, "used.test", 0, 0);
	char name[32];
	uint32_t i, n;

	assert_int_equal(sched_add(s, 1, 0, used, 1, 0), E_OK);
	for (i = 1; i < SCHED_DESTS_MAX + 1; i++) {
		(void)snprintf(name, sizeof(name), "d%u.test", i);
		assert_non_null(sched_dest_get(s, name, 0, 0));
		if (i + 1 < SCHED_DESTS_MAX - 1)
			continue;
		n = 0;
		assert_int_equal(sched_each_dest(s, count_dest, &n), 0);
		assert_int_equal(n, i + 1 <= SCHED_DESTS_MAX ? i + 1 : 2);
		assert_true((sched_dest_find(s, "d1.test") != NULL) == (i + 1 <= SCHED_DESTS_MAX));
		assert_ptr_equal(sched_dest_find(s, "used.test"), used);
	}
	sched_free(s);
}

static void
test_idle_limit(void **state)
{
	struct sched *s = fresh();
	const uint64_t t0 = 5000, idle = SCHED_DEST_IDLE_S * 1000ull;
	uint64_t now;

	assert_non_null(sched_dest_get(s, "a.test", 0, t0));
	for (now = t0 + idle - 1; now <= t0 + idle + 1; now++) {
		sched_sweep(s, now);
		assert_true((sched_dest_find(s, "a.test") != NULL) == (now - t0 <= idle));
	}
	sched_free(s);
}

/* So many failures in a row back a destination off, one less does not. */
static void
test_dead_limit(void **state)
{
	struct sched *s;
	struct sched_dest *d;
	struct sched_view v;
	struct sched_job j;
	uint32_t i, n;

	for (n = SCHED_DEAD_AFTER - 1; n <= SCHED_DEAD_AFTER + 1; n++) {
		s = fresh();
		d = sched_dest_get(s, "a.test", 0, 0);
		for (i = 0; i < n; i++) {
			assert_int_equal(sched_add(s, 1 + i, 0, d, 1, 0), E_OK);
			assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
			if (i >= SCHED_DEAD_AFTER) {
				assert_int_equal(j.kind, SCHED_POSTPONE);
				break;
			}
			assert_int_equal(j.kind, SCHED_RUN);
			sched_job_done(s, d, REACHED_NOT, 0, "no route", 0);
			sched_forget(s, j.msgid, j.index[0]);
		}
		sched_dest_view(d, 0, &v);
		assert_true((v.backoff_ms != 0) == (n >= SCHED_DEAD_AFTER));
		sched_free(s);
	}
}

/* A destination's share, and what it takes beyond it of a higher priority. */
static void
test_urgent(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *d = sched_dest_get(s, "example.net", 0, 0);
	uint64_t i;

	for (i = 1; i <= SCHED_DEST_SHARE; i++)
		assert_int_equal(sched_add(s, i, 0, d, 1, -1), E_OK);
	assert_int_equal(sched_add(s, 100000, 0, d, 1, 0), E_BUSY);
	for (i = 1; i <= SCHED_DEST_URGENT; i++)
		assert_int_equal(sched_add(s, 10000 + i, 0, d, 1, 1), E_OK);
	assert_int_equal(sched_add(s, 100000, 0, d, 1, 9), E_BUSY);
	sched_free(s);
}

/* Whoever may set priorities does not keep the others' mail out, however much of his there is. */
static void
test_urgent_flood(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *d = sched_dest_get(s, "example.net", 0, 0);
	struct sched_job job;
	uint64_t i, next = 1;
	unsigned lower = 0;

	while (sched_add(s, next, 0, d, 1, 9) == E_OK)
		next++;
	assert_int_equal(next, SCHED_DEST_SHARE + 1);
	for (i = 1; i <= SCHED_DEST_URGENT; i++)
		assert_int_equal(sched_add(s, 100000 + i, 0, d, 1, i & 1 ? 0 : -9), E_OK);
	assert_int_equal(sched_add(s, 200000, 0, d, 1, 0), E_BUSY);
	assert_int_equal(sched_add(s, 200000, 0, d, 1, 9), E_BUSY);
	for (i = 0; i < 4 * SCHED_LOWER_TURN; i++) {
		assert_int_equal(sched_next(s, 0, SCHED_REMOTE, &job), E_OK);
		lower += job.msgid > 100000;
		sched_forget(s, job.msgid, 0);
		sched_job_done(s, d, REACHED, 7, NULL, 0);
		while (sched_add(s, next, 0, d, 1, 9) == E_OK)		/* at once there are more */
			next++;
	}
	assert_int_equal(lower, 4);
	assert_int_equal(sched_add(s, 200000, 0, d, 1, 0), E_OK);
	sched_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_urgent_flood),
		cmocka_unit_test(test_window_limit),
		cmocka_unit_test(test_job_limit),
		cmocka_unit_test(test_dests_limit),
		cmocka_unit_test(test_idle_limit),
		cmocka_unit_test(test_dead_limit),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
