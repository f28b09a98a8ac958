/*
 * header.h -- the header section of a message that is handed in: who it is for, and what is missing in it.  Core.
 *
 * RFC 5322 3.6, RFC 6409 8 (a submission server's repairs, done here where the sender is known).  Bcc, Resent-Bcc,
 * Return-Path and Content-Length are taken out, as Postfix does; From, Date, Message-ID (their Resent- forms for a
 * message that is sent on) and a destination are put in where they are missing; an address without a domain gets ours.
 * Everything else stays as it was, octet for octet.
 */
#ifndef SENDMAIL_HEADER_H
#define SENDMAIL_HEADER_H

#include <stddef.h>

#include "common/buf.h"
#include "common/slice.h"
#include "sendmail/address.h"

struct header_facts {
	const char	*origin;	/* the domain of addresses without one */
	const char	*from;		/* address for a missing From */
	const char	*full_name;	/* and its display name, "" none; UTF-8 */
	const char	*date;		/* RFC 5322 3.3 */
	const char	*message_id;	/* with its brackets */
	int		 extract;	/* find recipients (-t) */
};

/*
 * Whether a line (without its end) begins a field: a name of printable characters, then a colon, blanks before which are
 * an obsolete habit.
 */
int	header_is_field(struct slice line);

/*
 * The header section in, whole fields that end in CRLF; out without the empty line.  rcpt is called for each recipient,
 * qualified, if facts->extract.  E_SYNTAX, E_LIMIT: why, and in field the name of the field at fault; E_NOMEM; or what
 * rcpt returned.
 */
int	header_fix(struct buf *out, struct slice in, const struct header_facts *,
	    int (*rcpt)(void *, const struct mailbox *), void *arg, struct slice *field, const char **why);

/* A display name as RFC 5322 3.2.5 has it: a phrase, quoted, or encoded words (RFC 2047).  E_LIMIT, E_NOMEM. */
int	header_add_phrase(struct buf *, const char *name);

#endif
