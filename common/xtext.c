/*
 * xtext.c -- see xtext.h.  Core.
 */
#include "common/xtext.h"

#include <stdint.h>

#include "common/err.h"
#include "common/utf8.h"

#define HEXPOINT_MAX	6	/* digits of \x{...} */

static const char	hex[] = "0123456789ABCDEF";

struct out {
	char	*p;
	size_t	 n, size;
};

static int
put(struct out *o, const char *p, size_t n)
{
	if (n >= o->size - o->n)
		return (E_LIMIT);
	memcpy(o->p + o->n, p, n);
	o->n += n;
	return (E_OK);
}

static int
done(struct out *o, int err)
{
	o->p[err == E_OK ? o->n : 0] = '\0';
	return (err);
}

/* Upper case only: RFC 3461 4 and RFC 6533 3 both say so. */
static int
hex_digit(char c)
{
	const char	*at = c != '\0' ? strchr(hex, c) : NULL;

	return (at != NULL ? (int)(at - hex) : -1);
}

static int
is_xchar(unsigned char c)
{
	return (c > 0x20 && c < 0x7f && c != '+' && c != '=');
}

/* QCHAR of RFC 6533 3. */
static int
is_qchar(unsigned char c)
{
	return (is_xchar(c) && c != '\\');
}

static int
decode_xtext(struct out *o, struct slice in)
{
	size_t	i;
	int	err, hi, lo;
	char	c;

	for (i = 0; i < in.n; i++) {
		c = in.p[i];
		if (c == '+') {
			if (in.n - i < 3 || (hi = hex_digit(in.p[i + 1])) == -1 ||
			    (lo = hex_digit(in.p[i + 2])) == -1 || (hi | lo) == 0)
				return (E_SYNTAX);
			c = (char)(hi << 4 | lo);
			i += 2;
		} else if (!is_xchar((unsigned char)c))
			return (E_SYNTAX);
		if ((err = put(o, &c, 1)) != E_OK)
			return (err);
	}
	return (E_OK);
}

static int
encode_xtext(struct out *o, struct slice in)
{
	size_t		i;
	unsigned char	c;
	char		q[3] = "+";
	int		err;

	for (i = 0; i < in.n; i++) {
		c = (unsigned char)in.p[i];
		if (c == '\0')
			return (E_SYNTAX);
		q[1] = hex[c >> 4];
		q[2] = hex[c & 15];
		if ((err = is_xchar(c) ? put(o, in.p + i, 1) : put(o, q, 3)) != E_OK)
			return (err);
	}
	return (E_OK);
}

/* \x{...} at the start of in: its octets, 0 if it is none.  HEXPOINT of RFC 6533 3 leaves nothing out
 * that UTF-8 has, but writes no number longer than it is, and ASCII only where it must be. */
static size_t
embedded(struct slice in, uint32_t *ch)
{
	size_t	i;
	int	d;

	if (in.n < 6 || memcmp(in.p, "\\x{", 3) != 0)
		return (0);
	*ch = 0;
	for (i = 3; i < in.n && i < 3 + HEXPOINT_MAX && (d = hex_digit(in.p[i])) != -1; i++)
		*ch = *ch << 4 | (uint32_t)d;
	if (i < 5 || i == in.n || in.p[i] != '}' || (in.p[3] == '0' && i > 5))
		return (0);
	if (*ch < 0x80 && is_qchar((unsigned char)*ch))
		return (0);
	return (i + 1);
}

static int
decode_utf8(struct out *o, struct slice in)
{
	char		 c[UTF8_LEN_MAX];
	uint32_t	 ch;
	size_t		 n, used;
	int		 err;

	if (in.n == 0)
		return (E_SYNTAX);
	for (; in.n != 0; in = slice_make(in.p + used, in.n - used)) {
		if ((used = embedded(in, &ch)) == 0 && ((used = utf8_next(in, &ch)) == 0 ||
		    (ch < 0x80 && !is_qchar((unsigned char)ch))))
			return (E_SYNTAX);
		/* A Mailbox has no control characters (RFC 6531 3.3), however they are written. */
		if (ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || (n = utf8_put(c, ch)) == 0)
			return (E_SYNTAX);
		if ((err = put(o, c, n)) != E_OK)
			return (err);
	}
	return (E_OK);
}

