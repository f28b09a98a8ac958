/*
 * json.h -- the server's rows as JSON objects.  Core: jansson only.
 *
 * Each function returns an owned object, NULL without memory.  Times are RFC 3339 text or
 * null, sizes octets, IDs the queue ID's text.
 */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "common/ipc_msg.h"

/* Any octets: what is not UTF-8 becomes U+FFFD, for json_string() refuses it. */
json_t	*json_text(struct slice);
json_t	*json_time(int64_t);		/* null for 0 */

json_t	*json_message(const struct ipc_ctl_message *);	/* with an empty array "recipients" */
json_t	*json_rcpt(const struct ipc_ctl_rcpt *);
json_t	*json_daemon(const struct ipc_ctl_daemon *);
json_t	*json_queue(const struct ipc_ctl_queue *);

/* One value on one line, and LF.  Takes the reference.  E_IO, E_NOMEM. */
int	 json_print(FILE *, json_t *);

#endif
