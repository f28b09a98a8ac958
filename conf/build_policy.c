/* build_policy.c -- the sections tls-policy, and the files of trust anchors.  Core. */
#include <stdlib.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "common/units.h"
#include "conf/build_inner.h"
#include "conf/ca.h"
#include "conf/value.h"

/* Where distributions keep the bundle of public authorities. */
static const char *const	 system_ca[] = {
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
};

/* "*", ".below.it", a domain or an address. */
static int
policy_name(struct build *b, const struct text_section *s, const char **out)
{
	const char	*title = s->title, *domain;
	struct net_addr	 ip;
	char		 own[NET_ADDR_STRLEN], below[DOMAIN_MAX + 2];

	if (strcmp(title, "*") == 0)
		*out = "*";
	else if (net_addr_parse(&ip, slice_str(title)) == E_OK)
		*out = mem_strdup(&b->c->mem, net_addr_str(&ip, own));
	else if (title[0] == '.') {
		if (!value_domain(b->errors, s->line, "tls-policy", title + 1, &b->c->mem, &domain))
			return (0);
		(void)snprintf(below, sizeof(below), ".%s", domain);
		*out = mem_strdup(&b->c->mem, below);
	} else
		return (value_domain(b->errors, s->line, "tls-policy", title, &b->c->mem, out));
	return (1);
}

void
build_open_policy(struct build *b, const struct text_section *s)
{
	struct new_policy	*n = vec_add(&b->policies, sizeof(*n));

	n->line = s->line;
	n->p = (struct conf_tls_policy){ .name = s->title, .want = WANT_DANE, .resume = 1 };
	n->good = policy_name(b, s, &n->p.name);
}

static void
level_value(struct build *b, struct new_policy *n, const struct text_value *v)
{
	for (unsigned i = 0; i < WANTS; i++) {
		if (strcmp(v->text, tls_want_name(i)) == 0) {
			n->p.want = (enum tls_want)i;
			return;
		}
	}
	errors_add(b->errors, v->line, "level: \"%s\": expected \"none\", \"may\", \"encrypt\", \"verify\", \"fingerprint\", "
	    "\"dane\" or \"dane-only\"", v->text);
}

static void
name_value(struct build *b, struct new_policy *n, const struct text_value *v)
{
	int		 wild = strncmp(v->text, "*.", 2) == 0;
	const char	*domain;
	char		 text[DOMAIN_MAX + 2];

	n->names_line = v->line;
	if (!value_domain(b->errors, v->line, "names:", v->text + (wild ? 2 : 0), &b->c->mem, &domain))
		return;
	(void)snprintf(text, sizeof(text), "%s%s", wild ? "." : "", domain);
	*(const char **)vec_add(&n->names, sizeof(char *)) = mem_strdup(&b->c->mem, text);
	if (n->names.n == TLS_POLICY_NAMES_MAX + 1)
		errors_add(b->errors, v->line, "names: more than %d", TLS_POLICY_NAMES_MAX);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	return (c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1);
}

/* SHA-256 as openssl(1) prints it, or without its colons. */
static int
parse_fingerprint(uint8_t dst[static SPKI_HASH_LEN], const char *s)
{
	size_t	 step = s[0] != '\0' && s[1] != '\0' && s[2] == ':' ? 3 : 2;

	if (strlen(s) != SPKI_HASH_LEN * step - (step - 2))
		return (0);
	for (size_t i = 0; i < SPKI_HASH_LEN; i++, s += step) {
		if (hex(s[0]) == -1 || hex(s[1]) == -1 || (step == 3 && i + 1 < SPKI_HASH_LEN && s[2] != ':'))
			return (0);
		dst[i] = (uint8_t)(hex(s[0]) << 4 | hex(s[1]));
	}
	return (1);
}

