/* build_auth.c -- the section auth, the sections login, and what AUTH asks of listeners and next hops.  Core. */
#include <stdlib.h>

#include "common/conf_number.h"
#include "common/ipc_msg.h"
#include "conf/build_inner.h"
#include "conf/value.h"

void
build_open_login(struct build *b, const struct text_section *s)
{
	struct new_login	*n = vec_add(&b->logins, sizeof(*n));

	n->line = s->line;
	n->l = (struct conf_login){ .name = s->title, .user = "", .password_path = "" };
	if (!conf_is_login_name(s->title))
		errors_add(b->errors, s->line, "login \"%s\": expected a name of at most %d letters, digits, dots, underscores "
		    "and hyphens", s->title, LOGIN_TITLE_MAX);
	if (b->logins.n == LOGINS_MAX + 1)
		errors_add(b->errors, s->line, "login: more than %d sections", LOGINS_MAX);
}

static int
is_user(const char *s)
{
	size_t	 n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return (0);
	}
	return (n >= 1 && n <= LOGIN_MAX);
}

void
build_login_value(struct build *b, const struct text_value *v, size_t index)
{
	struct new_login	*n = (struct new_login *)b->logins.p + index;

	if (strcmp(v->key, "password-file") == 0)
		n->path_bad = !value_path(b->errors, v, CONF_PATH_MAX, &b->c->mem, &n->l.password_path);
	else if (is_user(v->text))
		n->l.user = mem_strdup(&b->c->mem, v->text);
	else {
		n->user_bad = 1;
		errors_add(b->errors, v->line, "user: \"%.300s\": expected 1 to %d octets without control characters", v->text,
		    LOGIN_MAX);
	}
}

static void
mechanism_value(struct build *b, const struct text_value *v)
{
	struct new_mechanism	*n;
	char			 names[128] = "";
	size_t			 at = 0;

	for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
		if (strcmp(v->text, sasl_mechanism_name(i)) == 0) {
			n = vec_add(&b->mechanisms, sizeof(*n));
			*n = (struct new_mechanism){ i, v->line };
			return;
		}
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s\"%s\"", i == 0 ? "" :
		    i + 1 == SASL_MECHANISMS ? " or " : ", ", sasl_mechanism_name(i));
	}
	b->mechanisms_bad = 1;
	errors_add(b->errors, v->line, "mechanisms: \"%s\": expected %s", v->text, names);
}

void
build_auth_value(struct build *b, const struct text_value *v)
{
	struct conf	*c = b->c;

	if (strcmp(v->key, "passwd") == 0) {
		b->passwd_line = v->line;
		value_path(b->errors, v, CONF_PATH_MAX, &c->mem, &c->auth.passwd_path);
	} else if (strcmp(v->key, "dovecot") == 0) {
		b->dovecot_line = v->line;
		value_path(b->errors, v, CONF_SOCKET_MAX, &c->mem, &c->auth.dovecot_path);
	} else if (strcmp(v->key, "pam") == 0) {
		b->pam_line = v->line;
		if (conf_is_service_name(v->text))
			c->auth.pam_service = mem_strdup(&c->mem, v->text);
		else
			errors_add(b->errors, v->line, "pam: \"%.300s\": expected the name of a file in /etc/pam.d: at most %d "
			    "letters, digits, dots, underscores and hyphens", v->text, PAM_SERVICE_MAX);
	} else
		mechanism_value(b, v);
}

/* Its listener, or NULL: one with AUTH that asks for clients' certificates. */
static const struct conf_listener *
external_listener(const struct conf *c)
{
	for (size_t i = 0; i < c->nlisteners; i++) {
		if (c->listeners[i].auth && c->listeners[i].client_certs)
			return (&c->listeners[i]);
	}
	return (NULL);
}

