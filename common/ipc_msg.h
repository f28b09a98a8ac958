/*
 * ipc_msg.h -- every message between processes, once (threat-model.md 4).
 *
 * The enum, the names for logs, the direction check, the descriptor rule and the length
 * limit all come from the table.  One struct per payload; pack and unpack stand
 * together in ipc_msg.c, field for field.  Unpack checks every length, enum and string and
 * ends with rd_end(); strings hold no NUL, CR or LF.  Slices in unpacked messages borrow
 * from the datagram.
 */
#ifndef COMMON_IPC_MSG_H
#define COMMON_IPC_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/conf.h"
#include "common/ipc_msg_auth.h"
#include "common/limits.h"
#include "common/net.h"
#include "common/reply.h"
#include "common/slice.h"
#include "common/wire.h"

enum {				/* bits, so that a table cell can name several */
	ROOM_MASTER = 1,
	ROOM_SMTPD = 2,
	ROOM_QUEUE = 4,
	ROOM_DELIVER = 8,
	ROOM_RESOLVER = 16,
	ROOM_CTL = 32,
	ROOM_PICKUP = 64,
	ROOM_KEYS = 128,
	ROOM_AUTH = 256,
	ROOM_PAM = 512,
	ROOM_DAEMON = ROOM_SMTPD | ROOM_QUEUE | ROOM_DELIVER | ROOM_RESOLVER | ROOM_PICKUP | ROOM_KEYS | ROOM_AUTH | ROOM_PAM,
};

enum role {
	ROLE_NONE,			/* of a room that has no roles; of smtpd: listeners without AUTH */
	ROLE_REMOTE, ROLE_MAILBOX,	/* of deliver */
	ROLE_SUBMISSION,		/* of smtpd: listeners with AUTH; these alone talk to auth */
	ROLES
};

