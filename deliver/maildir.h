/*
 * maildir.h -- one message into one maildir, durably.  Shell: files only; called by threads, blocks.
 *
 * tmp/ gets the file, mode 0600, written and flushed; then it is renamed into new/, which is flushed too:
 * after OUT_DELIVERED no power cut loses it.  Whatever fails leaves no file behind and is OUT_TEMPFAIL.
 * Directories are opened relative to a held descriptor without following a link (R8) and made on the first
 * delivery, mode 0700.  maildir(5).
 */
#ifndef DELIVER_MAILDIR_H
#define DELIVER_MAILDIR_H

#include <stdint.h>

#include "common/slice.h"
#include "deliver/client.h"
#include "deliver/mailpath.h"

struct maildir_file {
	char		 dir[MAILPATH_MAX];	/* relative to the root descriptor */
	char		 name[FILE_NAME_MAX + 1];	/* in new/ */
	int		 skip;			/* the recipient has its outcome already */
	/* maildir.c's */
	char		 tmp[FILE_NAME_MAX + 1];
	int		 fd, tmpfd, newfd;	/* -1: not open */
	int		 cr;
	uint64_t	 size;
	struct client_result result;		/* of the first failure, or of the commit */
	int		 failed;
};

void	maildir_init(struct maildir_file *);
/* Each does nothing after a failure. */
void	maildir_begin(struct maildir_file *, int rootfd, uint32_t uid, struct slice header);
void	maildir_write(struct maildir_file *, struct slice body);	/* at most IPC_CHUNK_MAX octets at once */
void	maildir_commit(struct maildir_file *);		/* result is valid afterwards */
/* The message can never be stored: a failure for good, and nothing is left behind. */
void	maildir_refuse(struct maildir_file *, struct enhanced, const char *text);
void	maildir_discard(struct maildir_file *);		/* leaves nothing behind */

#endif
