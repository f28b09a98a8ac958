/*
 * table.c -- look-ups in the image of table.h.  Core.
 *
 * Nothing in the image is believed: every structure is taken through view(), which knows where the image ends.
 * A loop that a damaged image could lengthen ends by a count of its own.
 */
#include "common/table.h"

#include <stdio.h>

#include "common/err.h"
#include "common/siphash.h"
#include "common/table_image.h"
#include "common/table_parts.h"

/* n octets at off, or NULL. */
static const char *
view(struct slice image, uint64_t off, uint64_t n)
{
	if (off > image.n || n > image.n - off)
		return (NULL);
	return (image.p + off);
}

/* Element i of an array of n; E_CORRUPT if it is outside of the array or the image. */
static int
element(struct slice image, void *dst, uint64_t array, uint64_t n, uint64_t i, size_t size)
{
	uint64_t	 off;
	const char	*p;

	if (i >= n || __builtin_mul_overflow(i, size, &off) || __builtin_add_overflow(off, array, &off) ||
	    (p = view(image, off, size)) == NULL)
		return (E_CORRUPT);
	memcpy(dst, p, size);
	return (E_OK);
}

static int
header(struct slice image, struct image_header *h)
{
	if (element(image, h, 0, 1, 0, sizeof(*h)) != E_OK || h->magic != IMAGE_MAGIC ||
	    h->version != IMAGE_VERSION || h->size != image.n)
		return (E_CORRUPT);
	return (E_OK);
}

static int
table_of(const struct table *t, struct image_header *h, struct image_table *it)
{
	if (t->id == 0)
		return (E_NOTFOUND);
	if (header(t->image, h) != E_OK)
		return (E_CORRUPT);
	return (element(t->image, it, h->tables, h->ntables, (uint64_t)t->id - 1, sizeof(*it)));
}

int
table_image_check(struct slice image)
{
	struct image_header	 h;
	struct image_table	 it;
	uint32_t		 parts = 0;

	if (header(image, &h) != E_OK)
		return (E_CORRUPT);
	for (uint32_t i = 0; i < h.ntables; i++) {
		if (element(image, &it, h.tables, h.ntables, i, sizeof(it)) != E_OK ||
		    it.first != parts || it.n > h.nparts - parts || it.type >= TABLE_TYPES)
			return (E_CORRUPT);
		parts += it.n;
	}
	if (parts != h.nparts || (h.nparts != 0 && view(image, h.parts, (uint64_t)h.nparts *
	    sizeof(struct image_part)) == NULL) || view(image, h.files, (uint64_t)h.nfiles *
	    sizeof(struct image_file)) == NULL)
		return (E_CORRUPT);
	return (E_OK);
}

uint32_t
table_image_count(struct slice image)
{
	struct image_header	 h;

	return (header(image, &h) == E_OK ? h.ntables : 0);
}

int
table_type_is(const struct table *t, enum table_type type)
{
	struct image_header	 h;
	struct image_table	 it;

	return (t->id == 0 || (table_of(t, &h, &it) == E_OK && it.type == type));
}

int
table_fold(char dst[static TABLE_KEY_MAX + 1], struct slice s)
{
	if (s.n > TABLE_KEY_MAX)
		return (E_LIMIT);
	for (size_t i = 0; i < s.n; i++)
		dst[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + ('a' - 'A') : s.p[i]);
	dst[s.n] = '\0';
	return (E_OK);
}

/* type: what all entries of the table are. */
static int
entry_at(struct slice image, uint64_t off, uint32_t type, struct table_value *v)
{
	struct image_entry	 e;
	const char		*p;

	if ((p = view(image, off, sizeof(e))) == NULL)
		return (E_CORRUPT);
	memcpy(&e, p, sizeof(e));
	if ((p = view(image, off + sizeof(e), (uint64_t)e.key_len + e.value_len)) == NULL || e.type != type ||
	    type >= TABLE_TYPES)
		return (E_CORRUPT);
	v->type = (enum table_type)e.type;
	v->key = slice_make(p, e.key_len);
	v->data = slice_make(p + e.key_len, e.value_len);
	v->file = e.file;
	v->line = e.line;
	return (E_OK);
}

static int
hash_get(struct slice image, const struct image_part *part, uint64_t hash, struct slice key, uint32_t type,
    struct table_value *v)
{
	uint64_t	 mask = part->n - 1, slot;

	if (part->n == 0 || (part->n & mask) != 0)
		return (E_CORRUPT);
	for (uint64_t i = 0; i < part->n; i++) {
		if (element(image, &slot, part->index, part->n, (hash + i) & mask, sizeof(slot)) != E_OK)
			return (E_CORRUPT);
		if (slot == 0)
			return (E_NOTFOUND);
		if (SLOT_TAG(slot) != SLOT_TAG(hash))
			continue;
		if (entry_at(image, SLOT_OFFSET(slot), type, v) != E_OK)
			return (E_CORRUPT);
		if (slice_eq(v->key, key))
			return (E_OK);
	}
	return (E_CORRUPT);	/* there is always an empty slot */
}

