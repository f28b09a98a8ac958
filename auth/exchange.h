/*
 * exchange.h -- what smtpd says of one login, step by step, and what it hears (core; backends, time
 * and chance are the caller's).
 *
 * An exchange is open from its first message to an answer other than SASL_CONTINUE, or to
 * SASL_END.  Between a step and its answer the peer says nothing of it but SASL_END.  What the
 * client said of passwords is on the stack alone, and wiped.
 */
#ifndef AUTH_EXCHANGE_H
#define AUTH_EXCHANGE_H

#include <stdint.h>

#include "auth/auth.h"
#include "auth/failures.h"
#include "auth/table.h"

#define EXCHANGE_BUCKETS	256

struct sasl_env {			/* what all exchanges share */
	const struct backend	*backend;	/* NULL: nobody can log in */
	const struct table	*table;		/* with passwd_backend; else NULL */
	unsigned		 mechanisms;	/* 1 << enum sasl_mechanism: on offer */
	struct failures		*failures;
	struct failure_limits	 limits;
	/* Of this process: salts of those who are not there. */
	uint8_t			 secret[SCRAM_KEY_LEN];
	uint64_t		(*now)(void);		/* monotonic, ms */
	int			(*random)(uint8_t *, size_t);	/* E_OK, E_IO */
	uint64_t		*counter;		/* COUNTS */
};

struct auth_peer {			/* one smtpd */
	struct sasl_env		*env;
	struct exchange		*bucket[EXCHANGE_BUCKETS];	/* by id */
	size_t			 nopen;
	void			(*answer)(struct auth_peer *, const struct ipc_sasl_answer *);
};

/* E_PROTO: no peer of ours says this now. */
int	exchange_message(struct auth_peer *, const struct ipc_sasl *);
void	exchange_end(struct auth_peer *, uint32_t id);		/* unknown: it was over already */
void	exchange_end_all(struct auth_peer *);			/* the peer has gone */
/* Past the failure limits: 1, and x was answered and is gone. */
int	exchange_barred(struct exchange *);
/* A wrong password whose client has gone meanwhile: it counts all the same. */
void	exchange_unheard(struct sasl_env *, const struct net_addr *client, const char *login);

#endif
