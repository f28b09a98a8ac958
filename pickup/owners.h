/*
 * owners.h -- whose waiting file is next: one owner after the other, so that a flood delays only who made it.  Core.
 *
 * A pass takes note of at most PICKUP_OWNERS_MAX users and PICKUP_OWNER_FILES names of each.  Of more than that a
 * fair sample is kept (each name has the same chance), and `more` says that another pass is needed.
 */
#ifndef PICKUP_OWNERS_H
#define PICKUP_OWNERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/drop_file.h"
#include "common/limits.h"

struct owner_file {
	char		 name[DROP_NAME_LEN + 1];
	uint8_t		 active;	/* being submitted */
};

struct owner {
	uint32_t	 uid;
	uint32_t	 active;	/* of its files */
	uint32_t	 n, size;
	uint32_t	 seen;		/* names met in this pass, kept or not */
	struct owner_file *file;
};

struct owners {
	size_t		 n, size;
	struct owner	*o;
	size_t		 turn;		/* whose turn it is */
	size_t		 active;	/* in all */
	int		 more;		/* not all names could be kept */
	uint64_t	 random;	/* state; seed it once */
};

void	owners_init(struct owners *, uint64_t seed);
void	owners_clear(struct owners *);
/* A new pass begins: names that are not active are forgotten, and so is `more`. */
void	owners_pass(struct owners *);
/* E_OK, E_EXISTS: known already, E_LIMIT: not kept, E_NOMEM. */
int	owners_add(struct owners *, uint32_t uid, const char *name);
/* The next file, which is active from now on; E_NOTFOUND: none may begin now. */
int	owners_next(struct owners *, uint32_t *uid, char name[static DROP_NAME_LEN + 1]);
/* It is over: submitted, put aside, or left for another pass. */
void	owners_done(struct owners *, uint32_t uid, const char *name);
/* Not over: to be taken again. */
void	owners_again(struct owners *, uint32_t uid, const char *name);
/* Whether nothing waits (active ones do not count). */
int	owners_idle(const struct owners *);

#endif
