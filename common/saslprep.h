/*
 * saslprep.h -- names and passwords in the one form in which they are compared (RFC 4013, asked for
 * by RFC 4616 2 and RFC 5802 5.1).  Shell (libidn), deterministic; may be called from any thread.
 *
 * What is ASCII is left as it is.  Only auth and posternctl link it.
 */
#ifndef COMMON_SASLPREP_H
#define COMMON_SASLPREP_H

#include <stddef.h>

#include "common/slice.h"

/*
 * dst[size] gets *len octets and a NUL.  stored: it is what others will be compared with, so
 * characters that Unicode 3.2 has not are refused.  E_SYNTAX: a NUL, not UTF-8, a character that is
 * not allowed, nothing left; E_LIMIT: does not fit; E_NOMEM.  The caller wipes dst, also on
 * failure.
 */
int	saslprep(char *dst, size_t size, size_t *len, struct slice, int stored);

#endif
