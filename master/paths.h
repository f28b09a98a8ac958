/*
 * paths.h -- what master's directories must look like, and what a maildir hop asks for.
 *
 * Core: pure; the shell (dirs.c) brings what fstat() found.
 */
#ifndef MASTER_PATHS_H
#define MASTER_PATHS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/conf.h"
#include "common/sandbox.h"

#define MASTER_PATH_MAX	1024	/* with NUL; START.root's size */
#define MASTER_ERR_MAX	1536	/* one error line with a path in it */

/* The directories that hold maildirs: hop paths up to the component with the first %. */
struct maildirs {
	size_t	n;
	char	dir[SANDBOX_DIRS_MAX + 1][MASTER_PATH_MAX];	/* one place spare, to insert */
};

/* E_LIMIT: more than SANDBOX_DIRS_MAX of them, or a path too long.  Sorted, each once. */
int	paths_maildirs(struct maildirs *, const struct conf *);
/* The longest directory that holds them all: the mailbox daemon's root.  "" for none. */
int	paths_common(char *dst, size_t size, const struct maildirs *);
/* "/var/mail/%d/%u" for one recipient; E_LIMIT. */
int	paths_maildir_of(char *dst, size_t size, const char *path, const char *domain, const char *user);

/* What a directory or file is, and what it must be.  gid -1: any. */
struct path_want {
	const char	*path;
	uid_t		 uid;
	gid_t		 gid;
	mode_t		 make;		/* mode it is made with */
	mode_t		 allowed;	/* mode bits it may have when found */
	mode_t		 needed;	/* and those it must have */
};

/* E_OK, or E_DENIED with "PATH: owner 0, expected 995" (found and expected) in err. */
int	paths_check(const struct path_want *, uid_t uid, gid_t gid, mode_t mode, char *err, size_t size);

#endif