/*	 MESSAGE	message		from		to		fd  carries */
#define IPC_MESSAGES(M) \
	/* Life of a daemon. */ \
	M(START,	start,		ROOM_MASTER,	ROOM_DAEMON,	0) /* who you are, what to drop to */ \
	M(CONF,		conf_blob,	ROOM_MASTER,	ROOM_DAEMON,	1) /* a snapshot to get ready; fd: memory file */ \
	M(CONF_USE,	conf_use,	ROOM_MASTER,	ROOM_DAEMON,	0) /* everybody has it: use it from now on */ \
	M(CONF_READY,	conf_ready,	ROOM_DAEMON,	ROOM_MASTER,	0) /* have it, or cannot */ \
	M(LISTENER,	listener,	ROOM_MASTER,	ROOM_SMTPD,	1) /* fd: a bound, listening socket */ \
	M(LISTENER_END,	listener,	ROOM_MASTER,	ROOM_SMTPD,	0) /* stop accepting there */ \
	M(CHANNEL,	channel,	ROOM_MASTER,	ROOM_DAEMON,	1) /* a new peer; fd: its channel */ \
	M(LOG,		log_socket,	ROOM_MASTER,	ROOM_DAEMON,	1) /* fd: where log lines go */ \
	M(GO,		empty,		ROOM_MASTER,	ROOM_DAEMON,	0) /* all that is needed was sent */ \
	M(READY,	empty,		ROOM_DAEMON,	ROOM_MASTER,	0) /* sandboxed and serving */ \
	M(PING,		ping,		ROOM_MASTER,	ROOM_DAEMON,	0) \
	M(PONG,		pong,		ROOM_DAEMON,	ROOM_MASTER,	0) /* alive, with counters */ \
	M(NEED_LOG,	empty,		ROOM_DAEMON,	ROOM_MASTER,	0) /* the log socket died */ \
	M(STOP,		stop,		ROOM_MASTER,	ROOM_DAEMON,	0) /* finish within so long, then leave */ \
	M(CTL_CLIENT,	ctl_client,	ROOM_MASTER,	ROOM_QUEUE,	1) /* fd: an operator's connection */ \
	/* smtpd and queue: one transaction is one message being received. */ \
	M(TXN_BEGIN,	txn_begin,	ROOM_SMTPD,	ROOM_QUEUE,	0) /* reverse-path, client facts */ \
	M(TXN_RCPT,	txn_rcpt,	ROOM_SMTPD,	ROOM_QUEUE,	0) /* a forward-path */ \
	M(TXN_CHUNK,	txn_chunk,	ROOM_SMTPD,	ROOM_QUEUE,	0) /* body octets, within credit */ \
	M(TXN_COMMIT,	txn_commit,	ROOM_SMTPD,	ROOM_QUEUE,	0) /* the final dot was seen */ \
	M(TXN_ABORT,	txn_abort,	ROOM_SMTPD,	ROOM_QUEUE,	0) /* forget it; no answer follows */ \
	M(TXN_CREDIT,	txn_credit,	ROOM_QUEUE,	ROOM_SMTPD,	0) /* that many octets more */ \
	M(TXN_RESULT,	txn_result,	ROOM_QUEUE,	ROOM_SMTPD,	0) /* durable, or why not; ends the transaction */ \
	M(PRESSURE,	pressure,	ROOM_QUEUE,	ROOM_SMTPD,	0) /* take mail or refuse it with 452 */ \
	/* smtpd and queue: what a client asks beside. */ \
	M(VERIFY,	verify,		ROOM_SMTPD,	ROOM_QUEUE,	0) /* would the next hop take this recipient? */ \
	M(VERIFY_RESULT, verify_result,	ROOM_QUEUE,	ROOM_SMTPD,	0) \
	M(ETRN,		etrn,		ROOM_SMTPD,	ROOM_QUEUE,	0) /* RFC 1985: try what waits for a node */ \
	M(ETRN_RESULT,	etrn_result,	ROOM_QUEUE,	ROOM_SMTPD,	0) \
	/* Local mail that waited in the drop directory. */ \
	M(SUBMIT,	submit,		ROOM_PICKUP,	ROOM_SMTPD,	1) /* fd: a stream; SMTP with this local user follows on it */ \
	/* Signatures: keys holds what smtpd only knows the number of. */ \
	M(KEY,		key,		ROOM_MASTER,	ROOM_KEYS,	1) /* of the snapshot that comes next; fd: the key file */ \
	M(SIGN,		sign,		ROOM_SMTPD,	ROOM_KEYS,	0) /* octets that TLS wants signed */ \
	M(SIGNED,	signed,		ROOM_KEYS,	ROOM_SMTPD,	0) \
	M(TICKET_KEYS,	ticket_keys,	ROOM_MASTER,	ROOM_SMTPD,	0) /* for session tickets: the one in use and those before */ \
	/* Who a client is: auth holds the passwords. */ \
	M(SECRET,	secret,		ROOM_MASTER,	ROOM_AUTH,	1) /* of the snapshot that comes next; fd: the password table, or a login's password */ \
	M(DOVECOT,	empty,		ROOM_MASTER,	ROOM_AUTH,	1) /* fd: a stream to Dovecot's auth service */ \
	M(NEED_DOVECOT,	empty,		ROOM_AUTH,	ROOM_MASTER,	0) /* there is none, or it died */ \
	M(SASL,		sasl,		ROOM_SMTPD,	ROOM_AUTH,	0) /* a step of an exchange (RFC 4422) */ \
	M(SASL_ANSWER,	sasl_answer,	ROOM_AUTH,	ROOM_SMTPD,	0) \
	M(SASL_END,	sasl_end,	ROOM_SMTPD,	ROOM_AUTH,	0) /* cancelled, or the client has gone; no answer follows */ \
	M(CREDENTIAL,	credential,	ROOM_DELIVER,	ROOM_AUTH,	0) /* a step of our own login at a next hop */ \
	M(CREDENTIAL_ANSWER, credential_answer, ROOM_AUTH, ROOM_DELIVER, 0) \
	M(CREDENTIAL_END, sasl_end,	ROOM_DELIVER,	ROOM_AUTH,	0) /* over before its time; no answer follows */ \
	M(PAM_ASK,	pam_ask,	ROOM_AUTH,	ROOM_PAM,	0) \
	M(PAM_ANSWER,	pam_answer,	ROOM_PAM,	ROOM_AUTH,	0) \
	/* Names. */ \
	M(DNS_QUERY,	dns_query,	ROOM_SMTPD | ROOM_DELIVER, ROOM_RESOLVER, 0) \
	M(DNS_ANSWER,	dns_answer,	ROOM_RESOLVER,	ROOM_SMTPD | ROOM_DELIVER, 0) \
	/* queue and deliver: one job is one message to some recipients at one next hop. */ \
	M(JOB_BEGIN,	job_begin,	ROOM_QUEUE,	ROOM_DELIVER,	0) \
	M(JOB_RCPT,	job_rcpt,	ROOM_QUEUE,	ROOM_DELIVER,	0) /* job_begin.nrcpt of them follow */ \
	M(JOB_BODY,	job_body,	ROOM_QUEUE,	ROOM_DELIVER,	0) /* body octets, within credit */ \
	M(JOB_CANCEL,	job_id,		ROOM_QUEUE,	ROOM_DELIVER,	0) /* cannot go on (store error); nothing may be delivered */ \
	M(JOB_CREDIT,	job_credit,	ROOM_DELIVER,	ROOM_QUEUE,	0) \
	M(JOB_RESULT,	job_result,	ROOM_DELIVER,	ROOM_QUEUE,	0) /* one recipient's outcome */ \
	M(JOB_DONE,	job_done,	ROOM_DELIVER,	ROOM_QUEUE,	0) /* all its recipients were reported */ \
	M(JOB_ACK,	job_id,		ROOM_QUEUE,	ROOM_DELIVER,	0) /* the outcomes are durable: forget them */ \
	M(JOB_RUNNING,	job_running,	ROOM_DELIVER,	ROOM_QUEUE,	0) /* after a new channel: still at work on these */ \
	M(JOB_SYNC,	empty,		ROOM_DELIVER,	ROOM_QUEUE,	0) /* ... and that was all; jobs may come */ \
	M(JOB_STOP,	empty,		ROOM_DELIVER,	ROOM_QUEUE,	0) /* no more jobs, please: this process leaves */ \
	M(JOB_STOPPED,	empty,		ROOM_QUEUE,	ROOM_DELIVER,	0) /* none is behind this */ \
	M(PROBE,	probe,		ROOM_QUEUE,	ROOM_DELIVER,	0) /* ask a next hop about one recipient, send no message */ \
	M(PROBE_RESULT,	probe_result,	ROOM_DELIVER,	ROOM_QUEUE,	0) \
	M(TRY_TLS,	try_tls,	ROOM_QUEUE,	ROOM_DELIVER,	0) /* what TLS towards a next hop would be, tried */ \
	M(TLS_REPORT,	tls_report,	ROOM_DELIVER,	ROOM_QUEUE,	0) /* lines of it for the operator */ \
	/* The operator. */ \
	M(CTL_REQUEST,	ctl_request,	ROOM_CTL,	ROOM_MASTER | ROOM_QUEUE, 0) \
	M(CTL_MESSAGE,	ctl_message,	ROOM_QUEUE,	ROOM_CTL,	0) /* a row: one queued message */ \
	M(CTL_RCPT,	ctl_rcpt,	ROOM_QUEUE,	ROOM_CTL,	0) /* a row: a recipient of the message before */ \
	M(CTL_TEXT,	ctl_text,	ROOM_MASTER | ROOM_QUEUE, ROOM_CTL, 0) /* lines for the operator */ \
	M(CTL_DAEMON,	ctl_daemon,	ROOM_MASTER,	ROOM_CTL,	0) /* a row: one daemon */ \
	M(CTL_QUEUE,	ctl_queue,	ROOM_QUEUE,	ROOM_CTL,	0) /* the queue's figures */ \
	M(CTL_END,	ctl_end,	ROOM_MASTER | ROOM_QUEUE, ROOM_CTL, 0) /* the last message of every answer */ \
	/* A daemon about another. */ \
	M(PEER_BROKEN,	channel,	ROOM_DAEMON,	ROOM_MASTER,	0) /* this peer broke the table; its channel is over */

