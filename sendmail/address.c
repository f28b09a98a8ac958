/*
 * address.c -- see address.h.  Core.
 *
 * A scanner gives words and specials, skipping blanks and comments (RFC 5322 3.2.2: they nest, which a counter
 * follows).  The parser collects words until it meets what says what they were: "@" a local part, "<" a display
 * name, ":" a group's name.
 */
#include "sendmail/address.h"

#include <string.h>

#include "common/addr.h"
#include "common/err.h"

enum token { T_END, T_ATOM, T_QUOTED, T_LITERAL, T_SPECIAL, T_BAD };

struct scan {
	const char	*start, *p, *end;
	const char	*why;
	enum token	 token;
	char		 special;	/* T_SPECIAL */
	struct slice	 word;		/* T_ATOM, T_QUOTED with its quotes, T_LITERAL with its brackets */
};

struct local {				/* a local part as its words come */
	char		 plain[LOCAL_PART_MAX];	/* without quotes */
	size_t		 n;
	int		 quoted;	/* some word of it was */
	int		 words, dot;	/* how many; the last token was a dot */
	int		 broken;	/* two words without a dot: a display name, if anything */
	int		 too_long;
	size_t		 end;		/* of its last word */
};

static int
fail(struct scan *s, const char *why)
{
	s->why = why;
	return (E_SYNTAX);
}

static int
too_long(struct scan *s, const char *why)
{
	s->why = why;
	return (E_LIMIT);
}

/* ---- scanner ---- */

static int
is_atext(unsigned char c)
{
	return (c >= 0x80 || (c > ' ' && c != 0x7f && strchr("()<>[]:;@\\,.\"", c) == NULL));
}

/* Behind its "("; non-zero if it has no end. */
static int
skip_comment(struct scan *s)
{
	unsigned depth = 1;

	for (; s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		else if (*s->p == '(' && ++depth > SENDMAIL_COMMENTS_MAX)
			return (1);
		else if (*s->p == ')' && --depth == 0) {
			s->p++;
			return (0);
		}
	}
	return (1);
}

/* To the closing character, which is taken; non-zero if there is none. */
static int
skip_to(struct scan *s, char close)
{
	for (s->p++; s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		else if (*s->p == close) {
			s->p++;
			return (0);
		}
	}
	return (1);
}

static void
next(struct scan *s)
{
	const char *from;

	s->token = T_BAD;
	for (;; s->p++) {
		if (s->p == s->end) {
			s->token = T_END;
			return;
		}
		if (*s->p == '(') {
			s->p++;
			if (skip_comment(s)) {
				s->why = "a comment has no end";
				return;
			}
			s->p--;
		} else if (*s->p != ' ' && *s->p != '\t' && *s->p != '\r' && *s->p != '\n')
			break;
	}
	from = s->p;
	if (*from == '"' || *from == '[') {
		if (skip_to(s, *from == '"' ? '"' : ']')) {
			s->why = *from == '"' ? "a quoted text has no end" : "an address literal has no end";
			return;
		}
		s->token = *from == '"' ? T_QUOTED : T_LITERAL;
	} else if (is_atext((unsigned char)*from)) {
		while (s->p < s->end && is_atext((unsigned char)*s->p))
			s->p++;
		s->token = T_ATOM;
	} else if (*from > ' ' && *from != 0x7f && *from != ')' && *from != ']' && *from != '\\') {
		s->p++;
		s->token = T_SPECIAL;
		s->special = *from;
		return;
	} else {
		s->why = *from == ')' ? "a parenthesis too many" : "an unexpected character";
		return;
	}
	s->word = slice_make(from, (size_t)(s->p - from));
}

static int
is_special(const struct scan *s, char c)
{
	return (s->token == T_SPECIAL && s->special == c);
}

/* ---- local parts and domains ---- */

static void
local_add(struct local *l, char c)
{
	if (l->n == sizeof(l->plain))
		l->too_long = 1;
	else
		l->plain[l->n++] = c;
}

static void
local_word(struct local *l, struct scan *s)
{
	size_t i = 0, end = s->word.n;

	if (l->words != 0 && !l->dot)
		l->broken = 1;
	l->words++;
	l->dot = 0;
	l->end = (size_t)(s->p - s->start);
	if (s->token == T_QUOTED) {
		l->quoted = 1;
		i++;
		end--;
	}
	for (; i < end; i++) {
		/* A quoted pair is its second character; folding is no part of the text (RFC 5322 3.2.4). */
		if (s->token == T_QUOTED && s->word.p[i] == '\\' && i + 1 < end)
			i++;
		else if (s->token == T_QUOTED && (s->word.p[i] == '\r' || s->word.p[i] == '\n'))
			continue;
		local_add(l, s->word.p[i]);
	}
}

