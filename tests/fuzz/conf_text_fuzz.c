/*
 * conf_text_fuzz.c -- the text of postern.conf.  Oracle: a snapshot or errors, never both nor neither; a good
 * text stays good with a comment behind it, and gives the same snapshot.
 */
#include <stdint.h>
#include <stdlib.h>

#include "common/conf.h"
#include "common/err.h"
#include "conf/build.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)
#define TEXT_MAX	4096

int		 LLVMFuzzerTestOneInput(const uint8_t *, size_t);
const char	*__asan_default_options(void);

/* libconfuse 3.3 forgets a few strings when it refuses a text; the checker ends with that text. */
const char *
__asan_default_options(void)
{
	return ("detect_leaks=0");
}

static char *
no_file(const char *path, size_t max, const char **why)
{
	(void)path;
	(void)max;
	*why = "none";
	return (NULL);
}

static int
no_open(const char *path, const char **why)
{
	(void)path;
	*why = "none";
	return (-1);
}

static struct slice
packed(const char *text, size_t n)
{
	static const struct conf_world	 world = { .name = "c", .hostname = "h.test", .read_file = no_file, .read_cert = no_file,
					     .open_file = no_open };
	struct errors			 e = { 0 };
	struct conf			*c = conf_build(slice_make(text, n), &world, &e);
	struct slice			 out = { NULL, 0 };

	MUST((c != NULL) == (e.n == 0));
	if (c != NULL)
		MUST(conf_pack(c, &out) == E_OK);
	conf_free(c);
	errors_clear(&e);
	return (out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char	 tail[] = "\n# }\n";
	char			 text[TEXT_MAX + sizeof(tail)];
	struct slice		 one, two;

	if (size > TEXT_MAX)
		return (0);
	memcpy(text, data, size);
	one = packed(text, size);
	if (one.p != NULL) {
		memcpy(text + size, tail, sizeof(tail) - 1);
		two = packed(text, size + sizeof(tail) - 1);
		MUST(two.p != NULL && slice_eq(one, two));
		free((void *)two.p);
	}
	free((void *)one.p);
	return (0);
}
