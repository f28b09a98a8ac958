/*
 * packet.c -- see packet.h.  Core.
 *
 * The sections are walked once into a table of records; each record is checked to lie
 * within the packet before anything in it is looked at.
 */
#include "resolver/packet.h"

#include <string.h>

#include "common/err.h"
#include "common/limits.h"

struct record {
	uint16_t	owner;		/* offset of its name */
	uint16_t	type;
	uint16_t	class;
	uint16_t	rdlen;
	uint32_t	rdata;		/* offset */
	uint32_t	ttl;
};

struct packet {
	const uint8_t	*p;
	size_t		 size;
	size_t		 nrr;		/* answer records */
	struct record	 rr[DNS_PACKET_RECORDS_MAX];
};

enum { CLASS_IN = 1, FLAG_QR = 0x80, FLAG_TC = 0x02, RCODE_MASK = 0x0f };
enum { SOA_NUMBERS_LEN = 20, SOA_MINIMUM_OFF = 16, TLSA_FIXED_LEN = 3 };
#define TTL_SIGN	0x80000000u	/* RFC 2181 8: such a TTL is read as 0 */

static uint16_t
get16(const uint8_t *p)
{
	return ((uint16_t)((unsigned)p[0] << 8 | p[1]));
}

static uint32_t
get32(const uint8_t *p)
{
	return ((uint32_t)get16(p) << 16 | get16(p + 2));
}

static uint8_t
lower(uint8_t c)
{
	return (c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c);
}

int
packet_name(const uint8_t *packet, size_t size, size_t off, uint8_t wire[static NAME_WIRE_MAX],
    size_t *len, size_t *next)
{
	size_t	n = 0, start = off, target, i;
	int	jumped = 0;
	uint8_t	c;

	for (;;) {
		if (off >= size)
			return (E_SYNTAX);
		c = packet[off];
		if ((c & 0xc0) == 0xc0) {
			if (size - off < 2)
				return (E_SYNTAX);
			target = get16(packet + off) & 0x3fff;
			if (!jumped)
				*next = off + 2;
			jumped = 1;
			/* Backwards only, each time before the place where this run of labels
			 * began: so no loop can be built. */
			if (target >= start)
				return (E_SYNTAX);
			start = off = target;
			continue;
		}
		if (c > DOMAIN_LABEL_MAX || n + 1 + c + (c != 0) > NAME_WIRE_MAX ||
		    size - off < 1 + (size_t)c)
			return (E_SYNTAX);
		wire[n++] = c;
		if (c == 0)
			break;
		for (i = 1; i <= c; i++)
			wire[n++] = lower(packet[off + i]);
		off += 1 + (size_t)c;
	}
	if (!jumped)
		*next = off + 1;
	*len = n;
	return (E_OK);
}

int
packet_host(const uint8_t *wire, size_t len, char dst[static DOMAIN_MAX + 1])
{
	size_t	in = 0, out = 0, i;
	int	err = E_OK;
	uint8_t	c;

	while (in < len && wire[in] != 0) {
		if (out != 0)
			dst[out++] = '.';
		for (i = 1; i <= wire[in]; i++) {
			c = wire[in + i];
			if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_') {
				err = E_SYNTAX;
				c = '?';
			}
			dst[out++] = (char)c;
		}
		in += 1 + (size_t)wire[in];
	}
	dst[out] = '\0';
	return (err);
}

/* The wire form of a name we asked for. */
static int
name_from_text(const char *text, uint8_t wire[static NAME_WIRE_MAX], size_t *len)
{
	size_t	n = 0, label;

	while (*text != '\0') {
		label = strcspn(text, ".");
		if (label == 0 || label > DOMAIN_LABEL_MAX || n + 1 + label + 1 > NAME_WIRE_MAX)
			return (E_SYNTAX);
		wire[n++] = (uint8_t)label;
		while (label-- > 0)
			wire[n++] = lower((uint8_t)*text++);
		if (*text == '.' && *++text == '\0')
			return (E_SYNTAX);
	}
	wire[n++] = 0;
	*len = n;
	return (E_OK);
}