enum ipc_type {
	IPC_NONE,
#define IPC_ENUM(NAME, name, from, to, nfd) IPC_##NAME,
	IPC_MESSAGES(IPC_ENUM)
#undef IPC_ENUM
	IPC_TYPES
};

const char	*ipc_type_name(unsigned type);		/* "TXN_BEGIN"; "?" if unknown */
const char	*room_name(unsigned room);		/* "smtpd" */
const char	*role_suffix(unsigned role);		/* "-submission", "-mailbox"; "" for the usual ones */
/* The table's row for a type: E_PROTO if from may not send it to to, or with nfd descriptors. */
int		 ipc_check(unsigned type, unsigned from, unsigned to, size_t len, unsigned nfd);
/* Whether it carries a secret: then no buffer keeps it once it was sent, or its handler has returned (R10). */
int		 ipc_is_secret(unsigned type);

struct ipc_empty { char unused; };

/* ---- life of a daemon ---- */
struct ipc_start {
	uint32_t	room;		/* ROOM_* bit */
	uint32_t	instance;
	uint8_t		role;
	uint8_t		privileged;	/* 1: started as root: change root and ids.  0: cannot */
	uint32_t	uid, gid;	/* to become, if privileged */
	char		root[1024];	/* directory to make the root directory, if privileged; else where to work */
	uint64_t	boot;		/* drawn by master at its start; same for all its daemons */
};
struct ipc_conf_blob { uint64_t generation; };
struct ipc_conf_use { uint64_t generation; };
struct ipc_conf_ready { uint64_t generation; int32_t err; char why[CONF_REFUSAL_MAX + 1]; };	/* why: for the operator; "" where err says it all */
struct ipc_listener { uint16_t index; char name[64]; };		/* index into conf.listeners of the snapshot in use (or being used next) */
struct ipc_channel { uint32_t room; uint32_t instance; uint8_t role; };
struct ipc_log_socket { uint8_t kind; };		/* enum log_kind */
struct ipc_ping { uint64_t seq; };
struct ipc_pong { uint64_t seq; uint64_t log_dropped; uint64_t counter[8]; };	/* counters: see each room's page */
struct ipc_stop { uint32_t within_ms; };
struct ipc_ctl_client { uint32_t uid, gid, pid; uint8_t verb; };	/* the kernel's word, not the client's */

