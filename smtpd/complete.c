/*
 * complete.c -- what a message that is submitted ought to have.  Core.
 *
 * RFC 6409 8.2, 8.3: Date and Message-ID are added where they are missing, on listeners with auth, to what comes from who has
 * authenticated or may relay.  No Sender (8.1, MAY): a login is not for everybody to read, and From is bound to it already where
 * that is wanted.  Mail of strangers stays as it is.
 */
#include <stdio.h>

#include "common/siphash.h"
#include "common/units.h"
#include "smtpd/session.h"

int
smtp_missing_wanted(const struct smtp_session *s)
{
	return (smtp_auth_listener(s) && s->may_relay);
}

/* A name that none other has: seconds, and a number under a key that this process drew at its start. */
static uint64_t
unique(struct smtp_session *s)
{
	const uint64_t	seed[3] = { s->env->message_ids++, s->id, (uint64_t)s->env->wall_s };

	return (siphash(seed, sizeof(seed)));
}

size_t
smtp_missing(void *arg, unsigned has, char dst[HEADER_FIELDS_MAX])
{
	struct smtp_session	*s = arg;
	char			 date[DATE_STRLEN];
	int			 n = 0;

	_Static_assert(HEADER_FIELDS_MAX > 6 + DATE_STRLEN + 2 + 13 + 16 + 1 + 16 + 1 + DOMAIN_MAX + 3, "both fields at their longest");
	if ((has & HEADER_DATE) == 0)
		n = snprintf(dst, HEADER_FIELDS_MAX, "Date: %s\r\n", date_str(s->env->wall_s, date));
	if ((has & HEADER_MESSAGE_ID) == 0)
		n += snprintf(dst + n, HEADER_FIELDS_MAX - (size_t)n, "Message-ID: <%llx.%016llx@%s>\r\n",
		    (unsigned long long)s->env->wall_s, (unsigned long long)unique(s), s->env->conf->hostname);
	return ((size_t)n);
}
