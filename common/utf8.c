/*
 * utf8.c -- see utf8.h.  Core.  RFC 3629 4.
 */
#include "common/utf8.h"

static int
tail(struct slice in, size_t i)
{
	return (i < in.n && ((unsigned char)in.p[i] & 0xc0) == 0x80);
}

size_t
utf8_next(struct slice in, uint32_t *ch)
{
	static const uint32_t	 least[UTF8_LEN_MAX + 1] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char		 c;
	size_t			 n, i;

	if (in.n == 0)
		return (0);
	c = (unsigned char)in.p[0];
	if (c < 0x80) {
		*ch = c;
		return (1);
	}
	n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc2 || c > 0xf4)
		return (0);
	*ch = c & (0xffu >> (n + 1));
	for (i = 1; i < n; i++) {
		if (!tail(in, i))
			return (0);
		*ch = *ch << 6 | ((unsigned char)in.p[i] & 0x3f);
	}
	if (*ch < least[n] || *ch > 0x10ffff || (*ch >= 0xd800 && *ch <= 0xdfff))
		return (0);
	return (n);
}

size_t
utf8_put(char dst[static UTF8_LEN_MAX], uint32_t ch)
{
	size_t	n, i;

	if (ch < 0x80) {
		dst[0] = (char)ch;
		return (1);
	}
	if (ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff))
		return (0);
	n = ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
	for (i = n - 1; i != 0; i--) {
		dst[i] = (char)(0x80 | (ch & 0x3f));
		ch >>= 6;
	}
	dst[0] = (char)((0xf00u >> n & 0xff) | ch);
	return (n);
}

int
utf8_is_valid(struct slice s)
{
	uint32_t	ch;
	size_t		n;

	for (; s.n != 0; s = slice_make(s.p + n, s.n - n)) {
		if ((n = utf8_next(s, &ch)) == 0)
			return (0);
	}
	return (1);
}

int
utf8_is_text(struct slice s)
{
	uint32_t	ch;
	size_t		n;

	while (s.n != 0) {
		if ((n = utf8_next(s, &ch)) == 0 || ch < 0x20 || (ch >= 0x7f && ch < 0xa0))
			return (0);
		s = slice_make(s.p + n, s.n - n);
	}
	return (1);
}

int
utf8_has_8bit(struct slice s)
{
	size_t	i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return (1);
	return (0);
}
