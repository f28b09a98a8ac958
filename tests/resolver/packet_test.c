/*
 * packet_test.c -- tables for resolver/packet.c and resolver/names.c: good answers, each limit at
 * one below, at, and one above, compression loops, and every answer cut at each octet.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/net.h"
#include "resolver/names.h"
#include "resolver/packet.h"

/* ---- a writer of packets ---- */

struct out {
	uint8_t	p[65535];
	size_t	n;
};

static struct out		out;
static struct packet_answer	got;

static void
put(const void *p, size_t n)
{
	assert_true(n <= sizeof(out.p) - out.n);
	if (n != 0)
		memcpy(out.p + out.n, p, n);
	out.n += n;
}

static void
put16(unsigned v)
{
	uint8_t	b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(b, 2);
}

static void
put32(uint32_t v)
{
	put16(v >> 16);
	put16(v & 0xffff);
}

static void
put_name(const char *s)
{
	uint8_t	len;

	while (*s != '\0') {
		len = (uint8_t)strcspn(s, ".");
		put(&len, 1);
		put(s, len);
		s += len;
		s += *s == '.';
	}
	put("", 1);
}

static void
start(const char *name, unsigned type, unsigned rcode)
{
	static const uint8_t	head[PACKET_HEADER_LEN] = { 0, 0, 0x81, 0x80, 0, 1 };

	out.n = 0;
	put(head, sizeof(head));
	out.p[3] |= (uint8_t)rcode;
	put_name(name);
	put16(type);
	put16(1);
}

static void
count_up(size_t at)
{
	unsigned	n = (unsigned)out.p[at] << 8 | out.p[at + 1];

	n++;
	out.p[at] = (uint8_t)(n >> 8);
	out.p[at + 1] = (uint8_t)n;
}

/* An answer record whose owner is the question's name, or owner if not NULL. */
static void
rr(const char *owner, unsigned type, uint32_t ttl, const void *data, size_t n)
{
	if (owner == NULL)
		put16(0xc000 | PACKET_HEADER_LEN);
	else
		put_name(owner);
	put16(type);
	put16(1);
	put32(ttl);
	put16((unsigned)n);
	put(data, n);
	count_up(6);
}

static void
rr_name(const char *owner, unsigned type, uint32_t ttl, int pref, const char *host)
{
	uint8_t	data[2 + NAME_WIRE_MAX + 80];
	size_t	save = out.n, n;

	if (pref >= 0)
		put16((unsigned)pref);
	put_name(host);
	n = out.n - save;
	assert_true(n <= sizeof(data));
	memcpy(data, out.p + save, n);
	out.n = save;
	rr(owner, type, ttl, data, n);
}

static int
parse(const char *name, unsigned type)
{
	/* A block of the exact size, so that a sanitizer sees the first octet too many. */
	uint8_t	*p = malloc(out.n);
	int	 err;

	assert_non_null(p);
	memcpy(p, out.p, out.n);
	err = packet_parse(&got, p, out.n, name, (uint16_t)type);
	free(p);
	return (err);
}

/* Cut anywhere, it is malformed (what it looks like is a packet too short for its own counts). */
static void
cut_everywhere(const char *name, unsigned type)
{
	size_t	whole = out.n;

	for (out.n = 0; out.n < whole; out.n++)
		assert_int_equal(parse(name, type), E_SYNTAX);
	out.n = whole;
	assert_int_equal(parse(name, type), E_OK);
}

static const char *
addr_text(size_t i)
{
	static char	s[NET_ADDR_STRLEN];

	return (net_addr_str(&got.rec[i].addr, s));
}

/* ---- tests ---- */

static void
addresses(void **state)
{
	static const uint8_t	v6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 7 };

	start("mx.example.net", RR_A, 0);
	rr(NULL, RR_A, 300, "\300\000\002\001", 4);
	rr("MX.Example.NET", RR_A, 60, "\300\000\002\002", 4);
	rr("other.example.net", RR_A, 1, "\300\000\002\003", 4);	/* not asked for */
	rr(NULL, 46, 1, "sig", 3);
	cut_everywhere("mx.example.net", RR_A);
	assert_int_equal(got.nrec, 2);
	assert_int_equal(got.ttl, 60);
	assert_string_equal(addr_text(0), "192.0.2.1");
	assert_string_equal(addr_text(1), "192.0.2.2");

	start("mx.example.net", RR_AAAA, 0);
	rr(NULL, RR_AAAA, 0x80000001u, v6, 16);
	cut_everywhere("mx.example.net", RR_AAAA);
	assert_string_equal(addr_text(0), "2001:db8::7");
	assert_int_equal(got.ttl, 0);		/* RFC 2181 8 */
	assert_int_equal(packet_status(&got), DNS_OK);

	start("a.b", RR_A, 0);
	rr(NULL, RR_A, 1, "\300\000\002", 3);
	assert_int_equal(parse("a.b", RR_A), E_SYNTAX);
	start("a.b", RR_AAAA, 0);
	rr(NULL, RR_AAAA, 1, v6, 15);
	assert_int_equal(parse("a.b", RR_AAAA), E_SYNTAX);
}

