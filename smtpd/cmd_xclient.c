/*
 * cmd_xclient.c -- XCLIENT: a host in front of us says whom it speaks for.  Core.
 *
 * Postfix's XCLIENT_README.  What is said stands until the end of the session or the next XCLIENT: it decides about
 * relaying, access rules, limits and names as if that client had connected itself, so the session starts over with a
 * greeting.  Who may say it is decided by the connection's own address alone: it cannot be said away, nor gained.
 *
 * Stricter than Postfix in one thing: a second ADDR begins another client, of whom nothing said before holds.  Else one client
 * could inherit the name or the login of another.
 */
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "smtpd/session.h"
#include "smtpd/xclient.h"

struct xclient {
	unsigned	 seen;		/* bits */
	struct net_addr	 addr, own;	/* :: is unavailable */
	uint16_t	 port, own_port;
	uint8_t		 esmtp;
	char		 name[DOMAIN_MAX + 1];	/* "" unavailable */
	char		 reverse[DOMAIN_MAX + 1];
	char		 helo[HELO_MAX + 1];
	char		 login[LOGIN_MAX + 1];
};

enum {
	NAME = 1, ADDR = 2, PORT = 4, PROTO = 8, HELO = 16, LOGIN = 32, DESTADDR = 64, DESTPORT = 128, REVERSE = 256,
};

static int
take_name(char dst[DOMAIN_MAX + 1], const struct xattr *a)
{
	const char	*why;

	dst[0] = '\0';
	return (a->unavailable || a->later ? E_OK : domain_parse(dst, slice_str(a->value), &why));
}

static int
take_addr(struct net_addr *dst, const struct xattr *a)
{
	*dst = (struct net_addr){ { 0 } };
	return (a->unavailable ? E_OK : xattr_addr(a->value, dst));
}

static int
take_port(uint16_t *dst, const struct xattr *a)
{
	*dst = 0;
	return (a->unavailable ? E_OK : xattr_port(a->value, dst));
}

/* As after EHLO: a domain or an address literal. */
static int
take_helo(char dst[HELO_MAX + 1], const struct xattr *a)
{
	struct slice	 v = slice_str(a->value);
	char		 dom[DOMAIN_MAX + 1];
	struct net_addr	 ip;
	const char	*why;

	dst[0] = '\0';
	if (a->unavailable)
		return (E_OK);
	if (v.p[0] == '[' ? addr_literal_parse(&ip, v) != E_OK : domain_parse(dom, v, &why) != E_OK)
		return (E_SYNTAX);
	return (slice_copy(v, dst, HELO_MAX + 1));
}

static int
take_login(char dst[LOGIN_MAX + 1], const struct xattr *a)
{
	dst[0] = '\0';
	return (a->unavailable ? E_OK : slice_copy(slice_str(a->value), dst, LOGIN_MAX + 1));
}

static int
take_proto(const struct smtp_session *s, uint8_t *esmtp, const struct xattr *a)
{
	struct slice	v = slice_str(a->value);

	*esmtp = (uint8_t)!slice_caseeq(v, SLICE_LIT("SMTP"));
	return (!*esmtp || slice_caseeq(v, SLICE_LIT("ESMTP")) ||
	    (s->lmtp && slice_caseeq(v, SLICE_LIT("LMTP"))) ? E_OK : E_SYNTAX);
}

static int
take(const struct smtp_session *s, struct xclient *x, const struct xattr *a)
{
	static const struct { const char *name; unsigned bit; } known[] = {
		{ "NAME", NAME }, { "ADDR", ADDR }, { "PORT", PORT }, { "PROTO", PROTO }, { "HELO", HELO },
		{ "LOGIN", LOGIN }, { "DESTADDR", DESTADDR }, { "DESTPORT", DESTPORT }, { "REVERSE_NAME", REVERSE },
	};
	size_t	i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_caseeq(a->name, slice_str(known[i].name)))
			break;
	if (i == sizeof(known) / sizeof(known[0]))
		return (E_SYNTAX);
	x->seen |= known[i].bit;
	switch (known[i].bit) {
	case NAME:
		return (take_name(x->name, a));
	case REVERSE:		/* not confirmed, so nothing depends on it */
		return (take_name(x->reverse, a));
	case ADDR:
		return (take_addr(&x->addr, a));
	case DESTADDR:
		return (take_addr(&x->own, a));
	case PORT:
		return (take_port(&x->port, a));
	case DESTPORT:
		return (take_port(&x->own_port, a));
	case HELO:
		return (take_helo(x->helo, a));
	case LOGIN:
		return (take_login(x->login, a));
	default:
		return (take_proto(s, &x->esmtp, a));
	}
}

