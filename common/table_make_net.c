/*
 * table_make_net.c -- networks that overlap become disjoint intervals, each with its first match.  Core.
 *
 * A sweep over the sorted ranges: where the set of ranges that hold an address changes, a new interval may begin.
 * The ranges that are open stand in a heap with the earliest entry on top; one that ended leaves it when
 * it gets there.  O(n log n).
 */
#include <stdlib.h>

#include "common/err.h"
#include "common/table_make_inner.h"

int
table_make_add_net(struct table_maker *m, const struct table_value *v, const struct table_range *ranges, size_t n)
{
	struct make_range	*r;
	uint64_t		 off;

	if (make_entry(m, v, &off) != E_OK || (r = make_more(m, &m->ranges, n)) == NULL)
		return (m->err);
	for (size_t i = 0; i < n; i++)
		r[i] = (struct make_range){ .lo = ranges[i].lo, .hi = ranges[i].hi, .is6 = ranges[i].is6 != 0,
		    .off = off, .order = m->order };
	m->order++;
	return (E_OK);
}

/* IPv4 first, so that both families are one run each; then by the start. */
static int
range_cmp(const void *a, const void *b)
{
	const struct make_range	*x = a, *y = b;
	int			 cmp = x->is6 != y->is6 ? x->is6 - y->is6 : net_addr_cmp(&x->lo, &y->lo);

	if (cmp != 0)
		return (cmp);
	return (x->order < y->order ? -1 : x->order > y->order);
}

static void
step(struct net_addr *a, int up)
{
	for (size_t i = sizeof(a->a); i-- > 0; ) {
		a->a[i] = (uint8_t)(a->a[i] + (up ? 1 : -1));
		if (a->a[i] != (up ? 0 : 0xff))
			return;
	}
}

/* ---- a heap of ranges, the least order on top ---- */

struct heap {
	const struct make_range	**v;
	size_t			 n;
};

static void
heap_add(struct heap *h, const struct make_range *r)
{
	size_t	 i = h->n++;

	for (; i != 0 && h->v[(i - 1) / 2]->order > r->order; i = (i - 1) / 2)
		h->v[i] = h->v[(i - 1) / 2];
	h->v[i] = r;
}

static void
heap_pop(struct heap *h)
{
	const struct make_range	*last = h->v[--h->n];
	size_t			 i = 0, child;

	while ((child = 2 * i + 1) < h->n) {
		if (child + 1 < h->n && h->v[child + 1]->order < h->v[child]->order)
			child++;
		if (h->v[child]->order >= last->order)
			break;
		h->v[i] = h->v[child];
		i = child;
	}
	h->v[i] = last;
}

/* ---- the sweep ---- */

struct sweep {
	struct heap		 open;
	struct image_interval	*out;
	size_t			 n;
	struct net_addr		 at;	/* where the next interval begins */
};

/* Intervals from s->at to hi, all of it or as far as ranges are open. */
static void
advance(struct sweep *s, const struct net_addr *hi)
{
	const struct make_range	*top;
	struct image_interval	*last;
	struct net_addr		 end;

	while (net_addr_cmp(&s->at, hi) <= 0) {
		while (s->open.n != 0 && net_addr_cmp(&s->open.v[0]->hi, &s->at) < 0)
			heap_pop(&s->open);
		if (s->open.n == 0)
			return;
		top = s->open.v[0];
		end = net_addr_cmp(&top->hi, hi) < 0 ? top->hi : *hi;
		last = s->n != 0 ? &s->out[s->n - 1] : NULL;
		if (last != NULL && last->entry == top->off) {
			struct net_addr	 next = last->hi;

			step(&next, 1);
			if (net_addr_cmp(&next, &s->at) == 0) {
				last->hi = end;
				last = NULL;
			} else
				last = &s->out[s->n];
		} else
			last = &s->out[s->n];
		if (last != NULL)
			s->out[s->n++] = (struct image_interval){ .lo = s->at, .hi = end, .entry = top->off };
		s->at = end;
		step(&s->at, 1);
		if (net_addr_cmp(&s->at, &end) < 0)
			return;		/* behind the last address of all */
	}
}

/* The ranges r[0..n) of one family, sorted; the intervals to out, of which there are at most 2n. */
static size_t
resolve(struct sweep *s, const struct make_range *r, size_t n)
{
	struct net_addr	 before, end;

	s->n = s->open.n = 0;
	memset(&end, 0xff, sizeof(end));
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || net_addr_cmp(&r[i].lo, &r[i - 1].lo) != 0) {
			if (i != 0) {
				before = r[i].lo;
				step(&before, 0);
				advance(s, &before);
			}
			s->at = r[i].lo;
		}
		heap_add(&s->open, &r[i]);
	}
	if (n != 0)
		advance(s, &end);
	return (s->n);
}

void
make_net_end(struct table_maker *m)
{
	struct make_range	*r = (struct make_range *)(void *)m->ranges.p;
	size_t			 n4 = 0, n = m->ranges.n;
	struct sweep		 s = { .out = NULL };

	if (n == 0)
		return;
	qsort(r, n, sizeof(*r), range_cmp);
	while (n4 < n && !r[n4].is6)
		n4++;
	s.open.v = reallocarray(NULL, n, sizeof(void *));
	s.out = reallocarray(NULL, n, 2 * sizeof(*s.out));
	if (s.open.v == NULL || s.out == NULL)
		m->err = E_NOMEM;
	else {
		m->part.n = resolve(&s, r, n4);
		make_put(m, s.out, m->part.n * sizeof(*s.out), &m->part.index);
		m->part.n6 = resolve(&s, r + n4, n - n4);
		make_put(m, s.out, m->part.n6 * sizeof(*s.out), &m->part.index6);
	}
	free(s.open.v);
	free(s.out);
}
