/*
 * verify.h -- would the next hop take this recipient?  Answers remembered, questions asked once.  Core.
 *
 * smtpd asks for recipients of relay domains (call-ahead), so that a backup MX refuses at RCPT what the primary would,
 * instead of bouncing it later to a sender who may be forged.  An answer comes from memory, or from a
 * probe that a deliver process makes; all who ask meanwhile for the same address wait for the one.
 * A yes and a no are remembered for their times (VERIFY_CACHE_MAX of them, the longest unused goes first) unless
 * the address is routed elsewhere by now; what could not be found out is not remembered.
 *
 * Times are monotonic milliseconds.  Everybody is answered within VERIFY_WAIT_MS.
 */
#ifndef QUEUE_VERIFY_H
#define QUEUE_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "common/ipc_msg.h"

struct verify;

#define VERIFY_DEST_NAME	1400

struct verify_ops {
	/* Where the address goes now: p's hop, host and port, and the destination's name.  E_NOTFOUND: not to a host. */
	int	(*route)(void *, const char *address, struct ipc_probe *p, char dest[static VERIFY_DEST_NAME]);
	/* Asks; *via is whom (a serial, for verify_gone()).  E_AGAIN: there is nobody to ask now. */
	int	(*probe)(void *, const struct ipc_probe *p, uint64_t *via);
	void	(*answer)(void *, uint64_t peer, const struct ipc_verify_result *);
};

struct verify_times { uint64_t positive_ms, negative_ms; };

struct verify	*verify_new(const struct verify_ops *, void *arg, uint64_t first_id);
void	verify_free(struct verify *);			/* nobody is answered any more */
void	verify_configure(struct verify *, const struct verify_times *);
/* peer: the questioner's serial.  Answered at once or later, once. */
void	verify_ask(struct verify *, uint64_t peer, const struct ipc_verify *, uint64_t now_ms);
void	verify_result(struct verify *, uint64_t via, const struct ipc_probe_result *, uint64_t now_ms);
void	verify_gone(struct verify *, uint64_t via, uint64_t now_ms);	/* a deliver process has gone */
void	verify_left(struct verify *, uint64_t peer);	/* a questioner has gone */
void	verify_tick(struct verify *, uint64_t now_ms);	/* each second */
size_t	verify_known(const struct verify *);		/* answers remembered */
size_t	verify_asking(const struct verify *);		/* probes under way */

#endif
