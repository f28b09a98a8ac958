/*
 * renewal_test.c -- when changed files of certificates and keys are taken up, and how often.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "master/renewal.h"

static void
test_settles(void **state)
{
	struct renewal r;

	(void)state;
	renewal_used(&r, 10);
	assert_int_equal(renewal_look(&r, 10, 0), 0);
	assert_int_equal(renewal_next_ms(&r), RENEWAL_LOOK_MS);
	assert_int_equal(renewal_look(&r, 11, 1000), 0);	/* the certificate is there */
	assert_int_equal(renewal_next_ms(&r), RENEWAL_SETTLE_MS);
	assert_int_equal(renewal_look(&r, 12, 3000), 0);	/* and the key */
	assert_int_equal(renewal_look(&r, 12, 5000), 1);
	renewal_used(&r, 12);
	assert_int_equal(renewal_look(&r, 12, 7000), 0);
	assert_int_equal(renewal_next_ms(&r), RENEWAL_LOOK_MS);
}

static void
test_refused(void **state)
{
	struct renewal r;

	(void)state;
	renewal_used(&r, 10);
	assert_int_equal(renewal_look(&r, 11, 1000), 0);
	assert_int_equal(renewal_look(&r, 11, 3000), 1);	/* refused: it did not fit */
	assert_int_equal(renewal_next_ms(&r), RENEWAL_LOOK_MS);
	assert_int_equal(renewal_look(&r, 11, 13000), 0);
	/* A further change is tried at once when it has settled. */
	assert_int_equal(renewal_look(&r, 12, 23000), 0);
	assert_int_equal(renewal_look(&r, 12, 25000), 1);
	/* Without one, after a while. */
	assert_int_equal(renewal_look(&r, 12, 25000 + RENEWAL_AGAIN_MS - 1), 0);
	assert_int_equal(renewal_look(&r, 12, 25000 + RENEWAL_AGAIN_MS), 1);
	assert_int_equal(renewal_look(&r, 12, 25000 + RENEWAL_AGAIN_MS + 1), 0);
	/* The old files are back: all is well, and the same change later is a new one. */
	assert_int_equal(renewal_look(&r, 10, 400000), 0);
	assert_int_equal(renewal_look(&r, 12, 410000), 0);
	assert_int_equal(renewal_look(&r, 12, 412000), 1);
}

/* Files that changed while they were read: nobody knows what is in force. */
static void
test_unknown(void **state)
{
	struct renewal r;

	(void)state;
	renewal_used(&r, RENEWAL_UNKNOWN);
	assert_int_equal(renewal_look(&r, 10, 10000), 0);
	assert_int_equal(renewal_look(&r, 10, 12000), 1);
	renewal_used(&r, 10);
	assert_int_equal(renewal_look(&r, 10, 22000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settles), cmocka_unit_test(test_refused), cmocka_unit_test(test_unknown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
