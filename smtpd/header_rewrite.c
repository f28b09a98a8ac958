/*
 * header_rewrite.c -- see header_rewrite.h.  Core.
 *
 * A field's body is cut at the commas, semicolons and colons of its top level; what is between two
 * of them is a mailbox, a group's name, or nothing.  An addr-spec is what stands in angle brackets
 * behind a route, else the whole piece.  Folding and comments inside one are obsolete and rare
 * (4.4): they are left out to read it, and only an address that is put anew loses them.
 */
#include "smtpd/header_rewrite.h"

#include "common/addr.h"
#include "common/err.h"

struct walk {
	const struct header_rewriter *r;
	const char	*kept;		/* what has not gone out begins here */
	const char	*end;		/* of the field */
	enum header_who	 who;
};

struct piece {			/* between two separators */
	const char	*first, *last;	/* the octets of its addr-spec; first NULL: none */
	size_t		 n;
	int		 bad;		/* it is none */
	int		 word, gap;	/* the last token was a word; blanks or comments followed it */
	char		 text[ADDRESS_MAX + 1];	/* without blanks and comments */
};

static const struct {
	const char	*name;
	enum header_who	 who;
} fields[] = {
	{ "from", WHO_SENDER },
	{ "sender", WHO_SENDER },
	{ "reply-to", WHO_SENDER },
	{ "to", WHO_RECIPIENT },
	{ "cc", WHO_RECIPIENT },
	{ "bcc", WHO_RECIPIENT },
};

static int
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

static int
is_special(char c)
{
	return (is_blank(c) || strchr("()<>[]:;@\\,.\"", c) != NULL);
}

/* Behind the comment that begins at p; NULL if it has no end. */
static const char *
comment(const char *p, const char *end)
{
	size_t	depth = 0;

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return (p + 1);
	}
	return (NULL);
}

/* Behind the token that begins at p, no comment and no blank; NULL if it has no end. */
static const char *
token(const char *p, const char *end)
{
	char	close = *p == '"' ? '"' : *p == '[' ? ']' : '\0';

	if (close == '\0' && is_special(*p))
		return (p + 1);
	if (close == '\0') {
		while (p < end && !is_special(*p))
			p++;
		return (p);
	}
	for (p++; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == close)
			return (p + 1);
	}
	return (NULL);
}

static void
piece_clear(struct piece *pc)
{
	pc->first = pc->last = NULL;
	pc->n = 0;
	pc->bad = pc->word = pc->gap = 0;
}

static void
piece_add(struct piece *pc, const char *p, const char *q)
{
	size_t	n = (size_t)(q - p);
	int	word = !is_special(*p) || *p == '"' || *p == '[';

	/* Two words side by side are a display name, not a local part. */
	if (word && pc->word && pc->gap)
		pc->bad = 1;
	if (n > sizeof(pc->text) - pc->n)
		pc->bad = 1;
	if (!pc->bad) {
		memcpy(pc->text + pc->n, p, n);
		pc->n += n;
	}
	if (pc->first == NULL)
		pc->first = p;
	pc->last = q;
	pc->word = word;
	pc->gap = 0;
}

static int
put(struct walk *w, const char *p, size_t n)
{
	return (n != 0 ? w->r->out(w->r->arg, slice_make(p, n)) : E_OK);
}

static int
piece_end(struct walk *w, const struct piece *pc)
{
	struct addr	a;
	int		err;

	if (pc->first == NULL || pc->bad ||
	    addr_parse(&a, slice_make(pc->text, pc->n), NULL) != E_OK || a.domain_off == 0 ||
	    !w->r->address(w->r->arg, w->who, a.text))
		return (E_OK);
	if ((err = put(w, w->kept, (size_t)(pc->first - w->kept))) != E_OK)
		return (err);
	w->kept = pc->last;
	return (put(w, a.text, strlen(a.text)));
}

/* Up to the next separator of the top level; NULL if the rest cannot be read.  Behind an angle
 * bracket nothing counts. */
static const char *
piece_read(struct piece *pc, const char *p, const char *end)
{
	const char	*q;
	enum { OUTSIDE, INSIDE, BEHIND } at = OUTSIDE;

	piece_clear(pc);
	while (p < end) {
		if (is_blank(*p)) {
			pc->gap = 1;
			p++;
			continue;
		}
		if (*p == '(') {
			pc->gap = 1;
			if ((p = comment(p, end)) == NULL)
				return (NULL);
			continue;
		}
		if (at != INSIDE && (*p == ',' || *p == ';' || *p == ':'))
			return (p);
		if ((q = token(p, end)) == NULL)
			return (NULL);
		if (at == OUTSIDE && *p == '<') {
			at = INSIDE;
			piece_clear(pc);
		} else if (at == INSIDE && *p == '>')
			at = BEHIND;
		else if (at == INSIDE && *p == ':')
			piece_clear(pc);	/* a source route, 4.4 */
		else if (at != BEHIND)
			piece_add(pc, p, q);
		p = q;
	}
	return (at == INSIDE ? NULL : p);
}

static int
rewrite_field(struct walk *w, const char *p)
{
	struct piece	 pc;
	int		 err;

	while (p < w->end) {
		if ((p = piece_read(&pc, p, w->end)) == NULL)
			return (E_OK);
		if ((err = piece_end(w, &pc)) != E_OK)
			return (err);
		p++;		/* the separator */
	}
	return (E_OK);
}

/* Whether the field's name, all before its colon, is one of ours. */
static int
names_people(struct slice name, enum header_who *who)
{
	size_t	i;

	while (name.n != 0 && is_blank(name.p[name.n - 1]))
		name.n--;
	if (name.n > 7 && slice_caseeq(slice_make(name.p, 7), SLICE_LIT("resent-")))
		name = slice_make(name.p + 7, name.n - 7);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (slice_caseeq(name, slice_str(fields[i].name))) {
			*who = fields[i].who;
			return (1);
		}
	}
	return (0);
}

/* Behind the field's last line. */
static const char *
field_end(const char *p, const char *end)
{
	const char	*lf;

	do {
		if ((lf = memchr(p, '\n', (size_t)(end - p))) == NULL)
			return (end);
		p = lf + 1;
	} while (p < end && (*p == ' ' || *p == '\t'));
	return (p);
}

int
header_rewrite(const struct header_rewriter *r, struct slice in)
{
	const char	*p = in.p, *end = in.p + in.n, *colon;
	struct walk	 w = { .r = r, .kept = p };
	int		 err;

	for (; p < end && *p != '\r'; p = w.end) {
		w.end = field_end(p, end);
		colon = memchr(p, ':', (size_t)(w.end - p));
		if (colon == NULL)
			continue;
		if (names_people(slice_make(p, (size_t)(colon - p)), &w.who) &&
		    (err = rewrite_field(&w, colon + 1)) != E_OK)
			return (err);
	}
	w.end = end;
	return (put(&w, w.kept, (size_t)(end - w.kept)));
}
