/* xtext_test.c -- xtext, original recipients, UTF-8 (RFC 3461 4, RFC 6533 3, RFC 3629 4). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "common/utf8.h"
#include "common/xtext.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

static void
test_decode(void **state)
{
	static const struct { const char *in; int err; const char *out; } cases[] = {
		{ "", E_OK, "" }, { "abc", E_OK, "abc" }, { "a+2Bb", E_OK, "a+b" }, { "+3D+20+7F", E_OK, "= \x7f" },
		{ "+C3+A4", E_OK, "\xc3\xa4" }, { "+41", E_OK, "A" }, { "!~", E_OK, "!~" },
		{ "+", E_SYNTAX, NULL }, { "+2", E_SYNTAX, NULL }, { "+2b", E_SYNTAX, NULL }, { "+G0", E_SYNTAX, NULL },
		{ "a=b", E_SYNTAX, NULL }, { "a b", E_SYNTAX, NULL }, { "a\x7f", E_SYNTAX, NULL }, { "\xc3\xa4", E_SYNTAX, NULL },
		{ "+00", E_SYNTAX, NULL }, { "a+00", E_SYNTAX, NULL }, { "++", E_SYNTAX, NULL },
	};
	char	 dst[64];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		assert_int_equal(xtext_decode(slice_str(cases[i].in), dst, sizeof(dst)), cases[i].err);
		assert_string_equal(dst, cases[i].err == E_OK ? cases[i].out : "");
	}
	assert_int_equal(xtext_decode(slice_make("a\0b", 3), dst, sizeof(dst)), E_SYNTAX);
	/* One octet more than fits, just what fits. */
	assert_int_equal(xtext_decode(SLICE_LIT("ab+2B"), dst, 3), E_LIMIT);
	assert_int_equal(xtext_decode(SLICE_LIT("ab+2B"), dst, 4), E_OK);
	assert_string_equal(dst, "ab+");
}

static void
test_encode(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "", "" }, { "a@b.example", "a@b.example" }, { "a+b=c d", "a+2Bb+3Dc+20d" }, { "\xc3\xa4\x7f", "+C3+A4+7F" },
		{ "\\\"", "\\\"" },
	};
	char	 dst[64];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		assert_int_equal(xtext_encode(slice_str(cases[i].in), dst, sizeof(dst)), E_OK);
		assert_string_equal(dst, cases[i].out);
	}
	assert_int_equal(xtext_encode(SLICE_LIT("a+"), dst, 4), E_LIMIT);
	assert_int_equal(xtext_encode(SLICE_LIT("a+"), dst, 5), E_OK);
	assert_int_equal(xtext_encode(slice_make("a\0", 2), dst, sizeof(dst)), E_SYNTAX);
	assert_true(xtext_is_printable("a b\t~") && xtext_is_printable(""));
	assert_false(xtext_is_printable("a\n") || xtext_is_printable("\x7f") || xtext_is_printable("\xc3\xa4"));
}

