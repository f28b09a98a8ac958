/*
 * rcpt.h -- the one resolver of recipients (R1): whom an address means, and whom its aliases lead to.  Core.
 *
 * An address goes through these stages, each with the table of its own in the snapshot:
 *	canonical	recipient-canonical, then canonical, each until nothing changes (what a client says, only)
 *	virtual		user+ext@domain, user@domain, then for a final domain user+ext and user, then @domain
 *	alias		of a final domain: user+ext, then user (aliases(5))
 *	mailbox		recipients of the domain: user+ext, then user; postmaster (RFC 5321 4.5.1); the catch-all
 * What virtual, alias or catch-all name begins at virtual again, but for an address that names itself: that goes on
 * with the stage behind, so that in aliases it means the mailbox.  canonical and virtual carry an extension that
 * they did not match to a target without one, as Postfix does (propagate_unmatched_extensions).
 *
 * Expansion is the set of reachable ends: what was reached before adds nothing, so loops end.  The nearest
 * list on the way that has an owner (owner-NAME in the same aliases) gives its members another envelope sender.
 *
 * smtpd asks for the verdict, queue for the ends, posternctl lookup for the trace: one code.
 * Owners: what an expansion gives lies in its arena or in the snapshot, and lives no longer than both.
 */
#ifndef COMMON_RCPT_H
#define COMMON_RCPT_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/arena.h"
#include "common/conf.h"
#include "common/limits.h"

enum rcpt_kind {
	TO_MAILBOX,		/* of a final domain */
	TO_RELAY,		/* at a relay domain */
	TO_REMOTE,		/* anywhere else */
	TO_DISCARD,		/* an alias says /dev/null */
	TO_UNKNOWN,		/* 550 5.1.1 */
	TO_LOOP,		/* 554 5.4.6: aliases lead nowhere, or further than ALIAS_DEPTH_MAX */
	TO_DENIED,		/* 550 5.7.1: not our business, and this client may not relay */
	TO_ROUTED,		/* 550 5.7.1: a route in the local part, which the next hop might follow */
	TO_BROKEN,		/* 451 4.3.0: a table is damaged */
	TO_KINDS
};
const char	*rcpt_kind_name(unsigned);	/* "mailbox" */
/* What RCPT answers: the text, which follows "<address>: " where it is a refusal. */
const char	*rcpt_reply(enum rcpt_kind, unsigned *code, const char **enhanced);

/* Each step in words; where: "/etc/postern/virtual:12" or what part of the configuration speaks. */
typedef void	 rcpt_trace(void *arg, const char *where, const char *what);

struct rcpt_ask {
	const struct conf	*conf;
	const struct addr	*addr;		/* a forward-path as parsed */
	int			 own;		/* its address literal is one of this host */
	int			 may_relay;
	rcpt_trace		*trace;		/* NULL: nobody listens */
	void			*arg;
};

struct rcpt_verdict {
	enum rcpt_kind	 kind;		/* of the first end that takes mail, else why there is none */
	int		 aliased;	/* the address is expanded: queue will find the ends */
	int		 sole;		/* and end is the only one, which no list of an owner's named: its word is the answer */
	const struct conf_domain *domain;	/* of the end; NULL: remote */
	char		 address[ADDRESS_MAX + 1];	/* to hand on: rewritten by canonical, not expanded */
	char		 end[ADDRESS_MAX + 1];		/* the first end; "" if there is none */
	char		 mailbox[LOCAL_PART_MAX + 1];	/* TO_MAILBOX: the mailbox's own name, for %u */
};

/* scratch: used for aliases only, is reset.  Looks at no more than RCPT_LOOK_MAX targets: a list longer than this of
 * which none was found good so far is taken, and queue sees the rest. */
#define RCPT_LOOK_MAX	1000
void	rcpt_verdict(const struct rcpt_ask *, struct arena *scratch, struct rcpt_verdict *);

/* An address literal of this host (own): the same address with the domain that is meant.  E_NOTFOUND: no such mailbox. */
int	rcpt_own_address(const struct rcpt_ask *, char dst[ADDRESS_MAX + 1]);

/* A reverse-path by sender-canonical, then canonical, in place; "" stays.  1 if it was changed. */
int	rcpt_rewrite_sender(const struct conf *, char address[ADDRESS_MAX + 1], rcpt_trace *, void *arg);
/* A recipient's address in a header section, by recipient-canonical, then canonical. */
int	rcpt_rewrite_recipient(const struct conf *, char address[ADDRESS_MAX + 1], rcpt_trace *, void *arg);

/* The mailbox that an address of a final domain is delivered to: the listed name, else the local part without its
 * extension; in lower case, without quotes.  E_SYNTAX. */
int	rcpt_mailbox(const struct conf *, const char *address, char dst[LOCAL_PART_MAX + 1]);

/* The entry for an address in a table with the keys of virtual: E_OK, E_NOTFOUND, E_CORRUPT. */
int	rcpt_find(const struct conf *, const struct table *, const char *address, struct table_value *);

/* The octets of an unquoted local part before its extension; all n of them if it has none. */
size_t	rcpt_base(const struct conf *, const char *local, size_t n);

/* ---- expansion ---- */

/* E_OK: the address is its own end, of that kind (UNKNOWN too).  E_AGAIN: aliases lead on.  E_CORRUPT. */
int	rcpt_look(const struct conf *, const char *address, enum rcpt_kind *);

struct rcpt_end {
	struct rcpt_end	*next;
	enum rcpt_kind	 kind;		/* MAILBOX, RELAY, REMOTE, DISCARD; UNKNOWN and LOOP: a member that cannot be reached */
	int		 owned;		/* a list with an owner led here: sender counts */
	const char	*address;	/* "" if DISCARD */
	const char	*sender;	/* owned: the new envelope sender */
	const char	*alias;		/* the alias that named it; "" if it is the address itself */
};

struct rcpt_node;

struct rcpt_expansion {
	const struct conf	*conf;
	struct arena		*mem;
	struct rcpt_end		*ends, **tail;		/* in the order in which they are reached, nearest first */
	uint32_t		 nends;			/* without DISCARD */
	uint32_t		 ends_max;		/* E_LIMIT past it */
	uint32_t		 looked;		/* members looked at so far */
	const struct rcpt_end	*good;			/* the first that takes mail; NULL so far */
	/* the resolver's */
	struct rcpt_node	*head, **node_tail;	/* lists whose members are still to be looked at */
	const void		**seen;			/* open hash table of addresses that were reached */
	uint32_t		 nseen, seen_size;
	rcpt_trace		*trace;			/* the caller's, set before the beginning; NULL */
	void			*arg;
};

/* address: as the verdict gave it.  The arena is the caller's to reset, and its cap bounds the memory. */
int	rcpt_expand_begin(struct rcpt_expansion *, const struct conf *, struct arena *, const char *address,
	    uint32_t ends_max);
/* Looks at so many members at most.  E_AGAIN: there are more.  E_OK: ends is the whole set.  E_LIMIT: more than
 * ends_max.  E_NOMEM, E_CORRUPT. */
int	rcpt_expand_some(struct rcpt_expansion *, uint32_t members);

#endif
