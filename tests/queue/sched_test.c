/*
 * sched_test.c -- the scheduler under a made clock: fairness, concurrency, back-off, retry times.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "queue/sched.h"

#define BOTH	(SCHED_REMOTE | SCHED_LOCAL)

static const struct sched_conf conf = { .concurrency = 20, .connections = 50,
	.backoff_min_s = 60, .backoff_max_s = 3600 };

static struct sched *
fresh(void)
{
	struct sched *s = sched_new(&conf);

	assert_non_null(s);
	return (s);
}

static void
forget_job(struct sched *s, const struct sched_job *j)
{
	uint16_t i;

	for (i = 0; i < j->n; i++)
		sched_forget(s, j->msgid, j->index[i]);
}

static void
test_states(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *d = sched_dest_get(s, "a.test", 0, 0);
	struct sched_job j;

	assert_int_equal(sched_next(s, 0, BOTH, &j), E_AGAIN);
	assert_int_equal(sched_add(s, 7, 3, d, 1, 0), E_OK);
	assert_int_equal(sched_add(s, 7, 3, d, 1, 0), E_EXISTS);
	assert_int_equal(sched_state(s, 7, 3), SCHED_READY);
	assert_int_equal(sched_next(s, 0, SCHED_LOCAL, &j), E_AGAIN);
	sched_wake(s);
	assert_int_equal(sched_next(s, 0, SCHED_REMOTE, &j), E_OK);
	assert_int_equal(j.kind, SCHED_RUN);
	assert_int_equal(j.msgid, 7);
	assert_int_equal(j.n, 1);
	assert_int_equal(j.index[0], 3);
	assert_int_equal(sched_state(s, 7, 3), SCHED_ACTIVE);
	assert_int_equal(sched_active(s), 1);
	sched_job_done(s, d, 1, 0, NULL, 0);
	forget_job(s, &j);
	assert_int_equal(sched_state(s, 7, 3), SCHED_ABSENT);
	assert_int_equal(sched_items(s), 0);
	sched_free(s);
}

/* Recipients of one message and one destination go together, a job's maximum at a time. */
static void
test_group(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *d = sched_dest_get(s, "a.test", 0, 0);
	struct sched_job j;
	uint32_t i;

	for (i = 0; i < JOB_RCPT_MAX + 5; i++)
		assert_int_equal(sched_add(s, 1, i, d, 9, 0), E_OK);
	assert_int_equal(sched_add(s, 2, 0, d, 9, 0), E_OK);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
	assert_int_equal(j.n, JOB_RCPT_MAX);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
	assert_int_equal(j.n, 5);
	assert_int_equal(j.msgid, 1);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
	assert_int_equal(j.msgid, 2);
	sched_free(s);
}

/* A sender's 1000 messages do not stand in front of another's one; nor does a destination's backlog. */
static void
test_fair(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *big = sched_dest_get(s, "big.test", 0, 0);
	struct sched_dest *small = sched_dest_get(s, "small.test", 0, 0);
	struct sched_job j;
	int i, seen_other = -1, seen_small = -1;

	for (i = 0; i < 1000; i++)
		assert_int_equal(sched_add(s, 100 + (uint64_t)i, 0, big, 1, 0), E_OK);
	assert_int_equal(sched_add(s, 5000, 0, big, 2, 0), E_OK);
	assert_int_equal(sched_add(s, 6000, 0, small, 1, 0), E_OK);
	for (i = 0; i < 10 && sched_next(s, 0, BOTH, &j) == E_OK; i++) {
		if (j.msgid == 5000)
			seen_other = i;
		if (j.msgid == 6000)
			seen_small = i;
		sched_job_done(s, j.dest, 1, 0, NULL, 0);
		forget_job(s, &j);
	}
	assert_in_range(seen_other, 0, 3);
	assert_in_range(seen_small, 0, 2);
	sched_free(s);
}

/* How many jobs the destination may have now. */
static uint32_t
fill(struct sched *s, struct sched_dest *d, uint64_t *msgid, uint64_t now)
{
	struct sched_job j;
	uint32_t n = 0;

	while (sched_add(s, ++*msgid, 0, d, 1, 0) == E_OK && sched_items(s) < 200)
		;
	while (sched_next(s, now, BOTH, &j) == E_OK && j.kind == SCHED_RUN) {
		n++;
		forget_job(s, &j);
	}
	return (n);
}

