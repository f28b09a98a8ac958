/*
 * address.h -- address lists as they stand in header fields and on command lines.  Core.
 *
 * RFC 5322 3.4 with the obsolete forms of 4.4 that are still met (routes, blanks and comments around dots and @, empty
 * members), groups, and RFC 6532's UTF-8.  What comes out is a mailbox in the form of RFC 5321 4.1.2; smtpd parses it again
 * and has the last word.
 */
#ifndef SENDMAIL_ADDRESS_H
#define SENDMAIL_ADDRESS_H

#include <stddef.h>

#include "common/limits.h"
#include "common/slice.h"

struct mailbox {
	char	text[ADDRESS_MAX + 1];	/* "local@domain"; "local" if it has no domain */
	int	bare;			/* it has none */
	size_t	end;			/* where in the list its last word ends: a bare one's domain belongs there */
};

/*
 * Calls fn for each mailbox of the list, in order, members of groups too.  Stops where fn does not return E_OK, with its
 * code.  E_SYNTAX, E_LIMIT: why says what is wrong.
 */
int	address_list(struct slice list, int (*fn)(void *, const struct mailbox *), void *arg, const char **why);

/* Put "@origin" behind a bare one; E_LIMIT. */
int	address_qualify(struct mailbox *, const char *origin);
/* Valid UTF-8 without overlong forms and surrogates (RFC 3629). */
int	address_is_utf8(struct slice);
int	address_is_ascii(struct slice);

#endif
