/* table.c -- see table.h.  Core. */
#include <stdlib.h>
#include <string.h>

#include "auth/secure.h"
#include "auth/table.h"
#include "common/err.h"
#include "common/limits.h"

#define COSTS	64	/* different costs that are counted; of more, the first ones in the file */

struct entry {
	struct slice	login;		/* in text */
	size_t		line;
	struct hash	hash;
};

struct table {
	char			*text;		/* secure */
	size_t			 text_size;
	struct entry		*entries;	/* secure; in the order of the file */
	size_t			 room;		/* entries that fit */
	size_t			 n;
	const struct entry	**sorted;	/* secure; by login */
	struct hash		 dummy;		/* of the commonest cost */
	uint32_t		 iterations;
};

static int
fail(struct table_error *e, size_t line, int err, const char *why)
{
	e->line = line;
	e->why = why;
	return (err);
}

static int
login_cmp(struct slice a, struct slice b)
{
	size_t	n = a.n < b.n ? a.n : b.n;
	int	cmp = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return (cmp != 0 ? cmp : (a.n > b.n) - (a.n < b.n));
}

static int
entry_cmp(const void *a, const void *b)
{
	const struct entry	*x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
	int			 cmp = login_cmp(x->login, y->login);

	return (cmp != 0 ? cmp : (x->line > y->line) - (x->line < y->line));
}

static const char *
login_why(struct slice s)
{
	if (s.n == 0)
		return ("no login before \":\"");
	if (s.n > LOGIN_MAX)
		return ("a login of more than 255 octets");
	if (s.p[0] == ' ' || s.p[s.n - 1] == ' ')
		return ("a blank at the beginning or the end of the login");
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return ("a control character in the login");
	}
	return (NULL);
}

static int
add_line(struct table *t, struct slice s, size_t line, struct table_error *e)
{
	struct entry	*entry = &t->entries[t->n];
	const char	*colon, *why;

	if (s.n > AUTH_TABLE_LINE_MAX)
		return (fail(e, line, E_LIMIT, "a line of more than 1024 octets"));
	if (s.n == 0 || s.p[0] == '#')
		return (E_OK);
	if (t->n == t->room)
		return (fail(e, line, E_LIMIT, "more than 100000 logins"));
	if ((colon = memchr(s.p, ':', s.n)) == NULL)
		return (fail(e, line, E_SYNTAX, "no \":\" between login and hash"));
	entry->login = slice_make(s.p, (size_t)(colon - s.p));
	entry->line = line;
	if ((why = login_why(entry->login)) != NULL ||
	    hash_parse(&entry->hash, slice_make(colon + 1, s.n - entry->login.n - 1), &why) != E_OK)
		return (fail(e, line, E_SYNTAX, why));
	t->n++;
	return (E_OK);
}

/* How many lines may be entries: for the size of the array. */
static size_t
lines(const char *text, size_t n)
{
	size_t	count = 1;

	for (size_t i = 0; i < n; i++)
		count += text[i] == '\n';
	return (count < AUTH_ENTRIES_MAX ? count : AUTH_ENTRIES_MAX);
}

static int
read_lines(struct table *t, size_t n, struct table_error *e)
{
	const char	*p = t->text, *end = p + n, *nl;
	size_t		 line = 0;
	int		 err = E_OK;

	for (; p < end && err == E_OK; p = nl + 1) {
		if ((nl = memchr(p, '\n', (size_t)(end - p))) == NULL)
			nl = end;
		err = add_line(t, slice_make(p, (size_t)(nl - p)), ++line, e);
	}
	return (err);
}

