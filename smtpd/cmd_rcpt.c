/*
 * cmd_rcpt.c -- RCPT: the forward-path, and who may send where.  Core.
 *
 * RFC 5321 3.3, 4.1.1.3, 3.6.1 (source routes are dropped by the parser), 4.5.1 (postmaster),
 * 4.5.3.1.10 (too many: 452).  A message is taken for: a recipient of a final domain;
 * anybody at a relay domain; anybody at all if the client is in relay-from.  A local part that
 * asks for another hop (a%b@, a!b@, "a@b"@) is only a name here, and is not passed on for
 * strangers, since the next host might read more into it.
 */
#include <string.h>
#include <strings.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/reply.h"
#include "smtpd/params.h"
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

/* Whether this client may send to a; dst gets the address to hand on.  Refuses by itself. */
static int
destination(struct smtp_session *s, const struct addr *a, char dst[ADDRESS_MAX + 1])
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

void
cmd_rcpt(struct smtp_session *s)
{
	struct slice	 args = s->args, rest;
	struct smtp_txn	*t = s->txn;
	struct addr	 a;
	struct param	 pa;
	char		 to[ADDRESS_MAX + 1];
	const char	*why = "syntax";
	size_t		 used, n;
	int		 err;

	for (n = 0; n < 3 && n < args.n && (args.p[n] | 0x20) == ("to:"[n] | 0x20); n++)
		;
	if (n < 3) {
		smtp_refuse(s, 501, "5.5.2", "RCPT TO:<address>");
		return;
	}
	while (n < args.n && args.p[n] == ' ')
		n++;
	args = slice_make(args.p + n, args.n - n);
	if (addr_parse_path(&a, args, &used, ADDR_POSTMASTER_OK, &why) != E_OK) {
		smtp_refuse(s, 501, "5.1.3", "bad recipient address: %s", why);
		return;
	}
	if (used < args.n && args.p[used] != ' ' && args.p[used] != '\t') {
		smtp_refuse(s, 501, "5.1.3",
		    "bad recipient address: something follows its bracket");
		return;
	}
	rest = slice_make(args.p + used, args.n - used);
	if ((err = param_next(&rest, &pa)) != E_NOTFOUND) {
		if (err == E_OK)
			smtp_refuse(s, 555, "5.5.4", "RCPT: unknown parameter");
		else
			smtp_refuse(s, 501, "5.5.4", "RCPT: malformed parameter");
		return;
	}
	if (t->nrcpt >= s->env->conf->smtpd.rcpt_max) {
		smtp_refuse(s, 452, "4.5.3", "too many recipients, %u are taken at once",
		    s->env->conf->smtpd.rcpt_max);
		return;
	}
	if (!destination(s, &a, to))
		return;
	n = strlen(to) + 1;
	if ((s->env->rcpts_max != 0 && n > s->env->rcpts_max - s->env->rcpts) ||
	    buf_add(&t->rcpts, to, n) != E_OK) {
		smtp_refuse(s, 452, "4.3.0", "no memory for more recipients");
		return;
	}
	s->env->rcpts += n;
	t->nrcpt++;
	s->commands--;			/* a large message is no idle chatter */
	smtp_set_state(s, ST_RCPT);
	smtp_reply(s, 250, "2.1.5", "recipient ok");
}
