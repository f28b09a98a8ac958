/*
 * mem.h -- memory of the one-shot checker: no memory is the end of the program, with one line.
 */
#ifndef CONF_MEM_H
#define CONF_MEM_H

#include <stddef.h>

#include "common/arena.h"

struct vec {			/* a growing array; the elements' size is the caller's */
	void	*p;
	size_t	 n, size;
};

_Noreturn void mem_none(void);			/* the end for want of memory */
void	*mem_array(void *old, size_t n, size_t each);	/* realloc with a checked product */
void	*vec_add(struct vec *, size_t each);		/* one more, zeroed; moves the others */
void	*vec_to_arena(struct vec *, size_t each, struct arena *);	/* a copy there; the vec is freed */
char	*mem_strdup(struct arena *, const char *);

#endif
