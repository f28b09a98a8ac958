/*
 * destination.c -- what RCPT answers to a recipient: the resolver's verdict (common/rcpt.h) as a reply.  Core.
 *
 * RFC 5321 3.6.1, 3.6.2.  Whom we do not know is refused here, never bounced later (R16).
 */
#include <stdio.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/reply.h"
#include "smtpd/session.h"

#define SCRATCH_MAX	(1u << 20)	/* octets to look behind an alias; what does not fit is taken, and queue sees it */

const char *
smtp_shown(const char *address, char dst[static SHOWN_MAX])
{
	return (text_escape(dst, SHOWN_MAX, slice_str(address)));
}

static int
refuse(struct smtp_session *s, const struct addr *a, enum rcpt_kind kind)
{
	char		 text[SHOWN_MAX];
	const char	*enhanced, *why;
	unsigned	 code;

	why = rcpt_reply(kind, &code, &enhanced);
	smtp_refuse(s, code, enhanced, "<%s>: %s", smtp_shown(a->text, text), why);
	return (0);
}

void
smtp_original(const struct addr *a, const char *to, char orcpt[ORCPT_MAX + 1])
{
	if (orcpt[0] == '\0' && a->domain_off != 0 && !a->literal && strcmp(a->text, to) != 0)
		(void)snprintf(orcpt, ORCPT_MAX + 1, "%s;%s", a->utf8 ? "utf-8" : "rfc822", a->text);
}

int
smtp_destination(struct smtp_session *s, const struct addr *a, char dst[ADDRESS_MAX + 1])
{
	struct smtp_env		*env = s->env;
	struct rcpt_verdict	*v = &env->verdict;
	struct rcpt_ask		 ask = {
		.conf = env->conf,
		.addr = a,
		.may_relay = s->may_relay,
		.own = a->literal && env->ops->own_address(s, &a->ip),
	};
	char			 own[ADDRESS_MAX + 1];

	/* This host's address in place of the domain is no way around the rules for that domain's mailboxes. */
	if (!smtp_access_rcpt(s, a->text) ||
	    (ask.own && rcpt_own_address(&ask, own) == E_OK && !smtp_access_rcpt(s, own)))
		return (0);
	if (env->scratch.cap == 0)
		arena_init(&env->scratch, SCRATCH_MAX);
	rcpt_verdict(&ask, &env->scratch, v);
	if (v->kind > TO_DISCARD)
		return (refuse(s, a, v->kind));
	memcpy(dst, v->address, strlen(v->address) + 1);
	return (1);
}
