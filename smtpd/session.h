/*
 * session.h -- one SMTP session, the server's side (core: pure).
 *
 * Octets, answers and the time go in; replies go into env->out and actions through
 * env->ops.  No socket, no file, no clock: the shell (conn.c), the tests and the fuzzer feed the
 * same core.  RFC 5321, 1870 (SIZE), 2034 (enhanced codes), 2920 (PIPELINING),
 * 3030 (CHUNKING, BINARYMIME), 6152 (8BITMIME), 9422 (LIMITS); 2033 (LMTP); 4954 (AUTH), 6409 (submission).
 *
 * Cuts do not matter: what smtp_input() did not take is offered again with more behind
 * it, and every reply and every octet of a body is the same however the client's octets were cut.
 *
 * Units   times are milliseconds of the monotonic clock, sizes octets.
 * Owners  the caller owns session and env; the session owns its transaction, which comes from
 *         and returns to the env's pool.
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/conf.h"
#include "common/ipc_msg.h"
#include "common/limits.h"
#include "common/rcpt.h"
#include "common/slice.h"
#include "smtpd/data.h"
#include "smtpd/header.h"
#include "smtpd/lines.h"

#define REPLIES_HIGH		8192		/* replies waiting in env->out before input has to wait */
#define REPLIES_MAX		(256u << 10)	/* cap of env->out: REPLIES_HIGH and LMTP's RCPT_MAX replies to one message */
#define REWRITE_MAX		(1u << 20)	/* octets of a rewritten header section, and of the addresses put into it, where
						 * header-size-max is none */
#define REWRITE_STEP		32768	/* octets taken at once meanwhile, and given to queue at once */
#define COMMIT_WAIT_MS		540000		/* for queue's answer: less than a client's 10 minutes, 4.5.3.2.6 */
#define NAME_WAIT_MS		2000		/* for the client's name, from the connection on */
#define TLS_WAIT_MS		60000		/* for a whole TLS handshake; command-timeout where that is less */
#define SASL_WAIT_MS		60000		/* for auth's answer to one step of AUTH */
#define SASL_DELAY_MAX_MS	30000		/* what auth's delay of an answer counts up to */
#define DISCARD_MIN		(1u << 20)	/* past the size limit at least this is read on, else twice the limit */
#define RCPTS_TOTAL_MAX		(128u << 20)	/* octets of recipients of all sessions; past it 452 */
#define TXN_POOL_MAX		64		/* idle transactions kept for the next MAIL */
#define TXN_RCPT_OCTETS		(1 + ADDRESS_MAX + 1 + ORCPT_MAX + 1)	/* of one recipient in t->rcpts, at most */
#define TXN_RCPTS_KEEP		4096		/* octets of recipients an idle transaction may keep */

enum smtp_state {
	ST_CONNECT = 1,		/* greeted; neither EHLO nor HELO yet */
	ST_HELO = 2,		/* no transaction */
	ST_MAIL = 4,		/* reverse-path given */
	ST_RCPT = 8,		/* and at least one recipient accepted */
	ST_NAME = 16,		/* DATA was said; the client's name is awaited */
	ST_DATA = 32,		/* 354 was given */
	ST_COMMIT = 64,		/* final dot seen; queue's answer is awaited */
	ST_CLOSED = 128,	/* the last reply is written; nothing is read any more */
	ST_ASK = 256,		/* a command waits for an answer: RCPT for a call-ahead, ETRN for queue */
	ST_BDAT = 512,		/* the octets of a chunk are being read (RFC 3030) */
	ST_CHUNKS = 1024,	/* between two chunks */
	ST_TLS = 2048,		/* a TLS handshake is under way: the shell's */
	ST_AUTH = 4096,		/* AUTH: the client's response is read */
	ST_SASL = 8192,		/* AUTH: auth's answer is awaited, or the moment to tell it */
	ST_ANY = ST_CONNECT | ST_HELO | ST_MAIL | ST_RCPT | ST_CHUNKS,	/* where commands are read */
};

