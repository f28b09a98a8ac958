/*
 * spool.h -- the body of a message until it is handed on: in memory, past SENDMAIL_MEMORY_MAX in a file without a name.
 * Shell.  Whatever ends this process, nothing of it stays.
 */
#ifndef SENDMAIL_SPOOL_H
#define SENDMAIL_SPOOL_H

#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"

struct spool {
	struct buf	mem;
	int		fd;		/* -1: all is in memory */
	uint64_t	size;
};

void	spool_init(struct spool *);
int	spool_add(struct spool *, struct slice);	/* E_FULL, E_IO, E_NOMEM */
/* Octets from at on; 0 at the end, -1 on failure. */
ssize_t	spool_read(struct spool *, uint64_t at, void *dst, size_t size);
void	spool_clear(struct spool *);

#endif
