/*
 * keyfiles.h -- files of private keys and of passwords: opened and passed on by master, read by
 * postern-keys and postern-auth alone.
 *
 * What belongs to the snapshot in force stays open, so that a restarted daemon gets the very same
 * that its predecessor had, also while somebody is writing the next.  Of keys that is the file,
 * which renewal tools replace by another.  A password table is edited in place as well, so of these
 * a copy is kept, in a sealed memory file that the kernel fills: none of it comes into master's
 * memory.
 */
#ifndef MASTER_KEYFILES_H
#define MASTER_KEYFILES_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/limits.h"

struct key_files {
	size_t	n;			/* as conf.ncerts */
	int	fd[CERTS_MAX];
};

struct secret_files {
	size_t	n;
	struct {
		uint8_t		kind;	/* enum secret_kind */
		uint16_t	index;	/* SECRET_LOGIN: into conf.logins */
		int		fd;
	} v[LOGINS_MAX + 1];
};

/*
 * All of the snapshot, each checked for owner and mode (F20); E_IO, E_LIMIT or E_DENIED with a line
 * in err, and none is open.
 */
int	key_files_open(struct key_files *, const struct conf *, char *err, size_t size);
void	key_files_close(struct key_files *);
int	secret_files_open(struct secret_files *, const struct conf *, char *err, size_t size);
void	secret_files_close(struct secret_files *);

#endif
