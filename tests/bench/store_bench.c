/*
 * store_bench.c -- what the store costs: microseconds of CPU and commits per message stored and removed, by group size.
 *
 *	store_bench DIR [MESSAGES [OCTETS]]		(DIR is there and empty)
 *	built by: cc -std=c11 -O2 -I. -D_GNU_SOURCE -o build/store_bench tests/bench/store_bench.c \
 *	    build/lib/queue.a build/lib/common.a $(pkg-config --libs libuv lmdb libxxhash) -pthread
 *
 * Each group is submitted in one turn of the loop and waited for, as that many sessions would do; then all
 * messages get their outcome in groups of the same size.  CPU is that of both threads.
 */
#include <time.h>

#include "common/units.h"
#include "tests/queue/store_kit.h"

#define GROUP_MAX	64

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return ((double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3);
}

static double
wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3);
}

int
main(int argc, char **argv)
{
	static const unsigned groups[] = { 1, 8, 16, 50 };
	static struct kit_put put[GROUP_MAX];
	struct store_figures f0, f1;
	struct store_op out[GROUP_MAX];
	uint64_t count, octets, i, *id;
	double c0, c1, w0, w1;
	unsigned g, j;
	struct kit k;

	count = 4000;
	octets = 4200;
	if (argc < 2 || strlen(argv[1]) >= sizeof(k.dir) ||
	    (argc > 2 && number_parse(&count, slice_str(argv[2]), 1u << 24) != E_OK) ||
	    (argc > 3 && number_parse(&octets, slice_str(argv[3]), 1u << 24) != E_OK)) {
		fprintf(stderr, "usage: store_bench DIR [MESSAGES [OCTETS]]\n");
		return (1);
	}
	memset(&k, 0, sizeof(k));
	memcpy(k.dir, argv[1], strlen(argv[1]) + 1);
	if (kit_open_as(&k, 8ull << 30, 64 << 20) != E_OK || (id = calloc(count, sizeof(*id))) == NULL)
		return (1);
	for (j = 0; j < GROUP_MAX; j++)
		kit_put_init(&put[j], 1, 1, octets);
	for (g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		store_figures(k.s, &f0);
		c0 = cpu_us();
		w0 = wall_us();
		for (i = 0; i < count; ) {
			for (j = 0; j < groups[g] && i < count; j++, i++) {
				id[i] = store_new_msgid(k.s);
				put[j].op.msgid = put[j].m.msgid = id[i];
				put[j].r[0].next = (int64_t)(now_wall_ms() / 1000);
				kit_submit(&k, &put[j].op);
			}
			if (kit_wait(&k) != E_OK)
				return (1);
		}
		c1 = cpu_us();
		w1 = wall_us();
		store_figures(k.s, &f1);
		printf("group %2u: store  %6.2f us CPU, %7.1f us wall, %.3f commits per message", groups[g],
		    (c1 - c0) / (double)count, (w1 - w0) / (double)count,
		    (double)(f1.commits - f0.commits) / (double)count);
		for (i = 0; i < count; ) {
			for (j = 0; j < groups[g] && i < count; j++, i++) {
				memset(&out[j], 0, sizeof(out[j]));
				out[j].kind = STORE_OUTCOME;
				out[j].msgid = id[i];
				out[j].message = &put[j].m;
				put[j].m.flags = MSGF_DONE;
				kit_submit(&k, &out[j]);
			}
			if (kit_wait(&k) != E_OK)
				return (1);
		}
		for (j = 0; j < GROUP_MAX; j++)
			put[j].m.flags = 0;
		printf("; remove %6.2f us CPU, %7.1f us wall\n", (cpu_us() - c1) / (double)count,
		    (wall_us() - w1) / (double)count);
	}
	for (j = 0; j < GROUP_MAX; j++)
		kit_put_clear(&put[j]);
	free(id);
	kit_close(&k);
	return (0);
}
