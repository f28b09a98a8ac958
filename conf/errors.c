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
	size_t	 file_seq;
	char	*file;		/* NULL: the configuration itself */
	int	 line;
	int	 warning;
	size_t	 seq;		/* errors of one line stay in the order they were found */
	char	 text[ERROR_TEXT_MAX];
};

void
errors_in(struct errors *e, const char *file)
{
	e->file = file;
	e->file_seq = ++e->files;
	for (size_t i = 0; file != NULL && i < e->kept; i++) {
		if (e->list[i].file != NULL && strcmp(e->list[i].file, file) == 0)
			e->file_seq = e->list[i].file_seq;	/* it was open before */
	}
}

/* The text quotes files (R9). */
static void
printable(char *p)
{
	for (; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	}
}

static struct error *
new_error(struct errors *e, int line)
{
	struct error	*x;

	if (e->list == NULL)
		e->list = mem_array(NULL, ERRORS_SHOWN + WARNINGS_SHOWN, sizeof(*e->list));
	x = &e->list[e->kept++];
	x->file_seq = e->file != NULL ? e->file_seq : 0;
	x->file = NULL;
	if (e->file != NULL) {
		x->file = mem_array(NULL, strlen(e->file) + 1, 1);
		memcpy(x->file, e->file, strlen(e->file) + 1);
		printable(x->file);
	}
	x->line = line;
	x->seq = e->kept;
	x->warning = 0;
	return (x);
}

void
errors_add(struct errors *e, int line, const char *fmt, ...)
{
	struct error	*x;
	va_list		 ap;

	e->n++;
	if (e->kept - e->kept_warnings == ERRORS_SHOWN)
		return;
	x = new_error(e, line);
	va_start(ap, fmt);
	vsnprintf(x->text, sizeof(x->text), fmt, ap);
	va_end(ap);
	printable(x->text);
}

void
errors_warn(struct errors *e, int line, const char *fmt, ...)
{
	struct error	*x;
	va_list		 ap;

	e->warnings++;
	if (e->kept_warnings == WARNINGS_SHOWN)
		return;
	x = new_error(e, line);
	x->warning = 1;
	e->kept_warnings++;
	va_start(ap, fmt);
	vsnprintf(x->text, sizeof(x->text), fmt, ap);
	va_end(ap);
	printable(x->text);
}

static int
by_line(const void *a, const void *b)
{
	const struct error	*x = a, *y = b;

	if (x->file_seq != y->file_seq)
		return (x->file_seq < y->file_seq ? -1 : 1);
	if (x->line != y->line)
		return (x->line < y->line ? -1 : 1);
	return (x->seq < y->seq ? -1 : x->seq > y->seq);
}

void
errors_print(struct errors *e, const char *name, FILE *out)
{
	const struct error	*x;
	const char		*in, *kind;
	size_t			 shown = 0, shown_warnings = 0, octets = 0;

	if (e->kept > 1)
		qsort(e->list, e->kept, sizeof(*e->list), by_line);
	for (size_t i = 0; i < e->kept; i++) {
		x = &e->list[i];
		in = x->file != NULL ? x->file : name;
		kind = x->warning ? "warning: " : "";
		octets += strlen(in) + strlen(kind) + strlen(x->text) + sizeof(":2147483647: \n");
		if (octets > ERRORS_OCTETS && i != 0)
			break;
		if (x->line == 0)
			fprintf(out, "%s: %s%s\n", in, kind, x->text);
		else
			fprintf(out, "%s:%d: %s%s\n", in, x->line, kind, x->text);
		if (x->warning)
			shown_warnings++;
		else
			shown++;
	}
	if (e->n > shown)
		fprintf(out, "%s: and %zu more errors\n", name, e->n - shown);
	if (e->warnings > shown_warnings)
		fprintf(out, "%s: and %zu more warnings\n", name, e->warnings - shown_warnings);
}

void
errors_clear(struct errors *e)
{
	for (size_t i = 0; i < e->kept; i++)
		free(e->list[i].file);
	free(e->list);
	*e = (struct errors){ 0 };
}
