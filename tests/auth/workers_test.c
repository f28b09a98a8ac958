/* workers_test.c -- work in threads: order, cancelling while it waits and while it runs, more and
 * fewer threads, limits.  Under TSan too. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/workers.h"
#include "common/err.h"
#include "common/limits.h"
#include "common/siphash.h"

#define N	(WORK_WAITING_MAX + 20)

struct item {
	struct work	w;
	int		begun, ran, done, dropped;
	int		no;		/* begin() says so */
	unsigned char	seen;		/* of the scratch memory */
	int		gate;		/* waits in run() until it is opened */
};

static uv_loop_t	loop;
static struct item	item[N];
static size_t		order[N], ndone;
static pthread_mutex_t	gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t	gate_cond = PTHREAD_COND_INITIALIZER;
static int		gate_open, inside;
static struct net_addr	client = { { 0 } };
static int		owner_a, owner_b;

static int
on_begin(struct work *w)
{
	struct item	*i = (struct item *)w;

	i->begun++;
	return (!i->no);
}

static void
on_run(struct work *w, void *scratch)
{
	struct item	*i = (struct item *)w;

	i->seen = ((unsigned char *)scratch)[0] | ((unsigned char *)scratch)[WORK_SCRATCH - 1];
	memset(scratch, 0xaa, WORK_SCRATCH);
	if (i->gate) {
		(void)pthread_mutex_lock(&gate_lock);
		inside++;
		(void)pthread_cond_broadcast(&gate_cond);
		while (!gate_open)
			(void)pthread_cond_wait(&gate_cond, &gate_lock);
		(void)pthread_mutex_unlock(&gate_lock);
	}
	i->ran++;
}

static void
on_done(struct work *w)
{
	struct item	*i = (struct item *)w;

	i->done++;
	i->dropped = w->dropped;
	order[ndone++] = (size_t)(i - item);
}

static int
submit(size_t i, const void *owner, uint8_t host)
{
	item[i].w = (struct work){ .begin = on_begin, .run = on_run, .done = on_done };
	client.a[0] = host;	/* of the first 64 bits: a lane of its own */
	return (work_submit(&item[i].w, owner, &client));
}

static void
run_until(size_t n)
{
	while (ndone < n)
		uv_run(&loop, UV_RUN_ONCE);
}

/* So many are in run(), and stay there. */
static void
wait_inside(int n)
{
	for (;;) {
		int	now;

		uv_run(&loop, UV_RUN_NOWAIT);
		(void)pthread_mutex_lock(&gate_lock);
		now = inside;
		(void)pthread_mutex_unlock(&gate_lock);
		if (now == n)
			return;
	}
}

static void
open_gate(void)
{
	(void)pthread_mutex_lock(&gate_lock);
	gate_open = 1;
	(void)pthread_cond_broadcast(&gate_cond);
	(void)pthread_mutex_unlock(&gate_lock);
}

/* With one thread the order is that of the turns. */
static void
in_turn(void **state)
{
	static const size_t	want[] = { 0, 3, 1, 4, 2 };

	workers_set(1);
	assert_int_equal(submit(0, &owner_a, 1), E_OK);
	assert_int_equal(submit(1, &owner_a, 1), E_OK);
	assert_int_equal(submit(2, &owner_a, 1), E_OK);
	assert_int_equal(submit(3, &owner_b, 1), E_OK);
	assert_int_equal(submit(4, &owner_a, 2), E_OK);
	assert_int_equal(item[0].begun, 0);	/* never from within */
	run_until(5);
	/* a, b, a's other lane, a's first lane twice */
	assert_int_equal(order[0], want[0]);
	assert_int_equal(order[1], want[1]);
	assert_int_equal(order[2], 4);
	assert_int_equal(order[3], 1);
	assert_int_equal(order[4], 2);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(item[i].ran, 1);
		assert_int_equal(item[i].done, 1);
		assert_int_equal(item[i].seen, 0);	/* nothing of those before */
	}
}

