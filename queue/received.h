/*
 * received.h -- the Received field that goes in front of every body.  Core.  RFC 5321 4.4, 3848, 6531 4.3, 6710 4.
 */
#ifndef QUEUE_RECEIVED_H
#define QUEUE_RECEIVED_H

#include <stddef.h>
#include <stdint.h>

#include "common/ipc_msg.h"
#include "common/limits.h"

/*
 * Into dst[RECEIVED_MAX], with CRLF; returns its length.  rcpt: the recipient if it is the only one,
 * else NULL (naming one of several would show it to the others).  No line is longer than
 * TEXT_LINE_MAX, and what the client said stands in it only as far as it is a domain
 * or an address literal.  It is ASCII.  A local user's message has no "from": "by HOST (Postern, from userid N)".
 */
size_t	received_write(char *dst, const struct ipc_txn_begin *, const char *hostname, uint64_t msgid,
	    const char *rcpt, int64_t now);

#endif