static void
default_mechanisms(struct build *b)
{
	struct conf	*c = b->c;

	c->auth.mechanisms = conf_mechanisms(c);
	if (c->auth.passwd_path[0] == '\0')	/* SCRAM asks more of Dovecot's tables than they have by default */
		c->auth.mechanisms &= ~(1u << SASL_SCRAM_SHA_256);
	if (external_listener(c) == NULL)
		c->auth.mechanisms &= ~(1u << SASL_EXTERNAL);
}

static void
given_mechanism(struct build *b, const struct new_mechanism *m)
{
	struct conf	*c = b->c;
	const char	*name = sasl_mechanism_name(m->mechanism), *why = NULL;
	unsigned	 bit = 1u << m->mechanism;

	if ((c->auth.mechanisms & bit) != 0)
		why = "it is given twice";
	else if ((conf_mechanisms(c) & bit) != 0)
		why = m->mechanism == SASL_EXTERNAL && external_listener(c) == NULL && !b->world->no_tables ?
		    "no listener has both auth = true and client-certificates = true" : NULL;
	else if (m->mechanism == SASL_EXTERNAL)
		why = "only passwd knows which certificates' logins there are";
	else if (m->mechanism == SASL_SCRAM_SHA_256_PLUS)
		why = "channel binding works with passwd alone";
	else
		why = "PAM must be told the password itself, which only PLAIN and LOGIN do";
	if (why != NULL)
		errors_add(b->errors, m->line, "mechanisms: \"%s\": %s", name, why);
	else
		c->auth.mechanisms |= bit;
}

static void
finish_mechanisms(struct build *b)
{
	const struct new_mechanism	*m = b->mechanisms.p;

	b->c->auth.mechanisms = 0;
	if (conf_mechanisms(b->c) == 0)
		return;	/* no source, or one that was refused */
	if (!b->text->mechanisms_given) {
		default_mechanisms(b);
		return;
	}
	for (size_t i = 0; i < b->mechanisms.n; i++)
		given_mechanism(b, &m[i]);
	if (b->mechanisms.n == 0 && !b->mechanisms_bad)
		errors_add(b->errors, 0, "mechanisms: expected at least one");
}

/* One alone knows the passwords: two would make it chance which of them a login is checked by. */
static void
check_sources(struct build *b)
{
	const struct { const char *key; int line; } source[] = {
		{ "passwd", b->passwd_line }, { "dovecot", b->dovecot_line }, { "pam", b->pam_line },
	};
	size_t	 first = 3;

	for (size_t i = 0; i < 3; i++) {
		if (source[i].line == 0)
			continue;
		if (first != 3)
			errors_add(b->errors, source[i].line, "%s: auth has %s on line %d already; expected one of passwd, dovecot "
			    "and pam", source[i].key, source[first].key, source[first].line);
		else
			first = i;
	}
}

static void
check_listener(struct build *b, const struct new_listener *n)
{
	const struct conf_listener	*l = &n->l;
	int				 sources = b->passwd_line | b->dovecot_line | b->pam_line;

	if (l->auth && l->lmtp)
		errors_add(b->errors, n->auth_line, "listener \"%s\": auth is not for LMTP, which takes mail for final delivery "
		    "alone", l->name);
	else if (l->auth && l->tls == LISTEN_CLEAR && !conf_listener_is_near(l))
		errors_add(b->errors, n->auth_line, "listener \"%s\": auth needs tls = \"starttls\", \"require\" or \"implicit\": "
		    "a password may go in clear only to a loopback address or a unix: address", l->name);
	if (l->auth && sources == 0)
		errors_add(b->errors, n->auth_line, "listener \"%s\": auth needs a source of passwords: add a section auth { passwd "
		    "= \"/etc/postern/passwd\" } (or dovecot, or pam)", l->name);
	if (l->client_certs && l->lmtp)
		errors_add(b->errors, n->certs_line, "listener \"%s\": client-certificates are for AUTH, which LMTP has not", l->name);
	else if (l->client_certs && l->tls == LISTEN_CLEAR)
		errors_add(b->errors, n->certs_line, "listener \"%s\": client-certificates need tls = \"starttls\", \"require\" or "
		    "\"implicit\"", l->name);
	if (l->client_certs && !l->lmtp && b->client_ca.line == 0)
		errors_add(b->errors, n->certs_line, "listener \"%s\": client-certificates need those who may sign them: client-ca "
		    "= \"...\"", l->name);
	if (l->any_sender && !l->auth)
		errors_add(b->errors, n->any_line, "listener \"%s\": any-sender is about logins: it needs auth = true", l->name);
}

