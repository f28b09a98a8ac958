/* build_domain.c -- the sections domain, relay-domain and route.  Core. */
#include <stdlib.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "conf/build_inner.h"
#include "conf/value.h"

static const struct hop by_mx = { .kind = HOP_MX, .host = "", .port = 25, .login = "", .path = "" };
static const struct hop own_maildir = { .kind = HOP_MAILDIR, .host = "", .login = "", .path = MAILDIR_DEFAULT };

void
build_open_domain(struct build *b, const struct text_section *s, int relay)
{
	struct new_domain	*n = vec_add(&b->domains, sizeof(*n));

	n->line = s->line;
	n->d.relay = relay;
	n->d.catch_all = "";
	n->d.name = "";	/* until it is known to be one */
	n->d.deliver = relay ? by_mx : own_maildir;
	n->good = value_domain(b->errors, s->line, s->name, s->title, &b->c->mem, &n->d.name);
}

void
build_open_route(struct build *b, const struct text_section *s)
{
	struct new_route	*n = vec_add(&b->routes, sizeof(*n));

	n->line = s->line;
	n->r.via = by_mx;
	if (strcmp(s->title, "*") == 0) {
		n->r.name = "*";
		n->good = 1;
	} else
		n->good = value_domain(b->errors, s->line, s->name, s->title, &b->c->mem, &n->r.name);
}

void
build_domain_value(struct build *b, const struct text_value *v, size_t index)
{
	struct new_domain	*n = (struct new_domain *)b->domains.p + index;
	struct map_line		*line;
	const char		*local;
	struct hop		 hop;

	if (strcmp(v->key, "deliver") == 0) {
		n->hop_line = v->line;
		if (!value_hop(b->errors, v, &b->c->mem, &hop))
			return;
		if (hop.kind == HOP_MX)
			errors_add(b->errors, v->line, "deliver: \"mx\": a domain is a final stop and cannot be "
			    "delivered by its own MX; expected \"maildir:...\" or \"smtp:...\", or a relay-domain");
		else
			n->d.deliver = hop;
	} else if (strcmp(v->key, "recipients") == 0) {
		if (strcmp(v->text, "*") == 0)
			n->d.all = 1;
		else if (value_local(b->errors, v, &b->c->mem, &local)) {
			line = vec_add(&n->rcpts, sizeof(*line));
			*line = (struct map_line){ local, v->line };
		}
	} else if (strcmp(v->key, "recipients-file") == 0)
		build_map_line(b, &n->rcpt_files, v);
	else if (strcmp(v->key, "aliases") == 0)
		build_map_line(b, &n->aliases, v);
	else if (strcmp(v->key, "aliases-file") == 0)
		build_map_line(b, &n->alias_files, v);
	else if (strcmp(v->key, "catch-all") == 0)
		value_mailbox(b->errors, v, &b->c->mem, &n->d.catch_all);
	else if (strcmp(v->key, "verify") == 0)
		value_bool(b->errors, v, &n->d.verify);
	else if (strcmp(v->key, "etrn-from") == 0)
		build_prefix(b, v, &n->etrn_from, PREFIXES_MAX);
}

void
build_route_value(struct build *b, const struct text_value *v, size_t index)
{
	struct new_route	*n = (struct new_route *)b->routes.p + index;

	n->hop_line = v->line;
	value_hop(b->errors, v, &b->c->mem, &n->r.via);
}

static int
domain_cmp(const void *a, const void *b)
{
	const struct new_domain	*x = a, *y = b;
	int			 cmp;

	if (!x->good || !y->good)
		return (x->good - y->good);
	if ((cmp = strcmp(x->d.name, y->d.name)) != 0)
		return (cmp);
	return (x->line < y->line ? -1 : x->line > y->line);
}

void
build_finish_domains(struct build *b)
{
	struct new_domain	*n;
	struct conf		*c = b->c;

	if (b->domains.n == 0) {
		n = vec_add(&b->domains, sizeof(*n));
		n->good = 1;
		n->d.name = c->hostname;
		n->d.deliver = own_maildir;
		n->d.catch_all = "";
		n->d.all = 1;
	}
	n = b->domains.p;
	qsort(n, b->domains.n, sizeof(*n), domain_cmp);
	c->domains = mem_array(NULL, b->domains.n, sizeof(*c->domains));
	for (size_t i = 0; i < b->domains.n; i++) {
		n[i].d.etrn_from = build_prefixes(b, &n[i].etrn_from);
		if (i != 0 && n[i].good && n[i - 1].good && strcmp(n[i].d.name, n[i - 1].d.name) == 0)
			errors_add(b->errors, n[i].line, "%s \"%s\" is given twice, first on line %d",
			    n[i].d.relay ? "relay-domain" : "domain", n[i].d.name, n[i - 1].line);
		c->domains[i] = n[i].d;
	}
	c->ndomains = b->domains.n;
}

static int
route_cmp(const void *a, const void *b)
{
	const struct new_route	*x = a, *y = b;
	int			 cmp;

	if (!x->good || !y->good)
		return (x->good - y->good);
	if ((cmp = conf_route_cmp(x->r.name, y->r.name)) != 0)
		return (cmp);
	return (x->line < y->line ? -1 : x->line > y->line);
}

void
build_finish_routes(struct build *b)
{
	struct new_route	*n = b->routes.p;
	struct conf		*c = b->c;

	if (b->routes.n == 0)
		return;
	qsort(n, b->routes.n, sizeof(*n), route_cmp);
	c->routes = mem_array(NULL, b->routes.n, sizeof(*c->routes));
	for (size_t i = 0; i < b->routes.n; i++) {
		if (n[i].hop_line == 0 && b->text->whole)
			errors_add(b->errors, n[i].line, "route \"%s\" has no via", n[i].good ? n[i].r.name : "?");
		if (i != 0 && n[i].good && n[i - 1].good && strcmp(n[i].r.name, n[i - 1].r.name) == 0)
			errors_add(b->errors, n[i].line, "route \"%s\" is given twice, first on line %d",
			    n[i].r.name, n[i - 1].line);
		c->routes[i] = n[i].r;
	}
	c->nroutes = b->routes.n;
}
