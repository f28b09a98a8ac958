/*
 * base64.h -- RFC 4648 4, as SASL in SMTP uses it (RFC 4954 4).  Core.
 *
 * Strict (RFC 4648 3): whole groups of four, "=" only at the end, no other characters, and the bits that no octet takes are
 * zero, so that every text has one form.
 */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include <stddef.h>

#include "common/slice.h"

#define BASE64_LEN(n)	(((n) + 2) / 3 * 4)	/* octets of text for n octets, without NUL */

/* dst has BASE64_LEN(s.n) + 1 octets; returns the length of the text. */
size_t	 base64_encode(char *dst, struct slice s);
/* E_SYNTAX; E_LIMIT: more than size octets.  *len octets are in dst, which may be where the text stands.  Nothing but dst
 * keeps what was decoded. */
int	 base64_decode(void *dst, size_t size, size_t *len, struct slice text);

#endif
