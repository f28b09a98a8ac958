/* text_escape.c -- strangers' octets as printable text for logs and replies (R9).  Core. */
#include "common/reply.h"

#include <string.h>

#define CUT	"..."

/* One octet as text of at most 4 octets; the length.  also: further octets that become \xNN. */
static size_t
escape_one(char dst[static 4], unsigned char c, const char *also)
{
	static const char	 hex[] = "0123456789abcdef";

	if (c < 0x20 || c > 0x7e || strchr(also, c) != NULL) {
		dst[0] = '\\';
		dst[1] = 'x';
		dst[2] = hex[c >> 4];
		dst[3] = hex[c & 15];
		return (4);
	}
	if (c == '\\' || c == '"') {
		dst[0] = '\\';
		dst[1] = (char)c;
		return (2);
	}
	dst[0] = (char)c;
	return (1);
}

static char *
escape(char *dst, size_t size, struct slice s, const char *also)
{
	char	 one[4];
	size_t	 n, len = 0, cut = 0;	/* cut: the last end after which CUT still fits */

	if (size == 0)
		return (dst);
	for (size_t i = 0; i < s.n; i++) {
		n = escape_one(one, (unsigned char)s.p[i], also);
		if (len + n > size - 1) {
			for (n = 0; CUT[n] != '\0' && cut < size - 1; n++)
				dst[cut++] = CUT[n];
			len = cut;
			break;
		}
		memcpy(dst + len, one, n);
		len += n;
		if (len + sizeof(CUT) - 1 <= size - 1)
			cut = len;
	}
	dst[len] = '\0';
	return (dst);
}

char *
text_escape(char *dst, size_t size, struct slice s)
{
	return (escape(dst, size, s, ""));
}

char *
text_escape_word(char *dst, size_t size, struct slice s)
{
	return (escape(dst, size, s, " <>"));
}
