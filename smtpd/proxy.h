/*
 * proxy.h -- the PROXY header, versions 1 and 2: whom a proxy in front of us speaks for (core: pure).
 *
 * The format is HAProxy's "The PROXY protocol", revision of 2020/03/05.  A header stands once, before
 * anything else of the connection; the shell asks for it only from addresses in a listener's
 * proxy-from, and there it is due.  Who sends it is trusted to tell the truth, not to
 * be able to write: every length is checked.
 */
#ifndef SMTPD_PROXY_H
#define SMTPD_PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "common/net.h"
#include "common/slice.h"

#define PROXY_V1_MAX	107	/* the line with its CR LF, section 2.1 */
#define PROXY_V2_MAX	4096	/* the whole header; 536 are sure to arrive together, section 2 */

enum proxy_status {
	PROXY_MORE,		/* a beginning of a header */
	PROXY_DONE,
	PROXY_BAD,		/* why says what is wrong; nothing may be answered */
};

struct proxy {
	size_t		 used;		/* octets of the header, when done */
	const char	*why;		/* constant, when bad */
	uint8_t		 known;		/* the four below are told; else the connection speaks for itself (LOCAL, UNKNOWN) */
	struct net_addr	 client, server;
	uint16_t	 client_port, server_port;
};

/* All octets of the connection so far.  Looks at them afresh at each call: at most PROXY_V2_MAX. */
enum proxy_status proxy_parse(struct proxy *, struct slice in);

#endif
