/*
 * map_key.c -- the left sides of tables.  Core.
 *
 * Keys are written as they are asked: an address as addr.h writes it, a local part without quotes, a domain in lower
 * case; all folded.
 */
#include "common/err.h"
#include "common/units.h"
#include "conf/map_inner.h"

struct slice
map_first_word(struct slice *rest)
{
	struct slice	 word = { rest->p, 0 };
	int		 quoted = 0;

	for (; word.n < rest->n; word.n++) {
		if (quoted && word.p[word.n] == '\\' && word.n + 1 < rest->n)
			word.n++;
		else if (word.p[word.n] == '"')
			quoted = !quoted;
		else if (!quoted && (word.p[word.n] == ' ' || word.p[word.n] == '\t'))
			break;
	}
	rest->p += word.n;
	rest->n -= word.n;
	while (rest->n != 0 && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
		rest->p++;
		rest->n--;
	}
	return (word);
}

/* "user" or "\"john doe\"": without its quotes. */
static int
local_key(struct map *m, struct slice word, char dst[static TABLE_KEY_MAX + 1])
{
	char		 text[ADDRESS_MAX + 1], local[LOCAL_PART_MAX + 1];
	struct addr	 a;
	const char	*why = "local part longer than 64 octets";

	/* The one parser of addresses judges; the domain only makes it a whole address. */
	if ((size_t)snprintf(text, sizeof(text), "%.*s@d", (int)(word.n < ADDRESS_MAX ? word.n : ADDRESS_MAX),
	    word.p) >= sizeof(text) || addr_parse(&a, slice_str(text), &why) != E_OK) {
		map_error(m, "\"%.*s\": %s", (int)(word.n < 100 ? word.n : 100), word.p, why);
		return (-1);
	}
	addr_local_unquoted(&a, local);
	if (strchr(local, '@') != NULL) {
		map_error(m, "\"%s\": a local part with an @ in its quotes cannot be a key without its domain", local);
		return (-1);
	}
	return (table_fold(dst, slice_str(local)) == E_OK ? 1 : -1);
}

static int
address_key(struct map *m, struct slice word, char dst[static TABLE_KEY_MAX + 1])
{
	struct addr	 a;
	const char	*why;

	if (addr_parse(&a, word, &why) != E_OK) {
		map_error(m, "\"%.*s\": %s", (int)(word.n < 100 ? word.n : 100), word.p, why);
		return (-1);
	}
	return (table_fold(dst, slice_str(a.text)) == E_OK ? 1 : -1);
}

/* dst: prefix and the domain. */
static int
domain_key(struct map *m, const char *prefix, struct slice domain, char dst[static TABLE_KEY_MAX + 1])
{
	char		 name[DOMAIN_MAX + 1];
	const char	*why;

	if (domain_parse_utf8(name, domain, &why) != E_OK) {
		map_error(m, "\"%s%.*s\": %s", prefix, (int)(domain.n < 100 ? domain.n : 100), domain.p, why);
		return (-1);
	}
	snprintf(dst, TABLE_KEY_MAX + 1, "%s%s", prefix, name);
	return (1);
}

static const char *
last_at(struct slice word)
{
	return (word.n != 0 ? memrchr(word.p, '@', word.n) : NULL);
}

/* A quoted word that is an address as a whole: postmap(1) takes keys in quotes. */
static struct slice
without_quotes(struct slice w)
{
	if (w.n > 2 && w.p[0] == '"' && w.p[w.n - 1] == '"' && memchr(w.p + 1, '"', w.n - 2) == NULL &&
	    memchr(w.p, '@', w.n) != NULL && memchr(w.p, ' ', w.n) == NULL)
		return (slice_make(w.p + 1, w.n - 2));
	return (w);
}

/* Whether the domain is one of ours. */
static int
is_ours(const struct map *m, const char *domain)
{
	return (conf_domain_find(m->all->conf, domain) != NULL);
}

/* "user@domain", "@domain", "user"; virtual: "domain anything" of a virtual alias domain. */
static int
mapped_key(struct map *m, struct slice word, char dst[static TABLE_KEY_MAX + 1])
{
	char			 name[DOMAIN_MAX + 1];
	struct map_dotted	*d;

	if (word.n > 1 && word.p[0] == '@')
		return (domain_key(m, "@", slice_make(word.p + 1, word.n - 1), dst));
	if (last_at(word) != NULL && word.p[word.n - 1] != '"')
		return (address_key(m, word, dst));
	if (m->kind == MAP_VIRTUAL && memchr(word.p, '.', word.n) != NULL &&
	    domain_parse_utf8(name, word, NULL) == E_OK) {
		if (is_ours(m, name))
			return (0);
		d = vec_add(&m->dotted, sizeof(*d));
		*d = (struct map_dotted){ mem_strdup(&m->all->mem, name), m->file, m->line };
	}
	return (local_key(m, word, dst));
}

/* An address counts if it is in this domain: one file often serves several. */
static int
recipient_key(struct map *m, struct slice word, char dst[static TABLE_KEY_MAX + 1])
{
	const char	*at = last_at(word);
	char		 name[DOMAIN_MAX + 1];
	struct slice	 domain;
	const char	*why;

	if (at == NULL || word.p[word.n - 1] == '"')
		return (local_key(m, word, dst));
	domain = slice_make(at + 1, word.n - (size_t)(at - word.p) - 1);
	if (domain_parse_utf8(name, domain, &why) != E_OK) {
		map_error(m, "\"%.*s\": %s", (int)(word.n < 100 ? word.n : 100), word.p, why);
		return (-1);
	}
	if (strcmp(name, m->domain) != 0)
		return (0);
	if (at == word.p) {
		m->everybody = 1;
		return (0);
	}
	return (local_key(m, slice_make(word.p, (size_t)(at - word.p)), dst));
}