static void
test_concurrency(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *d = sched_dest_get(s, "a.test", 0, 0);
	uint64_t msgid = 0;
	struct sched_view v;
	uint32_t n, i;

	n = fill(s, d, &msgid, 0);
	assert_int_equal(n, SCHED_START);
	for (i = 0; i < n; i++)
		sched_job_done(s, d, 1, 77, NULL, 0);
	n = fill(s, d, &msgid, 0);
	assert_int_equal(n, 2 * SCHED_START);
	for (i = 0; i < n; i++)
		sched_job_done(s, d, 1, 77, NULL, 0);
	for (i = 0; i < 100; i++) {	/* never past the setting */
		n = fill(s, d, &msgid, 0);
		assert_true(n <= conf.concurrency);
		while (n-- > 0)
			sched_job_done(s, d, 1, 77, NULL, 0);
	}
	sched_dest_view(d, 0, &v);
	assert_int_equal(v.limit, conf.concurrency);
	/* An unreachable host halves it. */
	n = fill(s, d, &msgid, 0);
	assert_int_equal(n, conf.concurrency);
	sched_job_done(s, d, 0, 77, "no route", 0);
	sched_dest_view(d, 0, &v);
	assert_int_equal(v.limit, conf.concurrency / 2);
	assert_string_equal(v.why, "no route");
	/* The others of that round are no further news; after them it grows by about one a round. */
	for (i = 1; i < n; i++)
		sched_job_done(s, d, i % 2 ? REACHED : REACHED_FULL, 77, NULL, 0);
	sched_dest_view(d, 0, &v);
	assert_int_equal(v.limit, conf.concurrency / 2);
	for (i = 0; i < 2; i++) {
		n = fill(s, d, &msgid, 0);
		assert_int_equal(n, conf.concurrency / 2);
		while (n-- > 0)
			sched_job_done(s, d, REACHED, 77, NULL, 0);
	}
	sched_dest_view(d, 0, &v);
	assert_int_equal(v.limit, conf.concurrency / 2 + 1);
	/* A host that refuses one connection more beside those it has: fewer, but it is not dead. */
	for (i = 0; i < 10; i++) {
		n = fill(s, d, &msgid, 0);
		while (n-- > 0)
			sched_job_done(s, d, REACHED_FULL, 77, NULL, 0);
	}
	sched_dest_view(d, 0, &v);
	assert_int_equal(v.limit, 1);
	assert_int_equal(v.failures, 0);
	assert_int_equal(v.backoff_ms, 0);
	/* What says nothing of the host changes nothing. */
	n = fill(s, d, &msgid, 0);
	assert_int_equal(n, 1);
	sched_job_done(s, d, REACHED_UNKNOWN, 0, "this server is stopping", 0);
	sched_dest_view(d, 0, &v);
	assert_int_equal(v.limit, 1);
	assert_int_equal(v.failures, 0);
	sched_free(s);
}

/* Who found all connections in use is served when one is free, even if the one before cannot use it. */
static void
test_crowd(void **state)
{
	struct sched_conf one = conf;
	struct sched_dest *busy, *dead, *next;
	struct sched_job j;
	struct sched *s;
	uint32_t i;

	one.connections = 1;
	assert_non_null(s = sched_new(&one));
	dead = sched_dest_get(s, "dead.test", 0, 0);
	for (i = 0; i < SCHED_DEAD_AFTER; i++) {	/* it is backed off from now on */
		assert_int_equal(sched_add(s, 10 + i, 0, dead, 1, 0), E_OK);
		assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
		if (i + 1 == SCHED_DEAD_AFTER)
			break;
		sched_job_done(s, dead, REACHED_NOT, 0, "no route", 0);
		forget_job(s, &j);
	}
	next = sched_dest_get(s, "next.test", 0, 0);
	busy = sched_dest_get(s, "busy.test", 0, 0);
	assert_int_equal(sched_add(s, 20, 0, dead, 1, 0), E_OK);
	assert_int_equal(sched_add(s, 21, 0, next, 1, 0), E_OK);
	assert_int_equal(sched_add(s, 22, 0, busy, 1, 0), E_OK);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_AGAIN);
	sched_job_done(s, dead, REACHED_NOT, 0, "no route", 0);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
	assert_int_equal(j.kind, SCHED_POSTPONE);
	forget_job(s, &j);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
	assert_ptr_equal(j.dest, next);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_AGAIN);
	sched_forget(s, 22, 0);				/* held by the operator meanwhile */
	assert_int_equal(sched_add(s, 23, 0, next, 1, 0), E_OK);
	sched_job_done(s, next, REACHED, 0, NULL, 0);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
	assert_ptr_equal(j.dest, next);
	sched_free(s);
}

