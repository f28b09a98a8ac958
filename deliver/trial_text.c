/*
 * trial_text.c -- the lines of a trial's report.  Shell (OpenSSL: certificates).
 *
 * All of it is printable ASCII, whatever strangers say: names of DNS were checked by resolver, other words are escaped.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/cert_text.h"
#include "common/dane_verify.h"
#include "common/err.h"
#include "deliver/conn_tls.h"
#include "deliver/trial.h"

#define LINE_OCTETS	4096
#define CHAIN_TOLD	4	/* certificates of a chain */
#define ADDRS_TOLD	4

void
trial_say(struct trial *t, const char *fmt, ...)
{
	char	line[LINE_OCTETS];
	va_list	ap;
	size_t	n;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	n = strlen(line);
	for (size_t i = 0; i < n; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	line[n++] = '\n';
	if (t->out.len + n <= TRIAL_OUT_MAX)	/* else it is a report of hundreds of records: it is long enough */
		(void)buf_add(&t->out, line, n);
}

static void
say_implicit(struct trial *t)
{
	trial_say(t, "next hop: %s%s:%u, by configuration%s", t->ask.implicit ? "smtps, " : "",
	    t->ask.host, t->ask.port, t->ask.login[0] != '\0' ? ", with a login" : "");
}

void
trial_say_route(struct trial *t)
{
	const struct hosts	*h = &t->route->hosts;
	struct hosts_fail	 f;

	if (t->d->room.conf->resolver.trust_anchor[0] == '\0')
		trial_say(t, "DNS is not validated: resolver { trust-anchor } is empty");
	if (h->kind != HOP_MX)
		say_implicit(t);
	else if (h->by_mx)
		trial_say(t, "MX of %s: %zu host%s, %s%s%s", t->ask.host, h->nhost,
		    h->nhost == 1 ? "" : "s", h->mx_secure ? "secure" : "not secure",
		    h->domain_end[0] != '\0' ? ", an alias of " : "", h->domain_end);
	else if (!h->failed)
		trial_say(t, "MX of %s: none, %s: the domain is its own host", t->ask.host,
		    h->mx_secure ? "secure" : "not secure");
	if (h->looped)
		trial_say(t, "this server is one of them: it and what lies behind it is left out");
	if (h->failed) {
		hosts_why(h, &f);
		trial_say(t, "%s", f.text);
	}
}

static void
say_records(struct trial *t, const struct dane_found *f)
{
	char	text[160], kind[TLSA_KIND_LEN];

	for (size_t i = 0; i < f->nsteps; i++)
		trial_say(t, "  %s", f->steps[i]);
	for (size_t i = 0; i < f->nall; i++)
		trial_say(t, "    %s%s  %s%s%s", tlsa_text(&f->all[i], text, sizeof(text)),
		    f->all[i].len > 64 ? "..." : "", tlsa_kind(&f->all[i], kind),
		    f->unusable[i] != NULL ? "; not used: " : "",
		    f->unusable[i] != NULL ? f->unusable[i] : "");
}

static void
say_addresses(struct trial *t, const struct host *host)
{
	char	text[ADDRS_TOLD * (NET_ADDR_STRLEN + 2) + 32] = "", ip[NET_ADDR_STRLEN];
	size_t	n = 0;

	for (size_t i = 0; i < host->naddr && i < ADDRS_TOLD; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i != 0 ? ", " : "",
		    net_addr_str(&host->addr[i], ip));
	if (host->naddr > ADDRS_TOLD)
		(void)snprintf(
		    text + n, sizeof(text) - n, " and %zu more", host->naddr - ADDRS_TOLD);
	if (host->naddr != 0)
		trial_say(t, "  address%s %s", host->naddr == 1 ? "" : "es", text);
	else
		trial_say(
		    t, "  no address: %s", host->said[0] != '\0' ? host->said : "none is known");
}

/* The names that one certificate may have, where names count. */
static void
say_names(struct trial *t, const struct tls_policy *p)
{
	char	text[1024] = "";
	size_t	n = 0;
	int	count = p->want == WANT_VERIFY;

	for (size_t i = 0; p->want == WANT_DANE && i < p->ntlsa; i++)
		count |= p->tlsa[i].usage == TLSA_DANE_TA;
	for (size_t i = 0; i < p->nnames && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", i != 0 ? ", " : "",
		    p->names[i][0] == '.' ? "*" : "", p->names[i]);
	if (count && p->nnames != 0)
		trial_say(t, "  names that will do: %s", text);
}

static const char *
demand(const struct tls_policy *p)
{
	switch (p->want) {
	case WANT_NONE:
		return ("no TLS");
	case WANT_MAY:
		return ("TLS if it is offered, with any certificate");
	case WANT_ENCRYPT:
		return ("TLS, with any certificate");
	case WANT_VERIFY:
		return ("TLS, with a certificate of a known CA for one of the names");
	case WANT_FINGERPRINT:
		return ("TLS, with a certificate or key whose fingerprint is configured");
	default:
		return ("TLS, with a certificate that matches a TLSA record");
	}
}

void
trial_say_host(struct trial *t, const struct host *host)
{
	const struct tls_policy	*p = t->policy;

	if (t->route->hosts.by_mx)
		trial_say(t, "host %s, preference %u", host->name, host->pref);
	else
		trial_say(t, "host %s", host->name);
	say_addresses(t, host);
	say_records(t, &host->dane);
	trial_say(t, "  policy: %s", p->text);
	if (p->barred) {
		trial_say(t, "  mail does not go to this host now: %s", p->why);
		return;
	}
	trial_say(t, "  asked for: %s", demand(p));
	say_names(t, p);
}

static void
say_cert(struct trial *t, const struct tls_policy *p, int at, X509 *x)
{
	struct cert_text	c;
	char			text[160], how[32];

	cert_describe(&c, x);
	(void)snprintf(how, sizeof(how), "certificate %d", at);
	trial_say(t, "    %s: %s, issued by %s", how,
	    c.subject[0] != '\0' ? c.subject : "(no subject)", c.issuer);
	if (c.names[0] != '\0')
		trial_say(t, "      names %s", c.names);
	trial_say(t, "      %s, valid %s to %s%s", c.key, c.from, c.until,
	    c.expired	? " (expired)" :
		c.early ? " (not yet)" :
			  "");
	if (at == 0)
		trial_say(t, "      SHA-256 %s", c.sha256);
	for (size_t i = 0; i < p->ntlsa; i++) {
		if (dane_matches(&p->tlsa[i], x))
			trial_say(t, "      matches %.60s%s",
			    tlsa_text(&p->tlsa[i], text, sizeof(text)),
			    p->tlsa[i].len > 27 ? "..." : "");
	}
}

void
trial_say_chain(struct trial *t, struct tls_peer *peer)
{
	int	n = peer->seen != NULL ? sk_X509_num(peer->seen) : 0;

	for (int i = 0; i < n && i < CHAIN_TOLD; i++)
		say_cert(t, t->policy, i, sk_X509_value(peer->seen, i));
	if (n > CHAIN_TOLD)
		trial_say(t, "    and %d certificates more", n - CHAIN_TOLD);
}
