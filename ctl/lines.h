/*
 * lines.h -- an answer of queue that is lines of text.  Core.
 */
#ifndef CTL_LINES_H
#define CTL_LINES_H

#include "common/buf.h"
#include "common/ipc_msg.h"

/*
 * One row of it, which is a CTL_TEXT: fn is called for each line that is whole now, without its LF, and line keeps the rest.
 * What fn does not call E_OK; E_NOMEM; E_PROTO: no such row, or a line beyond the buffer's cap.
 */
int	lines_take(struct buf *line, enum ipc_type, struct rd *, int (*fn)(void *arg, struct slice), void *arg);

#endif
