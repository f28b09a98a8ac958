/*
 * conf.c -- what daemons ask the snapshot: domains, routes, who may relay.  Core.
 */
#include "common/conf.h"

#include "common/conf_number.h"
#include "common/err.h"
#include "common/ipc_msg.h"
#include "common/limits.h"

const struct conf_domain *
conf_domain_find(const struct conf *c, const char *domain)
{
	size_t	 lo = 0, hi = c->ndomains, mid;
	int	 cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = strcmp(domain, c->domains[mid].name);
		if (cmp == 0)
			return (&c->domains[mid]);
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return (NULL);
}

static const struct conf_route *
route_find(const struct conf *c, const char *domain)
{
	size_t	 lo = 0, hi = c->nroutes, mid;
	int	 cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = conf_route_cmp(domain, c->routes[mid].name);
		if (cmp == 0)
			return (&c->routes[mid]);
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (c->nroutes != 0 && strcmp(c->routes[c->nroutes - 1].name, "*") == 0)
		return (&c->routes[c->nroutes - 1]);
	return (NULL);
}

void
conf_route(const struct conf *c, const char *domain, struct hop *hop)
{
	static _Thread_local char	 host[NET_ADDR_STRLEN];
	const struct conf_domain	*d = conf_domain_find(c, domain);
	const struct conf_route		*r;
	struct net_addr			 ip;

	*hop = (struct hop){ .kind = HOP_MX, .host = "", .port = c->deliver.port, .login = "", .path = "" };
	if (d != NULL && !d->relay)
		*hop = d->deliver;
	else if ((r = route_find(c, domain)) != NULL)
		*hop = r->via;
	else if (addr_literal_parse(&ip, slice_str(domain)) == E_OK) {
		hop->kind = HOP_SMTP;
		hop->host = net_addr_str(&ip, host);
	}
	if (hop->kind == HOP_MX)
		hop->port = c->deliver.port;
}

int
conf_prefixes_have(const struct conf_prefixes *p, const struct net_addr *a)
{
	for (size_t i = 0; i < p->n; i++) {
		if (net_prefix_has(&p->v[i], a))
			return (1);
	}
	return (0);
}

int
conf_may_relay(const struct conf *c, const struct net_addr *client)
{
	for (size_t i = 0; i < c->nrelay_from; i++) {
		if (net_prefix_has(&c->relay_from[i], client))
			return (1);
	}
	return (0);
}

static const struct conf_tls_policy *
policy_find(const struct conf *c, const char *name)
{
	size_t	 lo = 0, hi = c->npolicies, mid;
	int	 cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = strcmp(name, c->policies[mid].name);
		if (cmp == 0)
			return (&c->policies[mid]);
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return (NULL);
}

const struct conf_tls_policy *
conf_tls_policy_find(const struct conf *c, const char *name)
{
	const struct conf_tls_policy	*p = policy_find(c, name);

	while (p == NULL && name[0] != '\0' && (name = strchr(name + 1, '.')) != NULL)
		p = policy_find(c, name);
	return (p != NULL ? p : policy_find(c, "*"));
}

static int
is_loopback(const char *host)
{
	struct net_addr	 ip;

	return (net_addr_parse(&ip, slice_str(host)) == E_OK && net_addr_is_loopback(&ip));
}

const struct conf_tls_policy *
conf_login_policy(const struct conf *c, const char *host, enum tls_want *want)
{
	const struct conf_tls_policy	*p = conf_tls_policy_find(c, host);

	*want = p != NULL ? p->want : WANT_DANE;
	if (is_loopback(host) || *want == WANT_VERIFY || *want == WANT_FINGERPRINT || *want == WANT_DANE_ONLY)
		return (p);
	*want = WANT_VERIFY;
	return (NULL);
}

int
conf_login_policy_ok(const struct conf *c, const char *host)
{
	const struct conf_tls_policy	*p = conf_tls_policy_find(c, host);
	enum tls_want			 want;

	return (p == NULL || strcmp(p->name, "*") == 0 || conf_login_policy(c, host, &want) == p);
}

int
conf_listener_is_near(const struct conf_listener *l)
{
	return (l->kind == LISTEN_UNIX || net_addr_is_loopback(&l->addr));
}

unsigned
conf_mechanisms(const struct conf *c)
{
	const unsigned	 plain = 1u << SASL_PLAIN | 1u << SASL_LOGIN;

	if (c->auth.passwd_path[0] != '\0')
		return (plain | 1u << SASL_SCRAM_SHA_256 | 1u << SASL_SCRAM_SHA_256_PLUS | 1u << SASL_EXTERNAL);
	if (c->auth.dovecot_path[0] != '\0')
		return (plain | 1u << SASL_SCRAM_SHA_256);	/* it is not told of channel bindings */
	return (c->auth.pam_service[0] != '\0' ? plain : 0);
}

const struct conf_login *
conf_login_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->nlogins; i++) {
		if (strcmp(c->logins[i].name, name) == 0)
			return (&c->logins[i]);
	}
	return (NULL);
}

const char *
tls_want_name(unsigned want)
{
	static const char *const	 names[WANTS] = {
		[WANT_NONE] = "none", [WANT_MAY] = "may", [WANT_ENCRYPT] = "encrypt", [WANT_VERIFY] = "verify",
		[WANT_FINGERPRINT] = "fingerprint", [WANT_DANE] = "dane", [WANT_DANE_ONLY] = "dane-only",
	};

	return (want < WANTS ? names[want] : "?");
}