enum smtp_fate {		/* what the reply after the final dot will be */
	FATE_OK,
	FATE_SIZE,		/* 552 5.3.4 */
	FATE_HOPS,		/* 554 5.4.6 */
	FATE_FULL,		/* 452 4.3.1 */
	FATE_IO,		/* 451 4.3.0 */
	FATE_MEMORY,		/* 452 4.3.0: ours */
	FATE_EXPANSION,		/* 554 5.4.6: aliases lead to too many, or to nobody */
	FATE_HEADER_SIZE,	/* 552 5.3.4 */
	FATE_HEADER_COUNT,	/* 552 5.3.4 */
	FATE_LINE,		/* 554 5.6.0 */
	FATE_NUL,		/* 550 5.6.0 */
	FATE_FROM,		/* 554 5.6.0 */
	FATE_BARE_CR,		/* 554 5.6.11: by BDAT; by DATA the session ends */
	FATE_BARE_LF,		/* 554 5.6.11 */
	FATES
};

struct smtp_txn {		/* a mail transaction; while there is none, no memory */
	struct smtp_txn	*next;		/* in the pool */
	uint64_t	 size_hint;	/* SIZE= or 0 */
	uint64_t	 octets_in;	/* of DATA, dots and all, or of chunks: rate and discard */
	uint64_t	 taken;		/* of the message as it came, or came before it failed */
	uint64_t	 size_max;	/* message-size-limit when it began */
	uint64_t	 body_len;	/* and as handed on */
	uint64_t	 since_ms;	/* start of data, moved on by the time we made the client wait */
	uint64_t	 last_ms;	/* last octets, or the final dot */
	uint64_t	 blocked_ms;	/* since when window or queue hold us up; 0: they do not */
	uint32_t	 window;	/* octets queue still takes */
	uint32_t	 nrcpt;
	uint32_t	 id;		/* the shell's number */
	struct data_decoder dec;
	struct header	 header;
	struct header_limits limits;
	struct lines	 lines;
	uint32_t	 line_max;	/* 0: any */
	uint8_t		 lined;		/* lines are looked at, not only by the decoder */
	uint8_t		 rewriting;	/* the header section is kept in pend until it is whole */
	uint8_t		 ending;	/* all of the message is here, but pend has not gone yet */
	struct buf	 pend;		/* rewritten, and waiting for the window */
	uint8_t		 body;		/* enum body_kind */
	uint8_t		 begun;		/* queue knows of it and has not ended it */
	uint8_t		 fate;		/* enum smtp_fate; not FATE_OK: the rest is discarded */
	uint8_t		 utf8;		/* SMTPUTF8 was declared */
	uint8_t		 ret;		/* enum dsn_ret */
	uint8_t		 by_mode;	/* enum by_mode */
	uint8_t		 by_trace;
	uint8_t		 prioritized;
	int8_t		 priority;
	uint8_t		 hold;		/* an access rule says so */
	uint8_t		 header8;	/* seen in the header section: octets that are not ASCII */
	int32_t		 by_s;
	int64_t		 hold_until;	/* epoch seconds, 0 none */
	uint32_t	 ask_len;	/* ST_ASK: octets of rcpts before the recipient that is asked about */
	struct buf	 rcpts;		/* records: notify (one octet), address NUL, orcpt NUL; see txn_rcpt_next() */
	char		 envid[ENVID_MAX + 1];
	char		 sender[ADDRESS_MAX + 1];
};

struct smtp_chunk {		/* BDAT */
	uint64_t	 size;		/* as announced */
	uint64_t	 left;		/* octets still to come */
	uint64_t	 skipped;	/* octets of chunks that belong to no message, since the last reset (R4) */
	uint64_t	 since_ms;	/* its start, and its last octets: while it is skipped */
	uint64_t	 last_ms;
	const char	*skip;		/* why it belongs to no message; NULL: it does */
	uint32_t	 from;		/* enum smtp_state at its command */
	uint8_t		 last;		/* LAST was said */
	uint8_t		 waits;		/* ST_NAME: for the client's name */
	uint8_t		 told;		/* the client knows that this message, or these chunks, failed */
};

