/*
 * table_make.h -- makes an image of tables: for postern-conf, and for tests of those who read one.  Core.
 *
 * One table at a time, of one part or several: table_make_begin(), then for each part table_make_hash() or
 * table_make_net(), entries, table_make_part_end(); table_make_end().  The image grows in one piece of memory.
 * A failure for want of memory or room stays: every later call fails, and so does table_make_finish().
 */
#ifndef COMMON_TABLE_MAKE_H
#define COMMON_TABLE_MAKE_H

#include "common/table.h"

struct table_maker;

/* An entry that has the key of an earlier one of its part, told by table_make_part_end(). */
typedef void table_twice(void *arg, const struct table_value *first, const struct table_value *second);

/* max: octets of the image, at most TABLE_IMAGE_MAX.  NULL without memory. */
struct table_maker *table_maker_new(uint64_t max);
void	 table_maker_free(struct table_maker *);

int	 table_make_file(struct table_maker *, const char *name, uint32_t *file);	/* for struct table_value */
int	 table_make_begin(struct table_maker *, enum table_type, uint32_t *id);
int	 table_make_hash(struct table_maker *);
int	 table_make_net(struct table_maker *);
/* v: the key (folded), data, file and line; the type is the table's.  E_LIMIT: the key or the image is too long. */
int	 table_make_add(struct table_maker *, const struct table_value *);
/* To a part of nets: the n ranges that this entry is for; lo and hi belong to it.  A range of IPv6 is never asked
 * for an IPv4 address.  Of entries that hold an address the earliest wins. */
struct table_range {
	struct net_addr	lo, hi;
	int		is6;
};
int	 table_make_add_net(struct table_maker *, const struct table_value *, const struct table_range *, size_t n);
/* Of entries with one key the first is kept. */
int	 table_make_part_end(struct table_maker *, table_twice *, void *arg);
/* Inside a table, before its end: its include number n (from 0, each once). */
int	 table_make_include(struct table_maker *, uint32_t n, const struct table_value *);
int	 table_make_end(struct table_maker *);
/* The image, malloc'd: it is the caller's. */
int	 table_make_finish(struct table_maker *, struct slice *image);
/* The entries of the part that is open, in their order; 0 behind the last. */
int	 table_make_entry(const struct table_maker *, size_t i, struct table_value *);

#endif
