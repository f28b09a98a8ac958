/*
 * scram_client.h -- SCRAM-SHA-256 and SCRAM-SHA-256-PLUS as a client (RFC 5802, 7677), without I/O.  Core.
 *
 *	scram_client_first	-> client-first-message
 *	scram_client_take	<- server-first-message: salt and iterations, with which somebody else makes SaltedPassword
 *	scram_client_final	-> client-final-message
 *	scram_client_verify	<- server-final-message: has the server proved that it knows the password's keys?
 *
 * Order is the caller's to keep.  What is kept between holds no secret but the SaltedPassword, until scram_client_verify();
 * scram_client_wipe() at the end.  All texts from the server are bounded by SCRAM_MESSAGE_MAX.
 */
#ifndef AUTH_SCRAM_CLIENT_H
#define AUTH_SCRAM_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base64.h"
#include "common/ipc_msg.h"
#include "common/limits.h"
#include "common/scram.h"
#include "common/slice.h"

#define SCRAM_NONCE_OCTETS	15	/* drawn by the caller for each exchange; 20 characters, as in the example of RFC 7677 */
#define SCRAM_NONCE_TEXT	BASE64_LEN(SCRAM_NONCE_OCTETS)
#define SCRAM_GS2_MAX		(sizeof("p=tls-server-end-point,,") - 1)
#define SCRAM_NAME_MAX		(3 * LOGIN_MAX)	/* "," is "=2C" */
#define SCRAM_BARE_MAX		(sizeof("n=,r=") - 1 + SCRAM_NAME_MAX + SCRAM_NONCE_TEXT)
#define SCRAM_FIRST_MAX		(SCRAM_GS2_MAX + SCRAM_BARE_MAX)
#define SCRAM_FINAL_MAX		(sizeof("c=,r=,p=") - 1 + BASE64_LEN(SCRAM_GS2_MAX + SASL_BINDING_MAX) + \
				SCRAM_MESSAGE_MAX + BASE64_LEN(SCRAM_KEY_LEN))

struct scram_client {
	char		gs2[SCRAM_GS2_MAX + 1];
	uint8_t		binding[SASL_BINDING_MAX];
	size_t		binding_len;
	char		bare[SCRAM_BARE_MAX + 1];
	size_t		bare_len;
	char		nonce[SCRAM_NONCE_TEXT + 1];
	char		server[SCRAM_MESSAGE_MAX];	/* server-first-message */
	size_t		server_len;
	struct slice	full_nonce;			/* within server */
	uint8_t		salt[SCRAM_SALT_MAX];
	size_t		salt_len;
	uint32_t	iterations;
	uint8_t		expected[SCRAM_KEY_LEN];	/* the server's signature */
};

/*
 * kind: which binding is used, with its data; BINDINGS: none, for the mechanism without -PLUS.
 * able: we have one, but the server does not offer to use it: it will notice if it did (RFC 5802
 * 6).  Octets into dst of SCRAM_FIRST_MAX + 1; E_LIMIT.
 */
int	scram_client_first(struct scram_client *, char *dst, size_t *len, struct slice user, unsigned kind,
	    struct slice binding, int able, const uint8_t nonce[static SCRAM_NONCE_OCTETS]);
/*
 * E_SYNTAX, E_LIMIT; E_RANGE: too few iterations to protect the password, or too many to make.
 * why: a constant text.
 */
int	scram_client_take(struct scram_client *, struct slice message, const char **why);
/* dst has SCRAM_FINAL_MAX + 1 octets.  E_IO. */
int	scram_client_final(struct scram_client *, char *dst, size_t *len, const uint8_t salted[static SCRAM_KEY_LEN]);
/*
 * E_OK: it is the server.  E_DENIED: it is not, or it says that we are not who we say.  E_SYNTAX.
 * why as above.
 */
int	scram_client_verify(const struct scram_client *, struct slice message, const char **why);
void	scram_client_wipe(struct scram_client *);

#endif