static void
mx(void **state)
{
	start("example.net", RR_MX, 0);
	rr_name(NULL, RR_MX, 100, 10, "mx1.example.net");
	rr_name(NULL, RR_MX, 90, 0, "MX2.example.NET");
	rr_name(NULL, RR_MX, 999999, 65535, "");
	cut_everywhere("example.net", RR_MX);
	assert_int_equal(got.nrec, 3);
	assert_int_equal(got.rec[0].mx.pref, 10);
	assert_string_equal(got.rec[0].mx.host, "mx1.example.net");
	assert_int_equal(got.rec[1].mx.pref, 0);
	assert_string_equal(got.rec[1].mx.host, "mx2.example.net");
	assert_int_equal(got.rec[2].mx.pref, 65535);
	assert_string_equal(got.rec[2].mx.host, "");
	assert_int_equal(got.ttl, 90);
}

/* A host nobody can use is no record, but neither is it "no record". */
static void
bad_hosts(void **state)
{
	static const char *const bad[] = { "a b.example", "a\"b", "\xc3\xa4.example", "a\nb", "a/b", "*.x" };
	size_t	i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start("example.net", RR_MX, 0);
		rr_name(NULL, RR_MX, 100, 10, bad[i]);
		assert_int_equal(parse("example.net", RR_MX), E_OK);
		assert_int_equal(got.nrec, 0);
		assert_int_equal(got.nbad, 1);
		assert_int_equal(packet_status(&got), DNS_FAILED);
		rr_name(NULL, RR_MX, 100, 20, "good_one-2.example");
		assert_int_equal(parse("example.net", RR_MX), E_OK);
		assert_int_equal(got.nrec, 1);
		assert_int_equal(packet_status(&got), DNS_OK);
		assert_string_equal(got.rec[0].mx.host, "good_one-2.example");
	}
	/* A dot or NUL inside a label cannot be written as text either. */
	start("e.net", RR_PTR, 0);
	rr(NULL, RR_PTR, 5, "\003a.b\000", 5);
	rr(NULL, RR_PTR, 5, "\003a\000b\000", 5);
	rr(NULL, RR_PTR, 5, "", 1);
	assert_int_equal(parse("e.net", RR_PTR), E_OK);
	assert_int_equal(got.nbad, 3);
	assert_int_equal(packet_status(&got), DNS_FAILED);
}

