/*
 * conn.h -- the conversation with the server (ipc_msg.h, "The conversation").  Shell.
 */
#ifndef CTL_CONN_H
#define CTL_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "common/ipc_msg.h"

/* One row of the answer; rd is unpacked by the callee.  Another value than E_OK ends the
 * conversation and is returned. */
typedef int (*conn_row_fn)(void *, enum ipc_type, struct rd *);

#define CONN_WAIT_MS		30000	/* silence of the server before we give up */
#define CONN_WAIT_LONG_MS	300000	/* the same for reload and stop */

/*
 * Connect to path, ask, call row for each row, and fill end.  With until_gone, wait
 * afterwards until the server has closed the connection.
 *
 * E_NOTFOUND: nobody listens there.  E_DENIED: no permission.  E_CLOSED: it went away before
 * the end.  E_TIMEOUT.  E_PROTO: what came is no answer.  E_IO.
 */
int	conn_ask(const char *path, const struct ipc_ctl_request *, conn_row_fn row, void *arg,
	    struct ipc_ctl_end *end, int until_gone);

/* The same on a connected socket; takes fd. */
int	conn_ask_fd(int fd, const struct ipc_ctl_request *, conn_row_fn row, void *arg,
	    struct ipc_ctl_end *end, int until_gone, int wait_ms);

#endif
