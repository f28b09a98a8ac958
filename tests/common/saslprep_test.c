/* saslprep_test.c -- RFC 4013 3's examples, what is refused, and room one less, exact, and one
 * more. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/err.h"
#include "common/saslprep.h"

static void
examples(void **state)
{
	static const struct { const char *in, *out; int stored; } v[] = {
		{ "I\xc2\xadX", "IX", 1 },			/* SOFT HYPHEN mapped to nothing */
		{ "user", "user", 1 }, { "USER", "USER", 1 },	/* no case mapping */
		{ "\xc2\xaa", "a", 1 },				/* NFKC */
		{ "\xe2\x85\xa8", "IX", 1 },			/* and this is the same as the first */
		{ "a\xc2\xa0" "b", "a b", 1 },			/* NO-BREAK SPACE is a space */
		{ "p\xc3\xa4ss", "p\xc3\xa4ss", 1 }, { "pa\xcc\x88ss", "p\xc3\xa4ss", 1 },
		{ "with\ttab", "with\ttab", 1 },		/* ASCII stays as it is */
		{ "\xc8\xa1", "\xc8\xa1", 0 },			/* unassigned in Unicode 3.2: may be asked for */
	};
	char	dst[64];
	size_t	n;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		if (saslprep(dst, sizeof(dst), &n, slice_str(v[i].in), v[i].stored) != E_OK || strcmp(dst, v[i].out) != 0)
			fail_msg("%zu: \"%s\"", i, dst);
		assert_int_equal(n, strlen(dst));
	}
}

static void
refused(void **state)
{
	static const struct { const char *in; size_t n; int stored; } v[] = {
		{ "", 0, 0 }, { "a\0b", 3, 0 }, { "\xc2\xad", 2, 0 },
		{ "\xc3\xa4\x07", 3, 0 },			/* RFC 4013 3: prohibited character */
		{ "\xd8\xa7" "1", 3, 0 },			/* and bidirectional check */
		{ "\xff", 1, 0 }, { "\xc3", 1, 0 }, { "\xc0\xaf", 2, 0 }, { "\xed\xa0\x80", 3, 0 }, { "\xf5\x80\x80\x80", 4, 0 },
		{ "\xc8\xa1", 2, 1 },				/* and may not be kept */
		{ "\xef\xbf\xbe", 3, 0 },
	};
	char	dst[64];
	size_t	n;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		if (saslprep(dst, sizeof(dst), &n, slice_make(v[i].in, v[i].n), v[i].stored) != E_SYNTAX)
			fail_msg("%zu was taken", i);
	}
}

static void
room(void **state)
{
	char	dst[8];
	size_t	n;

	assert_int_equal(saslprep(dst, 6, &n, slice_str("12345"), 0), E_OK);
	assert_int_equal(saslprep(dst, 5, &n, slice_str("12345"), 0), E_LIMIT);
	assert_int_equal(saslprep(dst, 7, &n, slice_str("\xc3\xa4\xc3\xa4\xc3\xa4"), 0), E_OK);
	assert_int_equal(saslprep(dst, 6, &n, slice_str("\xc3\xa4\xc3\xa4\xc3\xa4"), 0), E_LIMIT);
	/* It grows: three octets become four (U+33C2, "a.m."). */
	assert_int_equal(saslprep(dst, 5, &n, slice_str("\xe3\x8f\x82"), 0), E_OK);
	assert_string_equal(dst, "a.m.");
	assert_int_equal(saslprep(dst, 4, &n, slice_str("\xe3\x8f\x82"), 0), E_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(examples), cmocka_unit_test(refused), cmocka_unit_test(room),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