static void
aliases(void **state)
{
	char	name[32], next[32];
	int	i, n;

	start("www.example.net", RR_A, 0);
	rr("host.example.org", RR_A, 50, "\300\000\002\011", 4);	/* before its alias: order means nothing */
	rr_name(NULL, RR_CNAME, 40, -1, "Host.example.org");
	cut_everywhere("www.example.net", RR_A);
	assert_int_equal(got.nrec, 1);
	assert_int_equal(got.ttl, 40);
	assert_string_equal(got.canonical, "host.example.org");

	/* DNS_CHAIN_MAX aliases are followed, one more is not. */
	for (n = DNS_CHAIN_MAX - 1; n <= DNS_CHAIN_MAX + 1; n++) {
		start("n0.x", RR_A, 0);
		for (i = 0; i < n; i++) {
			(void)snprintf(name, sizeof(name), "n%d.x", i);
			(void)snprintf(next, sizeof(next), "n%d.x", i + 1);
			rr_name(name, RR_CNAME, 10, -1, next);
		}
		rr(next, RR_A, 10, "\300\000\002\011", 4);
		assert_int_equal(parse("n0.x", RR_A), n <= DNS_CHAIN_MAX ? E_OK : E_SYNTAX);
		if (n <= DNS_CHAIN_MAX) {
			assert_int_equal(got.nrec, 1);
			assert_string_equal(got.canonical, next);
		}
	}
	/* A ring. */
	start("a.x", RR_A, 0);
	rr_name("a.x", RR_CNAME, 10, -1, "b.x");
	rr_name("b.x", RR_CNAME, 10, -1, "a.x");
	assert_int_equal(parse("a.x", RR_A), E_SYNTAX);
	/* An alias to a name without the type. */
	start("a.x", RR_MX, 0);
	rr_name("a.x", RR_CNAME, 10, -1, "b.x");
	assert_int_equal(parse("a.x", RR_MX), E_OK);
	assert_int_equal(packet_status(&got), DNS_NODATA);
	assert_string_equal(got.canonical, "b.x");
	/* None: nothing is left of the answer before. */
	start("a.x", RR_A, 0);
	rr(NULL, RR_A, 10, "\300\000\002\011", 4);
	assert_int_equal(parse("a.x", RR_A), E_OK);
	assert_string_equal(got.canonical, "");
	/* To a name that is no host's: it cannot be asked for by what is told of it.  To the root: nowhere. */
	start("a.x", RR_A, 0);
	rr("a.x", RR_CNAME, 10, "\004b/.c\001x\000", 8);
	rr("\004b/.c", RR_TXT, 10, "\0001", 2);
	assert_int_equal(parse("a.x", RR_A), E_OK);
	assert_int_equal(got.nrec, 0);
	assert_string_equal(got.canonical, "b??c.x");
	start("a.x", RR_A, 0);
	rr("a.x", RR_CNAME, 10, "\000", 1);
	assert_int_equal(parse("a.x", RR_A), E_SYNTAX);
	/* An alias with octets behind its name. */
	start("a.x", RR_A, 0);
	rr("a.x", RR_CNAME, 10, "\001b\001x\000!", 6);
	assert_int_equal(parse("a.x", RR_A), E_SYNTAX);
}

/* The alias itself: not followed, though what it leads to is in the answer too. */
static void
cname(void **state)
{
	start("www.example.net", RR_CNAME, 0);
	rr_name(NULL, RR_CNAME, 40, -1, "Host.example.org");
	rr_name("host.example.org", RR_CNAME, 30, -1, "c.example.org");
	cut_everywhere("www.example.net", RR_CNAME);
	assert_int_equal(got.nrec, 1);
	assert_int_equal(got.ttl, 40);
	assert_string_equal(got.rec[0].ptr.host, "host.example.org");
	assert_string_equal(got.canonical, "");
	start("www.example.net", RR_CNAME, 0);
	rr(NULL, RR_A, 10, "\300\000\002\011", 4);
	assert_int_equal(parse("www.example.net", RR_CNAME), E_OK);
	assert_int_equal(packet_status(&got), DNS_NODATA);
	start("www.example.net", RR_CNAME, 0);
	rr(NULL, RR_CNAME, 10, "\000", 1);
	assert_int_equal(parse("www.example.net", RR_CNAME), E_OK);
	assert_int_equal(packet_status(&got), DNS_FAILED);
	/* Two are one too many for a name (RFC 2181 10.1): the first counts. */
	start("www.example.net", RR_CNAME, 0);
	rr_name(NULL, RR_CNAME, 10, -1, "a.x");
	rr_name(NULL, RR_CNAME, 10, -1, "b.x");
	assert_int_equal(parse("www.example.net", RR_CNAME), E_OK);
	assert_int_equal(got.nrec, 1);
	assert_string_equal(got.rec[0].ptr.host, "a.x");
}

