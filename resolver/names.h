/*
 * names.h -- names of questions, and what several answers mean together.  Core.
 *
 * RFC 1035 3.5 and RFC 3596 2.5 (reverse names), RFC 2308 2 (no name, no record),
 * RFC 6303 and RFC 6761 (names that live in no public zone).
 */
#ifndef RESOLVER_NAMES_H
#define RESOLVER_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "common/ipc_msg.h"
#include "resolver/packet.h"

#define REVERSE_NAME_LEN	(32 * 2 + 8 + 1)	/* "f." 32 times, "ip6.arpa", NUL */

/* "4.3.2.1.in-addr.arpa" or the nibbles under ip6.arpa. */
char	*reverse_name(const struct net_addr *, char dst[static REVERSE_NAME_LEN]);

/*
 * The name to ask for into dst, and its record types into rr[2] (their number returned).
 * E_SYNTAX if the name is no domain, or for DNS_PTR no address; E_RANGE for an unknown type.
 */
int	question_prepare(const struct ipc_dns_query *, char dst[static DOMAIN_MAX + 1], uint16_t rr[static 2]);

/* What one parsed packet says (R12: what is not clearly "no" is a failure). */
enum dns_status	packet_status(const struct packet_answer *);

/*
 * A and AAAA together: one family that is there is enough; "no record" only where both said
 * so; bogus before failed, for it needs an operator more than time.
 */
enum dns_status	status_merge(enum dns_status, enum dns_status);

/* A constant text for rcodes other than 0 and 3. */
const char	*rcode_text(unsigned rcode);

/* ---- zones ---- */

/* Whether name is zone or lies beneath it; "" is the root.  Any case, final dots ignored. */
int	name_beneath(const char *name, const char *zone);

/* Zones for which libunbound has built-in empty answers (its localzone.c) and that somebody may
 * really serve; ends with NULL. */
extern const char *const builtin_zones[];

/* Reserved or customary names that no public zone delegates; ends with NULL. */
extern const char *const special_zones[];

/* A name that is not in the public tree, so that no chain from the root's anchor reaches it. */
int	name_is_special(const char *name);

/* Whether the anchors' text (zone-file lines of DS or DNSKEY) has one at or above zone, other than the root's. */
int	anchor_covers(const char *anchors, const char *zone);

#endif
