/*
 * buf.c -- the growing run of octets.  Core.
 *
 * One octet more than size is always allocated, so that buf_addf() has room for the NUL that
 * vsnprintf() writes even when the text itself ends exactly at the cap.
 */
#include "common/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"

#define BUF_FIRST	256	/* octets of the first allocation */

void
buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){ .cap = cap };
}

void
buf_clear(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .cap = b->cap };
}

/* Room for n more octets after the unread ones: E_OK, E_LIMIT, E_NOMEM. */
static int
make_room(struct buf *b, size_t n)
{
	size_t	 need, size;
	char	*p;

	if (__builtin_add_overflow(b->len, n, &need) || need > b->cap)
		return (E_LIMIT);
	if (b->p != NULL && n <= b->size - b->off - b->len)
		return (E_OK);
	/* Moving pays when it moves less than it frees, or when the buffer may not grow. */
	if (b->p != NULL && need <= b->size && (b->off >= b->len || b->size == b->cap)) {
		memmove(b->p, b->p + b->off, b->len);
		b->off = 0;
		return (E_OK);
	}
	size = b->size < BUF_FIRST ? BUF_FIRST : b->size;
	while (size < need && size <= b->cap / 2)
		size *= 2;
	if (size == b->size)
		size = size <= b->cap / 2 ? size * 2 : b->cap;
	if (size < need || size > b->cap)
		size = b->cap;
	if (size == SIZE_MAX || (p = malloc(size + 1)) == NULL)
		return (E_NOMEM);
	if (b->p != NULL)
		memcpy(p, b->p + b->off, b->len);
	free(b->p);
	b->p = p;
	b->off = 0;
	b->size = size;
	return (E_OK);
}

char *
buf_reserve(struct buf *b, size_t n)
{
	if (make_room(b, n) != E_OK)
		return (NULL);
	return (b->p + b->off + b->len);
}

void
buf_commit(struct buf *b, size_t n)
{
	if (b->p == NULL || n > b->size - b->off - b->len)
		abort();	/* more than was reserved: our own fault */
	b->len += n;
}

int
buf_add(struct buf *b, const void *data, size_t n)
{
	int	 err;

	if (n == 0)
		return (E_OK);
	if ((err = make_room(b, n)) != E_OK)
		return (err);
	memcpy(b->p + b->off + b->len, data, n);
	b->len += n;
	return (E_OK);
}

int
buf_adds(struct buf *b, const char *s)
{
	return (buf_add(b, s, strlen(s)));
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list	 ap;
	size_t	 room = b->p != NULL ? b->size - b->off - b->len : 0;
	int	 err, n;

	va_start(ap, fmt);
	n = vsnprintf(b->p != NULL ? b->p + b->off + b->len : NULL, b->p != NULL ? room + 1 : 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return (E_NOMEM);
	if ((size_t)n > room || b->p == NULL) {
		if ((err = make_room(b, (size_t)n)) != E_OK)
			return (err);
		va_start(ap, fmt);
		n = vsnprintf(b->p + b->off + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
		if (n < 0)
			return (E_NOMEM);
	}
	b->len += (size_t)n;
	return (E_OK);
}

void
buf_drain(struct buf *b, size_t n)
{
	if (n > b->len)
		abort();	/* our own fault, and the octets after it would be garbage */
	b->len -= n;
	b->off = b->len == 0 ? 0 : b->off + n;
}