static void
test_orcpt(void **state)
{
	static const struct { const char *in; int err; const char *out, *seven, *eight; } cases[] = {
		{ "rfc822;a@b.example", E_OK, "rfc822;a@b.example", NULL, NULL },
		{ "rfc822;a+2Bx@b", E_OK, "rfc822;a+x@b", NULL, NULL },
		{ "X400;/C=DE", E_SYNTAX, NULL, NULL, NULL }, { "X400;/C+3DDE", E_OK, "X400;/C=DE", NULL, NULL },
		{ "rfc822;", E_OK, "rfc822;", NULL, NULL },
		{ "rfc822;+C3+A4+2B@b", E_OK, "utf-8;\xc3\xa4+@b", "utf-8;\\x{E4}\\x{2B}@b", "utf-8;\xc3\xa4\\x{2B}@b" },
		{ "rfc822;+C3@b", E_SYNTAX, NULL, NULL, NULL }, { "rfc822;+C2+85@b", E_SYNTAX, NULL, NULL, NULL },
		{ "x400;+C3+A4@b", E_SYNTAX, NULL, NULL, NULL },
		{ "utf-8;+C3+A4@b", E_OK, "utf-8;\xc3\xa4@b", "utf-8;\\x{E4}@b", "utf-8;\xc3\xa4@b" }, { "rfc822;\xc3\xa4@b", E_SYNTAX, NULL, NULL, NULL },
		{ "rfc822;a+0Ab", E_SYNTAX, NULL, NULL, NULL }, { "rfc822", E_SYNTAX, NULL, NULL, NULL },
		{ ";a@b", E_SYNTAX, NULL, NULL, NULL }, { "a.b;c", E_SYNTAX, NULL, NULL, NULL }, { "", E_SYNTAX, NULL, NULL, NULL },
		{ "a(b;c", E_SYNTAX, NULL, NULL, NULL },
		/* utf-8-addr-xtext, -unitext, utf-8-address. */
		{ "utf-8;\\x{E4}@b", E_OK, "utf-8;\xc3\xa4@b", "utf-8;\\x{E4}@b", "utf-8;\xc3\xa4@b" },
		{ "utf-8;\xc3\xa4\\x{2B}\\x{3D}@b", E_OK, "utf-8;\xc3\xa4+=@b", "utf-8;\\x{E4}\\x{2B}\\x{3D}@b",
		    "utf-8;\xc3\xa4\\x{2B}\\x{3D}@b" },
		{ "UTF-8;\xe2\x82\xac@b", E_OK, "UTF-8;\xe2\x82\xac@b", "UTF-8;\\x{20AC}@b", "UTF-8;\xe2\x82\xac@b" },
		{ "utf-8;\\x{1F600}@b", E_OK, "utf-8;\xf0\x9f\x98\x80@b", "utf-8;\\x{1F600}@b", "utf-8;\xf0\x9f\x98\x80@b" },
		{ "utf-8;\\x{10FFFF}@b", E_OK, "utf-8;\xf4\x8f\xbf\xbf@b", "utf-8;\\x{10FFFF}@b", "utf-8;\xf4\x8f\xbf\xbf@b" },
		{ "utf-8;a@b", E_OK, "utf-8;a@b", "utf-8;a@b", "utf-8;a@b" },
		{ "utf-8;\\x{5C}\\x{20}@b", E_OK, "utf-8;\\ @b", "utf-8;\\x{5C}\\x{20}@b", "utf-8;\\x{5C}\\x{20}@b" },
		{ "utf-8;a+2Bx@b", E_OK, "utf-8;a+x@b", "utf-8;a\\x{2B}x@b", "utf-8;a\\x{2B}x@b" },
		{ "utf-8;\\x{110000}@b", E_OK, "utf-8;\\x{110000}@b", "utf-8;\\x{5C}x{110000}@b", "utf-8;\\x{5C}x{110000}@b" },
		{ "utf-8;a\xc0\xafz@b", E_SYNTAX, NULL, NULL, NULL }, { "utf-8;\xed\xa0\x80", E_SYNTAX, NULL, NULL, NULL },
		{ "utf-8;\xc2\x85", E_SYNTAX, NULL, NULL, NULL }, { "utf-8;\xc3\xa4\\x{0A}", E_SYNTAX, NULL, NULL, NULL },
		{ "utf-8;\xc3\xa4\\x{D800}", E_SYNTAX, NULL, NULL, NULL }, { "utf-8;\xc3\xa4 b", E_SYNTAX, NULL, NULL, NULL },
		{ "utf-8;\xc3\xa4\\x{e4}", E_SYNTAX, NULL, NULL, NULL }, { "utf-8;\xc3\xa4\\x{0E4}", E_SYNTAX, NULL, NULL, NULL },
		{ "utf-8;\xc3\xa4\\x{41}", E_SYNTAX, NULL, NULL, NULL }, { "utf-8;\xc3\xa4\\x{E4", E_SYNTAX, NULL, NULL, NULL },
		{ "utf-8;\xc3\xa4\\x{E}", E_SYNTAX, NULL, NULL, NULL }, { "utf-8;\xc3\xa4+2B", E_SYNTAX, NULL, NULL, NULL },
		{ "utf-8;a+09", E_SYNTAX, NULL, NULL, NULL }, { "rfc822;a+09", E_OK, "rfc822;a\t", NULL, NULL },
	};
	char	 dst[ORCPT_MAX + 1], back[XTEXT_ORCPT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		assert_int_equal(orcpt_decode(slice_str(cases[i].in), dst, sizeof(dst)), cases[i].err);
		if (cases[i].err != E_OK)
			continue;
		assert_string_equal(dst, cases[i].out);
		assert_int_equal(orcpt_encode(dst, 0, back, sizeof(back)), E_OK);
		assert_string_equal(back, cases[i].seven != NULL ? cases[i].seven : cases[i].in);
		assert_int_equal(orcpt_encode(dst, 1, back, sizeof(back)), E_OK);
		assert_string_equal(back, cases[i].eight != NULL ? cases[i].eight : cases[i].in);
	}
	assert_int_equal(orcpt_encode("no type", 0, back, sizeof(back)), E_SYNTAX);
	assert_int_equal(orcpt_encode("utf-8;\xff", 0, back, sizeof(back)), E_SYNTAX);
}

