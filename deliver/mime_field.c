/*
 * mime_field.c -- the values of Content-Type and Content-Transfer-Encoding; see mime.h.  Core.
 *
 * RFC 2045 5.1 and 6.1, with comments and folding as RFC 5322 3.2.2 has them.  An unquoted value may hold what
 * generators put there against the grammar, "=" most of all; what readers may understand differently
 * is refused.
 */
#include <string.h>

#include "common/err.h"
#include "deliver/mime_int.h"

struct scan {
	const char	*p, *end;
	int		 bad;
};

/* Blanks, folds and comments. */
static void
skip(struct scan *s)
{
	int depth = 0;

	for (; s->p < s->end; s->p++) {
		if (depth != 0 && *s->p == '\\')
			s->p += s->p + 1 < s->end;
		else if (*s->p == '(')
			depth++;
		else if (*s->p == ')') {
			if (depth == 0)
				break;
			depth--;
		} else if (depth == 0 && *s->p != ' ' && *s->p != '\t' && *s->p != '\r' && *s->p != '\n')
			break;
	}
	s->bad |= depth != 0;
}

static int
is_token(char c)
{
	return (c > 0x20 && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL);
}

static struct slice
token(struct scan *s, const char *also)
{
	struct slice t = { s->p, 0 };

	while (s->p < s->end && (is_token(*s->p) || (*s->p != '\0' && strchr(also, *s->p) != NULL)))
		s->p++;
	t.n = (size_t)(s->p - t.p);
	s->bad |= t.n == 0;
	return (t);
}

static int
take(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return (0);
	s->p++;
	return (1);
}

/* A parameter's value without its quotes, into dst[max]; its length, or max + 1 if it is longer. */
static size_t
value(struct scan *s, char *dst, size_t max)
{
	struct slice t;
	size_t n = 0;

	if (!take(s, '"')) {
		t = token(s, "=/:?@");
		memcpy(dst, t.p, t.n < max ? t.n : max);
		return (t.n <= max ? t.n : max + 1);
	}
	while (s->p < s->end && *s->p != '"') {
		if (*s->p == '\r' || *s->p == '\n') {	/* a fold: the blank behind it stays */
			s->p++;
			continue;
		}
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		if (n < max)
			dst[n] = *s->p;
		n += n <= max;
		s->p++;
	}
	s->bad |= !take(s, '"');
	return (n);
}

/* RFC 2046 5.1.1: 1 to 70 of these, no blank at the end. */
static int
is_boundary(const char *p, size_t n)
{
	if (n == 0 || n > MIME_BOUNDARY_MAX || p[n - 1] == ' ')
		return (0);
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x20 || p[i] >= 0x7f)
			return (0);
	}
	return (1);
}

static int
boundary(struct scan *s, struct mime_level *l)
{
	char other[1];
	struct slice name;
	size_t n, found = 0;

	for (;;) {
		skip(s);
		if (s->p == s->end)
			break;
		if (!take(s, ';'))
			return (E_SYNTAX);
		skip(s);
		if (s->p == s->end || *s->p == ';')
			continue;	/* a semicolon too many says nothing */
		name = token(s, "");
		skip(s);
		if (!take(s, '='))
			return (E_SYNTAX);
		skip(s);
		if (slice_caseeq(name, SLICE_LIT("boundary"))) {
			n = value(s, l->boundary, sizeof(l->boundary));
			if (found++ != 0 || !is_boundary(l->boundary, n))
				return (E_SYNTAX);
			l->len = (uint8_t)n;
		} else {
			/* RFC 2231's pieces: who does not know them sees none. */
			if (name.n > 8 && name.p[8] == '*' &&
			    slice_caseeq(slice_make(name.p, 8), SLICE_LIT("boundary")))
				return (E_SYNTAX);
			(void)value(s, other, sizeof(other));
		}
		if (s->bad)
			return (E_SYNTAX);
	}
	return (found == 1 && !s->bad ? E_OK : E_SYNTAX);
}

int
mime_type(struct slice v, enum type *type, struct mime_level *l)
{
	struct scan s = { v.p, v.p + v.n, 0 };
	struct slice major, minor;

	*type = TYPE_LEAF;
	skip(&s);
	major = token(&s, "");
	if (s.bad)
		return (E_OK);		/* RFC 2045 5.2: as if it were text/plain */
	skip(&s);
	minor = SLICE_LIT("");
	if (take(&s, '/')) {
		skip(&s);
		minor = token(&s, "");
	}
	if (slice_caseeq(major, SLICE_LIT("message")))
		*type = TYPE_ATOMIC;
	else if (slice_caseeq(major, SLICE_LIT("multipart")))
		*type = TYPE_MULTIPART;
	else
		return (E_OK);
	skip(&s);
	if (minor.n == 0 || s.bad || (s.p < s.end && *s.p != ';'))
		return (E_SYNTAX);
	if (*type == TYPE_ATOMIC) {
		if (slice_caseeq(minor, SLICE_LIT("rfc822")) || slice_caseeq(minor, SLICE_LIT("global")))
			*type = TYPE_MESSAGE;
		return (E_OK);
	}
	l->is_signed = (uint8_t)slice_caseeq(minor, SLICE_LIT("signed"));
	l->is_digest = (uint8_t)slice_caseeq(minor, SLICE_LIT("digest"));
	return (boundary(&s, l));
}

enum encoding
mime_encoding(struct slice v)
{
	static const struct { const char *name; enum encoding enc; } known[] = {
		{ "7bit", ENC_7BIT }, { "8bit", ENC_8BIT }, { "binary", ENC_BINARY },
	};
	struct scan s = { v.p, v.p + v.n, 0 };
	struct slice t;

	skip(&s);
	t = token(&s, "");
	if (s.bad)
		return (ENC_OTHER);
	skip(&s);
	if (s.p != s.end)
		return (ENC_OTHER);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (slice_caseeq(t, slice_str(known[i].name)))
			return (known[i].enc);
	}
	return (ENC_OTHER);
}
