/*
 * header_rewrite.h -- addresses in a header section, looked at and put anew (core: pure).
 *
 * RFC 5322 3.4, 3.6.2, 3.6.3, 3.6.6, 4.4.  In the fields that name people each addr-spec is shown
 * to the caller; where he writes another one, it takes the place of the old octets.  All else stays
 * as it is, to the octet: display names, comments, groups, routes, folding, fields that cannot be
 * read to their end, and addresses without a domain.
 */
#ifndef SMTPD_HEADER_REWRITE_H
#define SMTPD_HEADER_REWRITE_H

#include "common/limits.h"
#include "common/slice.h"

enum header_who {
	WHO_SENDER,		/* From, Sender, Reply-To, and their Resent- forms */
	WHO_RECIPIENT,		/* To, Cc, Bcc, and their Resent- forms */
};

struct header_rewriter {
	/* address: as addr.h writes it; in place.  1 if it was changed. */
	int	(*address)(void *arg, enum header_who, char address[ADDRESS_MAX + 1]);
	int	(*out)(void *arg, struct slice);	/* other than E_OK ends it with that */
	void	*arg;
};

/* in begins with a header section; what stands behind its empty line is passed on. */
int	header_rewrite(const struct header_rewriter *, struct slice in);

#endif
