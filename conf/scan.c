/*
 * scan.c -- a look at the octets of postern.conf before libconfuse reads it.  Core.
 *
 * libconfuse accepts a section without its closing brace at the end of the file, and a string that is never
 * closed swallows the rest and is reported at the end; here both are told where they were opened.
 */
#include "conf/scan.h"

#define NESTING_MAX	16	/* the language itself needs three */

struct scan {
	struct slice	 in;
	size_t		 at;
	int		 line;
	struct errors	*errors;
	int		 open[NESTING_MAX];	/* lines of the braces that are open */
	size_t		 depth;
};

static int
here(const struct scan *s, size_t ahead)
{
	return (s->at + ahead < s->in.n ? (unsigned char)s->in.p[s->at + ahead] : -1);
}

static void
step(struct scan *s)
{
	if (s->in.p[s->at++] == '\n')
		s->line++;
}

static int
skip_string(struct scan *s, int quote)
{
	int	 line = s->line;

	for (step(s); here(s, 0) != quote; step(s)) {
		if (here(s, 0) == -1) {
			errors_add(s->errors, line, "the string that starts here has no closing %c", quote);
			return (0);
		}
		if (here(s, 0) == '\n') {
			errors_add(s->errors, line, "the string that starts here does not end on its line");
			return (0);
		}
		if (quote == '"' && here(s, 0) == '$' && here(s, 1) == '{')
			errors_add(s->errors, line, "${...} is not replaced here; write the value itself");
		if (here(s, 0) == '\\' && here(s, 1) != -1 && here(s, 1) != '\n')
			step(s);
	}
	step(s);
	return (1);
}

static int
skip_comment(struct scan *s)
{
	int	 line = s->line;

	for (step(s), step(s); here(s, 0) != '*' || here(s, 1) != '/'; step(s)) {
		if (here(s, 0) == -1) {
			errors_add(s->errors, line, "the comment that starts here has no closing */");
			return (0);
		}
	}
	step(s);
	step(s);
	return (1);
}

static void
skip_line(struct scan *s)
{
	while (here(s, 0) != -1 && here(s, 0) != '\n')
		step(s);
}

static int
brace(struct scan *s)
{
	if (here(s, 0) == '{') {
		if (s->depth == NESTING_MAX) {
			errors_add(s->errors, s->line, "braces are nested too deep");
			return (0);
		}
		s->open[s->depth++] = s->line;
	} else if (s->depth-- == 0) {
		errors_add(s->errors, s->line, "this closing brace has no opening brace");
		return (0);
	}
	step(s);
	return (1);
}

static int
scan_one(struct scan *s)
{
	int	 c = here(s, 0);

	if (c == '"' || c == '\'')
		return (skip_string(s, c));
	if (c == '/' && here(s, 1) == '*')
		return (skip_comment(s));
	if (c == '{' || c == '}')
		return (brace(s));
	if (c == '#' || (c == '/' && here(s, 1) == '/')) {
		skip_line(s);
		return (1);
	}
	if (c == '$' && here(s, 1) == '{') {
		errors_add(s->errors, s->line, "${...} is not replaced here; write the value itself");
		return (0);	/* its braces would not match */
	}
	step(s);
	return (1);
}

int
scan_text(struct slice in, struct errors *errors)
{
	struct scan	 s = { .in = in, .line = 1, .errors = errors };
	int		 line = 1;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\0') {
			errors_add(errors, line, "the file holds a NUL octet; it is not text");
			return (0);
		}
		line += in.p[i] == '\n';
	}
	while (s.at < in.n) {
		if (!scan_one(&s))
			return (0);
	}
	if (s.depth != 0) {
		errors_add(errors, s.open[s.depth - 1], "the brace that is opened here is never closed");
		return (0);
	}
	return (1);
}
