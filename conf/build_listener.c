/* build_listener.c -- the sections listener, and the listener of local submission.  Core. */
#include "common/conf_number.h"
#include "common/err.h"
#include "conf/build_inner.h"
#include "conf/value.h"

#define SUBMIT_NAME	"submit"
#define LMTP_NEVER	25

static const struct conf_listener defaults = {
	.kind = LISTEN_TCP, .path = "", .port = LISTENER_PORT, .connections = 10000, .per_address = 50,
	.per_prefix = 200,
};

void
build_prefix(struct build *b, const struct text_value *v, struct vec *list, size_t max)
{
	struct net_prefix	 p;

	if (value_prefix(b->errors, v, &p))
		*(struct net_prefix *)vec_add(list, sizeof(p)) = p;
	if (list->n == max + 1)
		errors_add(b->errors, v->line, "%s: more than %zu prefixes", v->key, max);
}

struct conf_prefixes
build_prefixes(struct build *b, struct vec *list)
{
	struct conf_prefixes	 p = { .n = list->n };

	p.v = vec_to_arena(list, sizeof(*p.v), &b->c->mem);
	return (p);
}

void
build_open_listener(struct build *b, const struct text_section *s)
{
	struct new_listener	*n = vec_add(&b->listeners, sizeof(*n));

	n->l = defaults;
	n->l.name = s->title;
	n->line = s->line;
	net_addr_parse(&n->l.addr, SLICE_LIT("127.0.0.1"));
	if (!conf_is_listener_name(n->l.name))
		errors_add(b->errors, s->line, "listener \"%s\": expected a name of at most %d letters, digits, dots, "
		    "underscores and hyphens", n->l.name, LISTENER_NAME_MAX);
}

/* An address, or "unix:" and a path. */
static void
address_value(struct build *b, struct new_listener *n, const struct text_value *v)
{
	struct text_value	 path = *v;

	if (strncmp(v->text, "unix:", 5) != 0) {
		value_address(b->errors, v, &n->l.addr);
		return;
	}
	path.text = v->text + 5;
	n->l.kind = LISTEN_UNIX;
	n->l.addr = (struct net_addr){ .a = { 0 } };
	if (!value_path(b->errors, &path, CONF_SOCKET_MAX, &b->c->mem, &n->l.path))
		n->l.path = "";
}

static void
count_value(struct build *b, struct new_listener *n, const struct text_value *v)
{
	uint64_t	 count;

	if (!value_count(b->errors, v, 1, LISTENER_CONNECTIONS_MAX, &count))
		return;
	if (strcmp(v->key, "connections") == 0)
		n->l.connections = (uint32_t)count;
	else if (strcmp(v->key, "per-address") == 0)
		n->l.per_address = (uint32_t)count;
	else
		n->l.per_prefix = (uint32_t)count;
}

static void
tls_value(struct build *b, struct new_listener *n, const struct text_value *v)
{
	static const char *const	 names[LISTEN_TLS_KINDS] = { "none", "starttls", "require", "implicit" };

	for (unsigned i = 0; i < LISTEN_TLS_KINDS; i++) {
		if (strcmp(v->text, names[i]) == 0) {
			n->l.tls = (enum listener_tls)i;
			return;
		}
	}
	errors_add(b->errors, v->line, "tls: \"%s\": expected \"none\", \"starttls\", \"require\" or \"implicit\"", v->text);
}

void
build_listener_value(struct build *b, const struct text_value *v, size_t index)
{
	struct new_listener	*n = (struct new_listener *)b->listeners.p + index;
	uint64_t		 port;

	if (strcmp(v->key, "address") == 0)
		address_value(b, n, v);
	else if (strcmp(v->key, "port") == 0) {
		n->port_line = v->line;
		if (value_count(b->errors, v, 1, UINT16_MAX, &port))
			n->l.port = (uint16_t)port;
	} else if (strcmp(v->key, "protocol") == 0) {
		n->l.lmtp = strcmp(v->text, "lmtp") == 0;
		if (!n->l.lmtp && strcmp(v->text, "smtp") != 0)
			errors_add(b->errors, v->line, "protocol: \"%s\": expected \"smtp\" or \"lmtp\"", v->text);
	} else if (strcmp(v->key, "tls") == 0) {
		n->tls_line = v->line;
		tls_value(b, n, v);
	} else if (strcmp(v->key, "auth") == 0) {
		n->auth_line = v->line;
		value_bool(b->errors, v, &n->l.auth);
	} else if (strcmp(v->key, "client-certificates") == 0) {
		n->certs_line = v->line;
		value_bool(b->errors, v, &n->l.client_certs);
	} else if (strcmp(v->key, "any-sender") == 0) {
		n->any_line = v->line;
		value_bool(b->errors, v, &n->l.any_sender);
	} else if (strcmp(v->key, "proxy-from") == 0)
		build_prefix(b, v, &n->proxy_from, PREFIXES_MAX);
	else if (strcmp(v->key, "xclient-from") == 0)
		build_prefix(b, v, &n->xclient_from, PREFIXES_MAX);
	else if (strcmp(v->key, "xforward-from") == 0)
		build_prefix(b, v, &n->xforward_from, PREFIXES_MAX);
	else
		count_value(b, n, v);
}

