/*
 * client.h -- the SMTP client of one connection.  Core: bytes, events and the time go in;
 * octets to send, outcomes and demands come out.  No socket, no clock, no memory but its own.
 *
 * The shell calls client_step() until it says CLIENT_WAIT or CLIENT_OVER, then writes what
 * c->out holds and does what was demanded.  Times are milliseconds of one monotonic clock.
 *
 * What it decides, and where RFC 5321 leaves room:
 *  - Greeting 5yz (3.1) and EHLO/HELO refusals mean "not this host": another may do (fail.outcome
 *    says OUT_PERMFAIL, and the job fails for good only if every host said so).
 *  - EHLO answered by 5yz other than 521 and 554: HELO (3.2, 4.1.4).
 *  - RCPT 452, and 552 unless its enhanced code speaks of a mailbox or of policy, mean "too many
 *    recipients" (4.5.3.1.10): tempfail; once one was accepted, with the hint to send the rest at once.
 *  - An 8-bit body is sent as it is even where 8BITMIME is not offered, without BODY=:
 *    nothing is altered, and hosts that truly strip the eighth bit have gone.
 *  - After the last octet of the final dot was sent, only 4yz and 5yz say "not delivered", only
 *    2yz says "delivered"; anything else is OUT_UNSURE (threat-model.md G3).
 *  - RFC 2920 3.1: where DATA was pipelined and no recipient was taken, a 354 gets a lone dot.
 *  - BDAT is for binary bodies alone (RFC 3030), towards hosts with CHUNKING and BINARYMIME; elsewhere the shell converts
 *    them (c->convert).  All else goes by DATA: it costs one round trip more, but nothing of the body goes to a host
 *    that wants none of its recipients, and one way is better tried than two.  A refused chunk, or the end of
 *    the chunks, is followed by RSET; inside a chunk the connection is given up.
 *  - What needs SMTPUTF8 and cannot have it fails for good: 5.6.7 by its addresses, 5.6.9 by its header (RFC 6531 3.5).
 *  - BY with by-mode R goes to hosts with DELIVERBY alone, and not below their minimum (RFC 2852 4.1.4.1): else 5.4.7.
 *    By-mode N goes anywhere; a host with DSN but without DELIVERBY is asked for DELAY too (4.1.4.2).
 *  - DSN parameters go as they came to hosts that offer DSN (RFC 3461 5.2.1); the result says who answers for
 *    success from now on.  An ORCPT that would be longer than 500 octets in its encoded form is left out.
 *  - TLS is the shell's: CLIENT_TLS asks for the handshake, client_tls_started() and client_tls_failed() say what became of
 *    it.  Octets that are there when 220 to STARTTLS was read, or when STARTTLS is about to be said, end the connection (they
 *    came in clear and would be taken for what came under TLS).  After it all that was heard is forgotten, and EHLO is said
 *    again (RFC 3207 4.2).  Where the policy leaves it open, a host that does not offer STARTTLS or refuses it by a reply is
 *    spoken to in clear; a handshake that fails ends the connection whatever the policy says.  In TLS 1.3 the host may refuse
 *    what ended the handshake for us: a connection lost before its first reply under TLS counts as such.  fail.stage is STAGE_TLS then,
 *    and the outcome is temporary: the next host may do better, the mail waits.
 *  - AUTH comes before the first message where a login is configured (RFC 4954).  Another process knows the password:
 *    CLIENT_AUTH asks for the next step.  Every refusal is temporary, since the operator can mend it.
 *  - A probe is MAIL FROM:<>, RCPT, RSET: the null sender is what every host has to take (RFC 5321 4.5.5), and what it
 *    answers for it does not hang on what it thinks of any sender.
 * RFC 5321, 2920, 1870, 6152, 2034, 3463, 9422, 7504, 3030, 6531, 3461, 2852, 6710, 3207, 8314,
 * 4954.
 */
#ifndef DELIVER_CLIENT_H
#define DELIVER_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/conf.h"
#include "common/ipc_msg.h"
#include "common/reply.h"
#include "common/slice.h"
#include "deliver/deliver_limits.h"
#include "deliver/dialogue.h"
#include "deliver/dot.h"
#include "deliver/policy.h"

enum client_state {		/* the reply that is awaited */
	CS_CONNECT, CS_GREETING, CS_EHLO, CS_HELO, CS_READY, CS_RSET, CS_MAIL, CS_RCPT, CS_DATA,
	CS_BODY, CS_DOT, CS_NULLDOT,
	CS_CHUNKS,		/* a chunk was refused: those of the others on their way */
	CS_UNDO,		/* RSET at the end of a probe */
	CS_STARTTLS,
	CS_TLS,			/* the shell's: no reply, the handshake */
	CS_LOGIN,		/* the shell's: what to say to AUTH */
	CS_AUTH,
	CS_QUIT, CS_OVER, CLIENT_STATES
};

