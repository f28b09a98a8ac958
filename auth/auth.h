/*
 * auth.h -- the auth process: who may log in, and our own logins at next hops (shell).
 *
 * smtpd sends the steps of an exchange (SASL, RFC 4422), and hears what to tell the client.  What
 * is said is understood by exchange.c; whether a password is right is a *backend's* to say: the
 * password table (passwd.c), Dovecot's auth service (dovecot.c), or PAM in a process of its own
 * (pam.c).  One of them serves, by the snapshot in use.
 *
 * A backend answers each check() or step() once, now or later, by auth_checked() or
 * auth_challenge(); after cancel() not at all.  Failure limits, delays and the wiping of what the
 * client sent are the room's.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <stdint.h>

#include "common/room.h"
#include "common/sandbox.h"

enum {				/* counters of PONG; see postern-auth(8) */
	COUNT_OK,
	COUNT_FAILED,
	COUNT_BAD,		/* malformed */
	COUNT_TEMPORARY,	/* could not be checked, queue full */
	COUNT_LIMITED,		/* refused unchecked: too many failures */
	COUNT_OPEN,		/* exchanges, now */
	COUNT_LOGINS,		/* entries of the table, now */
	COUNT_CREDENTIALS,	/* our own logins at next hops begun */
	COUNTS = 8
};

/* Secrets of a reload, a channel for each peer, and the rest. */
#define AUTH_NOFILE	(LOGINS_MAX + PEERS_MAX + 64)

struct exchange {
	struct exchange		*next, *prev;	/* of its peer */
	struct auth_peer	*peer;
	const struct backend	*backend;	/* that serves it to its end */
	uint32_t		 id;		/* the peer's */
	uint8_t			 mechanism;	/* enum sasl_mechanism */
	uint8_t			 tls;
	uint8_t			 state;		/* sasl.h */
	uint8_t			 pending;	/* a backend has it */
	struct net_addr		 client, own;
	uint16_t		 client_port, own_port;
	char			 login[LOGIN_MAX + 1];	/* as soon as it is known */
	struct scram_server	*scram;		/* or NULL */
	/* The backend's own, of this exchange; it frees it before it answers, or at cancel(). */
	void			*backend_arg;
};

struct backend {
	const char	*name;
	/*
	 * Is this the password of login (PLAIN and LOGIN)?  Both are well-formed, not empty,
	 * without NUL, at most LOGIN_MAX and PASSWORD_MAX octets; x->login is login.  The slices
	 * die with the call: what is kept of the password is kept in secure_alloc() memory
	 * (secure.h) and wiped.  Not called past the failure limits.
	 */
	void	(*check)(struct exchange *x, struct slice login, struct slice password);
	/*
	 * A step of SCRAM that the backend speaks by itself, of the first on; NULL: exchange.c
	 * speaks it over the table.  data is what the client said.  Answered by auth_challenge() or
	 * auth_checked().
	 */
	void	(*step)(struct exchange *x, struct slice data);
	/* Nobody waits for the answer any more; x dies after the call. */
	void	(*cancel)(struct exchange *x);
	/* A snapshot with this backend is in use from now on (room->conf); and the one before had
	 * another, or none, or the same. */
	void	(*use)(struct room *);
	/* The snapshot in use has another one: end what is under way by
	 * auth_checked(SASL_TEMPORARY). */
	void	(*leave)(struct room *);
};

/* The end: SASL_OK, SASL_FAILED, SASL_BAD or SASL_TEMPORARY.  login: whom the backend found, NULL
 * for x->login; data: with SASL_OK the mechanism's last word.  x is gone after it. */
void	auth_checked(struct exchange *x, enum sasl_status, const char *login, struct slice data);
void	auth_challenge(struct exchange *x, struct slice data);

extern const struct backend passwd_backend;	/* passwd.c */
extern const struct backend dovecot_backend;	/* dovecot.c */
extern const struct backend pam_backend;	/* pam.c */

/* dovecot.c: a stream that master has connected; takes fd. */
void	dovecot_stream(struct room *, int fd);
/* pam.c: the channel to postern-pam; takes fd.  A new one replaces the old one. */
void	pam_peer(struct room *, const struct ipc_channel *, int fd);
/*
 * credential.c: our own logins.  Password files come by credential_secret() before the snapshot
 * that they belong to; credential_check() reads them all and says E_OK or fills room->refusal;
 * credential_use() puts them in force.
 */
void	credential_secret(struct room *, const struct ipc_secret *, int fd);	/* takes fd */
int	credential_check(struct room *, const struct conf *next, uint64_t generation);
void	credential_use(struct room *);
void	credential_peer(struct room *, const struct ipc_channel *, int fd);	/* of deliver; takes fd */
void	credential_stop(struct room *);		/* wipe all */

extern uint64_t auth_counter[COUNTS];
extern const struct sandbox auth_sandbox;
extern const struct room_ops auth_room_ops;
void	auth_open(struct room *);		/* before the sandbox */

#endif
