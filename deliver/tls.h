/*
 * tls.h -- TLS towards other hosts: contexts by what a policy asks, verification, sessions to
 * resume.  Shell (OpenSSL).
 *
 * Contexts belong to a snapshot (its tls-level and tls-ca); a connection holds the one it began
 * with.  No file is read after tls_open(): trust anchors come in the snapshot.
 *
 * tls-level says, for hosts elsewhere: "old" takes TLS 1.0 and what goes with it where TLS is
 * opportunistic, since the other choice is clear text (RFC 7435 1.2; RFC 8996 speaks of what may be
 * relied on); otherwise TLS 1.2 is the least, and at "modern" TLS 1.3 where a CA or a fingerprint
 * is asked for.  Opportunistic TLS takes any certificate and any key.  A chain is verified at
 * security level 2 of OpenSSL: no SHA-1, no RSA below 2048 bits.  With DANE the record speaks for
 * the key, so level 1 will do.
 */
#ifndef DELIVER_TLS_H
#define DELIVER_TLS_H

#include <openssl/ssl.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/limits.h"
#include "common/net.h"
#include "deliver/policy.h"

#define TLS_KEY_LEN	32

struct tls_peer {		/* one connection's */
	SSL		*ssl;
	const struct tls_policy *policy;	/* borrowed */
	enum tls_want	 want;		/* the policy's; WANT_ENCRYPT where OpenSSL can use none of its TLSA records */
	uint8_t		 key[TLS_KEY_LEN];	/* of its sessions: address, port, policy, contexts */
	char		 why[384];		/* why the certificate is not taken; "" */
	uint8_t		 keep;		/* the host's certificates are kept, taken or not */
	STACK_OF(X509)	*seen;		/* leaf first; NULL: none came, or they are not kept */
};

/* Before the sandbox, once.  E_OK, E_IO. */
int	tls_open(void);
/* Contexts of a snapshot, beside those in use.  E_OK; E_CORRUPT: tls-ca cannot be read; E_NOMEM. */
int	tls_prepare(const struct conf *);
void	tls_use(void);
void	tls_close(void);		/* for tests */

/* A client's SSL, with a session to resume if there is one.  E_OK, E_NOMEM, E_SYNTAX (*why). */
int	tls_peer_init(struct tls_peer *, const struct tls_policy *, const struct net_addr *, uint16_t port, const char **why);
void	tls_peer_clear(struct tls_peer *);
/* The handshake is done: whether the policy is satisfied (E_OK, E_IO with t->why), and what to call it:
 * "TLSv1.3 TLS_AES_256_GCM_SHA384 x25519 verified by dane". */
int	tls_peer_done(struct tls_peer *, char text[TLS_TEXT_MAX + 1]);
/* Why the handshake failed. */
const char *tls_peer_why(struct tls_peer *);

/* tls_session.c: bounded, the longest unused goes first. */
void	tls_session_put(const uint8_t key[TLS_KEY_LEN], SSL_SESSION *);	/* takes it */
SSL_SESSION *tls_session_get(const uint8_t key[TLS_KEY_LEN]);		/* a reference; NULL */
void	tls_session_forget(const uint8_t key[TLS_KEY_LEN]);
void	tls_session_forget_all(void);
size_t	tls_session_count(void);

/* tls_verify.c: SSL_CTX_set_cert_verify_callback()'s. */
int	tls_verify(X509_STORE_CTX *, void *);

#endif
