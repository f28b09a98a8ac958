/*
 * tls.h -- certificates, levels and tickets: what every TLS connection of a process shares (shell:
 * OpenSSL).
 *
 * A set of contexts belongs to one snapshot; a connection holds the context it began with, so an
 * old set lives on in those. The private keys are elsewhere (tls_provider.h).
 */
#ifndef SMTPD_TLS_H
#define SMTPD_TLS_H

#include <openssl/ssl.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/ipc_msg.h"
#include "smtpd/tls_provider.h"

/*
 * Before the sandbox, once: all that OpenSSL reads or looks for.  More calls do nothing.  E_OK,
 * E_IO.
 */
int	tls_open(void);
/* Contexts of a snapshot, kept beside those in use; tls_use() puts them into use.  E_OK, E_CORRUPT: a certificate is
 * none, or the level does not take it; E_NOMEM. */
int	tls_prepare(const struct conf *, uint64_t generation);
void	tls_use(void);
void	tls_close(void);			/* for tests */
int	tls_ready(void);		/* there is a certificate */
SSL	*tls_new(void);			/* for a new connection; NULL */
/* What a handle's number of tls_provider.h stands for. */
void	tls_key_of(uint16_t handle, uint64_t *generation, uint16_t *index);
void	tls_tickets(const struct ipc_ticket_keys *);
/* tls_ask.c: see tls_ask in tls_provider.h */
int	tls_ask_key(void *, uint16_t handle, uint16_t scheme, struct slice tbs, uint8_t *sig, size_t *len);

#endif
