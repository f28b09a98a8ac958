/*
 * body_test.c -- bodies in blocks: cutting at every boundary, streaming ahead, budget, checksums.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "queue/body.h"

static uint8_t data[5 * BODY_CHUNK];

static void
make_data(void)
{
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + i / 251);
}

/* The octets of a chain are those that were added, and each block's checksum holds. */
static size_t
check_chain(const struct body_block *b, size_t off, uint32_t index)
{
	struct slice d;

	for (; b != NULL; b = b->next, index++) {
		assert_int_equal(b->index, index);
		assert_int_equal(body_chunk_check(slice_make(b->octets, BODY_BLOCK - BODY_CHUNK + b->len), &d), E_OK);
		assert_int_equal(d.n, b->len);
		assert_memory_equal(d.p, data + off, d.n);
		off += d.n;
	}
	return (off);
}

static void
cuts(void **state)
{
	static const size_t totals[] = { 1, BODY_CHUNK - 1, BODY_CHUNK, BODY_CHUNK + 1, 2 * BODY_CHUNK, sizeof(data) };
	static const size_t steps[] = { 1, 7, 1000, BODY_CHUNK - 1, BODY_CHUNK, BODY_CHUNK + 1, sizeof(data) };
	struct body *b;
	size_t i, j, off, n;

	for (i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		for (j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
			assert_non_null(b = body_new());
			for (off = 0; off < totals[i]; off += n) {
				n = totals[i] - off < steps[j] ? totals[i] - off : steps[j];
				assert_int_equal(body_add(b, slice_make(data + off, n)), E_OK);
			}
			body_seal(b);
			assert_int_equal(b->len, totals[i]);
			assert_int_equal(b->nchunk, (totals[i] + BODY_CHUNK - 1) / BODY_CHUNK);
			assert_int_equal(check_chain(b->first, 0, 0), totals[i]);
			assert_int_equal(body_memory(), b->nchunk * sizeof(struct body_block));
			assert_int_equal(b->held, body_memory());
			body_unref(b);
			assert_int_equal(body_memory(), 0);
		}
	}
}

static void
streaming(void **state)
{
	struct body_block *t;
	struct body *b;
	size_t off;

	assert_non_null(b = body_new());
	assert_null(body_take_blocks(b, 0));
	assert_int_equal(body_add(b, slice_make(data, 100)), E_OK);
	assert_null(body_take_blocks(b, 0));	/* the only block is not full */
	assert_int_equal(body_add(b, slice_make(data + 100, 2 * BODY_CHUNK)), E_OK);
	body_seal(b);
	assert_non_null(t = body_take_blocks(b, 0));
	off = check_chain(t, 0, 0);
	assert_int_equal(off, 2 * BODY_CHUNK);
	body_free_blocks(t);
	assert_int_equal(b->held, sizeof(struct body_block));
	/* Exactly full: all of it can go, and the next octet opens the next block. */
	assert_int_equal(body_add(b, slice_make(data + 100 + off, BODY_CHUNK - 100)), E_OK);
	body_seal(b);
	assert_non_null(t = body_take_blocks(b, 0));
	assert_int_equal(check_chain(t, off, 2), 3 * BODY_CHUNK);
	body_free_blocks(t);
	assert_null(b->first);
	assert_int_equal(b->held, 0);
	assert_int_equal(body_add(b, slice_make(data + 3 * BODY_CHUNK, 5)), E_OK);
	body_seal(b);
	assert_non_null(t = body_take_blocks(b, 1));
	assert_int_equal(check_chain(t, 3 * BODY_CHUNK, 3), 3 * BODY_CHUNK + 5);
	body_free_blocks(t);
	assert_int_equal(b->len, 3 * BODY_CHUNK + 5);
	assert_int_equal(b->nchunk, 4);
	body_unref(b);
	assert_int_equal(body_memory(), 0);
}

static void
references(void **state)
{
	struct body *b;

	assert_non_null(b = body_new());
	assert_int_equal(body_add(b, slice_make(data, 10)), E_OK);
	assert_ptr_equal(body_ref(b), b);
	body_unref(b);
	assert_int_equal(body_memory(), sizeof(struct body_block));
	body_unref(b);
	body_unref(NULL);
	assert_int_equal(body_memory(), 0);
}

static void
budget(void **state)
{
	struct body *b;

	assert_non_null(b = body_new());
	body_set_budget(2 * sizeof(struct body_block));
	assert_int_equal(body_add(b, slice_make(data, 2 * BODY_CHUNK)), E_OK);
	assert_int_equal(body_add(b, slice_make(data, 1)), E_NOMEM);
	assert_int_equal(body_memory(), 2 * sizeof(struct body_block));
	body_set_budget(3 * sizeof(struct body_block));
	assert_int_equal(body_add(b, slice_make(data, 1)), E_OK);
	body_unref(b);
	body_set_budget(SIZE_MAX);
}

static void
damage(void **state)
{
	uint8_t stored[BODY_BLOCK];
	struct body *b;
	struct slice d;
	size_t i, n;

	assert_non_null(b = body_new());
	assert_int_equal(body_add(b, slice_make(data, 100)), E_OK);
	body_seal(b);
	n = BODY_BLOCK - BODY_CHUNK + b->first->len;
	memcpy(stored, b->first->octets, n);
	body_unref(b);
	assert_int_equal(body_chunk_check(slice_make(stored, n), &d), E_OK);
	for (i = 0; i < n; i++) {
		stored[i] ^= 1;
		assert_int_equal(body_chunk_check(slice_make(stored, n), &d), E_CORRUPT);
		stored[i] ^= 1;
		assert_int_equal(body_chunk_check(slice_make(stored, i), &d), E_CORRUPT);
	}
	assert_int_equal(body_chunk_check(slice_make(stored, BODY_BLOCK + 1), &d), E_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts), cmocka_unit_test(streaming), cmocka_unit_test(references),
		cmocka_unit_test(budget), cmocka_unit_test(damage),
	};

	make_data();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
