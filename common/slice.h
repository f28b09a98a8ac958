/*
 * slice.h -- a view into somebody else's octets.
 *
 * A slice borrows: it dies with the buffer it points into and is copied when
 * kept.  It is not NUL-terminated and may hold NULs; NUL means nothing in mail.
 */
#ifndef COMMON_SLICE_H
#define COMMON_SLICE_H

#include <stddef.h>
#include <string.h>

struct slice {
	const char	*p;
	size_t		 n;
};

#define SLICE_LIT(s)	((struct slice){ (s), sizeof(s) - 1 })

static inline struct slice
slice_make(const void *p, size_t n)
{
	return ((struct slice){ p, n });
}

static inline struct slice
slice_str(const char *s)
{
	return ((struct slice){ s, strlen(s) });
}

static inline int
slice_eq(struct slice a, struct slice b)
{
	return (a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0));
}

/* ASCII without regard to case, in any locale (RFC 5321 2.4). */
int	slice_caseeq(struct slice, struct slice);

/* A NUL-terminated copy into dst[size]; E_LIMIT if it does not fit or holds a NUL. */
int	slice_copy(struct slice, char *dst, size_t size);

#endif