enum {				/* c->offers */
	OFFER_PIPELINING = 1, OFFER_SIZE = 2, OFFER_8BITMIME = 4, OFFER_ENHANCED = 8,
	OFFER_CHUNKING = 16, OFFER_BINARYMIME = 32, OFFER_SMTPUTF8 = 64, OFFER_DSN = 128,
	OFFER_DELIVERBY = 256, OFFER_MT_PRIORITY = 512, OFFER_STARTTLS = 1024, OFFER_AUTH = 2048,
};

enum client_event {
	CLIENT_WAIT,		/* nothing more without input, an event or time */
	CLIENT_RESULT,		/* one recipient's outcome is in the result */
	CLIENT_READY,		/* a message may be given */
	CLIENT_BODY,		/* the body is wanted */
	CLIENT_DONE,		/* the transaction is over; see client_reusable() */
	CLIENT_TLS,		/* shake hands; then client_tls_started() or client_tls_failed() */
	CLIENT_AUTH,		/* the next step of AUTH is in c->auth; then client_auth_say(), _ok() or _failed() */
	CLIENT_OVER,		/* close the connection; c->fail speaks for recipients without an outcome */
};

struct client_rcpt {		/* the caller's; texts live until CLIENT_DONE or CLIENT_OVER */
	const char	*address;
	const char	*orcpt;		/* as in job_rcpt; NULL or "": none */
	uint8_t		 notify;
	uint8_t		 done;		/* has its outcome; set by the core */
	uint8_t		 sent;
	uint8_t		 accepted;
};

struct client_mail {
	const char	*sender;	/* "" is <> */
	uint64_t	 size;		/* octets of the body */
	uint8_t		 body;		/* enum body_kind */
	struct client_rcpt *rcpt;	/* those that are done are left out */
	size_t		 nrcpt;
	uint8_t		 probe;		/* ask for the recipients only; sender "", no body */
	uint8_t		 header8, utf8;	/* as in job_begin, and so the next */
	uint8_t		 ret, by_mode, by_trace, prioritized;
	int8_t		 priority;
	const char	*envid;		/* NULL or "": none */
	int64_t		 by_left;	/* seconds until the deadline of by_mode, at client_mail() */
};

struct client_result {
	size_t		 rcpt;		/* index into client_mail.rcpt */
	enum outcome	 outcome;
	enum stage	 stage;
	uint16_t	 code;		/* 0 if the host said none */
	struct enhanced	 enhanced;
	uint32_t	 retry_hint;
	uint8_t		 handed;	/* enum handed, if delivered */
	uint8_t		 by_passed;	/* the host took BY */
	char		 tls[TLS_TEXT_MAX + 1];	/* what it went over; "" in clear */
	char		 text[REPLY_TEXT_MAX + 1];
};

struct chunk {			/* a BDAT on its way */
	uint64_t	 end;		/* where it ends, in octets of the whole body as it is sent */
	char		 head[32];	/* its command */
};

struct client_auth {
	unsigned	 mechanisms;	/* 1 << enum sasl_mechanism, as the host offers them */
	uint8_t		 first;		/* nothing was said yet */
	uint8_t		 done;		/* the host has said 235 */
	uint8_t		 holding;	/* the initial response waits for the host's empty challenge */
	struct slice	 challenge;	/* decoded; in text */
	struct buf	 held;
	char		 text[REPLY_LINE_MAX];
};

struct client {
	enum client_state state;
	const struct conf_timeouts *timeouts;
	const char	*hostname;
	struct dialogue	*dialogue;	/* of the job served now; NULL records nothing */
	struct buf	 out;		/* octets to send; the shell drains it */
	uint64_t	 now_ms;
	uint64_t	 deadline_ms;	/* client_timeout() is due then; UINT64_MAX: never */
	struct reply_parser in;

	unsigned	 offers;
	uint64_t	 size_max;	/* with OFFER_SIZE; 0: no limit is known */
	uint32_t	 rcpt_max;	/* LIMITS RCPTMAX, 0 if none */
	uint32_t	 mail_max;	/* LIMITS MAILMAX, 0 if none */
	uint32_t	 by_min;	/* DELIVERBY's least by-time, 0 if none is known */
	int		 ehlo_line;	/* of the reply being read */
	uint32_t	 ntxn;		/* transactions begun */

	const struct tls_policy *policy;	/* NULL: in clear */
	uint8_t		 in_clear;	/* TLS failed here before, and the policy lets mail go without */
	uint8_t		 login;		/* AUTH before the first message */
	uint8_t		 tls;		/* stands */
	uint8_t		 tls_heard;	/* and the host has said something under it */
	uint8_t		 greeted;
	uint8_t		 tls_failed;	/* after CLIENT_OVER: it was TLS that failed; in clear it might do */
	uint8_t		 secret;	/* out holds a password, or what leads to one */
	char		 tls_text[TLS_TEXT_MAX + 1];	/* "" in clear */
	struct client_auth auth;