/* A destination that waited for its provider and has nothing left does not keep the next from the slot. */
static void
test_provider_slot(void **state)
{
	struct sched_conf one = conf;
	struct sched_dest *a, *b, *c;
	struct sched_job j;
	struct sched *s;
	uint64_t i;

	one.concurrency = 1;
	assert_non_null(s = sched_new(&one));
	a = sched_dest_get(s, "a.test", 0, 0);
	b = sched_dest_get(s, "b.test", 0, 0);
	c = sched_dest_get(s, "c.test", 0, 0);
	for (i = 0; i < 3; i++) {			/* all three are one provider's */
		assert_int_equal(sched_add(s, i + 1, 0, i == 0 ? a : i == 1 ? b : c, 1, 0), E_OK);
		assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
		sched_job_done(s, j.dest, REACHED, 5, NULL, 0);
		forget_job(s, &j);
	}
	assert_int_equal(sched_add(s, 10, 0, a, 1, 0), E_OK);
	assert_int_equal(sched_add(s, 11, 0, b, 1, 0), E_OK);
	assert_int_equal(sched_add(s, 12, 0, c, 1, 0), E_OK);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
	assert_ptr_equal(j.dest, a);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_AGAIN);
	sched_forget(s, 11, 0);
	sched_job_done(s, a, REACHED, 5, NULL, 0);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
	assert_ptr_equal(j.dest, c);
	sched_free(s);
}

/* A hundred domains at one provider share one budget; two providers do not. */
static void
test_provider(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *d[100];
	struct sched_job j;
	char name[32];
	uint32_t i, n, round;
	uint64_t msgid = 0;

	for (i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "d%u.test", i);
		d[i] = sched_dest_get(s, name, 0, 0);
	}
	for (round = 0; round < 4; round++) {	/* all learn that they are one provider */
		struct sched_job run[60];

		for (i = 0; i < 100; i++)
			assert_int_equal(sched_add(s, ++msgid, 0, d[i], 1, 0), E_OK);
		do {
			for (n = 0; n < 60 && sched_next(s, 0, BOTH, &run[n]) == E_OK; n++)
				;
			for (i = 0; i < n; i++) {
				sched_job_done(s, run[i].dest, 1, 4242, NULL, 0);
				forget_job(s, &run[i]);
			}
		} while (n != 0);
		assert_int_equal(sched_items(s), 0);	/* nobody starved */
	}
	for (i = 0; i < 100; i++)
		assert_int_equal(sched_add(s, ++msgid, 0, d[i], 1, 0), E_OK);
	for (n = 0; sched_next(s, 0, BOTH, &j) == E_OK; n++)
		;
	assert_int_equal(n, conf.concurrency);
	sched_free(s);
}

static void
test_connections(void **state)
{
	struct sched *s = fresh();
	struct sched_job j, first = { 0 };
	struct sched_dest *local;
	char name[32];
	uint32_t i, n;

	for (i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "d%u.test", i);
		assert_int_equal(sched_add(s, i + 1, 0, sched_dest_get(s, name, 0, 0), 1, 0), E_OK);
	}
	local = sched_dest_get(s, "maildir:/x", 1, 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(sched_add(s, 1000 + i, 0, local, i, 0), E_OK);
	for (n = 0, i = 0; sched_next(s, 0, BOTH, &j) == E_OK; ) {
		if (j.dest == local)
			i++;
		else if (n++ == 0)
			first = j;
	}
	assert_int_equal(n, conf.connections);
	assert_int_equal(i, 10);
	/* One ends, one more may start. */
	sched_job_done(s, first.dest, 1, 0, NULL, 0);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_OK);
	assert_int_equal(sched_next(s, 0, BOTH, &j), E_AGAIN);
	sched_free(s);
}

/*
 * F17: nine tenths of what comes are for a dead domain.  Made time, a job of a live domain takes 100 ms, of
 * the dead one 30 s.  The live ones must all be through while the dead one has cost few jobs.
 */
