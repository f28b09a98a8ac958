/* mem.c -- memory that is there or ends the program.  Core. */
#include "conf/mem.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void
mem_none(void)
{
	fputs("postern-conf: out of memory\n", stderr);
	exit(1);
}

void *
mem_array(void *old, size_t n, size_t each)
{
	void	*p = reallocarray(old, n, each);

	if (p == NULL)
		mem_none();
	return (p);
}

void *
vec_add(struct vec *v, size_t each)
{
	char	*p;

	if (v->n == v->size) {
		v->size = v->size == 0 ? 8 : v->size * 2;
		v->p = mem_array(v->p, v->size, each);
	}
	p = (char *)v->p + v->n++ * each;
	memset(p, 0, each);
	return (p);
}

void *
vec_to_arena(struct vec *v, size_t each, struct arena *mem)
{
	void	*p = NULL;

	if (v->n != 0) {
		if ((p = arena_alloc(mem, v->n * each)) == NULL)
			mem_none();
		memcpy(p, v->p, v->n * each);
	}
	free(v->p);
	*v = (struct vec){ .n = v->n };
	return (p);
}

char *
mem_strdup(struct arena *mem, const char *s)
{
	char	*p = arena_strdup(mem, slice_str(s));

	if (p == NULL)
		mem_none();
	return (p);
}
