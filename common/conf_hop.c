/*
 * conf_hop.c -- next hops as text and back, and the forms that names and paths of the configuration
 * must have.  Core.  The reader of the text and the unpacker of snapshots share these.
 */
#include <stdio.h>

#include "common/conf_number.h"
#include "common/err.h"
#include "common/limits.h"
#include "common/units.h"

#define SMTP_PORT	25
#define SMTPS_PORT	465	/* RFC 8314 7.3 */

/* Addresses and domains in hop_parse()'s own form, so that equal hops compare equal as text. */
static int
host_canonical(char dst[static DOMAIN_MAX + 1], struct slice s)
{
	struct net_addr	 ip;

	if (net_addr_parse(&ip, s) == E_OK) {
		net_addr_str(&ip, dst);
		return (E_OK);
	}
	return (domain_parse_utf8(dst, s, NULL));
}

int
conf_is_domain(const char *s)
{
	char	 d[DOMAIN_MAX + 1];

	return (domain_parse(d, slice_str(s), NULL) == E_OK && strcmp(d, s) == 0);
}

static int
made_of(const char *s, size_t max, const char *others, int capitals)
{
	size_t	 n;

	for (n = 0; s[n] != '\0'; n++) {
		if (n == max)
			return (0);
		if (!(s[n] >= 'a' && s[n] <= 'z') && !(s[n] >= '0' && s[n] <= '9') &&
		    !(capitals && s[n] >= 'A' && s[n] <= 'Z') && strchr(others, s[n]) == NULL)
			return (0);
	}
	return (1);
}

int
conf_is_listener_name(const char *s)
{
	return (s[0] != '\0' && made_of(s, LISTENER_NAME_MAX, "._-", 1));
}

int
conf_is_login_name(const char *s)
{
	return (s[0] != '\0' && made_of(s, LOGIN_TITLE_MAX, "._-", 1));
}

int
conf_is_service_name(const char *s)
{
	return (s[0] != '\0' && s[0] != '.' && made_of(s, PAM_SERVICE_MAX, "._-", 1));
}

int
conf_is_policy_name(const char *s)
{
	char	 host[DOMAIN_MAX + 1];

	if (s[0] == '*')
		return (s[1] == '\0');
	if (s[0] == '.')
		return (conf_is_domain(s + 1));
	return (host_canonical(host, slice_str(s)) == E_OK && strcmp(host, s) == 0);
}

int
conf_is_user_prefix(const char *s)
{
	return (made_of(s, USER_PREFIX_MAX, "_-", 0) && s[0] != '-' && !(s[0] >= '0' && s[0] <= '9'));
}

int
conf_delimiter_ok(const char *s)
{
	size_t	 n = strlen(s);

	if (n > DELIMITERS_MAX || strspn(s, "!#$%&'*+-/=?^_`{|}~") != n)
		return (0);
	for (size_t i = 0; i < n; i++) {
		if (strchr(s + i + 1, s[i]) != NULL)
			return (0);
	}
	return (1);
}

int
conf_is_server(const char *s)
{
	const char	*at = strrchr(s, '@');
	char		 ip[NET_ADDR_STRLEN];
	struct net_addr	 a;
	uint64_t	 port;

	if (at == NULL || net_addr_parse(&a, slice_make(s, (size_t)(at - s))) != E_OK)
		return (0);
	if (at[1] == '0' || number_parse(&port, slice_str(at + 1), UINT16_MAX) != E_OK)
		return (0);
	net_addr_str(&a, ip);
	return (strlen(ip) == (size_t)(at - s) && memcmp(ip, s, strlen(ip)) == 0);
}

int
conf_route_cmp(const char *a, const char *b)
{
	int	 star_a = strcmp(a, "*") == 0, star_b = strcmp(b, "*") == 0;

	if (star_a || star_b)
		return (star_a - star_b);
	return (strcmp(a, b));
}