static void
local_dot(struct local *l)
{
	if (l->words == 0 || l->dot)
		l->broken = 1;
	l->dot = 1;
	local_add(l, '.');
}

/* The local part in its final form; its length in text. */
static int
local_finish(struct scan *s, const struct local *l, char *text, size_t *len)
{
	size_t i, n = 0;
	int quote = l->quoted || l->n == 0, dot = 1;

	if (l->too_long)
		return (too_long(s, "local part longer than 64 octets"));
	if (l->words == 0 || l->broken || l->dot)
		return (fail(s, "an address is expected"));
	/* Quotes stay only where they must: "alice"@a.example is alice@a.example. */
	if (l->quoted) {
		for (i = 0; i < l->n; i++) {
			if (l->plain[i] == '.' ? dot : !is_atext((unsigned char)l->plain[i]))
				break;
			dot = l->plain[i] == '.';
		}
		quote = i < l->n || dot;
	}
	if (quote)
		text[n++] = '"';
	for (i = 0; i < l->n; i++) {
		if ((unsigned char)l->plain[i] < ' ' || l->plain[i] == 0x7f)
			return (fail(s, "a control character in a local part"));
		if (quote && (l->plain[i] == '"' || l->plain[i] == '\\'))
			text[n++] = '\\';
		text[n++] = l->plain[i];
	}
	if (quote)
		text[n++] = '"';
	if (n > LOCAL_PART_MAX)
		return (too_long(s, "local part longer than 64 octets"));
	*len = n;
	return (E_OK);
}

/* Behind the "@": atoms with dots between, or a literal.  The token after it is current then. */
static int
domain(struct scan *s, char *text, size_t *len)
{
	size_t n = 0, i;
	int dot = 1;

	next(s);
	if (s->token == T_LITERAL) {
		if (s->word.n > DOMAIN_MAX)
			return (too_long(s, "address literal too long"));
		for (i = 0; i < s->word.n; i++) {
			if (s->word.p[i] <= ' ' || s->word.p[i] == '\\' || s->word.p[i] == 0x7f)
				return (fail(s, "an unexpected character in an address literal"));
		}
		memcpy(text, s->word.p, s->word.n);
		*len = s->word.n;
		next(s);
		return (E_OK);
	}
	for (;; next(s)) {
		if (is_special(s, '.') && !dot) {
			dot = 1;
			if (n == DOMAIN_MAX)
				return (too_long(s, "domain longer than 255 octets"));
			text[n++] = '.';
		} else if (s->token == T_ATOM && dot) {
			dot = 0;
			if (s->word.n > DOMAIN_MAX - n)
				return (too_long(s, "domain longer than 255 octets"));
			memcpy(text + n, s->word.p, s->word.n);
			n += s->word.n;
		} else
			break;
	}
	if (n != 0 && dot)
		n--;			/* the root's dot */
	if (n == 0)
		return (fail(s, "domain is missing"));
	*len = n;
	return (E_OK);
}

/* Last checks: RFC 5321's grammar where it is ASCII; else that it is UTF-8 at least. */
static int
check(struct scan *s, struct mailbox *m)
{
	struct slice all = slice_str(m->text);
	const char *why;	/* the scanner may have said something about what follows */
	struct addr a;
	int err;

	if (!address_is_ascii(all))
		return (address_is_utf8(all) ? E_OK : fail(s, "neither ASCII nor UTF-8"));
	if (m->bare)
		return (E_OK);
	if ((err = addr_parse(&a, all, &why)) != E_OK) {
		s->why = why;
		return (err);
	}
	memcpy(m->text, a.text, strlen(a.text) + 1);
	return (E_OK);
}

/* A local part is complete; the present token says what follows it. */
static int
addr_spec(struct scan *s, const struct local *l, struct mailbox *m)
{
	size_t len = 0, dlen = 0;
	int err;

	memset(m, 0, sizeof(*m));
	if ((err = local_finish(s, l, m->text, &len)) != E_OK)
		return (err);
	m->bare = !is_special(s, '@');
	m->end = l->end;
	if (!m->bare) {
		m->text[len++] = '@';
		if ((err = domain(s, m->text + len, &dlen)) != E_OK)
			return (err);
	}
	m->text[len + dlen] = '\0';
	return (check(s, m));
}

