/*
 * arena.c -- memory of one lifetime.  Core.
 *
 * Blocks form a list with the newest first; the oldest is the one that arena_reset() keeps.
 * In builds with AddressSanitizer what was not handed out is poisoned.
 */
#include "common/arena.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)		((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(p, n)	((void)0)
#endif

#define BLOCK_FIRST	1024		/* octets; idle sessions pay for one such block at most */
#define BLOCK_MAX	(64u << 10)	/* blocks double up to this; a larger object gets its own */
#define ALIGN		_Alignof(max_align_t)

struct arena_block {
	struct arena_block	*next;
	size_t			 size, fill;
	_Alignas(ALIGN) char	 data[];
};

void
arena_init(struct arena *a, size_t cap)
{
	*a = (struct arena){ .cap = cap };
}

static struct arena_block *
add_block(struct arena *a, size_t n)
{
	struct arena_block	*b;
	size_t			 size = BLOCK_FIRST - sizeof(*b);

	if (a->head != NULL)
		size = a->head->size < BLOCK_MAX / 2 ? a->head->size * 2 : BLOCK_MAX;
	if (size < n)
		size = n;
	if (size > SIZE_MAX - sizeof(*b) || (b = malloc(sizeof(*b) + size)) == NULL)
		return (NULL);
	b->size = size;
	b->fill = 0;
	b->next = a->head;
	a->head = b;
	ASAN_POISON_MEMORY_REGION(b->data, b->size);
	return (b);
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct arena_block	*b = a->head;
	size_t			 rounded, total;
	void			*p;

	if (__builtin_add_overflow(n != 0 ? n : 1, ALIGN - 1, &rounded))
		return (NULL);
	rounded -= rounded % ALIGN;
	if (__builtin_add_overflow(a->used, rounded, &total) || total > a->cap)
		return (NULL);
	if ((b == NULL || b->size - b->fill < rounded) && (b = add_block(a, rounded)) == NULL)
		return (NULL);
	p = b->data + b->fill;
	b->fill += rounded;
	a->used = total;
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	memset(p, 0, n);
	return (p);
}

char *
arena_strdup(struct arena *a, struct slice s)
{
	char	*p;

	if (s.n == SIZE_MAX || (p = arena_alloc(a, s.n + 1)) == NULL)
		return (NULL);
	if (s.n != 0)
		memcpy(p, s.p, s.n);
	return (p);
}

static void
block_free(struct arena_block *b)
{
	ASAN_UNPOISON_MEMORY_REGION(b->data, b->size);
	free(b);
}

void
arena_reset(struct arena *a)
{
	struct arena_block	*b = a->head, *next;

	while (b != NULL && (next = b->next) != NULL) {
		block_free(b);
		b = next;
	}
	if (b != NULL) {
		b->fill = 0;
		ASAN_POISON_MEMORY_REGION(b->data, b->size);
	}
	a->head = b;
	a->used = 0;
}

void
arena_clear(struct arena *a)
{
	arena_reset(a);
	if (a->head != NULL)
		block_free(a->head);
	a->head = NULL;
}
