/*
 * build.c -- the values of postern.conf become the snapshot.  Core.
 *
 * Sections first, in the order of the file, so that each value finds its listener, domain or route;
 * then the values; then what they must be to each other.  All goes on after an error, so that one run tells all.
 */
#include "conf/build.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/limits.h"
#include "conf/build_inner.h"
#include "conf/value.h"

static void
set_defaults(struct build *b)
{
	struct conf	*c = b->c;

	c->hostname = b->world->hostname;
	c->directory = "/var/lib/postern";
	c->runtime = "/run/postern";
	c->user_prefix = "postern-";
	c->log = LOG_TO_SYSLOG;
	c->tls_level = TLS_INTERMEDIATE;
	c->postmaster = c->recipient_delimiter = "";
	c->deliver.bind4 = c->deliver.bind6 = "";
	c->auth.passwd_path = c->auth.dovecot_path = c->auth.pam_service = "";
	for (size_t i = 0; i < conf_nnumbers; i++)
		conf_number_set(c, &conf_numbers[i], conf_numbers[i].def);
}

static void
open_sections(struct build *b)
{
	struct text_section	*s = b->text->sections.p;
	struct place		*p;

	for (size_t i = 0; i < b->text->sections.n; i++) {
		p = vec_add(&b->places, sizeof(*p));
		if (strcmp(s[i].name, "listener") == 0) {
			p->index = b->listeners.n;
			build_open_listener(b, &s[i]);
		} else if (strcmp(s[i].name, "domain") == 0 || strcmp(s[i].name, "relay-domain") == 0) {
			p->index = b->domains.n;
			build_open_domain(b, &s[i], strcmp(s[i].name, "relay-domain") == 0);
		} else if (strcmp(s[i].name, "route") == 0) {
			p->index = b->routes.n;
			build_open_route(b, &s[i]);
		} else if (strcmp(s[i].name, "stub") == 0) {
			p->name = "";
			p->good = value_domain(b->errors, s[i].line, "stub", s[i].title, &b->c->mem, &p->name);
		} else if (strcmp(s[i].name, "tls") == 0) {
			p->index = b->tls.n;
			build_open_tls(b, &s[i]);
		} else if (strcmp(s[i].name, "tls-policy") == 0) {
			p->index = b->policies.n;
			build_open_policy(b, &s[i]);
		} else if (strcmp(s[i].name, "login") == 0) {
			p->index = b->logins.n;
			build_open_login(b, &s[i]);
		}
	}
}

static void
top_value(struct build *b, const struct text_value *v)
{
	struct conf		*c = b->c;

	if (strcmp(v->key, "hostname") == 0)
		value_domain(b->errors, v->line, "hostname", v->text, &c->mem, &c->hostname);
	else if (strcmp(v->key, "directory") == 0)
		value_path(b->errors, v, CONF_PATH_MAX, &c->mem, &c->directory);
	else if (strcmp(v->key, "runtime") == 0)
		value_path(b->errors, v, CONF_RUNTIME_MAX, &c->mem, &c->runtime);
	else if (strcmp(v->key, "user-prefix") == 0) {
		if (conf_is_user_prefix(v->text))
			c->user_prefix = mem_strdup(&c->mem, v->text);
		else
			errors_add(b->errors, v->line, "user-prefix: \"%s\": expected at most %d lower-case "
			    "letters, digits, underscores and hyphens, a letter first", v->text, USER_PREFIX_MAX);
	} else if (strcmp(v->key, "log") == 0) {
		if (strcmp(v->text, "stderr") == 0)
			c->log = LOG_TO_STDERR;
		else if (strcmp(v->text, "syslog") == 0)
			c->log = LOG_TO_SYSLOG;
		else
			errors_add(b->errors, v->line, "log: \"%s\": expected \"syslog\" or \"stderr\"", v->text);
	} else if (strcmp(v->key, "tls-level") == 0)
		build_tls_level(b, v);
	else if (strcmp(v->key, "tls-ca") == 0 || strcmp(v->key, "client-ca") == 0)
		build_ca_value(b, v);
	else if (strcmp(v->key, "postmaster") == 0)
		value_mailbox(b->errors, v, &c->mem, &c->postmaster);
	else if (strcmp(v->key, "relay-from") == 0)
		build_prefix(b, v, &b->relay_from, RELAY_FROM_MAX);
	else if (strcmp(v->key, "recipient-delimiter") == 0) {
		if (conf_delimiter_ok(v->text))
			c->recipient_delimiter = mem_strdup(&c->mem, v->text);
		else
			errors_add(b->errors, v->line, "recipient-delimiter: \"%s\": expected at most %d different "
			    "characters of !#$%%&'*+-/=?^_`{|}~", v->text, DELIMITERS_MAX);
	} else
		build_map_value(b, v);
}