static void
test_orcpt_limit(void **state)
{
	char	 in[ORCPT_MAX + 2], dst[ORCPT_MAX + 1];

	(void)state;
	memset(in, 'a', sizeof(in));
	memcpy(in, "rfc822;", 7);
	for (size_t n = ORCPT_MAX - 1; n <= ORCPT_MAX + 1; n++)
		assert_int_equal(orcpt_decode(slice_make(in, n), dst, sizeof(dst)), n <= ORCPT_MAX ? E_OK : E_LIMIT);
	memset(in, ' ', sizeof(in));
	memcpy(in, "utf-8;", 6);
	in[ORCPT_MAX] = '\0';
	{
		char	 out[XTEXT_ORCPT_MAX + 1];

		assert_int_equal(orcpt_encode(in, 0, out, sizeof(out)), E_OK);
	}
}

static void
test_utf8(void **state)
{
	static const struct { const char *in; uint32_t ch; } cases[] = {
		{ "a", 'a' }, { "\x7f", 0x7f }, { "\xc2\x80", 0x80 }, { "\xdf\xbf", 0x7ff }, { "\xe0\xa0\x80", 0x800 },
		{ "\xed\x9f\xbf", 0xd7ff }, { "\xee\x80\x80", 0xe000 }, { "\xef\xbf\xbf", 0xffff }, { "\xf0\x90\x80\x80", 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 0x10ffff },
	};
	static const char *const	 bad[] = {
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe0\xa0",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xfe", "\xff",
	};
	char		 dst[UTF8_LEN_MAX];
	uint32_t	 ch;

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		assert_int_equal(utf8_next(slice_str(cases[i].in), &ch), strlen(cases[i].in));
		assert_int_equal(ch, cases[i].ch);
		assert_int_equal(utf8_put(dst, ch), strlen(cases[i].in));
		assert_memory_equal(dst, cases[i].in, strlen(cases[i].in));
	}
	for (size_t i = 0; i < N(bad); i++) {
		assert_int_equal(utf8_next(slice_str(bad[i]), &ch), 0);
		assert_false(utf8_is_text(slice_str(bad[i])) || utf8_is_valid(slice_str(bad[i])));
	}
	assert_int_equal(utf8_put(dst, 0xd800), 0);
	assert_int_equal(utf8_put(dst, 0x110000), 0);
	assert_true(utf8_is_text(SLICE_LIT("a \xc2\xa0\xc3\xa4")) && utf8_is_text(SLICE_LIT("")));
	assert_true(utf8_is_valid(SLICE_LIT("a\x01\xc2\x9f\xc3\xa4")) && utf8_is_valid(SLICE_LIT("")));
	assert_false(utf8_is_text(SLICE_LIT("\xc2\x9f")) || utf8_is_text(SLICE_LIT("\x1f")) || utf8_is_text(SLICE_LIT("\x7f")));
	assert_true(utf8_has_8bit(SLICE_LIT("a\x80")) && !utf8_has_8bit(SLICE_LIT("a\x7f")));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_decode), cmocka_unit_test(test_encode), cmocka_unit_test(test_orcpt),
		cmocka_unit_test(test_orcpt_limit), cmocka_unit_test(test_utf8),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
