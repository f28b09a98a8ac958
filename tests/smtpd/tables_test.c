/*
 * tables_test.c -- the shell's pure helpers: timer wheel, connection counts, request ids.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/siphash.h"
#include "smtpd/counts.h"
#include "smtpd/slots.h"
#include "smtpd/wheel.h"

/* ---- wheel ---- */

#define NODES	500

static struct wheel	w;
static struct timed {
	struct wheel_node	node;
	uint64_t		at, fired;
} timed[NODES];
static uint64_t		now;

static void
on_fire(void *arg, struct wheel_node *n)
{
	struct timed	*t = (struct timed *)(void *)n;

	assert_null(n->next);
	if (now < t->at) {		/* the horizon came first: back again */
		wheel_set(&w, n, t->at);
		return;
	}
	t->fired = now;
	(*(unsigned *)arg)++;
}

static void
wheel_fires_each_once_in_time(void **state)
{
	unsigned	i, fired = 0;

	now = 123456;
	memset(timed, 0, sizeof(timed));
	wheel_init(&w, now);
	for (i = 0; i < NODES; i++) {
		timed[i].at = now + (uint64_t)i * 7919 % 1500000;	/* past the horizon too */
		wheel_set(&w, &timed[i].node, timed[i].at);
	}
	wheel_del(&timed[NODES - 1].node);
	while (now < 123456 + 1501000) {
		now += 100;
		wheel_run(&w, now, on_fire, &fired);
	}
	assert_int_equal(fired, NODES - 1);
	for (i = 0; i < NODES - 1; i++) {
		assert_true(timed[i].fired >= timed[i].at);
		assert_true(timed[i].fired <= timed[i].at + 2 * WHEEL_TICK_MS);
	}
	assert_int_equal(timed[NODES - 1].fired, 0);
}

static void
wheel_set_only_moves_earlier(void **state)
{
	unsigned	fired = 0;

	now = 1000000;
	memset(timed, 0, sizeof(timed));
	wheel_init(&w, now);
	timed[0].at = now;
	wheel_set(&w, &timed[0].node, now + 5000);
	wheel_set(&w, &timed[0].node, now + 90000);	/* costs nothing: fires at the old time */
	now += 5600;
	wheel_run(&w, now, on_fire, &fired);
	assert_int_equal(fired, 1);
	wheel_set(&w, &timed[0].node, now + 90000);
	wheel_set(&w, &timed[0].node, now + 1000);
	now += 1600;
	wheel_run(&w, now, on_fire, &fired);
	assert_int_equal(fired, 2);
}

/* ---- counts ---- */

static struct net_addr
v4(uint32_t n)
{
	struct net_addr	a = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } };

	a.a[12] = (uint8_t)(n >> 24);
	a.a[13] = (uint8_t)(n >> 16);
	a.a[14] = (uint8_t)(n >> 8);
	a.a[15] = (uint8_t)n;
	return (a);
}

static void
counts_limit(void **state)
{
	struct counts	c = { 0 };
	struct net_addr	a = v4(0x0a000001), b = v4(0x0a000002), other = v4(0x0a000101);

	assert_int_equal(counts_add(&c, &a, 128, 0), E_LIMIT);
	assert_int_equal(counts_add(&c, &a, 128, 2), E_OK);
	assert_int_equal(counts_add(&c, &a, 128, 2), E_OK);
	assert_int_equal(counts_add(&c, &a, 128, 2), E_LIMIT);
	assert_int_equal(counts_add(&c, &b, 128, 2), E_OK);
	assert_int_equal(counts_add(&c, &a, 120, 2), E_OK);	/* one /24 */
	assert_int_equal(counts_add(&c, &b, 120, 2), E_OK);
	assert_int_equal(counts_add(&c, &b, 120, 2), E_LIMIT);
	assert_int_equal(counts_add(&c, &other, 120, 2), E_OK);
	counts_sub(&c, &a, 128);
	assert_int_equal(counts_get(&c, &a, 128), 1);
	counts_sub(&c, &a, 120);
	assert_int_equal(counts_get(&c, &b, 120), 1);
	counts_clear(&c);
}

/* Against a plain array, through growth, gaps and shrinking. */
static void
counts_model(void **state)
{
	enum { KEYS = 3000, STEPS = 60000 };
	static uint32_t	model[KEYS];
	struct counts	c = { 0 };
	struct net_addr	a;
	uint32_t	x = 12345, k, i, used = 0;

	for (i = 0; i < STEPS; i++) {
		x = x * 1664525 + 1013904223;
		k = (x >> 8) % KEYS;
		a = v4(k * 977);
		/* Mostly additions in the first half, mostly removals in the second. */
		if (((x >> 3) & 3) != 0 ? i < STEPS / 2 : i >= STEPS / 2) {
			used += model[k]++ == 0;
			assert_int_equal(counts_add(&c, &a, 128, UINT32_MAX), E_OK);
		} else if (model[k] != 0) {
			used -= --model[k] == 0;
			counts_sub(&c, &a, 128);
		} else
			counts_sub(&c, &a, 128);	/* nothing there: nothing happens */
		assert_int_equal(counts_get(&c, &a, 128), model[k]);
		assert_int_equal(c.used, used);
	}
	for (k = 0; k < KEYS; k++) {
		a = v4(k * 977);
		assert_int_equal(counts_get(&c, &a, 128), model[k]);
		for (; model[k] != 0; model[k]--)
			counts_sub(&c, &a, 128);
	}
	assert_int_equal(c.used, 0);
	assert_true(c.size <= 128);		/* it gave its memory back */
	counts_clear(&c);
}

/* ---- slots ---- */

static void
slots_late_answers_find_nothing(void **state)
{
	struct slots	s = { 0 };
	int		a, b;
	uint32_t	ida, idb, i;

	assert_null(slots_get(&s, 0));
	assert_null(slots_get(&s, 77));
	ida = slots_take(&s, &a);
	assert_true(ida != 0);
	assert_ptr_equal(slots_get(&s, ida), &a);
	slots_free(&s, ida);
	assert_null(slots_get(&s, ida));
	idb = slots_take(&s, &b);	/* the same place, another generation */
	assert_true(idb != ida);
	assert_null(slots_get(&s, ida));
	slots_free(&s, ida);		/* a second time: nothing happens */
	assert_ptr_equal(slots_get(&s, idb), &b);
	for (i = 0; i < 10000; i++) {	/* generations wrap without ever being 0 */
		slots_free(&s, idb);
		idb = slots_take(&s, &b);
		assert_true(idb != 0);
		assert_ptr_equal(slots_get(&s, idb), &b);
	}
	slots_clear(&s);
}

static void
slots_walk(void **state)
{
	struct slots	s = { 0 };
	static int	v[1000];
	uint32_t	id[1000], i, at = 0, n = 0;

	for (i = 0; i < 1000; i++)
		assert_true((id[i] = slots_take(&s, &v[i])) != 0);
	for (i = 0; i < 1000; i += 2)
		slots_free(&s, id[i]);
	assert_int_equal(s.used, 500);
	while (slots_next(&s, &at) != NULL)
		n++;
	assert_int_equal(n, 500);
	slots_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(wheel_fires_each_once_in_time),
		cmocka_unit_test(wheel_set_only_moves_earlier),
		cmocka_unit_test(counts_limit),
		cmocka_unit_test(counts_model),
		cmocka_unit_test(slots_late_answers_find_nothing),
		cmocka_unit_test(slots_walk),
	};

	siphash_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
