/*
 * cmd_vrfy.c -- VRFY and EXPN.  Core.
 *
 * RFC 5321 3.5, 4.1.1.6, 4.1.1.7, 7.3; RFC 6531 3.7.4.2 (SMTPUTF8: the reply may hold UTF-8): only
 * clients in vrfy-from and expn-from get a real answer; to others VRFY says 252 to all that is
 * text, and EXPN 502.
 */
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/reply.h"
#include "common/utf8.h"
#include "smtpd/session.h"

#define EXPN_LINES_MAX	100		/* members of a list that are told; of a longer one none */
#define EXPN_MEMORY_MAX	(1u << 20)
#define VRFY_DOMAINS_MAX 64		/* final domains in which a bare name is looked for */

int
smtp_vrfy_allowed(const struct smtp_session *s)
{
	return (smtp_client_in(s, &s->env->conf->smtpd.vrfy_from));
}

int
smtp_expn_allowed(const struct smtp_session *s)
{
	return (smtp_client_in(s, &s->env->conf->smtpd.expn_from));
}

static void
verdict(struct smtp_session *s, const struct addr *a)
{
	struct smtp_env	*env = s->env;
	struct rcpt_ask	 ask = { .conf = env->conf, .addr = a, .may_relay = s->may_relay,
		.own = a->literal && env->ops->own_address(s, &a->ip) };

	if (env->scratch.cap == 0)
		arena_init(&env->scratch, EXPN_MEMORY_MAX);
	rcpt_verdict(&ask, &env->scratch, &env->verdict);
}

/* The parameter SMTPUTF8 off the end of the arguments, if it is there. */
static int
takes_utf8(struct smtp_session *s)
{
	static const struct slice	word = { "SMTPUTF8", 8 };
	size_t				n = s->args.n;

	if (n <= word.n || s->args.p[n - word.n - 1] != ' ' ||
	    !slice_caseeq(slice_make(s->args.p + n - word.n, word.n), word))
		return (0);
	for (n -= word.n; n != 0 && s->args.p[n - 1] == ' '; n--)
		;
	s->args.n = n;
	return (1);
}

/* An address in a reply stands as it is written, quotes and all, if it is text and in ASCII or UTF-8 is taken. */
static const char *
path(const char *address, char dst[static SHOWN_MAX])
{
	return (utf8_is_text(slice_str(address)) ? address : smtp_shown(address, dst));
}

static void
refuse_utf8(struct smtp_session *s)
{
	smtp_reply(s, 252, "2.6.8", "good, but to be shown it needs the parameter SMTPUTF8");
}

/* name@domain; E_SYNTAX if that is no address. */
static int
at_domain(struct addr *a, struct slice name, const char *domain, const char **why)
{
	char	 text[ADDRESS_MAX + 1];
	size_t	 nd = strlen(domain);

	if (name.n + 1 + nd > ADDRESS_MAX) {
		*why = "longer than any address";
		return (E_LIMIT);
	}
	memcpy(text, name.p, name.n);
	text[name.n] = '@';
	memcpy(text + name.n + 1, domain, nd);
	return (addr_parse(a, slice_make(text, name.n + 1 + nd), why));
}

/* A name without a domain: the host name's domain first, then all final ones.  E_EXISTS: in several of them. */
static int
find_name(struct smtp_session *s, struct slice name, struct addr *a, const char **why)
{
	const struct conf		*conf = s->env->conf;
	const struct conf_domain	*d = conf_domain_find(conf, conf->hostname);
	struct addr			 found;
	size_t				 n = 0, looked = 0;
	int				 err;

	if (d != NULL && !d->relay) {
		if ((err = at_domain(a, name, d->name, why)) != E_OK)
			return (err);
		verdict(s, a);
		if (s->env->verdict.kind != TO_UNKNOWN)
			return (E_OK);
	}
	for (size_t i = 0; i < conf->ndomains && looked < VRFY_DOMAINS_MAX; i++) {
		if (conf->domains[i].relay || &conf->domains[i] == d)
			continue;
		looked++;
		if ((err = at_domain(a, name, conf->domains[i].name, why)) != E_OK)
			return (err);
		verdict(s, a);
		if (s->env->verdict.kind == TO_UNKNOWN)
			continue;
		found = *a;
		if (++n == 2)
			return (E_EXISTS);
	}
	if (n == 1)
		*a = found;
	else if ((err = at_domain(a, name, conf->hostname, why)) != E_OK)
		return (err);
	verdict(s, a);
	if (n == 0)
		s->env->verdict.kind = TO_UNKNOWN;
	return (E_OK);
}

