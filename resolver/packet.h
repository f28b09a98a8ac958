/*
 * packet.h -- one DNS answer packet read into records.  Core: bytes in, values out.
 *
 * RFC 1035 4.1 (message, compression), RFC 2181 8 (TTL), RFC 2308 5 (TTL of "no such
 * record"), RFC 6698 2.1 (TLSA), RFC 7505 3 (null MX: host "").
 *
 * libunbound has read the packet before us; we believe none of it.  Compression pointers
 * may only lead backwards, so a name ends after a bounded number of steps; every record
 * must lie within the packet; the aliases in front of the answer are followed DNS_CHAIN_MAX
 * steps.  A host name that is not letters, digits, hyphens and underscores is of no
 * use to anybody here: such a record is counted, not returned, so that "no usable record"
 * is never mistaken for "no record".
 */
#ifndef RESOLVER_PACKET_H
#define RESOLVER_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "common/ipc_msg.h"

enum {				/* RFC 1035 3.2.2, 3596 2.1, 6698 7.1 */
	RR_A = 1,
	RR_CNAME = 5,
	RR_SOA = 6,
	RR_PTR = 12,
	RR_MX = 15,
	RR_TXT = 16,
	RR_AAAA = 28,
	RR_TLSA = 52,
};

enum {				/* RFC 1035 4.1.1 */
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
};

#define PACKET_HEADER_LEN	12
#define PACKET_DATA_MAX		28000	/* so that every answer fits one frame, IPC_PAYLOAD_MAX */
#define NAME_WIRE_MAX		255	/* RFC 1035 3.1, with lengths and the root label */

struct packet_answer {
	uint8_t		rcode;
	uint32_t	ttl;		/* the least of all records used; of the SOA if there are none; at most DNS_TTL_MAX */
	uint16_t	nrec;
	uint16_t	octets;		/* of TXT and TLSA data in all records; at most PACKET_DATA_MAX */
	uint16_t	nbad;		/* records of the wanted type that nobody can use */
	char		canonical[DOMAIN_MAX + 1];	/* the last alias's target; "" if there was none */
	struct dns_record rec[DNS_RECORDS_MAX];
};

/*
 * The records of type for name (as asked: lower case, no final dot).  More addresses, MX or PTR
 * records than fit are left out (of MX those of the worst preference); TXT and TLSA
 * records are never left out, they are E_LIMIT.  A TLSA record too long for us is there with no data: that it exists is a
 * promise of TLS (RFC 7672 2.2.3).  RR_CNAME: the alias of name itself, which is not followed (RFC 7672 2.1.3).
 * E_SYNTAX: not a well-formed answer to this question.
 */
int	packet_parse(struct packet_answer *, const uint8_t *, size_t, const char *name, uint16_t type);

/*
 * The name at off: its wire form in lower case into wire, its length into *len, the first octet
 * after it in the packet into *next.  E_SYNTAX.
 */
int	packet_name(const uint8_t *packet, size_t size, size_t off, uint8_t wire[static NAME_WIRE_MAX],
	    size_t *len, size_t *next);

/* A wire name as text without final dot, "" for the root; E_SYNTAX if a label holds another character
 * than letters, digits, hyphen and underscore, each of which is "?" in dst. */
int	packet_host(const uint8_t *wire, size_t len, char dst[static DOMAIN_MAX + 1]);

#endif