/* Words and dots into l, until something else comes. */
static void
words(struct scan *s, struct local *l)
{
	memset(l, 0, sizeof(*l));
	for (;; next(s)) {
		if (s->token == T_ATOM || s->token == T_QUOTED)
			local_word(l, s);
		else if (is_special(s, '.'))
			local_dot(l);
		else
			return;
	}
}

/* ---- addresses ---- */

/* "<" has been seen: an optional route "@a,@b:", addr-spec, ">". */
static int
angle(struct scan *s, struct mailbox *m)
{
	char skipped[DOMAIN_MAX + 1];
	struct local l;
	size_t n;
	int err;

	next(s);
	while (is_special(s, '@') || is_special(s, ',')) {	/* RFC 5322 4.4 obs-route: forgotten */
		if (is_special(s, ',')) {
			next(s);
			continue;
		}
		if ((err = domain(s, skipped, &n)) != E_OK)
			return (err);
		if (is_special(s, ':')) {
			next(s);
			break;
		}
		if (!is_special(s, ','))
			return (fail(s, "a route is malformed"));
	}
	words(s, &l);
	if ((err = addr_spec(s, &l, m)) != E_OK)
		return (err);
	if (!is_special(s, '>'))
		return (s->token == T_BAD ? E_SYNTAX : fail(s, "closing angle bracket is missing"));
	next(s);
	return (E_OK);
}

int
address_list(struct slice list, int (*fn)(void *, const struct mailbox *), void *arg, const char **why)
{
	struct scan s = { .start = list.p, .p = list.p, .end = list.p + list.n, .why = "" };
	struct mailbox m;
	struct local l;
	int err = E_OK, group = 0;

	if (list.n == 0)
		return (E_OK);
	for (next(&s); s.token != T_END && err == E_OK;) {
		if (is_special(&s, ',')) {	/* between members; more than one is an obsolete habit */
			next(&s);
			continue;
		}
		if (is_special(&s, ';') && group) {
			group = 0;
			next(&s);
			continue;
		}
		words(&s, &l);
		if (s.token == T_BAD)
			err = E_SYNTAX;
		else if (is_special(&s, ':') && !group && l.words != 0) {
			group = 1;
			next(&s);
			continue;
		} else if (is_special(&s, '<'))
			err = angle(&s, &m);
		else
			err = addr_spec(&s, &l, &m);
		if (err == E_OK && s.token != T_END && !is_special(&s, ',') && !is_special(&s, ';'))
			err = s.token == T_BAD ? E_SYNTAX : fail(&s, "a comma is missing");
		if (err == E_OK && is_special(&s, ';') && !group)
			err = fail(&s, "a semicolon without a group");
		if (err == E_OK)
			err = fn(arg, &m);
	}
	if (err == E_OK && group)
		err = fail(&s, "a group has no end");
	*why = err == E_OK ? "" : s.why;
	return (err);
}

int
address_qualify(struct mailbox *m, const char *origin)
{
	size_t n = strlen(m->text), add = strlen(origin);

	if (!m->bare)
		return (E_OK);
	if (add > DOMAIN_MAX || n + 1 + add > ADDRESS_MAX)
		return (E_LIMIT);
	m->text[n] = '@';
	memcpy(m->text + n + 1, origin, add + 1);
	m->bare = 0;
	return (E_OK);
}

/* ---- UTF-8 ---- */

int
address_is_ascii(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return (0);
	}
	return (1);
}

int
address_is_utf8(struct slice s)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const void *)s.p, *end = p + s.n;
	uint32_t code;
	unsigned more, i;

	while (p < end) {
		if (*p < 0x80) {
			p++;
			continue;
		}
		more = (*p & 0xe0) == 0xc0 ? 1 : (*p & 0xf0) == 0xe0 ? 2 : (*p & 0xf8) == 0xf0 ? 3 : 0;
		if (more == 0 || (size_t)(end - p) <= more)
			return (0);
		code = *p++ & (0x3fu >> more);
		for (i = 0; i < more; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return (0);
			code = code << 6 | (*p & 0x3fu);
		}
		if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return (0);
	}
	return (1);
}
