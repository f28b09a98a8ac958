/*
 * expand.h -- the recipients a client named become the recipients that are stored.  Core.
 *
 * Aliases are expanded with the snapshot of the moment (common/rcpt.h); who is reached twice is stored once, with
 * what all who named him asked for.  RFC 3461 5.2.7: a name with one end passes its DSN parameters on to it;
 * one with several is "expanded", if success was asked for, and its ends are asked for none; a list with an
 * owner is the end itself: "delivered", and its members know nothing of the sender's wishes.
 *
 * What cannot be looked up any more (a reload since RCPT) stays as it was named: delivery decides, nothing is lost.
 */
#ifndef QUEUE_EXPAND_H
#define QUEUE_EXPAND_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "queue/record.h"

struct expand;

/* rcpt: the client's, n of them; borrowed until expand_free(), as is conf until the expansion is over.  memory_max:
 * octets it may take.  NULL without memory. */
struct expand	*expand_new(const struct conf *, const struct recipient *rcpt, uint32_t n, size_t memory_max);
void		 expand_free(struct expand *);

/* Looks at so many addresses at most.  E_AGAIN: there are more.  E_OK: it is over.  E_LIMIT: more than EXPANSION_MAX,
 * or not one end at all.  E_NOMEM. */
int		 expand_some(struct expand *, uint32_t addresses);
size_t		 expand_memory(const struct expand *);

/* When it is over: whether the recipients are those that the client named, as they are. */
int		 expand_is_plain(const struct expand *);
uint32_t	 expand_count(const struct expand *);		/* 0: all of it is discarded */
int		 expand_is_discarded(const struct expand *, uint32_t i);	/* of the client's i: /dev/null is among its ends */
/* Recipient i, due at due.  Of any thread, if no other calls anything. */
void		 expand_get(const struct expand *, uint32_t i, int64_t due, struct recipient *);

#endif