/* The record at *off; *off moves behind it. */
static int
record_at(const struct packet *pk, size_t *off, struct record *rr)
{
	uint8_t	wire[NAME_WIRE_MAX];
	size_t	len, next;

	if (packet_name(pk->p, pk->size, *off, wire, &len, &next) != E_OK || pk->size - next < 10)
		return (E_SYNTAX);
	rr->owner = (uint16_t)*off;
	rr->type = get16(pk->p + next);
	rr->class = get16(pk->p + next + 2);
	rr->ttl = get32(pk->p + next + 4);
	if (rr->ttl & TTL_SIGN)
		rr->ttl = 0;
	rr->rdlen = get16(pk->p + next + 8);
	rr->rdata = (uint32_t)(next + 10);
	if (pk->size - rr->rdata < rr->rdlen)
		return (E_SYNTAX);
	*off = rr->rdata + (size_t)rr->rdlen;
	return (E_OK);
}

static int
owner_is(const struct packet *pk, const struct record *rr, const uint8_t *name, size_t len)
{
	uint8_t	wire[NAME_WIRE_MAX];
	size_t	n, next;

	return (packet_name(pk->p, pk->size, rr->owner, wire, &n, &next) == E_OK && n == len &&
	    memcmp(wire, name, len) == 0);
}

/* A name that fills the rest of the record from skip octets on. */
static int
rdata_name(const struct packet *pk, const struct record *rr, size_t skip,
    uint8_t wire[static NAME_WIRE_MAX], size_t *len)
{
	size_t	next;

	if (rr->rdlen < skip + 1 ||
	    packet_name(pk->p, pk->size, rr->rdata + skip, wire, len, &next) != E_OK ||
	    next != (size_t)rr->rdata + rr->rdlen)
		return (E_SYNTAX);
	return (E_OK);
}

static void
ttl_least(struct packet_answer *a, uint32_t ttl)
{
	if (ttl < a->ttl)
		a->ttl = ttl;
}

/* Room for one record more; NULL if there is none. */
static struct dns_record *
rec_new(struct packet_answer *a, size_t max)
{
	return (a->nrec < max ? &a->rec[a->nrec++] : NULL);
}

static int
take_address(struct packet_answer *a, const struct packet *pk, const struct record *rr)
{
	const uint8_t		*p = pk->p + rr->rdata;
	struct dns_record	*r;

	if (rr->rdlen != (rr->type == RR_A ? 4 : 16))
		return (E_SYNTAX);
	if ((r = rec_new(a, DNS_ADDRS_FAMILY_MAX)) == NULL)
		return (E_OK);
	memset(&r->addr, 0, sizeof(r->addr));
	if (rr->type == RR_A) {
		r->addr.a[10] = r->addr.a[11] = 0xff;
		memcpy(r->addr.a + 12, p, 4);
	} else {
		memcpy(r->addr.a, p, 16);
	}
	return (E_OK);
}

/* When the table is full a better preference takes the place of the worst. */
static struct dns_record *
mx_room(struct packet_answer *a, uint16_t pref)
{
	struct dns_record	*r = rec_new(a, DNS_RECORDS_MAX);
	size_t			 i, worst = 0;

	if (r != NULL)
		return (r);
	for (i = 1; i < a->nrec; i++)
		if (a->rec[i].mx.pref > a->rec[worst].mx.pref)
			worst = i;
	return (pref < a->rec[worst].mx.pref ? &a->rec[worst] : NULL);
}

static int
take_mx(struct packet_answer *a, const struct packet *pk, const struct record *rr)
{
	uint8_t			 wire[NAME_WIRE_MAX];
	char			 host[DOMAIN_MAX + 1];
	struct dns_record	*r;
	uint16_t		 pref;
	size_t			 len;

	if (rdata_name(pk, rr, 2, wire, &len) != E_OK)
		return (E_SYNTAX);
	pref = get16(pk->p + rr->rdata);
	if (packet_host(wire, len, host) != E_OK) {
		a->nbad++;
	} else if ((r = mx_room(a, pref)) != NULL) {
		r->mx.pref = pref;
		memcpy(r->mx.host, host, sizeof(host));
	}
	return (E_OK);
}

