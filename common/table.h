/*
 * table.h -- the compiled tables: one immutable image of look-up tables that stands behind the snapshot in the
 * same sealed memory file (R2, R7).  Core.
 *
 * postern-conf compiles the text of all tables once (conf/map_*.c by table_make.h); daemons map the image and look up.
 * Nothing is copied and nothing allocated: what a look-up gives are views into the image, which lives as long
 * as its struct conf.  The image is position-independent; every offset in it is checked at each look-up, so that a
 * damaged one answers E_CORRUPT and never leads outside.  Numbers are of the machine's own byte order: the image
 * never leaves it.
 *
 * A table is a run of parts, asked in their order; a part maps keys by a hash, or addresses by sorted disjoint
 * intervals.  Keys are folded by table_fold().  What the keys are:
 *	an address	as addr.h writes it, folded: "user@example.org", "\"john doe\"@example.org"
 *	a local part	without its quotes, folded: "user", "john doe"; asked by table_get_local()
 *	all of a domain	"@example.org" (virtual, canonical, sender-login)
 *	access keys	"user@example.org", "user@", "example.org", ".example.org", "192.0.2", "2001:db8", "<>"
 */
#ifndef COMMON_TABLE_H
#define COMMON_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/net.h"
#include "common/reply.h"	/* struct enhanced */
#include "common/slice.h"

enum table_type {		/* of a value */
	TABLE_PRESENT,		/* the key is there, and that is all: recipients */
	TABLE_TARGETS,		/* a list of targets: aliases, virtual; one target: canonical */
	TABLE_ACTION,		/* access rules */
	TABLE_LOGINS,		/* sender-login: a list of names */
	TABLE_TYPES
};

struct table {			/* of struct conf and struct conf_domain */
	struct slice	 image;
	uint32_t	 id;	/* from 1; 0 is a table without entries */
};


struct table_value {
	enum table_type	 type;
	struct slice	 key;	/* as stored; of a network its text */
	struct slice	 data;	/* packed: by the readers below */
	uint32_t	 file;	/* where it came from: table_where() */
	uint32_t	 line;
};

/* E_OK if this is an image with a whole directory, else E_CORRUPT. */
int	 table_image_check(struct slice image);
uint32_t table_image_count(struct slice image);		/* ids 1..count are valid */
int	 table_type_is(const struct table *, enum table_type);	/* a table without entries is of any type */

/* The one fold of keys: ASCII to lower case, with NUL behind.  E_LIMIT if longer than TABLE_KEY_MAX. */
int	 table_fold(char dst[static TABLE_KEY_MAX + 1], struct slice);

static inline int
table_is_empty(const struct table *t)
{
	return (t->id == 0);
}

/* E_OK, E_NOTFOUND, E_CORRUPT.  The key is folded here; any longer one than TABLE_KEY_MAX is not found. */
int	 table_get(const struct table *, struct slice key, struct table_value *);
/* A local part without its quotes.  One that holds an @ is never found: it would look like an address. */
int	 table_get_local(const struct table *, struct slice local, struct table_value *);
/* The interval that holds the address. */
int	 table_get_net(const struct table *, const struct net_addr *, struct table_value *);
/* "/etc/postern/virtual:12", cut to size; "" for a damaged image.  Returns dst. */
char	*table_where(const struct table *, const struct table_value *, char *dst, size_t size);
/* All entries of hash parts, in no order; *pos starts at 0.  E_OK, E_NOTFOUND at the end, E_CORRUPT. */
int	 table_walk(const struct table *, uint64_t *pos, struct table_value *);

/* ---- targets ---- */

enum target_kind {
	TARGET_ADDRESS,		/* text: a whole address, as addr.h writes it */
	TARGET_DOMAIN,		/* text: a domain, which takes the place of the key's: "@new.example" */
	TARGET_INCLUDE,		/* a list of :include:, text: its path; targets of it by table_include() */
	TARGET_DISCARD,		/* /dev/null: an explicit end */
	TARGET_KINDS
};

struct target {
	enum target_kind kind;
	struct slice	 text;
	uint32_t	 include;	/* number of the list within this table */
};

struct table_iter { struct slice left; };

void	 table_targets(struct table_iter *, const struct table_value *);
int	 table_target_next(struct table_iter *, struct target *);	/* E_OK, E_NOTFOUND at the end, E_CORRUPT */
/* The list of an include as a value of type TABLE_TARGETS (it may be empty). */
int	 table_include(const struct table *, uint32_t include, struct table_value *);

/* ---- logins ---- */

/* "alice", or "uid:1000" for a local user; case counts. */
void	 table_logins(struct table_iter *, const struct table_value *);
int	 table_login_next(struct table_iter *, struct slice *);
int	 table_login_has(const struct table_value *, struct slice login);	/* E_OK, E_NOTFOUND, E_CORRUPT */

/* ---- access rules ---- */

enum action_kind {
	ACTION_OK,		/* take it, and ask no further rule of this kind */
	ACTION_DUNNO,		/* as if nothing had been found: table_access_next() goes on by itself */
	ACTION_REJECT,		/* code, enhanced, text: 4yz or 5yz */
	ACTION_HOLD,		/* the message waits for the operator; text is logged; the next rule is asked */
	ACTION_WARN,		/* text is logged; the next rule is asked */
	ACTION_INFO,
	ACTION_KINDS
};

struct action {
	enum action_kind kind;
	uint16_t	 code;		/* of ACTION_REJECT, 400..599 */
	struct enhanced	 enhanced;	/* its class is the code's first digit */
	struct slice	 text;		/* printable ASCII; may be empty */
};

int	 table_action(const struct table_value *, struct action *);	/* E_OK, E_CORRUPT */

/*
 * The rules for one client, HELO name or address, each part of the table in its order, within a part the most
 * special key first, as access(5) of Postfix says:
 *	a client	its verified name, the name's parents (".example.org", then "example.org"), its address, shorter
 *			and shorter at dots or colons; by a cidr part the address
 *	a name		the name and its parents
 *	an address	"user+ext@domain", "user@domain", the domain and its parents, "user+ext@", "user@"
 * At most one rule of each part is found.  The caller goes on after ACTION_HOLD, ACTION_WARN and ACTION_INFO.
 */
struct table_access {
	const struct table	*t;
	uint32_t		 part;		/* the next one */
	const char		*name;		/* "" if there is none */
	const struct net_addr	*addr;		/* NULL if there is none */
	const char		*mail;		/* an address as addr.h writes it, "" is <>; NULL if it is none */
	const char		*delimiter;	/* recipient-delimiter */
};

void	 table_access_client(struct table_access *, const struct table *, const char *name, const struct net_addr *);
void	 table_access_name(struct table_access *, const struct table *, const char *name);
void	 table_access_mail(struct table_access *, const struct table *, const char *address, const char *delimiter);
int	 table_access_next(struct table_access *, struct table_value *, struct action *);	/* E_OK, E_NOTFOUND, E_CORRUPT */

#endif
