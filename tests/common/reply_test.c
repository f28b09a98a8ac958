/* reply_test.c -- remote replies, enhanced codes, escaped text, hints. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/reply.h"

static void
count_line(void *arg, struct slice line)
{
	(void)line;
	++*(unsigned *)arg;
}

static void
test_replies(void **state)
{
	static const struct {
		const char	*in;
		int		 err;
		unsigned	 code, lines;
		const char	*enhanced, *text;
	} cases[] = {
		{ "250 Ok\r\n", E_OK, 250, 1, "0.0.0", "Ok" },
		{ "250 2.0.0 Ok: queued\r\n", E_OK, 250, 1, "2.0.0", "2.0.0 Ok: queued" },
		{ "550-5.1.1 No\r\n550 5.1.1 such user\r\n", E_OK, 550, 2, "5.1.1", "5.1.1 No such user" },
		{ "550-No\r\n550 5.1.1 such\r\n", E_OK, 550, 2, "5.1.1", "No 5.1.1 such" },
		{ "550 4.1.1 odd\r\n", E_OK, 550, 1, "0.0.0", "4.1.1 odd" },
		{ "354 2.0.0 go\r\n", E_OK, 354, 1, "0.0.0", "2.0.0 go" },
		{ "250\r\n", E_OK, 250, 1, "0.0.0", "" }, { "250 \r\n", E_OK, 250, 1, "0.0.0", "" },
		{ "250-a\n250 b\n", E_OK, 250, 2, "0.0.0", "a b" },
		{ "220 \x01\xff\tx\r\n", E_OK, 220, 1, "0.0.0", "?? x" },
		{ "599 x\r\n", E_OK, 599, 1, "0.0.0", "x" }, { "200 x\r\n", E_OK, 200, 1, "0.0.0", "x" },
		{ "199 x\r\n", E_PROTO, 0, 0, NULL, NULL }, { "600 x\r\n", E_PROTO, 0, 0, NULL, NULL },
		{ "25 x\r\n", E_PROTO, 0, 0, NULL, NULL }, { "2500 x\r\n", E_PROTO, 0, 0, NULL, NULL },
		{ "250-a\r\n251 b\r\n", E_PROTO, 0, 0, NULL, NULL }, { "\r\n", E_PROTO, 0, 0, NULL, NULL },
		{ "hello\r\n", E_PROTO, 0, 0, NULL, NULL }, { "250 Ok", E_AGAIN, 0, 0, NULL, NULL },
		{ "250-Ok\r\n", E_AGAIN, 0, 0, NULL, NULL }, { "", E_AGAIN, 0, 0, NULL, NULL },
	};
	struct reply_parser	 p;
	char			 text[ENHANCED_STRLEN];
	size_t			 used;
	unsigned		 lines;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lines = 0;
		reply_parser_init(&p);
		if (reply_feed(&p, slice_str(cases[i].in), &used, count_line, &lines) != cases[i].err)
			fail_msg("%s", cases[i].in);
		if (cases[i].err != E_OK)
			continue;
		assert_int_equal(used, strlen(cases[i].in));
		assert_int_equal(p.r.code, cases[i].code);
		assert_int_equal(p.r.lines, cases[i].lines);
		assert_int_equal(lines, cases[i].lines);
		assert_string_equal(enhanced_str(&p.r.enhanced, text), cases[i].enhanced);
		assert_string_equal(p.r.text, cases[i].text);
		assert_int_equal(p.r.text_len, strlen(p.r.text));
	}
	/* Two in one read: the second is left for the next call.  NUL is refused, and stays refused. */
	reply_parser_init(&p);
	assert_int_equal(reply_feed(&p, SLICE_LIT("250 a\r\n451 b\r\n"), &used, NULL, NULL), E_OK);
	assert_int_equal(used, 7);
	assert_int_equal(reply_feed(&p, SLICE_LIT("451 b\r\n"), &used, NULL, NULL), E_OK);
	assert_int_equal(p.r.code, 451);
	assert_string_equal(p.r.text, "b");
	assert_int_equal(reply_feed(&p, SLICE_LIT("250 \0"), &used, NULL, NULL), E_PROTO);
	assert_int_equal(reply_feed(&p, SLICE_LIT("250 a\r\n"), &used, NULL, NULL), E_PROTO);
	assert_int_equal(used, 0);
}

