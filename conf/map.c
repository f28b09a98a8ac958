/* map.c -- one map: its lines and files become a table.  Core, but for the files that it has opened. */
#include "conf/map.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "conf/map_inner.h"

enum form { FORM_TEXT, FORM_CIDR, FORM_BAD };

void
map_error(const struct map *m, const char *fmt, ...)
{
	char	 text[480];
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (m->all->errors->file != NULL)
		errors_add(m->all->errors, m->line, "%s", text);
	else
		errors_add(m->all->errors, m->line, "%s: %s", m->key, text);
}

static enum table_type
type_of(enum map_kind kind)
{
	switch (kind) {
	case MAP_RECIPIENTS:
		return (TABLE_PRESENT);
	case MAP_LOGINS:
		return (TABLE_LOGINS);
	case MAP_ACCESS:
		return (TABLE_ACTION);
	default:
		return (TABLE_TARGETS);
	}
}

/* Out of memory ends the checker; what is left is an image that is too large. */
static void
made(struct map *m, int err)
{
	if (err != E_OK)
		m->all->failed = 1;
}

/* What follows comes from here; name as it is shown later. */
static void
source(struct map *m, const char *name)
{
	made(m, table_make_file(m->all->make, name, &m->file));
	*(const char **)vec_add(&m->all->files, sizeof(name)) = mem_strdup(&m->all->mem, name);
}

static void
add(struct map *m, struct slice key)
{
	struct table_value	 v = { .key = key, .data = buf_slice(&m->value), .file = m->file,
				     .line = (uint32_t)m->line };

	if (!m->all->failed)
		made(m, table_make_add(m->all->make, &v));
}

static int
value(struct map *m, struct slice text)
{
	if (m->kind == MAP_RECIPIENTS)
		return (1);	/* whatever Postfix needed there */
	if (text.n == 0) {
		map_error(m, m->kind == MAP_ALIASES ? "there is no address behind the colon" :
		    "expected a key and, behind a blank, its value");
		return (0);
	}
	switch (m->kind) {
	case MAP_ACCESS:
		return (map_action(m, text));
	case MAP_LOGINS:
		return (map_logins(m, text));
	default:
		return (map_targets(m, text, m->kind == MAP_CANONICAL));
	}
}

static void
one_line(struct map *m, struct slice line)
{
	char		 key[TABLE_KEY_MAX + 1];
	struct slice	 word, rest = line;
	int		 got;

	buf_drain(&m->value, m->value.len);
	if (m->kind == MAP_ALIASES) {
		if (!map_alias_split(m, line, &word, &rest))
			return;
	} else
		word = map_first_word(&rest);
	if ((got = map_key(m, word, key)) == 0)
		return;
	if (value(m, rest) && got == 1)
		add(m, slice_str(key));
}

/* ---- what is given twice ---- */

static void
twice(void *arg, const struct table_value *first, const struct table_value *second)
{
	struct map	*m = arg;
	const char	**names = m->all->files.p;
	int		 inline_too = first->file == 0;

	if (first->file != second->file)
		return;		/* of several files the first one counts */
	if (m->kind != MAP_ALIASES && slice_eq(first->data, second->data))
		return;
	m->line = (int)second->line;
	if (!inline_too)
		errors_in(m->all->errors, names[second->file]);
	map_error(m, "\"%.*s\" is given twice, first on line %u", (int)(second->key.n < 200 ? second->key.n : 200),
	    second->key.p, first->line);
	if (!inline_too)
		errors_in(m->all->errors, NULL);
}

static int
dotted_cmp(const void *a, const void *b)
{
	return (strcmp(((const struct map_dotted *)a)->key, ((const struct map_dotted *)b)->key));
}

/* "example.org anything" in virtual(5) makes a domain of Postfix; where addresses of it follow it is one. */
static void
check_dotted(struct map *m)
{
	const char		**names = m->all->files.p;
	struct map_dotted	*found, want;
	struct table_value	 v;
	char			 key[TABLE_KEY_MAX + 1];
	const char		*at;

	if (m->dotted.n == 0)
		return;
	qsort(m->dotted.p, m->dotted.n, sizeof(*found), dotted_cmp);
	for (size_t i = 0; table_make_entry(m->all->make, i, &v); i++) {
		if (slice_copy(v.key, key, sizeof(key)) != E_OK || (at = strrchr(key, '@')) == NULL)
			continue;
		want.key = at + 1;
		found = bsearch(&want, m->dotted.p, m->dotted.n, sizeof(*found), dotted_cmp);
		if (found == NULL || found->line == 0)
			continue;
		m->line = found->line;
		if (found->file != 0)
			errors_in(m->all->errors, names[found->file]);
		map_error(m, "\"%s\" is a virtual alias domain here: add domain \"%s\" { } to postern.conf, or take "
		    "the line out", found->key, found->key);
		if (found->file != 0)
			errors_in(m->all->errors, NULL);
		found->line = 0;
	}
}

