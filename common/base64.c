/* base64.c -- see base64.h.  Core. */
#include <stdint.h>

#include "common/base64.h"
#include "common/err.h"

static const char letters[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
base64_encode(char *dst, struct slice s)
{
	const unsigned char	*p = (const unsigned char *)s.p;
	uint32_t		 v;
	size_t			 n = 0;

	for (size_t i = 0; i < s.n; i += 3) {
		v = (uint32_t)p[i] << 16;
		if (i + 1 < s.n)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < s.n)
			v |= p[i + 2];
		dst[n++] = letters[v >> 18];
		dst[n++] = letters[v >> 12 & 63];
		dst[n++] = i + 1 < s.n ? letters[v >> 6 & 63] : '=';
		dst[n++] = i + 2 < s.n ? letters[v & 63] : '=';
	}
	dst[n] = '\0';
	return (n);
}

/* 0..63, or -1.  No table is indexed by the text, since that may be a secret. */
static int
value_of(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return (c - 'A');
	if (c >= 'a' && c <= 'z')
		return (c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (c - '0' + 52);
	return (c == '+' ? 62 : c == '/' ? 63 : -1);
}

int
base64_decode(void *dst, size_t size, size_t *len, struct slice text)
{
	unsigned char	*out = dst;
	size_t		 n = 0, pad = 0, octets;
	uint32_t	 v;
	int		 bits;

	if (text.n % 4 != 0)
		return (E_SYNTAX);
	if (text.n != 0 && text.p[text.n - 1] == '=')
		pad = text.p[text.n - 2] == '=' ? 2 : 1;
	octets = text.n / 4 * 3 - pad;
	if (octets > size)
		return (E_LIMIT);
	for (size_t i = 0; i < text.n; i += 4) {
		v = 0;
		for (size_t j = 0; j < 4; j++) {
			bits = i + j >= text.n - pad ? 0 : value_of((unsigned char)text.p[i + j]);
			if (bits < 0)
				return (E_SYNTAX);
			v = v << 6 | (uint32_t)bits;
		}
		for (size_t j = 0; j < 3; j++, v <<= 8) {
			if (n < octets)
				out[n++] = (unsigned char)(v >> 16);
			else if ((v >> 16 & 0xff) != 0)
				return (E_SYNTAX);
		}
	}
	*len = octets;
	return (E_OK);
}
