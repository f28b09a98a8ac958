/*
 * policy.c -- see policy.h.  Core.  RFC 7672 2, RFC 7817, RFC 8314 5.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "deliver/policy.h"

#define TEXT_MAX	512

struct making {
	struct tls_policy	*p;
	const struct policy_ask	*a;
	const struct conf_tls_policy *conf;	/* NULL: none is configured for it */
	const char		*because;	/* WANT_DANE and WANT_DANE_ONLY: what was found; else "" */
};

/* ---- memory ---- */

struct tls_policy *
policy_ref(struct tls_policy *p)
{
	p->refs++;
	return (p);
}

void
policy_unref(struct tls_policy *p)
{
	if (p == NULL || --p->refs != 0)
		return;
	arena_clear(&p->mem);
	free(p);
}

static int
keep(struct tls_policy *p, const char **dst, const char *s)
{
	return ((*dst = arena_strdup(&p->mem, slice_str(s))) != NULL ? E_OK : E_NOMEM);
}

static int
add_name(struct tls_policy *p, const char *name)
{
	return (name[0] != '\0' && keep(p, &p->names[p->nnames], name) == E_OK ? (p->nnames++, E_OK) :
	    name[0] != '\0' ? E_NOMEM : E_OK);
}

static int
is_address(const char *host)
{
	struct net_addr	ip;

	return (net_addr_parse(&ip, slice_str(host)) == E_OK);
}

/*
 * A next hop on this machine, where a login may go in clear: by the operator's word alone.  A name
 * that DNS leads there proves nothing, since whoever answers would have our password sent past all
 * verification, to any listener of this machine.
 */
static int
is_own(const struct policy_ask *a)
{
	struct net_addr	ip;

	return (net_addr_parse(&ip, slice_str(a->nexthop)) == E_OK && net_addr_is_loopback(&ip));
}

/* ---- each level ---- */

/*
 * Which names: the operator's; else the host's own where nobody could have forged it on the way
 * here; else the next hop's: a name out of unsigned DNS proves nothing (RFC 7817 3, RFC 8314 has
 * none for MX).
 */
static int
want_names(struct making *m)
{
	const struct policy_ask	*a = m->a;
	struct tls_policy	*p = m->p;
	size_t			 n = m->conf != NULL ? m->conf->nnames : 0;
	int			 err = E_OK;

	if ((p->names = arena_alloc(&p->mem, (n + 2) * sizeof(*p->names))) == NULL)
		return (E_NOMEM);
	for (size_t i = 0; i < n && err == E_OK; i++)
		err = add_name(p, m->conf->names[i]);
	if (n != 0 || err != E_OK)
		return (err);
	return (add_name(p, a->secure ? a->host : a->nexthop));
}

static int
want_fingerprints(struct making *m)
{
	struct tls_policy	*p = m->p;
	size_t			 n = m->conf->nfingerprints;

	if ((p->fingerprints = arena_alloc(&p->mem, (n + 1) * sizeof(*p->fingerprints))) == NULL)
		return (E_NOMEM);
	if (n != 0)
		memcpy(p->fingerprints, m->conf->fingerprints, n * sizeof(*p->fingerprints));
	p->nfingerprints = n;
	return (E_OK);
}

static void
bar(struct making *m, struct enhanced code, const char *why)
{
	m->p->barred = 1;
	m->p->code = code;
	if (keep(m->p, &m->p->why, why) != E_OK)
		m->p->why = "out of memory";
}

/* ---- DANE ---- */

int
policy_asks_dane(const struct conf *conf, const char *nexthop)
{
	const struct conf_tls_policy	*p = conf_tls_policy_find(conf, nexthop);
	enum tls_want			 want = p != NULL ? p->want : WANT_DANE;

	return ((want == WANT_DANE || want == WANT_DANE_ONLY) && conf->resolver.trust_anchor[0] != '\0');
}

static int
dane_records(struct making *m, const struct dane_found *f, int only)
{
	struct tls_policy	*p = m->p;
	int			 err;

	p->want = WANT_DANE;
	p->dane_only = only != 0;
	p->mx_unsigned = m->a->kind == HOP_MX && !m->a->secure;
	if ((p->tlsa = arena_alloc(&p->mem, (f->ntlsa + 1) * sizeof(*p->tlsa))) == NULL ||
	    (p->names = arena_alloc(&p->mem, (f->nnames + 1) * sizeof(*p->names))) == NULL ||
	    keep(p, &p->base, f->base) != E_OK || keep(p, &p->sni, f->base) != E_OK)
		return (E_NOMEM);
	for (size_t i = 0; i < f->ntlsa; i++) {
		uint8_t	*data = arena_alloc(&p->mem, (size_t)f->tlsa[i].len + 1);

		if (data == NULL)
			return (E_NOMEM);
		memcpy(data, f->tlsa[i].data, f->tlsa[i].len);
		p->tlsa[i] = f->tlsa[i];
		p->tlsa[i].data = data;
		p->ntlsa++;
	}
	for (size_t i = 0; i < f->nnames; i++) {
		if ((err = add_name(p, f->names[i])) != E_OK)
			return (err);
	}
	return (E_OK);
}

