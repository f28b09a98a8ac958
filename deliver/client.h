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
 * RFC 5321, 2920, 1870, 6152, 2034, 3463, 9422, 7504.
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
#include "deliver/dialogue.h"
#include "deliver/dot.h"

enum client_state {		/* the reply that is awaited */
	CS_CONNECT, CS_GREETING, CS_EHLO, CS_HELO, CS_READY, CS_RSET, CS_MAIL, CS_RCPT, CS_DATA,
	CS_BODY, CS_DOT, CS_NULLDOT, CS_QUIT, CS_OVER, CLIENT_STATES
};

enum {				/* c->offers */
	OFFER_PIPELINING = 1, OFFER_SIZE = 2, OFFER_8BITMIME = 4, OFFER_ENHANCED = 8,
};

enum client_event {
	CLIENT_WAIT,		/* nothing more without input, an event or time */
	CLIENT_RESULT,		/* one recipient's outcome is in the result */
	CLIENT_READY,		/* a message may be given */
	CLIENT_BODY,		/* the body is wanted */
	CLIENT_DONE,		/* the transaction is over; see client_reusable() */
	CLIENT_OVER,		/* close the connection; c->fail speaks for recipients without an outcome */
};

struct client_rcpt {		/* the caller's; addresses live until CLIENT_DONE or CLIENT_OVER */
	const char	*address;
	uint8_t		 done;		/* has its outcome; set by the core */
	uint8_t		 sent;
	uint8_t		 accepted;
};

struct client_mail {
	const char	*sender;	/* "" is <> */
	uint64_t	 size;		/* octets of the body */
	int		 body8;
	struct client_rcpt *rcpt;	/* those that are done are left out */
	size_t		 nrcpt;
};

struct client_result {
	size_t		 rcpt;		/* index into client_mail.rcpt */
	enum outcome	 outcome;
	enum stage	 stage;
	uint16_t	 code;		/* 0 if the host said none */
	struct enhanced	 enhanced;
	uint32_t	 retry_hint;
	char		 text[REPLY_TEXT_MAX + 1];
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
	int		 ehlo_line;	/* of the reply being read */
	uint32_t	 ntxn;		/* transactions begun */

	struct client_mail *mail;
	size_t		 next;		/* recipient whose reply (or, unpipelined, command) is next */
	size_t		 naccepted;
	uint8_t		 pipelined;	/* this transaction went out as one group */
	uint8_t		 heard;		/* something was answered in this transaction */
	uint8_t		 mail_open;	/* MAIL was accepted and not ended by data */
	uint8_t		 need_rset;
	struct dot	 dot;
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

/* Events; each is followed by client_step(). */
void	client_connected(struct client *, uint64_t now_ms);
void	client_eof(struct client *, uint64_t now_ms, const char *why);	/* end of file or a socket error */
void	client_timeout(struct client *, uint64_t now_ms);		/* deadline_ms has passed */
enum client_event client_step(struct client *, struct slice *in, uint64_t now_ms, struct client_result *);

/* After CLIENT_READY or CLIENT_DONE.  m is borrowed until CLIENT_DONE or CLIENT_OVER.  E_LIMIT, E_NOMEM. */
int	client_mail(struct client *, struct client_mail *m, uint64_t now_ms);
int	client_reusable(const struct client *);
void	client_quit(struct client *, uint64_t now_ms);

/*
 * After CLIENT_BODY: body octets as segments to write (see dot.h), then the end.  E_SYNTAX: the body may
 * not be sent; every recipient still open has failed (step on, then close).
 */
int	client_body(struct client *, struct slice in, struct slice *seg, size_t max, size_t *nseg, size_t *used);
int	client_body_end(struct client *, struct slice *end);
/* The socket took octets of the body; its last octet, that of the dot's line, has gone. */
void	client_body_sent(struct client *, size_t octets, uint64_t now_ms);
void	client_dot_sent(struct client *, uint64_t now_ms);

const char *client_state_name(enum client_state);

#endif
