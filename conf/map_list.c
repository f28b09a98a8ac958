/*
 * map_list.c -- the right sides of aliases, virtual, canonical and sender-login.  Core.
 *
 * Addresses are separated by commas or blanks; quotes, (comments) and "Name <address>" are read as in a header
 * (RFC 5322 3.4), as Postfix does.  Each becomes a whole address here, by the one parser.
 */
#include "common/conf_number.h"
#include "common/err.h"
#include "common/table_value.h"
#include "common/units.h"
#include "conf/map_inner.h"

#define SHOWN	100	/* octets of a word in an error */

static int
show(struct slice s)
{
	return ((int)(s.n < SHOWN ? s.n : SHOWN));
}

static int
is_blank(char c)
{
	return (c == ' ' || c == '\t');
}

/* Octets of the quoted string or comment at p[0]; all of them if it has no end. */
static size_t
enclosed(struct slice s)
{
	size_t	 i = 1, depth = 1;
	char	 open = s.p[0], close = open == '(' ? ')' : '"';

	for (; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == close && --depth == 0)
			return (i + 1);
		else if (open == '(' && s.p[i] == '(')
			depth++;
	}
	return (s.n);
}

/* The octets up to the next comma that is not inside of something; *angle: where a '<' is, or NULL. */
static struct slice
until_comma(struct slice s, const char **angle)
{
	size_t	 i = 0;

	*angle = NULL;
	while (i < s.n && (s.p[i] != ',' || (*angle != NULL && memchr(*angle, '>', i - (size_t)(*angle - s.p)) == NULL))) {
		if (s.p[i] == '"' || s.p[i] == '(')
			i += enclosed(slice_make(s.p + i, s.n - i));
		else {
			if (s.p[i] == '<' && *angle == NULL)
				*angle = s.p + i;
			i++;
		}
	}
	return (slice_make(s.p, i < s.n ? i : s.n));
}

/* The next word of an item; comments are passed over.  Empty at the end. */
static struct slice
next_word(struct slice *s)
{
	struct slice	 w;
	size_t		 i = 0;

	while (i < s->n && (is_blank(s->p[i]) || s->p[i] == '('))
		i += s->p[i] == '(' ? enclosed(slice_make(s->p + i, s->n - i)) : 1;
	w = slice_make(s->p + i, 0);
	while (i < s->n && !is_blank(s->p[i]) && s->p[i] != '(')
		i += s->p[i] == '"' ? enclosed(slice_make(s->p + i, s->n - i)) :
		    s->p[i] == '\\' && i + 1 < s->n ? 2 : 1;
	w.n = (size_t)(s->p + i - w.p);
	s->p += i;
	s->n -= i;
	return (w);
}

static int
starts(struct slice s, const char *prefix)
{
	size_t	 n = strlen(prefix);

	return (s.n >= n && slice_caseeq(slice_make(s.p, n), slice_str(prefix)));
}

static int
put(struct map *m, const struct target *t)
{
	if (table_put_target(&m->value, t) == E_OK)
		return (1);
	map_error(m, "the list of addresses is too long");
	return (0);
}

/* The number of the list in this table; a list that is named twice is read once. */
static int
put_include(struct map *m, struct slice path)
{
	char		 text[CONF_PATH_MAX + 1];
	const char	*why = "the path is too long";
	struct map_include *list = m->includes.p;
	struct target	 t = { .kind = TARGET_INCLUDE };

	if (slice_copy(path, text, sizeof(text)) != E_OK ||
	    (why = conf_path_why(text, CONF_PATH_MAX, 0)) != NULL) {
		map_error(m, ":include:%.*s: %s", show(path), path.p, why);
		return (0);
	}
	while (t.include < m->includes.n && strcmp(list[t.include].path, text) != 0)
		t.include++;
	if (t.include == m->includes.n) {
		if (t.include == TABLE_INCLUDES_MAX) {
			map_error(m, "more than %d different :include: lists", TABLE_INCLUDES_MAX);
			return (0);
		}
		list = vec_add(&m->includes, sizeof(*list));
		*list = (struct map_include){ mem_strdup(&m->all->mem, text), m->file, m->line };
	}
	t.text = path;
	return (put(m, &t));
}

/* A target that is no address: 1 or 0 if it was one, good or not; -1 if it is none. */
static int
special(struct map *m, struct slice w)
{
	struct target	 discard = { .kind = TARGET_DISCARD, .text = { "", 0 } };

	if (w.n >= 2 && w.p[0] == '"' && w.p[w.n - 1] == '"' && w.n > 2 && strchr("|/:", w.p[1]) != NULL)
		w = slice_make(w.p + 1, w.n - 2);
	if (w.n != 0 && w.p[0] == '|') {
		map_error(m, "\"%.*s\": mail is not piped to commands; deliver to a mailbox or an address",
		    show(w), w.p);
		return (0);
	}
	if (slice_eq(w, SLICE_LIT("/dev/null")) && m->kind != MAP_CANONICAL)
		return (put(m, &discard));
	if (w.n != 0 && w.p[0] == '/') {
		map_error(m, "\"%.*s\": mail is not appended to files; deliver to a mailbox or an address "
		    "(/dev/null discards)", show(w), w.p);
		return (0);
	}
	if (!starts(w, ":include:"))
		return (-1);
	if (m->kind == MAP_CANONICAL) {
		map_error(m, "\"%.*s\": one address was expected", show(w), w.p);
		return (0);
	}
	return (put_include(m, slice_make(w.p + 9, w.n - 9)));
}