static void
fingerprint_value(struct build *b, struct new_policy *n, const struct text_value *v)
{
	uint8_t	 octets[SPKI_HASH_LEN];

	n->fingerprints_line = v->line;
	if (!parse_fingerprint(octets, v->text)) {
		errors_add(b->errors, v->line, "fingerprints: \"%.120s\": expected SHA-256 of a certificate or of its public "
		    "key: 64 hexadecimal digits, with colons between every two or without", v->text);
		return;
	}
	memcpy(vec_add(&n->fingerprints, sizeof(octets)), octets, sizeof(octets));
	if (n->fingerprints.n == TLS_POLICY_NAMES_MAX + 1)
		errors_add(b->errors, v->line, "fingerprints: more than %d", TLS_POLICY_NAMES_MAX);
}

void
build_policy_value(struct build *b, const struct text_value *v, size_t index)
{
	struct new_policy	*n = (struct new_policy *)b->policies.p + index;

	if (strcmp(v->key, "level") == 0)
		level_value(b, n, v);
	else if (strcmp(v->key, "names") == 0)
		name_value(b, n, v);
	else if (strcmp(v->key, "fingerprints") == 0)
		fingerprint_value(b, n, v);
	else
		value_bool(b->errors, v, &n->p.resume);
}

void
build_ca_value(struct build *b, const struct text_value *v)
{
	struct new_path	*p = strcmp(v->key, "tls-ca") == 0 ? &b->ca : &b->client_ca;

	p->line = v->line;
	p->good = value_path(b->errors, v, CONF_PATH_MAX, &b->c->mem, &p->path);
}

static int
policy_cmp(const void *a, const void *b)
{
	const struct new_policy	*x = a, *y = b;
	int			 cmp;

	if (!x->good || !y->good)
		return (x->good - y->good);
	if ((cmp = strcmp(x->p.name, y->p.name)) != 0)
		return (cmp);
	return (x->line < y->line ? -1 : x->line > y->line);
}

static void
check_policy(struct build *b, const struct new_policy *n)
{
	struct net_addr	 ip;

	if (n->names_line != 0 && n->p.want != WANT_VERIFY)
		errors_add(b->errors, n->names_line, "tls-policy \"%s\": names are looked at by level \"verify\" alone, but "
		    "its level is \"%s\"", n->p.name, tls_want_name(n->p.want));
	if (n->fingerprints_line != 0 && n->p.want != WANT_FINGERPRINT)
		errors_add(b->errors, n->fingerprints_line, "tls-policy \"%s\": fingerprints are looked at by level "
		    "\"fingerprint\" alone, but its level is \"%s\"", n->p.name, tls_want_name(n->p.want));
	if (n->fingerprints_line == 0 && n->p.want == WANT_FINGERPRINT)
		errors_add(b->errors, n->line, "tls-policy \"%s\": level \"fingerprint\" needs fingerprints", n->p.name);
	if (n->p.want == WANT_DANE_ONLY && net_addr_parse(&ip, slice_str(n->p.name)) == E_OK)
		errors_add(b->errors, n->line, "tls-policy \"%s\": an address has no TLSA records: with level \"dane-only\" no "
		    "mail would ever leave", n->p.name);
}

void
build_finish_policies(struct build *b)
{
	struct new_policy	*n = b->policies.p;
	struct conf		*c = b->c;

	if (b->policies.n == 0)
		return;
	if (b->policies.n > TLS_POLICIES_MAX)
		errors_add(b->errors, n[TLS_POLICIES_MAX].line, "tls-policy: more than %d sections", TLS_POLICIES_MAX);
	qsort(n, b->policies.n, sizeof(*n), policy_cmp);
	if ((c->policies = arena_alloc(&c->mem, b->policies.n * sizeof(*c->policies))) == NULL)
		mem_none();
	for (size_t i = 0; i < b->policies.n; i++) {
		check_policy(b, &n[i]);
		if (i != 0 && n[i].good && n[i - 1].good && strcmp(n[i].p.name, n[i - 1].p.name) == 0)
			errors_add(b->errors, n[i].line, "tls-policy \"%s\" is given twice, first on line %d", n[i].p.name,
			    n[i - 1].line);
		n[i].p.nnames = n[i].names.n;
		n[i].p.names = vec_to_arena(&n[i].names, sizeof(char *), &c->mem);
		n[i].p.nfingerprints = n[i].fingerprints.n;
		n[i].p.fingerprints = vec_to_arena(&n[i].fingerprints, SPKI_HASH_LEN, &c->mem);
		c->policies[i] = n[i].p;
	}
	c->npolicies = b->policies.n;
}

