/*
 * owners_test.c -- whose waiting file is next: turns, shares, limits, and a sample that is fair.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "pickup/owners.h"

static const char *
name_of(unsigned n)
{
	static char name[DROP_NAME_LEN + 1];

	(void)snprintf(name, sizeof(name), "m-%032x", n);
	return (name);
}

static void
test_turns(void **state)
{
	char name[DROP_NAME_LEN + 1];
	struct owners os;
	uint32_t uid, got[8];
	unsigned i;

	(void)state;
	owners_init(&os, 7);
	for (i = 0; i < 100; i++)
		assert_int_equal(owners_add(&os, 1, name_of(i)), E_OK);
	assert_int_equal(owners_add(&os, 2, name_of(200)), E_OK);
	assert_int_equal(owners_add(&os, 3, name_of(300)), E_OK);
	assert_int_equal(owners_add(&os, 1, name_of(5)), E_EXISTS);
	assert_int_equal(owners_add(&os, 1, "short"), E_LIMIT);
	for (i = 0; i < 6; i++)
		assert_int_equal(owners_next(&os, &got[i], name), E_OK);
	assert_true(got[0] == 1 && got[1] == 2 && got[2] == 3 && got[3] == 1 && got[4] == 1 && got[5] == 1);
	assert_int_equal(owners_next(&os, &uid, name), E_NOTFOUND);	/* its share is used up */
	assert_false(owners_idle(&os));
	owners_done(&os, 1, name_of(0));
	assert_int_equal(owners_next(&os, &uid, name), E_OK);
	assert_int_equal(uid, 1);
	owners_again(&os, 2, name_of(200));
	assert_int_equal(owners_next(&os, &uid, name), E_OK);
	assert_true(uid == 2 && strcmp(name, name_of(200)) == 0);
	/* A new pass knows what is under way, and nothing else. */
	owners_pass(&os);
	assert_true(owners_idle(&os));
	assert_int_equal(owners_add(&os, 2, name_of(200)), E_EXISTS);
	owners_clear(&os);
}

static void
test_sessions_limit(void **state)
{
	char name[DROP_NAME_LEN + 1];
	struct owners os;
	uint32_t uid;
	unsigned i;

	(void)state;
	owners_init(&os, 7);
	for (i = 0; i < PICKUP_SESSIONS_MAX + 2; i++)
		assert_int_equal(owners_add(&os, i, name_of(i)), E_OK);
	for (i = 1; i <= PICKUP_SESSIONS_MAX + 1; i++)
		assert_int_equal(owners_next(&os, &uid, name), i <= PICKUP_SESSIONS_MAX ? E_OK : E_NOTFOUND);
	owners_clear(&os);
	owners_init(&os, 7);
	for (i = 0; i < PICKUP_OWNER_SESSIONS + 2; i++)
		assert_int_equal(owners_add(&os, 1, name_of(i)), E_OK);
	for (i = 1; i <= PICKUP_OWNER_SESSIONS + 1; i++)
		assert_int_equal(owners_next(&os, &uid, name), i <= PICKUP_OWNER_SESSIONS ? E_OK : E_NOTFOUND);
	owners_clear(&os);
}

static void
test_table_limits(void **state)
{
	struct owners os;
	unsigned i;

	(void)state;
	owners_init(&os, 7);
	for (i = 1; i <= PICKUP_OWNERS_MAX + 1; i++) {
		assert_int_equal(owners_add(&os, i, name_of(i)), i <= PICKUP_OWNERS_MAX ? E_OK : E_LIMIT);
		assert_int_equal(os.more, i > PICKUP_OWNERS_MAX);
	}
	owners_clear(&os);
	owners_init(&os, 7);
	for (i = 1; i <= PICKUP_OWNER_FILES + 1; i++) {
		assert_int_equal(owners_add(&os, 1, name_of(i)), i <= PICKUP_OWNER_FILES ? E_OK : E_LIMIT);
		assert_int_equal(os.more, i > PICKUP_OWNER_FILES);
	}
	owners_clear(&os);
}

/* Of ten times as many names as are kept, the late ones are kept as often as the early ones. */
static void
test_fair_sample(void **state)
{
	const unsigned all = 10 * PICKUP_OWNER_FILES;
	unsigned i, pass, late = 0;
	struct owners os;

	(void)state;
	owners_init(&os, 12345);
	for (pass = 0; pass < 20; pass++) {
		owners_pass(&os);
		for (i = 0; i < all; i++)
			(void)owners_add(&os, 1, name_of(i));
		assert_int_equal(os.o[0].n, PICKUP_OWNER_FILES);
		for (i = 0; i < os.o[0].n; i++)
			late += strcmp(os.o[0].file[i].name, name_of(all / 2)) >= 0;
	}
	assert_in_range(late, 20 * PICKUP_OWNER_FILES * 4 / 10, 20 * PICKUP_OWNER_FILES * 6 / 10);
	owners_clear(&os);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns), cmocka_unit_test(test_sessions_limit), cmocka_unit_test(test_table_limits),
		cmocka_unit_test(test_fair_sample),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
