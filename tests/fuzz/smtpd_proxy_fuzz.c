/*
 * smtpd_proxy_fuzz.c -- PROXY headers: nothing is read past the end, every beginning of a header asks for more, and
 * what a header told says the same when it is written anew in the other version.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtpd/proxy.h"

static void
must(int ok)
{
	if (!ok)
		abort();
}

static size_t
write_v2(const struct proxy *p, unsigned char *out)
{
	static const unsigned char	sig[] = { 13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10 };
	int				four = net_addr_is4(&p->client) && net_addr_is4(&p->server);
	size_t				n = four ? 4 : 16, at = 16;

	memcpy(out, sig, sizeof(sig));
	out[12] = 0x21;
	out[13] = four ? 0x11 : 0x21;
	out[14] = 0;
	out[15] = (unsigned char)(2 * n + 4);
	memcpy(out + at, p->client.a + 16 - n, n);
	memcpy(out + at + n, p->server.a + 16 - n, n);
	at += 2 * n;
	out[at++] = (unsigned char)(p->client_port >> 8);
	out[at++] = (unsigned char)p->client_port;
	out[at++] = (unsigned char)(p->server_port >> 8);
	out[at++] = (unsigned char)p->server_port;
	return (at);
}

static size_t
write_v1(const struct proxy *p, char *out, size_t size)
{
	char	a[NET_ADDR_STRLEN], b[NET_ADDR_STRLEN];

	return ((size_t)snprintf(out, size, "PROXY TCP%c %s %s %u %u\r\n", net_addr_is4(&p->client) ? '4' : '6',
	    net_addr_str(&p->client, a), net_addr_str(&p->server, b), p->client_port, p->server_port));
}

static int
same(const struct proxy *a, const struct proxy *b)
{
	return (b->known && net_addr_cmp(&a->client, &b->client) == 0 && net_addr_cmp(&a->server, &b->server) == 0 &&
	    a->client_port == b->client_port && a->server_port == b->server_port);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy	p, q;
	unsigned char	v2[64];
	char		v1[PROXY_V1_MAX + 1];
	size_t		n;

	if (proxy_parse(&p, slice_make(data, size)) != PROXY_DONE)
		return (0);
	must(p.used <= size && p.used <= PROXY_V2_MAX);
	for (n = 0; n < p.used; n += 1 + p.used / 64)
		must(proxy_parse(&q, slice_make(data, n)) == PROXY_MORE);
	if (!p.known)
		return (0);
	n = write_v2(&p, v2);
	must(proxy_parse(&q, slice_make(v2, n)) == PROXY_DONE && q.used == n && same(&p, &q));
	/* A pair of mixed families has no line. */
	if (net_addr_is4(&p.client) == net_addr_is4(&p.server)) {
		n = write_v1(&p, v1, sizeof(v1));
		must(n < sizeof(v1));
		must(proxy_parse(&q, slice_make(v1, n)) == PROXY_DONE && q.used == n && same(&p, &q));
	}
	return (0);
}