/* ---- smtpd and queue ---- */
enum protocol {			/* what the client said hello with (RFC 5321 4.1.1.1, 2033 4.1) */
	PROTO_SMTP,		/* HELO */
	PROTO_ESMTP,		/* EHLO */
	PROTO_LMTP,		/* LHLO */
	PROTOCOLS
};
enum body_kind {		/* BODY= (RFC 6152, 3030) */
	BODY_7BIT,
	BODY_8BIT,
	BODY_BINARY,		/* any octets: lines may be of any length, CR and LF may stand alone */
	BODY_KINDS
};
enum dsn_ret { RET_NONE, RET_FULL, RET_HDRS, RETS };			/* RFC 3461 4.3 */
enum by_mode { BY_NONE, BY_NOTIFY, BY_RETURN, BY_MODES };		/* RFC 2852 4: none, N, R */

struct ipc_txn_begin {
	uint32_t	txn;			/* smtpd's number; unique on this channel while open */
	uint64_t	session;		/* for logs */
	struct net_addr	client;
	uint16_t	client_port;
	uint8_t		protocol;		/* enum protocol: "with ESMTP" (RFC 5321 4.4, 3848) */
	uint8_t		body;			/* enum body_kind */
	uint64_t	size_hint;		/* SIZE= or 0 */
	char		helo[HELO_MAX + 1];
	char		name[DOMAIN_MAX + 1];	/* the client's verified name, or "" */
	char		sender[ADDRESS_MAX + 1];	/* "" is <> */
	char		listener[64];
	uint8_t		utf8;			/* SMTPUTF8 was declared (RFC 6531 3.4) */
	uint8_t		ret;			/* enum dsn_ret */
	uint8_t		by_mode;		/* enum by_mode */
	uint8_t		by_trace;		/* T was given */
	uint8_t		prioritized;		/* MT-PRIORITY was given (RFC 6710) */
	int8_t		priority;		/* -9..9, 0 if not given */
	uint8_t		hold;			/* an access rule wants the operator to look first */
	uint8_t		local;			/* a process of this host, by its uid; client is :: then */
	uint32_t	uid;
	int32_t		by_s;			/* seconds from now on, may be negative with BY_NOTIFY; RFC 2852 4 */
	int64_t		hold_until;		/* epoch seconds; 0: at once (RFC 4865) */
	char		envid[ENVID_MAX + 1];	/* RFC 3461 4.4, decoded from xtext; "" if not given */
	char		login[LOGIN_MAX + 1];	/* who authenticated, or the local user's name; "" unknown */
	uint8_t		tls;			/* the message came over TLS: "ESMTPS" (RFC 3848) */
	char		tls_text[TLS_TEXT_MAX + 1];	/* "TLSv1.3 TLS_AES_256_GCM_SHA384 X25519", for Received and log; "" without */
	char		origin[ORIGIN_MAX + 1];	/* by XFORWARD, for logs: "name[address]:port"; "" if not given */
};
enum {				/* NOTIFY (RFC 3461 4.1); 0: not given */
	NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8,
};
struct ipc_txn_rcpt {
	uint32_t	txn;
	uint8_t		notify;
	char		address[ADDRESS_MAX + 1];
	char		orcpt[ORCPT_MAX + 1];	/* RFC 3461 4.2: "rfc822;a@b", decoded from xtext; "" if not given */
};
struct ipc_txn_chunk { uint32_t txn; struct slice data; };	/* 1..IPC_CHUNK_MAX octets */
struct ipc_txn_commit {
	uint32_t	txn;
	uint32_t	nrcpt;
	uint64_t	body_len;
	uint8_t		hops;			/* Received fields seen */
	uint8_t		header8;		/* the header section holds octets that are not ASCII */
};
struct ipc_txn_abort { uint32_t txn; };
struct ipc_txn_credit { uint32_t txn; uint32_t octets; };
enum txn_status {
	TXN_DURABLE,		/* 250: committed and flushed */
	TXN_FULL,		/* 452 4.3.1: disk, map or quota */
	TXN_BUSY,		/* 452 4.3.1: memory or other passing shortage */
	TXN_IO,			/* 451 4.3.0: the store failed */
	TXN_MISMATCH,		/* 451 4.3.0: counts do not match what was sent; a fault of ours */
	TXN_EXPANSION,		/* 554 5.4.6: the recipients' aliases lead to more than EXPANSION_MAX, or to none */
	TXN_STATUSES
};
struct ipc_txn_result { uint32_t txn; uint8_t status; uint64_t msgid; };
enum pressure { PRESSURE_NONE, PRESSURE_FULL, PRESSURE_BUSY, PRESSURE_IO, PRESSURES };
struct ipc_pressure { uint8_t state; };		/* sent on each change and once when the channel opens */
struct ipc_verify { uint32_t id; char address[ADDRESS_MAX + 1]; };
enum verify_status { VERIFY_TAKEN, VERIFY_REFUSED, VERIFY_UNKNOWN, VERIFY_STATUSES };	/* unknown: could not find out in time */
struct ipc_verify_result {
	uint32_t	id;
	uint8_t		status;			/* enum verify_status */
	uint16_t	code;			/* of the next hop, 0 if it said none */
	struct enhanced	enhanced;		/* 0.0.0 if none */
	char		text[REPLY_TEXT_MAX + 1];
};
enum etrn_kind { ETRN_NODE, ETRN_TREE, ETRN_QUEUE, ETRN_KINDS };	/* "name", "@name": its subdomains too, "#name" (RFC 1985 5) */
struct ipc_etrn { uint32_t id; uint8_t kind; char name[DOMAIN_MAX + 1]; };
enum etrn_status {		/* RFC 1985 5.3 */
	ETRN_STARTED,		/* 250: queuing for the node started; how many is not said */
	ETRN_NOTHING,		/* 251: no messages wait */
	ETRN_PENDING,		/* 252: messages are pending, their delivery was begun before */
	ETRN_COUNTED,		/* 253: so many messages are started now */
	ETRN_UNABLE,		/* 458 */
	ETRN_STATUSES
};
struct ipc_etrn_result { uint32_t id; uint8_t status; uint32_t count; };
struct ipc_submit { uint32_t uid; };

