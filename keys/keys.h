/*
 * keys.h -- the keys process: who may ask for which signature, in which order they are made.
 *
 * Shell.  A peer's requests wait in its own ring; each turn of the loop makes one signature, of the
 * next peer in turn, so that one that asks for thousands delays the others by one each.  Past
 * SIGN_RATE_MAX a second a peer waits, past SIGN_WAITING_MAX it hears SIGN_BUSY at once.
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include <stdint.h>

#include "common/room.h"
#include "common/sandbox.h"

enum {				/* counters of PONG; see postern-keys(8) */
	COUNT_SIGNED,
	COUNT_REFUSED,
	COUNT_BUSY,
	COUNT_FAILED,
	COUNT_KEYS,		/* now */
	COUNTS = 8
};

#define KEYS_NOFILE	(CERTS_MAX + PEERS_MAX + 64)	/* key files of a reload, a channel for each smtpd, and the rest */

extern const struct sandbox keys_sandbox;
extern const struct room_ops keys_room_ops;
void	keys_open(struct room *);	/* before the sandbox */

#endif
