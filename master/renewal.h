/*
 * renewal.h -- when files of certificates, keys and passwords have changed, and a reload of our own is due.
 *
 * Core: pure.  The shell (renewals.c) looks at the files now and then and brings one number that stands for all of them.
 * Renewal tools write certificate and key one after the other: a change is taken up when it has settled, and
 * once more with each further change; a pair that does not fit is refused by the reload, the old one stays in force.
 */
#ifndef MASTER_RENEWAL_H
#define MASTER_RENEWAL_H

#include <stdint.h>

#define RENEWAL_LOOK_MS		10000u		/* the files are looked at so often */
#define RENEWAL_SETTLE_MS	2000u		/* and so soon again after a change */
#define RENEWAL_AGAIN_MS	300000u		/* what was refused and did not change since is tried again */
#define RENEWAL_UNKNOWN		0u		/* stands for no state of the files */

struct renewal {
	uint64_t	used;		/* the files as the snapshot in force has them */
	uint64_t	seen;		/* at the last look */
	uint64_t	tried;		/* when the last reload of ours began; RENEWAL_UNKNOWN: none since used */
	uint64_t	again_ms;	/* when that may be tried again */
};

void		renewal_used(struct renewal *, uint64_t files);
int		renewal_look(struct renewal *, uint64_t files, uint64_t now_ms);	/* 1: reload now */
uint32_t	renewal_next_ms(const struct renewal *);		/* from now to the next look */

#endif