/* Those of keys, auth and pam stand in ipc_msg_auth.h. */

/* ---- names ---- */
enum dns_type {
	DNS_ADDR,		/* A and AAAA together */
	DNS_MX, DNS_PTR, DNS_TXT, DNS_TLSA,
	DNS_CNAME,		/* of this name itself, not followed: at most one record, in ptr */
	DNS_TYPES
};
enum dns_status {
	DNS_OK,			/* at least one record */
	DNS_NODATA,		/* the name exists, the type does not */
	DNS_NXDOMAIN,
	DNS_FAILED,		/* servers unreachable or broken: try later (R12) */
	DNS_BOGUS,		/* validation failed: try later, never "assume none" */
	DNS_TIMED_OUT,
	DNS_OVERLOAD,		/* too many questions here */
	DNS_STATUSES
};
struct ipc_dns_query {
	uint32_t	id;
	uint8_t		type;			/* enum dns_type */
	uint32_t	timeout_ms;
	char		name[DOMAIN_MAX + 1];	/* PTR: the address as text */
};
struct dns_record {				/* by type */
	union {
		struct net_addr	addr;
		struct { uint16_t pref; char host[DOMAIN_MAX + 1]; } mx;	/* host "" is "." (RFC 7505) */
		struct { char host[DOMAIN_MAX + 1]; } ptr;
		struct { uint16_t len; uint8_t data[1024]; } txt;	/* strings joined (RFC 7208 3.3) */
		struct { uint8_t usage, selector, matching; uint16_t len; uint8_t data[TLSA_DATA_MAX]; } tlsa;
	};
};
#define DNS_RECORDS_MAX	TLSA_MAX
struct ipc_dns_answer {
	uint32_t	id;
	uint8_t		type;
	uint8_t		status;			/* enum dns_status */
	uint8_t		secure;			/* validated by DNSSEC, the whole chain of aliases */
	uint32_t	ttl;
	char		canonical[DOMAIN_MAX + 1];	/* the name at the end of the chain of aliases, "?" for an octet that no
						 * host name has; "" where there was none.  Also with NODATA and NXDOMAIN */
	char		reason[128];		/* for FAILED and BOGUS: why, printable */
	uint16_t	nrec;
	struct dns_record *rec;			/* pack: the caller's.  unpack: caller gives room for DNS_RECORDS_MAX before the call */
};