static int
take_ptr(struct packet_answer *a, const struct packet *pk, const struct record *rr)
{
	uint8_t			 wire[NAME_WIRE_MAX];
	char			 host[DOMAIN_MAX + 1];
	struct dns_record	*r;
	size_t			 len;

	if (rdata_name(pk, rr, 0, wire, &len) != E_OK)
		return (E_SYNTAX);
	if (len == 1 || packet_host(wire, len, host) != E_OK)
		a->nbad++;
	else if ((r = rec_new(a, DNS_RECORDS_MAX)) != NULL)
		memcpy(r->ptr.host, host, sizeof(host));
	return (E_OK);
}

/* Count n octets of data. */
static int
data_fits(struct packet_answer *a, size_t n)
{
	if (n > (size_t)(PACKET_DATA_MAX - a->octets))
		return (0);
	a->octets = (uint16_t)(a->octets + n);
	return (1);
}

/* The strings of one record are one text (RFC 7208 3.3, RFC 6376 3.6.2.2). */
static int
take_txt(struct packet_answer *a, const struct packet *pk, const struct record *rr)
{
	const uint8_t		*p = pk->p + rr->rdata, *end = p + rr->rdlen;
	struct dns_record	*r;
	size_t			 n = 0, len;

	if (rr->rdlen == 0)
		return (E_SYNTAX);
	if ((r = rec_new(a, DNS_RECORDS_MAX)) == NULL)
		return (E_LIMIT);
	while (p < end) {
		len = *p++;
		if (len > (size_t)(end - p))
			return (E_SYNTAX);
		if (len > sizeof(r->txt.data) - n || !data_fits(a, len))
			return (E_LIMIT);
		memcpy(r->txt.data + n, p, len);
		n += len;
		p += len;
	}
	r->txt.len = (uint16_t)n;
	return (E_OK);
}

static int
take_tlsa(struct packet_answer *a, const struct packet *pk, const struct record *rr)
{
	const uint8_t		*p = pk->p + rr->rdata;
	struct dns_record	*r;
	size_t			 len;

	if (rr->rdlen < TLSA_FIXED_LEN)
		return (E_SYNTAX);
	len = (size_t)rr->rdlen - TLSA_FIXED_LEN;
	if (len > sizeof(r->tlsa.data))
		len = 0;
	if (!data_fits(a, len) || (r = rec_new(a, DNS_RECORDS_MAX)) == NULL)
		return (E_LIMIT);
	r->tlsa.usage = p[0];
	r->tlsa.selector = p[1];
	r->tlsa.matching = p[2];
	r->tlsa.len = (uint16_t)len;
	memcpy(r->tlsa.data, p + TLSA_FIXED_LEN, len);
	return (E_OK);
}

/* Of a secure answer every alias was signed, so its name may be odd but is the zone's word: it is told, not refused. */
static int
take_cname(struct packet_answer *a, const struct packet *pk, const struct record *rr)
{
	uint8_t			 wire[NAME_WIRE_MAX];
	struct dns_record	*r;
	size_t			 len;

	if (rdata_name(pk, rr, 0, wire, &len) != E_OK)
		return (E_SYNTAX);
	if (len == 1)
		a->nbad++;
	else if ((r = rec_new(a, 1)) != NULL)
		(void)packet_host(wire, len, r->ptr.host);
	return (E_OK);
}

static int
take(struct packet_answer *a, const struct packet *pk, const struct record *rr)
{
	switch (rr->type) {
	case RR_A:
	case RR_AAAA:
		return (take_address(a, pk, rr));
	case RR_MX:
		return (take_mx(a, pk, rr));
	case RR_PTR:
		return (take_ptr(a, pk, rr));
	case RR_TXT:
		return (take_txt(a, pk, rr));
	case RR_TLSA:
		return (take_tlsa(a, pk, rr));
	case RR_CNAME:
		return (take_cname(a, pk, rr));
	default:
		return (E_SYNTAX);
	}
}

/*
 * Follow the aliases from name to the records of type.  A chain that ends at a name without them
 * is "no data"; one that is too long or comes back to itself is malformed.
 */
