/*
 * credential.h -- our own login at a next hop: SASL as a client, without I/O (RFC 4422, 4954, 4616,
 * 5802, 7677).  Core.
 *
 * The best of what is offered and may be used: SCRAM-SHA-256-PLUS where there is a channel binding,
 * SCRAM-SHA-256, PLAIN, LOGIN.  With SCRAM the server must have proved that it knows the password
 * before its 235 is worth anything; with PLAIN and LOGIN its certificate is all there is, which
 * deliver has verified before it asks here.
 *
 * What is returned is the status of CREDENTIAL_ANSWER; with SASL_CONTINUE out[0..len) is our
 * response, unless hash is set: then the caller makes SaltedPassword of scram.salt and
 * scram.iterations, which takes time, and goes on with credential_hashed().
 */
#ifndef AUTH_CREDENTIAL_H
#define AUTH_CREDENTIAL_H

#include <stddef.h>
#include <stdint.h>

#include "auth/scram_client.h"
#include "common/ipc_msg.h"

#define CREDENTIAL_OUT_MAX	SCRAM_FINAL_MAX		/* PLAIN has at most LOGIN_MAX + PASSWORD_MAX + 2 */

enum credential_state {
	CRED_NEW, CRED_USER, CRED_PASSWORD,	/* LOGIN: what it asks for next */
	CRED_FIRST, CRED_HASH, CRED_FINAL,	/* SCRAM: server-first-message, SaltedPassword, server-final-message */
	CRED_PROVED,				/* nothing is to be said any more: 235 or a refusal */
	CRED_OVER,
};

struct credential {
	enum credential_state state;
	enum sasl_mechanism mechanism;
	struct slice	 user, password;	/* borrowed: the owner keeps them until credential_end() */
	const char	*why;			/* of FAILED and BAD: a constant text for the log */
	int		 has_data;		/* at the first step: there is an initial response */
	int		 hash;
	size_t		 len;
	struct scram_client scram;
	char		 out[CREDENTIAL_OUT_MAX + 1];
};

enum sasl_status credential_begin(struct credential *, struct slice user, struct slice password, unsigned mechanisms,
	    const struct slice binding[static BINDINGS], const uint8_t nonce[static SCRAM_NONCE_OCTETS]);
enum sasl_status credential_step(struct credential *, struct slice challenge);
enum sasl_status credential_hashed(struct credential *, int err, const uint8_t salted[static SCRAM_KEY_LEN]);
/* The server said 235, with data behind it if it has some.  SASL_OK, SASL_FAILED. */
enum sasl_status credential_done(struct credential *, struct slice data);
void	credential_sent(struct credential *);	/* out was passed on: wiped */
void	credential_end(struct credential *);	/* wiped */

/*
 * A login's password file: its first line, without its end.  E_OK; E_SYNTAX: it is empty or holds a
 * NUL, E_LIMIT; why for the operator.
 */
int	credential_password(struct slice file, struct slice *password, const char **why);

#endif
