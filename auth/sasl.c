/* sasl.c -- see sasl.h.  Core. */
#include <string.h>

#include "auth/sasl.h"
#include "common/err.h"
#include "common/saslprep.h"
#include "common/utf8.h"

int
sasl_login(char dst[static LOGIN_MAX + 1], struct slice s)
{
	size_t	n;

	if (s.n == 0 || s.n > LOGIN_MAX || !utf8_is_text(s))
		return (E_SYNTAX);
	if (saslprep(dst, LOGIN_MAX + 1, &n, s, 0) == E_OK && utf8_is_text(slice_make(dst, n)))
		return (E_OK);
	memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return (E_OK);
}

int
sasl_password(char dst[static PASSWORD_MAX + 1], size_t *len, struct slice s)
{
	if (s.n > PASSWORD_MAX)
		return (E_LIMIT);
	if (s.n == 0 || memchr(s.p, '\0', s.n) != NULL)
		return (E_SYNTAX);
	if (saslprep(dst, PASSWORD_MAX + 1, len, s, 0) == E_OK)
		return (E_OK);
	memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	*len = s.n;
	return (E_OK);
}

int
sasl_plain(struct slice data, struct slice *authzid, struct slice *login, struct slice *password)
{
	const char	*first = data.n == 0 ? NULL : memchr(data.p, '\0', data.n), *second;
	size_t		 n, m;

	if (first == NULL)
		return (E_SYNTAX);
	n = (size_t)(first - data.p) + 1;
	if (n == data.n || (second = memchr(first + 1, '\0', data.n - n)) == NULL)
		return (E_SYNTAX);
	m = (size_t)(second - data.p) + 1;
	*authzid = slice_make(data.p, n - 1);
	*login = slice_make(data.p + n, m - n - 1);
	*password = slice_make(data.p + m, data.n - m);
	if (login->n == 0 || password->n == 0 || memchr(password->p, '\0', password->n) != NULL)
		return (E_SYNTAX);
	return (E_OK);
}
