/*
 * submit.h -- the client's side of a local submission by SMTP, without I/O.  Core.
 *
 * sendmail and pickup speak it with smtpd over a Unix stream.  Octets from the server go in by submit_feed(),
 * octets for it come out in a buffer of the caller's.  One message after the other:
 *
 *	submit_init .. SUBMIT_IDLE
 *	submit_mail .. SUBMIT_CHOICE	MAIL and each RCPT were answered, see mail and rcpt[]
 *	submit_data .. SUBMIT_BODY	354; or SUBMIT_DONE: answer says why not
 *	submit_body.., submit_end .. SUBMIT_DONE, SUBMIT_OVER after a 421
 *	submit_next -> SUBMIT_IDLE	after DONE; after CHOICE by RSET
 *
 * The output is bounded: commands are written only while less than SUBMIT_OUT_HIGH octets wait, so the caller calls
 * submit_pump() after it has written some.  RFC 5321 3.3, 4.5.2; 2920; 1870; 6152; 3461; 6531.
 */
#ifndef COMMON_SUBMIT_H
#define COMMON_SUBMIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/limits.h"
#include "common/reply.h"
#include "common/slice.h"

#define SUBMIT_OUT_HIGH	32768u	/* octets waiting for the server, past which no command is added */
#define SUBMIT_OUT_CAP	(4u * SUBMIT_OUT_HIGH)
#define SUBMIT_BODY_MAX	SUBMIT_OUT_HIGH	/* octets of one submit_body(): stuffed they are at most twice that */

enum submit_state {
	SUBMIT_GREETING, SUBMIT_EHLO, SUBMIT_IDLE, SUBMIT_ENVELOPE, SUBMIT_CHOICE, SUBMIT_DATA, SUBMIT_BODY,
	SUBMIT_DOT, SUBMIT_DONE, SUBMIT_RSET, SUBMIT_QUIT, SUBMIT_OVER,
};

enum {				/* what EHLO offered */
	SUBMIT_PIPELINING = 1, SUBMIT_8BITMIME = 2, SUBMIT_SMTPUTF8 = 4, SUBMIT_DSN = 8, SUBMIT_SIZE = 16,
};

struct submit_answer {
	uint16_t	code;		/* 0: none came */
	struct enhanced	enhanced;	/* 0.0.0: it said none */
	char		*text;		/* malloc'd, printable ASCII; NULL for 2yz to MAIL and RCPT, or without memory */
};

struct submit_rcpt {
	const char	*address;	/* canonical mailbox; the caller's */
	uint8_t		 notify;	/* NOTIFY_*, 0 none */
	struct submit_answer answer;
};

struct submit_mail {			/* the caller's, valid until the message is over */
	const char	*sender;	/* "" is <> */
	uint64_t	 size;		/* 0 unknown */
	uint8_t		 body8;
	uint8_t		 utf8;		/* SMTPUTF8: said only where offered; see submit_speaks() */
	uint8_t		 ret;		/* 'F', 'H' or 0 */
	const char	*envid;		/* xtext, "" none */
	size_t		 nrcpt;
	struct submit_rcpt *rcpt;	/* answers go here */
};

struct submit {
	enum submit_state state;
	unsigned	 offers;	/* SUBMIT_PIPELINING .. */
	struct buf	*out;
	const char	*helo;
	struct submit_mail *m;
	size_t		 next;		/* command to write: 0 MAIL, 1.. RCPT */
	size_t		 heard;		/* answers that came */
	size_t		 accepted;	/* recipients */
	struct submit_answer mail;	/* to MAIL */
	struct submit_answer answer;	/* to DATA or the final dot; or the greeting, EHLO or 421 that ended it */
	uint64_t	 body_len;	/* octets of body so far, without stuffing */
	uint8_t		 at_start;	/* of a line */
	uint8_t		 last_cr;
	uint8_t		 early;		/* refused before its end: the connection serves for nothing else */
	struct reply_parser parser;
};

/* out is the caller's, with a cap of at least SUBMIT_OUT_CAP; helo too. */
void	submit_init(struct submit *, struct buf *out, const char *helo);
void	submit_clear(struct submit *);
/* Octets from the server.  E_OK, or E_PROTO, E_LIMIT: not SMTP; the state is SUBMIT_OVER then.  All is taken
 * unless the state becomes one in which the caller decides: call again with the rest afterwards. */
int	submit_feed(struct submit *, struct slice in, size_t *used);
/* The server closed. */
void	submit_eof(struct submit *);

void	submit_mail(struct submit *, struct submit_mail *);	/* in IDLE */
void	submit_pump(struct submit *);				/* any time: more commands if there is room */
void	submit_data(struct submit *);				/* in CHOICE */
int	submit_body(struct submit *, struct slice);		/* in BODY; at most SUBMIT_BODY_MAX octets; E_LIMIT, E_NOMEM */
int	submit_end(struct submit *);				/* in BODY; the final dot */
/* In CHOICE and DONE; in IDLE too.  OVER after a message that was refused in its midst, where commands would be its text. */
void	submit_next(struct submit *);
void	submit_quit(struct submit *);

/* Whether the server takes what this message needs: a non-ASCII address asks for SMTPUTF8. */
int	submit_speaks(const struct submit *, const struct submit_mail *);
void	submit_answer_clear(struct submit_answer *);
/* Whether it is one of 4yz that asks to have the rest in another transaction (RFC 5321 4.5.3.1.10). */
int	submit_too_many(const struct submit_answer *);

#endif
