/* table_make_inner.h -- what table_make.c and table_make_net.c share. */
#ifndef COMMON_TABLE_MAKE_INNER_H
#define COMMON_TABLE_MAKE_INNER_H

#include "common/table_image.h"
#include "common/table_make.h"

struct make_array {
	char	*p;
	size_t	 n, size;		/* elements */
	size_t	 each;
};

struct make_pair { uint64_t hash, off; };
struct make_range {			/* what one entry of a part of nets is for */
	struct net_addr	lo, hi;
	uint64_t	off;		/* of the entry */
	uint64_t	order;		/* the least wins */
	int		is6;
};

struct table_maker {
	int			 err;
	uint64_t		 max;
	struct make_array	 image;
	struct make_array	 tables, parts, files;	/* the directory */
	struct image_table	 table;			/* the one that is open */
	struct image_part	 part;
	struct make_array	 pairs, ranges, includes;
	uint64_t		 order;
};

void	*make_more(struct table_maker *, struct make_array *, size_t n);
int	 make_put(struct table_maker *, const void *, uint64_t n, uint64_t *off);
int	 make_entry(struct table_maker *, const struct table_value *, uint64_t *off);
void	 make_net_end(struct table_maker *);

#endif