static int
put_embedded(struct out *o, uint32_t ch)
{
	char	 digits[HEXPOINT_MAX], *p = digits + HEXPOINT_MAX;
	int	 err;

	do {
		*--p = hex[ch & 15];
		ch >>= 4;
	} while (ch != 0 || p > digits + HEXPOINT_MAX - 2);
	if ((err = put(o, "\\x{", 3)) == E_OK &&
	    (err = put(o, p, (size_t)(digits + HEXPOINT_MAX - p))) == E_OK)
		err = put(o, "}", 1);
	return (err);
}

static int
encode_utf8(struct out *o, struct slice in, int eight)
{
	uint32_t	ch;
	size_t		n;
	int		err;

	for (; in.n != 0; in = slice_make(in.p + n, in.n - n)) {
		if ((n = utf8_next(in, &ch)) == 0)
			return (E_SYNTAX);
		if (ch < 0x80 ? is_qchar((unsigned char)ch) : eight)
			err = put(o, in.p, n);
		else
			err = put_embedded(o, ch);
		if (err != E_OK)
			return (err);
	}
	return (E_OK);
}

int
xtext_decode(struct slice in, char *dst, size_t size)
{
	struct out	o = { dst, 0, size };

	return (done(&o, decode_xtext(&o, in)));
}

int
xtext_encode(struct slice in, char *dst, size_t size)
{
	struct out	o = { dst, 0, size };

	return (done(&o, encode_xtext(&o, in)));
}

int
xtext_is_printable(const char *p)
{
	for (; *p != '\0'; p++)
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f || (unsigned char)*p >= 0x80)
			return (0);
	return (1);
}

/* addr-type = atom (RFC 822 3.3); the octets before the semicolon, 0 if there is no such thing. */
static size_t
type_len(struct slice in)
{
	size_t	n;

	for (n = 0; n < in.n && in.p[n] > 0x20 && in.p[n] < 0x7f && strchr("()<>@,;:\\\".[]=+", in.p[n]) == NULL;
	    n++)
		;
	return (n < in.n && in.p[n] == ';' ? n : 0);
}

int
orcpt_decode(struct slice in, char *dst, size_t size)
{
	struct out	o = { dst, 0, size };
	size_t		n = type_len(in), start;
	struct slice	text;
	int		err, utf8, rfc822;

	if (n == 0)
		return (done(&o, E_SYNTAX));
	text = slice_make(in.p + n + 1, in.n - n - 1);
	if ((err = put(&o, in.p, n + 1)) != E_OK)
		return (done(&o, err));
	start = o.n;
	utf8 = slice_caseeq(slice_make(in.p, n), SLICE_LIT("utf-8"));
	if (utf8) {
		if ((err = decode_utf8(&o, text)) != E_SYNTAX)
			return (done(&o, err));
		o.n = start;
	}
	if ((err = done(&o, decode_xtext(&o, text))) != E_OK)
		return (err);
	text = slice_make(dst + start, o.n - start);
	rfc822 = slice_caseeq(slice_make(dst, n), SLICE_LIT("rfc822"));
	if (utf8_has_8bit(text) ? !utf8_is_text(text) || !(utf8 || rfc822) :
	    !xtext_is_printable(dst) || (utf8 && !utf8_is_text(text)))
		return (done(&o, E_SYNTAX));
	/* UTF-8 as rfc822 in xtext is what Postfix writes: it means the type of RFC 6533. */
	if (utf8_has_8bit(text) && rfc822) {
		memmove(dst + 6, text.p, text.n + 1);
		memcpy(dst, "utf-8;", 6);
	}
	return (E_OK);
}

int
orcpt_encode(const char *orcpt, int eight, char *dst, size_t size)
{
	struct out	o = { dst, 0, size };
	struct slice	in = slice_str(orcpt), text;
	size_t		n = type_len(in);
	int		err = E_SYNTAX;

	if (n == 0 || (err = put(&o, in.p, n + 1)) != E_OK)
		return (done(&o, err));
	text = slice_make(in.p + n + 1, in.n - n - 1);
	return (done(&o, slice_caseeq(slice_make(in.p, n), SLICE_LIT("utf-8")) ?
	    encode_utf8(&o, text, eight) : encode_xtext(&o, text)));
}
