/*
 * drop_write.h -- writing a file of drop_file.h so that it is there as a whole or not at all.  Shell.
 *
 * drop_write_begin, _body.., _end: the octets are durable under a temporary name.  _commit: it has its name, and that
 * is durable too.  After any failure, and for _abort, nothing is left behind but what a kill leaves: a temporary file,
 * which pickup removes a day later.  Blocking.
 */
#ifndef COMMON_DROP_WRITE_H
#define COMMON_DROP_WRITE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/drop_file.h"

struct drop_writer {
	int		 dirfd;		/* the caller's; may be opened with O_PATH by who may not read it */
	int		 fd;		/* open until it is over; -1 */
	uint64_t	 len;		/* octets of the message so far */
	uint64_t	 sum;
	char		 name[DROP_NAME_LEN + 1];
};

/* E_FULL: no space, no inode, a quota or limit; E_DENIED, E_NOTFOUND: the directory; E_IO; E_SYNTAX, E_RANGE: the head. */
int	drop_write_begin(struct drop_writer *, int dirfd, mode_t mode, const struct drop_head *);
int	drop_write_body(struct drop_writer *, struct slice);
int	drop_write_end(struct drop_writer *);
int	drop_write_commit(struct drop_writer *);
void	drop_write_abort(struct drop_writer *);

#endif
