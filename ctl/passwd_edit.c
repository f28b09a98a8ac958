/*
 * passwd_edit.c -- one login's line in a password table, and what a login and a password may be
 * (passwd.h).  Core.
 */
#include "ctl/passwd.h"

#include <string.h>

#include "common/err.h"
#include "common/saslprep.h"

#define CRYPT_PASSWORD_MAX	511	/* what crypt(3) takes: CRYPT_MAX_PASSPHRASE_SIZE with its NUL */

static int
bad(const char **why, int err, const char *text)
{
	*why = text;
	return (err);
}

static int
has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return (1);
	}
	return (0);
}

int
passwd_login(char dst[LOGIN_MAX + 1], const char *text, const char **why)
{
	size_t	n;
	int	err;

	if ((err = saslprep(dst, LOGIN_MAX + 1, &n, slice_str(text), 1)) == E_LIMIT)
		return (bad(why, err, "longer than any login"));
	if (err != E_OK)
		return (bad(why, E_SYNTAX, text[0] == '\0' ? "empty" : "it has characters that no login may have (RFC 4013)"));
	if (has_control(slice_make(dst, n)))
		return (bad(why, E_SYNTAX, "it has control characters"));
	if (memchr(dst, ':', n) != NULL)
		return (bad(why, E_SYNTAX, "a colon ends the login in the table"));
	if (dst[0] == ' ' || dst[n - 1] == ' ')
		return (bad(why, E_SYNTAX, "it begins or ends with a blank"));
	if (dst[0] == '#')
		return (bad(why, E_SYNTAX, "it would be a comment in the table"));
	return (E_OK);
}

int
passwd_password(char dst[PASSWORD_MAX + 1], struct slice text, int crypt, const char **why)
{
	size_t	n = 0;
	int	err;

	if (text.n == 0)
		return (bad(why, E_SYNTAX, "the password is empty"));
	if ((err = saslprep(dst, PASSWORD_MAX + 1, &n, text, 1)) == E_LIMIT || n > PASSWORD_MAX)
		return (bad(why, E_LIMIT, "the password is too long"));
	if (err != E_OK)
		return (bad(why, E_SYNTAX, "the password has characters that clients write in more than one way, or in none (RFC 4013)"));
	if (crypt && n > CRYPT_PASSWORD_MAX)
		return (bad(why, E_LIMIT, "the password is longer than crypt(3) takes; without --crypt it is not"));
	return (E_OK);
}

/* Whether a line is this login's. */
static int
is_of(struct slice line, struct slice login)
{
	return (line.n > login.n && line.p[login.n] == ':' && memcmp(line.p, login.p, login.n) == 0);
}

int
passwd_edit(struct buf *dst, struct slice old, const char *login, const char *entry, enum passwd_did *did)
{
	struct slice	name = slice_str(login), line;
	const char	*lf;
	int		seen = 0, err = E_OK;

	while (old.n != 0 && err == E_OK) {
		lf = memchr(old.p, '\n', old.n);
		line = slice_make(old.p, lf != NULL ? (size_t)(lf - old.p) : old.n);
		old.p += line.n + (lf != NULL);
		old.n -= line.n + (lf != NULL);
		if (is_of(line, name)) {
			if (!seen++ && entry != NULL)
				err = buf_addf(dst, "%s:%s\n", login, entry);
		} else if ((err = buf_add(dst, line.p, line.n)) == E_OK)
			err = buf_add(dst, "\n", 1);	/* also where the last line had none */
	}
	if (err == E_OK && !seen && entry != NULL)
		err = buf_addf(dst, "%s:%s\n", login, entry);
	*did = entry == NULL ? (seen ? PASSWD_REMOVED : PASSWD_NONE) : seen ? PASSWD_CHANGED : PASSWD_ADDED;
	return (err);
}