static int
net_get(struct slice image, const struct image_part *part, const struct net_addr *a, uint32_t type,
    struct table_value *v)
{
	int			 is4 = net_addr_is4(a);
	uint64_t		 n = is4 ? part->n : part->n6, array = is4 ? part->index : part->index6;
	uint64_t		 lo = 0, hi = n, mid;
	struct image_interval	 x;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (element(image, &x, array, n, mid, sizeof(x)) != E_OK)
			return (E_CORRUPT);
		if (net_addr_cmp(a, &x.lo) < 0)
			hi = mid;
		else if (net_addr_cmp(a, &x.hi) > 0)
			lo = mid + 1;
		else
			return (entry_at(image, x.entry, type, v));
	}
	return (E_NOTFOUND);
}

int
table_part_open(struct table_part *p, const struct table *t, uint32_t i)
{
	struct image_header	 h;
	struct image_table	 it;
	int			 err;

	if ((err = table_of(t, &h, &it)) != E_OK)
		return (err);
	if (i >= it.n)
		return (E_NOTFOUND);
	p->image = t->image;
	p->type = it.type;
	p->key[0] = h.key[0];
	p->key[1] = h.key[1];
	return (element(t->image, &p->part, h.parts, h.nparts, (uint64_t)it.first + i, sizeof(p->part)));
}

int
table_part_get(const struct table_part *p, struct slice folded, struct table_value *v)
{
	if (p->part.kind != PART_HASH)
		return (p->part.kind == PART_NET ? E_NOTFOUND : E_CORRUPT);
	return (hash_get(p->image, &p->part, siphash_keyed(p->key[0], p->key[1], folded.p, folded.n), folded,
	    p->type, v));
}

int
table_part_net(const struct table_part *p, const struct net_addr *a, struct table_value *v)
{
	if (p->part.kind != PART_NET)
		return (p->part.kind == PART_HASH ? E_NOTFOUND : E_CORRUPT);
	return (net_get(p->image, &p->part, a, p->type, v));
}

int
table_get(const struct table *t, struct slice key, struct table_value *v)
{
	char			 text[TABLE_KEY_MAX + 1];
	struct table_part	 p;
	int			 err;

	if (t->id == 0 || table_fold(text, key) != E_OK)
		return (E_NOTFOUND);
	for (uint32_t i = 0; (err = table_part_open(&p, t, i)) == E_OK; i++) {
		if ((err = table_part_get(&p, slice_make(text, key.n), v)) != E_NOTFOUND)
			return (err);
	}
	return (err);
}

int
table_get_local(const struct table *t, struct slice local, struct table_value *v)
{
	if (local.n == 0 || memchr(local.p, '@', local.n) != NULL)
		return (E_NOTFOUND);
	return (table_get(t, local, v));
}

int
table_get_net(const struct table *t, const struct net_addr *a, struct table_value *v)
{
	struct table_part	 p;
	int			 err;

	for (uint32_t i = 0; (err = table_part_open(&p, t, i)) == E_OK; i++) {
		if ((err = table_part_net(&p, a, v)) != E_NOTFOUND)
			return (err);
	}
	return (err);
}

char *
table_where(const struct table *t, const struct table_value *v, char *dst, size_t size)
{
	struct image_header	 h;
	struct image_file	 f;
	const char		*name;

	if (header(t->image, &h) != E_OK ||
	    element(t->image, &f, h.files, h.nfiles, v->file, sizeof(f)) != E_OK ||
	    (name = view(t->image, f.name, f.len)) == NULL) {
		if (size != 0)
			dst[0] = '\0';
		return (dst);
	}
	snprintf(dst, size, "%.*s:%u", (int)(f.len < INT16_MAX ? f.len : INT16_MAX), name, v->line);
	return (dst);
}

/* *pos counts the slots of all parts. */
int
table_walk(const struct table *t, uint64_t *pos, struct table_value *v)
{
	struct table_part	 p;
	uint64_t		 before = 0, slot, n;
	int			 err;

	for (uint32_t i = 0; (err = table_part_open(&p, t, i)) == E_OK; i++) {
		n = p.part.kind == PART_HASH ? p.part.n : 0;
		for (; *pos - before < n; ) {
			if (element(t->image, &slot, p.part.index, n, (*pos)++ - before, sizeof(slot)) != E_OK)
				return (E_CORRUPT);
			if (slot != 0)
				return (entry_at(t->image, SLOT_OFFSET(slot), p.type, v));
		}
		before += n;
	}
	return (err);
}

int
table_include(const struct table *t, uint32_t include, struct table_value *v)
{
	struct image_header	 h;
	struct image_table	 it;
	uint64_t		 off;

	if (table_of(t, &h, &it) != E_OK || it.type != TABLE_TARGETS ||
	    element(t->image, &off, it.includes, it.nincludes, include, sizeof(off)) != E_OK)
		return (E_CORRUPT);
	return (entry_at(t->image, off, TABLE_TARGETS, v));
}
