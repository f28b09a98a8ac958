/*
 * dane.h -- TLSA records and what RFC 7672 makes of them for one host.  Core.
 */
#ifndef COMMON_DANE_H
#define COMMON_DANE_H

#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"

struct tlsa {			/* RFC 6698 2.1; data is borrowed */
	uint8_t		 usage, selector, matching;
	uint16_t	 len;
	const uint8_t	*data;
};

enum dane_status {
	DANE_NONE,		/* insecure, or surely no records: RFC 7672 2.2: as if DANE were not */
	DANE_USABLE,		/* RFC 7672 2.2: TLS, and one of these matches */
	DANE_UNUSABLE,		/* records, none of which is usable: TLS, any certificate */
	DANE_FAILED,		/* bogus, or no answer: this host is not used now (2.1.2) */
};

struct dane_found {		/* of one host */
	enum dane_status status;
	const char	*base;		/* TLSA base domain; "" with DANE_NONE */
	size_t		 ntlsa;		/* DANE_USABLE: the usable ones alone */
	const struct tlsa *tlsa;
	const char	*why;		/* for the operator: "MX of example.net is not signed", "TLSA of _25._tcp.mx.example.net: bogus" */
};

#endif
