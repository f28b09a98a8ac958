/*
 * table.h -- the password table (core; its memory by secure.h).
 *
 * A line is "login:hash" (hash.h); empty lines and lines that begin with "#" are nothing.  A login
 * is compared octet by octet, and has neither ":" nor control characters in it, nor a blank at its
 * ends.  Immutable once read.
 */
#ifndef AUTH_TABLE_H
#define AUTH_TABLE_H

#include <stddef.h>

#include "auth/hash.h"
#include "common/slice.h"

struct table;
struct table_error {
	size_t		 line;	/* from 1; 0: of the whole */
	const char	*why;
};

/* Takes text (n + 1 octets of secure_alloc()), also on failure: E_SYNTAX, E_LIMIT, E_NOMEM. */
int	table_parse(struct table **, char *text, size_t n, struct table_error *);
void	table_free(struct table *);		/* wiped; NULL is nothing */
size_t	table_count(const struct table *);
/* Whether it has a password; *h is in any case something as dear to check: for a login that is not
 * there, and for one without a password, an entry of the commonest cost. */
int	table_find(const struct table *, struct slice login, struct hash *h);
int	table_has(const struct table *, struct slice login);
/* Of SCRAM entries the commonest number of iterations; SCRAM_ITERATIONS where there is none. */
uint32_t table_iterations(const struct table *);

#endif
