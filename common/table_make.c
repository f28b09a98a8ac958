/*
 * table_make.c -- the image of table.h, written from the front to the back.  Core.
 *
 * Entries go into the image as they come; what the index of a part needs of them is kept beside it until the
 * part ends.  The directory comes last, and the header is written over its place at the front.
 */
#include "common/table_make.h"

#include <stdlib.h>

#include "common/err.h"
#include "common/siphash.h"
#include "common/table_image.h"
#include "common/table_make_inner.h"

#define GROW_FIRST	4096u	/* octets; half as much again each time */
#define SLOTS_LEAST	2u
#define KEY0		0x6e726574736f70ull	/* the keys of tables are the operator's, not a stranger's: */
#define KEY1		0x7365656c626174ull	/* a fixed seed makes equal text equal images */

struct table_maker *
table_maker_new(uint64_t max)
{
	struct table_maker	*m = calloc(1, sizeof(*m));
	struct image_header	 h = { 0 };

	if (m == NULL)
		return (NULL);
	m->image.each = 1;
	m->max = max < TABLE_IMAGE_MAX ? max : TABLE_IMAGE_MAX;
	m->tables.each = sizeof(struct image_table);
	m->parts.each = sizeof(struct image_part);
	m->files.each = sizeof(struct image_file);
	m->pairs.each = sizeof(struct make_pair);
	m->ranges.each = sizeof(struct make_range);
	m->includes.each = sizeof(uint64_t);
	make_put(m, &h, sizeof(h), NULL);
	return (m);
}

void
table_maker_free(struct table_maker *m)
{
	if (m == NULL)
		return;
	free(m->image.p);
	free(m->tables.p);
	free(m->parts.p);
	free(m->files.p);
	free(m->pairs.p);
	free(m->ranges.p);
	free(m->includes.p);
	free(m);
}

/* n more elements at the end of the array, not zeroed; NULL without memory. */
static void *
grow(struct make_array *a, size_t n)
{
	size_t	 need, size, octets;
	char	*p;

	if (__builtin_add_overflow(a->n, n, &need))
		return (NULL);
	if (need > a->size) {
		size = a->size + a->size / 2;
		if (size < need)
			size = need;
		if (size * a->each < GROW_FIRST)
			size = GROW_FIRST / a->each;
		if (__builtin_mul_overflow(size, a->each, &octets) || (p = realloc(a->p, octets)) == NULL)
			return (NULL);
		a->p = p;
		a->size = size;
	}
	p = a->p + a->n * a->each;
	a->n = need;
	return (p);
}

void *
make_more(struct table_maker *m, struct make_array *a, size_t n)
{
	void	*p = m->err == E_OK ? grow(a, n) : NULL;

	if (p == NULL && m->err == E_OK)
		m->err = E_NOMEM;
	return (p);
}

/* Into the image at the next multiple of 8; p NULL leaves zeroes.  Where it stands goes to *off. */
int
make_put(struct table_maker *m, const void *p, uint64_t n, uint64_t *off)
{
	uint64_t	 pad = (8 - m->image.n % 8) % 8, total;
	char		*dst;

	if (m->err == E_OK && (__builtin_add_overflow(n, pad, &total) || total > m->max - m->image.n))
		m->err = E_LIMIT;
	if ((dst = make_more(m, &m->image, n + pad)) == NULL)
		return (m->err);
	memset(dst, 0, pad);
	if (p != NULL && n != 0)
		memcpy(dst + pad, p, n);
	else
		memset(dst + pad, 0, n);
	if (off != NULL)
		*off = m->image.n - n;
	return (E_OK);
}

/* An entry: header, key and value behind one another. */
int
make_entry(struct table_maker *m, const struct table_value *v, uint64_t *off)
{
	struct image_entry	 e = { .file = v->file, .line = v->line, .type = m->table.type };
	char			*dst;

	if (v->key.n > TABLE_KEY_MAX || v->data.n > UINT32_MAX)
		return (m->err = m->err != E_OK ? m->err : E_LIMIT);
	e.key_len = (uint32_t)v->key.n;
	e.value_len = (uint32_t)v->data.n;
	if (make_put(m, NULL, sizeof(e) + v->key.n + v->data.n, off) != E_OK)
		return (m->err);
	dst = m->image.p + *off;
	memcpy(dst, &e, sizeof(e));
	if (v->key.n != 0)
		memcpy(dst + sizeof(e), v->key.p, v->key.n);
	if (v->data.n != 0)
		memcpy(dst + sizeof(e) + v->key.n, v->data.p, v->data.n);
	return (E_OK);
}

int
table_make_file(struct table_maker *m, const char *name, uint32_t *file)
{
	struct image_file	 f = { .len = strlen(name) }, *p;

	if (make_put(m, name, f.len, &f.name) != E_OK || (p = make_more(m, &m->files, 1)) == NULL)
		return (m->err);
	*p = f;
	*file = (uint32_t)(m->files.n - 1);
	return (E_OK);
}

int
table_make_begin(struct table_maker *m, enum table_type type, uint32_t *id)
{
	m->table = (struct image_table){ .first = (uint32_t)m->parts.n, .type = type };
	m->includes.n = 0;
	*id = (uint32_t)m->tables.n + 1;
	return (m->err);
}

