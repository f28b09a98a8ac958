/*
 * addr.h -- the one parser of mail addresses, paths and domains (R1: parse once).
 *
 * RFC 5321 4.1.2 and 4.1.3.  A parsed address is kept in its canonical text:
 * quoted pairs are resolved, a quoted local part is written quoted only if it must
 * be, the domain is in lower case without a final dot.  Local parts keep their case.
 *
 * Where UTF-8 is taken (RFC 6531 3.3) a local part may hold it; U-labels become A-labels here, so that
 * nobody behind this door sees others.  That needs a room that has called idn_init() (idn.h), else U-labels are E_SYNTAX.
 */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/net.h"
#include "common/slice.h"

struct addr {
	char		text[ADDRESS_MAX + 1];	/* canonical "local@domain", "local" for bare postmaster, "" for <> */
	uint16_t	local_len;		/* octets of text before the @, as written (with quotes) */
	uint16_t	domain_off;		/* where the domain starts; 0 if there is none */
	uint8_t		literal;		/* the domain is an address literal, in brackets */
	uint8_t		utf8;			/* as written it was not ASCII: to say it needs SMTPUTF8 */
	struct net_addr	ip;			/* its address, if literal */
};

enum {
	ADDR_NULL_OK = 1,	/* accept <>: a reverse-path */
	ADDR_POSTMASTER_OK = 2,	/* accept <postmaster> without a domain: a forward-path, 4.5.1 */
	ADDR_UTF8 = 4,		/* accept UTF-8, RFC 6531 3.3 */
};

/*
 * A path in angle brackets at the start of in: "<@a,@b:user@dom>" (the source route is
 * checked and dropped, 4.1.1.3 and appendix C).  *used is the number of octets of the path.
 * E_SYNTAX, or E_LIMIT where a part is too long.  why, if not NULL, gets a constant text
 * for the reply such as "local part longer than 64 octets".
 */
int	addr_parse_path(struct addr *, struct slice in, size_t *used, unsigned flags, const char **why);

/* "user@domain" without brackets: configuration and command line.  Takes UTF-8. */
int	addr_parse(struct addr *, struct slice, const char **why);

static inline const char *
addr_domain(const struct addr *a)
{
	return (a->domain_off != 0 ? a->text + a->domain_off : "");
}

/* The local part with its quoting removed, in dst[LOCAL_PART_MAX + 1]; its length. */
size_t	addr_local_unquoted(const struct addr *, char *dst);

/*
 * A domain by RFC 5321 4.1.2 and RFC 1035 2.3.4: labels of letters, digits, hyphen (and
 * underscore, which hosts in the wild use), 63 octets a label, 255 in all.  Lower case,
 * without a final dot, into dst.  E_SYNTAX, E_LIMIT.
 */
int	domain_parse(char dst[static DOMAIN_MAX + 1], struct slice, const char **why);

/* The same, but U-labels become A-labels: configuration, and what a client says after SMTPUTF8. */
int	domain_parse_utf8(char dst[static DOMAIN_MAX + 1], struct slice, const char **why);

/* What makes A-labels of U-labels; idn_init() sets it.  E_SYNTAX, E_LIMIT, E_NOMEM. */
typedef int domain_to_ascii(char dst[static DOMAIN_MAX + 1], const char *utf8);
void	addr_use_idn(domain_to_ascii *);

/* "[192.0.2.1]", "[IPv6:2001:db8::1]".  General address literals are E_SYNTAX. */
int	addr_literal_parse(struct net_addr *, struct slice);

#endif