/* The argument as an address, and its verdict.  1: go on. */
static int
take_address(struct smtp_session *s, struct addr *a)
{
	const char	*why = "syntax";
	size_t		 used;
	int		 err;

	if (s->args.n == 0) {
		smtp_refuse(s, 501, "5.5.4", "%s address", s->verb);
		return (0);
	}
	if (s->args.p[0] == '<') {
		if ((err = addr_parse_path(a, s->args, &used, ADDR_POSTMASTER_OK | ADDR_UTF8, &why)) == E_OK && used != s->args.n) {
			err = E_SYNTAX;
			why = "something follows its bracket";
		}
		if (err == E_OK)
			verdict(s, a);
	} else if ((err = addr_parse(a, s->args, &why)) == E_OK)
		verdict(s, a);
	else if (memchr(s->args.p, '@', s->args.n) == NULL || s->args.p[s->args.n - 1] == '"')
		err = find_name(s, s->args, a, &why);
	if (err == E_EXISTS)
		smtp_refuse(s, 553, "5.1.4", "ambiguous: say the domain too");
	else if (err != E_OK)
		smtp_refuse(s, 501, "5.1.3", "bad address: %s", why);
	return (err == E_OK);
}

/* What is no good is said the same way by both.  1: go on. */
static int
is_good(struct smtp_session *s, const struct addr *a)
{
	char	 text[SHOWN_MAX];

	switch (s->env->verdict.kind) {
	case TO_UNKNOWN:
		smtp_refuse(s, 550, "5.1.1", "<%s>: no such mailbox here", smtp_shown(a->text, text));
		break;
	case TO_LOOP:
		smtp_refuse(s, 550, "5.4.6", "<%s>: its aliases lead in a circle or to nobody",
		    smtp_shown(a->text, text));
		break;
	case TO_DENIED:
	case TO_ROUTED:
		smtp_refuse(s, 550, "5.7.1", "<%s>: would not be taken from you", smtp_shown(a->text, text));
		break;
	default:
		return (1);
	}
	return (0);
}

void
cmd_vrfy(struct smtp_session *s)
{
	const struct rcpt_verdict	*v = &s->env->verdict;
	struct addr			 a;
	char				 text[SHOWN_MAX];
	int				 utf8 = takes_utf8(s);

	if (!smtp_vrfy_allowed(s)) {
		if (s->args.n == 0 || !utf8_is_text(s->args))	/* RFC 6531 3.3 */
			smtp_refuse(s, 501, "5.5.4", "VRFY address");
		else
			smtp_reply(s, 252, "2.5.0", "not verified here: send a message to try");
		return;
	}
	if (!take_address(s, &a) || !is_good(s, &a))
		return;
	if (!utf8 && utf8_has_8bit(slice_str(v->address))) {
		refuse_utf8(s);
		return;
	}
	/* 3.5.3: 250 only for what we know ourselves. */
	if (v->kind == TO_MAILBOX || v->kind == TO_DISCARD || v->aliased)
		smtp_replyf(s, 250, "2.1.5", "<%s>", path(v->address, text));
	else
		smtp_replyf(s, 252, "2.1.5", "<%s> would be taken, but is not known here", path(v->address, text));
}

/* All ends, or none: a list that is cut would be taken for whole. */
static int
expand(struct smtp_session *s, struct rcpt_expansion *x)
{
	int	 err;

	arena_reset(&s->env->scratch);
	err = rcpt_expand_begin(x, s->env->conf, &s->env->scratch, s->env->verdict.address, EXPN_LINES_MAX);
	if (err == E_OK)
		err = rcpt_expand_some(x, RCPT_LOOK_MAX);
	return (err);
}

void
cmd_expn(struct smtp_session *s)
{
	struct rcpt_expansion	 x = { .trace = NULL };
	const struct rcpt_end	*e, *next;
	struct addr		 a;
	char			 text[SHOWN_MAX];
	int			 err, utf8 = takes_utf8(s);

	if (!smtp_expn_allowed(s)) {
		smtp_refuse(s, 502, "5.5.1", "mailing lists are not expanded here");
		return;
	}
	if (!take_address(s, &a) || !is_good(s, &a))
		return;
	if ((err = expand(s, &x)) != E_OK) {
		if (err == E_CORRUPT)
			smtp_refuse(s, 451, "4.3.0", "lists cannot be looked up now");
		else
			smtp_reply(s, 252, "2.1.5", "the list is too long to be told");
		return;
	}
	for (e = x.ends; e != NULL && !utf8; e = e->next) {
		if (e->kind <= TO_REMOTE && utf8_has_8bit(slice_str(e->address))) {
			refuse_utf8(s);
			return;
		}
	}
	for (e = x.ends; e != NULL && x.good != NULL; e = next) {
		for (next = e->next; next != NULL && next->kind > TO_REMOTE; next = next->next)
			;
		if (e->kind > TO_REMOTE)
			continue;
		if (buf_addf(s->env->out, "250%c2.1.5 <%s>\r\n", next != NULL ? '-' : ' ',
		    path(e->address, text)) != E_OK) {
			smtp_close(s, "no-memory");
			return;
		}
	}
	if (x.good == NULL)
		smtp_reply(s, 252, "2.1.5", "its mail is thrown away");
}
