/* table_kit.h -- tables for tests, without postern-conf. */
#ifndef TESTS_COMMON_TABLE_KIT_H
#define TESTS_COMMON_TABLE_KIT_H

#include <stdlib.h>

#include "common/err.h"
#include "common/table_make.h"

/* A table of n keys that are there; its image is malloc'd (free((void *)t.image.p)). */
static inline struct table
kit_present(const char *const *keys, size_t n)
{
	struct table_maker	*m = table_maker_new(TABLE_IMAGE_MAX);
	struct table		 t = { .id = 0 };
	struct table_value	 v = { .data = { "", 0 } };

	if (m == NULL || table_make_file(m, "kit", &v.file) != E_OK ||
	    table_make_begin(m, TABLE_PRESENT, &t.id) != E_OK || table_make_hash(m) != E_OK)
		abort();
	for (size_t i = 0; i < n; i++) {
		v.key = slice_str(keys[i]);
		v.line = (uint32_t)i + 1;
		if (table_make_add(m, &v) != E_OK)
			abort();
	}
	if (table_make_part_end(m, NULL, NULL) != E_OK || table_make_end(m) != E_OK ||
	    table_make_finish(m, &t.image) != E_OK)
		abort();
	table_maker_free(m);
	return (t);
}

#endif
