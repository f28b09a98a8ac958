/*
 * conf_unpack.c -- octets become a snapshot.  Core.
 *
 * Holds nothing for granted: every count is bounded by the octets left before memory is taken for it, every name
 * must be in its canonical form, every list in its order, every table in the image and of the right type.
 */
#include <stdlib.h>

#include "common/conf_form.h"
#include "common/conf_number.h"
#include "common/conf_unpack.h"
#include "common/err.h"
#include "common/limits.h"

#define ARENA_FIRST	8192u
#define UNPACKED_RATIO	24		/* most memory per packed octet: pointers and alignment */

/* The fewest octets that each takes when packed: a one-letter name and the rest of its fields. */
#define HOP_LEAST	10u
#define ROUTE_LEAST	(3u + HOP_LEAST)
#define PREFIX_LEAST	(sizeof(struct net_addr) + 1)
#define DOMAIN_LEAST	(3u + 1 + HOP_LEAST + 1 + 4 + 4 + 2 + 1 + 4)
#define LISTENER_LEAST	(3u + 1 + 2 + 1 + 1 + 1 + 3 + 3 * 4 + sizeof(struct net_addr) + 2 + 3 * 4)

void
unpack_expect(struct unpacker *u, int holds)
{
	if (!holds)
		rd_fail(&u->r);
}

void *
unpack_memory(struct unpacker *u, size_t n, size_t size)
{
	size_t	 total;
	void	*p;

	if (__builtin_mul_overflow(n, size, &total) || (p = arena_alloc(u->mem, total)) == NULL) {
		u->err = E_NOMEM;
		rd_fail(&u->r);
		return (NULL);
	}
	return (p);
}

const char *
unpack_string(struct unpacker *u)
{
	uint16_t	 n = rd_u16(&u->r);
	char		*p;

	if (n > u->r.len)
		rd_fail(&u->r);
	if (u->r.err != E_OK || n == 0 || (p = unpack_memory(u, (size_t)n + 1, 1)) == NULL)
		return ("");
	rd_raw(&u->r, p, n);
	for (size_t i = 0; i < n; i++)
		unpack_expect(u, (unsigned char)p[i] >= 0x20 && p[i] != 0x7f);
	return (u->r.err == E_OK ? p : "");
}

/* A count of things that take at least so many octets each, and memory for them. */
size_t
unpack_count(struct unpacker *u, size_t max, size_t least)
{
	uint32_t	 n = rd_u32(&u->r);

	if (n > max || n > u->r.len / least)
		rd_fail(&u->r);
	return (u->r.err == E_OK ? n : 0);
}

const char **
unpack_strings(struct unpacker *u, size_t max, size_t *count)
{
	size_t		 n = unpack_count(u, max, sizeof(uint16_t));
	const char	**list;

	*count = 0;
	if (n == 0 || (list = unpack_memory(u, n, sizeof(*list))) == NULL)
		return (NULL);
	for (size_t i = 0; i < n; i++)
		list[i] = unpack_string(u);
	*count = n;
	return (list);
}

static void
take_prefixes(struct unpacker *u, struct conf_prefixes *list, size_t max)
{
	size_t			 n = unpack_count(u, max, PREFIX_LEAST);
	struct net_prefix	*p;
	struct net_addr		 m;

	if (n == 0 || (list->v = unpack_memory(u, n, sizeof(*list->v))) == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		p = &list->v[i];
		rd_raw(&u->r, p->addr.a, sizeof(p->addr.a));
		p->len = rd_u8max(&u->r, 128);
		m = net_addr_mask(&p->addr, p->len);
		unpack_expect(u, net_addr_cmp(&m, &p->addr) == 0);
	}
	list->n = n;
}

static void
take_table(struct unpacker *u, struct table *t, enum table_type type)
{
	t->id = rd_u32(&u->r);
	t->image = u->image;
	if (u->image.p != NULL)
		unpack_expect(u, t->id <= u->ntables && table_type_is(t, type));
}

static void
take_hop(struct unpacker *u, struct hop *h)
{
	h->kind = (enum hop_kind)rd_u8max(&u->r, HOP_KINDS - 1);
	h->host = unpack_string(u);
	h->port = rd_u16(&u->r);
	h->implicit = rd_u8max(&u->r, 1);
	h->login = unpack_string(u);
	h->path = unpack_string(u);
	unpack_expect(u, conf_hop_ok(h));
}

static void
expect_mailbox(struct unpacker *u, const char *text)
{
	struct addr	 a;

	if (text[0] != '\0')
		unpack_expect(u, addr_parse(&a, slice_str(text), NULL) == E_OK && strcmp(a.text, text) == 0);
}