static int
follow(struct packet_answer *a, const struct packet *pk, uint8_t *name, size_t len, uint16_t type)
{
	const struct record	*alias;
	size_t			 i, step;
	int			 err;

	for (step = 0; step <= DNS_CHAIN_MAX; step++) {
		alias = NULL;
		for (i = 0; i < pk->nrr; i++) {
			const struct record *rr = &pk->rr[i];

			if (rr->class != CLASS_IN || (rr->type != type && rr->type != RR_CNAME) ||
			    !owner_is(pk, rr, name, len))
				continue;
			if (rr->type != type) {
				alias = rr;
				continue;
			}
			if ((err = take(a, pk, rr)) != E_OK)
				return (err);
			ttl_least(a, rr->ttl);
		}
		if (a->nrec != 0 || a->nbad != 0 || alias == NULL)
			return (E_OK);
		if (rdata_name(pk, alias, 0, name, &len) != E_OK || len == 1)
			return (E_SYNTAX);
		(void)packet_host(name, len, a->canonical);
		ttl_least(a, alias->ttl);
	}
	return (E_SYNTAX);
}

/* RFC 2308 5: the lesser of the SOA's TTL and its last number; 0 without a SOA. */
static int
negative_ttl(struct packet_answer *a, const struct packet *pk, size_t off, unsigned count)
{
	uint8_t		wire[NAME_WIRE_MAX];
	struct record	rr;
	size_t		len, next;

	for (; count > 0; count--) {
		if (record_at(pk, &off, &rr) != E_OK)
			return (E_SYNTAX);
		if (rr.type != RR_SOA || rr.class != CLASS_IN)
			continue;
		if (packet_name(pk->p, pk->size, rr.rdata, wire, &len, &next) != E_OK ||
		    packet_name(pk->p, pk->size, next, wire, &len, &next) != E_OK ||
		    next + SOA_NUMBERS_LEN != (size_t)rr.rdata + rr.rdlen)
			return (E_SYNTAX);
		ttl_least(a, rr.ttl);
		ttl_least(a, get32(pk->p + next + SOA_MINIMUM_OFF));
		return (E_OK);
	}
	a->ttl = 0;
	return (E_OK);
}

int
packet_parse(struct packet_answer *a, const uint8_t *packet, size_t size, const char *text,
    uint16_t type)
{
	struct packet	pk;
	uint8_t		name[NAME_WIRE_MAX], asked[NAME_WIRE_MAX];
	size_t		len, asked_len, off;
	unsigned	ancount, i;
	int		err;

	a->nrec = a->nbad = a->octets = 0;
	a->canonical[0] = '\0';
	a->ttl = DNS_TTL_MAX;
	pk.p = packet;
	pk.size = size;
	pk.nrr = 0;
	if (size < PACKET_HEADER_LEN || size > UINT16_MAX || !(packet[2] & FLAG_QR) ||
	    (packet[2] & FLAG_TC) || get16(packet + 4) != 1)
		return (E_SYNTAX);
	a->rcode = packet[3] & RCODE_MASK;
	ancount = get16(packet + 6);

	if (packet_name(packet, size, PACKET_HEADER_LEN, name, &len, &off) != E_OK ||
	    size - off < 4 || get16(packet + off) != type || get16(packet + off + 2) != CLASS_IN)
		return (E_SYNTAX);
	if (name_from_text(text, asked, &asked_len) != E_OK || asked_len != len ||
	    memcmp(asked, name, len) != 0)
		return (E_SYNTAX);
	off += 4;

	if (ancount > DNS_PACKET_RECORDS_MAX)
		return (E_LIMIT);
	for (i = 0; i < ancount; i++)
		if (record_at(&pk, &off, &pk.rr[pk.nrr++]) != E_OK)
			return (E_SYNTAX);
	if ((err = follow(a, &pk, name, len, type)) != E_OK)
		return (err);
	if (a->nrec == 0 && a->nbad == 0)
		return (negative_ttl(a, &pk, off, get16(packet + 8)));
	return (E_OK);
}