static void
begin_says_no(void **state)
{
	workers_set(1);
	item[1].no = 1;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(submit(i, &owner_a, 1), E_OK);
	run_until(2);
	assert_int_equal(item[1].begun, 1);
	assert_int_equal(item[1].ran, 0);
	assert_int_equal(item[1].done, 0);
	assert_null(item[1].w.turn.lane);
}

static void
cancelling(void **state)
{
	workers_set(2);
	for (size_t i = 0; i < 5; i++) {
		item[i].gate = 1;
		assert_int_equal(submit(i, &owner_a, (uint8_t)i), E_OK);
	}
	wait_inside(2);
	assert_int_equal(work_cancel(&item[0].w), 0);	/* runs */
	assert_int_equal(work_cancel(&item[3].w), 1);	/* waits */
	open_gate();
	run_until(4);
	assert_int_equal(item[0].done, 1);
	assert_int_equal(item[0].dropped, 1);
	assert_int_equal(item[1].dropped, 0);
	assert_int_equal(item[3].begun + item[3].ran + item[3].done, 0);
	assert_int_equal(item[4].done, 1);
}

static void
more_and_fewer(void **state)
{
	workers_set(1);
	for (size_t i = 0; i < 4; i++) {
		item[i].gate = 1;
		assert_int_equal(submit(i, &owner_a, (uint8_t)i), E_OK);
	}
	wait_inside(1);
	workers_set(3);
	wait_inside(3);
	open_gate();
	workers_set(1);
	for (size_t i = 4; i < 100; i++)
		assert_int_equal(submit(i, &owner_a, (uint8_t)i), E_OK);
	run_until(50);
	workers_set(16);
	workers_set(17);	/* as many as there can be */
	run_until(100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(item[i].done, 1);
}

/* Limits of the queue through it, and what waits at the end is not run. */
static void
limits_and_end(void **state)
{
	size_t	i, n = 0;

	workers_set(1);
	item[0].gate = 1;
	assert_int_equal(submit(0, &owner_a, 0), E_OK);
	wait_inside(1);
	for (i = 1; i <= WORK_LANE_MAX; i++)
		assert_int_equal(submit(i, &owner_a, 1), E_OK);
	assert_int_equal(submit(i, &owner_a, 1), E_LIMIT);
	for (; i <= WORK_WAITING_MAX; i++)
		assert_int_equal(submit(i, &owner_a, (uint8_t)(2 + i / WORK_LANE_MAX)), E_OK);
	assert_int_equal(submit(i, &owner_a, 9), E_LIMIT);
	for (size_t k = 0; k < WORK_PEER_MIN; k++)		/* another has his few places yet */
		assert_int_equal(submit(i++, &owner_b, 1), E_OK);
	assert_int_equal(submit(i, &owner_b, 1), E_LIMIT);
	for (size_t k = 0; k <= WORK_PEER_MIN; k++)
		assert_int_equal(work_cancel(&item[5 + k].w), 1);
	assert_int_equal(submit(i, &owner_b, 1), E_OK);
	open_gate();
	workers_close();
	assert_int_equal(item[0].done, 1);
	for (i = 0; i < N; i++)
		n += (size_t)item[i].ran;
	assert_int_equal(n, ndone);
	assert_true(n < 3);
	for (i = 0; i < N; i++) {	/* for the next test */
		if (item[i].w.turn.lane != NULL)
			assert_int_equal(work_cancel(&item[i].w), 1);
	}
}

static int
clear(void **state)
{
	memset(item, 0, sizeof(item));
	ndone = 0;
	gate_open = inside = 0;
	return (0);
}

#define TEST(t)	cmocka_unit_test_setup(t, clear)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(in_turn), TEST(begin_says_no), TEST(cancelling), TEST(more_and_fewer), TEST(limits_and_end),
	};
	int	failed;

	siphash_seed();
	uv_loop_init(&loop);
	workers_open(&loop);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	workers_close();
	return (failed);
}
