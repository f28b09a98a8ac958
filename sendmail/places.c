/*
 * places.c -- see places.h.  Shell.
 */
#include "sendmail/places.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/units.h"

#define FILE_MAX	4096

static int
take_value(struct slice *line, const char *name)
{
	size_t n = strlen(name);

	if (line->n <= n || memcmp(line->p, name, n) != 0 || line->p[n] != '=')
		return (0);
	*line = slice_make(line->p + n + 1, line->n - n - 1);
	return (1);
}

void
places_parse(struct places *p, struct slice in)
{
	char name[DOMAIN_MAX + 1], path[PLACES_PATH_MAX];
	const char *lf;
	struct slice line;
	uint64_t n;

	while (in.n != 0 && (lf = memchr(in.p, '\n', in.n)) != NULL) {
		line = slice_make(in.p, (size_t)(lf - in.p));
		in = slice_make(lf + 1, in.n - line.n - 1);
		if (take_value(&line, "directory")) {
			if (line.n != 0 && line.p[0] == '/' && slice_copy(line, path, sizeof(path)) == E_OK)
				memcpy(p->directory, path, sizeof(path));
		} else if (take_value(&line, "hostname")) {
			if (domain_parse(name, line, NULL) == E_OK)
				memcpy(p->hostname, name, sizeof(name));
		} else if (take_value(&line, "message-size-limit")) {
			if (number_parse(&n, line, MESSAGE_SIZE_MAX) == E_OK)
				p->size_limit = n;
		} else if (take_value(&line, "local-submission"))
			p->closed = slice_eq(line, SLICE_LIT("no"));
	}
}

static int
read_file(struct places *p)
{
	char path[PLACES_PATH_MAX + 8], text[FILE_MAX];
	size_t used = 0;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/paths", p->runtime);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) == -1)
		return (E_NOTFOUND);
	while (used < sizeof(text) && (n = read(fd, text + used, sizeof(text) - used)) > 0)
		used += (size_t)n;
	(void)close(fd);
	places_parse(p, slice_make(text, used));
	return (E_OK);
}

static void
own_name(struct places *p)
{
	char name[DOMAIN_MAX + 1];

	if (gethostname(name, sizeof(name)) == -1)
		return;
	name[sizeof(name) - 1] = '\0';
	if (domain_parse(p->hostname, slice_str(name), NULL) != E_OK)
		p->hostname[0] = '\0';
}

int
places_find(struct places *p, const struct args *a)
{
	memset(p, 0, sizeof(*p));
	if (slice_copy(slice_str(a->runtime != NULL ? a->runtime : RUNTIME_DEFAULT), p->runtime,
	    sizeof(p->runtime)) != E_OK)
		return (E_LIMIT);
	(void)slice_copy(SLICE_LIT(DIRECTORY_DEFAULT), p->directory, sizeof(p->directory));
	(void)read_file(p);
	if (a->directory != NULL &&
	    slice_copy(slice_str(a->directory), p->directory, sizeof(p->directory)) != E_OK)
		return (E_LIMIT);
	if (p->hostname[0] == '\0')
		own_name(p);
	if (p->hostname[0] == '\0')
		(void)slice_copy(SLICE_LIT("localhost"), p->hostname, sizeof(p->hostname));
	return (E_OK);
}