static void
test_dead_domain(void **state)
{
	struct sched *s = fresh();
	struct running { struct sched_job j; uint64_t end; } run[64];
	struct sched_dest *dead, *live;
	struct sched_job j;
	struct sched_view v;
	uint64_t now = 0, msgid = 0, last_live = 0, before;
	uint32_t i, nrun = 0, postponed = 0, tried = 0, delivered = 0, added = 0;
	char name[32];

	dead = sched_dest_get(s, "dead.test", 0, 0);
	while (delivered < 500 && now < 600000) {
		while (added < 5000) {
			int err;

			(void)snprintf(name, sizeof(name), "l%u.test", added % 50);
			live = sched_dest_get(s, name, 0, now);
			msgid++;
			err = sched_add(s, msgid, 0, added % 10 != 0 ? dead : live, msgid % 7, 0);
			if (err == E_BUSY && added % 10 != 0) {
				added++;	/* it stays in the store */
				continue;
			}
			assert_int_equal(err, E_OK);
			added++;
		}
		while (nrun < 50 && sched_next(s, now, BOTH, &j) == E_OK) {
			if (j.kind == SCHED_POSTPONE) {
				assert_ptr_equal(j.dest, dead);
				postponed += j.n;
				forget_job(s, &j);
				continue;
			}
			run[nrun].j = j;
			run[nrun++].end = now + (j.dest == dead ? 30000 : 100);
			tried += j.dest == dead;
		}
		now += 100;
		for (i = 0; i < nrun; ) {
			if (run[i].end > now) {
				i++;
				continue;
			}
			if (run[i].j.dest != dead) {
				delivered++;
				last_live = now;
			}
			sched_job_done(s, run[i].j.dest, run[i].j.dest != dead, 0, "timed out", now);
			forget_job(s, &run[i].j);
			run[i] = run[--nrun];
		}
	}
	assert_int_equal(delivered, 500);
	assert_true(last_live <= 5000);		/* 500 at 45 or more at a time, 100 ms each */
	assert_in_range(tried, 1, SCHED_START);
	/* All of the dead one's leave memory once it is known. */
	while (nrun > 0) {
		nrun--;
		now += 30000;
		sched_job_done(s, run[nrun].j.dest, 0, 0, "timed out", now);
		forget_job(s, &run[nrun].j);
	}
	sched_dest_view(dead, now, &v);
	assert_true(v.backoff_ms > 0);
	while (sched_next(s, now, BOTH, &j) == E_OK) {
		assert_int_equal(j.kind, SCHED_POSTPONE);
		postponed += j.n;
		forget_job(s, &j);
	}
	assert_int_equal(v.failures, tried);
	assert_int_equal(sched_items(s), 0);
	assert_true(postponed > 1000);
	/* After the back-off one probe; its failure doubles the wait. */
	before = v.backoff_ms;
	now += before;
	for (i = 0; i < 10; i++)
		assert_int_equal(sched_add(s, ++msgid, 0, dead, i, 0), E_OK);
	assert_int_equal(sched_next(s, now, BOTH, &j), E_OK);
	assert_int_equal(j.kind, SCHED_RUN);
	assert_int_equal(sched_next(s, now, BOTH, &j), E_AGAIN);
	sched_job_done(s, dead, 0, 0, "timed out", now);
	sched_dest_view(dead, now, &v);
	assert_int_equal(v.backoff_ms, 2 * before);
	/* And the operator's word ends it. */
	sched_dest_reset(s, dead);
	assert_int_equal(sched_next(s, now, BOTH, &j), E_OK);
	assert_int_equal(j.kind, SCHED_RUN);
	sched_job_done(s, dead, 1, 0, NULL, now);
	sched_dest_view(dead, now, &v);
	assert_int_equal(v.failures, 0);
	assert_string_equal(v.why, "");
	sched_free(s);
}

static void
test_limits(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *d = sched_dest_get(s, "a.test", 0, 0);
	uint64_t msgid = 0;
	char name[32];
	uint32_t i;
	int err;

	for (i = 0; i < SCHED_DEST_SHARE; i++)
		assert_int_equal(sched_add(s, ++msgid, 0, d, 1, 0), E_OK);
	assert_int_equal(sched_add(s, ++msgid, 0, d, 1, 0), E_BUSY);
	for (i = 0; sched_room(s) > 0; i++) {
		(void)snprintf(name, sizeof(name), "d%u.test", i);
		d = sched_dest_get(s, name, 0, 0);
		while ((err = sched_add(s, ++msgid, 0, d, 1, 0)) == E_OK)
			;
	}
	assert_int_equal(err, E_LIMIT);
	assert_int_equal(sched_items(s), SCHED_WINDOW);
	sched_free(s);
}

static void
test_marks(void **state)
{
	struct sched *s = fresh();
	struct sched_dest *a = sched_dest_get(s, "a.test", 0, 0), *b = sched_dest_get(s, "b.test", 0, 0);
	struct sched_mark m = { .when = 5, .msgid = 6, .index = 7, .set = 1 }, none = { 0 };

	assert_null(sched_marked(s));
	sched_dest_marked(s, a, &m);
	sched_dest_marked(s, b, &m);
	assert_ptr_equal(sched_marked(s), a);
	assert_ptr_equal(sched_marked(s), b);
	assert_ptr_equal(sched_marked(s), a);
	sched_dest_marked(s, b, &none);
	assert_ptr_equal(sched_marked(s), a);
	assert_int_equal(sched_dest_mark(a)->msgid, 6);
	sched_sweep(s, UINT64_MAX);		/* a mark keeps its destination */
	assert_ptr_equal(sched_dest_find(s, "a.test"), a);
	assert_null(sched_dest_find(s, "b.test"));
	sched_free(s);
}

