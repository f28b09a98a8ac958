/*
 * conf_kit.h -- snapshots that are packed and unpacked, and what must be refused on the way.
 */
#ifndef TESTS_COMMON_CONF_KIT_H
#define TESTS_COMMON_CONF_KIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/conf_number.h"
#include "common/err.h"
#include "common/limits.h"

/* All numbers have their defaults. */
static inline void
kit_numbers(struct conf *c)
{
	for (size_t i = 0; i < conf_nnumbers; i++)
		conf_number_set(c, &conf_numbers[i], conf_numbers[i].def);
}

/* What unpack says of it. */
static inline int
unpacks(const struct conf *c)
{
	struct slice	 packed;
	struct conf	*back;
	int		 err;

	assert_int_equal(conf_pack(c, &packed), E_OK);
	if ((err = conf_unpack(&back, packed, slice_make(NULL, 0))) == E_OK)
		conf_free(back);
	free((void *)packed.p);
	return (err);
}

/* The same again, for conf_free(); it packs to the same octets, and every cut of them, and an octet too many, is refused. */
static inline struct conf *
kit_round_trip(const struct conf *c)
{
	struct conf	*back, *none;
	struct slice	 packed, again;
	char		*more;

	assert_int_equal(conf_pack(c, &packed), E_OK);
	assert_int_equal(conf_unpack(&back, packed, slice_make(NULL, 0)), E_OK);
	assert_int_equal(conf_pack(back, &again), E_OK);
	assert_true(slice_eq(packed, again));
	for (size_t n = 0; n < packed.n; n++)
		assert_int_equal(conf_unpack(&none, slice_make(packed.p, n), slice_make(NULL, 0)), E_PROTO);
	assert_non_null(more = calloc(1, packed.n + 1));
	memcpy(more, packed.p, packed.n);
	assert_int_equal(conf_unpack(&none, slice_make(more, packed.n + 1), slice_make(NULL, 0)), E_PROTO);
	free(more);
	free((void *)packed.p);
	free((void *)again.p);
	return (back);
}

/* With this value of a field the snapshot c is refused, and with its own it is not. */
#define REFUSED(field, value) do { \
		__typeof__(field) was = (field); \
		(field) = (value); \
		assert_int_equal(unpacks(&c), E_PROTO); \
		(field) = was; \
		assert_int_equal(unpacks(&c), E_OK); \
	} while (0)

/* A number of things of c at its limit: one less, just so many, one more. */
#define COUNTED(field, max) do { \
		__typeof__(field) was = (field); \
		for ((field) = (max) - 1; (field) <= (max) + 1; (field)++) \
			assert_int_equal(unpacks(&c), (field) <= (max) ? E_OK : E_PROTO); \
		(field) = was; \
	} while (0)

#endif
