/*
 * xtext.h -- parameter values of DSN, encoded (RFC 3461 4, RFC 6533 3).  Core.
 */
#ifndef DELIVER_XTEXT_H
#define DELIVER_XTEXT_H

#include <stddef.h>

/* text as xtext.  E_LIMIT: it does not fit. */
int	xtext(char *dst, size_t size, const char *text);
/*
 * "type;address", both decoded: the type as it is, the address as xtext; of the type utf-8 as utf-8-addr-xtext, which
 * every host can read.  E_LIMIT; E_SYNTAX: no type, or not UTF-8.
 */
int	xtext_orcpt(char *dst, size_t size, const char *orcpt);

#endif
