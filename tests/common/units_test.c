/* units_test.c -- numbers, sizes, durations, queue IDs, dates. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/err.h"
#include "common/units.h"

static void
test_sizes(void **state)
{
	static const struct { const char *in; int err; uint64_t want; } cases[] = {
		{ "0", E_OK, 0 }, { "4096", E_OK, 4096 }, { "10K", E_OK, 10240 }, { "50M", E_OK, 52428800 },
		{ "2G", E_OK, 2147483648u }, { "1t", E_OK, 1ull << 40 }, { "007", E_OK, 7 },
		{ "18446744073709551614", E_OK, UINT64_MAX - 1 }, { "18446744073709551615", E_OK, UINT64_MAX },
		{ "18446744073709551616", E_RANGE, 0 }, { "17179869183G", E_OK, 17179869183ull << 30 },
		{ "17179869184G", E_RANGE, 0 },
		{ "", E_SYNTAX, 0 }, { "M", E_SYNTAX, 0 }, { "5X", E_SYNTAX, 0 }, { "5MB", E_SYNTAX, 0 },
		{ "-1", E_SYNTAX, 0 }, { "+1", E_SYNTAX, 0 }, { " 1", E_SYNTAX, 0 }, { "1 M", E_SYNTAX, 0 },
		{ "1.5M", E_SYNTAX, 0 },
	};
	uint64_t	 v;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (size_parse(&v, slice_str(cases[i].in)) != cases[i].err)
			fail_msg("size \"%s\"", cases[i].in);
		if (cases[i].err == E_OK)
			assert_int_equal(v, cases[i].want);
	}
	for (uint64_t max = 99; max <= 101; max++)
		assert_int_equal(number_parse(&v, SLICE_LIT("100"), max), max >= 100 ? E_OK : E_RANGE);
	assert_int_equal(number_parse(&v, SLICE_LIT("10x"), 100), E_SYNTAX);
	assert_int_equal(number_parse(&v, SLICE_LIT("99999999999999999999x"), 100), E_SYNTAX);
	assert_int_equal(number_parse(&v, SLICE_LIT("99999999999999999999"), 100), E_RANGE);
}

static void
test_durations(void **state)
{
	static const struct { const char *in; int err; uint32_t want; const char *out; } cases[] = {
		{ "0s", E_OK, 0, "0s" }, { "90s", E_OK, 90, "1m30s" }, { "5m", E_OK, 300, "5m" },
		{ "1h30m", E_OK, 5400, "1h30m" }, { "5d", E_OK, 432000, "5d" }, { "1w", E_OK, 604800, "7d" },
		{ "1w2d3h4m5s", E_OK, 788645, "9d3h" }, { "1d5s", E_OK, 86405, "1d" },
		{ "4294967294s", E_OK, UINT32_MAX - 1, "49710d6h" },
		{ "4294967295s", E_OK, UINT32_MAX, "49710d6h" }, { "4294967296s", E_RANGE, 0, NULL },
		{ "7102w", E_RANGE, 0, NULL }, { "99999999999999999999s", E_RANGE, 0, NULL },
		{ "5", E_SYNTAX, 0, NULL }, { "", E_SYNTAX, 0, NULL }, { "s", E_SYNTAX, 0, NULL },
		{ "30m1h", E_SYNTAX, 0, NULL }, { "1m1m", E_SYNTAX, 0, NULL }, { "1h 30m", E_SYNTAX, 0, NULL },
		{ "1y", E_SYNTAX, 0, NULL }, { "-1s", E_SYNTAX, 0, NULL }, { "1h30", E_SYNTAX, 0, NULL },
	};
	uint32_t	 v;
	char		 text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (duration_parse(&v, slice_str(cases[i].in)) != cases[i].err)
			fail_msg("duration \"%s\"", cases[i].in);
		if (cases[i].err != E_OK)
			continue;
		assert_int_equal(v, cases[i].want);
		assert_string_equal(duration_str(v, text), cases[i].out);
	}
	duration_str(UINT64_MAX, text);
	assert_true(strlen(text) < sizeof(text));
}

static void
test_msgids(void **state)
{
	static const struct { uint64_t id; const char *text; } cases[] = {
		{ 0, "0" }, { 31, "Z" }, { 32, "10" }, { UINT64_MAX - 1, "FZZZZZZZZZZZY" },
		{ UINT64_MAX, "FZZZZZZZZZZZZ" }, { 1ull << 60, "1000000000000" },
	};
	static const char	*bad[] = { "", "00", "01", "I", "L", "O", "U", "A-B", " A", "A " };
	uint64_t	 v;
	char		 text[MSGID_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(msgid_str(cases[i].id, text), cases[i].text);
		assert_int_equal(msgid_parse(&v, slice_str(text)), E_OK);
		assert_true(v == cases[i].id);
	}
	assert_int_equal(msgid_parse(&v, SLICE_LIT("zz")), E_OK);
	assert_int_equal(v, 1023);
	assert_int_equal(msgid_parse(&v, SLICE_LIT("G000000000000")), E_RANGE);
	assert_int_equal(msgid_parse(&v, SLICE_LIT("10000000000000")), E_RANGE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(msgid_parse(&v, slice_str(bad[i])), E_SYNTAX);
}

static void
test_dates(void **state)
{
	static const struct { const char *tz; int64_t t; const char *mail, *rfc3339; } cases[] = {
		{ "UTC", 1795304725, "Sat, 21 Nov 2026 23:45:25 +0000", "2026-11-21T23:45:25Z" },
		{ "XXX-5:30", 1795304725, "Sun, 22 Nov 2026 05:15:25 +0530", "2026-11-21T23:45:25Z" },
		{ "XXX3:30", 1795304725, "Sat, 21 Nov 2026 20:15:25 -0330", "2026-11-21T23:45:25Z" },
		{ "UTC", 0, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z" },
		{ "UTC", INT64_MAX, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z" },
		{ "UTC", INT64_MIN, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z" },
		{ "UTC", 253402300799, "Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59Z" },
		{ "UTC", 253402300800, "Thu, 1 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z" },
	};
	char	 text[DATE_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("TZ", cases[i].tz, 1);
		tzset();
		assert_string_equal(date_str(cases[i].t, text), cases[i].mail);
		assert_string_equal(date_rfc3339(cases[i].t, text), cases[i].rfc3339);
	}
	assert_true(now_mono_ms() <= now_mono_ms());
	assert_true(now_wall_ms() / 1000 >= (uint64_t)time(NULL) - 1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_durations), cmocka_unit_test(test_msgids),
		cmocka_unit_test(test_dates),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
