/*
 * mime_ref.h -- a slow second reading of MIME, whole messages in memory, to judge the converter by.
 *
 * ref_read() writes down what a message says: fields (without Content-Transfer-Encoding and MIME-Version), boundaries,
 * preambles, decoded leaf parts.  A conversion is right if what it gave says the same as what it got.
 * It splits by the outermost boundary first and shares no code with deliver/mime*.c.
 */
#ifndef TESTS_DELIVER_MIME_REF_H
#define TESTS_DELIVER_MIME_REF_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct ref {
	char	*p;
	size_t	 n, size;
	int	 binary;	/* a label "binary" where the walk comes */
};

static void
ref_add(struct ref *r, const char *p, size_t n)
{
	if (r->n + n > r->size) {
		r->size = (r->n + n) * 2 + 64;
		r->p = realloc(r->p, r->size);
		if (r->p == NULL)
			abort();
	}
	if (n != 0)
		memcpy(r->p + r->n, p, n);
	r->n += n;
}

static void
ref_adds(struct ref *r, const char *s)
{
	ref_add(r, s, strlen(s));
}

/* The length of the first line with its CRLF; all of it if there is none. */
static size_t
ref_line(const char *p, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (p[i - 1] == '\r' && p[i] == '\n')
			return (i + 1);
	return (n);
}

static size_t
ref_chop(const char *p, size_t n)
{
	return (n >= 2 && p[n - 2] == '\r' && p[n - 1] == '\n' ? n - 2 : n);
}

static void
ref_base64(struct ref *r, const char *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned v = 0, bits = 0;
	const char *d;
	char c;

	for (size_t i = 0; i < n && p[i] != '='; i++) {
		if (p[i] == '\0' || (d = strchr(digits, p[i])) == NULL)
			continue;
		v = v << 6 | (unsigned)(d - digits);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			c = (char)(v >> bits & 0xff);
			ref_add(r, &c, 1);
		}
	}
}

/* A field's value without folds and comments. */
static void
ref_unfold(char *dst, size_t size, const char *p, size_t n)
{
	size_t k = 0;
	int quoted = 0, depth = 0;

	for (size_t i = 0; i < n && k + 2 < size; i++) {
		if (p[i] == '\r' || p[i] == '\n')
			continue;
		if ((quoted || depth) && p[i] == '\\' && i + 1 < n) {
			i++;
			if (depth == 0) {
				dst[k++] = '\\';
				dst[k++] = p[i];
			}
			continue;
		}
		if (!depth && p[i] == '"')
			quoted = !quoted;
		if (!quoted && p[i] == '(') {
			if (depth++ == 0)
				dst[k++] = ' ';
		}
		if (!depth)
			dst[k++] = p[i];
		if (!quoted && depth && p[i] == ')')
			depth--;
	}
	while (k > 0 && (dst[k - 1] == ' ' || dst[k - 1] == '\t'))
		k--;
	dst[k] = '\0';
}

static const char *
ref_blank(const char *s)
{
	return (s + strspn(s, " \t"));
}

/* The parameter boundary of a value without comments; 0: none. */
static int
ref_boundary(const char *v, char *dst, size_t size)
{
	const char *p = v;
	int quoted = 0, is_it;
	size_t k;

	for (;;) {
		for (; *p != '\0' && (quoted || *p != ';'); p++) {
			if (quoted && *p == '\\' && p[1] != '\0')
				p++;
			else if (*p == '"')
				quoted = !quoted;
		}
		if (*p == '\0')
			return (0);
		p = ref_blank(p + 1);
		is_it = strncasecmp(p, "boundary", 8) == 0 && *ref_blank(p + 8) == '=';
		if (!is_it)
			continue;
		p = ref_blank(ref_blank(p + 8) + 1);
		k = 0;
		if (*p == '"') {
			for (p++; *p != '\0' && *p != '"' && k + 1 < size; p++) {
				if (*p == '\\' && p[1] != '\0')
					p++;
				dst[k++] = *p;
			}
		} else {
			while (*p != '\0' && strchr("; \t", *p) == NULL && k + 1 < size)
				dst[k++] = *p++;
		}
		dst[k] = '\0';
		return (1);
	}
}

static int
ref_is_boundary(const char *p, size_t n, const char *b, int *closes)
{
	size_t len = strlen(b);

	*closes = 0;
	n = ref_chop(p, n);
	if (n < 2 + len || memcmp(p, "--", 2) != 0 || memcmp(p + 2, b, len) != 0)
		return (0);
	p += 2 + len;
	n -= 2 + len;
	if (n >= 2 && memcmp(p, "--", 2) == 0) {
		*closes = 1;
		p += 2;
		n -= 2;
	}
	while (n > 0 && (*p == ' ' || *p == '\t'))
		p++, n--;
	return (n == 0);
}

