/*
 * proxy.c -- see proxy.h.  Core.
 *
 * Version 1 is read as exactly as it is defined: one blank between fields, ports without leading
 * zeros, addresses of the family that was named.  Version 2's checksum is verified where there is one
 * (section 2.2.3); its other extensions are stepped over, but have to fit.
 */
#include <arpa/inet.h>
#include <string.h>

#include "common/err.h"
#include "smtpd/proxy.h"

#define V2_FIXED	16		/* signature, command, family, length */
#define SIG_LEN		12
#define CMD_LOCAL	0x20		/* version 2 in the high half */
#define CMD_PROXY	0x21
#define FAM_UNSPEC	0x00
#define FAM_TCP4	0x11
#define FAM_TCP6	0x21
#define FAM_UNIX	0x31		/* a stream; its paths tell us nothing */
#define ADDRS_TCP4	12
#define ADDRS_TCP6	36
#define ADDRS_UNIX	216
#define TLV_HEAD	3		/* type, two octets of length */
#define TLV_CRC32C	0x03
#define CRC_LEN		4
#define CRC_POLY	0x82f63b78u	/* Castagnoli, bits reversed */
#define PORT_DIGITS	5

static const unsigned char sig2[SIG_LEN] = { 13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10 };
static const char sig1[] = "PROXY ";

static enum proxy_status
bad(struct proxy *p, const char *why)
{
	p->why = why;
	return (PROXY_BAD);
}

/* ---- version 1 ---- */

/* The field up to the next blank or the end; 0 if there is none, or an empty one. */
static int
next_field(struct slice *rest, struct slice *field)
{
	const char	*blank = memchr(rest->p, ' ', rest->n);
	size_t		 n = blank != NULL ? (size_t)(blank - rest->p) : rest->n;

	*field = slice_make(rest->p, n);
	*rest = blank != NULL ? slice_make(blank + 1, rest->n - n - 1) : slice_make(rest->p + n, 0);
	return (n != 0);
}

static int
take_port(struct slice *rest, uint16_t *port)
{
	struct slice	f;
	uint32_t	v = 0;
	size_t		i;

	if (!next_field(rest, &f) || f.n > PORT_DIGITS || (f.p[0] == '0' && f.n > 1))
		return (0);
	for (i = 0; i < f.n; i++) {
		if (f.p[i] < '0' || f.p[i] > '9')
			return (0);
		v = v * 10 + (uint32_t)(f.p[i] - '0');
	}
	*port = (uint16_t)v;
	return (v <= UINT16_MAX);
}

static int
take_addr(struct slice *rest, int four, struct net_addr *a)
{
	struct slice	f;

	/* A mapped address would pass for the other family. */
	return (next_field(rest, &f) && (memchr(f.p, ':', f.n) == NULL) == four &&
	    net_addr_parse(a, f) == E_OK && net_addr_is4(a) == four);
}

static enum proxy_status
parse_v1(struct proxy *p, struct slice in)
{
	size_t		 n = in.n < PROXY_V1_MAX ? in.n : PROXY_V1_MAX;
	const char	*lf = memchr(in.p, '\n', n);
	struct slice	 line, family;
	int		 four;

	if (lf == NULL)
		return (n == PROXY_V1_MAX ? bad(p, "a line longer than 107 octets") : PROXY_MORE);
	if (lf[-1] != '\r')	/* in begins with sig1 */
		return (bad(p, "a line that ends without CR"));
	p->used = (size_t)(lf + 1 - in.p);
	line = slice_make(in.p + sizeof(sig1) - 1, p->used - 2 - (sizeof(sig1) - 1));
	if (!next_field(&line, &family))
		return (bad(p, "no protocol"));
	if (slice_eq(family, SLICE_LIT("UNKNOWN")))
		return (PROXY_DONE);	/* whatever follows is to be ignored */
	four = slice_eq(family, SLICE_LIT("TCP4"));
	if (!four && !slice_eq(family, SLICE_LIT("TCP6")))
		return (bad(p, "a protocol that is not TCP4, TCP6 or UNKNOWN"));
	if (!take_addr(&line, four, &p->client) || !take_addr(&line, four, &p->server))
		return (bad(p, "an address that is none"));
	if (!take_port(&line, &p->client_port) || !take_port(&line, &p->server_port))
		return (bad(p, "a port that is none"));
	if (line.n != 0 || lf[-2] == ' ')
		return (bad(p, "something follows the ports"));
	p->known = 1;
	return (PROXY_DONE);
}

/* ---- version 2 ---- */

static uint32_t
crc32c(uint32_t crc, const void *data, size_t n)
{
	const unsigned char	*q = data;
	int			 bit;

	while (n-- != 0) {
		crc ^= *q++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? CRC_POLY : 0);
	}
	return (crc);
}

