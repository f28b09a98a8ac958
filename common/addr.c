/*
 * addr.c -- the grammar of paths, mailboxes and domains.  Core.  RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3.
 *
 * One cursor runs over the octets; what it has accepted is written to the canonical text at
 * the same time.  A canonical local part is never longer than what was written, so the limit on the
 * written form holds for both; a domain is measured as written and as A-labels.
 */
#include "common/addr.h"

#include "common/err.h"
#include "common/utf8.h"

#define LITERAL_MAX	64	/* octets of an address literal with its brackets; the longest is 53 */

struct cursor {
	const char	*p, *end;
	const char	*why;
	int		 utf8;		/* characters that are not ASCII are taken */
};

static domain_to_ascii	*to_ascii;

static int
fail(struct cursor *c, int err, const char *why)
{
	c->why = why;
	return (err);
}

static int
peek(const struct cursor *c)
{
	return (c->p < c->end ? (unsigned char)*c->p : -1);
}

/* A character that is not ASCII, and no control character, at the cursor; its octets or 0. */
static size_t
utf8_here(const struct cursor *c)
{
	uint32_t	ch;
	size_t		n;

	if (!c->utf8 || peek(c) < 0x80)
		return (0);
	n = utf8_next(slice_make(c->p, (size_t)(c->end - c->p)), &ch);
	return (ch >= 0xa0 ? n : 0);
}

static int
is_alnum(int c)
{
	return ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
}

static int
is_atext(int c)
{
	return (is_alnum(c) || (c > 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL));
}

static int
is_domain_char(int c)
{
	return (is_alnum(c) || c == '-' || c == '_' || c == '.');
}

/* Whether the unquoted text is a Dot-string, which needs no quotes.  Octets past ASCII are UTF-8 that was checked. */
static int
is_dot_string(const char *p, size_t n)
{
	int	 dot = 1;	/* an atom must start here */

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '.' ? dot : !is_atext((unsigned char)p[i]) && (unsigned char)p[i] < 0x80)
			return (0);
		dot = p[i] == '.';
	}
	return (!dot);
}

static int
unexpected(struct cursor *c, const char *what)
{
	if (peek(c) < 0x80)
		return (fail(c, E_SYNTAX, what));
	return (fail(c, E_SYNTAX, c->utf8 ? "address holds what is not UTF-8, or a control character" :
	    "address is not ASCII"));
}

/* Writes plain, which holds n octets, quoted if it must be; its length. */
static size_t
put_local(char *dst, const char *plain, size_t n)
{
	size_t	 len = 0;

	if (is_dot_string(plain, n)) {
		memcpy(dst, plain, n);
		return (n);
	}
	dst[len++] = '"';
	for (size_t i = 0; i < n; i++) {
		if (plain[i] == '"' || plain[i] == '\\')
			dst[len++] = '\\';
		dst[len++] = plain[i];
	}
	dst[len++] = '"';
	return (len);
}

static int
parse_quoted(struct cursor *c, struct addr *a)
{
	const char	*start = c->p++;
	char		 plain[LOCAL_PART_MAX];
	size_t		 n = 0, used;
	int		 ch, pair;

	for (;; c->p++) {
		ch = peek(c);
		if (ch == -1)
			return (fail(c, E_SYNTAX, "quoted local part has no end"));
		if (c->p - start >= LOCAL_PART_MAX)
			return (fail(c, E_LIMIT, "local part longer than 64 octets"));
		if (ch == '"')
			break;
		pair = ch == '\\';
		if (pair) {
			c->p++;
			if ((ch = peek(c)) == -1)
				return (fail(c, E_SYNTAX, "quoted local part has no end"));
		}
		if (!pair && (used = utf8_here(c)) != 0)	/* a quoted pair is ASCII */
			a->utf8 = 1;
		else if (ch < 0x20 || ch > 0x7e)
			return (unexpected(c, "control character in a quoted local part"));
		else
			used = 1;
		if (used > sizeof(plain) - n)
			return (fail(c, E_LIMIT, "local part longer than 64 octets"));
		memcpy(plain + n, c->p, used);
		n += used;
		c->p += used - 1;
	}
	c->p++;
	a->local_len = (uint16_t)put_local(a->text, plain, n);
	return (E_OK);
}

static int
parse_local(struct cursor *c, struct addr *a)
{
	const char	*start = c->p;
	size_t		 n;

	if (peek(c) == '"')
		return (parse_quoted(c, a));
	for (;;) {
		if ((n = utf8_here(c)) != 0)
			a->utf8 = 1;
		else if (is_atext(peek(c)) || peek(c) == '.')
			n = 1;
		else
			break;
		c->p += n;
	}
	n = (size_t)(c->p - start);
	if (n == 0)
		return (unexpected(c, "local part is missing"));
	if (n > LOCAL_PART_MAX)
		return (fail(c, E_LIMIT, "local part longer than 64 octets"));
	if (!is_dot_string(start, n))
		return (fail(c, E_SYNTAX, "dot at an end of the local part, or two in a row"));
	memcpy(a->text, start, n);
	a->local_len = (uint16_t)n;
	return (E_OK);
}