/* ---- queue and deliver ---- */
struct ipc_job_begin {
	uint64_t	job;			/* unique for ever: boot counter of the store, then a number */
	uint64_t	msgid;
	uint64_t	body_len;		/* octets that follow in JOB_BODY, CRLF line ends, dots not stuffed */
	int64_t		arrival;		/* epoch seconds, for Received-like fields and logs */
	uint8_t		body;			/* enum body_kind */
	uint8_t		hop;			/* enum hop_kind */
	uint16_t	port;
	uint16_t	nrcpt;			/* 1..JOB_RCPT_MAX */
	uint32_t	attempt;		/* 0 for the first */
	uint8_t		implicit;		/* HOP_SMTP: TLS from the first octet on */
	char		login[LOGIN_TITLE_MAX + 1];	/* HOP_SMTP: as whom, a login section's title; "" none */
	char		host[DOMAIN_MAX + 1];	/* HOP_SMTP: the host; HOP_MX: the domain whose MX to use */
	char		path[1024];		/* HOP_MAILDIR */
	char		sender[ADDRESS_MAX + 1];	/* of these recipients: a list's owner, else the message's */
	uint8_t		header8;		/* as in txn_commit: with a non-ASCII address, what needs SMTPUTF8 */
	uint8_t		utf8;			/* SMTPUTF8 was declared: a part within may need it */
	uint8_t		ret;			/* enum dsn_ret */
	uint8_t		by_mode, by_trace;
	uint8_t		prioritized;
	int8_t		priority;
	int64_t		by_time;		/* epoch seconds: the deadline of RFC 2852, if by_mode */
	char		envid[ENVID_MAX + 1];
};
struct ipc_job_rcpt {
	uint64_t	job;
	uint32_t	index;			/* of the recipient within the message */
	uint8_t		notify;
	char		address[ADDRESS_MAX + 1];
	char		orcpt[ORCPT_MAX + 1];
};
struct ipc_job_body { uint64_t job; struct slice data; };
struct ipc_job_id { uint64_t job; };
struct ipc_job_credit { uint64_t job; uint32_t octets; };
enum outcome {
	OUT_DELIVERED,		/* the next hop answered 2yz, or the maildir file is durable */
	OUT_TEMPFAIL,
	OUT_PERMFAIL,
	OUT_UNSURE,		/* the final dot was sent, its answer was never learned (G3) */
	OUTCOMES
};
enum handed {			/* who answers for NOTIFY=SUCCESS from now on (RFC 3461 5.2) */
	HANDED_FINAL,		/* in the mailbox: we say "delivered" */
	HANDED_DSN,		/* the next hop took the DSN parameters: it will */
	HANDED_PLAIN,		/* it knows no DSN: we say "relayed" */
	HANDED_KINDS
};
struct ipc_job_result {
	uint64_t	job, msgid;
	uint32_t	index;
	uint8_t		outcome;
	uint16_t	code;			/* SMTP code of the remote host, 0 if it said none */
	struct enhanced	enhanced;		/* never 0.0.0 */
	uint32_t	delay_ms;		/* this attempt */
	uint32_t	retry_hint;		/* seconds, 0 if none */
	uint8_t		stage;			/* enum stage */
	uint8_t		handed;			/* enum handed, if delivered */
	uint8_t		by_passed;		/* the next hop took BY (RFC 2852 4.1.4); with by_mode alone */
	char		tls[TLS_TEXT_MAX + 1];	/* "TLSv1.3 TLS_AES_256_GCM_SHA384 X25519 dane": what it went over; "" in clear */
	char		relay[DOMAIN_MAX + 64];	/* "mx.example.net[198.51.100.3]:25", "maildir", "" before one was chosen */
	char		text[REPLY_TEXT_MAX + 1];	/* the remote host's words, or ours where it said nothing */
};
enum stage {			/* where an attempt ended, for logs and `why` */
	STAGE_ROUTE, STAGE_DNS, STAGE_CONNECT, STAGE_GREETING, STAGE_HELO, STAGE_MAIL, STAGE_RCPT, STAGE_DATA,
	STAGE_BODY, STAGE_DOT, STAGE_FILE,
	STAGE_TLS,		/* STARTTLS, the handshake, the certificate, what a policy wants of them */
	STAGE_AUTH,		/* our own login */
	STAGES
};
const char	*stage_name(unsigned);		/* "connect" */
const char	*outcome_name(unsigned);	/* "delivered", "tempfail", "permfail", "unsure" */
const char	*dns_status_name(unsigned);

enum reached {			/* what a job says about its destination */
	REACHED_NOT,		/* no host of it would talk with us */
	REACHED,		/* its concurrency may grow */
	REACHED_FULL,		/* it took the job, but refused one connection more: shrink */
	REACHED_UNKNOWN,	/* nothing: the reason was ours (memory, descriptors, an end of this daemon) */
	REACHED_KINDS
};
struct ipc_job_done {
	uint64_t	job, msgid;
	uint8_t		reached;		/* enum reached */
	uint64_t	provider;		/* hash of the best-preference MX host set, 0 if unknown (design.md 5) */
	struct slice	dialogue;		/* at most DIALOGUE_MAX printable octets, lines ended by LF; "" on plain success */
};
/* PROBE: HOP_MX and HOP_SMTP alone.  PROBE_RESULT speaks of the RCPT: its outcome is never OUT_UNSURE, and what else
 * befell (a host that cannot be reached, 421, MAIL refused) is OUT_TEMPFAIL with code 0. */
