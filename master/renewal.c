/*
 * renewal.c -- see renewal.h.  Core: pure.
 */
#include "master/renewal.h"

void
renewal_used(struct renewal *r, uint64_t files)
{
	r->used = r->seen = files;
	r->tried = RENEWAL_UNKNOWN;
}

int
renewal_look(struct renewal *r, uint64_t files, uint64_t now_ms)
{
	int settled = files == r->seen;

	r->seen = files;
	if (files == r->used) {		/* also when somebody put the old ones back */
		r->tried = RENEWAL_UNKNOWN;
		return (0);
	}
	if (!settled || (files == r->tried && now_ms < r->again_ms))
		return (0);
	r->tried = files;
	r->again_ms = now_ms + RENEWAL_AGAIN_MS;
	return (1);
}

uint32_t
renewal_next_ms(const struct renewal *r)
{
	return (r->seen != r->used && r->seen != r->tried ? RENEWAL_SETTLE_MS : RENEWAL_LOOK_MS);
}