static int
parse_domain_name(struct cursor *c, char dst[static DOMAIN_MAX + 1], uint8_t *utf8)
{
	const char	*start = c->p;
	size_t		 n;

	for (;;) {
		if ((n = utf8_here(c)) != 0)
			*utf8 = 1;
		else if (is_domain_char(peek(c)))
			n = 1;
		else
			break;
		c->p += n;
	}
	if (c->p == start)
		return (unexpected(c, "domain is missing"));
	return ((c->utf8 ? domain_parse_utf8 : domain_parse)(dst,
	    slice_make(start, (size_t)(c->p - start)), &c->why));
}

static int
parse_literal(struct cursor *c, struct addr *a)
{
	const char	*start = c->p;
	char		 ip[NET_ADDR_STRLEN], *dst = a->text + a->domain_off;
	struct slice	 s;

	while (peek(c) != -1 && peek(c) != ']' && c->p - start < LITERAL_MAX)
		c->p++;
	if (peek(c) != ']')
		return (fail(c, E_SYNTAX, "address literal has no end"));
	c->p++;
	s = slice_make(start, (size_t)(c->p - start));
	if (addr_literal_parse(&a->ip, s) != E_OK)
		return (fail(c, E_SYNTAX, "address literal is neither [IPv4] nor [IPv6:...]"));
	a->literal = 1;
	net_addr_str(&a->ip, ip);
	*dst++ = '[';
	if (!net_addr_is4(&a->ip)) {
		memcpy(dst, "IPv6:", 5);
		dst += 5;
	}
	memcpy(dst, ip, strlen(ip));
	dst += strlen(ip);
	memcpy(dst, "]", 2);
	return (E_OK);
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static int
parse_mailbox(struct cursor *c, struct addr *a, unsigned flags)
{
	struct slice	 local;
	const char	*start = c->p;
	int		 err;

	if ((err = parse_local(c, a)) != E_OK)
		return (err);
	local = slice_make(start, (size_t)(c->p - start));
	if ((flags & ADDR_POSTMASTER_OK) && peek(c) == '>' &&
	    slice_caseeq(local, SLICE_LIT("postmaster"))) {
		a->text[a->local_len] = '\0';
		return (E_OK);
	}
	if (peek(c) != '@')
		return (unexpected(c, peek(c) == -1 || peek(c) == '>' ?
		    "domain is missing" : "unexpected character in the local part"));
	c->p++;
	a->text[a->local_len] = '@';
	a->domain_off = (uint16_t)(a->local_len + 1);
	if (peek(c) == '[')
		return (parse_literal(c, a));
	return (parse_domain_name(c, a->text + a->domain_off, &a->utf8));
}

/* A-d-l = "@" Domain *( "," "@" Domain ) ":", which is checked and forgotten (appendix C). */
static int
skip_source_route(struct cursor *c, uint8_t *utf8)
{
	char	 domain[DOMAIN_MAX + 1];
	int	 err;

	for (;;) {
		if (peek(c) != '@')
			return (unexpected(c, "source route is malformed"));
		c->p++;
		if ((err = parse_domain_name(c, domain, utf8)) != E_OK)
			return (err);
		if (peek(c) == ':')
			break;
		if (peek(c) != ',')
			return (unexpected(c, "source route is malformed"));
		c->p++;
	}
	c->p++;
	return (E_OK);
}

static int
finish(struct cursor *c, int err, const char **why)
{
	if (why != NULL)
		*why = err == E_OK ? "" : c->why;
	return (err);
}

int
addr_parse_path(struct addr *a, struct slice in, size_t *used, unsigned flags, const char **why)
{
	struct cursor	 c = { in.p, in.n != 0 ? in.p + in.n : in.p, "", (flags & ADDR_UTF8) != 0 };
	int		 err;

	memset(a, 0, sizeof(*a));
	if (peek(&c) != '<')
		return (finish(&c, unexpected(&c, "address is not in angle brackets"), why));
	c.p++;
	if (peek(&c) == '>') {
		if (!(flags & ADDR_NULL_OK))
			return (finish(&c, fail(&c, E_SYNTAX, "address is empty"), why));
	} else {
		if (peek(&c) == '@' && (err = skip_source_route(&c, &a->utf8)) != E_OK)
			return (finish(&c, err, why));
		if ((err = parse_mailbox(&c, a, flags)) != E_OK)
			return (finish(&c, err, why));
		if (peek(&c) != '>')
			return (finish(&c, unexpected(&c, peek(&c) == -1 ?
			    "closing angle bracket is missing" : "unexpected character in the domain"), why));
	}
	c.p++;
	*used = (size_t)(c.p - in.p);
	return (finish(&c, E_OK, why));
}

int
addr_parse(struct addr *a, struct slice in, const char **why)
{
	struct cursor	 c = { in.p, in.n != 0 ? in.p + in.n : in.p, "", 1 };
	int		 err;

	memset(a, 0, sizeof(*a));
	if ((err = parse_mailbox(&c, a, 0)) == E_OK && peek(&c) != -1)
		err = unexpected(&c, "unexpected character in the domain");
	return (finish(&c, err, why));
}

size_t
addr_local_unquoted(const struct addr *a, char *dst)
{
	size_t	 i, n = 0, end = a->local_len;

	if (end == 0 || a->text[0] != '"') {
		memcpy(dst, a->text, end);
		dst[end] = '\0';
		return (end);
	}
	for (i = 1; i + 1 < end; i++) {
		if (a->text[i] == '\\')
			i++;
		dst[n++] = a->text[i];
	}
	dst[n] = '\0';
	return (n);
}

int
domain_parse(char dst[static DOMAIN_MAX + 1], struct slice s, const char **why)
{
	struct cursor	 c = { s.p, NULL, "", 0 };
	size_t		 label = 0;
	unsigned char	 ch;

	if (s.n != 0 && s.p[s.n - 1] == '.')
		s.n--;	/* the root's dot, as in the DNS */
	if (s.n == 0)
		return (finish(&c, fail(&c, E_SYNTAX, "domain is missing"), why));
	if (s.n > DOMAIN_MAX)
		return (finish(&c, fail(&c, E_LIMIT, "domain longer than 255 octets"), why));
	for (size_t i = 0; i < s.n; i++) {
		ch = (unsigned char)s.p[i];
		if (!is_domain_char(ch))
			return (finish(&c, fail(&c, E_SYNTAX, ch >= 0x80 ?
			    "domain is not ASCII" : "unexpected character in the domain"), why));
		dst[i] = (char)(ch >= 'A' && ch <= 'Z' ? ch + ('a' - 'A') : ch);
		if (ch == '.') {
			if (label == 0)
				return (finish(&c, fail(&c, E_SYNTAX, "empty label in the domain"), why));
			if (s.p[i - 1] == '-')
				return (finish(&c, fail(&c, E_SYNTAX,
				    "domain label ends with a hyphen"), why));
			label = 0;
			continue;
		}
		if (ch == '-' && label == 0)
			return (finish(&c, fail(&c, E_SYNTAX, "domain label starts with a hyphen"), why));
		if (++label > DOMAIN_LABEL_MAX)
			return (finish(&c, fail(&c, E_LIMIT, "domain label longer than 63 octets"), why));
	}
	if (label == 0)
		return (finish(&c, fail(&c, E_SYNTAX, "empty label in the domain"), why));
	if (s.p[s.n - 1] == '-')
		return (finish(&c, fail(&c, E_SYNTAX, "domain label ends with a hyphen"), why));
	dst[s.n] = '\0';
	return (finish(&c, E_OK, why));
}

void
addr_use_idn(domain_to_ascii *f)
{
	to_ascii = f;
}

int
domain_parse_utf8(char dst[static DOMAIN_MAX + 1], struct slice s, const char **why)
{
	struct cursor	 c = { s.p, NULL, "", 1 };
	char		 text[DOMAIN_MAX + 1], ascii[DOMAIN_MAX + 1];
	int		 err;

	if (to_ascii == NULL || !utf8_has_8bit(s))
		return (domain_parse(dst, s, why));
	if (!utf8_is_text(s))
		return (finish(&c, fail(&c, E_SYNTAX, "domain holds what is not UTF-8, or a control character"), why));
	if (slice_copy(s, text, sizeof(text)) != E_OK)
		return (finish(&c, fail(&c, E_LIMIT, "domain longer than 255 octets"), why));
	if ((err = to_ascii(ascii, text)) != E_OK)
		return (finish(&c, fail(&c, err, err == E_LIMIT ? "domain longer than 253 octets as A-labels, or a label than 63" :
		    err == E_NOMEM ? "no memory for a domain" : "domain is no internationalized domain name"), why));
	return (domain_parse(dst, slice_str(ascii), why));
}

int
addr_literal_parse(struct net_addr *ip, struct slice s)
{
	struct slice	 in;
	int		 v6;

	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return (E_SYNTAX);
	in = slice_make(s.p + 1, s.n - 2);
	v6 = in.n > 5 && slice_caseeq(slice_make(in.p, 5), SLICE_LIT("IPv6:"));
	if (v6)
		in = slice_make(in.p + 5, in.n - 5);
	/* The tag and the form must agree: [2001:db8::1] and [IPv6:192.0.2.1] are neither. */
	if (in.n == 0 || v6 != (memchr(in.p, ':', in.n) != NULL))
		return (E_SYNTAX);
	return (net_addr_parse(ip, in));
}