struct ipc_probe {
	uint64_t	id;
	uint8_t		hop;			/* enum hop_kind */
	uint16_t	port;
	uint32_t	timeout_ms;
	uint8_t		implicit;
	char		login[LOGIN_TITLE_MAX + 1];
	char		host[DOMAIN_MAX + 1];
	char		address[ADDRESS_MAX + 1];
};
struct ipc_probe_result {
	uint64_t	id;
	uint8_t		outcome;		/* enum outcome */
	uint16_t	code;
	struct enhanced	enhanced;		/* never 0.0.0 */
	char		relay[DOMAIN_MAX + 64];
	char		text[REPLY_TEXT_MAX + 1];
};
struct ipc_try_tls {
	uint64_t	id;
	uint8_t		hop;			/* HOP_MX or HOP_SMTP */
	uint16_t	port;
	uint8_t		implicit;
	char		login[LOGIN_TITLE_MAX + 1];	/* asks for more of TLS; it is not used */
	char		host[DOMAIN_MAX + 1];
};
struct ipc_tls_report {
	uint64_t	id;
	uint8_t		last;			/* nothing follows */
	uint8_t		ok;			/* with last: mail would go */
	struct slice	text;			/* printable and LF */
};
struct ipc_job_running { uint64_t job, msgid; uint16_t nrcpt; uint32_t index[JOB_RCPT_MAX]; };

/* ---- the operator ---- */
enum ctl_verb {
	CTL_NONE,
	CTL_STATUS_MASTER, CTL_RELOAD, CTL_STOP,			/* master answers */
	CTL_STATUS_QUEUE, CTL_LIST, CTL_SHOW, CTL_HOLD, CTL_RELEASE,	/* queue answers */
	CTL_RETRY, CTL_DELETE, CTL_UNDO, CTL_FLUSH, CTL_PAUSE, CTL_RESUME, CTL_WHY,
	CTL_LOOKUP,							/* what would happen to a recipient: CTL_TEXT, step by step */
	CTL_TLS,							/* what TLS towards a domain is to be, and is: CTL_TEXT, line by line */
	CTL_VERBS
};
const char	*ctl_verb_name(unsigned);
/*
 * The conversation: ctl connects to <runtime>/control (SOCK_SEQPACKET) and sends CTL_REQUEST.
 * Master reads that one message, answers the verbs that are its own, or passes the connection with
 * the request's verb and the kernel's credentials to queue in CTL_CLIENT, after which ctl sends
 * the same CTL_REQUEST again, to queue, when master's CTL_END with status CTL_PASSED arrives.
 */
