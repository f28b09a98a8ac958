/*
 * ticket_ring.h -- the keys of session tickets over time: one seals, that one and those before it open.
 *
 * A key seals for TICKET_ROTATE_MS and opens for TICKET_KEYS_MAX times as long, counted from when it was drawn: after that nothing
 * of a recorded TLS 1.2 session can be had from any process (RFC 5077 5.5, RFC 8446 C.4 and 2.2).
 *
 * Core: pure, but for the keys themselves, which the caller draws.  Times are milliseconds of one clock that goes on while the
 * machine sleeps: a key must not live longer by that.
 */
#ifndef MASTER_TICKET_RING_H
#define MASTER_TICKET_RING_H

#include <stdint.h>

#include "common/ipc_msg.h"

#define TICKET_ROTATE_MS	(12u * 3600u * 1000u)

struct ticket_ring {
	struct ipc_ticket_keys	keys;		/* n = 0: none was drawn yet */
	uint64_t		drawn_ms[TICKET_KEYS_MAX];	/* of each */
};

/* When the next key is due; 0: at once. */
uint64_t ticket_ring_due(const struct ticket_ring *);
/* A new key if one is due; 1 if so.  Keys past their time are wiped. */
int	ticket_ring_turn(struct ticket_ring *, uint64_t now_ms, void (*draw)(struct ticket_key *));
/* A new key in any case. */
void	ticket_ring_renew(struct ticket_ring *, uint64_t now_ms, void (*draw)(struct ticket_key *));
void	ticket_ring_clear(struct ticket_ring *);

#endif