	struct client_mail *mail;
	size_t		 next;		/* recipient whose reply (or, unpipelined, command) is next */
	size_t		 naccepted;
	uint8_t		 pipelined;	/* this transaction went out as one group */
	uint8_t		 heard;		/* something was answered in this transaction */
	uint8_t		 mail_open;	/* MAIL was accepted and not ended by data */
	uint8_t		 need_rset;
	uint8_t		 utf8;		/* this transaction goes with SMTPUTF8 */
	uint8_t		 convert;	/* the body may go as lines only: client_body() gets it converted */
	uint8_t		 crowded;	/* more recipients than the host takes: the rest is told so */
	struct dot	 dot;

	uint8_t		 bdat;		/* this body goes in chunks */
	uint64_t	 bdat_todo;	/* octets that no chunk was begun for */
	uint64_t	 bdat_left;	/* octets of the chunk begun last that are to come */
	uint64_t	 bdat_given;	/* octets, with the commands, given to the shell */
	unsigned	 chunk_first, nchunk;	/* those without an answer, in a ring */
	struct chunk	 chunk[BDAT_AHEAD_MAX];
	uint8_t		 chunk_refused;
	struct client_result chunk_fail;
	uint64_t	 body_start_ms;
	uint64_t	 body_sent;

	unsigned	 pending;	/* events to give out, 1 << enum client_event */
	uint8_t		 sweep;		/* which recipients get result r next */
	size_t		 sweep_next;
	struct client_result r;

	struct client_result fail;	/* valid after CLIENT_OVER */
	uint8_t		 fail_stale;	/* a reused connection died before MAIL was answered: try again afresh */
};

/* hostname and timeouts are borrowed for the life of the client. */
void	client_init(struct client *, const char *hostname, const struct conf_timeouts *);
void	client_clear(struct client *);
/* Before client_connected().  The policy is borrowed for the life of the client. */
void	client_secure(struct client *, const struct tls_policy *, int in_clear, int login);

/* Events; each is followed by client_step(). */
void	client_connected(struct client *, uint64_t now_ms);
void	client_eof(struct client *, uint64_t now_ms, const char *why);	/* end of file or a socket error */
void	client_timeout(struct client *, uint64_t now_ms);		/* deadline_ms has passed */
enum client_event client_step(struct client *, struct slice *in, uint64_t now_ms, struct client_result *);

/* The shell has taken n octets of out: what is secret is wiped with the last of them. */
void	client_out_taken(struct client *, size_t n);

/*
 * After CLIENT_TLS, each followed by client_step().  text: version, cipher and what was verified.
 */
void	client_tls_started(struct client *, const char *text, uint64_t now_ms);
void	client_tls_failed(struct client *, const char *why, uint64_t now_ms);
/*
 * After CLIENT_AUTH, each followed by client_step().  In the first step mechanism names one of
 * those offered, and data is its initial response if has_data (it may be empty); later it is the
 * response.  Data is the caller's to wipe.
 */
void	client_auth_say(struct client *, enum sasl_mechanism, int has_data, struct slice data, uint64_t now_ms);
void	client_auth_ok(struct client *, uint64_t now_ms);	/* after done */
void	client_auth_failed(struct client *, const char *enhanced, const char *why, uint64_t now_ms);

/*
 * After CLIENT_READY or CLIENT_DONE.  m is borrowed until CLIENT_DONE or CLIENT_OVER.  E_LIMIT,
 * E_NOMEM.
 */
int	client_mail(struct client *, struct client_mail *m, uint64_t now_ms);
int	client_reusable(const struct client *);
int	client_is_sending(const struct client *);	/* its body, or it waits for what became of that */
void	client_quit(struct client *, uint64_t now_ms);

/*
 * After CLIENT_BODY: body octets as segments to write (see dot.h), then the end.  E_SYNTAX: the
 * body may not be sent; every recipient still open has failed (step on, then close).  In chunks,
 * *used may be less than what there is, or 0: until the host has answered.  The end may be empty.
 */
int	client_body(struct client *, struct slice in, struct slice *seg, size_t max, size_t *nseg, size_t *used);
int	client_body_end(struct client *, struct slice *end);
/*
 * The body cannot be sent as this host wants it: every recipient still open fails for good (step
 * on, then close).
 */
void	client_body_refuse(struct client *, const char *enhanced, const char *why);
/* The socket took octets of the body; its last octet, that of the dot's line, has gone. */
void	client_body_sent(struct client *, size_t octets, uint64_t now_ms);
void	client_dot_sent(struct client *, uint64_t now_ms);

const char *client_state_name(enum client_state);

#endif
