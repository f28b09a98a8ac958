/* wire_test.c -- packing: round trip, every cut, limits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "common/wire.h"

static size_t
pack(uint8_t *p, size_t size, int *err)
{
	struct wr	 w;

	wr_init(&w, p, size);
	wr_u8(&w, 0xfe);
	wr_u16(&w, 0x1234);
	wr_u32(&w, 0xdeadbeef);
	wr_u64(&w, 0x0123456789abcdef);
	wr_str(&w, "text");
	wr_bytes(&w, "a\0b", 3);
	wr_raw(&w, "xy", 2);
	*err = w.err;
	return (w.len);
}

static int
unpack(const uint8_t *p, size_t n)
{
	struct rd	 r;
	char		 s[8], raw[2];
	struct slice	 b;

	rd_init(&r, p, n);
	if (rd_u8(&r) != 0xfe || rd_u16(&r) != 0x1234 || rd_u32(&r) != 0xdeadbeef ||
	    rd_u64(&r) != 0x0123456789abcdef)
		return (E_PROTO);
	rd_str(&r, s, sizeof(s));
	b = rd_bytes(&r, 3);
	rd_raw(&r, raw, sizeof(raw));
	if (r.err == E_OK) {
		assert_string_equal(s, "text");
		assert_int_equal(b.n, 3);
		assert_memory_equal(b.p, "a\0b", 3);
		assert_memory_equal(raw, "xy", 2);
	} else
		assert_true(raw[0] == 0 && raw[1] == 0);
	return (rd_end(&r));
}

static void
test_round_trip(void **state)
{
	uint8_t	 p[64];
	size_t	 n, size;
	int	 err;

	(void)state;
	n = pack(p, sizeof(p), &err);
	assert_int_equal(err, E_OK);
	assert_int_equal(n, 1 + 2 + 4 + 8 + 6 + 7 + 2);
	assert_int_equal(p[1], 0x34);	/* little-endian */
	for (size = 0; size <= n + 1; size++)
		assert_int_equal(unpack(p, size), size == n ? E_OK : E_PROTO);
	for (size = 0; size <= n + 1; size++) {
		pack(p, size, &err);
		assert_int_equal(err, size >= n ? E_OK : E_LIMIT);
	}
}

static void
test_strings(void **state)
{
	static const struct { const char *octets; size_t n; int want; } cases[] = {
		{ "\2\0ab", 4, E_OK }, { "\3\0abc", 5, E_OK }, { "\4\0abcd", 6, E_PROTO },
		{ "\0\0", 2, E_OK }, { "\2\0a", 3, E_PROTO }, { "\2", 1, E_PROTO },
		{ "\2\0a\0", 4, E_PROTO }, { "\2\0a\r", 4, E_PROTO }, { "\2\0\na", 4, E_PROTO },
	};
	struct rd	 r;
	char		 dst[4];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rd_init(&r, cases[i].octets, cases[i].n);
		rd_str(&r, dst, sizeof(dst));
		assert_int_equal(rd_end(&r), cases[i].want);
		if (cases[i].want != E_OK)
			assert_string_equal(dst, "");
	}
}

static void
test_limits(void **state)
{
	static const uint8_t	 three[] = { 3, 0, 0, 0, 'a', 'b', 'c' };
	static const uint8_t	 flag[] = { 2 };
	static char		 big[UINT16_MAX + 2], out[UINT16_MAX + 10];
	struct rd		 r;
	struct wr		 w;

	(void)state;
	for (size_t max = 2; max <= 4; max++) {
		rd_init(&r, three, sizeof(three));
		rd_bytes(&r, max);
		assert_int_equal(rd_end(&r), max >= 3 ? E_OK : E_PROTO);
	}
	for (uint8_t max = 1; max <= 3; max++) {
		rd_init(&r, flag, sizeof(flag));
		assert_int_equal(rd_u8max(&r, max), max >= 2 ? 2 : 0);
		assert_int_equal(rd_end(&r), max >= 2 ? E_OK : E_PROTO);
	}
	memset(big, 'x', UINT16_MAX + 1);
	wr_init(&w, out, sizeof(out));
	wr_str(&w, big);
	assert_int_equal(w.err, E_LIMIT);
	big[UINT16_MAX] = '\0';
	wr_init(&w, out, sizeof(out));
	wr_str(&w, big);
	assert_int_equal(w.err, E_OK);
	assert_int_equal(w.len, UINT16_MAX + 2);
	rd_init(&r, NULL, 0);
	assert_int_equal(rd_end(&r), E_OK);
	assert_int_equal(rd_u64(&r), 0);
	assert_int_equal(rd_end(&r), E_PROTO);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_strings), cmocka_unit_test(test_limits),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
