/*
 * params.c -- see params.h.  Core.
 */
#include "common/err.h"
#include "smtpd/params.h"

static int
is_alnum(char c)
{
	return ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
}

int
param_next(struct slice *rest, struct param *pa)
{
	const char	*p = rest->p, *end = rest->p + rest->n, *start;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end)
		return (E_NOTFOUND);
	if (!is_alnum(*p))
		return (E_SYNTAX);
	for (start = p; p < end && (is_alnum(*p) || *p == '-'); p++)
		;
	pa->keyword = slice_make(start, (size_t)(p - start));
	pa->value = slice_make(NULL, 0);
	if (p < end && *p == '=') {
		start = ++p;
		while (p < end && *p > ' ' && *p != '=' && *p < 127)	/* 8 bits fail either way */
			p++;
		if (p == start)
			return (E_SYNTAX);
		pa->value = slice_make(start, (size_t)(p - start));
	}
	if (p < end && *p != ' ' && *p != '\t')
		return (E_SYNTAX);
	*rest = slice_make(p, (size_t)(end - p));
	return (E_OK);
}
