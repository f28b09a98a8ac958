/* map_kit.h -- postern.conf with table files that are not there, and what a look-up gives, as text. */
#ifndef TESTS_CONF_MAP_KIT_H
#define TESTS_CONF_MAP_KIT_H

#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/conf_number.h"
#include "common/err.h"
#include "conf/build.h"

struct kit_file { const char *path, *text; };

static const struct kit_file	*kit_files;
static size_t			 kit_nfiles;

static char *
kit_read(const char *path, size_t max, const char **why)
{
	(void)path;
	(void)max;
	*why = "none";
	return (NULL);
}

static int
kit_open_text(const char *text, size_t n)
{
	int	 fd = memfd_create("kit", MFD_CLOEXEC);

	if (fd == -1 || write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) == -1)
		abort();
	return (fd);
}

static int
kit_open(const char *path, const char **why)
{
	for (size_t i = 0; i < kit_nfiles; i++) {
		if (strcmp(kit_files[i].path, path) == 0)
			return (kit_open_text(kit_files[i].text, strlen(kit_files[i].text)));
	}
	*why = "No such file or directory";
	return (-1);
}

/* The snapshot; else NULL.  The errors, as they are printed, in text[size]. */
static struct conf *
kit_build(const char *in, const struct kit_file *files, size_t nfiles, char *text, size_t size)
{
	static const struct conf_world	 world = { .name = "c", .hostname = "h.test", .read_file = kit_read, .read_cert = kit_read,
					     .open_file = kit_open };
	struct errors			 e = { 0 };
	struct conf			*c;
	FILE				*f = fmemopen(text, size, "w");

	if (f == NULL)
		abort();
	kit_files = files;
	kit_nfiles = nfiles;
	c = conf_build(slice_str(in), &world, &e);
	errors_print(&e, "c", f);
	fputc('\0', f);
	fclose(f);
	errors_clear(&e);
	return (c);
}

/* A value: "a@b, @c, :include:/x, discard" "OK", "554 5.7.1 text", "login, login", "present"; and where from. */
static inline void
kit_value(const struct table *t, const struct table_value *v, char *dst, size_t size)
{
	FILE			*f = fmemopen(dst, size, "w");
	static const char *const kinds[] = { "OK", "DUNNO", "", "HOLD", "WARN", "INFO" };
	struct table_iter	 it;
	struct target		 g;
	struct action		 a;
	struct slice		 s;
	char			 where[256], code[ENHANCED_STRLEN];
	const char		*sep = "";
	int			 err = E_NOTFOUND;

	if (f == NULL)
		abort();
	switch (v->type) {
	case TABLE_TARGETS:
		for (table_targets(&it, v); (err = table_target_next(&it, &g)) == E_OK; sep = ", ")
			fprintf(f, "%s%s%.*s", sep, g.kind == TARGET_DOMAIN ? "@" : g.kind == TARGET_INCLUDE ? ":include:" :
			    g.kind == TARGET_DISCARD ? "discard" : "", (int)g.text.n, g.text.p);
		break;
	case TABLE_LOGINS:
		for (table_logins(&it, v); (err = table_login_next(&it, &s)) == E_OK; sep = ", ")
			fprintf(f, "%s%.*s", sep, (int)s.n, s.p);
		break;
	case TABLE_ACTION:
		if ((err = table_action(v, &a)) != E_OK)
			break;
		err = E_NOTFOUND;
		if (a.kind == ACTION_REJECT)
			fprintf(f, "%u %s ", a.code, enhanced_str(&a.enhanced, code));
		fprintf(f, "%s%s%.*s", kinds[a.kind], a.text.n != 0 && a.kind != ACTION_REJECT ? " " : "", (int)a.text.n,
		    a.text.p);
		break;
	default:
		fprintf(f, "present");
		break;
	}
	if (err != E_NOTFOUND)
		abort();
	fprintf(f, " (%s)", table_where(t, v, where, sizeof(where)));
	fputc('\0', f);
	fclose(f);
}

/* By its key in postern.conf, or "aliases" and "recipients" of the first domain. */
static inline const struct table *
kit_table(struct conf *c, const char *key)
{
	const struct conf_map	*m = conf_map_find(key);

	if (m != NULL)
		return (conf_map_table(c, m));
	return (strcmp(key, "aliases") == 0 ? &c->domains[0].aliases : &c->domains[0].recipients);
}

#endif