struct smtp_sasl {		/* an AUTH exchange (RFC 4954 4); freed with it, wiped */
	uint64_t	 since_ms;	/* of the question that auth has not answered */
	uint64_t	 until_ms;	/* not 0: auth has ended it, and the client is told no sooner */
	uint8_t		 mechanism;	/* enum sasl_mechanism */
	uint8_t		 open;		/* auth has it, and has not ended it */
	uint8_t		 status;	/* enum sasl_status, how it ended */
	uint8_t		 last;		/* SASL_OK: its data was sent, the client's empty line is awaited */
	uint32_t	 ndata;
	char		*data;		/* of SASL_OK, malloc'd; NULL none */
	char		 login[LOGIN_MAX + 1];	/* auth's: whom it is about */
};

enum auth_event {
	AUTH_TAKEN,		/* s->login is who it is */
	AUTH_FAILED,		/* wrong, unknown, not allowed */
	AUTH_REFUSED,		/* not looked at now */
	AUTH_CLAIMED,		/* MAIL has AUTH=: what it says, which nobody believes */
};

struct smtp_session;

struct smtp_ops {
	/* BEGIN and RCPTs to queue, from s->txn.  E_OK, else nothing was begun. */
	int	(*txn_begin)(struct smtp_session *);
	int	(*txn_body)(struct smtp_session *, struct slice);	/* borrows; within the window */
	int	(*txn_commit)(struct smtp_session *);
	void	(*txn_abort)(struct smtp_session *);		/* after a txn_begin that succeeded */
	/* A call-ahead for s->ask, or ETRN.  E_OK: smtp_verified() or smtp_etrn_done() will come, else nothing was asked. */
	int	(*verify)(struct smtp_session *, const char *address);
	int	(*etrn)(struct smtp_session *, enum etrn_kind, const char *name);
	/* A refusal, for the log: what was said in s->verb and s->args, the reply without CRLF. */
	void	(*reject)(struct smtp_session *, struct slice reply);
	/* Whether this is an address of ours on which the client reached us. */
	int	(*own_address)(struct smtp_session *, const struct net_addr *);
	/* XCLIENT: this is the client from now on.  Moves its share of the connections, sets s->client, and asks for its name
	 * unless it is named (s->name_pending).  Else why says which limit, and nothing is changed. */
	int	(*client)(struct smtp_session *, const struct net_addr *, int named, const char **why);
	/* XCLIENT or XFORWARD (s->verb) was taken; for the log. */
	void	(*introduced)(struct smtp_session *);
	/* E_OK: a handshake begins once the replies have gone, and smtp_tls_started() or smtp_tls_failed() comes.  E_LIMIT: too
	 * many are under way; else TLS cannot be had now. */
	int	(*starttls)(struct smtp_session *);
	/* What an access rule says for the log: "hold", "warn", "info"; its text, and what it is about.  NULL: no log. */
	void	(*note)(struct smtp_session *, const char *what, struct slice text, const char *about);
	/* A step of AUTH to auth: s->sasl says of what.  first: it begins there, and data is an initial response if initial.
	 * E_OK: smtp_sasl_answer() will come, else nothing was asked.  data is not kept. */
	int	(*sasl_step)(struct smtp_session *, int first, int initial, struct slice data);
	void	(*sasl_end)(struct smtp_session *);	/* no answer is awaited any more */
	/* For the log: mechanism is NULL with AUTH_CLAIMED. */
	void	(*auth_event)(struct smtp_session *, enum auth_event, const char *mechanism, struct slice login);
};

