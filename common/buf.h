/*
 * buf.h -- a growing run of octets with a cap given at birth.
 *
 * Reaching the cap is E_LIMIT, no memory is E_NOMEM; nothing is ever cut
 * silently.  Data is consumed from the front without moving what remains until
 * room is needed.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stddef.h>

#include "common/slice.h"

struct buf {
	char	*p;		/* NULL until the first octet */
	size_t	 off;		/* first unread octet */
	size_t	 len;		/* octets after off */
	size_t	 size;		/* allocated */
	size_t	 cap;		/* most unread octets it may hold */
};

void	buf_init(struct buf *, size_t cap);
void	buf_clear(struct buf *);		/* frees the memory; usable again with the same cap */

/* Make room for n more octets and return where they go; NULL at the cap or without memory.
 * buf_commit() then adds the first n of them. */
char	*buf_reserve(struct buf *, size_t n);
void	buf_commit(struct buf *, size_t n);

int	buf_add(struct buf *, const void *, size_t);
int	buf_adds(struct buf *, const char *);
int	buf_addf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The unread octets.  Borrows: valid until the next call that adds. */
static inline struct slice
buf_slice(const struct buf *b)
{
	return (slice_make(b->len != 0 ? b->p + b->off : NULL, b->len));
}

void	buf_drain(struct buf *, size_t n);	/* forget the first n unread octets */

#endif
