/*
 * xtext.h -- text inside the parameters of MAIL and RCPT: xtext (RFC 3461 4), and original recipients
 * with their type (RFC 3461 4.2, RFC 6533 3).
 *
 * Results end with a NUL and hold none.
 */
#ifndef COMMON_XTEXT_H
#define COMMON_XTEXT_H

#include <stddef.h>

#include "common/limits.h"
#include "common/slice.h"

#define XTEXT_ENVID_MAX	(3 * ENVID_MAX)	/* an ENVID as xtext */
#define XTEXT_ORCPT_MAX	(6 * ORCPT_MAX)	/* an ORCPT as a parameter: an ASCII character becomes \x{20} at most */

/* "a+2Bb" into "a+b", any octets but NUL.  E_SYNTAX, E_LIMIT. */
int	xtext_decode(struct slice, char *dst, size_t size);
int	xtext_encode(struct slice, char *dst, size_t size);	/* E_LIMIT; E_SYNTAX: a NUL */

/* Whether all of it is graphic ASCII and white space: what an ENVID and the ORCPT of all types but utf-8 may hold. */
int	xtext_is_printable(const char *);

/*
 * The value of an ORCPT parameter into "type;address" as it was before it was encoded.  The type
 * utf-8 is read in each of its three forms (utf-8-addr-xtext, -unitext, utf-8-address), and as
 * xtext, which senders also use; its address is then UTF-8.  Where an address of the type rfc822 turns out
 * to be UTF-8 it becomes that type (Postfix writes such).  E_SYNTAX, E_LIMIT.
 */
int	orcpt_decode(struct slice, char *dst, size_t size);
/*
 * And back.  eight: the next hop takes UTF-8 (SMTPUTF8 is in use there), else utf-8 addresses are
 * written in ASCII.  E_SYNTAX: no type; E_LIMIT.
 */
int	orcpt_encode(const char *orcpt, int eight, char *dst, size_t size);

#endif
