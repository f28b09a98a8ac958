/*
 * resolver_packet_fuzz.c -- the parser of DNS answers against a second, slow and simple reading.
 *
 * Input: one octet that chooses the type, one that gives the length of the name asked for, the
 * name's text, then the packet.  Oracle: whenever packet_parse() accepts an answer about
 * addresses, a reader that shares no code with it finds the same addresses, in the same order, and
 * nothing it takes lies outside the packet (its block is allocated to the octet).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/limits.h"
#include "resolver/names.h"
#include "resolver/packet.h"

#define CHECK(x)	do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const uint16_t types[] = { RR_A, RR_AAAA, RR_MX, RR_PTR, RR_TXT, RR_TLSA, RR_CNAME };

/* The slow reading: names as text "3|www7|example", by recursion; "" is the failure. */
static size_t
slow_name(const uint8_t *p, size_t size, size_t off, int depth, char *dst, size_t *used)
{
	size_t	n = 0;
	uint8_t	c;

	while (off < size && depth < 200) {
		c = p[off];
		if (c == 0)
			return (n + 1);
		if (c >= 0xc0) {
			if (off + 1 >= size || slow_name(p, size, ((size_t)(c - 0xc0) << 8) + p[off + 1],
			    depth + 1, dst, used) == 0)
				return (0);
			return (n + 2);
		}
		if (c > 63 || off + c >= size || *used + c + 1 > 254)
			return (0);
		dst[(*used)++] = (char)c;
		for (uint8_t i = 1; i <= c; i++) {
			uint8_t	o = p[off + i];

			dst[(*used)++] = (char)(o >= 'A' && o <= 'Z' ? o + 32 : o);
		}
		off += (size_t)c + 1;
		n += (size_t)c + 1;
	}
	return (0);
}

struct slow {
	size_t	n;
	char	end[256];		/* where the aliases end, with dots; "" if there are none */
	uint8_t	addr[DNS_ADDRS_FAMILY_MAX][16];
};

static void
slow_text(char *dst, const char *name, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint8_t	label = (uint8_t)name[i++];

		for (; label > 0; label--) {
			char	c = name[i++];

			*dst++ = c != '\0' && strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", c) != NULL ? c : '?';
		}
		*dst++ = i < n ? '.' : '\0';
	}
}

/* Follow the question's name through the answer section; each step reads it from the start. */
static void
slow_addresses(struct slow *s, const uint8_t *p, size_t size, uint16_t type)
{
	char	name[256], owner[256], target[256];
	size_t	name_len = 0, off, len, n, want = type == RR_A ? 4 : 16;
	int	step, alias;

	s->n = 0;
	s->end[0] = '\0';
	len = slow_name(p, size, 12, 0, name, &name_len);
	CHECK(len != 0);
	for (step = 0; step <= DNS_CHAIN_MAX; step++) {
		size_t	at = 12 + len + 4, target_len = 0;
		unsigned count = (unsigned)p[6] * 256 + p[7];

		alias = 0;
		for (; count > 0; count--) {
			unsigned rtype, class, rdlen;

			off = 0;
			n = slow_name(p, size, at, 0, owner, &off);
			CHECK(n != 0);
			at += n;
			CHECK(at + 10 <= size);
			rtype = (unsigned)p[at] * 256 + p[at + 1];
			class = (unsigned)p[at + 2] * 256 + p[at + 3];
			rdlen = (unsigned)p[at + 8] * 256 + p[at + 9];
			at += 10;
			CHECK(at + rdlen <= size);
			if (class == 1 && off == name_len && memcmp(owner, name, off) == 0) {
				if (rtype == RR_CNAME) {
					alias = 1;
					target_len = 0;
					(void)slow_name(p, size, at, 0, target, &target_len);
				} else if (rtype == type) {
					CHECK(rdlen == want);
					if (s->n < DNS_ADDRS_FAMILY_MAX) {
						memset(s->addr[s->n], 0, 16);
						if (want == 4)
							memset(s->addr[s->n] + 10, 0xff, 2);
						memcpy(s->addr[s->n] + 16 - want, p + at, want);
						s->n++;
					}
				}
			}
			at += rdlen;
		}
		if (s->n != 0 || !alias)
			return;
		memcpy(name, target, target_len);
		name_len = target_len;
		slow_text(s->end, name, name_len);
	}
}

static void
check_host(const char *host)
{
	char		again[DOMAIN_MAX + 1];
	const char	*why;
	size_t		i;

	CHECK(strlen(host) <= NAME_WIRE_MAX - 2);
	for (i = 0; host[i] != '\0'; i++)
		CHECK(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", host[i]) != NULL);
	/* What we hand on can be asked for, or is refused by name; it is never changed. */
	if (domain_parse(again, slice_str(host), &why) == E_OK)
		CHECK(strcmp(again, host) == 0);
}

static void
check_answer(const struct packet_answer *a, const uint8_t *p, size_t size, uint16_t type)
{
	struct slow	s;
	size_t		i, octets = 0;

	CHECK(a->nrec <= DNS_RECORDS_MAX && a->ttl <= DNS_TTL_MAX && a->rcode <= 15);
	CHECK((packet_status(a) == DNS_OK) == (a->rcode == 0 && a->nrec != 0));
	CHECK(packet_status(a) != DNS_NODATA || (a->rcode == 0 && a->nbad == 0));
	if (type == RR_A || type == RR_AAAA) {
		slow_addresses(&s, p, size, type);
		CHECK(s.n == a->nrec);
		for (i = 0; i < s.n; i++)
			CHECK(memcmp(s.addr[i], a->rec[i].addr.a, 16) == 0);
		CHECK(strcmp(a->canonical, s.end) == 0);
	}
	CHECK(type != RR_CNAME || (a->nrec <= 1 && a->canonical[0] == '\0'));
	for (i = 0; i < a->nrec; i++) {
		if (type == RR_MX)
			check_host(a->rec[i].mx.host);
		else if (type == RR_PTR)
			check_host(a->rec[i].ptr.host);
		else if (type == RR_TXT)
			octets += a->rec[i].txt.len;
		else if (type == RR_TLSA)
			octets += a->rec[i].tlsa.len;
	}
	CHECK(octets == a->octets && octets <= PACKET_DATA_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct packet_answer	a;
	char				name[DOMAIN_MAX + 1];
	uint16_t			type;
	uint8_t				*p;
	size_t				n;

	if (size < 2 || data[1] > size - 2)
		return (0);
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	n = data[1];
	memcpy(name, data + 2, n);
	name[n] = '\0';
	data += 2 + n;
	size -= 2 + n;
	if ((p = malloc(size)) == NULL)
		return (0);
	memcpy(p, data, size);
	if (packet_parse(&a, p, size, name, type) == E_OK)
		check_answer(&a, p, size, type);
	free(p);
	return (0);
}
