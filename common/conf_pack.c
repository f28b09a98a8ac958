/*
 * conf_pack.c -- the snapshot as octets and back.  Core.
 *
 * pack_all() and unpack_all() stand field for field.  There is one form for each snapshot: what unpacks,
 * packs to the same octets.  Unpack holds nothing for granted: every count is bounded by the octets left
 * before memory is taken for it, every name must be in its canonical form, every list in its order.
 */
#include <stdlib.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "common/limits.h"
#include "common/wire.h"

#define CONF_MAGIC	0x464e4350u	/* "PCNF" */
#define CONF_VERSION	1u		/* of this form; master and daemons are of one build */
#define PACK_FIRST	8192		/* octets of the first attempt */
#define UNPACKED_RATIO	16		/* most memory per packed octet: pointers and alignment */

/* The fewest octets that each takes when packed: a one-letter name and the rest of its fields. */
#define HOP_LEAST	7u
#define ROUTE_LEAST	(3u + HOP_LEAST)
#define DOMAIN_LEAST	(3u + 1 + HOP_LEAST + 1 + 4)
#define LISTENER_LEAST	(3u + sizeof(struct net_addr) + 2 + 3 * 4)

static void
pack_hop(struct wr *w, const struct hop *h)
{
	wr_u8(w, (uint8_t)h->kind);
	wr_str(w, h->host);
	wr_u16(w, h->port);
	wr_str(w, h->path);
}