static void
test_retry(void **state)
{
	static const uint32_t steps[] = { 60, 300, 900, 3600 };
	static const struct { uint32_t attempts, hint, low, high; } t[] = {
		{ 1, 0, 52, 68 }, { 2, 0, 262, 338 }, { 3, 0, 787, 1013 }, { 4, 0, 3150, 4050 },
		{ 5, 0, 3150, 4050 }, { 1000, 0, 3150, 4050 }, { 0, 0, 52, 68 },
		{ 1, 300, 300, 338 }, { 4, 1, 1, 2 }, { 1, 1u << 30, 86400, 97200 },
	};
	uint32_t rnd = 1, low, high, d;
	size_t i;
	int k;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (low = UINT32_MAX, high = 0, k = 0; k < 100000; k++) {
			rnd = rnd * 1664525 + 1013904223;
			d = sched_retry_delay(steps, 4, t[i].attempts, t[i].hint, rnd >> 8);
			assert_in_range(d, t[i].low, t[i].high);
			if (d < low)
				low = d;
			if (d > high)
				high = d;
		}
		if (t[i].high - t[i].low > 10)	/* the whole range is used */
			assert_true(high - low >= (t[i].high - t[i].low) * 9 / 10);
	}
	for (d = RETRY_HINT_MAX_S - 1; d <= RETRY_HINT_MAX_S + 1; d++)
		assert_int_equal(sched_retry_delay(steps, 4, 1, d, 0), d > RETRY_HINT_MAX_S ? RETRY_HINT_MAX_S : d);
	assert_int_equal(sched_retry_delay(NULL, 0, 1, 0, 0), 1);
}

/* RFC 6710: the higher first, but every SCHED_LOWER_TURN-th job is of the lower ones, which take it in turn. */
static void
test_priority(void **state)
{
	static const int prio[] = { 0, 9, -9, 3 };
	struct sched *s = sched_new(&conf);
	struct sched_dest *d = sched_dest_get(s, "example.net", 0, 0);
	struct sched_job job;
	unsigned order[4] = { 0 }, i, n, k, since = 0, worst = 0;

	for (i = 0; i < 4; i++)
		for (n = 0; n < 100; n++)
			assert_int_equal(sched_add(s, 1000 * (i + 1) + n, 0, d, 7, prio[i]), E_OK);
	for (n = 0; n < 24 * SCHED_LOWER_TURN / 2; n++) {
		assert_int_equal(sched_next(s, 1000, BOTH, &job), E_OK);
		k = (unsigned)(job.msgid / 1000 - 1);
		/* Within one priority the order stays. */
		assert_int_equal(job.msgid % 1000, order[k]);
		order[k]++;
		since = k == 2 ? 0 : since + 1;
		worst = since > worst ? since : worst;
		sched_forget(s, job.msgid, 0);
		sched_job_done(s, job.dest, REACHED, 0, NULL, 1000);
	}
	assert_int_equal(order[1], 96 - 12);
	assert_int_equal(order[0], 4);
	assert_int_equal(order[2], 4);
	assert_int_equal(order[3], 4);
	assert_true(worst < 3 * SCHED_LOWER_TURN);
	sched_free(s);
}

/* One priority alone is served as ever, whatever it is. */
static void
test_priority_alone(void **state)
{
	struct sched *s = sched_new(&conf);
	struct sched_dest *d = sched_dest_get(s, "example.net", 0, 0);
	struct sched_job job;
	uint64_t i;

	for (i = 1; i <= 40; i++)
		assert_int_equal(sched_add(s, i, 0, d, i % 2, -4), E_OK);
	for (i = 1; i <= 40; i++) {
		assert_int_equal(sched_next(s, 1000, BOTH, &job), E_OK);
		assert_int_equal(job.msgid, i);
		sched_forget(s, job.msgid, 0);
		sched_job_done(s, job.dest, REACHED, 0, NULL, 1000);
	}
	assert_int_equal(sched_next(s, 1000, BOTH, &job), E_AGAIN);
	sched_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_priority),
		cmocka_unit_test(test_priority_alone),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_concurrency),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_provider_slot),
		cmocka_unit_test(test_provider),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_dead_domain),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_retry),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