static void
take_listeners(struct unpacker *u, struct conf *c)
{
	size_t			 n = unpack_count(u, LISTENERS_MAX, LISTENER_LEAST);
	struct conf_listener	*l;

	if (n == 0 || (c->listeners = unpack_memory(u, n, sizeof(*l))) == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		l = &c->listeners[i];
		l->name = unpack_string(u);
		l->kind = (enum listener_kind)rd_u8max(&u->r, LISTEN_UNIX);
		l->path = unpack_string(u);
		l->everybody = rd_u8max(&u->r, 1);
		l->lmtp = rd_u8max(&u->r, 1);
		l->tls = (enum listener_tls)rd_u8max(&u->r, LISTEN_TLS_KINDS - 1);
		l->auth = rd_u8max(&u->r, 1);
		l->client_certs = rd_u8max(&u->r, 1);
		l->any_sender = rd_u8max(&u->r, 1);
		take_prefixes(u, &l->proxy_from, PREFIXES_MAX);
		take_prefixes(u, &l->xclient_from, PREFIXES_MAX);
		take_prefixes(u, &l->xforward_from, PREFIXES_MAX);
		rd_raw(&u->r, l->addr.a, sizeof(l->addr.a));
		l->port = rd_u16(&u->r);
		l->connections = rd_u32(&u->r);
		l->per_address = rd_u32(&u->r);
		l->per_prefix = rd_u32(&u->r);
		unpack_expect(u, conf_is_listener_name(l->name));
		unpack_expect(u, l->kind == LISTEN_TCP ? l->port != 0 && l->path[0] == '\0' && !l->everybody :
		    l->port == 0 && conf_path_why(l->path, CONF_SOCKET_MAX, 0) == NULL);
		unpack_expect(u, l->connections >= 1 && l->connections <= LISTENER_CONNECTIONS_MAX);
		unpack_expect(u, l->per_address >= 1 && l->per_address <= LISTENER_CONNECTIONS_MAX);
		unpack_expect(u, l->per_prefix >= 1 && l->per_prefix <= LISTENER_CONNECTIONS_MAX);
		for (size_t j = 0; j < i && u->r.err == E_OK; j++)
			unpack_expect(u, strcmp(c->listeners[j].name, l->name) != 0);
	}
	c->nlisteners = n;
}

static void
take_domain(struct unpacker *u, struct conf_domain *d)
{
	d->name = unpack_string(u);
	d->relay = rd_u8max(&u->r, 1);
	take_hop(u, &d->deliver);
	d->all = rd_u8max(&u->r, 1);
	take_table(u, &d->recipients, TABLE_PRESENT);
	take_table(u, &d->aliases, TABLE_TARGETS);
	d->catch_all = unpack_string(u);
	d->verify = rd_u8max(&u->r, 1);
	take_prefixes(u, &d->etrn_from, PREFIXES_MAX);
	unpack_expect(u, conf_is_domain(d->name));
	unpack_expect(u, d->relay == (d->deliver.kind == HOP_MX));
	unpack_expect(u, !d->all || d->recipients.id == 0);
	unpack_expect(u, d->relay ? d->aliases.id == 0 && d->catch_all[0] == '\0' : !d->verify && d->etrn_from.n == 0);
	expect_mailbox(u, d->catch_all);
}

static void
take_domains(struct unpacker *u, struct conf *c)
{
	size_t	 n = unpack_count(u, CONF_BLOB_MAX, DOMAIN_LEAST);

	if (n == 0 || (c->domains = unpack_memory(u, n, sizeof(*c->domains))) == NULL)
		return;
	for (size_t i = 0; i < n && u->r.err == E_OK; i++) {
		take_domain(u, &c->domains[i]);
		if (i != 0)
			unpack_expect(u, strcmp(c->domains[i - 1].name, c->domains[i].name) < 0);
	}
	c->ndomains = n;
}

static void
take_routes(struct unpacker *u, struct conf *c)
{
	size_t			 n = unpack_count(u, CONF_BLOB_MAX, ROUTE_LEAST);
	struct conf_route	*r;

	if (n == 0 || (c->routes = unpack_memory(u, n, sizeof(*c->routes))) == NULL)
		return;
	for (size_t i = 0; i < n && u->r.err == E_OK; i++) {
		r = &c->routes[i];
		r->name = unpack_string(u);
		take_hop(u, &r->via);
		unpack_expect(u, strcmp(r->name, "*") == 0 || conf_is_domain(r->name));
		if (i != 0)
			unpack_expect(u, conf_route_cmp(r[-1].name, r->name) < 0);
	}
	c->nroutes = n;
}

static void
take_queue_retry(struct unpacker *u, struct conf *c)
{
	size_t	 n = unpack_count(u, RETRY_STEPS_MAX, sizeof(uint32_t));

	unpack_expect(u, n != 0);
	if (n == 0 || (c->queue.retry = unpack_memory(u, n, sizeof(*c->queue.retry))) == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		c->queue.retry[i] = rd_u32(&u->r);
		unpack_expect(u, c->queue.retry[i] != 0 && c->queue.retry[i] <= RETRY_STEP_MAX);
	}
	c->queue.nretry = n;
}

/* "", or an address of that family in its own form. */
static void
expect_bind(struct unpacker *u, const char *text, int is4)
{
	struct net_addr	 ip;
	char		 own[NET_ADDR_STRLEN];

	if (text[0] == '\0')
		return;
	unpack_expect(u, net_addr_parse(&ip, slice_str(text)) == E_OK && net_addr_is4(&ip) == is4 &&
	    strcmp(net_addr_str(&ip, own), text) == 0);
}

