/*
 * cmd_xforward.c -- XFORWARD: whom a message came from before the host that sends it on to us.  Core.
 *
 * Postfix's XFORWARD_README.  For logs alone: nothing is decided by it.  Several commands add up, a later value
 * replaces an earlier one, and all is forgotten at the end of the transaction.  Characters that are special in a
 * header or an address become '?'.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "smtpd/session.h"
#include "smtpd/xclient.h"

void
smtp_forward_reset(struct smtp_session *s)
{
	s->origin = NULL;
	free(s->forward);
	s->forward = NULL;
}

/* A name of that host's, which need not be a domain. */
static int
take_word(char *dst, size_t size, const char *value)
{
	size_t	i;

	for (i = 0; value[i] != '\0'; i++) {
		if (i + 1 >= size)
			return (E_LIMIT);
		if ((unsigned char)value[i] <= ' ' || (unsigned char)value[i] > 126)
			return (E_SYNTAX);
		dst[i] = strchr("<>()[]\\\";@", value[i]) != NULL ? '?' : value[i];
	}
	dst[i] = '\0';
	return (E_OK);
}

static int
take_addr(char dst[NET_ADDR_STRLEN], const char *value)
{
	struct net_addr	a;

	if (xattr_addr(value, &a) != E_OK)
		return (E_SYNTAX);
	net_addr_str(&a, dst);
	return (E_OK);
}

static int
take_port(char dst[6], const char *value)
{
	uint16_t	port;

	if (xattr_port(value, &port) != E_OK)
		return (E_SYNTAX);
	snprintf(dst, 6, "%u", port);
	return (E_OK);
}

static int
take_source(char dst[7], const char *value)
{
	int	here = slice_caseeq(slice_str(value), SLICE_LIT("LOCAL"));

	if (!here && !slice_caseeq(slice_str(value), SLICE_LIT("REMOTE")))
		return (E_SYNTAX);
	snprintf(dst, 7, "%s", here ? "LOCAL" : "REMOTE");
	return (E_OK);
}

static int
take(struct smtp_forward *f, const struct xattr *a)
{
	enum { NAME, ADDR, PORT, PROTO, HELO, IDENT, SOURCE, KNOWN };
	static const char *const	names[KNOWN] = { "NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE" };
	char *const			at[KNOWN] = { f->name, f->addr, f->port, f->proto, f->helo, f->ident, f->source };
	int				i = 0;

	while (i < KNOWN && !slice_caseeq(a->name, slice_str(names[i])))
		i++;
	if (i == KNOWN)
		return (E_SYNTAX);
	if (i == ADDR)
		f->is_local = a->unavailable;
	if (a->unavailable) {
		at[i][0] = '\0';
		return (E_OK);
	}
	switch (i) {
	case ADDR:
		return (take_addr(f->addr, a->value));
	case PORT:
		return (take_port(f->port, a->value));
	case SOURCE:
		return (take_source(f->source, a->value));
	case PROTO:
		return (take_word(f->proto, sizeof(f->proto), a->value));
	default:
		return (take_word(at[i], sizeof(f->name), a->value));
	}
}

static void
set_origin(struct smtp_forward *f)
{
	if (f->is_local)
		snprintf(f->origin, sizeof(f->origin), "local");
	else
		snprintf(f->origin, sizeof(f->origin), "%s[%s]%s%s", f->name[0] != '\0' ? f->name : "unknown",
		    f->addr[0] != '\0' ? f->addr : "unknown", f->port[0] != '\0' ? ":" : "", f->port);
}

int
smtp_xforward_allowed(const struct smtp_session *s)
{
	return (s->conf_listener != NULL && !net_addr_is_any(&s->peer) &&
	    conf_prefixes_have(&s->conf_listener->xforward_from, &s->peer));
}

void
cmd_xforward(struct smtp_session *s)
{
	struct smtp_forward	 f = { 0 };
	struct xattr		 a;
	struct slice		 rest = s->args;
	unsigned		 n = 0;
	int			 err;

	if (!smtp_xforward_allowed(s)) {
		smtp_refuse(s, 550, "5.7.1", "XFORWARD is not for you");
		return;
	}
	if (s->forward != NULL)
		f = *s->forward;
	for (; (err = xattr_next(&rest, &a)) == E_OK; n++) {
		if (take(&f, &a) != E_OK) {
			smtp_refuse(s, 501, "5.5.4", "XFORWARD: bad attribute or value: %.*s", (int)(a.name.n < 32 ? a.name.n : 32), a.name.p);
			return;
		}
	}
	if (err != E_NOTFOUND || n == 0) {
		smtp_refuse(s, 501, "5.5.4", "XFORWARD ATTRIBUTE=value ..., values in xtext");
		return;
	}
	if (s->forward == NULL && (s->forward = malloc(sizeof(*s->forward))) == NULL) {
		smtp_refuse(s, 452, "4.3.0", "no memory for it");
		return;
	}
	set_origin(&f);
	*s->forward = f;
	s->origin = s->forward->origin;
	if (s->env->ops->introduced != NULL)
		s->env->ops->introduced(s);
	smtp_reply(s, 250, "2.0.0", "ok");
}