static void
part_end(struct map *m)
{
	check_dotted(m);
	if (!m->all->failed)
		made(m, table_make_part_end(m->all->make, twice, m));
}

/* ---- sources ---- */

static enum form
form_of(struct map *m, const char *text, const char **path)
{
	static const char *const	 as_text[] = { "hash:", "texthash:", "lmdb:", "btree:", "dbm:", "cdb:" };
	const char			*why;
	size_t				 n;

	*path = text;
	for (size_t i = 0; i < sizeof(as_text) / sizeof(as_text[0]); i++) {
		n = strlen(as_text[i]);
		if (strncmp(text, as_text[i], n) == 0)
			*path = text + n;
	}
	if (strncmp(text, "cidr:", 5) == 0) {
		*path = text + 5;
		if (m->kind != MAP_ACCESS) {
			errors_add(m->all->errors, m->line, "%s-file: \"%.200s\": cidr: is for access rules alone", m->key,
			    text);
			return (FORM_BAD);
		}
	}
	n = strspn(*path, "abcdefghijklmnopqrstuvwxyz0123456789_-");
	if (n != 0 && (*path)[n] == ':') {
		errors_add(m->all->errors, m->line, "%s-file: \"%.200s\": tables of type %.*s are not read; the text files "
		    "of hash:, texthash:, lmdb:, btree:, dbm:, cdb: and, for access rules, cidr: are", m->key, text, (int)n,
		    *path);
		return (FORM_BAD);
	}
	if ((why = conf_path_why(*path, CONF_PATH_MAX, 0)) != NULL) {
		errors_add(m->all->errors, m->line, "%s-file: \"%.200s\": %s", m->key, text, why);
		return (FORM_BAD);
	}
	return (*path == text + 5 && text[0] == 'c' && text[1] == 'i' ? FORM_CIDR : FORM_TEXT);
}

static int
open_lines(struct map *m, struct lines *l, const char *path, int flat)
{
	const char	*why = "cannot be read";
	int		 fd = m->all->world->open_file(path, &why);

	if (fd == -1 && flat)
		map_error(m, ":include:%.300s: %s", path, why);
	else if (fd == -1)
		errors_add(m->all->errors, m->line, "%s-file: %.300s: %s", m->key, path, why);
	if (fd == -1)
		return (0);
	lines_open_fd(l, fd, flat, m->all->errors);
	return (1);
}

static void
one_file(struct map *m, const struct map_line *file)
{
	const char	*path;
	struct slice	 s;
	struct lines	 l;
	enum form	 form;

	m->line = file->line;
	if ((form = form_of(m, file->text, &path)) == FORM_BAD || !open_lines(m, &l, path, 0))
		return;
	source(m, path);
	errors_in(m->all->errors, path);
	if (m->kind == MAP_ACCESS)
		made(m, form == FORM_CIDR ? table_make_net(m->all->make) : table_make_hash(m->all->make));
	if (form == FORM_CIDR)
		map_cidr_read(m, &l);
	else {
		while (lines_next(&l, &s) == 1) {
			m->line = l.line;
			one_line(m, s);
		}
	}
	errors_in(m->all->errors, NULL);
	if (m->kind == MAP_ACCESS)
		part_end(m);
	lines_close(&l);
}

/* Rules of postern.conf: those for networks and the others are parts that follow one another. */
static void
inline_access(struct map *m)
{
	struct slice	 word, rest;
	int		 net, open = -1;

	for (size_t i = 0; i < m->nlines; i++) {
		m->line = m->lines[i].line;
		rest = slice_str(m->lines[i].text);
		word = map_first_word(&rest);
		net = word.n != 0 && (memchr(word.p, '/', word.n) != NULL || word.p[0] == '!');
		if (open != net) {
			if (open != -1)
				part_end(m);
			made(m, net ? table_make_net(m->all->make) : table_make_hash(m->all->make));
			open = net;
		}
		if (net)
			map_cidr_line(m, word, rest);
		else
			one_line(m, slice_str(m->lines[i].text));
	}
	if (open != -1)
		part_end(m);
}