static int
put_domain(struct map *m, struct slice domain)
{
	char		 name[DOMAIN_MAX + 1];
	const char	*why;
	struct target	 t = { .kind = TARGET_DOMAIN };

	if (domain_parse_utf8(name, domain, &why) != E_OK) {
		map_error(m, "\"@%.*s\": %s", show(domain), domain.p, why);
		return (0);
	}
	t.text = slice_str(name);
	return (put(m, &t));
}

/* Whether there is an @ outside of quotes. */
static int
has_domain(struct slice w)
{
	for (size_t i = 0; i < w.n; ) {
		if (w.p[i] == '@')
			return (1);
		i += w.p[i] == '"' ? enclosed(slice_make(w.p + i, w.n - i)) : 1;
	}
	return (0);
}

static int
put_address(struct map *m, struct slice w)
{
	char		 text[ADDRESS_MAX + 1];
	const char	*why = "the address is too long";
	const char	*domain = m->domain != NULL ? m->domain : m->all->origin;
	struct addr	 a;
	struct target	 t = { .kind = TARGET_ADDRESS };
	struct slice	 whole = w;

	if (!has_domain(w)) {
		if (domain == NULL) {
			map_error(m, "\"%.*s\": which domain is meant? write %.*s@example.org (there is no section "
			    "domain for the host's own name, nor only one)", show(w), w.p, show(w), w.p);
			return (0);
		}
		if (w.n + strlen(domain) + 1 > ADDRESS_MAX) {
			map_error(m, "\"%.*s\": %s", show(w), w.p, why);
			return (0);
		}
		snprintf(text, sizeof(text), "%.*s@%s", (int)w.n, w.p, domain);
		whole = slice_str(text);
	}
	if (addr_parse(&a, whole, &why) != E_OK) {
		map_error(m, "\"%.*s\": %s", show(w), w.p, why);
		return (0);
	}
	t.text = slice_str(a.text);
	return (put(m, &t));
}

static int
put_word(struct map *m, struct slice w)
{
	int	 got = special(m, w);

	if (got != -1)
		return (got);
	if (w.n > 1 && w.p[0] == '\\') {	/* sendmail's "no further alias", which the loop rule gives */
		w.p++;
		w.n--;
	}
	if (w.n > 1 && w.p[0] == '@' && (m->kind == MAP_VIRTUAL || m->kind == MAP_CANONICAL))
		return (put_domain(m, slice_make(w.p + 1, w.n - 1)));
	return (put_address(m, w));
}

/* One item between commas: "Name <address>", or words that are an address each. */
static int
put_item(struct map *m, struct slice item, const char *angle, int *count)
{
	const char	*end;
	struct slice	 w, rest = item;
	int		 good = 1, got;

	if (angle != NULL) {
		rest = slice_make(item.p, (size_t)(angle - item.p));
		while ((w = next_word(&rest)).n != 0) {
			if (has_domain(w)) {	/* it is no part of a name */
				map_error(m, "\"%.*s\": a comma is missing behind this address", show(w), w.p);
				return (0);
			}
		}
		rest = slice_make(angle + 1, item.n - (size_t)(angle - item.p) - 1);
		if ((end = memchr(rest.p, '>', rest.n)) == NULL) {
			map_error(m, "\"%.*s\": the angle bracket is not closed", show(item), item.p);
			return (0);
		}
		rest.n = (size_t)(end - rest.p);
	}
	while ((w = next_word(&rest)).n != 0) {
		++*count;
		got = put_word(m, w);
		good &= got;
		if (!got && (w.p[0] == '|' || angle != NULL))
			break;	/* the words of one command */
	}
	return (good);
}

int
map_targets(struct map *m, struct slice text, int single)
{
	struct slice	 item;
	const char	*angle;
	int		 good = 1, count = 0;

	while (text.n != 0) {
		item = until_comma(text, &angle);
		text.p += item.n;
		text.n -= item.n;
		if (text.n != 0) {
			text.p++;
			text.n--;
		}
		good &= put_item(m, item, angle, &count);
	}
	if (good && single && count != 1) {
		map_error(m, "expected one address, found %d", count);
		return (0);
	}
	return (good);
}

/* "alice, bob", "uid:1000". */
int
map_logins(struct map *m, struct slice text)
{
	struct slice	 w;
	uint64_t	 uid;
	size_t		 n;
	int		 good = 1, count = 0;

	for (; text.n != 0; text.p += n, text.n -= n) {
		n = 1;
		if (is_blank(text.p[0]) || text.p[0] == ',')
			continue;
		for (; n < text.n && !is_blank(text.p[n]) && text.p[n] != ','; n++)
			;
		w = slice_make(text.p, n);
		count++;
		if (starts(w, "uid:") && number_parse(&uid, slice_make(w.p + 4, w.n - 4), UINT32_MAX - 1) != E_OK) {
			map_error(m, "\"%.*s\": expected uid: and a number", show(w), w.p);
			good = 0;
		} else if (table_put_login(&m->value, w) != E_OK) {
			map_error(m, "\"%.*s\": a login has at most %d octets", show(w), w.p, LOGIN_MAX);
			good = 0;
		}
	}
	if (count == 0) {
		map_error(m, "expected logins, separated by commas");
		return (0);
	}
	return (good);
}