struct ipc_ctl_request {
	uint8_t		verb;
	uint8_t		all;			/* HOLD, RELEASE, RETRY, DELETE, UNDO: every message that matches */
	uint8_t		state;			/* LIST: only these states, a bit set of 1 << enum msg_state; 0 is all */
	uint64_t	msgid;			/* 0: by text */
	char		text[ADDRESS_MAX + 1];	/* FLUSH: domain; LIST, WHY, HOLD...: address or domain; "" none */
	uint8_t		has_client;		/* LOOKUP: asked as from this client */
	uint8_t		has_sender;		/* ... with this sender; "" is <> */
	struct net_addr	client;
	char		sender[ADDRESS_MAX + 1];
};
enum rcpt_state {
	RCPT_PENDING,		/* never tried, or due again */
	RCPT_ACTIVE,		/* handed to deliver: memory only, never stored */
	RCPT_DEFERRED,		/* waits after a tempfail */
	RCPT_UNSURE,		/* waits after an unsure outcome */
	RCPT_DELIVERED,
	RCPT_FAILED,		/* permanently; a notice was or will be made */
	RCPT_EXPIRED,		/* lifetime over; the same */
	RCPT_STATES
};
const char	*rcpt_state_name(unsigned);
enum msg_state { MSG_ACTIVE, MSG_QUEUED, MSG_DEFERRED, MSG_HELD, MSG_DELETED, MSG_DAMAGED, MSG_STATES };	/* for lists */
const char	*msg_state_name(unsigned);
enum held_by { HELD_NOT, HELD_OPERATOR, HELD_RULE, HELD_DAMAGED, HELD_KINDS };
struct ipc_ctl_message {
	uint64_t	msgid;
	int64_t		arrival;
	uint64_t	size;
	uint8_t		state;			/* enum msg_state */
	uint32_t	nrcpt, ndone;
	int64_t		next;			/* earliest next attempt, epoch seconds; 0 now or none */
	int64_t		expires;
	struct net_addr	client;
	char		helo[HELO_MAX + 1];
	char		sender[ADDRESS_MAX + 1];
	uint8_t		held;			/* enum held_by */
	uint8_t		by_mode;		/* enum by_mode */
	uint8_t		prioritized;
	int8_t		priority;
	uint8_t		local;			/* from a process of this host: uid */
	uint32_t	uid;
	int64_t		by_time, hold_until;	/* epoch seconds, 0 if none */
	char		envid[ENVID_MAX + 1];
	char		login[LOGIN_MAX + 1];
};
struct ipc_ctl_rcpt {
	uint64_t	msgid;
	uint32_t	index;
	uint8_t		state;			/* enum rcpt_state */
	uint32_t	attempts;
	int64_t		last, next;		/* epoch seconds, 0 if none */
	uint16_t	code;
	struct enhanced	enhanced;
	uint8_t		stage;
	char		address[ADDRESS_MAX + 1];
	char		hop[512];		/* where it goes now: hop_str() */
	char		relay[DOMAIN_MAX + 64];
	char		text[REPLY_TEXT_MAX + 1];	/* the last reply */
	uint8_t		notify;
	uint8_t		owned;			/* sender is this recipient's own, a list's owner */
	char		orcpt[ORCPT_MAX + 1];
	char		alias[ADDRESS_MAX + 1];	/* whom the client named, if an alias led here */
	char		sender[ADDRESS_MAX + 1];
};
struct ipc_ctl_text { struct slice text; };	/* WHY and SHOW: dialogue and remarks; printable and LF */
struct ipc_ctl_daemon {
	uint32_t	room, instance;
	uint8_t		role;
	uint32_t	pid;			/* 0: not running */
	uint32_t	restarts;
	int64_t		since;
	uint64_t	log_dropped;
	uint64_t	counter[8];
	char		state[64];		/* "running", "backing off 3s", "stopped: 10 crashes in 60s" */
};
struct ipc_ctl_queue {
	uint64_t	total, active, queued, deferred, held, trash;	/* messages; total excludes trash */
	uint64_t	received, delivered, bounced, expired;		/* recipients, since this queue process started; received: messages */
	uint64_t	store_octets, store_limit, free_octets;
	uint64_t	commits;
	uint8_t		pressure, paused;
};
enum ctl_status { CTL_OK, CTL_PASSED, CTL_NOT_FOUND, CTL_DENIED, CTL_BAD, CTL_FAILED, CTL_STATUSES };
struct ipc_ctl_end { uint8_t status; uint64_t count; char text[4096]; };	/* count: messages changed or listed.  text may hold LF here, and only here */

/*
 * For each message: ipc_pack_x(), ipc_unpack_x(); for those without descriptor ipc_send_x(), which
 * packs straight into the channel's datagram.  E_PROTO, E_LIMIT, E_CLOSED as in ipc.h.
 */
struct ipc;
#define IPC_PAYLOADS(P) \
	P(empty) P(start) P(conf_blob) P(conf_use) P(conf_ready) P(listener) P(channel) P(log_socket) P(ping) \
	P(pong) P(stop) P(ctl_client) P(txn_begin) P(txn_rcpt) P(txn_chunk) P(txn_commit) P(txn_abort) \
	P(txn_credit) P(txn_result) P(pressure) P(verify) P(verify_result) P(etrn) P(etrn_result) P(submit) \
	P(key) P(sign) P(signed) P(ticket_keys) P(secret) P(sasl) P(sasl_answer) P(sasl_end) \
	P(credential) P(credential_answer) P(pam_ask) P(pam_answer) P(try_tls) P(tls_report) \
	P(probe) P(probe_result) P(dns_query) P(dns_answer) P(job_begin) P(job_rcpt) \
	P(job_body) P(job_id) P(job_credit) P(job_result) P(job_done) P(job_running) P(ctl_request) \
	P(ctl_message) P(ctl_rcpt) P(ctl_text) P(ctl_daemon) P(ctl_queue) P(ctl_end)
#define IPC_PROTO(x) \
	void	ipc_pack_##x(struct wr *, const struct ipc_##x *); \
	int	ipc_unpack_##x(struct rd *, struct ipc_##x *);
IPC_PAYLOADS(IPC_PROTO)
#undef IPC_PROTO

/* ipc_send(ch, TXN_COMMIT, txn_commit, &m) */
#define ipc_send(ch, NAME, name, m) \
	(ipc_begin((ch), IPC_##NAME) == NULL ? ipc_end(ch) : \
	    (ipc_pack_##name(ipc_writer(ch), (m)), ipc_end(ch)))
struct wr *ipc_writer(struct ipc *);		/* the writer ipc_begin() gave */

#endif