static int
part_begin(struct table_maker *m, enum part_kind kind)
{
	m->part = (struct image_part){ .kind = kind };
	m->pairs.n = m->ranges.n = 0;
	m->order = 0;
	return (m->err);
}

int
table_make_hash(struct table_maker *m)
{
	return (part_begin(m, PART_HASH));
}

int
table_make_net(struct table_maker *m)
{
	return (part_begin(m, PART_NET));
}

int
table_make_add(struct table_maker *m, const struct table_value *v)
{
	struct make_pair	 x, *p;

	if (make_entry(m, v, &x.off) != E_OK || (p = make_more(m, &m->pairs, 1)) == NULL)
		return (m->err);
	x.hash = siphash_keyed(KEY0, KEY1, v->key.p, v->key.n);
	*p = x;
	return (E_OK);
}

int
table_make_include(struct table_maker *m, uint32_t n, const struct table_value *v)
{
	uint64_t	*p, off;

	while (m->err == E_OK && m->includes.n <= n) {
		if ((p = make_more(m, &m->includes, 1)) != NULL)
			*p = 0;
	}
	if (make_entry(m, v, &off) != E_OK)
		return (m->err);
	memcpy(m->includes.p + (size_t)n * sizeof(off), &off, sizeof(off));
	return (E_OK);
}

/* ---- the index of a part of keys ---- */

static void
value_at(const struct table_maker *m, uint64_t off, struct table_value *v)
{
	struct image_entry	 e;

	memcpy(&e, m->image.p + off, sizeof(e));
	*v = (struct table_value){ .type = (enum table_type)e.type, .file = e.file, .line = e.line,
	    .key = slice_make(m->image.p + off + sizeof(e), e.key_len),
	    .data = slice_make(m->image.p + off + sizeof(e) + e.key_len, e.value_len) };
}

int
table_make_entry(const struct table_maker *m, size_t i, struct table_value *v)
{
	if (i >= m->pairs.n)
		return (0);
	value_at(m, ((const struct make_pair *)(const void *)m->pairs.p)[i].off, v);
	return (1);
}

static int
hash_end(struct table_maker *m, table_twice *twice, void *arg)
{
	const struct make_pair	*pairs = (const struct make_pair *)m->pairs.p;
	uint64_t		*slots, n = SLOTS_LEAST, at;
	struct table_value	 old, new;

	while (n < 2 * (uint64_t)m->pairs.n)
		n *= 2;
	if (make_put(m, NULL, n * sizeof(*slots), &m->part.index) != E_OK)
		return (m->err);
	m->part.n = n;
	slots = (uint64_t *)(void *)(m->image.p + m->part.index);
	for (size_t i = 0; i < m->pairs.n; i++) {
		for (at = pairs[i].hash & (n - 1); slots[at] != 0; at = (at + 1) & (n - 1)) {
			if (SLOT_TAG(slots[at]) != SLOT_TAG(pairs[i].hash))
				continue;
			value_at(m, SLOT_OFFSET(slots[at]), &old);
			value_at(m, pairs[i].off, &new);
			if (!slice_eq(old.key, new.key))
				continue;
			if (twice != NULL)
				twice(arg, &old, &new);
			break;
		}
		if (slots[at] == 0)
			slots[at] = SLOT_TAG(pairs[i].hash) | pairs[i].off / 8;
	}
	return (E_OK);
}

int
table_make_part_end(struct table_maker *m, table_twice *twice, void *arg)
{
	struct image_part	*p;

	if (m->err == E_OK && m->part.kind == PART_HASH)
		hash_end(m, twice, arg);
	else if (m->err == E_OK)
		make_net_end(m);
	if ((p = make_more(m, &m->parts, 1)) == NULL)
		return (m->err);
	*p = m->part;
	m->table.n++;
	return (E_OK);
}

int
table_make_end(struct table_maker *m)
{
	struct image_table	*p;

	m->table.nincludes = (uint32_t)m->includes.n;
	if (make_put(m, m->includes.p, m->includes.n * sizeof(uint64_t), &m->table.includes) != E_OK ||
	    (p = make_more(m, &m->tables, 1)) == NULL)
		return (m->err);
	*p = m->table;
	return (E_OK);
}

int
table_make_finish(struct table_maker *m, struct slice *image)
{
	struct image_header	 h = { .magic = IMAGE_MAGIC, .version = IMAGE_VERSION, .key = { KEY0, KEY1 } };

	h.ntables = (uint32_t)m->tables.n;
	h.nparts = (uint32_t)m->parts.n;
	h.nfiles = (uint32_t)m->files.n;
	if (make_put(m, m->tables.p, m->tables.n * m->tables.each, &h.tables) != E_OK ||
	    make_put(m, m->parts.p, m->parts.n * m->parts.each, &h.parts) != E_OK ||
	    make_put(m, m->files.p, m->files.n * m->files.each, &h.files) != E_OK)
		return (m->err);
	h.size = m->image.n;
	memcpy(m->image.p, &h, sizeof(h));
	*image = slice_make(m->image.p, m->image.n);
	m->image = (struct make_array){ .each = 1 };
	m->err = E_CLOSED;
	return (E_OK);
}
