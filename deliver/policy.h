/*
 * policy.h -- what TLS is asked of one host, by which rule, and what is to be done without it.
 * Core.
 *
 * policy_new() is the one place where this is decided: the configuration's tls-policy of the next
 * hop (conf_tls_policy_find), what DANE found for the host (RFC 7672), a login's need of a verified
 * peer.  An MTA-STS policy (RFC 8461) would enter there too: it concerns HOP_MX alone, yields to a
 * tls-policy section and to DANE (RFC 8461 2), and asks for WANT_VERIFY with the host's own name
 * where its mode is "enforce".
 *
 * A policy is made for one host at the time it is dialled, owns all it points to, and outlives
 * snapshots.
 */
#ifndef DELIVER_POLICY_H
#define DELIVER_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/conf.h"
#include "common/dane.h"
#include "common/limits.h"
#include "common/net.h"
#include "common/reply.h"

#define POLICY_MEMORY	(256u << 10)

struct policy_ask {
	const struct conf *conf;
	enum hop_kind	 kind;		/* HOP_MX, HOP_SMTP */
	const char	*nexthop;	/* the domain, or the host of smtp: */
	const char	*host;		/* the host's name, or its address as text */
	uint16_t	 port;
	int		 implicit;
	const char	*login;		/* title; "" none */
	int		 secure;	/* the host's name came by DNSSEC (HOP_MX), or from the operator (HOP_SMTP) */
	const struct dane_found *dane;	/* NULL: not looked for */
};

struct tls_policy {
	unsigned	 refs;
	struct arena	 mem;
	/* What counts: WANT_NONE, WANT_MAY, WANT_ENCRYPT, WANT_VERIFY, WANT_FINGERPRINT, or WANT_DANE, which means here that
	 * one of tlsa[] has to match; "dane" without records has become WANT_MAY or WANT_ENCRYPT.  Never WANT_DANE_ONLY. */
	enum tls_want	 want;
	uint8_t		 clear;		/* mail may go in clear where there is no TLS */
	uint8_t		 implicit;
	uint8_t		 resume;
	uint8_t		 may_login;	/* once TLS stands as it is wanted, or on loopback: our password may go there */
	uint8_t		 barred;	/* the host is not to be used now: code and why, for STAGE_TLS */
	struct enhanced	 code;
	const char	*why;
	size_t		 nnames;	/* WANT_VERIFY, and usage 2 of WANT_DANE: the certificate has one of them; ".below.it" */
	const char	**names;
	size_t		 nfingerprints;
	uint8_t		(*fingerprints)[SPKI_HASH_LEN];
	size_t		 ntlsa;
	struct tlsa	*tlsa;
	const char	*base;		/* WANT_DANE: TLSA base domain; else "" */
	const char	*sni;		/* "" none (an address) */
	const char	*rule;		/* "tls-policy \"example.net\"", "by default", "login \"office\"" */
	const char	*text;		/* for the operator: "dane, by the default: 2 TLSA records at _25._tcp.mx.example.net" */
	uint8_t		 dane_only;	/* WANT_DANE: if OpenSSL can use none of tlsa[] after all, there is no TLS either */
	uint8_t		 mx_unsigned;	/* WANT_DANE: the host is proved, but not that it is the next hop's (RFC 7672 2.2.1) */
};

/*
 * Whether TLSA records are worth asking for: dane or dane-only is wanted for the next hop, and
 * resolver can tell what is signed.
 */
int	policy_asks_dane(const struct conf *, const char *nexthop);

struct tls_policy *policy_new(const struct policy_ask *);	/* one reference; NULL without memory */
struct tls_policy *policy_ref(struct tls_policy *);
void	policy_unref(struct tls_policy *);			/* NULL: nothing */
/*
 * All that verification hangs on, as octets in one form: a session made under other ones is not
 * resumed.
 */
void	policy_octets(const struct tls_policy *, void (*add)(void *arg, const void *, size_t), void *arg);

#endif
