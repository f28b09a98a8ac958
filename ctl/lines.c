/* lines.c -- see lines.h.  Core. */
#include "ctl/lines.h"

#include <string.h>

#include "common/err.h"

int
lines_take(struct buf *line, enum ipc_type type, struct rd *rd, int (*fn)(void *arg, struct slice), void *arg)
{
	struct ipc_ctl_text	 t;
	struct slice		 all;
	const char		*lf;
	size_t			 n;
	int			 err;

	if (type != IPC_CTL_TEXT || ipc_unpack_ctl_text(rd, &t) != E_OK)
		return (E_PROTO);
	if ((err = buf_add(line, t.text.p, t.text.n)) != E_OK)
		return (err == E_LIMIT ? E_PROTO : err);
	for (;;) {
		all = buf_slice(line);
		if (all.n == 0 || (lf = memchr(all.p, '\n', all.n)) == NULL)
			return (E_OK);
		n = (size_t)(lf - all.p);
		if ((err = fn(arg, slice_make(all.p, n))) != E_OK)
			return (err);
		buf_drain(line, n + 1);
	}
}