/* The sum over the whole header, with zeros in the place of the sum itself (section 2.2.3). */
static int
crc_right(struct slice header, const unsigned char *sum)
{
	static const unsigned char	 zeros[CRC_LEN];
	size_t				 before = (size_t)((const char *)sum - header.p);
	uint32_t			 crc = UINT32_MAX, wanted;

	crc = crc32c(crc, header.p, before);
	crc = crc32c(crc, zeros, CRC_LEN);
	crc = ~crc32c(crc, header.p + before + CRC_LEN, header.n - before - CRC_LEN);
	wanted = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3];
	return (crc == wanted);
}

static enum proxy_status
check_extensions(struct proxy *p, struct slice header, size_t at)
{
	const unsigned char	*q = (const unsigned char *)header.p;
	size_t			 len;

	for (; at < header.n; at += TLV_HEAD + len) {
		if (header.n - at < TLV_HEAD)
			return (bad(p, "an extension cut off"));
		len = (size_t)q[at + 1] << 8 | q[at + 2];
		if (len > header.n - at - TLV_HEAD)
			return (bad(p, "an extension longer than the header"));
		if (q[at] != TLV_CRC32C)
			continue;
		if (len != CRC_LEN || !crc_right(header, q + at + TLV_HEAD))
			return (bad(p, "a wrong checksum"));
	}
	return (PROXY_DONE);
}

static void
take_binary(struct net_addr *a, uint16_t *port, const unsigned char *addr, const unsigned char *be, int four)
{
	struct sockaddr_in	in = { .sin_family = AF_INET };
	struct sockaddr_in6	in6 = { .sin6_family = AF_INET6 };
	uint16_t		none;

	if (four) {
		memcpy(&in.sin_addr, addr, sizeof(in.sin_addr));
		(void)net_addr_from_sockaddr(a, &none, (struct sockaddr *)&in);	/* knows both families */
	} else {
		memcpy(&in6.sin6_addr, addr, sizeof(in6.sin6_addr));
		(void)net_addr_from_sockaddr(a, &none, (struct sockaddr *)&in6);
	}
	*port = (uint16_t)(be[0] << 8 | be[1]);
}

static enum proxy_status
parse_v2(struct proxy *p, struct slice in)
{
	const unsigned char	*q = (const unsigned char *)in.p;
	const unsigned char	*a = q + V2_FIXED;
	size_t			 addrs = 0;

	if (in.n < V2_FIXED)
		return (PROXY_MORE);
	if (q[SIG_LEN] != CMD_LOCAL && q[SIG_LEN] != CMD_PROXY)
		return (bad(p, "an unknown version or command"));
	p->used = V2_FIXED + ((size_t)q[SIG_LEN + 2] << 8 | q[SIG_LEN + 3]);
	if (p->used > PROXY_V2_MAX)
		return (bad(p, "a header longer than 4096 octets"));
	if (in.n < p->used)
		return (PROXY_MORE);
	if (q[SIG_LEN] == CMD_LOCAL)	/* the proxy's own connection, a health check; the rest is to be ignored */
		return (PROXY_DONE);
	switch (q[SIG_LEN + 1]) {
	case FAM_UNSPEC:
		return (PROXY_DONE);
	case FAM_TCP4:
		addrs = ADDRS_TCP4;
		break;
	case FAM_TCP6:
		addrs = ADDRS_TCP6;
		break;
	case FAM_UNIX:
		addrs = ADDRS_UNIX;
		break;
	default:
		return (bad(p, "an unknown family or protocol"));
	}
	if (p->used - V2_FIXED < addrs)
		return (bad(p, "addresses cut off"));
	if (check_extensions(p, slice_make(in.p, p->used), V2_FIXED + addrs) == PROXY_BAD)
		return (PROXY_BAD);
	if (q[SIG_LEN + 1] == FAM_UNIX)
		return (PROXY_DONE);
	p->known = 1;
	if (q[SIG_LEN + 1] == FAM_TCP4) {
		take_binary(&p->client, &p->client_port, a, a + 8, 1);
		take_binary(&p->server, &p->server_port, a + 4, a + 10, 1);
	} else {
		take_binary(&p->client, &p->client_port, a, a + 32, 0);
		take_binary(&p->server, &p->server_port, a + 16, a + 34, 0);
	}
	return (PROXY_DONE);
}

/* Whether in and the signature agree as far as both go. */
static int
begins(struct slice in, const void *sig, size_t n)
{
	return (memcmp(in.p, sig, in.n < n ? in.n : n) == 0);
}

enum proxy_status
proxy_parse(struct proxy *p, struct slice in)
{
	memset(p, 0, sizeof(*p));
	if (in.n == 0)
		return (PROXY_MORE);
	if (begins(in, sig2, SIG_LEN))
		return (in.n < SIG_LEN ? PROXY_MORE : parse_v2(p, in));
	if (begins(in, sig1, sizeof(sig1) - 1))
		return (in.n < sizeof(sig1) - 1 ? PROXY_MORE : parse_v1(p, in));
	return (bad(p, "no PROXY header"));
}
