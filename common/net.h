/*
 * net.h -- IP addresses and prefixes as values.
 *
 * IPv4 is kept as ::ffff:a.b.c.d, so that one comparison serves both families.
 * RFC 5321 4.1.3 (address literals), RFC 4291 2.2, RFC 5952 (how IPv6 is written).
 */
#ifndef COMMON_NET_H
#define COMMON_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/slice.h"

#define NET_ADDR_STRLEN	48	/* longest text, with NUL */

struct net_addr {
	uint8_t	a[16];
};

struct net_prefix {
	struct net_addr	addr;	/* bits past len are zero */
	uint8_t		len;	/* 0..128; an IPv4 /8 is 96 + 8 */
};

int	net_addr_parse(struct net_addr *, struct slice);	/* "192.0.2.1", "2001:db8::1"; E_SYNTAX */
int	net_addr_is4(const struct net_addr *);
int	net_addr_is_loopback(const struct net_addr *);
int	net_addr_is_any(const struct net_addr *);		/* 0.0.0.0 or :: */
int	net_addr_cmp(const struct net_addr *, const struct net_addr *);
char	*net_addr_str(const struct net_addr *, char dst[static NET_ADDR_STRLEN]);	/* returns dst */
int	net_addr_from_sockaddr(struct net_addr *, uint16_t *port, const struct sockaddr *);
socklen_t net_addr_to_sockaddr(struct sockaddr_storage *, const struct net_addr *, uint16_t port);

int	net_prefix_parse(struct net_prefix *, struct slice);	/* "10.0.0.0/8", "::1"; host bits set is E_RANGE */
int	net_prefix_has(const struct net_prefix *, const struct net_addr *);
/* The address with all but the first len bits cleared, for per-prefix limits (len as in net_prefix). */
struct net_addr net_addr_mask(const struct net_addr *, uint8_t len);

#endif
