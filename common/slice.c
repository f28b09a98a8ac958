/* slice.c -- comparing and copying views of octets.  Core. */
#include "common/slice.h"

#include "common/err.h"

static unsigned char
lower(unsigned char c)
{
	return (c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c);
}

int
slice_caseeq(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return (0);
	for (size_t i = 0; i < a.n; i++) {
		if (lower((unsigned char)a.p[i]) != lower((unsigned char)b.p[i]))
			return (0);
	}
	return (1);
}

int
slice_copy(struct slice s, char *dst, size_t size)
{
	if (s.n >= size || (s.n != 0 && memchr(s.p, '\0', s.n) != NULL))
		return (E_LIMIT);
	if (s.n != 0)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return (E_OK);
}
