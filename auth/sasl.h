/*
 * sasl.h -- what PLAIN (RFC 4616), LOGIN and EXTERNAL (RFC 4422 A) say (core).
 *
 * A login is UTF-8 without control characters, prepared by SASLprep (RFC 4013) where that can be, 1
 * to LOGIN_MAX octets.
 */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include "common/limits.h"
#include "common/slice.h"

enum sasl_state {		/* of an exchange: what comes next from the client */
	SASL_WANT_FIRST,	/* the client's first word */
	SASL_WANT_PASSWORD,	/* LOGIN: the user name is known */
	SASL_WANT_FINAL,	/* SCRAM: the proof */
	SASL_BACKEND		/* the backend's to know */
};

/* The login as it is compared, E_SYNTAX for what can be none. */
int	sasl_login(char dst[static LOGIN_MAX + 1], struct slice);
/*
 * The password as it is compared: dst[PASSWORD_MAX + 1] and *len, for the caller to wipe.  What
 * SASLprep refuses is compared as it is: tables made elsewhere may have it.  E_SYNTAX: empty, or
 * with a NUL; E_LIMIT.
 */
int	sasl_password(char dst[static PASSWORD_MAX + 1], size_t *len, struct slice);
/* The three parts of PLAIN, in place: [authzid] NUL authcid NUL passwd.  E_SYNTAX. */
int	sasl_plain(struct slice data, struct slice *authzid, struct slice *login, struct slice *password);

#endif
