/*
 * counts.h -- how many connections an address, a prefix or a user has (pure but for the hash key).
 *
 * Open addressing with SipHash, since strangers choose the keys; grows and shrinks with
 * what it holds.
 */
#ifndef SMTPD_COUNTS_H
#define SMTPD_COUNTS_H

#include <stdint.h>

#include "common/net.h"

#define COUNTS_USER	200		/* as len: the address holds a user's number */

struct count_entry {
	struct net_addr	addr;
	uint8_t		len;		/* of the prefix; 128 is one address, COUNTS_USER a user */
	uint32_t	n;		/* 0: the place is free */
};

struct counts {
	struct count_entry *v;
	uint32_t	 size;		/* places, a power of two or 0 */
	uint32_t	 used;
};

/* One more, unless there are max already: E_LIMIT.  E_NOMEM. */
int		 counts_add(struct counts *, const struct net_addr *, uint8_t len, uint32_t max);
void		 counts_sub(struct counts *, const struct net_addr *, uint8_t len);
uint32_t	 counts_get(const struct counts *, const struct net_addr *, uint8_t len);
void		 counts_clear(struct counts *);

#endif
