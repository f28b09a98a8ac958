/*
 * xattr.c -- see xclient.h.  Core.
 */
#include <string.h>

#include "common/err.h"
#include "common/units.h"
#include "common/utf8.h"
#include "common/xtext.h"
#include "smtpd/xclient.h"

#define IPV6_TAG	"IPV6:"

static int
is_blank(char c)
{
	return (c == ' ' || c == '\t');
}

int
xattr_next(struct slice *rest, struct xattr *a)
{
	const char	*p = rest->p, *end = rest->p + rest->n, *word, *eq;
	struct slice	 value;
	int		 err;

	while (p < end && is_blank(*p))
		p++;
	word = p;
	while (p < end && !is_blank(*p))
		p++;
	*rest = slice_make(p, (size_t)(end - p));
	if (p == word)
		return (E_NOTFOUND);
	if ((eq = memchr(word, '=', (size_t)(p - word))) == NULL || eq == word || eq + 1 == p)
		return (E_SYNTAX);
	a->name = slice_make(word, (size_t)(eq - word));
	if ((err = xtext_decode(slice_make(eq + 1, (size_t)(p - eq - 1)), a->value, sizeof(a->value))) != E_OK)
		return (err);
	value = slice_str(a->value);
	if (value.n == 0 || !utf8_is_text(value))
		return (E_SYNTAX);
	a->unavailable = (uint8_t)slice_caseeq(value, SLICE_LIT("[UNAVAILABLE]"));
	a->later = (uint8_t)slice_caseeq(value, SLICE_LIT("[TEMPUNAVAIL]"));
	return (E_OK);
}

int
xattr_addr(const char *text, struct net_addr *a)
{
	struct slice	s = slice_str(text);
	size_t		n = sizeof(IPV6_TAG) - 1;
	int		six = s.n > n && slice_caseeq(slice_make(s.p, n), SLICE_LIT(IPV6_TAG));

	if (six)
		s = slice_make(s.p + n, s.n - n);
	if ((memchr(s.p, ':', s.n) != NULL) != six)
		return (E_SYNTAX);
	return (net_addr_parse(a, s));
}

int
xattr_port(const char *text, uint16_t *port)
{
	uint64_t	v;

	if (number_parse(&v, slice_str(text), UINT16_MAX) != E_OK)
		return (E_SYNTAX);
	*port = (uint16_t)v;
	return (E_OK);
}