const char *
conf_path_why(const char *path, size_t max, int hops)
{
	size_t	 n;
	int	 fixed = 0, open = 0;	/* fixed: components before the first with a % */

	if (path[0] != '/')
		return ("the path is not absolute");
	if (strlen(path) > max)
		return ("the path is too long");
	for (const char *p = path; *p != '\0'; p += n) {
		p++;
		n = strcspn(p, "/");
		if (n == 0)
			return ("the path has an empty component");
		if (p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.')))
			return ("the path has a component . or ..");
		for (size_t i = 0; i < n; i++) {
			if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
				return ("the path has a control character");
		}
		if (hops && memchr(p, '%', n) != NULL) {
			if (n != 2 || p[0] != '%' || (p[1] != 'u' && p[1] != 'd'))
				return ("%u and %d must be whole components of the path, and no other % may stand in it");
			open = 1;
		}
		fixed += !open;
	}
	if (hops && fixed == 0)
		return ("the path has no fixed directory before its first %");
	return (NULL);
}

int
conf_hop_ok(const struct hop *h)
{
	char	 host[DOMAIN_MAX + 1];

	switch (h->kind) {
	case HOP_MX:
		return (h->host[0] == '\0' && h->path[0] == '\0' && h->port == SMTP_PORT && !h->implicit &&
		    h->login[0] == '\0');
	case HOP_SMTP:
		return (h->path[0] == '\0' && h->port != 0 && h->implicit <= 1 &&
		    (h->login[0] == '\0' || conf_is_login_name(h->login)) &&
		    host_canonical(host, slice_str(h->host)) == E_OK && strcmp(host, h->host) == 0);
	case HOP_MAILDIR:
		return (h->host[0] == '\0' && h->port == 0 && !h->implicit && h->login[0] == '\0' &&
		    conf_path_why(h->path, CONF_PATH_MAX, 1) == NULL);
	default:
		return (0);
	}
}

static int
has_prefix(struct slice s, const char *prefix)
{
	size_t	 n = strlen(prefix);

	return (s.n >= n && memcmp(s.p, prefix, n) == 0);
}

static int
fail(const char **why, const char *text)
{
	if (why != NULL)
		*why = text;
	return (E_SYNTAX);
}

/* "[host]:port", "[host]", "host:port", "host", each with "login@" before it. */
static int
parse_smtp(struct hop *h, struct arena *mem, struct slice s, const char **why)
{
	struct slice	 host, port = { "", 0 };
	const char	*end;
	char		 name[DOMAIN_MAX + 1];
	uint64_t	 n = h->implicit ? SMTPS_PORT : SMTP_PORT;

	if (s.n != 0 && (end = memchr(s.p, '@', s.n)) != NULL) {
		if ((h->login = arena_strdup(mem, slice_make(s.p, (size_t)(end - s.p)))) == NULL)
			return (E_NOMEM);
		if (memchr(s.p, '\0', (size_t)(end - s.p)) != NULL || !conf_is_login_name(h->login))
			return (fail(why, "before @ stands the title of a login section: letters, digits, dots, underscores and "
			    "hyphens"));
		s = slice_make(end + 1, s.n - (size_t)(end - s.p) - 1);
	}
	host = s;
	if (s.n != 0 && s.p[0] == '[') {
		if ((end = memchr(s.p, ']', s.n)) == NULL)
			return (fail(why, "the bracket of the host is not closed"));
		host = slice_make(s.p + 1, (size_t)(end - s.p) - 1);
		port = slice_make(end + 1, s.n - host.n - 2);
		if (host.n > 5 && slice_caseeq(slice_make(host.p, 5), SLICE_LIT("IPv6:")))
			host = slice_make(host.p + 5, host.n - 5);
	} else if (s.n != 0 && (end = memchr(s.p, ':', s.n)) != NULL) {
		host.n = (size_t)(end - s.p);
		port = slice_make(end, s.n - host.n);
		if (memchr(end + 1, ':', port.n - 1) != NULL)
			return (fail(why, "an IPv6 address must stand in brackets"));
	}
	if (port.n != 0) {
		if (port.p[0] != ':' || number_parse(&n, slice_make(port.p + 1, port.n - 1), UINT16_MAX) != E_OK ||
		    n == 0)
			return (fail(why, "the port is not a number from 1 to 65535"));
	}
	if (host.n == 0 || host_canonical(name, host) != E_OK)
		return (fail(why, "the host is neither a domain name nor an IP address"));
	h->kind = HOP_SMTP;
	h->port = (uint16_t)n;
	if ((h->host = arena_strdup(mem, slice_str(name))) == NULL)
		return (E_NOMEM);
	return (E_OK);
}

static int
parse_maildir(struct hop *h, struct arena *mem, struct slice path, const char **why)
{
	const char	*wrong;

	if (path.n != 0 && memchr(path.p, '\0', path.n) != NULL)
		return (fail(why, "the path has a control character"));
	if ((h->path = arena_strdup(mem, path)) == NULL)
		return (E_NOMEM);
	if ((wrong = conf_path_why(h->path, CONF_PATH_MAX, 1)) != NULL)
		return (fail(why, wrong));
	h->kind = HOP_MAILDIR;
	h->port = 0;
	return (E_OK);
}

int
conf_maildir_base(char *dst, size_t size, const char *path)
{
	const char	*percent = strchr(path, '%');
	size_t		 n = percent != NULL ? (size_t)(percent - path) : strlen(path);

	if (percent != NULL) {
		while (n > 0 && path[n - 1] != '/')
			n--;
	}
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n == 0 || path[0] != '/')
		return (E_SYNTAX);
	return (slice_copy(slice_make(path, n), dst, size));
}

int
hop_parse(struct hop *h, struct arena *mem, struct slice s, const char **why)
{
	*h = (struct hop){ .kind = HOP_MX, .host = "", .port = SMTP_PORT, .login = "", .path = "" };
	if (slice_eq(s, SLICE_LIT("mx")))
		return (E_OK);
	if (has_prefix(s, "smtp:"))
		return (parse_smtp(h, mem, slice_make(s.p + 5, s.n - 5), why));
	if (has_prefix(s, "smtps:")) {
		h->implicit = 1;
		return (parse_smtp(h, mem, slice_make(s.p + 6, s.n - 6), why));
	}
	if (has_prefix(s, "maildir:"))
		return (parse_maildir(h, mem, slice_make(s.p + 8, s.n - 8), why));
	if (has_prefix(s, "lmtp:"))
		return (fail(why, "this version has no LMTP"));
	return (fail(why, "expected \"mx\", \"smtp:[host]:port\", \"smtps:[host]:port\" or \"maildir:/path/%d/%u\""));
}

char *
hop_str(const struct hop *h, char *dst, size_t size)
{
	switch (h->kind) {
	case HOP_SMTP:
		snprintf(dst, size, "%s:%s%s[%s]:%u", h->implicit ? "smtps" : "smtp", h->login != NULL ? h->login : "",
		    h->login != NULL && h->login[0] != '\0' ? "@" : "", h->host, (unsigned)h->port);
		break;
	case HOP_MAILDIR:
		snprintf(dst, size, "maildir:%s", h->path);
		break;
	default:
		snprintf(dst, size, "mx");
		break;
	}
	return (dst);
}
