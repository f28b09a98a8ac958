/*
 * arena.h -- memory of one lifetime (session, transaction, scratch), freed at once.
 *
 * Blocks are taken as needed; arena_reset() keeps the first one for the next use.
 * Allocation past the cap, or without memory, returns NULL: the caller answers
 * 452 or 421 to that client alone.
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stddef.h>

#include "common/slice.h"

struct arena_block;

struct arena {
	struct arena_block	*head;
	size_t			 used;	/* octets handed out since the last reset */
	size_t			 cap;
};

void	 arena_init(struct arena *, size_t cap);
void	 arena_reset(struct arena *);
void	 arena_clear(struct arena *);
void	*arena_alloc(struct arena *, size_t);		/* zeroed, aligned for any type */
char	*arena_strdup(struct arena *, struct slice);	/* NUL-terminated */

#endif
