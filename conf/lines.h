/*
 * lines.h -- a table file, or lines of postern.conf, as logical lines (postmap(1), aliases(5)).
 *
 * Empty lines and those whose first character that is no blank is '#' are passed over, a line that starts with a blank
 * continues the one before.  A line, with those that continue it, has at most TABLE_LINE_MAX octets; there is no limit
 * on their number.
 */
#ifndef CONF_LINES_H
#define CONF_LINES_H

#include <stddef.h>

#include "common/slice.h"
#include "conf/errors.h"

struct lines {
	int		 fd;		/* -1: the text is all in memory */
	int		 flat;		/* no line continues another: :include: lists */
	struct errors	*errors;
	char		*p;		/* what was read and not yet given out */
	size_t		 off, len, size;
	int		 eof;
	int		 next;		/* number of the physical line at off */
	int		 line;		/* number of the first line of what was given out last */
	char		*logical;	/* its octets */
	size_t		 n, room;
};

void	 lines_open_fd(struct lines *, int fd, int flat, struct errors *);
/* The next line, without blanks at its ends, never empty: 1; 0 at the end; -1 after an error, which was told.
 * The slice lives until the next call. */
int	 lines_next(struct lines *, struct slice *);
void	 lines_close(struct lines *);		/* the descriptor too */

#endif
