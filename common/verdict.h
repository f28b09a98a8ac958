/*
 * verdict.h -- what becomes of a message, from what smtpd said.  Core.
 *
 * A refusal for now (4yz) leaves it where it is; a refusal for good (5yz) of some recipients or all is reported
 * to its sender.  Where some recipients are taken and others not for now, the others wait by themselves.
 */
#ifndef COMMON_VERDICT_H
#define COMMON_VERDICT_H

#include <stddef.h>

#include "common/submit.h"

enum verdict {
	VERDICT_SEND,		/* some recipients were taken: go on with the message */
	VERDICT_SENT,
	VERDICT_LATER,		/* all of it, another time */
	VERDICT_FAILED,		/* all of it, for good */
};

enum fate { FATE_SENT, FATE_LATER, FATE_FAILED };	/* of one recipient */

/* In SUBMIT_CHOICE. */
enum verdict verdict_envelope(const struct submit *, const struct submit_mail *);
/* In SUBMIT_DONE. */
enum verdict verdict_message(const struct submit *);
/* The answer that decides for one recipient: to MAIL, its RCPT, or the message. */
const struct submit_answer *verdict_answer(const struct submit *, const struct submit_rcpt *);
/* One recipient's, once the whole message's is known. */
enum fate verdict_fate(const struct submit *, const struct submit_rcpt *, enum verdict);
size_t	verdict_count(const struct submit *, const struct submit_mail *, enum verdict, enum fate);
/* RFC 3461 4.1: whether the sender wants to hear of this recipient's failure. */
int	verdict_wants_notice(const struct submit_rcpt *);

#endif
