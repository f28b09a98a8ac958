/*
 * trial.h -- posternctl tls: what TLS towards a next hop has to be, by which rule, and what it is
 * when it is tried.
 *
 * Shell.  A trial asks for hosts, addresses and TLSA records afresh, decides by policy_new() as for
 * mail, and speaks to each host up to where MAIL would come: EHLO, STARTTLS, the handshake, EHLO,
 * QUIT.  No session is resumed, nobody logs in, and nothing of it counts for mail.  Its report is
 * text for the operator, sent as it grows (TLS_REPORT).
 */
#ifndef DELIVER_TRIAL_H
#define DELIVER_TRIAL_H

#include "common/buf.h"
#include "deliver/conn.h"
#include "deliver/route.h"
#include "deliver/tls.h"

struct trial {
	struct trial	*prev, *next;	/* in d->trials */
	struct deliver	*d;
	struct ipc_try_tls ask;
	uint64_t	 end_ms, host_end_ms;
	struct pool_dest *dest;		/* without the login */
	struct route	*route;
	struct hosts_cursor cursor;
	size_t		 host;		/* that was told of last, and one */
	struct conn	*conn;
	struct tls_policy *policy;	/* of the host that is told of or tried */
	unsigned	 ntried, ngood, nlater;	/* addresses tried; that mail would use, at once or at a later attempt */
	int		 told;		/* the route was */
	struct buf	 out;
};

int	trial_begin(struct deliver *, struct rd *);		/* TRY_TLS: E_OK, E_PROTO */
void	trial_answered(struct route *);				/* nothing of it is asked for any more */
void	trial_tick(struct deliver *, uint64_t now_ms);
void	trial_stop(struct deliver *, const char *why);		/* all of them; NULL: there is nobody to tell */

/* trial_text.c: lines of the report. */
__attribute__((format(printf, 2, 3))) void trial_say(struct trial *, const char *fmt, ...);
void	trial_say_route(struct trial *);			/* MX, and what they say of signatures */
void	trial_say_host(struct trial *, const struct host *);	/* its addresses, TLSA records, policy */
void	trial_say_chain(struct trial *, struct tls_peer *);	/* the certificates it showed */

#endif
