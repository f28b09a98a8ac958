/* errors.c -- the list of errors.  Core. */
#include "conf/errors.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/reply.h"
#include "conf/mem.h"

#define ERROR_TEXT_MAX	480

struct error {
	int	 line;
	size_t	 seq;		/* errors of one line stay in the order they were found */
	char	 text[ERROR_TEXT_MAX];
};

void
errors_add(struct errors *e, int line, const char *fmt, ...)
{
	struct error	*x;
	va_list		 ap;

	e->n++;
	if (e->kept == ERRORS_SHOWN)
		return;
	if (e->list == NULL)
		e->list = mem_array(NULL, ERRORS_SHOWN, sizeof(*e->list));
	x = &e->list[e->kept++];
	x->line = line;
	x->seq = e->kept;
	va_start(ap, fmt);
	vsnprintf(x->text, sizeof(x->text), fmt, ap);
	va_end(ap);
	for (char *p = x->text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';	/* the text quotes the file (R9) */
	}
}

static int
by_line(const void *a, const void *b)
{
	const struct error	*x = a, *y = b;

	if (x->line != y->line)
		return (x->line < y->line ? -1 : 1);
	return (x->seq < y->seq ? -1 : x->seq > y->seq);
}

void
errors_print(struct errors *e, const char *name, FILE *out)
{
	if (e->kept > 1)
		qsort(e->list, e->kept, sizeof(*e->list), by_line);
	for (size_t i = 0; i < e->kept; i++) {
		if (e->list[i].line == 0)
			fprintf(out, "%s: %s\n", name, e->list[i].text);
		else
			fprintf(out, "%s:%d: %s\n", name, e->list[i].line, e->list[i].text);
	}
	if (e->n > e->kept)
		fprintf(out, "%s: and %zu more errors\n", name, e->n - e->kept);
}

void
errors_clear(struct errors *e)
{
	free(e->list);
	*e = (struct errors){ 0 };
}