static void
queue_retry_value(struct build *b, const struct text_value *v)
{
	uint64_t	 n;

	if (value_seconds(b->errors, v, 1, RETRY_STEP_MAX, &n))
		*(uint32_t *)vec_add(&b->retry, sizeof(uint32_t)) = (uint32_t)n;
	else
		b->retry_bad = 1;
	if (b->retry.n == RETRY_STEPS_MAX + 1)
		errors_add(b->errors, v->line, "retry: more than %d steps", RETRY_STEPS_MAX);
}

static void
smtpd_value(struct build *b, const struct text_value *v)
{
	build_prefix(b, v, strcmp(v->key, "vrfy-from") == 0 ? &b->vrfy_from : &b->expn_from, PREFIXES_MAX);
}

static void
resolver_value(struct build *b, const struct text_value *v)
{
	const char	*server;

	if (strcmp(v->key, "trust-anchor") == 0) {
		b->anchor_line = v->line;
		b->anchor = v->text;
		return;
	}
	if (value_server(b->errors, v, &b->c->mem, &server))
		*(const char **)vec_add(&b->forwards, sizeof(server)) = server;
	if (b->forwards.n == FORWARDS_MAX + 1)
		errors_add(b->errors, v->line, "forward: more than %d servers", FORWARDS_MAX);
}

static void
stub_value(struct build *b, const struct text_value *v, const struct place *p)
{
	const char	*server;

	if (!value_server(b->errors, v, &b->c->mem, &server) || !p->good)
		return;
	*(const char **)vec_add(&b->stub_zones, sizeof(server)) = p->name;
	*(const char **)vec_add(&b->stub_servers, sizeof(server)) = server;
	if (b->stub_zones.n == FORWARDS_MAX + 1)
		errors_add(b->errors, v->line, "stub: more than %d servers in all", FORWARDS_MAX);
}

static void
one_value(struct build *b, const struct text_value *v)
{
	const struct text_section	*s = (struct text_section *)b->text->sections.p + v->section;
	const struct place		*p = (struct place *)b->places.p + v->section;
	const struct conf_number	*n;
	uint64_t			 number;

	if ((n = conf_number_find(s->name, v->key)) != NULL) {
		if (value_number(b->errors, v, n, &number))
			conf_number_set(b->c, n, number);
		if (strcmp(s->name, "queue") == 0 && strcmp(v->key, "reserve") == 0)
			b->reserve_line = v->line;
		if (strcmp(v->key, "line-max") == 0)
			b->line_max_line = v->line;
	} else if (s->name[0] == '\0')
		top_value(b, v);
	else if (strcmp(s->name, "listener") == 0)
		build_listener_value(b, v, p->index);
	else if (strcmp(s->name, "domain") == 0 || strcmp(s->name, "relay-domain") == 0)
		build_domain_value(b, v, p->index);
	else if (strcmp(s->name, "route") == 0)
		build_route_value(b, v, p->index);
	else if (strcmp(s->name, "tls") == 0)
		build_tls_value(b, v, p->index);
	else if (strcmp(s->name, "tls-policy") == 0)
		build_policy_value(b, v, p->index);
	else if (strcmp(s->name, "login") == 0)
		build_login_value(b, v, p->index);
	else if (strcmp(s->name, "auth") == 0)
		build_auth_value(b, v);
	else if (strcmp(s->name, "smtpd") == 0)
		smtpd_value(b, v);
	else if (strcmp(s->name, "queue") == 0)
		queue_retry_value(b, v);
	else if (strcmp(s->name, "deliver") == 0) {
		if (strcmp(v->key, "bind4") == 0)
			value_bind(b->errors, v, 1, &b->c->mem, &b->c->deliver.bind4);
		else
			value_bind(b->errors, v, 0, &b->c->mem, &b->c->deliver.bind6);
	} else if (strcmp(s->name, "resolver") == 0)
		resolver_value(b, v);
	else if (strcmp(s->name, "stub") == 0)
		stub_value(b, v, p);
}

static void
finish_relay_from(struct build *b)
{
	static const struct slice	 loopback[] = { SLICE_LIT("127.0.0.0/8"), SLICE_LIT("::1") };

	if (b->text->relay_from_given)
		return;
	for (size_t i = 0; i < 2; i++)
		net_prefix_parse(vec_add(&b->relay_from, sizeof(struct net_prefix)), loopback[i]);
}

static void
finish_queue(struct build *b)
{
	static const uint32_t	 retry[] = { 60, 300, 900, 3600 };
	struct conf		*c = b->c;

	for (size_t i = 0; !b->text->retry_given && i < sizeof(retry) / sizeof(retry[0]); i++)
		*(uint32_t *)vec_add(&b->retry, sizeof(uint32_t)) = retry[i];
	if (b->retry.n == 0 && !b->retry_bad)
		errors_add(b->errors, 0, "retry: expected at least one duration");
	if (c->queue.reserve >= c->queue.store_max)
		errors_add(b->errors, b->reserve_line, "queue: reserve is not smaller than store-max");
}