static int
same_place(const struct conf_listener *a, const struct conf_listener *b)
{
	if (a->kind != b->kind)
		return (0);
	return (a->kind == LISTEN_UNIX ? a->path[0] != '\0' && strcmp(a->path, b->path) == 0 :
	    a->port == b->port && net_addr_cmp(&a->addr, &b->addr) == 0);
}

/* The implicit one at <runtime>/submit: any local user may connect, known by its uid. */
static void
add_submit(struct build *b)
{
	struct new_listener	*n = vec_add(&b->listeners, sizeof(*n));
	char			 path[CONF_PATH_MAX + sizeof("/" SUBMIT_NAME)];

	snprintf(path, sizeof(path), "%s/" SUBMIT_NAME, b->c->runtime);
	n->l = defaults;
	n->l.name = SUBMIT_NAME;
	n->l.kind = LISTEN_UNIX;
	n->l.path = mem_strdup(&b->c->mem, path);
	n->l.everybody = 1;
}

void
build_finish_listeners(struct build *b)
{
	struct new_listener	*n;
	struct conf		*c = b->c;
	size_t			 given = b->listeners.n, max = LISTENERS_MAX - (c->local_submission != 0);

	if (given == 0) {
		n = vec_add(&b->listeners, sizeof(*n));
		n->l = defaults;
		n->l.name = "default";
		n->l.port = LISTENER_DEFAULT_PORT;
		net_addr_parse(&n->l.addr, SLICE_LIT("127.0.0.1"));
	}
	if (c->local_submission)
		add_submit(b);
	n = b->listeners.p;
	if (given > max)
		errors_add(b->errors, 0, "more than %zu listeners%s", max,
		    c->local_submission ? " beside that of local-submission" : "");
	c->nlisteners = b->listeners.n;
	if ((c->listeners = arena_alloc(&c->mem, c->nlisteners * sizeof(*c->listeners))) == NULL)
		mem_none();
	for (size_t i = 0; i < c->nlisteners; i++) {
		for (size_t j = 0; j < i && i < given && i <= max; j++) {
			if (same_place(&n[i].l, &n[j].l))
				errors_add(b->errors, n[i].line, "listener \"%s\" has the address and port of "
				    "listener \"%s\"", n[i].l.name, n[j].l.name);
		}
		if (c->local_submission && i < given && (strcmp(n[i].l.name, SUBMIT_NAME) == 0 ||
		    same_place(&n[i].l, &n[c->nlisteners - 1].l)))
			errors_add(b->errors, n[i].line, "listener \"%s\": this name and this path are "
			    "local-submission's; choose others or set local-submission = false", n[i].l.name);
		if (n[i].l.lmtp && n[i].l.kind == LISTEN_TCP && n[i].l.port == LMTP_NEVER)
			errors_add(b->errors, n[i].port_line != 0 ? n[i].port_line : n[i].line, "listener \"%s\": port "
			    "25 is SMTP's and never LMTP's (RFC 2033 5); give another port or a unix: address",
			    n[i].l.name);
		if (n[i].l.kind == LISTEN_UNIX) {
			if (n[i].port_line != 0)
				errors_add(b->errors, n[i].port_line, "port: a unix: address has none");
			n[i].l.port = 0;
		}
		n[i].l.proxy_from = build_prefixes(b, &n[i].proxy_from);
		n[i].l.xclient_from = build_prefixes(b, &n[i].xclient_from);
		n[i].l.xforward_from = build_prefixes(b, &n[i].xforward_from);
		c->listeners[i] = n[i].l;
	}
}