/* Address and name, with what hangs on them.  said: what is known of this client by now.  1: go on. */
static int
become(struct smtp_session *s, const struct xclient *x, unsigned said)
{
	struct net_addr	 client = (x->seen & ADDR) != 0 ? x->addr : s->client;
	const char	*why = "";

	if ((x->seen & (ADDR | NAME)) == 0)
		return (1);
	s->opened_ms = s->now_ms;	/* the name is waited for from now on */
	if (s->env->ops->client != NULL && s->env->ops->client(s, &client, (said & NAME) != 0, &why) != E_OK) {
		smtp_refuse_close(s, "client-limit", 421, "4.7.0", "%s %s", s->env->conf->hostname, why);
		return (0);
	}
	s->client = client;
	if ((x->seen & NAME) != 0 || (said & NAME) == 0)
		memcpy(s->name, x->name, sizeof(s->name));
	return (1);
}

static void
apply(struct smtp_session *s, const struct xclient *x)
{
	unsigned	before = (x->seen & ADDR & s->xclient) != 0 ? 0 : s->xclient, said = before | x->seen;

	if (!become(s, x, said))
		return;
	smtp_reset(s);
	s->xclient = (uint16_t)said;
	if ((x->seen & ADDR) != 0)
		s->veiled = (uint8_t)net_addr_is_any(&x->addr);
	/* Of a new client also what is not said: it is unknown then. */
	if ((x->seen & PORT) != 0 || ((x->seen & ADDR) != 0 && (before & PORT) == 0))
		s->port = x->port;
	if ((x->seen & LOGIN) != 0 || ((x->seen & ADDR) != 0 && (before & LOGIN) == 0)) {
		memcpy(s->login, x->login, sizeof(s->login));
		s->authed = 0;
	}
	if ((x->seen & DESTADDR) != 0) {
		s->own = x->own;
		s->own_known = 1;
	}
	s->may_relay = (uint8_t)smtp_relays(s);
	memcpy(s->helo, x->helo, sizeof(s->helo));
	s->esmtp = s->lmtp || ((x->seen & PROTO) != 0 && x->esmtp);
	/* With HELO the client need not say it again. */
	if (s->state != ST_CONNECT && s->helo[0] == '\0')
		smtp_set_state(s, ST_CONNECT);
	else if (s->state == ST_CONNECT && s->helo[0] != '\0')
		smtp_set_state(s, ST_HELO);
	if (s->env->ops->introduced != NULL)
		s->env->ops->introduced(s);
	smtp_greet(s);
}

int
smtp_xclient_allowed(const struct smtp_session *s)
{
	return (s->conf_listener != NULL && !net_addr_is_any(&s->peer) &&
	    conf_prefixes_have(&s->conf_listener->xclient_from, &s->peer));
}

void
cmd_xclient(struct smtp_session *s)
{
	struct xclient	 x = { 0 };
	struct xattr	 a;
	struct slice	 rest = s->args;
	int		 err;

	if (!smtp_xclient_allowed(s)) {
		smtp_refuse(s, 550, "5.7.1", "XCLIENT is not for you");
		return;
	}
	while ((err = xattr_next(&rest, &a)) == E_OK) {
		if (take(s, &x, &a) != E_OK) {
			smtp_refuse(s, 501, "5.5.4", "XCLIENT: bad attribute or value: %.*s", (int)(a.name.n < 32 ? a.name.n : 32), a.name.p);
			return;
		}
	}
	if (err != E_NOTFOUND || x.seen == 0) {
		smtp_refuse(s, 501, "5.5.4", "XCLIENT ATTRIBUTE=value ..., values in xtext");
		return;
	}
	apply(s, &x);
}
