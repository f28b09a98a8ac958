/*
 * notice_text.c -- strangers' words as fields and lines of a notice.  Core; see notice_int.h.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "queue/notice_int.h"

#define FIELD_ROOM	760	/* one long line reads best for machines; well under 998 with its name */
#define TEXT_MAX	4096	/* an address at its longest as escapes (RFC 6533 3) */
#define BASE64_LINE	57	/* octets of a line of 76 */

void
notice_plain(char *dst, size_t size, const char *src)
{
	size_t i;

	for (i = 0; i < size - 1 && src[i] != '\0'; i++)
		dst[i] = src[i] >= ' ' && src[i] < 0x7f ? src[i] : '?';
	while (i > 0 && dst[i - 1] == ' ')
		i--;
	dst[i] = '\0';
}

int
notice_is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return (0);
	return (1);
}

/* The length of a well-formed sequence of RFC 3629 that is no control character, and its code point; else 0. */
static size_t
sequence(const char *s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800, 0x10000 };	/* C1 controls are not for lines of text */
	const unsigned char *p = (const unsigned char *)s;
	size_t i, n;

	n = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
	if (n == 0 || p[0] > 0xf4)
		return (0);
	*code = p[0] & (0xff >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return (0);
		*code = *code << 6 | (p[i] & 0x3f);
	}
	return (*code >= least[n] && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) ? n : 0);
}

void
notice_utf8(char *dst, size_t size, const char *src)
{
	size_t n, len = 0;
	uint32_t code;

	while (*src != '\0' && len < size - 1) {
		n = (unsigned char)*src >= 0x80 ? sequence(src, &code) : 0;
		if (n != 0) {
			if (size - 1 - len < n)
				break;
			memcpy(dst + len, src, n);
			len += n;
			src += n;
			continue;
		}
		dst[len++] = *src >= ' ' && *src < 0x7f ? *src : '?';
		src++;
	}
	while (len > 0 && dst[len - 1] == ' ')
		len--;
	dst[len] = '\0';
}

static void
field(struct buf *b, const char *name, const char *prefix, const char *clean)
{
	const char *p = clean;
	size_t n, cut;

	buf_addf(b, "%s: %s", name, prefix);
	for (;;) {
		n = strlen(p);
		if (n > FIELD_ROOM) {
			for (cut = FIELD_ROOM; cut > 0 && p[cut] != ' '; cut--)
				;
			n = cut != 0 ? cut : FIELD_ROOM;
			while (cut == 0 && ((unsigned char)p[n] & 0xc0) == 0x80)
				n--;		/* no character is cut */
		}
		buf_add(b, p, n);
		buf_adds(b, "\r\n");
		for (p += n; *p == ' '; p++)
			;
		if (*p == '\0')
			break;
		buf_adds(b, "\t");
	}
}

void
notice_field(struct buf *b, const char *name, const char *prefix, const char *text)
{
	char clean[1024];

	notice_plain(clean, sizeof(clean), text);
	field(b, name, prefix, clean);
}

/* utf-8-addr-xtext: what is not a QCHAR as "\x{HEXPOINT}". */
static void
escape(char *dst, size_t size, const char *src)
{
	size_t n, len = 0;
	uint32_t code;

	while (*src != '\0' && size - len > 12) {
		n = (unsigned char)*src >= 0x80 ? sequence(src, &code) : 0;
		if (n != 0) {
			len += (size_t)snprintf(dst + len, size - len, "\\x{%X}", (unsigned)code);
			src += n;
			continue;
		}
		if (*src > ' ' && *src < 0x7f && strchr("\\+=", *src) == NULL)
			dst[len++] = *src;
		else if (*src >= ' ' && *src < 0x7f)
			len += (size_t)snprintf(dst + len, size - len, "\\x{%02X}", (unsigned)(unsigned char)*src);
		else
			dst[len++] = '?';
		src++;
	}
	dst[len] = '\0';
}