struct smtp_env {		/* what all sessions of a process share */
	const struct conf	*conf;		/* may change between two calls: a reload serves all sessions */
	const struct smtp_ops	*ops;
	struct buf		*out;		/* replies of the present call; the caller sends and drains it */
	uint8_t			 queue_up;
	uint8_t			 pressure;	/* enum pressure */
	uint8_t			 throttled;	/* queue's channel is full: no body octets for now */
	uint8_t			 stopping;	/* no new transactions */
	int64_t			 wall_s;	/* epoch seconds at the present call: HOLDUNTIL and BY are absolute */
	size_t			 rcpts;		/* octets of recipients in all open transactions */
	size_t			 rcpts_max;	/* past it 452; 0: no bound */
	struct smtp_txn		*pool;
	unsigned		 npool;
	struct arena		 scratch;	/* of one look-up of aliases */
	struct rcpt_verdict	 verdict;	/* of the recipient being looked at */
	uint64_t		 message_ids;	/* Message-ID fields made so far */
	char			 sasl[SASL_DATA_MAX];	/* a response, decoded; wiped before the call is over */
};

struct smtp_session {
	struct smtp_env	*env;
	uint64_t	 id;		/* for logs */
	uint64_t	 now_ms;	/* of the present call */
	uint64_t	 opened_ms;
	uint64_t	 command_ms;	/* since when a command is awaited */
	uint64_t	 octets_in;
	struct smtp_txn	*txn;		/* from MAIL to the end of the transaction */
	const char	*reason;	/* why it ended; NULL while open */
	const char	*verb;		/* of the present command, for logs */
	struct slice	 args;		/* of the present command; borrows from the input */
	struct slice	 response;	/* of AUTH: what stands behind the mechanism, and is never logged */
	uint32_t	 state;		/* enum smtp_state; smtp_set_state() is the one writer */
	uint32_t	 errors;	/* 5yz replies since the last accepted message */
	uint32_t	 commands;	/* since the last accepted message; accepted RCPTs do not count */
	uint32_t	 commands_all;
	uint32_t	 messages;	/* accepted */
	uint32_t	 mails;		/* transactions begun by MAIL */
	uint32_t	 ask_from;	/* ST_ASK: the state it came from */
	uint64_t	 ask_ms;	/* and since when */
	uint16_t	 scanned;	/* octets of an unfinished line that hold no line end */
	uint16_t	 port;
	uint8_t		 esmtp;		/* EHLO or LHLO was said */
	uint8_t		 lmtp;		/* the listener speaks LMTP: LHLO, a reply per recipient (RFC 2033) */
	uint8_t		 local;		/* a process of this host, known by uid; client is :: */
	uint32_t	 uid;
	uint8_t		 may_relay;
	uint8_t		 name_pending;	/* the shell asked resolver */
	uint8_t		 quiet;		/* not SMTP at all: no reply, end at once */
	struct net_addr	 client;
	struct smtp_chunk chunk;
	const char	*listener;	/* the shell's */
	const struct conf_listener *conf_listener;	/* of the snapshot in use; the shell renews it at a reload; NULL: gone */
	char		*etrn;		/* the node of the last ETRN, malloc'd; NULL none */
	struct smtp_forward *forward;	/* XFORWARD's attributes, malloc'd; NULL none */
	const char	*origin;	/* their client as one text for logs, within forward; NULL none */
	struct net_addr	 peer;		/* the connection's own client: who may say XCLIENT, XFORWARD; :: is nobody */
	struct net_addr	 own;		/* our address towards the client, if own_known: the shell's socket does not say */
	uint8_t		 own_known;
	uint16_t	 xclient;	/* what XCLIENT said of this client, bits of cmd_xclient.c */
	uint8_t		 tls;		/* the session is under TLS */
	uint8_t		 tls_first;	/* implicit TLS, and its handshake is not over: nothing was said yet (RFC 8314 3.3) */
	uint32_t	 behind;	/* octets behind the present command in what was offered */
	const char	*tls_text;	/* the shell's: "TLSv1.3 TLS_AES_256_GCM_SHA384 X25519"; NULL without TLS */
	const char	*external;	/* the shell's: whom the client's certificate names, if it was verified; NULL nobody */
	uint8_t		 bindable;	/* the shell has a channel binding of this TLS */
	uint8_t		 authed;	/* login is by AUTH */
	uint8_t		 discreet;	/* AUTH was said: a line that is no command may be a response gone astray, and is not logged */
	uint8_t		 auth_failures;
	struct smtp_sasl *sasl;		/* malloc'd; NULL: no AUTH is under way */
	uint8_t		 veiled;	/* the client's address is not known: no right that goes by it */
	char		 login[LOGIN_MAX + 1];	/* by AUTH or by XCLIENT; "" unknown */
	char		 helo[HELO_MAX + 1];
	char		 name[DOMAIN_MAX + 1];	/* verified, or "" */
};

