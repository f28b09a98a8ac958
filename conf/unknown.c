/*
 * unknown.c -- a walk over the keys of postern.conf, by the lexical rules of libconfuse.  Core, but for its tables
 * of options.  The text has been looked at by scan_text(): strings, comments and braces end.
 */
#include "conf/unknown.h"

#define NESTING_MAX	16	/* as scan.c's */
#define SHOWN		100	/* octets of a key in an error */

enum token { T_END, T_WORD, T_STRING, T_EQUALS, T_OPEN, T_CLOSE, T_OTHER };

struct walk {
	struct slice	 in;
	size_t		 at;
	int		 line;
	struct slice	 text;		/* of a T_WORD or T_STRING, without quotes */
};

static int
here(const struct walk *w, size_t ahead)
{
	return (w->at + ahead < w->in.n ? (unsigned char)w->in.p[w->at + ahead] : -1);
}

static void
step(struct walk *w)
{
	if (w->at < w->in.n && w->in.p[w->at++] == '\n')
		w->line++;
}

static void
skip_blanks(struct walk *w)
{
	for (;;) {
		if (here(w, 0) == '#' || (here(w, 0) == '/' && here(w, 1) == '/')) {
			while (here(w, 0) != -1 && here(w, 0) != '\n')
				step(w);
		} else if (here(w, 0) == '/' && here(w, 1) == '*') {
			for (step(w), step(w); here(w, 0) != -1 && (here(w, 0) != '*' || here(w, 1) != '/'); step(w))
				;
			step(w);
			step(w);
		} else if (here(w, 0) != -1 && strchr(" \t\r\n", here(w, 0)) != NULL)
			step(w);
		else
			return;
	}
}

static enum token
string(struct walk *w)
{
	int	 quote = here(w, 0);

	step(w);
	w->text = slice_make(w->in.p + w->at, 0);
	for (; here(w, 0) != -1 && here(w, 0) != quote; step(w)) {
		if (here(w, 0) == '\\')
			step(w);
	}
	w->text.n = (size_t)(w->in.p + w->at - w->text.p);
	step(w);
	return (T_STRING);
}

static enum token
next(struct walk *w)
{
	int	 c;

	skip_blanks(w);
	c = here(w, 0);
	if (c == -1)
		return (T_END);
	if (c == '"' || c == '\'')
		return (string(w));
	if (c == '{' || c == '}' || c == '=') {
		step(w);
		return (c == '{' ? T_OPEN : c == '}' ? T_CLOSE : T_EQUALS);
	}
	w->text = slice_make(w->in.p + w->at, 0);
	while (here(w, 0) != -1 && strchr(" \t\r\n\"'{}=+(),;#", here(w, 0)) == NULL)
		step(w);
	w->text.n = (size_t)(w->in.p + w->at - w->text.p);
	if (w->text.n != 0)
		return (T_WORD);
	step(w);
	return (T_OTHER);
}

static cfg_opt_t *
find(cfg_opt_t *opts, struct slice name)
{
	for (; opts != NULL && opts->name != NULL; opts++) {
		if (slice_eq(slice_str(opts->name), name))
			return (opts);
	}
	return (NULL);
}

/* The value behind an equals sign: 0 if there is none. */
static int
skip_value(struct walk *w)
{
	enum token	 t = next(w);

	if (t != T_OPEN)
		return (t == T_WORD || t == T_STRING);
	while ((t = next(w)) != T_CLOSE) {
		if (t == T_END || t == T_OPEN)
			return (0);
	}
	return (1);
}

size_t
unknown_keys(struct slice in, cfg_opt_t *top, struct errors *errors)
{
	struct walk	 w = { .in = in, .line = 1 };
	struct { cfg_opt_t *opts; const char *name; } open[NESTING_MAX] = { { top, NULL } };
	cfg_opt_t	*opt;
	struct slice	 key;
	enum token	 t;
	size_t		 depth = 0, n = 0;

	while ((t = next(&w)) == T_WORD || (t == T_CLOSE && depth-- != 0)) {
		if (t == T_CLOSE)
			continue;
		key = w.text;
		opt = find(open[depth].opts, key);
		if (opt == NULL && open[depth].opts != NULL) {	/* not in a section that is unknown itself */
			n++;
			if (open[depth].name == NULL)
				errors_add(errors, w.line, "unknown key \"%.*s\"", (int)(key.n < SHOWN ? key.n : SHOWN), key.p);
			else
				errors_add(errors, w.line, "unknown key \"%.*s\" in section %s",
				    (int)(key.n < SHOWN ? key.n : SHOWN), key.p, open[depth].name);
		}
		if ((t = next(&w)) == T_WORD || t == T_STRING)
			t = next(&w);	/* behind a title */
		if (t == T_EQUALS ? !skip_value(&w) : t != T_OPEN || ++depth == NESTING_MAX)
			break;
		if (t == T_OPEN) {
			open[depth].opts = opt != NULL && opt->type == CFGT_SEC ? opt->subopts : NULL;
			open[depth].name = opt != NULL ? opt->name : NULL;
		}
	}
	return (n);
}
