/*
 * failures.h -- who has failed how often, and who must wait (core; the time is the caller's,
 * monotonic ms).
 *
 * A failure counts for its address (/32, /64), for its login (in whatever case it is written: to
 * Dovecot and PAM these may be one), and for the pair of them, within a
 * window; when max is reached, no more attempts are taken until the window has passed.  The address
 * where a login has succeeded lately (AUTH_FRIEND_S) is its friend: there only the pair counts, so
 * that neither an attack on the login from elsewhere nor a neighbour's wrong password behind the
 * same address keeps its owner out; a friend's failures count for nobody else.  A success takes
 * back what this login failed at this address, and nothing of others: who has an account cannot
 * guess for other logins between his own successes.  Loopback and Unix sockets have no count for
 * the address: there everybody is the same one.
 *
 * Memory is bounded: of AUTH_FAILURES_MAX counts and AUTH_FRIENDS_MAX friends the one that was
 * touched longest ago goes first.  Friends come by success alone, so that no flood of failures
 * makes them forgotten.
 */
#ifndef AUTH_FAILURES_H
#define AUTH_FAILURES_H

#include <stdint.h>

#include "common/net.h"
#include "common/slice.h"

struct failures;
struct failure_limits {
	uint32_t	max;		/* conf.auth.failures_max */
	uint64_t	window_ms;
};
enum failure_kind { FAILURE_ADDRESS, FAILURE_LOGIN, FAILURE_PAIR };
#define BARRED(kind)	(1u << (kind))

struct failures *failures_new(void);		/* NULL: no memory */
void	failures_free(struct failures *);
/* Which counts are past the limit: 0, it may try; else bits BARRED(kind). */
unsigned failures_barred(struct failures *, const struct failure_limits *, const struct net_addr *,
	    struct slice login, uint64_t now);
/* One more.  Returns the delay in ms before the client hears of it; *reached: which counts are at
 * the limit now that were not. */
uint32_t failures_add(struct failures *, const struct failure_limits *, const struct net_addr *,
	    struct slice login, uint64_t now, unsigned *reached);
void	failures_success(struct failures *, const struct failure_limits *, const struct net_addr *,
	    struct slice login, uint64_t now);

#endif
