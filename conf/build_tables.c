/*
 * build_tables.c -- which tables a configuration has, and the image of them all.  Core.
 *
 * A map that is not given has no table (id 0); one that is given without an entry has an empty one.
 */
#include <stdlib.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "conf/build_inner.h"

void
build_map_line(struct build *b, struct vec *lines, const struct text_value *v)
{
	struct map_line	*l = vec_add(lines, sizeof(*l));

	(void)b;
	*l = (struct map_line){ v->text, v->line };
}

int
build_map_value(struct build *b, const struct text_value *v)
{
	size_t	 n = strlen(v->key), suffix = sizeof("-file") - 1;
	int	 is_file = n > suffix && strcmp(v->key + n - suffix, "-file") == 0;
	char	 key[64];

	if (is_file)
		n -= suffix;
	if (n >= sizeof(key))
		return (0);
	memcpy(key, v->key, n);
	key[n] = '\0';
	for (size_t i = 0; i < conf_nmaps; i++) {
		if (strcmp(conf_maps[i].key, key) != 0)
			continue;
		build_map_line(b, is_file ? &b->maps[i].files : &b->maps[i].lines, v);
		return (1);
	}
	return (0);
}

static enum map_kind
kind_of(const struct conf_map *m)
{
	switch (m->type) {
	case TABLE_LOGINS:
		return (MAP_LOGINS);
	case TABLE_ACTION:
		return (MAP_ACCESS);
	default:
		return (strcmp(m->key, "virtual") == 0 ? MAP_VIRTUAL : MAP_CANONICAL);
	}
}

/* everybody: an entry was for the whole domain. */
static void
compile(struct maps *all, enum map_kind kind, const char *key, const char *domain, const struct vec *lines,
    const struct vec *files, struct table *t, int *everybody)
{
	struct map	 m = { .all = all, .kind = kind, .key = key, .domain = domain, .lines = lines->p,
			     .nlines = lines->n, .paths = files->p, .npaths = files->n };

	map_compile(&m, t);
	if (everybody != NULL && m.everybody)
		*everybody = 1;
}

static void
domain_tables(struct maps *all, struct new_domain *n, struct conf_domain *d)
{
	if ((n->rcpts.n != 0 || n->rcpt_files.n != 0) && !d->all)
		compile(all, MAP_RECIPIENTS, "recipients", d->name, &n->rcpts, &n->rcpt_files, &d->recipients, &d->all);
	if (d->all)
		d->recipients.id = 0;
	if (n->aliases.n != 0 || n->alias_files.n != 0)
		compile(all, MAP_ALIASES, "aliases", d->name, &n->aliases, &n->alias_files, &d->aliases, NULL);
}

void
build_tables(struct build *b)
{
	struct new_domain	*n = b->domains.p;
	struct conf		*c = b->c;
	struct maps		 all;
	const struct conf_map	*m;
	struct slice		 image;

	maps_begin(&all, c, b->world, b->errors);
	for (size_t i = 0; i < conf_nmaps && !b->world->no_tables; i++) {
		m = &conf_maps[i];
		if (b->maps[i].lines.n != 0 || b->maps[i].files.n != 0)
			compile(&all, kind_of(m), m->key, NULL, &b->maps[i].lines, &b->maps[i].files,
			    conf_map_table(c, m), NULL);
	}
	for (size_t i = 0; i < c->ndomains; i++) {
		if (n[i].good && !b->world->no_tables)
			domain_tables(&all, &n[i], &c->domains[i]);
		free(n[i].rcpts.p);
		free(n[i].rcpt_files.p);
		free(n[i].aliases.p);
		free(n[i].alias_files.p);
	}
	for (size_t i = 0; i < conf_nmaps; i++) {
		free(b->maps[i].lines.p);
		free(b->maps[i].files.p);
	}
	if (maps_end(&all, &image)) {
		c->image = image;
		c->map = (void *)image.p;
	}
	maps_clear(&all);
}
