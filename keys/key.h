/*
 * key.h -- a private key in this process's memory, and what it signs (shell: OpenSSL).
 *
 * The key is read from a descriptor that master opened, kept in OpenSSL's secure heap (locked in
 * memory, left out of dumps, wiped when freed), and used through key_sign() alone.  Nothing writes
 * it anywhere.
 */
#ifndef KEYS_KEY_H
#define KEYS_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/slice.h"

#define SPKI_LEN	32	/* SHA-256 of a SubjectPublicKeyInfo */

struct key;

/* Once, before the first key and before the sandbox.  E_IO; E_LIMIT: all is well, but RLIMIT_MEMLOCK did not let it be
 * locked, and it may be written to swap space. */
int	key_memory_open(void);
/*
 * A key in PEM from fd, whose public half has the given hash.  why gets a constant text on failure:
 * E_SYNTAX (no key, an encrypted one, of a kind we do not sign with, too short), E_NOTFOUND (not
 * the certificate's), E_LIMIT, E_IO, E_NOMEM.  The octets read are wiped.  fd stays the caller's.
 */
int	key_read(struct key **, int fd, const uint8_t spki[SPKI_LEN], const char **why);
void	key_free(struct key *);
/* Checks scheme and form (tbs.h), then signs.  E_SYNTAX: refused; E_IO.  sig[SIGNATURE_MAX]. */
int	key_sign(const struct key *, uint16_t scheme, struct slice tbs, uint8_t *sig, size_t *len);
const char *key_type(const struct key *);	/* "RSA 2048", for the log */

#endif