static void
pack_strings(struct wr *w, const char *const *list, size_t n)
{
	wr_u32(w, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		wr_str(w, list[i]);
}

static void
pack_listener(struct wr *w, const struct conf_listener *l)
{
	wr_str(w, l->name);
	wr_raw(w, l->addr.a, sizeof(l->addr.a));
	wr_u16(w, l->port);
	wr_u32(w, l->connections);
	wr_u32(w, l->per_address);
	wr_u32(w, l->per_prefix);
}

static void
pack_domain(struct wr *w, const struct conf_domain *d)
{
	wr_str(w, d->name);
	wr_u8(w, (uint8_t)d->relay);
	pack_hop(w, &d->deliver);
	wr_u8(w, (uint8_t)d->all);
	pack_strings(w, d->rcpt, d->nrcpt);
}

static void
pack_all(struct wr *w, const struct conf *c)
{
	wr_u32(w, CONF_MAGIC);
	wr_u16(w, CONF_VERSION);
	wr_str(w, c->hostname);
	wr_str(w, c->directory);
	wr_str(w, c->runtime);
	wr_str(w, c->user_prefix);
	wr_u8(w, (uint8_t)c->log);
	wr_str(w, c->postmaster);
	for (size_t i = 0; i < conf_nnumbers; i++)
		wr_u64(w, conf_number_get(c, &conf_numbers[i]));
	wr_u32(w, (uint32_t)c->nrelay_from);
	for (size_t i = 0; i < c->nrelay_from; i++) {
		wr_raw(w, c->relay_from[i].addr.a, sizeof(c->relay_from[i].addr.a));
		wr_u8(w, c->relay_from[i].len);
	}
	wr_u32(w, (uint32_t)c->nlisteners);
	for (size_t i = 0; i < c->nlisteners; i++)
		pack_listener(w, &c->listeners[i]);
	wr_u32(w, (uint32_t)c->ndomains);
	for (size_t i = 0; i < c->ndomains; i++)
		pack_domain(w, &c->domains[i]);
	wr_u32(w, (uint32_t)c->nroutes);
	for (size_t i = 0; i < c->nroutes; i++) {
		wr_str(w, c->routes[i].name);
		pack_hop(w, &c->routes[i].via);
	}
	wr_u32(w, (uint32_t)c->queue.nretry);
	for (size_t i = 0; i < c->queue.nretry; i++)
		wr_u32(w, c->queue.retry[i]);
	wr_str(w, c->deliver.bind4);
	wr_str(w, c->deliver.bind6);
	pack_strings(w, c->resolver.forward, c->resolver.nforward);
	wr_u32(w, (uint32_t)c->resolver.nstub);
	for (size_t i = 0; i < c->resolver.nstub; i++) {
		wr_str(w, c->resolver.stub_zone[i]);
		wr_str(w, c->resolver.stub_server[i]);
	}
	wr_bytes(w, c->resolver.trust_anchor, strlen(c->resolver.trust_anchor));
}

int
conf_pack(const struct conf *c, struct slice *out)
{
	struct wr	 w;
	uint8_t		*p;

	for (size_t size = PACK_FIRST; size <= CONF_BLOB_MAX; size *= 2) {
		if ((p = malloc(size)) == NULL)
			return (E_NOMEM);
		wr_init(&w, p, size);
		pack_all(&w, c);
		if (w.err == E_OK) {
			*out = slice_make(p, w.len);
			return (E_OK);
		}
		free(p);
	}
	return (E_LIMIT);
}

/* ---- back ---- */

/* What one unpacking shares: E_NOMEM in err; wrong contents fail the reader. */
struct unpacker {
	struct rd	 r;
	struct arena	*mem;
	int		 err;
};

static void
expect(struct unpacker *u, int holds)
{
	if (!holds)
		rd_fail(&u->r);
}

static void *
take_memory(struct unpacker *u, size_t n, size_t size)
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

static const char *
take_string(struct unpacker *u)
{
	uint16_t	 n = rd_u16(&u->r);
	char		*p;

	if (n > u->r.len)
		rd_fail(&u->r);
	if (u->r.err != E_OK || n == 0 || (p = take_memory(u, (size_t)n + 1, 1)) == NULL)
		return ("");
	rd_raw(&u->r, p, n);
	for (size_t i = 0; i < n; i++)
		expect(u, (unsigned char)p[i] >= 0x20 && p[i] != 0x7f);
	return (u->r.err == E_OK ? p : "");
}

/* A count of things that take at least so many octets each, and memory for them. */
static size_t
take_count(struct unpacker *u, size_t max, size_t least)
{
	uint32_t	 n = rd_u32(&u->r);

	if (n > max || n > u->r.len / least)
		rd_fail(&u->r);
	return (u->r.err == E_OK ? n : 0);
}

static const char **
take_strings(struct unpacker *u, size_t max, size_t *count)
{
	size_t		 n = take_count(u, max, sizeof(uint16_t));
	const char	**list;

	*count = 0;
	if (n == 0 || (list = take_memory(u, n, sizeof(*list))) == NULL)
		return (NULL);
	for (size_t i = 0; i < n; i++)
		list[i] = take_string(u);
	*count = n;
	return (list);
}

static void
take_hop(struct unpacker *u, struct hop *h)
{
	h->kind = (enum hop_kind)rd_u8max(&u->r, HOP_KINDS - 1);
	h->host = take_string(u);
	h->port = rd_u16(&u->r);
	h->path = take_string(u);
	expect(u, conf_hop_ok(h));
}

static void
take_listeners(struct unpacker *u, struct conf *c)
{
	size_t			 n = take_count(u, LISTENERS_MAX, LISTENER_LEAST);
	struct conf_listener	*l;

	if (n == 0 || (c->listeners = take_memory(u, n, sizeof(*l))) == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		l = &c->listeners[i];
		l->name = take_string(u);
		rd_raw(&u->r, l->addr.a, sizeof(l->addr.a));
		l->port = rd_u16(&u->r);
		l->connections = rd_u32(&u->r);
		l->per_address = rd_u32(&u->r);
		l->per_prefix = rd_u32(&u->r);
		expect(u, conf_is_listener_name(l->name) && l->port != 0);
		expect(u, l->connections >= 1 && l->connections <= LISTENER_CONNECTIONS_MAX);
		expect(u, l->per_address >= 1 && l->per_address <= LISTENER_CONNECTIONS_MAX);
		expect(u, l->per_prefix >= 1 && l->per_prefix <= LISTENER_CONNECTIONS_MAX);
		for (size_t j = 0; j < i && u->r.err == E_OK; j++)
			expect(u, strcmp(c->listeners[j].name, l->name) != 0);
	}
	c->nlisteners = n;
}

static void
take_domain(struct unpacker *u, struct conf_domain *d)
{
	d->name = take_string(u);
	d->relay = rd_u8max(&u->r, 1);
	take_hop(u, &d->deliver);
	d->all = rd_u8max(&u->r, 1);
	d->rcpt = take_strings(u, CONF_BLOB_MAX, &d->nrcpt);
	expect(u, conf_is_domain(d->name));
	expect(u, d->relay == (d->deliver.kind == HOP_MX));
	expect(u, !(d->all || d->relay) || d->nrcpt == 0);
	for (size_t i = 0; i < d->nrcpt && u->r.err == E_OK; i++) {
		expect(u, d->rcpt[i][0] != '\0' && strlen(d->rcpt[i]) <= LOCAL_PART_MAX);
		for (const char *p = d->rcpt[i]; *p != '\0'; p++)
			expect(u, !(*p >= 'A' && *p <= 'Z'));
		if (i != 0)
			expect(u, strcmp(d->rcpt[i - 1], d->rcpt[i]) < 0);
	}
}

static void
take_domains(struct unpacker *u, struct conf *c)
{
	size_t	 n = take_count(u, CONF_BLOB_MAX, DOMAIN_LEAST);

	if (n == 0 || (c->domains = take_memory(u, n, sizeof(*c->domains))) == NULL)
		return;
	for (size_t i = 0; i < n && u->r.err == E_OK; i++) {
		take_domain(u, &c->domains[i]);
		if (i != 0)
			expect(u, strcmp(c->domains[i - 1].name, c->domains[i].name) < 0);
	}
	c->ndomains = n;
}

static void
take_routes(struct unpacker *u, struct conf *c)
{
	size_t			 n = take_count(u, CONF_BLOB_MAX, ROUTE_LEAST);
	struct conf_route	*r;

	if (n == 0 || (c->routes = take_memory(u, n, sizeof(*c->routes))) == NULL)
		return;
	for (size_t i = 0; i < n && u->r.err == E_OK; i++) {
		r = &c->routes[i];
		r->name = take_string(u);
		take_hop(u, &r->via);
		expect(u, strcmp(r->name, "*") == 0 || conf_is_domain(r->name));
		if (i != 0)
			expect(u, conf_route_cmp(r[-1].name, r->name) < 0);
	}
	c->nroutes = n;
}

static void
take_relay_from(struct unpacker *u, struct conf *c)
{
	size_t			 n = take_count(u, RELAY_FROM_MAX, sizeof(struct net_addr) + 1);
	struct net_prefix	*p;
	struct net_addr		 m;

	if (n == 0 || (c->relay_from = take_memory(u, n, sizeof(*c->relay_from))) == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		p = &c->relay_from[i];
		rd_raw(&u->r, p->addr.a, sizeof(p->addr.a));
		p->len = rd_u8max(&u->r, 128);
		m = net_addr_mask(&p->addr, p->len);
		expect(u, net_addr_cmp(&m, &p->addr) == 0);
	}
	c->nrelay_from = n;
}

static void
take_queue_retry(struct unpacker *u, struct conf *c)
{
	size_t	 n = take_count(u, RETRY_STEPS_MAX, sizeof(uint32_t));

	expect(u, n != 0);
	if (n == 0 || (c->queue.retry = take_memory(u, n, sizeof(*c->queue.retry))) == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		c->queue.retry[i] = rd_u32(&u->r);
		expect(u, c->queue.retry[i] != 0 && c->queue.retry[i] <= RETRY_STEP_MAX);
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
	expect(u, net_addr_parse(&ip, slice_str(text)) == E_OK && net_addr_is4(&ip) == is4 &&
	    strcmp(net_addr_str(&ip, own), text) == 0);
}

static void
take_resolver(struct unpacker *u, struct conf *c)
{
	struct slice	 anchor;
	size_t		 n;

	c->resolver.forward = take_strings(u, FORWARDS_MAX, &c->resolver.nforward);
	for (size_t i = 0; i < c->resolver.nforward; i++)
		expect(u, conf_is_server(c->resolver.forward[i]));
	n = take_count(u, FORWARDS_MAX, 2 * sizeof(uint16_t));
	if (n != 0 && ((c->resolver.stub_zone = take_memory(u, n, sizeof(char *))) == NULL ||
	    (c->resolver.stub_server = take_memory(u, n, sizeof(char *))) == NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		c->resolver.stub_zone[i] = take_string(u);
		c->resolver.stub_server[i] = take_string(u);
		expect(u, conf_is_domain(c->resolver.stub_zone[i]) &&
		    conf_is_server(c->resolver.stub_server[i]));
	}
	c->resolver.nstub = n;
	anchor = rd_bytes(&u->r, TRUST_ANCHOR_MAX);
	for (size_t i = 0; i < anchor.n; i++) {
		unsigned char	 ch = (unsigned char)anchor.p[i];

		expect(u, ch == '\n' || ch == '\t' || (ch >= 0x20 && ch <= 0x7e));
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
		expect(u, v >= n->min && v <= n->max);
		conf_number_set(c, n, v);
	}
	expect(u, c->queue.reserve < c->queue.store_max);
}

static void
expect_postmaster(struct unpacker *u, const char *text)
{
	struct addr	 a;

	if (text[0] != '\0')
		expect(u, addr_parse(&a, slice_str(text), NULL) == E_OK && strcmp(a.text, text) == 0);
}

static void
unpack_all(struct unpacker *u, struct conf *c)
{
	expect(u, rd_u32(&u->r) == CONF_MAGIC);
	expect(u, rd_u16(&u->r) == CONF_VERSION);
	c->hostname = take_string(u);
	c->directory = take_string(u);
	c->runtime = take_string(u);
	c->user_prefix = take_string(u);
	c->log = (enum log_kind)rd_u8max(&u->r, LOG_TO_STDERR);
	c->postmaster = take_string(u);
	expect(u, conf_is_domain(c->hostname));
	expect(u, conf_path_why(c->directory, CONF_PATH_MAX, 0) == NULL);
	expect(u, conf_path_why(c->runtime, CONF_RUNTIME_MAX, 0) == NULL);
	expect(u, conf_is_user_prefix(c->user_prefix));
	expect_postmaster(u, c->postmaster);
	take_numbers(u, c);
	take_relay_from(u, c);
	take_listeners(u, c);
	take_domains(u, c);
	take_routes(u, c);
	take_queue_retry(u, c);
	c->deliver.bind4 = take_string(u);
	c->deliver.bind6 = take_string(u);
	expect_bind(u, c->deliver.bind4, 1);
	expect_bind(u, c->deliver.bind6, 0);
	take_resolver(u, c);
}

int
conf_unpack(struct conf **out, struct slice in)
{
	struct unpacker	 u = { .err = E_OK };
	struct conf	*c;

	if (in.n > CONF_BLOB_MAX)
		return (E_PROTO);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (E_NOMEM);
	arena_init(&c->mem, in.n * UNPACKED_RATIO + PACK_FIRST);
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
