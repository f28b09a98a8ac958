/*
 * build_kit.h -- texts of postern.conf, and the exact lines that are said about them.
 */
#ifndef TESTS_CONF_BUILD_KIT_H
#define TESTS_CONF_BUILD_KIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/build.h"

struct build_case { const char *in, *out; };

/* The snapshot, or NULL; all that is said in text[size]. */
static inline struct conf *
build_in(const struct conf_world *world, struct slice in, char *text, size_t size)
{
	struct errors	 e = { 0 };
	struct conf	*c = conf_build(in, world, &e);
	FILE		*f = fmemopen(text, size, "w");

	assert_non_null(f);
	errors_print(&e, "c", f);
	fputc('\0', f);
	fclose(f);
	assert_true((c == NULL) == (e.n != 0));
	errors_clear(&e);
	return (c);
}

/* Of each of them just this is said. */
static inline void
build_cases(const struct conf_world *world, const struct build_case *cases, size_t n)
{
	char		 text[4096];

	for (size_t i = 0; i < n; i++) {
		conf_free(build_in(world, slice_str(cases[i].in), text, sizeof(text)));
		if (strcmp(text, cases[i].out) != 0)
			fail_msg("%s\n--- says\n%s--- wanted\n%s", cases[i].in, text, cases[i].out);
	}
}

/* A text of a limit: what put() writes for one less than max and max is taken, for one more there is a word of why not. */
struct build_limit {
	void		(*put)(FILE *, int);
	int		 max;
	const char	*want;
};

static inline void
build_limits(const struct conf_world *world, const struct build_limit *cases, size_t ncases)
{
	static char	 said[1 << 20];
	struct conf	*c;
	size_t		 size;
	FILE		*f;
	char		*in;

	for (size_t i = 0; i < ncases; i++) {
		for (int n = cases[i].max - 1; n <= cases[i].max + 1; n++) {
			in = NULL;
			assert_non_null(f = open_memstream(&in, &size));
			cases[i].put(f, n);
			assert_int_equal(fclose(f), 0);
			c = build_in(world, slice_make(in, size), said, sizeof(said));
			if ((c != NULL) != (n <= cases[i].max) || (c == NULL && strstr(said, cases[i].want) == NULL))
				fail_msg("%.200s\n--- with %d says\n%.300s", in, n, said);
			conf_free(c);
			free(in);
		}
	}
}

#endif
