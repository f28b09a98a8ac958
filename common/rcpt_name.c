/*
 * rcpt_name.c -- addresses taken apart and put together, for the resolver.  Core; see rcpt.h.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/rcpt_int.h"

static int
starts(const char *local, size_t n, const char *word)
{
	size_t	 len = strlen(word);

	return (n >= len && slice_caseeq(slice_make(local, len), slice_make(word, len)));
}

/* Where "-" is a delimiter, these are names of their own all the same (Postfix's owner_request_special). */
static int
is_whole(const char *local, size_t n)
{
	return (starts(local, n, "owner-") || (n == 13 && starts(local, n, "mailer-daemon")) ||
	    (n > 8 && starts(local + n - 8, 8, "-request")));
}

size_t
rcpt_base(const struct conf *conf, const char *local, size_t n)
{
	const char	*delimiter = conf->recipient_delimiter;

	if (delimiter[0] == '\0')
		return (n);
	/* A local part that begins with a delimiter has nothing before it, and no extension. */
	for (size_t i = 0; i < n; i++) {
		if (local[i] == '\0' || strchr(delimiter, local[i]) == NULL)
			continue;
		return (i == 0 || (local[i] == '-' && is_whole(local, n)) ? n : i);
	}
	return (n);
}

int
rcpt_name_set(struct rcpt_name *r, const struct conf *conf, struct slice text)
{
	const char	*at;
	size_t		 n, i;

	if (text.n == 0 || text.n > ADDRESS_MAX || memchr(text.p, '\0', text.n) != NULL)
		return (E_SYNTAX);
	memcpy(r->text, text.p, text.n);
	r->text[text.n] = '\0';
	/* A domain holds no "@", a quoted local part may. */
	at = strrchr(r->text, '@');
	n = at != NULL ? (size_t)(at - r->text) : text.n;
	r->domain = at != NULL ? at + 1 : "";
	r->nlocal = 0;
	if (n != 0 && r->text[0] == '"') {
		if (n < 2 || r->text[n - 1] != '"')
			return (E_SYNTAX);
		for (i = 1; i + 1 < n; i++) {
			if (r->text[i] == '\\' && ++i + 1 >= n)
				return (E_SYNTAX);
			if (r->nlocal == LOCAL_PART_MAX)
				return (E_SYNTAX);
			r->local[r->nlocal++] = r->text[i];
		}
	} else {
		if (n == 0 || n > LOCAL_PART_MAX)
			return (E_SYNTAX);
		memcpy(r->local, r->text, n);
		r->nlocal = n;
	}
	r->local[r->nlocal] = '\0';
	r->nbase = rcpt_base(conf, r->local, r->nlocal);
	return (E_OK);
}

/* A Dot-string needs no quotes (RFC 5321 4.1.2; 6531 3.3 adds what is not ASCII). */
static int
is_dot_string(const char *p, size_t n)
{
	int	 dot = 1;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '.' ? dot : !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c >= 0x80 || (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL)))
			return (0);
		dot = c == '.';
	}
	return (!dot);
}

int
rcpt_join(char dst[ADDRESS_MAX + 1], const char *local, size_t n, const char *domain)
{
	char	 quoted[LOCAL_PART_MAX];
	size_t	 len = 0, nd = strlen(domain);

	if (n > LOCAL_PART_MAX || nd > DOMAIN_MAX)
		return (E_LIMIT);
	if (is_dot_string(local, n)) {
		memcpy(dst, local, n);
		len = n;
	} else {
		/* The quotes and backslashes count: 4.5.3.1.1 speaks of what is sent. */
		for (size_t i = 0; i < n; i++) {
			size_t	 need = local[i] == '"' || local[i] == '\\' ? 2 : 1;

			if (len + need + 2 > LOCAL_PART_MAX)
				return (E_LIMIT);
			if (need == 2)
				quoted[len++] = '\\';
			quoted[len++] = local[i];
		}
		dst[0] = '"';
		memcpy(dst + 1, quoted, len);
		dst[len + 1] = '"';
		len += 2;
	}
	if (nd == 0) {
		dst[len] = '\0';
		return (E_OK);
	}
	dst[len++] = '@';
	memcpy(dst + len, domain, nd + 1);
	return (E_OK);
}

int
rcpt_same(const char *a, const char *b)
{
	return (slice_caseeq(slice_str(a), slice_str(b)));
}

const char *
rcpt_reply(enum rcpt_kind kind, unsigned *code, const char **enhanced)
{
	static const struct {
		unsigned	 code;
		const char	*enhanced, *text;
	} replies[TO_KINDS] = {
		[TO_UNKNOWN] = { 550, "5.1.1", "no such mailbox here" },
		[TO_LOOP] = { 554, "5.4.6", "its aliases lead in a circle or to nobody" },
		[TO_DENIED] = { 550, "5.7.1", "relaying is not allowed for you" },
		[TO_ROUTED] = { 550, "5.7.1", "a route in the local part is not followed" },
		[TO_BROKEN] = { 451, "4.3.0", "cannot be looked up now" },
	};

	if (kind >= TO_KINDS || replies[kind].code == 0) {
		*code = 250;
		*enhanced = "2.1.5";
		return ("recipient ok");
	}
	*code = replies[kind].code;
	*enhanced = replies[kind].enhanced;
	return (replies[kind].text);
}

const char *
rcpt_kind_name(unsigned k)
{
	static const char *const	names[TO_KINDS] = { "mailbox", "relay", "remote", "discard", "unknown", "loop",
		"denied", "routed", "broken" };

	return (k < TO_KINDS ? names[k] : "?");
}
