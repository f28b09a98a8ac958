/* table_parts.h -- one part of a table; for the table*.c files alone. */
#ifndef COMMON_TABLE_PARTS_H
#define COMMON_TABLE_PARTS_H

#include "common/table.h"
#include "common/table_image.h"

struct table_part {
	struct slice		 image;
	uint32_t		 type;
	uint64_t		 key[2];
	struct image_part	 part;
};

/* The table's part i: E_OK, E_NOTFOUND behind the last, E_CORRUPT. */
int	 table_part_open(struct table_part *, const struct table *, uint32_t i);
int	 table_part_get(const struct table_part *, struct slice folded, struct table_value *);
int	 table_part_net(const struct table_part *, const struct net_addr *, struct table_value *);

#endif
