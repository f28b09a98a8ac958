/*
 * table_image.h -- how the image of table.h is laid out; for the table*.c files alone.
 *
 * The header is first; everything else is where an offset from the image's start says, at a multiple of 8.
 * Numbers are of the machine's own byte order.
 */
#ifndef COMMON_TABLE_IMAGE_H
#define COMMON_TABLE_IMAGE_H

#include <stdint.h>

#include "common/net.h"

#define IMAGE_MAGIC	0x31544e5254534f50ull	/* also tells the byte order */
#define IMAGE_VERSION	1u

struct image_header {
	uint64_t	magic;
	uint32_t	version;
	uint32_t	ntables;
	uint64_t	size;		/* of the whole image */
	uint64_t	tables;		/* offset of struct image_table [ntables] */
	uint64_t	parts;		/* of struct image_part [nparts] */
	uint64_t	files;		/* of struct image_file [nfiles] */
	uint32_t	nparts;
	uint32_t	nfiles;
	uint64_t	key[2];		/* of SipHash */
};

struct image_table {
	uint32_t	first, n;	/* its parts */
	uint32_t	type;		/* enum table_type of all its values */
	uint32_t	nincludes;
	uint64_t	includes;	/* offset of uint64_t [nincludes]: offsets of entries */
};

enum part_kind { PART_HASH, PART_NET };

struct image_part {
	uint32_t	kind;
	uint32_t	unused;
	uint64_t	n;		/* PART_HASH: slots, a power of two; PART_NET: intervals of IPv4 */
	uint64_t	index;		/* offset of uint64_t [n], or of struct image_interval [n] */
	uint64_t	n6;		/* PART_NET: intervals of IPv6 */
	uint64_t	index6;
};

/*
 * A slot: 0, or the first 16 bits of the key's hash above the entry's offset in units of 8.  The other end of the
 * hash says where to look first; the next slots follow, round the end.
 */
#define SLOT_TAG(hash)		((hash) & 0xffff000000000000ull)
#define SLOT_OFFSET(slot)	(((slot) & 0x0000ffffffffffffull) * 8)

struct image_interval {		/* sorted, disjoint */
	struct net_addr	lo, hi;		/* both belong to it */
	uint64_t	entry;
};

struct image_entry {		/* the key and the value follow */
	uint32_t	key_len;
	uint32_t	value_len;
	uint32_t	file;
	uint32_t	line;
	uint32_t	type;		/* enum table_type */
	uint32_t	unused;
};

struct image_file {
	uint64_t	name;		/* offset of its octets */
	uint64_t	len;
};

#endif