/* ---- for the shell ---- */

/* The caller has set env, id, client, peer, port, listener, conf_listener, lmtp, may_relay, name_pending, and local, uid,
 * own, veiled, tls_first where they apply; the rest is zero.  Greets, with tls_first after the handshake. */
void	smtp_open(struct smtp_session *, uint64_t now_ms);
/* Whether the client may send anywhere, by the snapshot now in use: for may_relay. */
int	smtp_relays(const struct smtp_session *);
/* Whether a right for these addresses is the client's. */
int	smtp_client_in(const struct smtp_session *, const struct conf_prefixes *);
/* Returns the octets taken.  The caller sends what is in env->out, then offers the rest again as
 * long as octets are taken and smtp_blocked() is false. */
size_t	smtp_input(struct smtp_session *, struct slice, uint64_t now_ms);
void	smtp_eof(struct smtp_session *, const char *reason);	/* the client has gone; nothing is written */
/* No use in reading now: an answer or queue's window is awaited, or the session is over. */
int	smtp_blocked(const struct smtp_session *);
static inline int
smtp_closed(const struct smtp_session *s)
{
	return (s->state == ST_CLOSED);
}

/* Answers. */
void	smtp_result(struct smtp_session *, enum txn_status, uint64_t msgid, uint64_t now_ms);
void	smtp_credit(struct smtp_session *, uint32_t octets, uint64_t now_ms);	/* 0: throttled is over */
void	smtp_queue_lost(struct smtp_session *, uint64_t now_ms);
void	smtp_name(struct smtp_session *, const char *name, uint64_t now_ms);	/* "" is unknown */
/* NULL: queue has gone, or cannot say. */
void	smtp_verified(struct smtp_session *, const struct ipc_verify_result *, uint64_t now_ms);
void	smtp_etrn_done(struct smtp_session *, const struct ipc_etrn_result *, uint64_t now_ms);
/* auth's word on the last step; NULL: auth has gone, or takes no questions. */
void	smtp_sasl_answer(struct smtp_session *, const struct ipc_sasl_answer *, uint64_t now_ms);
/* ST_TLS is over: the session begins anew, under TLS; or it is at its end.  Nothing is written in clear. */
void	smtp_tls_started(struct smtp_session *, uint64_t now_ms);
void	smtp_tls_failed(struct smtp_session *, const char *reason, uint64_t now_ms);

/* Time.  When to call smtp_time() at the latest, UINT64_MAX for never. */
uint64_t smtp_deadline(const struct smtp_session *);
void	smtp_time(struct smtp_session *, uint64_t now_ms);
/* The server stops.  Between messages the session ends with 421; within one only if force. */
void	smtp_stop(struct smtp_session *, int force, uint64_t now_ms);

void	smtp_env_clear(struct smtp_env *);	/* frees the pool */

/* ---- inside the core ---- */

void	smtp_set_state(struct smtp_session *, enum smtp_state);
void	smtp_close(struct smtp_session *, const char *reason);
void	smtp_reset(struct smtp_session *);	/* the transaction is over: RSET, EHLO, any end */

/* smtp_reply.c.  enhanced is "2.0.0" or NULL where RFC 2034 has none; text may be built with care only. */
void	smtp_reply(struct smtp_session *, unsigned code, const char *enhanced, const char *text);
void	smtp_replyf(struct smtp_session *, unsigned code, const char *enhanced, const char *fmt,
    ...)
	    __attribute__((format(printf, 4, 5)));
