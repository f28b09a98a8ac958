/*
 * xclient.h -- the attributes of XCLIENT and XFORWARD (core: pure).
 *
 * Postfix's XCLIENT_README and XFORWARD_README define them: "NAME=value" in any case and order, the value as
 * xtext (RFC 3461 4), "[UNAVAILABLE]" where the client's host does not know it.
 */
#ifndef SMTPD_XCLIENT_H
#define SMTPD_XCLIENT_H

#include <stdint.h>

#include "common/limits.h"
#include "common/net.h"
#include "common/slice.h"

#define XATTR_VALUE_MAX	255	/* octets of a value, decoded */
#define XATTR_PROTO_MAX	64	/* of XFORWARD's PROTO */

struct xattr {
	struct slice	 name;		/* borrows; as it was written */
	uint8_t		 unavailable;	/* [UNAVAILABLE] */
	uint8_t		 later;		/* [TEMPUNAVAIL] */
	char		 value[XATTR_VALUE_MAX + 1];	/* decoded, never ""; no control characters */
};

/* The next one off rest.  E_NOTFOUND at the end, E_SYNTAX, E_LIMIT. */
int	xattr_next(struct slice *rest, struct xattr *);
/* "192.0.2.1" or "IPV6:2001:db8::1".  E_SYNTAX. */
int	xattr_addr(const char *, struct net_addr *);
/* 0 to 65535.  E_SYNTAX. */
int	xattr_port(const char *, uint16_t *);

/* What XFORWARD said since the last transaction; "" is not available. */
struct smtp_forward {
	uint8_t	is_local;		/* ADDR was said to be unavailable: submitted on that host */
	char	name[XATTR_VALUE_MAX + 1];
	char	addr[NET_ADDR_STRLEN];
	char	port[6];
	char	proto[XATTR_PROTO_MAX + 1];
	char	helo[XATTR_VALUE_MAX + 1];
	char	ident[XATTR_VALUE_MAX + 1];
	char	source[7];		/* LOCAL, REMOTE */
	char	origin[ORIGIN_MAX + 1];	/* the client as one text */
};

#endif
