/* base_test.c -- err, slice, buf, arena and siphash. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/siphash.h"

static void
test_err_names(void **state)
{
	(void)state;
	assert_string_equal(err_name(E_OK), "E_OK");
	assert_string_equal(err_name(E_PROTO), "E_PROTO");
	assert_string_equal(err_name(E_BUSY), "E_BUSY");
	assert_string_equal(err_name(E_BUSY - 1), "E_?");
	assert_string_equal(err_name(1), "E_?");
}

static void
test_slice(void **state)
{
	char	 dst[4];

	(void)state;
	assert_true(slice_caseeq(SLICE_LIT("EhLo"), SLICE_LIT("eHlO")));
	assert_false(slice_caseeq(SLICE_LIT("EHLO"), SLICE_LIT("EHL")));
	assert_false(slice_caseeq(SLICE_LIT("@"), SLICE_LIT("`")));	/* 0x40 and 0x60 are no letters */
	assert_true(slice_eq(slice_make(NULL, 0), SLICE_LIT("")));
	assert_int_equal(slice_copy(SLICE_LIT("ab"), dst, sizeof(dst)), E_OK);
	assert_int_equal(slice_copy(SLICE_LIT("abc"), dst, sizeof(dst)), E_OK);
	assert_string_equal(dst, "abc");
	assert_int_equal(slice_copy(SLICE_LIT("abcd"), dst, sizeof(dst)), E_LIMIT);
	assert_int_equal(slice_copy(SLICE_LIT("a\0b"), dst, sizeof(dst)), E_LIMIT);
	assert_int_equal(slice_copy(slice_make(NULL, 0), dst, sizeof(dst)), E_OK);
	assert_string_equal(dst, "");
}

#define CAP	1000

static void
test_buf_cap(void **state)
{
	struct buf	 b;
	char		 x[CAP + 1];

	(void)state;
	memset(x, 'x', sizeof(x));
	for (size_t n = CAP - 1; n <= CAP + 1; n++) {
		buf_init(&b, CAP);
		assert_int_equal(buf_add(&b, x, n), n <= CAP ? E_OK : E_LIMIT);
		assert_int_equal(b.len, n <= CAP ? n : 0);
		buf_clear(&b);
		assert_int_equal(buf_addf(&b, "%.*s", (int)n, x), n <= CAP ? E_OK : E_LIMIT);
		assert_int_equal(b.len, n <= CAP ? n : 0);
		buf_clear(&b);
		assert_true((buf_reserve(&b, n) != NULL) == (n <= CAP));
		buf_clear(&b);
	}
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_clear(&b);
}

/* Adds and drains of changing sizes give back what went in, in order, within the cap. */
static void
test_buf_stream(void **state)
{
	struct buf	 b;
	unsigned	 in = 0, out = 0, seed = 1;
	unsigned char	*p;
	size_t		 n;

	(void)state;
	buf_init(&b, CAP);
	for (int turn = 0; turn < 20000; turn++) {
		seed = seed * 1103515245u + 12345u;
		n = seed >> 16 & 127;
		if (seed & 0x8000 && (p = (unsigned char *)buf_reserve(&b, n)) != NULL) {
			for (size_t i = 0; i < n; i++)
				p[i] = (unsigned char)in++;
			buf_commit(&b, n);
		} else {
			n = n < b.len ? n : b.len;
			for (size_t i = 0; i < n; i++)
				assert_int_equal((unsigned char)buf_slice(&b).p[i], out++ & 255);
			buf_drain(&b, n);
		}
		assert_true(b.len <= CAP && b.size <= CAP);
		assert_int_equal(b.len, in - out);
	}
	assert_true(in > 100000);
	buf_clear(&b);
}

static void
test_buf_format(void **state)
{
	struct buf	 b;

	(void)state;
	buf_init(&b, 4096);
	for (int i = 0; i < 500; i++)
		assert_int_equal(buf_addf(&b, "%03d,", i), E_OK);
	assert_int_equal(b.len, 2000);
	assert_memory_equal(buf_slice(&b).p + 1996, "499,", 4);
	assert_int_equal(buf_adds(&b, ""), E_OK);
	buf_clear(&b);
	assert_null(buf_slice(&b).p);
}

static void
test_arena(void **state)
{
	struct arena	 a;
	char		*p, *q;

	(void)state;
	arena_init(&a, 4096);
	assert_non_null(p = arena_alloc(&a, 0));
	assert_non_null(p = arena_alloc(&a, 100));
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	memset(p, 1, 100);
	assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
	assert_non_null(q = arena_strdup(&a, SLICE_LIT("abc")));
	assert_string_equal(q, "abc");
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(p = arena_alloc(&a, 4096 - 16));
	assert_int_equal(p[0] | p[99] | p[4079], 0);
	assert_null(arena_alloc(&a, 17));
	assert_non_null(arena_alloc(&a, 16));
	assert_null(arena_alloc(&a, 1));
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_clear(&a);
	assert_non_null(arena_alloc(&a, 3000));
	for (int i = 0; i < 50; i++)
		assert_non_null(arena_alloc(&a, 16));
	arena_clear(&a);
}

/* Message of n octets 00 01 ..: what CPython's own SipHash-1-3 says (PYTHONHASHSEED=42 gives this key). */
static void
test_siphash(void **state)
{
	static const struct { size_t n; uint64_t want; } v[] = {
		{ 1, 0xce880c366bcf3489 }, { 7, 0xce280fabc397fbda }, { 8, 0x60866c3c108c6afb }, { 9, 0x68814005f7469e03 },
		{ 15, 0x94ace24d68c18cf8 }, { 16, 0x339176f3ac59ce05 }, { 17, 0xed2706b414c296f1 }, { 63, 0x06e24d6f0d014c37 },
	};
	uint8_t		 in[64];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_int_equal(siphash_keyed(0xdc504fd368cd90af, 0xb920bb9ffe99e9c1, in, v[i].n), v[i].want);
	siphash_seed();
	assert_int_equal(siphash("abc", 3), siphash("abc", 3));
	assert_true(siphash("abc", 3) != siphash("abd", 3));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_err_names), cmocka_unit_test(test_slice), cmocka_unit_test(test_buf_cap),
		cmocka_unit_test(test_buf_stream), cmocka_unit_test(test_buf_format),
		cmocka_unit_test(test_arena), cmocka_unit_test(test_siphash),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