/* A refusal: counted, logged, and 421 in its place when there were too many.  1 if the session goes on. */
int	smtp_refuse(struct smtp_session *, unsigned code, const char *enhanced, const char *fmt,
    ...)
	    __attribute__((format(printf, 4, 5)));
/* A refusal that ends the session. */
void	smtp_refuse_close(struct smtp_session *, const char *reason, unsigned code,
    const char *enhanced,
	    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* A recipient into t->rcpts, and the next one out of them; E_NOTFOUND at the end.  Views of the buffer. */
struct txn_rcpt {
	uint8_t		 notify;
	const char	*address, *orcpt;
};
int	txn_rcpt_add(struct smtp_txn *, const struct txn_rcpt *);	/* E_LIMIT, E_NOMEM */
int	txn_rcpt_next(struct slice *rest, struct txn_rcpt *);

/* command.c: one line of at most max octets with CR LF, *line is without them.  The octets of it; 0: it is not whole, or the
 * session is at its end, *used octets being taken then. */
size_t	smtp_line_input(struct smtp_session *, struct slice in, size_t max, struct slice *line, size_t *used);
/* command.c: one command line from in; the octets taken, 0 if it is not whole.  *last: a verb that ends a group. */
size_t	smtp_command_input(struct smtp_session *, struct slice in, int *last);
/* body.c */
size_t	smtp_body_input(struct smtp_session *, struct slice in);
void	smtp_body_start(struct smtp_session *);			/* after DATA: 354 */
void	smtp_body_begin(struct smtp_session *, int chunks);	/* a message, by DATA or BDAT */
void	smtp_body_take(struct smtp_session *, struct slice);	/* its octets, within smtp_body_room() */
size_t	smtp_body_room(const struct smtp_session *);
void	smtp_body_end(struct smtp_session *);			/* all of it is here */
void	smtp_body_credit(struct smtp_session *);		/* the window has grown: what waits for it goes */
void	smtp_body_finish(struct smtp_session *);		/* and all of it has gone: COMMIT */
void	smtp_body_fail(struct smtp_session *, enum smtp_fate);	/* from now on octets are dropped */
void	smtp_body_refuse(struct smtp_session *, enum smtp_fate);	/* one reply, nothing else */
void	smtp_body_reply(struct smtp_session *, enum smtp_fate);	/* a reply, or one per recipient, and the end of it */
uint64_t smtp_body_limit(const struct smtp_session *);		/* message-size-limit, never 0 */
uint64_t smtp_body_patience(const struct smtp_session *);	/* octets read at most to be heard */
enum smtp_fate smtp_queue_fate(const struct smtp_session *);	/* FATE_OK: it takes messages */
int	smtp_queue_takes(struct smtp_session *);	/* else it has refused */
uint64_t smtp_body_deadline(const struct smtp_session *);
int	smtp_body_queue(struct smtp_session *, struct slice);	/* octets to queue, within the window */
/* body_rewrite.c: canonical addresses in the header section of a message from a client that may relay */
int	smtp_rewrite_wanted(const struct smtp_session *);
void	smtp_rewrite_begin(struct smtp_session *);
void	smtp_rewrite_done(struct smtp_session *);		/* the section is whole */
/* complete.c: fields that a message of a submitter ought to have; for struct header */
int	smtp_missing_wanted(const struct smtp_session *);
size_t	smtp_missing(void *, unsigned has, char dst[HEADER_FIELDS_MAX]);
/* bdat.c */
size_t	smtp_chunk_input(struct smtp_session *, struct slice in);
void	smtp_chunk_start(struct smtp_session *);

/* destination.c: whether this client may send to a; dst gets the address to hand on.  Refuses by itself. */
int	smtp_destination(struct smtp_session *, const struct addr *, char dst[ADDRESS_MAX + 1]);
/* The client's own name for it becomes ORCPT, if it gave none and to is another (RFC 3461 5.2.1). */
void	smtp_original(const struct addr *, const char *to, char orcpt[ORCPT_MAX + 1]);
/* "<address>" as text for a reply. */
#define SHOWN_MAX	400
const char *smtp_shown(const char *address, char dst[static SHOWN_MAX]);

/* verify.c: the recipient behind the first before octets of t->rcpts, of smtp_destination(), is taken: 250, or
 * first a call-ahead. */
void	smtp_rcpt_taken(struct smtp_session *, size_t before);
/* ST_ASK: no answer in time. */
void	smtp_ask_over(struct smtp_session *);

/* access.c: 1 if the command may go on, else it was refused.  The client's rules, HELO's, the sender's, and who may
 * use that sender; *hold is set if one of them says so.  A recipient's rules set txn->hold. */
int	smtp_access_mail(struct smtp_session *, const char *sender, uint8_t *hold);
int	smtp_access_rcpt(struct smtp_session *, const char *address);
/* Whether commands have to wait for the client's name, because rules ask for it. */
int	smtp_access_waits(const struct smtp_session *);

/* cmd_vrfy.c: whether VRFY, EXPN get a real answer. */
int	smtp_vrfy_allowed(const struct smtp_session *);
int	smtp_expn_allowed(const struct smtp_session *);

/* cmd_auth.c: a response of the client's; what may be said now, 1 << enum sasl_mechanism; whether somebody has to say who he
 * is first; the end of an exchange that is under way; its time. */
size_t	smtp_auth_input(struct smtp_session *, struct slice in);
unsigned smtp_auth_offered(const struct smtp_session *);
int	smtp_auth_missing(const struct smtp_session *);
int	smtp_auth_listener(const struct smtp_session *);	/* AUTH is known here, if not now */
void	smtp_auth_forget(struct smtp_session *);
uint64_t smtp_auth_deadline(const struct smtp_session *);
void	smtp_auth_time(struct smtp_session *);
/* A line that is no command, for the log. */
int	smtp_auth_discreet(const struct smtp_session *);

/* cmd_starttls.c: whether EHLO lists it; whether it has to be said first; when the handshake has to be over. */
int	smtp_starttls_offered(const struct smtp_session *);
int	smtp_tls_missing(const struct smtp_session *);
uint64_t smtp_tls_deadline(const struct smtp_session *);

/* session.c: the first reply of all, and XCLIENT's. */
void	smtp_greet(struct smtp_session *);

/* cmd_xclient.c, cmd_xforward.c: whether the connection's client may say it; EHLO lists what it knows then. */
#define SMTP_XCLIENT_ATTRS	"NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT REVERSE_NAME"
#define SMTP_XFORWARD_ATTRS	"NAME ADDR PORT PROTO HELO IDENT SOURCE"
int	smtp_xclient_allowed(const struct smtp_session *);
int	smtp_xforward_allowed(const struct smtp_session *);

void	smtp_forward_reset(struct smtp_session *);	/* its transaction is over */

/* Handlers: s->args holds the arguments. */
void	cmd_ehlo(struct smtp_session *);
void	cmd_helo(struct smtp_session *);
void	cmd_mail(struct smtp_session *);
void	cmd_rcpt(struct smtp_session *);
void	cmd_data(struct smtp_session *);
void	cmd_rset(struct smtp_session *);
void	cmd_noop(struct smtp_session *);
void	cmd_vrfy(struct smtp_session *);
void	cmd_expn(struct smtp_session *);
void	cmd_help(struct smtp_session *);
void	cmd_quit(struct smtp_session *);
void	cmd_bdat(struct smtp_session *);
void	cmd_etrn(struct smtp_session *);
void	cmd_lhlo(struct smtp_session *);
void	cmd_starttls(struct smtp_session *);
void	cmd_auth(struct smtp_session *);
void	cmd_xclient(struct smtp_session *);
void	cmd_xforward(struct smtp_session *);
void	cmd_http(struct smtp_session *);

#endif