static void
test_reply_limits(void **state)
{
	struct reply_parser	 p;
	char			 line[REPLY_LINE_MAX + 8], one[16];
	size_t			 used;
	int			 err = E_AGAIN;

	(void)state;
	for (size_t n = REPLY_LINE_MAX - 1; n <= REPLY_LINE_MAX + 1; n++) {
		memset(line, 'x', sizeof(line));
		memcpy(line, "250 ", 4);
		memcpy(line + n - 2, "\r\n", 2);
		reply_parser_init(&p);
		assert_int_equal(reply_feed(&p, slice_make(line, n), &used, NULL, NULL),
		    n <= REPLY_LINE_MAX ? E_OK : E_LIMIT);
		if (n <= REPLY_LINE_MAX)
			assert_int_equal(p.r.text_len, REPLY_TEXT_MAX);
	}
	for (size_t n = REPLY_TEXT_MAX - 1; n <= REPLY_TEXT_MAX + 1; n++) {	/* cut, not refused */
		memset(line, 'x', sizeof(line));
		memcpy(line, "250 ", 4);
		memcpy(line + 4 + n, "\r\n", 2);
		reply_parser_init(&p);
		assert_int_equal(reply_feed(&p, slice_make(line, 4 + n + 2), &used, NULL, NULL), E_OK);
		assert_int_equal(p.r.text_len, n > REPLY_TEXT_MAX ? REPLY_TEXT_MAX : n);
	}
	for (int n = REPLY_LINES_MAX - 1; n <= REPLY_LINES_MAX + 1; n++) {
		reply_parser_init(&p);
		for (int i = 1; i <= n; i++) {
			snprintf(one, sizeof(one), "250%cx\r\n", i == n ? ' ' : '-');
			err = reply_feed(&p, slice_str(one), &used, NULL, NULL);
		}
		assert_int_equal(err, n <= REPLY_LINES_MAX ? E_OK : E_LIMIT);
	}
}

static void
test_enhanced(void **state)
{
	static const struct { const char *in; size_t used; const char *out; } cases[] = {
		{ "5.1.1", 5, "5.1.1" }, { "4.999.999 x", 9, "4.999.999" }, { "2.0.0\tx", 5, "2.0.0" },
		{ "5.1000.1", 0, "0.0.0" }, { "5.1.1000", 0, "0.0.0" }, { "3.1.1", 0, "0.0.0" }, { "5.01.1", 0, "0.0.0" },
		{ "5.1.1.", 0, "0.0.0" }, { "5.1", 0, "0.0.0" }, { "5.1.", 0, "0.0.0" }, { "5..1.1", 0, "0.0.0" }, { "", 0, "0.0.0" },
	};
	struct enhanced	 e;
	char		 text[ENHANCED_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(enhanced_parse(&e, slice_str(cases[i].in)), cases[i].used);
		assert_string_equal(enhanced_str(&e, text), cases[i].out);
	}
}

static void
test_escape(void **state)
{
	static const struct { const char *in; size_t size; const char *out; } cases[] = {
		{ "plain", 32, "plain" }, { "a\"b\\c", 32, "a\\\"b\\\\c" }, { "\r\n\t\x7f\xff", 32, "\\x0d\\x0a\\x09\\x7f\\xff" },
		{ "abcdef", 7, "abcdef" }, { "abcdefg", 7, "abc..." }, { "abcdef", 6, "ab..." }, { "\n\n", 9, "\\x0a\\x0a" },
		{ "\n\n", 8, "\\x0a..." }, { "\n\n", 7, "..." }, { "abc", 3, ".." }, { "abc", 1, "" },
	};
	char	 dst[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(text_escape(dst, cases[i].size, slice_str(cases[i].in)), cases[i].out);
	assert_string_equal(text_escape(dst, sizeof(dst), slice_make("a\0b", 3)), "a\\x00b");
	assert_string_equal(text_escape_word(dst, sizeof(dst), SLICE_LIT("\"a> rcpt=<b\"@c")),
	    "\\\"a\\x3e\\x20rcpt=\\x3cb\\\"@c");
	dst[0] = '!';
	text_escape(dst, 0, SLICE_LIT("x"));
	assert_int_equal(dst[0], '!');
}

static void
test_hints(void **state)
{
	static const struct { const char *in; uint32_t want; } cases[] = {
		{ "Greylisted, please try again in 300 seconds", 300 }, { "try again in 5 minutes.", 300 },
		{ "Retry after 2 hours", 7200 }, { "wait 30s", 30 }, { "wait 29s", 30 }, { "wait 31s", 31 },
		{ "try again in 1 second", 30 }, { "try again in 0 seconds", 0 }, { "try later in 90 Days", 0 },
		{ "30 connections in 60 seconds", 0 }, { "try again later", 0 }, { "try again in 99999 hours", 86400 },
		{ "try again in 99999999999999999999 seconds", 86400 }, { "", 0 }, { "try again in 24 hours", 86400 },
		{ "Come back (try in: 10 min)", 600 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (reply_retry_hint(slice_str(cases[i].in)) != cases[i].want)
			fail_msg("\"%s\": %u", cases[i].in, reply_retry_hint(slice_str(cases[i].in)));
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_replies), cmocka_unit_test(test_reply_limits), cmocka_unit_test(test_enhanced),
		cmocka_unit_test(test_escape), cmocka_unit_test(test_hints),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
