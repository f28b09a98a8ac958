/*
 * lookup.c -- see lookup.h.  Core but for stdio.
 */
#include "ctl/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "ctl/cells.h"
#include "ctl/json.h"
#include "ctl/lines.h"

#define LINE_MAX_OCTETS	(64u << 10)	/* queue's lines are shorter */
#define FIELDS_MAX	5

int
lookup_init(struct lookup_view *v, FILE *out, const char *address, int json)
{
	memset(v, 0, sizeof(*v));
	v->out = out;
	v->address = address;
	v->json = json;
	buf_init(&v->line, LINE_MAX_OCTETS);
	if (json && ((v->steps = json_array()) == NULL || (v->ends = json_array()) == NULL))
		return (E_NOMEM);
	return (E_OK);
}

void
lookup_clear(struct lookup_view *v)
{
	buf_clear(&v->line);
	json_decref(v->steps);
	json_decref(v->ends);
	json_decref(v->reply);
	memset(v, 0, sizeof(*v));
}

/* "a | b | c" into n fields; E_PROTO if there are others. */
static int
split(char *text, char **field, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		field[i] = text;
		if (i + 1 == n)
			break;
		if ((text = strstr(text, " | ")) == NULL)
			return (E_PROTO);
		*text = '\0';
		text += 3;
	}
	return (E_OK);
}

static json_t *
text_or_null(const char *s)
{
	return (s[0] != '\0' ? json_text(slice_str(s)) : json_null());
}

static int
append(json_t *list, json_t *o)
{
	return (o != NULL && json_array_append_new(list, o) == 0 ? E_OK : E_NOMEM);
}

static int
take_step(struct lookup_view *v, char *text)
{
	char	*f[2];

	if (split(text, f, 2) != E_OK)
		return (E_PROTO);
	if (v->json)
		return (append(v->steps, json_pack("{s:o, s:o}", "where", json_text(slice_str(f[0])), "what",
		    json_text(slice_str(f[1])))));
	(void)fprintf(v->out, "  %-32s %s\n", f[0], f[1]);
	return (E_OK);
}

static int
take_end(struct lookup_view *v, char *text)
{
	char	*f[FIELDS_MAX];

	if (split(text, f, FIELDS_MAX) != E_OK)
		return (E_PROTO);
	if (v->json)
		return (append(v->ends, json_pack("{s:o, s:o, s:o, s:o, s:o}", "kind", json_text(slice_str(f[0])),
		    "address", text_or_null(f[1]), "route", text_or_null(f[2]), "mailbox", text_or_null(f[3]),
		    "sender", text_or_null(f[4]))));
	(void)fprintf(v->out, "  -> %s%s%s%s%s%s%s%s%s\n", f[1][0] != '\0' ? f[1] : "/dev/null",
	    f[1][0] != '\0' ? "  " : "", f[1][0] != '\0' ? f[0] : "", f[3][0] != '\0' ? " " : "", f[3],
	    f[2][0] != '\0' ? " by " : "", f[2], f[4][0] != '\0' ? ", sender " : "", f[4]);
	return (E_OK);
}

static int
take_reply(struct lookup_view *v, char *text)
{
	char	*rest, *enhanced;
	unsigned long code = strtoul(text, &rest, 10);

	if (*rest != ' ' || code < 200 || code > 599)
		return (E_PROTO);
	enhanced = ++rest;
	if ((rest = strchr(rest, ' ')) == NULL)
		return (E_PROTO);
	*rest++ = '\0';
	if (!v->json) {
		(void)fprintf(v->out, "  RCPT: %lu %s %s\n", code, enhanced, rest);
		return (E_OK);
	}
	json_decref(v->reply);
	v->reply = json_pack("{s:i, s:o, s:o}", "code", (int)code, "enhanced", json_text(slice_str(enhanced)),
	    "text", json_text(slice_str(rest)));
	return (v->reply != NULL ? E_OK : E_NOMEM);
}

static int
take_line(void *arg, struct slice s)
{
	struct lookup_view	*v = arg;
	char			 line[LINE_MAX_OCTETS];

	(void)cell_plain(line, sizeof(line), s.p, s.n);
	if (strncmp(line, "step ", 5) == 0)
		return (take_step(v, line + 5));
	if (strncmp(line, "end ", 4) == 0)
		return (take_end(v, line + 4));
	if (strncmp(line, "reply ", 6) == 0)
		return (take_reply(v, line + 6));
	if (strncmp(line, "more ", 5) != 0)
		return (E_PROTO);
	v->more = 1;
	if (!v->json)
		(void)fprintf(v->out, "  -> more %s\n", line + 5);
	return (E_OK);
}

int
lookup_take(void *arg, enum ipc_type type, struct rd *rd)
{
	struct lookup_view	*v = arg;
	int			 err = lines_take(&v->line, type, rd, take_line, v);

	return (err == E_OK && ferror(v->out) ? E_IO : err);
}

int
lookup_end(struct lookup_view *v)
{
	json_t	*o;

	if (!v->json)
		return (fflush(v->out) == 0 ? E_OK : E_IO);
	o = json_pack("{s:o, s:O, s:O, s:b, s:O?}", "address", json_text(slice_str(v->address)), "steps", v->steps,
	    "ends", v->ends, "complete", !v->more, "reply", v->reply);
	return (o != NULL ? json_print(v->out, o) : E_NOMEM);
}