static int
alias_key(struct map *m, struct slice word, char dst[static TABLE_KEY_MAX + 1])
{
	const char	*at = last_at(word);

	if (at != NULL && word.p[word.n - 1] != '"') {
		map_error(m, "\"%.*s\": an alias is a name without a domain; addresses belong into virtual",
		    (int)(word.n < 100 ? word.n : 100), word.p);
		return (-1);
	}
	return (local_key(m, word, dst));
}

/* ---- access(5) ---- */

/* "192", "192.0.2", "192.0.2.1": one to four numbers. */
static int
is_net4(struct slice w)
{
	uint64_t	 n;
	const char	*dot;
	int		 count = 0;

	while (count < 4) {
		dot = w.n != 0 ? memchr(w.p, '.', w.n) : NULL;
		if (number_parse(&n, slice_make(w.p, dot != NULL ? (size_t)(dot - w.p) : w.n), 255) != E_OK)
			return (0);
		count++;
		if (dot == NULL)
			return (1);
		w.n -= (size_t)(dot - w.p) + 1;
		w.p = dot + 1;
	}
	return (0);
}

/* "2001:db8::1" as it is always written; else groups of a network: "2001:db8". */
static int
net6_key(struct map *m, struct slice w, char dst[static TABLE_KEY_MAX + 1])
{
	char		 text[NET_ADDR_STRLEN];
	struct net_addr	 ip;
	size_t		 digits = 0;

	if (w.n > 2 && w.p[0] == '[' && w.p[w.n - 1] == ']')
		w = slice_make(w.p + 1, w.n - 2);
	if (net_addr_parse(&ip, w) == E_OK)
		return (table_fold(dst, slice_str(net_addr_str(&ip, text))) == E_OK ? 1 : -1);
	for (size_t i = 0; i < w.n; i++) {
		digits = w.p[i] == ':' ? 0 : digits + 1;
		if (digits > 4 || strchr("0123456789abcdefABCDEF:", w.p[i]) == NULL) {
			map_error(m, "\"%.*s\": expected an IPv6 address or the first groups of one",
			    (int)(w.n < 100 ? w.n : 100), w.p);
			return (-1);
		}
	}
	return (table_fold(dst, w) == E_OK ? 1 : -1);
}

static int
access_key(struct map *m, struct slice w, char dst[static TABLE_KEY_MAX + 1])
{
	const char	*at = last_at(w);
	struct net_addr	 ip;
	int		 got;

	if (slice_eq(w, SLICE_LIT("<>")))
		return (table_fold(dst, w) == E_OK ? 1 : -1);
	if (at != NULL && at == w.p + w.n - 1) {
		if ((got = local_key(m, slice_make(w.p, w.n - 1), dst)) == 1) {
			/* As in an address: with quotes, where they must be. */
			char		 text[ADDRESS_MAX + 1];
			struct addr	 a;

			snprintf(text, sizeof(text), "%.*s@d", (int)w.n - 1, w.p);
			addr_parse(&a, slice_str(text), NULL);
			return (table_fold(dst, slice_make(a.text, (size_t)a.local_len + 1)) == E_OK ? 1 : -1);
		}
		return (got);
	}
	if (at == w.p) {
		map_error(m, "\"%.*s\": write the domain without the @", (int)(w.n < 100 ? w.n : 100), w.p);
		return (-1);
	}
	if (at != NULL)
		return (address_key(m, w, dst));
	if (memchr(w.p, '/', w.n) != NULL) {
		map_error(m, "\"%.*s\": networks with a length stand in a file of their own, named with the prefix "
		    "cidr:", (int)(w.n < 100 ? w.n : 100), w.p);
		return (-1);
	}
	if (addr_literal_parse(&ip, w) == E_OK || is_net4(w))
		return (table_fold(dst, w) == E_OK ? 1 : -1);
	if (memchr(w.p, ':', w.n) != NULL)
		return (net6_key(m, w, dst));
	if (w.n > 1 && w.p[0] == '.')
		return (domain_key(m, ".", slice_make(w.p + 1, w.n - 1), dst));
	return (domain_key(m, "", w, dst));
}

int
map_key(struct map *m, struct slice word, char dst[static TABLE_KEY_MAX + 1])
{
	word = without_quotes(word);
	switch (m->kind) {
	case MAP_RECIPIENTS:
		return (recipient_key(m, word, dst));
	case MAP_ALIASES:
		return (alias_key(m, word, dst));
	case MAP_ACCESS:
		return (access_key(m, word, dst));
	default:
		return (mapped_key(m, word, dst));
	}
}

/* "name: rest"; the name may be quoted and hold a colon then. */
int
map_alias_split(struct map *m, struct slice line, struct slice *name, struct slice *rest)
{
	int	 quoted = 0;

	for (size_t i = 0; i < line.n; i++) {
		if (quoted && line.p[i] == '\\' && i + 1 < line.n)
			i++;
		else if (line.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && line.p[i] == ':') {
			*rest = slice_make(line.p + i + 1, line.n - i - 1);
			while (i != 0 && (line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
				i--;
			*name = slice_make(line.p, i);
			if (i != 0)
				return (1);
			break;
		}
	}
	map_error(m, "expected \"name: address, address\"");
	return (0);
}