static void
text(void **state)
{
	uint8_t	data[1100];
	int	i, n;

	start("example.net", RR_TXT, 0);
	rr(NULL, RR_TXT, 10, "\007v=spf1 \004-all\000", 14);
	rr(NULL, RR_TXT, 10, "\000", 1);
	cut_everywhere("example.net", RR_TXT);
	assert_int_equal(got.nrec, 2);
	assert_int_equal(got.rec[0].txt.len, 11);
	assert_memory_equal(got.rec[0].txt.data, "v=spf1 -all", 11);
	assert_int_equal(got.rec[1].txt.len, 0);

	start("example.net", RR_TXT, 0);
	rr(NULL, RR_TXT, 10, "\005abcd", 5);	/* a string longer than its record */
	assert_int_equal(parse("example.net", RR_TXT), E_SYNTAX);
	start("example.net", RR_TXT, 0);
	rr(NULL, RR_TXT, 10, "", 0);
	assert_int_equal(parse("example.net", RR_TXT), E_SYNTAX);

	/* 1023, 1024, 1025 octets in strings of 255. */
	for (n = 1023; n <= 1025; n++) {
		size_t	at = 0;

		for (i = n; i > 0; i -= 255) {
			data[at++] = (uint8_t)(i > 255 ? 255 : i);
			memset(data + at, 'x', data[at - 1]);
			at += data[at - 1];
		}
		start("example.net", RR_TXT, 0);
		rr(NULL, RR_TXT, 10, data, at);
		assert_int_equal(parse("example.net", RR_TXT), n <= 1024 ? E_OK : E_LIMIT);
		if (n <= 1024)
			assert_int_equal(got.rec[0].txt.len, n);
	}
	/* PACKET_DATA_MAX octets in all. */
	for (n = -1; n <= 1; n++) {
		int	left = PACKET_DATA_MAX + n;

		start("example.net", RR_TXT, 0);
		memset(data, 'y', sizeof(data));
		for (; left > 0; left -= i) {
			i = left > 1000 ? 1000 : left;
			if (i == 1000) {
				data[0] = data[251] = data[502] = data[753] = 250;
				rr(NULL, RR_TXT, 1, data, 1004);
			} else {
				i = i > 250 ? 250 : i;
				data[0] = (uint8_t)i;
				rr(NULL, RR_TXT, 1, data, (size_t)i + 1);
			}
		}
		assert_int_equal(parse("example.net", RR_TXT), n <= 0 ? E_OK : E_LIMIT);
	}
}

static void
tlsa(void **state)
{
	uint8_t	data[3 + TLSA_DATA_MAX + 1];
	int	n;

	memset(data, 0xab, sizeof(data));
	data[0] = 3;
	data[1] = 1;
	data[2] = 2;
	start("_25._tcp.mx.example.net", RR_TLSA, 0);
	rr(NULL, RR_TLSA, 10, data, 35);
	cut_everywhere("_25._tcp.mx.example.net", RR_TLSA);
	assert_int_equal(got.rec[0].tlsa.usage, 3);
	assert_int_equal(got.rec[0].tlsa.selector, 1);
	assert_int_equal(got.rec[0].tlsa.matching, 2);
	assert_int_equal(got.rec[0].tlsa.len, 32);
	/* One too long is still there: it promises TLS. */
	for (n = TLSA_DATA_MAX - 1; n <= TLSA_DATA_MAX + 1; n++) {
		start("a.x", RR_TLSA, 0);
		rr(NULL, RR_TLSA, 10, data, 3 + (size_t)n);
		assert_int_equal(parse("a.x", RR_TLSA), E_OK);
		assert_int_equal(got.nrec, 1);
		assert_int_equal(got.rec[0].tlsa.usage, 3);
		assert_int_equal(got.rec[0].tlsa.len, n <= TLSA_DATA_MAX ? n : 0);
	}
	start("a.x", RR_TLSA, 0);
	rr(NULL, RR_TLSA, 10, data, 2);
	assert_int_equal(parse("a.x", RR_TLSA), E_SYNTAX);
}

static void
counts(void **state)
{
	static const struct {
		unsigned	type;
		int		max, over;	/* over: what one more gives */
	} t[] = {
		{ RR_A, DNS_ADDRS_FAMILY_MAX, E_OK }, { RR_MX, DNS_RECORDS_MAX, E_OK },
		{ RR_PTR, DNS_RECORDS_MAX, E_OK }, { RR_TXT, DNS_RECORDS_MAX, E_LIMIT },
		{ RR_TLSA, DNS_RECORDS_MAX, E_LIMIT },
	};
	size_t	i;
	int	n, k;
	char	host[32];

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (n = t[i].max - 1; n <= t[i].max + 1; n++) {
			start("a.x", t[i].type, 0);
			for (k = 0; k < n; k++) {
				uint8_t	b[4] = { 3, 1, 1, (uint8_t)k };

				(void)snprintf(host, sizeof(host), "h%d.x", k);
				if (t[i].type == RR_MX)
					rr_name(NULL, RR_MX, 9, 1000 - k, host);
				else if (t[i].type == RR_PTR)
					rr_name(NULL, RR_PTR, 9, -1, host);
				else
					rr(NULL, t[i].type, 9, b, 4);
			}
			assert_int_equal(parse("a.x", t[i].type), n <= t[i].max ? E_OK : t[i].over);
			if (n <= t[i].max || t[i].over == E_OK)
				assert_int_equal(got.nrec, n < t[i].max ? n : t[i].max);
		}
	}
	/* Of too many MX records the worst preference goes: the last ones here are the best. */
	start("a.x", RR_MX, 0);
	for (k = 0; k < DNS_RECORDS_MAX + 3; k++) {
		(void)snprintf(host, sizeof(host), "h%d.x", k);
		rr_name(NULL, RR_MX, 9, 1000 - k, host);
	}
	assert_int_equal(parse("a.x", RR_MX), E_OK);
	for (k = 0; k < got.nrec; k++)
		assert_true(got.rec[k].mx.pref <= 1000 - 3);

	for (n = DNS_PACKET_RECORDS_MAX - 1; n <= DNS_PACKET_RECORDS_MAX + 1; n++) {
		start("a.x", RR_A, 0);
		for (k = 0; k < n; k++)
			rr(NULL, RR_A, 9, "\300\000\002\011", 4);
		assert_int_equal(parse("a.x", RR_A), n <= DNS_PACKET_RECORDS_MAX ? E_OK : E_LIMIT);
	}
}