/* RFC 7672 6: DANE, or not at all. */
static void
bar_only(struct making *m, const char *why)
{
	char	text[TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%s requires DANE: %s", m->p->rule, why);
	bar(m, (struct enhanced){ 4, 7, 10 }, text);
}

/* RFC 7672 2.2: what was found decides. */
static int
want_dane(struct making *m, int only)
{
	const struct policy_ask		*a = m->a;
	const struct dane_found		*f = a->dane;
	char				 text[TEXT_MAX];

	m->p->want = WANT_MAY;
	if (a->conf->resolver.trust_anchor[0] == '\0')
		m->because = "resolver { trust-anchor } is empty, so nothing tells what is signed";
	else
		m->because = f != NULL && f->why[0] != '\0' ? f->why : "no TLSA records were looked for";
	if (a->conf->resolver.trust_anchor[0] == '\0') {
		if (only)
			bar_only(m, m->because);
		return (E_OK);
	}
	if (f == NULL || f->why[0] == '\0') {
		/* A reload that asks for DANE came between: the next attempt looks (R12). */
		(void)snprintf(text, sizeof(text), "DANE (%s): %s yet", m->p->rule, m->because);
		bar(m, (struct enhanced){ 4, 7, 5 }, text);
		return (E_OK);
	}
	switch (f->status) {
	case DANE_NONE:
		if (only)
			bar_only(m, f->why);
		return (E_OK);
	case DANE_FAILED:	/* 2.1.2: never as if there were none */
		(void)snprintf(text, sizeof(text), "DANE (%s): %s", m->p->rule, f->why);
		bar(m, (struct enhanced){ 4, 7, 5 }, text);
		return (E_OK);
	case DANE_UNUSABLE:
		m->p->want = WANT_ENCRYPT;
		if (only)
			bar_only(m, f->why);
		return (E_OK);
	case DANE_USABLE:
		break;
	}
	if (only && a->kind == HOP_MX && !a->secure) {		/* 2.2.1 */
		(void)snprintf(text, sizeof(text), "the MX records of %s are not signed", a->nexthop);
		bar_only(m, text);
	}
	/*
	 * Where the host's own zone is signed and the next hop's is not, its records still keep
	 * listeners out (2.2.1).
	 */
	return (dane_records(m, f, only));
}

/* ---- all of it ---- */

static enum tls_want
wanted(struct making *m, char *rule, size_t size)
{
	const struct policy_ask	*a = m->a;
	enum tls_want		 want = m->conf != NULL ? m->conf->want : WANT_DANE;

	if (m->conf != NULL)
		(void)snprintf(rule, size, "tls-policy \"%s\"", m->conf->name);
	else
		(void)snprintf(rule, size, "the default");
	if (a->login[0] == '\0' || is_own(a))
		return (want);
	if ((m->conf = conf_login_policy(a->conf, a->nexthop, &want)) == NULL)	/* a password goes to nobody unknown */
		(void)snprintf(rule, size, "login \"%s\"", a->login);
	return (want);
}

static int
fill(struct making *m)
{
	const struct policy_ask	*a = m->a;
	struct tls_policy	*p = m->p;
	char			 text[TEXT_MAX];
	enum tls_want		 want = wanted(m, text, sizeof(text));
	int			 err = E_OK;

	m->because = "";
	p->base = p->why = "";
	p->resume = m->conf == NULL || m->conf->resume;
	p->implicit = a->implicit != 0;
	if (keep(p, &p->rule, text) != E_OK || keep(p, &p->sni, is_address(a->host) ? "" : a->host) != E_OK)
		return (E_NOMEM);
	p->want = want;
	if (want == WANT_VERIFY)
		err = want_names(m);
	else if (want == WANT_FINGERPRINT)
		err = want_fingerprints(m);
	else if (want == WANT_DANE || want == WANT_DANE_ONLY)
		err = want_dane(m, want == WANT_DANE_ONLY);
	if (err != E_OK)
		return (err);
	if (p->implicit && (p->want == WANT_NONE || p->want == WANT_MAY))
		p->want = WANT_ENCRYPT;		/* smtps: is TLS by its name */
	p->clear = p->want == WANT_NONE || p->want == WANT_MAY;
	p->may_login = p->want == WANT_VERIFY || p->want == WANT_FINGERPRINT || p->want == WANT_DANE || is_own(a);
	(void)snprintf(text, sizeof(text), "%s, by %s%s%s%s", tls_want_name(want), p->rule, m->because[0] != '\0' ? ": " : "",
	    m->because, p->mx_unsigned ? "; the MX records are not signed" : "");
	return (keep(p, &p->text, text));
}

struct tls_policy *
policy_new(const struct policy_ask *a)
{
	struct making	 m = { .p = calloc(1, sizeof(*m.p)), .a = a };

	if (m.p == NULL)
		return (NULL);
	m.p->refs = 1;
	arena_init(&m.p->mem, POLICY_MEMORY);
	m.conf = conf_tls_policy_find(a->conf, a->nexthop);
	if (fill(&m) != E_OK) {
		policy_unref(m.p);
		return (NULL);
	}
	return (m.p);
}

/* ---- comparing ---- */

void
policy_octets(const struct tls_policy *p, void (*add)(void *, const void *, size_t), void *arg)
{
	uint8_t	head[4] = { (uint8_t)p->want, (uint8_t)p->implicit, p->dane_only, p->mx_unsigned };

	add(arg, head, sizeof(head));
	for (size_t i = 0; i < p->nnames; i++)
		add(arg, p->names[i], strlen(p->names[i]) + 1);
	add(arg, "", 1);		/* no name is empty: here they end */
	add(arg, &p->nfingerprints, sizeof(p->nfingerprints));
	if (p->nfingerprints != 0)
		add(arg, p->fingerprints, p->nfingerprints * sizeof(*p->fingerprints));
	for (size_t i = 0; i < p->ntlsa; i++) {
		uint8_t	t[5] = { p->tlsa[i].usage, p->tlsa[i].selector, p->tlsa[i].matching, (uint8_t)(p->tlsa[i].len >> 8),
		    (uint8_t)p->tlsa[i].len };

		add(arg, t, sizeof(t));
		add(arg, p->tlsa[i].data, p->tlsa[i].len);
	}
	add(arg, p->base, strlen(p->base) + 1);
	add(arg, p->sni, strlen(p->sni) + 1);
}
