/*
 * keyfiles.h -- the files of private keys: opened and passed on by master, read by postern-keys alone.
 *
 * The descriptors of the snapshot in force stay open, so that a restarted postern-keys gets the very keys that
 * belong to it, also while a renewal tool is writing the next ones.
 */
#ifndef MASTER_KEYFILES_H
#define MASTER_KEYFILES_H

#include <stddef.h>

#include "common/conf.h"
#include "common/limits.h"

struct key_files {
	size_t	n;			/* as conf.ncerts */
	int	fd[CERTS_MAX];
};

/* All of the snapshot, each checked for owner and mode (F20); E_IO or E_DENIED with a line in err, and none is open. */
int	key_files_open(struct key_files *, const struct conf *, char *err, size_t size);
void	key_files_close(struct key_files *);

#endif
