/*
 * map_cidr.c -- cidr: files of access rules (cidr_table(5)).  Core.
 *
 *	network/length action	an address alone is a network of one; IPv6 may stand in brackets
 *	!network/length action	all other addresses of the family
 *	if [!]network/length ... endif	the lines between are for these alone
 *
 * Each line becomes a few ranges of addresses: its own, cut by the conditions it stands under.
 */
#include "common/err.h"
#include "conf/map_inner.h"

#define RANGES_MAX	(TABLE_NESTED_MAX + 2)	/* each condition cuts at most one more out */

struct ranges {
	struct table_range	 v[RANGES_MAX];
	size_t			 n;
	int			 is6;
};

struct cidr {
	struct map	*m;
	struct ranges	 open[TABLE_NESTED_MAX];	/* what each if leaves, with those around it */
	int		 line[TABLE_NESTED_MAX];
	size_t		 depth;
};

static void
step(struct net_addr *a, int up)
{
	for (size_t i = sizeof(a->a); i-- > 0; ) {
		a->a[i] = (uint8_t)(a->a[i] + (up ? 1 : -1));
		if (a->a[i] != (up ? 0 : 0xff))
			return;
	}
}

/* The first and last address of a family. */
static void
whole(struct table_range *r, int is6)
{
	memset(&r->lo, 0, sizeof(r->lo));
	memset(&r->hi, 0xff, sizeof(r->hi));
	if (!is6) {
		memset(r->lo.a + 10, 0xff, 2);
		memset(r->hi.a, 0, 10);
	}
	r->is6 = is6;
}

static void
ranges_of(struct ranges *out, const struct net_prefix *p, int not)
{
	struct table_range	 all, in = { .lo = p->addr, .hi = p->addr };

	for (size_t bit = p->len; bit < 128; bit++)
		in.hi.a[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	out->is6 = in.is6 = !(p->len >= 96 && net_addr_is4(&p->addr));
	out->n = 0;
	if (!not) {
		out->v[out->n++] = in;
		return;
	}
	whole(&all, out->is6);
	if (net_addr_cmp(&all.lo, &in.lo) < 0) {
		out->v[out->n] = (struct table_range){ .lo = all.lo, .hi = in.lo, .is6 = out->is6 };
		step(&out->v[out->n++].hi, 0);
	}
	if (net_addr_cmp(&in.hi, &all.hi) < 0) {
		out->v[out->n] = (struct table_range){ .lo = in.hi, .hi = all.hi, .is6 = out->is6 };
		step(&out->v[out->n++].lo, 1);
	}
}

/* What is in both.  Families differ: nothing, as Postfix has it. */
static void
intersect(struct ranges *r, const struct ranges *with)
{
	struct ranges		 out = { .is6 = r->is6 };
	struct table_range	 x;

	for (size_t i = 0; i < r->n && r->is6 == with->is6; i++) {
		for (size_t j = 0; j < with->n && out.n < RANGES_MAX; j++) {
			x = r->v[i];
			if (net_addr_cmp(&x.lo, &with->v[j].lo) < 0)
				x.lo = with->v[j].lo;
			if (net_addr_cmp(&with->v[j].hi, &x.hi) < 0)
				x.hi = with->v[j].hi;
			if (net_addr_cmp(&x.lo, &x.hi) <= 0)
				out.v[out.n++] = x;
		}
	}
	*r = out;
}

/* "10.0.0.0/8", "2001:db8::/32", "[2001:db8::]/32", with ! before it. */
static int
pattern(struct map *m, struct slice text, struct ranges *out)
{
	char			 plain[NET_ADDR_STRLEN + 8];
	struct net_prefix	 p;
	struct slice		 s = text;
	size_t			 n = 0;
	int			 err, not = s.n != 0 && s.p[0] == '!';

	if (not) {
		s.p++;
		s.n--;
	}
	for (size_t i = 0; i < s.n && n < sizeof(plain); i++) {
		if (s.p[i] != '[' && s.p[i] != ']')
			plain[n++] = s.p[i];
	}
	err = n == sizeof(plain) ? E_SYNTAX : net_prefix_parse(&p, slice_make(plain, n));
	if (err == E_OK) {
		ranges_of(out, &p, not);
		return (1);
	}
	map_error(m, err == E_RANGE ? "\"%.*s\": bits are set behind the prefix, or its length is too great" :
	    "\"%.*s\": expected a network such as 192.0.2.0/24 or 2001:db8::/32",
	    (int)(text.n < 100 ? text.n : 100), text.p);
	return (0);
}

static int
add(struct map *m, struct slice text, const struct ranges *r, struct slice action)
{
	struct table_value	 v = { .key = text, .file = m->file, .line = (uint32_t)m->line };

	buf_drain(&m->value, m->value.len);
	if (action.n == 0) {
		map_error(m, "expected a network and an action");
		return (0);
	}
	if (!map_action(m, action))
		return (0);
	v.data = buf_slice(&m->value);
	if (r->n != 0 && text.n <= TABLE_KEY_MAX && table_make_add_net(m->all->make, &v, r->v, r->n) != E_OK)
		m->all->failed = 1;
	return (1);
}

int
map_cidr_line(struct map *m, struct slice text, struct slice action)
{
	struct ranges	 r;

	return (pattern(m, text, &r) && add(m, text, &r, action));
}

static void
open_if(struct cidr *c, struct slice word)
{
	struct map	*m = c->m;
	struct ranges	 r = { .n = 0 };

	if (c->depth == TABLE_NESTED_MAX) {
		map_error(m, "if is nested more than %d deep", TABLE_NESTED_MAX);
		return;
	}
	if (pattern(m, word, &r) && c->depth != 0)
		intersect(&r, &c->open[c->depth - 1]);
	c->line[c->depth] = m->line;
	c->open[c->depth++] = r;
}

void
map_cidr_read(struct map *m, struct lines *l)
{
	struct cidr	 c = { .m = m };
	struct slice	 rest, word;
	struct ranges	 r;

	while (lines_next(l, &rest) == 1) {
		m->line = l->line;
		word = map_first_word(&rest);
		if (slice_caseeq(word, SLICE_LIT("if")))
			open_if(&c, map_first_word(&rest));
		else if (slice_caseeq(word, SLICE_LIT("endif"))) {
			if (c.depth == 0)
				map_error(m, "endif without if");
			else
				c.depth--;
		} else if (pattern(m, word, &r)) {
			if (c.depth != 0)
				intersect(&r, &c.open[c.depth - 1]);
			add(m, word, &r, rest);
		}
	}
	if (c.depth != 0) {
		m->line = c.line[c.depth - 1];
		map_error(m, "this if has no endif");
	}
}
