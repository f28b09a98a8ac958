/*
 * auth_table_fuzz.c -- the password table from any text.  What is taken is line by line what was
 * written; what is refused names a line that is there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/secure.h"
#include "auth/table.h"
#include "common/err.h"
#include "common/limits.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Each line anew, by plain means: a login that is there, and its hash as it was read. */
static size_t
check_lines(const struct table *t, const char *p, size_t n)
{
	const char	*end = p + n, *nl, *colon, *why;
	struct hash	 want, got;
	size_t		 count = 0;
	int		 has;

	for (; p < end; p = nl + 1) {
		if ((nl = memchr(p, '\n', (size_t)(end - p))) == NULL)
			nl = end;
		if (p == nl || *p == '#')
			continue;
		count++;
		if ((colon = memchr(p, ':', (size_t)(nl - p))) == NULL)
			abort();
		if (!table_has(t, slice_make(p, (size_t)(colon - p))))
			abort();
		has = table_find(t, slice_make(p, (size_t)(colon - p)), &got);
		if (hash_parse(&want, slice_make(colon + 1, (size_t)(nl - colon - 1)), &why) != E_OK)
			abort();
		if (has != (want.kind != HASH_NONE) || (has && memcmp(&want, &got, sizeof(want)) != 0))
			abort();
		if (has && want.kind == HASH_CRYPT && (strlen(want.text) != (size_t)(nl - colon - 1) || want.cost_len == 0 ||
		    want.cost_len > HASH_COST_MAX))
			abort();
		/* A shorter or longer login is another one. */
		if (table_has(t, slice_make(p, (size_t)(colon - p) + 1)))
			abort();
	}
	return (count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct table_error	 e = { .line = 0, .why = NULL };
	struct table		*t;
	struct hash		 h;
	char			*text = secure_alloc(size + 1);
	size_t			 lines = 1;

	if (text == NULL)
		return (0);
	if (size != 0)
		memcpy(text, data, size);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (table_parse(&t, text, size, &e) != E_OK) {
		if (e.why == NULL || e.line == 0 || e.line > lines)
			abort();
		return (0);
	}
	if (check_lines(t, (const char *)data, size) != table_count(t))
		abort();
	/* Who is not there has something to be checked against. */
	if (table_find(t, slice_make("\n", 1), &h) || h.kind == HASH_NONE)
		abort();
	if (table_iterations(t) < SCRAM_ITERATIONS_MIN || table_iterations(t) > SCRAM_ITERATIONS_MAX)
		abort();
	table_free(t);
	return (0);
}
