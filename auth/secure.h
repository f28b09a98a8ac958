/*
 * secure.h -- memory for secrets (shell): locked, so that it is never written to swap space, left
 * out of dumps, wiped when it is freed.  Whole pages: for tables and pools, or for a few pieces
 * that live long; not for each small thing.
 *
 * Where RLIMIT_MEMLOCK does not let it be locked, it is had unlocked, with one warning in the log.
 */
#ifndef AUTH_SECURE_H
#define AUTH_SECURE_H

#include <stddef.h>

#include "common/slice.h"

void	 secure_open(void);			/* raises the soft limit; before the sandbox */
void	*secure_alloc(size_t);			/* zeroed; NULL: no memory */
void	 secure_free(void *, size_t);		/* the size it was asked for; NULL is nothing */
/* All of a file, read from its beginning, into secure memory of *len + 1 octets, the last of which
 * is NUL.  E_LIMIT: it has more than size; E_IO, E_NOMEM. */
int	 secure_read(int fd, size_t size, void **, size_t *len);

#endif
