/*
 * table_access.c -- which keys of an access table are asked for a client, a name or an address, in which
 * order (access(5) of Postfix).  Core.
 */
#include <stdio.h>

#include "common/err.h"
#include "common/rcpt_int.h"
#include "common/table_parts.h"

/* The text is folded already where it can hold capitals. */
static int
get(const struct table_part *p, const char *text, size_t n, struct table_value *v)
{
	return (n == 0 ? E_NOTFOUND : table_part_get(p, slice_make(text, n), v));
}

static int
fold_and_get(const struct table_part *p, const char *text, size_t n, struct table_value *v)
{
	char	 key[TABLE_KEY_MAX + 1];

	if (table_fold(key, slice_make(text, n)) != E_OK)
		return (E_NOTFOUND);
	return (get(p, key, n, v));
}

/* "a.b.example", ".b.example", "b.example", ".example", "example".  Addresses have no parents. */
static int
get_domain(const struct table_part *p, const char *name, struct table_value *v)
{
	char		 key[TABLE_KEY_MAX + 1];
	struct net_addr	 ip;
	const char	*at = key;
	int		 err;

	if (name[0] == '\0' || table_fold(key, slice_str(name)) != E_OK)
		return (E_NOTFOUND);
	if ((err = get(p, key, strlen(key), v)) != E_NOTFOUND || key[0] == '[' ||
	    net_addr_parse(&ip, slice_str(key)) == E_OK)
		return (err);
	while ((at = strchr(at, '.')) != NULL) {
		if ((err = get(p, at, strlen(at), v)) != E_NOTFOUND)
			return (err);
		at++;
		if ((err = get(p, at, strlen(at), v)) != E_NOTFOUND)
			return (err);
	}
	return (E_NOTFOUND);
}

/* "192.0.2.1", "192.0.2", "192.0", "192"; "2001:db8::1", "2001:db8:", "2001:db8", "2001". */
static int
get_addr(const struct table_part *p, const struct net_addr *addr, struct table_value *v)
{
	char	 text[NET_ADDR_STRLEN], *end;
	int	 err, sep = net_addr_is4(addr) ? '.' : ':';

	if (p->part.kind != PART_HASH)
		return (table_part_net(p, addr, v));
	for (net_addr_str(addr, text);; *end = '\0') {
		if ((err = get(p, text, strlen(text), v)) != E_NOTFOUND || (end = strrchr(text, sep)) == NULL)
			return (err);
	}
}

/* A canonical local part without its quotes: an extension is one within them too. */
static size_t
unquote(char dst[ADDRESS_MAX + 1], const char *local, size_t n)
{
	size_t	 len = 0;

	if (n < 2 || local[0] != '"') {
		memcpy(dst, local, n);
		return (n);
	}
	for (size_t i = 1; i + 1 < n; i++) {
		if (local[i] == '\\' && i + 2 < n)
			i++;
		dst[len++] = local[i];
	}
	return (len);
}

/* The octets of a local part before its extension; all of them if it has none. */
static size_t
without_extension(const char *local, size_t n, const char *delimiter)
{
	for (size_t i = 1; i < n; i++) {
		if (local[i] != '\0' && strchr(delimiter, local[i]) != NULL)
			return (i);
	}
	return (n);
}

static int
get_mail(const struct table_part *p, const char *mail, const char *delimiter, struct table_value *v)
{
	const char	*at = strrchr(mail, '@');
	size_t		 whole = strlen(mail), local = at != NULL ? (size_t)(at - mail) : whole, n, base;
	char		 plain[ADDRESS_MAX + 1], text[ADDRESS_MAX + 2];
	int		 err;

	if (whole == 0)
		return (get(p, "<>", 2, v));
	if (whole > ADDRESS_MAX)
		return (E_NOTFOUND);
	if ((err = fold_and_get(p, mail, whole, v)) != E_NOTFOUND)
		return (err);
	n = unquote(plain, mail, local);
	base = without_extension(plain, n, delimiter);
	if (at != NULL && base != n && rcpt_join(text, plain, base, at + 1) == E_OK &&
	    (err = fold_and_get(p, text, strlen(text), v)) != E_NOTFOUND)
		return (err);
	if (at != NULL && (err = get_domain(p, at + 1, v)) != E_NOTFOUND)
		return (err);
	snprintf(text, sizeof(text), "%.*s@", (int)local, mail);
	if ((err = fold_and_get(p, text, local + 1, v)) != E_NOTFOUND || base == n ||
	    rcpt_join(text, plain, base, "") != E_OK)
		return (err);
	n = strlen(text);
	text[n] = '@';
	return (fold_and_get(p, text, n + 1, v));
}

static void
init(struct table_access *a, const struct table *t)
{
	*a = (struct table_access){ .t = t, .name = "", .delimiter = "" };
}

void
table_access_client(struct table_access *a, const struct table *t, const char *name, const struct net_addr *addr)
{
	init(a, t);
	a->name = name;
	a->addr = addr;
}

void
table_access_name(struct table_access *a, const struct table *t, const char *name)
{
	init(a, t);
	a->name = name;
}

void
table_access_mail(struct table_access *a, const struct table *t, const char *address, const char *delimiter)
{
	init(a, t);
	a->mail = address;
	a->delimiter = delimiter;
}

static int
ask(const struct table_access *a, const struct table_part *p, struct table_value *v)
{
	int	 err;

	if (a->mail != NULL)
		return (get_mail(p, a->mail, a->delimiter, v));
	if ((err = get_domain(p, a->name, v)) != E_NOTFOUND || a->addr == NULL)
		return (err);
	return (get_addr(p, a->addr, v));
}

int
table_access_next(struct table_access *a, struct table_value *v, struct action *action)
{
	struct table_part	 p;
	int			 err;

	while ((err = table_part_open(&p, a->t, a->part)) == E_OK) {
		a->part++;
		if ((err = ask(a, &p, v)) == E_NOTFOUND)
			continue;
		if (err != E_OK || table_action(v, action) != E_OK)
			return (E_CORRUPT);
		if (action->kind != ACTION_DUNNO)
			return (E_OK);
	}
	return (err);
}
