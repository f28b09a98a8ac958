/*
 * xtext.c -- see xtext.h.  Core.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "deliver/xtext.h"

static int
is_plain(unsigned char c)
{
	return (c > 0x20 && c < 0x7f && c != '+' && c != '=');
}

int
xtext(char *dst, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (n + 4 > size && (n + 2 > size || !is_plain(c)))
			return (E_LIMIT);
		if (is_plain(c))
			dst[n++] = (char)c;
		else
			n += (size_t)snprintf(dst + n, 4, "+%02X", c);
	}
	dst[n] = '\0';
	return (E_OK);
}

/* One character of UTF-8 (RFC 3629 4); its length, 0 if it is none. */
static size_t
utf8_char(const char *s, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;
	uint32_t v = n == 1 ? c : n == 2 ? c & 0x1f : n == 3 ? c & 0x0f : c & 0x07;

	for (size_t i = 1; i < n; i++) {
		c = (unsigned char)s[i];
		if ((c & 0xc0) != 0x80)		/* the final NUL too */
			return (0);
		v = v << 6 | (c & 0x3f);
	}
	if (n == 0 || (n > 1 && v < least[n]) || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return (0);
	*point = v;
	return (n);
}

/* RFC 6533 3: what xtext would encode, the backslash and all above ASCII become \x{HEX}. */
static int
unitext(char *dst, size_t size, const char *text)
{
	uint32_t point;
	size_t n = 0, k;
	int len;

	for (; *text != '\0'; text += k) {
		if ((k = utf8_char(text, &point)) == 0)
			return (E_SYNTAX);
		if (k == 1 && is_plain((unsigned char)*text) && *text != '\\')
			len = snprintf(dst + n, size - n, "%c", *text);
		else
			len = snprintf(dst + n, size - n, "\\x{%02" PRIX32 "}", point);
		if (len < 0 || (size_t)len >= size - n)
			return (E_LIMIT);
		n += (size_t)len;
	}
	return (E_OK);
}

int
xtext_orcpt(char *dst, size_t size, const char *orcpt)
{
	size_t n = strcspn(orcpt, ";") + 1;

	if (n == 1 || orcpt[n - 1] == '\0')
		return (E_SYNTAX);
	for (size_t i = 0; i < n; i++) {
		if (!is_plain((unsigned char)orcpt[i]))
			return (E_SYNTAX);
	}
	if (n >= size)
		return (E_LIMIT);
	memcpy(dst, orcpt, n);
	dst[n] = '\0';
	if (n == 6 && strncasecmp(orcpt, "utf-8;", 6) == 0)
		return (unitext(dst + n, size - n, orcpt + n));
	return (xtext(dst + n, size - n, orcpt + n));
}
