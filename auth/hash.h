/*
 * hash.h -- what a password table keeps instead of a password, and the check against it.
 *
 * hash_parse() is a core: it takes only what crypt(3) of this machine can verify in a time that is
 * to be borne, and of the right shape, so that a mistake is seen when the table is read.
 * hash_check() is slow: for a worker.
 *
 *	$y$ $gy$	yescrypt, parameters as crypt_gensalt(5) makes them, up to 64 MB of memory
 *	$2a$ $2b$ $2y$	bcrypt, cost up to 14
 *	$6$ $5$		SHA-crypt, up to 5 000 000 rounds
 *	$1$		MD5-crypt: old and weak, for tables that come from elsewhere
 *	{SCRAM-SHA-256}	scram.h
 *	!		none: no password is right
 */
#ifndef AUTH_HASH_H
#define AUTH_HASH_H

#include <stdint.h>

#include "common/scram.h"
#include "common/slice.h"

#define HASH_TEXT_MAX	200	/* octets of a crypt(3) string that we take */
#define HASH_COST_MAX	31	/* octets of what says how dear it is: "$y$j9T$", "$6$rounds=10000$" */

enum hash_kind { HASH_NONE, HASH_CRYPT, HASH_SCRAM };
struct hash {
	uint8_t			 kind;		/* enum hash_kind */
	uint8_t			 cost_len;	/* HASH_CRYPT: so many octets of text say how dear it is */
	union {
		char			 text[HASH_TEXT_MAX + 1];
		struct scram_entry	 scram;
	};
};

/* why: a constant text, on E_SYNTAX. */
int	hash_parse(struct hash *, struct slice, const char **why);
/* Equal texts: equally dear. */
void	hash_cost(const struct hash *, char dst[static HASH_COST_MAX + 1]);
/*
 * E_OK, E_DENIED, E_IO (no memory for it).  password has a NUL behind it and none within.
 * scratch[WORK_SCRATCH] is left for the caller to wipe.  A password of more than 511 octets, which
 * crypt(3) does not take, is never right.
 */
int	hash_check(const struct hash *, struct slice password, void *scratch);

#endif