/* ---- names ---- */

static int
name_at(const char *bytes, size_t n, size_t off, size_t *len, size_t *next)
{
	uint8_t	wire[NAME_WIRE_MAX], *p = malloc(n);
	int	err;

	assert_non_null(p);
	memcpy(p, bytes, n);
	err = packet_name(p, n, off, wire, len, next);
	free(p);
	return (err);
}

static void
names(void **state)
{
	static const struct {
		const char	*bytes;
		size_t		 n, off;
		int		 err;
		size_t		 len, next;
	} t[] = {
		{ "\000", 1, 0, E_OK, 1, 1 },
		{ "\001a\000", 3, 0, E_OK, 3, 3 },
		{ "\001a\000\001b\300\000", 7, 3, E_OK, 5, 7 },
		{ "\001a\000\001b\300\000\300\003", 9, 7, E_OK, 5, 9 },
		{ "", 0, 0, E_SYNTAX, 0, 0 },
		{ "\001", 1, 0, E_SYNTAX, 0, 0 },
		{ "\001a", 2, 0, E_SYNTAX, 0, 0 },
		{ "\300", 1, 0, E_SYNTAX, 0, 0 },
		{ "\300\000", 2, 0, E_SYNTAX, 0, 0 },		/* itself */
		{ "\001a\300\000", 4, 0, E_SYNTAX, 0, 0 },	/* back into its own labels */
		{ "\300\002\300\000", 4, 0, E_SYNTAX, 0, 0 },	/* forward */
		{ "\300\002\300\000", 4, 2, E_SYNTAX, 0, 0 },	/* each to the other */
		{ "\300\377", 2, 0, E_SYNTAX, 0, 0 },		/* out of the packet */
		{ "\100a\000", 3, 0, E_SYNTAX, 0, 0 },		/* label types nobody uses */
		{ "\200a\000", 3, 0, E_SYNTAX, 0, 0 },
		{ "\077a\000", 3, 0, E_SYNTAX, 0, 0 },
	};
	size_t	i, len, next;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		len = next = 0;
		assert_int_equal(name_at(t[i].bytes, t[i].n, t[i].off, &len, &next), t[i].err);
		if (t[i].err == E_OK) {
			assert_int_equal(len, t[i].len);
			assert_int_equal(next, t[i].next);
		}
	}
}

/* Names of 254, 255 and 256 octets; labels of 63; the longest one as text. */
static void
name_limits(void **state)
{
	uint8_t	wire[NAME_WIRE_MAX], p[300];
	char	host[DOMAIN_MAX + 1];
	size_t	len, next, n;
	int	last;

	for (last = 60; last <= 62; last++) {
		int	labels[] = { 63, 63, 63, last }, i;

		for (n = 0, i = 0; i < 4; i++) {
			p[n++] = (uint8_t)labels[i];
			memset(p + n, 'z', (size_t)labels[i]);
			n += (size_t)labels[i];
		}
		p[n++] = 0;
		assert_int_equal(packet_name(p, n, 0, wire, &len, &next),
		    n <= NAME_WIRE_MAX ? E_OK : E_SYNTAX);
		if (n <= NAME_WIRE_MAX) {
			assert_int_equal(packet_host(wire, len, host), E_OK);
			assert_int_equal(strlen(host), n - 2);
		}
	}
}