static void
check_login(struct build *b, const struct new_login *n)
{
	if (n->l.user[0] == '\0' && !n->user_bad && b->text->whole)
		errors_add(b->errors, n->line, "login \"%s\" has no user", n->l.name);
	if (n->l.password_path[0] == '\0' && !n->path_bad && b->text->whole)
		errors_add(b->errors, n->line, "login \"%s\" has no password-file", n->l.name);
	if (!n->used && conf_is_login_name(n->l.name))
		errors_warn(b->errors, n->line, "login \"%s\": no next hop uses it; one does that is written as "
		    "\"smtp:%s@[host]:587\" or \"smtps:%s@[host]:465\"", n->l.name, n->l.name, n->l.name);
}

static void
check_hop(struct build *b, const struct hop *h, const char *key, int line)
{
	const struct conf_tls_policy	*p;
	struct new_login		*n = b->logins.p;
	char				 text[512];
	size_t				 i;

	if (h->kind != HOP_SMTP)
		return;
	hop_str(h, text, sizeof(text));
	p = conf_tls_policy_find(b->c, h->host);
	if (h->implicit && p != NULL && p->want == WANT_NONE && strcmp(p->name, "*") != 0)
		errors_add(b->errors, line, "%s: \"%s\": smtps: begins with TLS, and tls-policy \"%s\" has level \"none\"", key,
		    text, p->name);
	if (h->login == NULL || h->login[0] == '\0')
		return;
	for (i = 0; i < b->logins.n && strcmp(n[i].l.name, h->login) != 0; i++)
		;
	if (i < b->logins.n)
		n[i].used = 1;
	else
		errors_add(b->errors, line, "%s: \"%s\": there is no section login \"%s\"", key, text, h->login);
	if (p != NULL && !conf_login_policy_ok(b->c, h->host))
		errors_add(b->errors, line, "%s: \"%s\": a password goes only to a host that is known by its certificate, but "
		    "tls-policy \"%s\" has level \"%s\"; expected \"verify\", \"fingerprint\" or \"dane-only\"", key, text,
		    p->name, tls_want_name(p->want));
}

static void
check_hops(struct build *b)
{
	const struct new_domain	*d = b->domains.p;
	const struct new_route	*r = b->routes.p;

	for (size_t i = 0; i < b->domains.n; i++)
		check_hop(b, &d[i].d.deliver, "deliver", d[i].hop_line);
	for (size_t i = 0; i < b->routes.n; i++)
		check_hop(b, &r[i].r.via, "via", r[i].hop_line);
}

void
build_finish_auth(struct build *b)
{
	const struct new_listener	*l = b->listeners.p;
	const struct new_login		*n = b->logins.p;
	struct conf			*c = b->c;

	check_sources(b);
	check_hops(b);
	for (size_t i = 0; i < b->listeners.n; i++)
		check_listener(b, &l[i]);
	finish_mechanisms(b);
	if (b->logins.n != 0 && (c->logins = arena_alloc(&c->mem, b->logins.n * sizeof(*c->logins))) == NULL)
		mem_none();
	for (size_t i = 0; i < b->logins.n; i++) {
		check_login(b, &n[i]);
		c->logins[i] = n[i].l;
	}
	c->nlogins = b->logins.n;
	c->auth.needed = c->nlogins != 0;
	for (size_t i = 0; i < c->nlisteners; i++) {
		if (b->world->no_tables)	/* without TLS, as build_finish_tls() leaves it, there is none of these */
			c->listeners[i].auth = c->listeners[i].client_certs = c->listeners[i].any_sender = 0;
		c->auth.needed |= c->listeners[i].auth;
	}
}