static int
sort(struct table *t, struct table_error *e)
{
	if ((t->sorted = secure_alloc(t->room * sizeof(t->sorted[0]))) == NULL)
		return (fail(e, 0, E_NOMEM, "no memory"));
	for (size_t i = 0; i < t->n; i++)
		t->sorted[i] = &t->entries[i];
	qsort(t->sorted, t->n, sizeof(t->sorted[0]), entry_cmp);
	for (size_t i = 1; i < t->n; i++) {
		if (login_cmp(t->sorted[i - 1]->login, t->sorted[i]->login) == 0)
			return (fail(e, t->sorted[i]->line, E_SYNTAX,
			    "a login that stands on an earlier line too"));
	}
	return (E_OK);
}

/* The commonest cost of all, and of SCRAM's entries: what is done for those who are not there. */
static void
find_dummy(struct table *t)
{
	struct {
		char			 cost[HASH_COST_MAX + 1];
		size_t			 n;
		const struct hash	*hash;
	}	costs[COSTS], *best = NULL, *scram = NULL;
	size_t	ncosts = 0, i, j;
	char	cost[HASH_COST_MAX + 1];

	for (i = 0; i < t->n; i++) {
		if (t->entries[i].hash.kind == HASH_NONE)
			continue;
		hash_cost(&t->entries[i].hash, cost);
		for (j = 0; j < ncosts && strcmp(costs[j].cost, cost) != 0; j++)
			;
		if (j == COSTS)
			continue;
		if (j == ncosts) {
			memcpy(costs[j].cost, cost, sizeof(cost));
			costs[j].n = 0;
			costs[j].hash = &t->entries[i].hash;
			ncosts++;
		}
		costs[j].n++;
	}
	for (j = 0; j < ncosts; j++) {
		if (best == NULL || costs[j].n > best->n)
			best = &costs[j];
		if (costs[j].hash->kind == HASH_SCRAM && (scram == NULL || costs[j].n > scram->n))
			scram = &costs[j];
	}
	t->iterations = scram != NULL ? scram->hash->scram.iterations : SCRAM_ITERATIONS;
	if (best != NULL)
		t->dummy = *best->hash;
	else
		t->dummy = (struct hash){ .kind = HASH_SCRAM,
		    .scram = { .iterations = SCRAM_ITERATIONS, .salt_len = SCRAM_SALT_LEN } };
}

int
table_parse(struct table **out, char *text, size_t n, struct table_error *e)
{
	struct table	*t = secure_alloc(sizeof(*t));
	int		 err;

	if (t == NULL) {
		secure_free(text, n + 1);
		return (fail(e, 0, E_NOMEM, "no memory"));
	}
	t->text = text;
	t->text_size = n + 1;
	t->room = lines(text, n);
	if ((t->entries = secure_alloc(t->room * sizeof(t->entries[0]))) == NULL)
		err = fail(e, 0, E_NOMEM, "no memory");
	else if ((err = read_lines(t, n, e)) == E_OK)
		err = sort(t, e);
	if (err != E_OK) {
		table_free(t);
		return (err);
	}
	find_dummy(t);
	*out = t;
	return (E_OK);
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	secure_free(t->text, t->text_size);
	secure_free(t->entries, t->room * sizeof(t->entries[0]));
	secure_free(t->sorted, t->room * sizeof(t->sorted[0]));
	secure_free(t, sizeof(*t));
}

size_t
table_count(const struct table *t)
{
	return (t->n);
}

uint32_t
table_iterations(const struct table *t)
{
	return (t->iterations);
}

static const struct entry *
find(const struct table *t, struct slice login)
{
	size_t	lo = 0, hi = t->n, mid;
	int	cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if ((cmp = login_cmp(login, t->sorted[mid]->login)) == 0)
			return (t->sorted[mid]);
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return (NULL);
}

int
table_find(const struct table *t, struct slice login, struct hash *h)
{
	const struct entry	*e = find(t, login);

	*h = e != NULL && e->hash.kind != HASH_NONE ? e->hash : t->dummy;
	return (e != NULL && e->hash.kind != HASH_NONE);
}

int
table_has(const struct table *t, struct slice login)
{
	return (find(t, login) != NULL);
}