static void	ref_entity(struct ref *, const char *, size_t, const char *dflt);

static void
ref_multipart(struct ref *r, const char *p, size_t n, const char *b, int digest)
{
	size_t start = 0, at = 0, len, end;
	int part = 0, over = 0, closes;

	while (!over && at < n) {
		len = ref_line(p + at, n - at);
		if (!ref_is_boundary(p + at, len, b, &closes)) {
			at += len;
			continue;
		}
		end = at >= start + 2 ? at - 2 : start;		/* its CRLF */
		if (part)
			ref_entity(r, p + start, end - start, digest ? "message/rfc822" : "text/plain");
		else {
			ref_adds(r, "preamble:");
			ref_add(r, p + start, end - start);
		}
		ref_adds(r, closes ? "\nlast:" : "\nnext:");
		ref_adds(r, b);
		ref_adds(r, "\n");
		at += len;
		start = at;
		part = 1;
		over = closes;
	}
	if (part && !over)
		ref_entity(r, p + start, n - start, digest ? "message/rfc822" : "text/plain");
	else {
		ref_adds(r, over ? "epilogue:" : "preamble:");
		ref_add(r, p + start, n - start);
	}
}

/* what: "major/minor", or "major/". */
static int
ref_type_is(const char *type, const char *what)
{
	size_t major = strcspn(what, "/"), n;

	type = ref_blank(type);
	n = strcspn(type, "/; \t");
	if (n != major || strncasecmp(type, what, n) != 0)
		return (0);
	type = ref_blank(type + n);
	if (*type != '/')
		return (0);
	type = ref_blank(type + 1);
	n = strcspn(type, "; \t");
	return (what[major + 1] == '\0' || (n == strlen(what + major + 1) && strncasecmp(type, what + major + 1, n) == 0));
}

static void
ref_entity(struct ref *r, const char *p, size_t n, const char *dflt)
{
	char type[16384], encoding[16384], b[256];
	size_t at = 0, len, more;
	int plain, binary;

	snprintf(type, sizeof(type), "%s", dflt);
	snprintf(encoding, sizeof(encoding), "7bit");
	ref_adds(r, "{\n");
	while (at < n && ref_chop(p + at, len = ref_line(p + at, n - at)) != 0) {
		while (at + len < n && (p[at + len] == ' ' || p[at + len] == '\t')) {
			more = ref_line(p + at + len, n - at - len);
			len += more;
		}
		if (len >= 26 && strncasecmp(p + at, "Content-Transfer-Encoding:", 26) == 0)
			ref_unfold(encoding, sizeof(encoding), p + at + 26, len - 26);
		else if (len < 13 || strncasecmp(p + at, "MIME-Version:", 13) != 0) {
			ref_add(r, p + at, ref_chop(p + at, len));
			ref_adds(r, "\n");
		}
		if (len >= 13 && strncasecmp(p + at, "Content-Type:", 13) == 0)
			ref_unfold(type, sizeof(type), p + at + 13, len - 13);
		at += len;
	}
	if (at < n)
		at += 2;
	binary = strcasecmp(ref_blank(encoding), "binary") == 0;
	plain = binary || strcasecmp(ref_blank(encoding), "7bit") == 0 || strcasecmp(ref_blank(encoding), "8bit") == 0;
	r->binary |= binary;
	if (plain && ref_type_is(type, "multipart/") && ref_boundary(type, b, sizeof(b)))
		ref_multipart(r, p + at, n - at, b, ref_type_is(type, "multipart/digest"));
	else if (plain && (ref_type_is(type, "message/rfc822") || ref_type_is(type, "message/global")))
		ref_entity(r, p + at, n - at, "text/plain");
	else if (strcasecmp(ref_blank(encoding), "base64") == 0) {
		ref_adds(r, "body:");
		ref_base64(r, p + at, n - at);
	} else {
		ref_adds(r, "body:");
		ref_add(r, p + at, n - at);
	}
	ref_adds(r, "\n}\n");
}

static void
ref_read(struct ref *r, const char *p, size_t n)
{
	memset(r, 0, sizeof(*r));
	ref_entity(r, n != 0 ? p : "", n, "text/plain");
}

static void
ref_free(struct ref *r)
{
	free(r->p);
	memset(r, 0, sizeof(*r));
}

#endif