/* The default file may be missing: then names are not validated, and the resolver says so. */
static void
finish_trust_anchor(struct build *b)
{
	const char	*path = b->anchor != NULL ? b->anchor : TRUST_ANCHOR_DEFAULT;
	const char	*why = NULL;
	char		*text;

	b->c->resolver.trust_anchor = "";
	if (path[0] == '\0')
		return;
	if ((why = conf_path_why(path, CONF_PATH_MAX, 0)) == NULL &&
	    (text = b->world->read_file(path, TRUST_ANCHOR_MAX, &why)) != NULL) {
		for (char *p = text; *p != '\0'; p++) {
			if (*p == '\r')
				*p = ' ';
			else if ((unsigned char)*p > 0x7e || ((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t'))
				why = "the file is not ASCII text";
		}
		if (why == NULL)
			b->c->resolver.trust_anchor = mem_strdup(&b->c->mem, text);
		free(text);
	}
	if (why != NULL && b->anchor != NULL)
		errors_add(b->errors, b->anchor_line, "trust-anchor: \"%.300s\": %s (expected a file of DS or DNSKEY "
		    "records, or \"\" to turn validation off)", path, why);
}

static void
finish(struct build *b)
{
	struct conf	*c = b->c;

	build_finish_listeners(b);
	build_finish_tls(b);
	finish_relay_from(b);
	finish_queue(b);
	build_finish_domains(b);
	build_finish_routes(b);
	build_finish_policies(b);
	build_finish_auth(b);
	build_finish_ca(b);
	finish_trust_anchor(b);
	if (c->smtpd.line_max != 0 && c->smtpd.line_max < SMTPD_LINE_LEAST)
		errors_add(b->errors, b->line_max_line, "line-max: expected 0, which is no limit, or at least %d "
		    "(RFC 5321 4.5.3.1.6)", SMTPD_LINE_LEAST);
	c->smtpd.vrfy_from = build_prefixes(b, &b->vrfy_from);
	c->smtpd.expn_from = build_prefixes(b, &b->expn_from);
	c->nrelay_from = b->relay_from.n;
	c->relay_from = vec_to_arena(&b->relay_from, sizeof(*c->relay_from), &c->mem);
	c->queue.nretry = b->retry.n;
	c->queue.retry = vec_to_arena(&b->retry, sizeof(uint32_t), &c->mem);
	c->resolver.nforward = b->forwards.n;
	c->resolver.forward = vec_to_arena(&b->forwards, sizeof(char *), &c->mem);
	c->resolver.nstub = b->stub_zones.n;
	c->resolver.stub_zone = vec_to_arena(&b->stub_zones, sizeof(char *), &c->mem);
	c->resolver.stub_server = vec_to_arena(&b->stub_servers, sizeof(char *), &c->mem);
	build_tables(b);
}

static void
build_clear(struct build *b)
{
	free(b->places.p);
	free(b->maps);
	free(b->listeners.p);
	free(b->domains.p);
	free(b->routes.p);
	free(b->tls.p);
	free(b->policies.p);
	free(b->logins.p);
	free(b->mechanisms.p);
	free(b->c->domains);	/* these two are not in its arena */
	free(b->c->routes);
	conf_free(b->c);
}

/* What the daemons will check, checked here, where a person reads the answer. */
static struct conf *
through_the_wire(struct build *b)
{
	struct slice	 packed;
	struct conf	*c = NULL;
	int		 err;

	if ((err = conf_pack(b->c, &packed)) != E_OK) {
		errors_add(b->errors, 0, "the configuration is too large (%s)", err_name(err));
		return (NULL);
	}
	if ((err = conf_unpack(&c, packed, b->c->image)) != E_OK) {
		errors_add(b->errors, 0, "the configuration does not pass its own check (%s)", err_name(err));
		c = NULL;
	} else {
		c->map = b->c->map;
		b->c->map = NULL;
	}
	free((void *)packed.p);
	return (c);
}

struct conf *
conf_build(struct slice in, const struct conf_world *world, struct errors *errors)
{
	struct text	 text;
	struct build	 b = { .errors = errors, .text = &text, .world = world };
	struct conf	*c = NULL;
	size_t		 before = errors->n;

	b.c = mem_array(NULL, 1, sizeof(*b.c));
	memset(b.c, 0, sizeof(*b.c));
	b.maps = mem_array(NULL, conf_nmaps, sizeof(*b.maps));
	memset(b.maps, 0, conf_nmaps * sizeof(*b.maps));
	arena_init(&b.c->mem, SIZE_MAX);
	text_read(&text, in, errors);
	set_defaults(&b);
	open_sections(&b);
	for (size_t i = 0; i < text.values.n; i++)
		one_value(&b, (struct text_value *)text.values.p + i);
	finish(&b);
	if (!text.whole && errors->n == before)
		errors_add(errors, 0, "the file could not be read to its end");
	if (errors->n == before)
		c = through_the_wire(&b);
	build_clear(&b);
	text_clear(&text);
	return (c);
}
