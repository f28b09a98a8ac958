/*
 * scram.h -- what both ends of SCRAM-SHA-256 compute (RFC 5802 3, RFC 7677), and the entry of it in
 * a password table.  Shell (OpenSSL's hashes); deterministic, keeps nothing, may be called from any
 * thread.
 *
 * A table's entry is "{SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey", the last three in
 * base64: what a server needs, from which neither the password nor what a client needs can be had.
 * Passwords come prepared (saslprep.h).  What is derived on the way is wiped; the caller wipes what
 * it gets.
 */
#ifndef COMMON_SCRAM_H
#define COMMON_SCRAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base64.h"
#include "common/limits.h"
#include "common/slice.h"

#define SCRAM_KEY_LEN		32	/* SHA-256 */
#define SCRAM_PREFIX		"{SCRAM-SHA-256}"
#define SCRAM_SALT_LEN		16	/* of an entry that we make */
#define SCRAM_TEXT_MAX		(sizeof(SCRAM_PREFIX) - 1 + 10 + 3 + BASE64_LEN(SCRAM_SALT_MAX) + \
				2 * BASE64_LEN(SCRAM_KEY_LEN))

struct scram_entry {
	uint32_t	iterations;
	uint8_t		salt_len;
	uint8_t		salt[SCRAM_SALT_MAX];
	uint8_t		stored[SCRAM_KEY_LEN];	/* StoredKey */
	uint8_t		server[SCRAM_KEY_LEN];	/* ServerKey */
};

/* AuthMessage is these with a comma between: client-first-message-bare, server-first-message,
 * client-final-message-without-proof. */
struct scram_auth {
	struct slice	part[3];
};

/* SaltedPassword: PBKDF2 with HMAC-SHA-256, the costly part.  E_IO: OpenSSL has no memory. */
int	scram_salted_password(uint8_t out[static SCRAM_KEY_LEN], struct slice password, struct slice salt,
	    uint32_t iterations);
/* StoredKey and ServerKey of a SaltedPassword. */
int	scram_keys(uint8_t stored[static SCRAM_KEY_LEN], uint8_t server[static SCRAM_KEY_LEN],
	    const uint8_t salted[static SCRAM_KEY_LEN]);
/* iterations, salt and salt_len are set; makes the rest of the entry. */
int	scram_derive(struct scram_entry *, struct slice password);
/* The password against an entry, for PLAIN and LOGIN: E_OK, E_DENIED, E_IO.  The same time for each
 * password. */
int	scram_check_password(const struct scram_entry *, struct slice password);

/* Server: is this the proof of somebody who knows the ClientKey of stored?  E_OK, E_DENIED, E_IO;
 * constant time. */
int	scram_check_proof(const uint8_t stored[static SCRAM_KEY_LEN], const struct scram_auth *,
	    const uint8_t proof[static SCRAM_KEY_LEN]);
/* Server and client: ServerSignature. */
int	scram_server_signature(uint8_t out[static SCRAM_KEY_LEN], const uint8_t server[static SCRAM_KEY_LEN],
	    const struct scram_auth *);
/* Client: ClientProof. */
int	scram_client_proof(uint8_t out[static SCRAM_KEY_LEN], const uint8_t salted[static SCRAM_KEY_LEN],
	    const struct scram_auth *);
/* HMAC-SHA-256 of up to two pieces, for what must look like an entry and be none. */
int	scram_hmac(uint8_t out[static SCRAM_KEY_LEN], const uint8_t key[static SCRAM_KEY_LEN], struct slice,
	    struct slice);
/* n octets alike?  Constant time. */
int	scram_same(const void *, const void *, size_t n);

/* E_SYNTAX; E_RANGE: iterations outside SCRAM_ITERATIONS_MIN..MAX, or a salt that is empty or
 * longer than SCRAM_SALT_MAX. */
int	scram_entry_parse(struct scram_entry *, struct slice text);
/* With NUL; returns the length. */
size_t	scram_entry_text(const struct scram_entry *, char dst[static SCRAM_TEXT_MAX + 1]);

#endif
