/*
 * dot_test.c -- dot transparency: tables, and every cut of the input gives the same octets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "deliver/dot.h"

#define LIT(s)	{ s, sizeof(s) - 1 }

static const struct {
	struct slice	in, want;
	int		err;
} rows[] = {
	{ LIT(""), LIT(".\r\n"), E_OK },
	{ LIT("a\r\n"), LIT("a\r\n.\r\n"), E_OK },
	{ LIT("a"), LIT("a\r\n.\r\n"), E_OK },
	{ LIT("."), LIT("..\r\n.\r\n"), E_OK },
	{ LIT(".\r\n"), LIT("..\r\n.\r\n"), E_OK },
	{ LIT("..\r\n.a\r\n"), LIT("...\r\n..a\r\n.\r\n"), E_OK },
	{ LIT("a.b\r\n c.\r\n"), LIT("a.b\r\n c.\r\n.\r\n"), E_OK },
	{ LIT("\r\n.\r\n\r\n"), LIT("\r\n..\r\n\r\n.\r\n"), E_OK },
	{ LIT("a\0b\xff\r\n.\0\r\n"), LIT("a\0b\xff\r\n..\0\r\n.\r\n"), E_OK },
	{ LIT("a\nb\r\n"), LIT(""), E_SYNTAX },
	{ LIT("a\rb\r\n"), LIT(""), E_SYNTAX },
	{ LIT("a\r\r\n"), LIT(""), E_SYNTAX },
	{ LIT("\n"), LIT(""), E_SYNTAX },
	{ LIT("a\r\n.\n"), LIT(""), E_SYNTAX },
	{ LIT("a\r"), LIT(""), E_SYNTAX },
};

/* Stuff in, given in pieces cut at a and b and with max segments at a time; the length or an error. */
static int
stuff(struct slice in, size_t a, size_t b, size_t max, char *out, size_t *len)
{
	size_t cut[4] = { 0, a, b, in.n }, nseg, used, off;
	struct slice seg[8], end;
	struct dot d;

	*len = 0;
	dot_init(&d);
	for (int k = 0; k < 3; k++) {
		for (off = cut[k]; off < cut[k + 1]; off += used) {
			if (dot_stuff(&d, slice_make(in.p + off, cut[k + 1] - off), seg, max, &nseg, &used) != E_OK)
				return (E_SYNTAX);
			assert_true(nseg <= max);
			assert_true(used > 0);
			for (size_t i = 0; i < nseg; i++) {
				memcpy(out + *len, seg[i].p, seg[i].n);
				*len += seg[i].n;
			}
		}
	}
	if (dot_end(&d, &end) != E_OK)
		return (E_SYNTAX);
	memcpy(out + *len, end.p, end.n);
	*len += end.n;
	return (E_OK);
}

static void
table(void **state)
{
	char out[256];
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t a = 0; a <= rows[i].in.n; a++) {
			for (size_t b = a; b <= rows[i].in.n; b++) {
				for (size_t max = 3; max <= 8; max++) {
					assert_int_equal(stuff(rows[i].in, a, b, max, out, &len), rows[i].err);
					if (rows[i].err != E_OK)
						continue;
					assert_int_equal(len, rows[i].want.n);
					assert_memory_equal(out, rows[i].want.p, len);
				}
			}
		}
	}
}

/* Long lines and dots at every place of a large body, without a copy: segments point into it. */
static void
large(void **state)
{
	static char body[200000], out[400000];
	size_t len, n = 0;

	for (size_t line = 0; n + 2000 < sizeof(body); line++) {
		size_t w = line * 37 % 1500;

		if (line % 3 == 0)
			body[n++] = '.';
		memset(body + n, 'x', w);
		n += w;
		body[n++] = '\r';
		body[n++] = '\n';
	}
	assert_int_equal(stuff(slice_make(body, n), n / 3, n / 2, 5, out, &len), E_OK);
	/* Undo it. */
	size_t at = 0;
	for (size_t i = 0; i < len - 3; i++) {
		if (out[i] == '.' && (i == 0 || out[i - 1] == '\n'))
			continue;
		assert_int_equal(out[i], body[at]);
		at++;
		if (at < n && body[at] == '.' && body[at - 1] == '\n' && out[i + 1] == '.') {
			i++;
			assert_int_equal(out[i + 1], '.');
			continue;
		}
	}
	assert_memory_equal(out + len - 5, "\r\n.\r\n", 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(large),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
