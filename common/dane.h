/*
 * dane.h -- TLSA records and what RFC 7672 makes of them for one host.  Core.
 *
 * Which records can be used for SMTP (RFC 7672 3.1, RFC 7671 9), where they are looked for (the
 * TLSA base domain, RFC 7672 2.2.2 and 2.2.3), what names a certificate may have (3.2.2), and what
 * follows from each answer of DNS (2.1.2, 2.2). dane_verify.h holds certificates against the
 * records.
 */
#ifndef COMMON_DANE_H
#define COMMON_DANE_H

#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/limits.h"
#include "common/slice.h"

struct ipc_dns_answer;

enum { TLSA_PKIX_TA, TLSA_PKIX_EE, TLSA_DANE_TA, TLSA_DANE_EE };	/* usages, RFC 7218 2.1 */
enum { TLSA_CERT, TLSA_SPKI };						/* selectors */
enum { TLSA_FULL, TLSA_SHA256, TLSA_SHA512 };				/* matching types */

struct tlsa {			/* RFC 6698 2.1; data is borrowed */
	uint8_t		 usage, selector, matching;
	uint16_t	 len;
	const uint8_t	*data;
};

#define TLSA_TEXT_MAX	(12 + 2 * TLSA_DATA_MAX + 1)	/* "255 255 255 ", the data in hexadecimal, NUL */

/* Why no SMTP client uses this record, a constant text; NULL: it is usable. */
const char	*tlsa_unusable(const struct tlsa *);
/*
 * The same for all of a set, with those set aside for a stronger digest (RFC 7671 9) among them.  n
 * at most TLSA_MAX.
 */
void		 tlsa_judge(const struct tlsa *, size_t n, const char **why);
/* "3 1 1 0123ab...", cut to size; returns dst. */
char		*tlsa_text(const struct tlsa *, char *dst, size_t size);
/* "DANE-EE(3) SPKI(1) SHA2-256(1)"; dst of TLSA_KIND_LEN. */
#define TLSA_KIND_LEN	64
char		*tlsa_kind(const struct tlsa *, char dst[static TLSA_KIND_LEN]);
/*
 * One record as text: "3 1 1 0123ab", blanks within the data, or the line of a zone or of dig
 * ("name 60 IN TLSA 3 1 1 ( 01 23 )"), ";" begins a comment.  Data goes to the arena.  E_SYNTAX
 * with a constant why; E_NOMEM.  An empty line: E_RANGE.
 */
int		 tlsa_parse(struct tlsa *, struct arena *, struct slice, const char **why);

enum dane_status {
	DANE_NONE,		/* insecure, or surely no records: RFC 7672 2.2: as if DANE were not */
	DANE_USABLE,		/* RFC 7672 2.2: TLS, and one of these matches */
	DANE_UNUSABLE,		/* records, none of which is usable: TLS, any certificate */
	DANE_FAILED,		/* bogus, or no answer: this host is not used now (2.1.2) */
};

#define DANE_NAMES_MAX	3	/* base domain, next hop, what the next hop is an alias of */
#define DANE_STEPS_MAX	5

struct dane_found {		/* of one host */
	enum dane_status status;
	const char	*base;		/* TLSA base domain; "" with DANE_NONE */
	size_t		 ntlsa;		/* DANE_USABLE: the usable ones alone */
	const struct tlsa *tlsa;
	const char	*why;		/* for the operator: "2 TLSA records at _25._tcp.mx.example.net" */
	size_t		 nnames;	/* for usage 2; the base domain first (3.2.2) */
	const char	*names[DANE_NAMES_MAX];
	size_t		 nall;		/* all records, as they came ... */
	const struct tlsa *all;
	const char	**unusable;	/* ... and why one does not count; NULL: it does */
	size_t		 nsteps;	/* what was learned, in order, for the operator */
	const char	*steps[DANE_STEPS_MAX];
	uint32_t	 ttl;		/* seconds, the least of all answers */
};

enum dane_step { DANE_ASK_CNAME, DANE_ASK_TLSA, DANE_DONE };

/*
 * The search for one host's records, one question after the other: dane_begin() with the answer
 * about its addresses, then dane_answer() with each answer, until step is DANE_DONE.
 */
struct dane_search {
	enum dane_step	 step;
	char		 question[DOMAIN_MAX + 1];	/* the name to ask for */
	struct dane_found found;
	struct arena	*mem;
	const char	*host;
	const char	*candidate[2];		/* base domains, best first (2.2.3) */
	size_t		 ncandidates, at;
	uint16_t	 port;
	uint8_t		 by_mx, mx_secure;
	const char	*nexthop, *nexthop_end;
};

struct dane_host {
	const char	*host;		/* a domain name; not an alias expanded */
	uint16_t	 port;
	int		 by_mx;		/* it is of the next hop's MX records */
	int		 mx_secure;	/* and these came secure, with their aliases */
	const char	*nexthop;	/* the domain whose mail it is, or the configured host itself */
	const char	*nexthop_end;	/* where its aliases end; "" if it is none */
};

/*
 * All texts, names and records are copied to mem, which outlives *search.  Without memory the end
 * is DANE_FAILED.
 */
void	dane_begin(struct dane_search *, struct arena *mem, const struct dane_host *, const struct ipc_dns_answer *addrs);
void	dane_answer(struct dane_search *, const struct ipc_dns_answer *);

#endif