static size_t
encode(char *dst, uint32_t code)
{
	if (code < 0x80) {
		dst[0] = (char)code;
		return (1);
	}
	if (code < 0x800) {
		dst[0] = (char)(0xc0 | code >> 6);
		dst[1] = (char)(0x80 | (code & 0x3f));
		return (2);
	}
	if (code < 0x10000) {
		dst[0] = (char)(0xe0 | code >> 12);
		dst[1] = (char)(0x80 | (code >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (code & 0x3f));
		return (3);
	}
	dst[0] = (char)(0xf0 | code >> 18);
	dst[1] = (char)(0x80 | (code >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (code >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (code & 0x3f));
	return (4);
}

/* One "\x{...}" at src: its length and code point; 0 if it is none (RFC 6533 3: then it stays as it is). */
static size_t
escaped(const char *src, uint32_t *code)
{
	size_t i;
	char c;

	if (src[0] != '\\' || src[1] != 'x' || src[2] != '{')
		return (0);
	*code = 0;
	for (i = 3; i < 9; i++) {
		c = src[i];
		if (c >= '0' && c <= '9')
			*code = *code << 4 | (uint32_t)(c - '0');
		else if (c >= 'A' && c <= 'F')
			*code = *code << 4 | (uint32_t)(c - 'A' + 10);
		else
			break;
	}
	if (i < 5 || src[i] != '}' || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return (0);
	return (i + 1);
}

static void
unescape(char *dst, size_t size, const char *src)
{
	size_t n, len = 0;
	uint32_t code;

	while (*src != '\0' && size - len > 5) {
		if ((n = escaped(src, &code)) != 0 && code >= ' ') {
			len += encode(dst + len, code);
			src += n;
		} else
			dst[len++] = *src++;
	}
	dst[len] = '\0';
}

void
notice_address(struct buf *b, const char *name, const char *type, const char *address, int global)
{
	char plain[TEXT_MAX], text[TEXT_MAX];
	const char *semi;
	int utf8;

	if (type != NULL) {
		utf8 = !notice_is_ascii(address);
		(void)snprintf(plain, sizeof(plain), "%s; ", utf8 ? "utf-8" : type);
	} else {
		semi = strchr(address, ';');
		utf8 = semi != NULL && (!notice_is_ascii(semi) || (semi - address == 5 &&
		    strncasecmp(address, "utf-8", 5) == 0));
		if (semi == NULL || !utf8) {
			notice_field(b, name, "", address);
			return;
		}
		(void)snprintf(plain, sizeof(plain), "utf-8; ");
		for (address = semi + 1; *address == ' '; address++)
			;
	}
	if (!utf8) {
		notice_field(b, name, plain, address);
		return;
	}
	if (global) {
		char clean[TEXT_MAX];

		if (type == NULL)
			unescape(text, sizeof(text), address);
		else
			(void)snprintf(text, sizeof(text), "%s", address);
		notice_utf8(clean, sizeof(clean), text);
		field(b, name, plain, clean);
		return;
	}
	/* In a 7-bit part an address that has its escapes already keeps them. */
	if (type == NULL && notice_is_ascii(address))
		notice_plain(text, sizeof(text), address);
	else
		escape(text, sizeof(text), address);
	field(b, name, plain, text);
}

void
notice_base64(struct buf *b, struct slice s)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)s.p;
	char q[4];
	uint32_t v;
	size_t i, left;

	for (i = 0; i < s.n; i += 3) {
		left = s.n - i;
		v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
		q[0] = set[v >> 18];
		q[1] = set[v >> 12 & 63];
		q[2] = left > 1 ? set[v >> 6 & 63] : '=';
		q[3] = left > 2 ? set[v & 63] : '=';
		buf_add(b, q, 4);
		if ((i + 3) % BASE64_LINE == 0 || left <= 3)
			buf_adds(b, "\r\n");
	}
}