static void
headers(void **state)
{
	static const struct {
		size_t	at;
		uint8_t	value;
	} bad[] = {
		{ 2, 0x01 },	/* a question, not an answer */
		{ 2, 0x83 },	/* truncated */
		{ 5, 0 },	/* no question */
		{ 5, 2 },
		{ 7, 2 },	/* more records than there are */
		{ 13, 'y' },	/* another name */
	};
	size_t	i;
	uint8_t	old;

	start("x", RR_A, 0);
	rr(NULL, RR_A, 1, "\300\000\002\001", 4);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		old = out.p[bad[i].at];
		out.p[bad[i].at] = bad[i].value;
		assert_int_equal(parse("x", RR_A), E_SYNTAX);
		out.p[bad[i].at] = old;
	}
	assert_int_equal(parse("x", RR_A), E_OK);
	assert_int_equal(parse("x", RR_MX), E_SYNTAX);
	assert_int_equal(parse("xx", RR_A), E_SYNTAX);
	assert_int_equal(parse("x..", RR_A), E_SYNTAX);
	assert_int_equal(parse("", RR_A), E_SYNTAX);
}

static void
negative(void **state)
{
	uint8_t		soa[32] = "\001m\000\001r\000";
	static const struct {
		unsigned	rcode, rr_ttl, minimum, ttl, status;
	} t[] = {
		{ 3, 500, 300, 300, DNS_NXDOMAIN }, { 0, 100, 300, 100, DNS_NODATA },
		{ 2, 100, 300, 100, DNS_FAILED }, { 5, 1, 1, 1, DNS_FAILED },
		{ 3, 1000000, 1000000, DNS_TTL_MAX, DNS_NXDOMAIN },
		{ 3, DNS_TTL_MAX, DNS_TTL_MAX - 1, DNS_TTL_MAX - 1, DNS_NXDOMAIN },
		{ 3, DNS_TTL_MAX, DNS_TTL_MAX, DNS_TTL_MAX, DNS_NXDOMAIN },
		{ 3, DNS_TTL_MAX + 1, DNS_TTL_MAX + 1, DNS_TTL_MAX, DNS_NXDOMAIN },
	};
	size_t	i, whole;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		start("no.example", RR_A, t[i].rcode);
		soa[6 + 16] = (uint8_t)(t[i].minimum >> 24);
		soa[6 + 17] = (uint8_t)(t[i].minimum >> 16);
		soa[6 + 18] = (uint8_t)(t[i].minimum >> 8);
		soa[6 + 19] = (uint8_t)t[i].minimum;
		rr("example", RR_SOA, t[i].rr_ttl, soa, 26);
		out.p[7] = 0;
		out.p[9] = 1;		/* it stands in the authority section */
		whole = out.n;
		assert_int_equal(parse("no.example", RR_A), E_OK);
		assert_int_equal(got.ttl, t[i].ttl);
		assert_int_equal(packet_status(&got), t[i].status);
		for (out.n = 0; out.n < whole; out.n++)
			assert_int_equal(parse("no.example", RR_A), E_SYNTAX);
	}
	start("no.example", RR_A, 3);
	assert_int_equal(parse("no.example", RR_A), E_OK);
	assert_int_equal(got.ttl, 0);
}

/* ---- names.c ---- */

static void
reverse(void **state)
{
	static const struct { const char *ip, *name; } t[] = {
		{ "192.0.2.1", "1.2.0.192.in-addr.arpa" },
		{ "255.255.255.255", "255.255.255.255.in-addr.arpa" },
		{ "2001:db8::567:89ab",
		    "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
	};
	struct ipc_dns_query	q = { .type = DNS_PTR };
	char			name[DOMAIN_MAX + 1];
	uint16_t		rrs[2];
	size_t			i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		(void)snprintf(q.name, sizeof(q.name), "%s", t[i].ip);
		assert_int_equal(question_prepare(&q, name, rrs), 1);
		assert_int_equal(rrs[0], RR_PTR);
		assert_string_equal(name, t[i].name);
	}
	(void)snprintf(q.name, sizeof(q.name), "host.example");
	assert_int_equal(question_prepare(&q, name, rrs), E_SYNTAX);
}

