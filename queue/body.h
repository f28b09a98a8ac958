/*
 * body.h -- a message's octets in memory, cut as the store keeps them.
 *
 * A block is BODY_CHUNK octets of data behind 8 octets for their XXH3 checksum, 4080 in all: with LMDB's
 * 16-octet page header exactly one page (design.md 4).  Bodies are counted by reference on the loop
 * thread; the store thread only reads blocks of an operation that it was given.
 */
#ifndef QUEUE_BODY_H
#define QUEUE_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define BODY_BLOCK	4080
#define BODY_CHUNK	(BODY_BLOCK - 8)

struct body_block {
	struct body_block *next;
	uint32_t	 len;		/* octets of data, at most BODY_CHUNK; all but the last are full */
	uint32_t	 index;		/* chunk number within the message */
	uint8_t		 octets[BODY_BLOCK];	/* checksum (little-endian), data */
};

struct body {
	unsigned	 refs;
	uint64_t	 len;		/* octets of the whole body, released blocks too */
	uint32_t	 nchunk;	/* blocks of the whole body */
	struct body_block *first, *last;
	size_t		 held;		/* octets of memory in its blocks */
};

struct body	*body_new(void);			/* one reference; NULL without memory */
struct body	*body_ref(struct body *);
void		 body_unref(struct body *);		/* NULL is fine */
int		 body_add(struct body *, struct slice);	/* E_NOMEM past the process's budget or without memory */
/* Fill in the checksums of blocks from b on; call before a block goes to the store. */
void		 body_seal(struct body *);
/* Check a stored chunk; *data borrows.  E_CORRUPT. */
int		 body_chunk_check(struct slice stored, struct slice *data);
/* Detach all full blocks (all blocks if whole), for streaming ahead; the caller frees them by body_free_blocks(). */
struct body_block *body_take_blocks(struct body *, int whole);
void		 body_free_blocks(struct body_block *);
size_t		 body_memory(void);			/* octets in blocks of all bodies */
void		 body_set_budget(size_t octets);

#endif
