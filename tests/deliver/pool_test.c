/*
 * pool_test.c -- bounds, reuse, fairness and the life of destinations.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/siphash.h"
#include "deliver/pool.h"

static unsigned freed;

static void
count_freed(struct pool_dest *d)
{
	freed++;
}

static struct pool pool;

static int
setup(void **state)
{
	siphash_seed();
	freed = 0;
	pool_init(&pool, 3, 2);
	pool.dest_free = count_freed;
	return (0);
}

static void
destinations(void **state)
{
	char host[DOMAIN_MAX + 2];
	struct pool_dest *a, *b;

	a = pool_dest_get(&pool, 1, "mx.example", 25, 0, "");
	assert_ptr_equal(pool_dest_get(&pool, 1, "mx.example", 25, 0, ""), a);
	b = pool_dest_get(&pool, 1, "mx.example", 26, 0, "");
	assert_ptr_not_equal(b, a);
	assert_ptr_not_equal(pool_dest_get(&pool, 0, "mx.example", 25, 0, ""), a);
	assert_int_equal(pool.ndest, 3);
	pool_dest_put(&pool, a);
	assert_int_equal(freed, 0);
	pool_dest_put(&pool, a);
	pool_dest_put(&pool, b);
	assert_int_equal(freed, 2);
	pool_dest_put(&pool, pool_dest_get(&pool, 0, "mx.example", 25, 0, ""));
	a = pool_dest_get(&pool, 0, "mx.example", 25, 0, "");
	pool_dest_put(&pool, a);
	pool_dest_put(&pool, a);
	assert_int_equal(pool.ndest, 0);

	memset(host, 'a', sizeof(host));
	host[DOMAIN_MAX] = '\0';
	a = pool_dest_get(&pool, 0, host, 1, 0, "");
	assert_non_null(a);
	pool_dest_put(&pool, a);
	host[DOMAIN_MAX] = 'a';
	host[DOMAIN_MAX + 1] = '\0';
	assert_null(pool_dest_get(&pool, 0, host, 1, 0, ""));
}

static void
reuse_and_expiry(void **state)
{
	struct pool_dest *a = pool_dest_get(&pool, 0, "a", 25, 0, "");
	struct pool_conn c[2] = { 0 };

	pool_add(&pool, a, &c[0]);
	pool_add(&pool, a, &c[1]);
	assert_null(pool_take(&pool, a));
	pool_idle(&pool, &c[0], 100);
	pool_idle(&pool, &c[1], 200);
	assert_ptr_equal(pool_take(&pool, a), &c[1]);	/* the warmest */
	pool_idle(&pool, &c[1], 300);
	assert_null(pool_expired(&pool, 5099, 5000));
	assert_ptr_equal(pool_expired(&pool, 5100, 5000), &c[0]);
	pool_remove(&pool, &c[0]);
	assert_null(pool_expired(&pool, 5299, 5000));
	assert_ptr_equal(pool_expired(&pool, 5300, 5000), &c[1]);
	pool_dest_put(&pool, a);
	assert_int_equal(freed, 0);			/* its connection keeps it */
	pool_remove(&pool, &c[1]);
	assert_int_equal(freed, 1);
	assert_int_equal(pool.nconn, 0);
	assert_int_equal(pool.nidle, 0);
}

static void
bounds(void **state)
{
	struct pool_dest *a = pool_dest_get(&pool, 0, "a", 25, 0, ""), *b = pool_dest_get(&pool, 0, "b", 25, 0, "");
	struct pool_conn c[3] = { 0 }, *evict;

	assert_true(pool_may_dial(&pool, a, &evict));
	pool_add(&pool, a, &c[0]);
	assert_true(pool_may_dial(&pool, a, &evict));
	pool_add(&pool, a, &c[1]);
	assert_false(pool_may_dial(&pool, a, &evict));	/* two for one destination */
	assert_null(evict);
	assert_true(pool_may_dial(&pool, b, &evict));
	pool_add(&pool, b, &c[2]);
	assert_false(pool_may_dial(&pool, b, &evict));	/* three in all */
	assert_null(evict);
	pool_idle(&pool, &c[0], 1);
	assert_false(pool_may_dial(&pool, b, &evict));
	assert_ptr_equal(evict, &c[0]);			/* the idle one gives way */
	for (int i = 0; i < 3; i++)
		pool_remove(&pool, &c[i]);
	pool_dest_put(&pool, a);
	pool_dest_put(&pool, b);
	assert_int_equal(freed, 2);
}

static void
waiting(void **state)
{
	struct pool_dest *a = pool_dest_get(&pool, 0, "a", 25, 0, ""), *b = pool_dest_get(&pool, 0, "b", 25, 0, "");
	struct pool_waiter w1 = { 0 }, w2 = { 0 }, w3 = { 0 };
	struct pool_conn c[3] = { 0 };
	int give_way;

	pool_add(&pool, a, &c[0]);
	pool_add(&pool, a, &c[1]);
	pool_wait(&pool, a, &w1);
	pool_wait(&pool, a, &w2);
	assert_null(pool_dialer(&pool));		/* a has all it may have */
	assert_ptr_equal(pool_heir(&pool, a, &give_way), &w1);
	assert_false(give_way);
	pool_wait(&pool, b, &w3);
	assert_ptr_equal(pool_dialer(&pool), &w3);
	pool_unwait(&pool, &w1);
	pool_add(&pool, a, &c[2]);			/* all places taken */
	assert_null(pool_dialer(&pool));
	assert_ptr_equal(pool_heir(&pool, a, &give_way), &w2);	/* w2 has waited longer than w3 */
	pool_unwait(&pool, &w2);
	assert_null(pool_heir(&pool, a, &give_way));
	assert_true(give_way);				/* b's turn */
	pool_remove(&pool, &c[2]);
	assert_ptr_equal(pool_dialer(&pool), &w3);
	/* A patient one dials only once nobody is served there any more. */
	pool_remove(&pool, &c[1]);
	w1.patient = 1;
	pool_unwait(&pool, &w3);
	pool_wait(&pool, a, &w1);
	assert_null(pool_dialer(&pool));
	pool_idle(&pool, &c[0], 1);
	assert_ptr_equal(pool_take_for_waiter(&pool), &c[0]);
	assert_null(pool_take_for_waiter(&pool));
	pool_remove(&pool, &c[0]);
	assert_ptr_equal(pool_dialer(&pool), &w1);
	pool_unwait(&pool, &w1);
	pool_unwait(&pool, &w1);			/* twice is harmless */
	pool_dest_put(&pool, a);
	pool_dest_put(&pool, b);
	assert_int_equal(pool.ndest, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(destinations, setup),
		cmocka_unit_test_setup(reuse_and_expiry, setup),
		cmocka_unit_test_setup(bounds, setup),
		cmocka_unit_test_setup(waiting, setup),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
