/*
 * tls.c -- see tls.h.  Shell.
 *
 * The report is lines for people, shown as they come: trying hosts takes its time.
 */
#include "ctl/tls.h"

#include <string.h>

#include "common/err.h"
#include "ctl/cells.h"
#include "ctl/json.h"
#include "ctl/lines.h"

#define LINE_MAX_OCTETS	TLS_REPORT_MAX

int
tls_view_init(struct tls_view *v, FILE *out, int json)
{
	memset(v, 0, sizeof(*v));
	v->out = out;
	buf_init(&v->line, LINE_MAX_OCTETS + TLS_REPORT_MAX);
	if (json && (v->lines = json_array()) == NULL)
		return (E_NOMEM);
	return (E_OK);
}

void
tls_view_clear(struct tls_view *v)
{
	json_decref(v->lines);
	buf_clear(&v->line);
}

static int
take_line(void *arg, struct slice s)
{
	static char	 line[LINE_MAX_OCTETS * 4 + 1];
	struct tls_view	*v = arg;

	if (v->lines != NULL)
		return (json_array_append_new(v->lines, json_text(s)) == 0 ? E_OK : E_NOMEM);
	(void)fprintf(v->out, "%s\n", cell_plain(line, sizeof(line), s.p, s.n));
	return (fflush(v->out) == 0 ? E_OK : E_IO);
}

int
tls_view_take(void *arg, enum ipc_type type, struct rd *rd)
{
	struct tls_view	*v = arg;

	return (lines_take(&v->line, type, rd, take_line, v));
}

int
tls_view_end(struct tls_view *v, const char *domain, int ok, const char *text)
{
	if (v->lines == NULL)
		return (fflush(v->out) == 0 ? E_OK : E_IO);
	return (json_print(v->out,
	    json_pack("{s:o, s:b, s:o, s:O}", "domain", json_text(slice_str(domain)), "ok", ok,
		"text", json_text(slice_str(text)), "lines", v->lines)));
}