static void
questions(void **state)
{
	static const struct { uint8_t type; const char *in, *out; int n; uint16_t rr0; } t[] = {
		{ DNS_ADDR, "MX.Example.Net", "mx.example.net", 2, RR_A },
		{ DNS_MX, "example.net", "example.net", 1, RR_MX },
		{ DNS_TXT, "_dmarc.example.net", "_dmarc.example.net", 1, RR_TXT },
		{ DNS_TLSA, "_25._tcp.mx.example", "_25._tcp.mx.example", 1, RR_TLSA },
		{ DNS_CNAME, "MX.example", "mx.example", 1, RR_CNAME },
		{ DNS_MX, "a..b", NULL, E_SYNTAX, 0 },
		{ DNS_MX, "a b", NULL, E_SYNTAX, 0 },
		{ DNS_MX, "", NULL, E_SYNTAX, 0 },
		{ DNS_TYPES, "a.b", NULL, E_RANGE, 0 },
	};
	struct ipc_dns_query	q;
	char			name[DOMAIN_MAX + 1];
	uint16_t		rrs[2];
	size_t			i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memset(&q, 0, sizeof(q));
		q.type = t[i].type;
		(void)snprintf(q.name, sizeof(q.name), "%s", t[i].in);
		assert_int_equal(question_prepare(&q, name, rrs), t[i].n);
		if (t[i].n > 0) {
			assert_string_equal(name, t[i].out);
			assert_int_equal(rrs[0], t[i].rr0);
		}
	}
}

static void
merging(void **state)
{
	static const struct { enum dns_status a, b, want; } t[] = {
		{ DNS_OK, DNS_NODATA, DNS_OK }, { DNS_OK, DNS_FAILED, DNS_OK },
		{ DNS_OK, DNS_BOGUS, DNS_OK }, { DNS_OK, DNS_OK, DNS_OK },
		{ DNS_NODATA, DNS_NODATA, DNS_NODATA }, { DNS_NXDOMAIN, DNS_NXDOMAIN, DNS_NXDOMAIN },
		{ DNS_NXDOMAIN, DNS_NODATA, DNS_NODATA }, { DNS_NXDOMAIN, DNS_FAILED, DNS_FAILED },
		{ DNS_NODATA, DNS_FAILED, DNS_FAILED }, { DNS_NODATA, DNS_BOGUS, DNS_BOGUS },
		{ DNS_FAILED, DNS_BOGUS, DNS_BOGUS }, { DNS_NXDOMAIN, DNS_TIMED_OUT, DNS_TIMED_OUT },
	};
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(status_merge(t[i].a, t[i].b), t[i].want);
		assert_int_equal(status_merge(t[i].b, t[i].a), t[i].want);
	}
}

static void
zones(void **state)
{
	static const struct { const char *name, *zone; int beneath; } t[] = {
		{ "example.test", "test", 1 }, { "test", "test", 1 }, { "test.", "TEST", 1 },
		{ "latest", "test", 0 }, { "test", "example.test", 0 }, { "a.b", "", 1 }, { "a.b", ".", 1 },
		{ "1.10.in-addr.arpa", "10.in-addr.arpa", 1 },
	};
	static const char anchors[] =
	    "; comment\n. IN DS 20326 8 2 E06D\n  signed.test. 3600 IN DS 1 13 2 AA\n";
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(name_beneath(t[i].name, t[i].zone), t[i].beneath);
	assert_true(name_is_special("example.test"));
	assert_true(name_is_special("3.2.1.10.in-addr.arpa."));
	assert_true(name_is_special("mail.corp"));
	assert_false(name_is_special("example.com"));
	assert_false(name_is_special("8.8.in-addr.arpa"));
	assert_true(anchor_covers(anchors, "signed.test"));
	assert_true(anchor_covers(anchors, "sub.signed.test"));
	assert_false(anchor_covers(anchors, "test"));
	assert_false(anchor_covers(anchors, "example.com"));
	assert_false(anchor_covers("", "test"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses), cmocka_unit_test(mx), cmocka_unit_test(bad_hosts),
		cmocka_unit_test(aliases), cmocka_unit_test(cname), cmocka_unit_test(text), cmocka_unit_test(tlsa),
		cmocka_unit_test(counts), cmocka_unit_test(names), cmocka_unit_test(name_limits),
		cmocka_unit_test(headers), cmocka_unit_test(negative), cmocka_unit_test(reverse),
		cmocka_unit_test(questions), cmocka_unit_test(merging), cmocka_unit_test(zones),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
