/*
 * table_bench.c -- look-ups in the memory file on descriptor 3: table_bench COUNT.
 *
 * The table virtual holds user0@d.example to user<COUNT-1>@d.example.  Keys are asked in a random order; "cold" after the
 * processor's caches were filled with something else and the file was mapped anew, as after a reload.  Prints
 * "WHAT nanoseconds" a line: the mean, and of cold ones the 99th percentile too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/conf.h"
#include "common/err.h"

#define WARM	2000000u
#define COLD	2000u
#define CACHE	(128u << 20)

static uint64_t
now_ns(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec);
}

static uint64_t
draw(void)
{
	static uint64_t	 x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	return (x ^= x << 17);
}

static size_t
key(char dst[64], uint64_t count, int hit)
{
	return ((size_t)snprintf(dst, 64, "%s%llu@d.example", hit ? "user" : "nobody",
	    (unsigned long long)(draw() % count)));
}

static void
ask(const struct conf *c, const char *text, size_t n, int hit)
{
	struct table_value	 v;

	if (table_get(&c->tables.virtual, slice_make(text, n), &v) != (hit ? E_OK : E_NOTFOUND)) {
		fprintf(stderr, "table_bench: %s\n", text);
		exit(1);
	}
}

/* What making the key costs is taken off. */
static void
warm(const struct conf *c, uint64_t count, int hit)
{
	char		 text[64];
	uint64_t	 t, keys, all;
	size_t		 n = 0;

	t = now_ns();
	for (unsigned i = 0; i < WARM; i++)
		n += key(text, count, hit);
	keys = now_ns() - t;
	t = now_ns();
	for (unsigned i = 0; i < WARM; i++)
		ask(c, text, key(text, count, hit), hit);
	all = now_ns() - t;
	printf("warm-%s %.0f\n", hit ? "hit" : "miss", n == 0 || all < keys ? 0.0 : (double)(all - keys) / WARM);
}

static int
u64_cmp(const void *a, const void *b)
{
	uint64_t	 x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x < y ? -1 : x > y);
}

static void
cold(uint64_t count, int hit)
{
	static uint64_t	 took[COLD];
	char		*cache = malloc(CACHE), text[64];
	uint64_t	 t, sum = 0;
	struct conf	*c = NULL;
	size_t		 n;

	for (unsigned i = 0; i < COLD; i++) {
		if (i % 50 == 0) {
			conf_free(c);
			if (cache == NULL || conf_from_memfd(&c, 3) != E_OK)
				exit(1);
			memset(cache, (int)i, CACHE);
		}
		n = key(text, count, hit);
		t = now_ns();
		ask(c, text, n, hit);
		took[i] = now_ns() - t;
		sum += took[i];
	}
	qsort(took, COLD, sizeof(took[0]), u64_cmp);
	printf("cold-%s %.0f\ncold-%s-p99 %llu\n", hit ? "hit" : "miss", (double)sum / COLD, hit ? "hit" : "miss",
	    (unsigned long long)took[COLD * 99 / 100]);
	conf_free(c);
	free(cache);
}

int
main(int argc, char **argv)
{
	uint64_t	 count = argc == 2 ? strtoull(argv[1], NULL, 10) : 0, t = now_ns();
	struct conf	*c;

	if (count == 0 || conf_from_memfd(&c, 3) != E_OK) {
		fputs("usage: table_bench COUNT 3<memory-file\n", stderr);
		return (1);
	}
	printf("map %llu\n", (unsigned long long)(now_ns() - t));
	printf("image %zu\n", c->image.n);
	cold(count, 1);
	cold(count, 0);
	warm(c, count, 1);
	warm(c, count, 0);
	conf_free(c);
	return (0);
}