static int
login_needs_ca(const struct conf *c, const struct hop *h)
{
	enum tls_want	 want;

	if (h->login == NULL || h->login[0] == '\0')
		return (0);
	(void)conf_login_policy(c, h->host, &want);
	return (want == WANT_VERIFY);
}

/* What asks for public authorities: its name and line, or NULL. */
static const char *
needs_ca(const struct build *b, int *line)
{
	const struct new_policy	*p = b->policies.p;
	const struct new_domain	*d = b->domains.p;
	const struct new_route	*r = b->routes.p;

	for (size_t i = 0; i < b->policies.n; i++) {
		*line = p[i].line;
		if (p[i].p.want == WANT_VERIFY)
			return ("level \"verify\"");
	}
	for (size_t i = 0; i < b->domains.n; i++) {
		*line = d[i].hop_line;
		if (login_needs_ca(b->c, &d[i].d.deliver))
			return ("a next hop with a login");
	}
	for (size_t i = 0; i < b->routes.n; i++) {
		*line = r[i].hop_line;
		if (login_needs_ca(b->c, &r[i].r.via))
			return ("a next hop with a login");
	}
	return (NULL);
}

/* The file of a key; 0 if it cannot serve, which was told. */
static int
read_given(struct build *b, const char *key, const struct new_path *file, struct ca *ca)
{
	char		 why[CERT_WHY_MAX];
	const char	*no_file;
	char		*pem;
	int		 ok;

	if (!file->good)
		return (0);
	if ((pem = b->world->read_cert(file->path, TLS_CA_MAX, &no_file)) == NULL) {
		errors_add(b->errors, file->line, "%s: \"%.200s\": %s", key, file->path, no_file);
		return (0);
	}
	if (!(ok = ca_read(ca, pem, b->world->now, &b->c->mem, why)))
		errors_add(b->errors, file->line, "%s: \"%.200s\": %s", key, file->path, why);
	free(pem);
	return (ok);
}

static void
read_system(struct build *b, const char *who, int line)
{
	char		 why[CERT_WHY_MAX];
	const char	*no_file;
	struct ca	 ca;
	char		*pem;
	int		 ok = 0;

	for (size_t i = 0; i < sizeof(system_ca) / sizeof(system_ca[0]) && !ok; i++) {
		if ((pem = b->world->read_cert(system_ca[i], TLS_CA_MAX, &no_file)) == NULL)
			continue;
		if ((ok = ca_read(&ca, pem, b->world->now, &b->c->mem, why)))
			b->c->ca = ca.pem;
		free(pem);
	}
	if (!ok)
		errors_add(b->errors, line, "%s needs certification authorities, and %s cannot be read: install the package "
		    "ca-certificates, or name a file of them: tls-ca = \"...\"", who, system_ca[0]);
}

void
build_finish_ca(struct build *b)
{
	struct conf	*c = b->c;
	struct ca	 ca;
	const char	*who;
	int		 line = 0, asked = 0;

	if (b->world->no_tables)
		return;
	who = needs_ca(b, &line);
	if (b->ca.line != 0) {
		if (read_given(b, "tls-ca", &b->ca, &ca) && who != NULL)
			c->ca = ca.pem;
	} else if (who != NULL)
		read_system(b, who, line);
	for (size_t i = 0; i < c->nlisteners; i++)
		asked |= c->listeners[i].client_certs;
	if (b->client_ca.line == 0 || !read_given(b, "client-ca", &b->client_ca, &ca))
		return;
	if (ca.warning[0] != '\0')
		errors_warn(b->errors, b->client_ca.line, "client-ca: \"%.200s\": %s", b->client_ca.path, ca.warning);
	if (asked)
		c->client_ca = ca.pem;
	else
		errors_warn(b->errors, b->client_ca.line, "client-ca: no listener has client-certificates = true");
}
