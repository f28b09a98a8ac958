/*
 * net.c -- IP addresses and prefixes.  Core: text and values only, no socket is made.
 *
 * An IPv6 prefix shorter than 96 bits never takes in an IPv4 address, though IPv4 is kept as
 * ::ffff:a.b.c.d: who writes "::/0" means IPv6, and relay-from must not say more than it seems to.
 */
#include "common/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/err.h"
#include "common/units.h"

#define V4_OFFSET	12	/* where the IPv4 octets stand */
#define V4_BITS		96	/* length of the mapping prefix */

static const uint8_t mapped[V4_OFFSET] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

int
net_addr_parse(struct net_addr *a, struct slice s)
{
	char		 text[NET_ADDR_STRLEN];
	struct in_addr	 in;
	struct in6_addr	 in6;

	if (slice_copy(s, text, sizeof(text)) != E_OK)
		return (E_SYNTAX);
	if (inet_pton(AF_INET, text, &in) == 1) {
		memcpy(a->a, mapped, V4_OFFSET);
		memcpy(a->a + V4_OFFSET, &in, sizeof(in));
		return (E_OK);
	}
	if (inet_pton(AF_INET6, text, &in6) == 1) {
		memcpy(a->a, &in6, sizeof(a->a));
		return (E_OK);
	}
	return (E_SYNTAX);
}

int
net_addr_is4(const struct net_addr *a)
{
	return (memcmp(a->a, mapped, V4_OFFSET) == 0);
}

int
net_addr_is_loopback(const struct net_addr *a)
{
	static const struct net_addr	 loop6 = { { [15] = 1 } };

	if (net_addr_is4(a))
		return (a->a[V4_OFFSET] == IN_LOOPBACKNET);
	return (net_addr_cmp(a, &loop6) == 0);
}

int
net_addr_is_any(const struct net_addr *a)
{
	static const uint8_t	 zero[16];
	size_t			 off = net_addr_is4(a) ? V4_OFFSET : 0;

	return (memcmp(a->a + off, zero, sizeof(a->a) - off) == 0);
}

int
net_addr_cmp(const struct net_addr *a, const struct net_addr *b)
{
	return (memcmp(a->a, b->a, sizeof(a->a)));
}

char *
net_addr_str(const struct net_addr *a, char dst[static NET_ADDR_STRLEN])
{
	/* inet_ntop writes RFC 5952's form; it cannot fail with this family and size. */
	if (net_addr_is4(a))
		inet_ntop(AF_INET, a->a + V4_OFFSET, dst, NET_ADDR_STRLEN);
	else
		inet_ntop(AF_INET6, a->a, dst, NET_ADDR_STRLEN);
	return (dst);
}

int
net_addr_from_sockaddr(struct net_addr *a, uint16_t *port, const struct sockaddr *sa)
{
	struct sockaddr_in	 in;
	struct sockaddr_in6	 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof(in));
		memcpy(a->a, mapped, V4_OFFSET);
		memcpy(a->a + V4_OFFSET, &in.sin_addr, sizeof(in.sin_addr));
		if (port != NULL)
			*port = ntohs(in.sin_port);
		return (E_OK);
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		memcpy(a->a, &in6.sin6_addr, sizeof(a->a));
		if (port != NULL)
			*port = ntohs(in6.sin6_port);
		return (E_OK);
	default:
		return (E_RANGE);
	}
}

socklen_t
net_addr_to_sockaddr(struct sockaddr_storage *ss, const struct net_addr *a, uint16_t port)
{
	struct sockaddr_in	 in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6	 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(ss, 0, sizeof(*ss));
	if (net_addr_is4(a)) {
		memcpy(&in.sin_addr, a->a + V4_OFFSET, sizeof(in.sin_addr));
		memcpy(ss, &in, sizeof(in));
		return (sizeof(in));
	}
	memcpy(&in6.sin6_addr, a->a, sizeof(a->a));
	memcpy(ss, &in6, sizeof(in6));
	return (sizeof(in6));
}

struct net_addr
net_addr_mask(const struct net_addr *a, uint8_t len)
{
	struct net_addr	 m = { { 0 } };
	size_t		 whole = len / 8;

	if (len >= 128)
		return (*a);
	memcpy(m.a, a->a, whole);
	if (len % 8 != 0)
		m.a[whole] = (uint8_t)(a->a[whole] & (0xff00u >> (len % 8)));
	return (m);
}

int
net_prefix_parse(struct net_prefix *p, struct slice s)
{
	const char	*slash = s.n != 0 ? memchr(s.p, '/', s.n) : NULL;
	struct slice	 text = s;
	struct net_addr	 m;
	uint64_t	 bits;
	int		 err, colon, max;

	if (slash != NULL)
		text.n = (size_t)(slash - s.p);
	if ((err = net_addr_parse(&p->addr, text)) != E_OK)
		return (err);
	/* "::ffff:10.0.0.0/104" counts all 128 bits, "10.0.0.0/8" only its 32. */
	colon = memchr(text.p, ':', text.n) != NULL;
	max = colon ? 128 : 32;
	bits = (uint64_t)max;
	if (slash != NULL) {
		err = number_parse(&bits, slice_make(slash + 1, s.n - text.n - 1), (uint64_t)max);
		if (err != E_OK)
			return (err);
	}
	p->len = (uint8_t)(bits + (colon ? 0 : V4_BITS));
	m = net_addr_mask(&p->addr, p->len);
	return (net_addr_cmp(&m, &p->addr) == 0 ? E_OK : E_RANGE);
}

int
net_prefix_has(const struct net_prefix *p, const struct net_addr *a)
{
	struct net_addr	 m;

	if (p->len < V4_BITS && net_addr_is4(a))
		return (0);
	m = net_addr_mask(a, p->len);
	return (net_addr_cmp(&m, &p->addr) == 0);
}
