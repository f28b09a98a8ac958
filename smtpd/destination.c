/*
 * destination.c -- whether a client may send to a recipient, and whether we know it.  Core.
 *
 * RFC 5321 3.6.1, 3.6.2, 4.5.1 (postmaster).  A message is taken for: a recipient of a final domain;
 * anybody at a relay domain; anybody at all if the client may relay.  A local part that
 * asks for another hop (a%b@, a!b@, "a@b"@) is only a name here, and is not passed on for
 * strangers, since the next host might read more into it.
 */
#include <string.h>
#include <strings.h>

#include "common/addr.h"
#include "common/reply.h"
#include "smtpd/session.h"

#define SHOWN_MAX	400	/* octets of an address in a reply */

/* Mail for this host itself, where the domain is our address or missing: the host
 * name's domain if it is final here, else the postmaster setting, else the first final domain. */
static void
own_domain(struct smtp_session *s, const char *local, size_t local_len, char *dst)
{
	const struct conf		*conf = s->env->conf;
	const struct conf_domain	*d = conf_domain_find(conf, conf->hostname);
	const char			*dom = conf->hostname;
	size_t				 i, n;

	if (d == NULL || d->relay) {
		if (conf->postmaster[0] != '\0' && strlen(conf->postmaster) <= ADDRESS_MAX) {
			memcpy(dst, conf->postmaster, strlen(conf->postmaster) + 1);
			return;
		}
		for (i = 0; i < conf->ndomains; i++) {
			if (!conf->domains[i].relay) {
				dom = conf->domains[i].name;
				break;
			}
		}
	}
	n = strlen(dom) <= DOMAIN_MAX ? strlen(dom) : DOMAIN_MAX;
	memcpy(dst, local, local_len);
	dst[local_len] = '@';
	memcpy(dst + local_len + 1, dom, n);
	dst[local_len + 1 + n] = '\0';
}

static int
is_routing(const char *local)
{
	return (strpbrk(local, "%!@") != NULL);
}

/* The address as text for a reply. */
static const char *
shown(const struct addr *a, char dst[SHOWN_MAX])
{
	return (text_escape(dst, SHOWN_MAX, slice_str(a->text)));
}

static void
refuse_relay(struct smtp_session *s, const struct addr *a)
{
	char	text[SHOWN_MAX];

	smtp_refuse(s, 550, "5.7.1", "<%s>: relaying is not allowed for you", shown(a, text));
}

int
smtp_destination(struct smtp_session *s, const struct addr *a, char dst[ADDRESS_MAX + 1])
{
	const struct conf		*conf = s->env->conf;
	const struct conf_domain	*d;
	char				 local[LOCAL_PART_MAX + 1], text[SHOWN_MAX];
	int				 own = 0;

	addr_local_unquoted(a, local);
	memcpy(dst, a->text, strlen(a->text) + 1);
	if (a->domain_off == 0) {	/* only <postmaster> parses so */
		own_domain(s, a->text, a->local_len, dst);
		return (1);
	}
	if (a->literal) {
		own = s->env->ops->own_address(s, &a->ip);
		if (!own && !s->may_relay) {
			refuse_relay(s, a);
			return (0);
		}
		if (!own)
			return (1);
	}
	d = conf_domain_find(conf, own ? conf->hostname : addr_domain(a));
	if (own && (d == NULL || d->relay)) {
		if (strcasecmp(local, "postmaster") != 0) {
			smtp_refuse(s, 550, "5.1.1", "<%s>: no such mailbox here", shown(a, text));
			return (0);
		}
		own_domain(s, a->text, a->local_len, dst);
		return (1);
	}
	if (own)
		own_domain(s, a->text, a->local_len, dst);
	if (d == NULL) {
		if (!s->may_relay)
			refuse_relay(s, a);
		return (s->may_relay);
	}
	if (!d->relay && !conf_domain_takes(d, local)) {
		smtp_refuse(s, 550, "5.1.1", "<%s>: no such mailbox here", shown(a, text));
		return (0);
	}
	if (!s->may_relay && (d->relay || d->all) && is_routing(local)) {
		smtp_refuse(s, 550, "5.7.1", "<%s>: a route in the local part is not followed",
		    shown(a, text));
		return (0);
	}
	return (1);
}
