/*
 * ipc_msg_auth.h -- payloads to and from keys, auth and pam: part of ipc_msg.h, which includes it.
 *
 * What carries a secret is wiped from every buffer of the channel once it is sent or handled (ipc_is_secret()).
 */
#ifndef COMMON_IPC_MSG_AUTH_H
#define COMMON_IPC_MSG_AUTH_H

#include <stdint.h>

#include "common/addr.h"
#include "common/limits.h"
#include "common/net.h"
#include "common/slice.h"

/* ---- keys ---- */
struct ipc_key { uint64_t generation; uint16_t index; };	/* into conf.certs of that snapshot */
struct ipc_sign {
	uint32_t	id;
	uint64_t	generation;		/* of the snapshot that key is an index of */
	uint16_t	key;
	uint16_t	scheme;			/* SignatureScheme, RFC 8446 4.2.3 */
	struct slice	tbs;			/* 1..TBS_MAX octets */
};
enum sign_status {
	SIGN_DONE,
	SIGN_REFUSED,		/* not a form that is signed, or no such key for this peer */
	SIGN_BUSY,		/* too many wait already */
	SIGN_FAILED,
	SIGN_STATUSES
};
struct ipc_signed { uint32_t id; uint8_t status; struct slice signature; };	/* empty unless SIGN_DONE */

#define TICKET_KEYS_MAX	3
struct ticket_key { uint8_t name[16], aes[32], hmac[32]; };
struct ipc_ticket_keys { uint8_t n; struct ticket_key key[TICKET_KEYS_MAX]; };	/* key[0] seals, all open; wiped by who unpacks */

/* ---- auth ---- */
struct ipc_secret { uint64_t generation; uint8_t kind; uint16_t index; };	/* enum secret_kind; index into conf.logins */
enum secret_kind { SECRET_TABLE, SECRET_LOGIN, SECRET_KINDS };
enum sasl_mechanism {
	SASL_PLAIN, SASL_LOGIN, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_256_PLUS, SASL_EXTERNAL, SASL_MECHANISMS
};
const char *sasl_mechanism_name(unsigned);	/* "SCRAM-SHA-256" */
enum sasl_status {
	SASL_CONTINUE,		/* 334: data goes to the client */
	SASL_OK,		/* 235: login says who */
	SASL_FAILED,		/* 535: wrong, unknown, or not allowed; the same for all of them */
	SASL_BAD,		/* 501: the exchange is malformed */
	SASL_TEMPORARY,		/* 454: cannot be checked now, or must wait */
	SASL_STATUSES
};
enum binding {
	BINDING_EXPORTER,	/* tls-exporter, RFC 9266 */
	BINDING_UNIQUE,		/* tls-unique, RFC 5929 3: TLS 1.2 with extended master secret alone */
	BINDING_ENDPOINT,	/* tls-server-end-point, RFC 5929 4 */
	BINDINGS
};
const char *binding_name(unsigned);		/* "tls-exporter" */
struct ipc_sasl {
	uint32_t	id;			/* of the exchange; unique on this channel while open */
	uint8_t		first;			/* begins it: the fields below count */
	uint8_t		mechanism;		/* enum sasl_mechanism */
	uint8_t		initial;		/* data is an initial response (it may be empty) */
	uint8_t		tls;			/* the session is under TLS */
	struct net_addr	client, own;		/* its address, and ours towards it */
	uint16_t	client_port, own_port;
	struct slice	binding[BINDINGS];	/* channel bindings by enum binding, each at most SASL_BINDING_MAX; empty: not to be had */
	struct slice	data;			/* decoded from base64, at most SASL_DATA_MAX */
	char		external[ADDRESS_MAX + 1];	/* EXTERNAL: who the client's certificate says it is; "" nobody */
};
struct ipc_sasl_answer {
	uint32_t	id;
	uint8_t		status;			/* enum sasl_status; all but CONTINUE end it */
	uint32_t	wait_ms;		/* before the client is told so (growing delay) */
	char		login[LOGIN_MAX + 1];	/* SASL_OK; and for the log where it failed */
	struct slice	data;			/* CONTINUE: challenge; OK: SCRAM's last word (RFC 5802 3: as a challenge before 235) */
};
struct ipc_sasl_end { uint32_t id; };
struct ipc_credential {		/* SASL as a client: auth speaks for us, deliver passes on */
	uint32_t	id;
	uint8_t		first;			/* begins it: login and mechanisms count, data is empty */
	uint8_t		mechanisms;		/* 1 << enum sasl_mechanism: what the next hop offers and may be used; auth takes the best */
	char		login[LOGIN_TITLE_MAX + 1];	/* title of a login section of the snapshot in use */
	struct slice	binding[BINDINGS];
	struct slice	data;			/* the server's challenge, decoded; for 235 with done, what came with it (RFC 4954 4 has none) */
	uint8_t		done;			/* the server said 235: is that what it had to prove first? */
};
struct ipc_credential_answer {
	uint32_t	id;
	uint8_t		status;			/* CONTINUE: data is our response (of the first step: the initial one, has_data); OK: after done;
						 * FAILED: no mechanism, or the server has not proved itself; BAD: its challenge is malformed; TEMPORARY */
	uint8_t		mechanism;		/* chosen at the first step */
	uint8_t		has_data;		/* first step: there is an initial response (it may be empty) */
	struct slice	data;
};
struct ipc_pam_ask { uint32_t id; struct net_addr client; char login[LOGIN_MAX + 1]; char password[PASSWORD_MAX + 1]; };
struct ipc_pam_answer { uint32_t id; uint8_t status; };		/* SASL_OK, SASL_FAILED, SASL_TEMPORARY */

#endif
