/* conf_table_oracle.h -- what holds for every table file; shared by the fuzz targets of table files. */
#ifndef TESTS_FUZZ_CONF_TABLE_ORACLE_H
#define TESTS_FUZZ_CONF_TABLE_ORACLE_H

#include <sys/mman.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/conf_number.h"
#include "common/err.h"
#include "conf/build.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define TEXT_MAX	16384

int		 LLVMFuzzerTestOneInput(const uint8_t *, size_t);
const char	*__asan_default_options(void);

/* libconfuse 3.3 forgets a few strings; the checker ends with its text. */
const char *
__asan_default_options(void)
{
	return ("detect_leaks=0");
}

static const uint8_t	*oracle_text;
static size_t		 oracle_size;

static char *
oracle_read(const char *path, size_t max, const char **why)
{
	(void)path;
	(void)max;
	*why = "none";
	return (NULL);
}

static int
oracle_open(const char *path, const char **why)
{
	int	 fd;

	*why = "none";
	if (strcmp(path, "/t") != 0)
		return (-1);
	fd = memfd_create("t", MFD_CLOEXEC);
	MUST(fd != -1 && write(fd, oracle_text, oracle_size) == (ssize_t)oracle_size && lseek(fd, 0, SEEK_SET) == 0);
	return (fd);
}

static struct conf *
oracle_build(const char *conf, const uint8_t *data, size_t size)
{
	static const struct conf_world	 world = { .name = "c", .hostname = "h.test", .read_file = oracle_read, .read_cert = oracle_read,
					     .open_file = oracle_open };
	struct errors			 e = { 0 };
	struct conf			*c;

	oracle_text = data;
	oracle_size = size;
	c = conf_build(slice_str(conf), &world, &e);
	MUST((c != NULL) == (e.n == 0));
	errors_clear(&e);
	return (c);
}

static void
oracle_value(const struct table *t, const struct table_value *v)
{
	struct table_value	 list;
	struct table_iter	 it;
	struct target		 g;
	struct action		 a;
	struct slice		 s;
	char			 where[64];
	int			 err = E_NOTFOUND;

	if (v->type == TABLE_TARGETS) {
		for (table_targets(&it, v); (err = table_target_next(&it, &g)) == E_OK; ) {
			if (g.kind == TARGET_INCLUDE)
				MUST(table_include(t, g.include, &list) == E_OK);
		}
	} else if (v->type == TABLE_LOGINS) {
		for (table_logins(&it, v); (err = table_login_next(&it, &s)) == E_OK; )
			MUST(table_login_has(v, s) == E_OK);
	} else if (v->type == TABLE_ACTION)
		MUST(table_action(v, &a) == E_OK);
	MUST(err == E_NOTFOUND);
	MUST(table_where(t, v, where, sizeof(where))[0] != '\0' && v->line != 0);
}

static void
oracle_table(const struct table *t)
{
	struct table_value	 v, again;
	uint64_t		 pos = 0;
	int			 err;

	while ((err = table_walk(t, &pos, &v)) == E_OK) {
		MUST(table_get(t, v.key, &again) == E_OK && slice_eq(v.key, again.key));
		oracle_value(t, &again);
	}
	MUST(err == E_NOTFOUND);
}

static void
table_oracle(const char *conf, const uint8_t *data, size_t size)
{
	static const char	 tail[] = "\n# \"<({\n";
	static uint8_t		 text[TEXT_MAX + sizeof(tail)];
	struct conf		*c, *more;

	if (size > TEXT_MAX)
		return;
	memcpy(text, data, size);
	if ((c = oracle_build(conf, text, size)) == NULL)
		return;
	MUST(table_image_check(c->image) == E_OK);
	for (size_t i = 0; i < conf_nmaps; i++)
		oracle_table(conf_map_table(c, &conf_maps[i]));
	oracle_table(&c->domains[0].recipients);
	oracle_table(&c->domains[0].aliases);
	memcpy(text + size, tail, sizeof(tail) - 1);
	more = oracle_build(conf, text, size + sizeof(tail) - 1);
	MUST(more != NULL && more->image.n == c->image.n);
	conf_free(more);
	conf_free(c);
}

#endif