static void
take_resolver(struct unpacker *u, struct conf *c)
{
	struct slice	 anchor;
	size_t		 n;

	c->resolver.forward = unpack_strings(u, FORWARDS_MAX, &c->resolver.nforward);
	for (size_t i = 0; i < c->resolver.nforward; i++)
		unpack_expect(u, conf_is_server(c->resolver.forward[i]));
	n = unpack_count(u, FORWARDS_MAX, 2 * sizeof(uint16_t));
	if (n != 0 && ((c->resolver.stub_zone = unpack_memory(u, n, sizeof(char *))) == NULL ||
	    (c->resolver.stub_server = unpack_memory(u, n, sizeof(char *))) == NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		c->resolver.stub_zone[i] = unpack_string(u);
		c->resolver.stub_server[i] = unpack_string(u);
		unpack_expect(u, conf_is_domain(c->resolver.stub_zone[i]) &&
		    conf_is_server(c->resolver.stub_server[i]));
	}
	c->resolver.nstub = n;
	anchor = rd_bytes(&u->r, TRUST_ANCHOR_MAX);
	for (size_t i = 0; i < anchor.n; i++) {
		unsigned char	 ch = (unsigned char)anchor.p[i];

		unpack_expect(u, ch == '\n' || ch == '\t' || (ch >= 0x20 && ch <= 0x7e));
	}
	c->resolver.trust_anchor = arena_strdup(u->mem, anchor);
	if (c->resolver.trust_anchor == NULL) {
		u->err = E_NOMEM;
		rd_fail(&u->r);
	}
}

static void
take_numbers(struct unpacker *u, struct conf *c)
{
	const struct conf_number	*n;
	uint64_t			 v;

	for (size_t i = 0; i < conf_nnumbers; i++) {
		n = &conf_numbers[i];
		v = rd_u64(&u->r);
		unpack_expect(u, v >= n->min && v <= n->max);
		conf_number_set(c, n, v);
	}
	unpack_expect(u, c->queue.reserve < c->queue.store_max);
	unpack_expect(u, c->smtpd.line_max == 0 || c->smtpd.line_max >= SMTPD_LINE_LEAST);
}

static void
unpack_all(struct unpacker *u, struct conf *c)
{
	struct conf_prefixes	 relay_from = { 0 };

	unpack_expect(u, rd_u32(&u->r) == CONF_MAGIC);
	unpack_expect(u, rd_u16(&u->r) == CONF_VERSION);
	c->hostname = unpack_string(u);
	c->directory = unpack_string(u);
	c->runtime = unpack_string(u);
	c->user_prefix = unpack_string(u);
	c->log = (enum log_kind)rd_u8max(&u->r, LOG_TO_STDERR);
	c->postmaster = unpack_string(u);
	unpack_expect(u, conf_is_domain(c->hostname));
	unpack_expect(u, conf_path_why(c->directory, CONF_PATH_MAX, 0) == NULL);
	unpack_expect(u, conf_path_why(c->runtime, CONF_RUNTIME_MAX, 0) == NULL);
	unpack_expect(u, conf_is_user_prefix(c->user_prefix));
	expect_mailbox(u, c->postmaster);
	take_numbers(u, c);
	c->recipient_delimiter = unpack_string(u);
	unpack_expect(u, conf_delimiter_ok(c->recipient_delimiter));
	for (size_t i = 0; i < conf_nmaps; i++)
		take_table(u, conf_map_table(c, &conf_maps[i]), conf_maps[i].type);
	take_prefixes(u, &relay_from, RELAY_FROM_MAX);
	c->nrelay_from = relay_from.n;
	c->relay_from = relay_from.v;
	take_prefixes(u, &c->smtpd.vrfy_from, PREFIXES_MAX);
	take_prefixes(u, &c->smtpd.expn_from, PREFIXES_MAX);
	take_listeners(u, c);
	take_domains(u, c);
	conf_unpack_tls(u, c);
	take_routes(u, c);
	conf_unpack_auth(u, c);
	take_queue_retry(u, c);
	c->deliver.bind4 = unpack_string(u);
	c->deliver.bind6 = unpack_string(u);
	expect_bind(u, c->deliver.bind4, 1);
	expect_bind(u, c->deliver.bind6, 0);
	take_resolver(u, c);
}

int
conf_unpack(struct conf **out, struct slice in, struct slice image)
{
	struct unpacker	 u = { .image = image, .ntables = table_image_count(image), .err = E_OK };
	struct conf	*c;

	if (in.n > CONF_BLOB_MAX || (image.n != 0 && table_image_check(image) != E_OK))
		return (E_PROTO);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (E_NOMEM);
	arena_init(&c->mem, in.n * UNPACKED_RATIO + ARENA_FIRST);
	c->image = image;
	u.mem = &c->mem;
	rd_init(&u.r, in.p, in.n);
	unpack_all(&u, c);
	if (rd_end(&u.r) != E_OK) {
		conf_free(c);
		return (u.err != E_OK ? u.err : E_PROTO);
	}
	*out = c;
	return (E_OK);
}
