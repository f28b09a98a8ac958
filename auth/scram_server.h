/*
 * scram_server.h -- SCRAM-SHA-256 and -PLUS as a server (RFC 5802, RFC 7677): one exchange as a
 * state machine (core).
 *
 * first() understands the client's first message; the caller finds the entry of s->login, or makes
 * one by scram_fake() for a login that has none; challenge() gives the server's first message;
 * final() judges the client's last one, and gives the server's.  A login without an entry goes the
 * same steps at the same cost, with a salt that is always the same for it.
 *
 * The server's last word (v=) goes to smtpd with SASL_OK, which sends it as a challenge, wants the
 * client's empty response, and then says 235 (RFC 5802 5, RFC 4954 4).  An e= is not sent: RFC 5802
 * 5.1 lets a failure be the application's, which saves a round trip; s->error is its value, for the
 * log.
 */
#ifndef AUTH_SCRAM_SERVER_H
#define AUTH_SCRAM_SERVER_H

#include <stdint.h>

#include "common/ipc_msg.h"
#include "common/limits.h"
#include "common/scram.h"
#include "common/slice.h"

#define SCRAM_NONCE_OCTETS	18	/* of randomness in our part; 24 characters */
#define SCRAM_FINAL_MAX		(2 + BASE64_LEN(SCRAM_KEY_LEN))

struct scram_server {
	uint8_t		 plus;		/* the mechanism is -PLUS */
	uint8_t		 offered;	/* -PLUS is: "y" is a downgrade then (RFC 5802 6) */
	uint8_t		 binding_len[BINDINGS];
	uint8_t		 binding[BINDINGS][SASL_BINDING_MAX];
	char		 login[LOGIN_MAX + 1];	/* of first() on, also where that fails behind it */
	const char	*error;		/* server-error-value (RFC 5802 7) of what failed */
	int		 bound;		/* enum binding that the client named, or -1 */
	uint8_t		 known;
	struct scram_entry entry;
	char		*client_first;	/* whole */
	size_t		 gs2_n, bare_at, client_first_n;
	char		*server_first;
	size_t		 nonce_n, server_first_n;	/* both nonces: behind "r=" of server_first */
};

/*
 * binding: BINDINGS slices, each at most SASL_BINDING_MAX; empty: not to be had.  NULL: no memory.
 */
struct scram_server *scram_server_new(int plus, int offered, const struct slice *binding);
void	scram_server_free(struct scram_server *);	/* wiped; NULL is nothing */

/* E_OK; E_SYNTAX: malformed; E_DENIED: well-formed, and not to be had; E_NOMEM. */
int	scram_server_first(struct scram_server *, struct slice data);
/* E_OK: *out is what the client gets, and lives as long as s.  known: e is an entry, not a fake.
 * E_NOMEM. */
int	scram_server_challenge(struct scram_server *, int known, const struct scram_entry *e,
	    const uint8_t nonce[static SCRAM_NONCE_OCTETS], struct slice *out);
/* E_OK: dst (*len octets) is the server's last word; E_SYNTAX, E_DENIED, E_IO. */
int	scram_server_final(struct scram_server *, struct slice data,
	    char dst[static SCRAM_FINAL_MAX + 1], size_t *len);

/* What looks like an entry of login; the same whenever asked with the same secret.  E_IO. */
int	scram_fake(struct scram_entry *, const uint8_t secret[static SCRAM_KEY_LEN], struct slice login,
	    uint32_t iterations);

#endif