static void
inline_lines(struct map *m)
{
	buf_drain(&m->value, m->value.len);
	for (size_t i = 0; i < m->nlines; i++) {
		m->line = m->lines[i].line;
		if (m->kind == MAP_RECIPIENTS)
			add(m, slice_str(m->lines[i].text));	/* value_local() made a key of it */
		else
			one_line(m, slice_str(m->lines[i].text));
	}
}

/* ---- :include: lists, each read once; they may name more ---- */

static void
one_include(struct map *m, uint32_t n)
{
	struct map_include	 in = ((struct map_include *)m->includes.p)[n];
	const char		*path = in.path;
	struct table_value	 v = { .key = slice_str(path) };
	struct slice		 s;
	struct lines		 l;

	buf_drain(&m->value, m->value.len);
	if (in.file != 0)
		errors_in(m->all->errors, ((const char **)m->all->files.p)[in.file]);
	m->line = in.line;
	if (open_lines(m, &l, path, 1)) {
		source(m, path);
		errors_in(m->all->errors, path);
		while (lines_next(&l, &s) == 1) {
			m->line = l.line;
			map_targets(m, s, 0);
		}
		lines_close(&l);
	}
	errors_in(m->all->errors, NULL);
	v.data = buf_slice(&m->value);
	v.file = m->file;
	v.line = 1;
	if (v.key.n > TABLE_KEY_MAX)
		v.key.n = TABLE_KEY_MAX;	/* it is only shown */
	made(m, table_make_include(m->all->make, n, &v));
}

void
map_compile(struct map *m, struct table *t)
{
	buf_init(&m->value, TABLE_VALUE_MAX);
	m->file = 0;
	m->line = m->npaths != 0 ? m->paths[0].line : 0;
	made(m, table_make_begin(m->all->make, type_of(m->kind), &t->id));
	if (m->npaths > TABLE_FILES_MAX) {
		errors_add(m->all->errors, m->paths[TABLE_FILES_MAX].line, "%s-file: more than %d files", m->key,
		    TABLE_FILES_MAX);
		m->npaths = TABLE_FILES_MAX;
	}
	if (m->kind == MAP_ACCESS)
		inline_access(m);
	else {
		made(m, table_make_hash(m->all->make));
		inline_lines(m);
	}
	for (size_t i = 0; i < m->npaths && !m->all->failed; i++)
		one_file(m, &m->paths[i]);
	if (m->kind != MAP_ACCESS)
		part_end(m);
	for (uint32_t i = 0; i < m->includes.n && !m->all->failed; i++)
		one_include(m, i);
	made(m, table_make_end(m->all->make));
	buf_clear(&m->value);
	free(m->includes.p);
	free(m->dotted.p);
	m->includes = m->dotted = (struct vec){ 0 };
}

void
maps_begin(struct maps *a, const struct conf *c, const struct conf_world *world, struct errors *errors)
{
	uint32_t	 file;
	size_t		 finals = 0;

	*a = (struct maps){ .conf = c, .world = world, .errors = errors };
	arena_init(&a->mem, SIZE_MAX);
	if ((a->make = table_maker_new(TABLE_IMAGE_MAX)) == NULL)
		mem_none();
	a->failed = table_make_file(a->make, world->name, &file) != E_OK;
	*(const char **)vec_add(&a->files, sizeof(char *)) = world->name;	/* number 0 */
	for (size_t i = 0; i < c->ndomains; i++) {
		if (!c->domains[i].relay && c->domains[i].name[0] != '\0') {
			finals++;
			if (finals == 1 || strcmp(c->domains[i].name, c->hostname) == 0)
				a->origin = c->domains[i].name;
		}
	}
	if (finals > 1 && strcmp(a->origin, c->hostname) != 0)
		a->origin = NULL;
}

int
maps_end(struct maps *a, struct slice *image)
{
	if (!a->failed && table_make_finish(a->make, image) == E_OK)
		return (1);
	errors_add(a->errors, 0, "the tables need more than %llu octets, or more memory than there is",
	    (unsigned long long)TABLE_IMAGE_MAX);
	return (0);
}

void
maps_clear(struct maps *a)
{
	table_maker_free(a->make);
	free(a->files.p);
	arena_clear(&a->mem);
}
