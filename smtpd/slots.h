/*
 * slots.h -- small numbers for pointers: the ids of requests on a channel (pure).
 *
 * An id is an index and a generation, so that a late answer to a finished request finds
 * nothing instead of somebody else's request.  0 is no id.
 */
#ifndef SMTPD_SLOTS_H
#define SMTPD_SLOTS_H

#include <stdint.h>

#define SLOTS_INDEX_BITS	20
#define SLOTS_MAX		(1u << SLOTS_INDEX_BITS)

struct slot {
	void		*p;
	uint32_t	 gen;		/* 1..4095 */
	uint32_t	 next_free;	/* index + 1; 0 ends the list */
};

struct slots {
	struct slot	*v;
	uint32_t	 n;		/* slots that exist */
	uint32_t	 first_free;	/* index + 1 */
	uint32_t	 used;
};

uint32_t slots_take(struct slots *, void *);		/* an id, 0 without memory */
void	*slots_get(const struct slots *, uint32_t id);	/* NULL if it is not in use */
void	 slots_set(struct slots *, uint32_t id, void *);	/* another pointer for an id in use */
void	 slots_free(struct slots *, uint32_t id);
void	 slots_free_at(struct slots *, uint32_t index);	/* the one slots_next() gave, *i - 1 */
/* Walk: *i starts at 0.  NULL at the end.  Slots may be freed meanwhile. */
void	*slots_next(const struct slots *, uint32_t *i);
void	 slots_clear(struct slots *);

#endif
