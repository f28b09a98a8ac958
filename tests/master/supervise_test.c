/*
 * supervise_test.c -- the life of a daemon under a clock of our own (R13, F19).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "master/supervise.h"

/* A script: at this time this event, wanted action, state and next time of interest. */
struct step {
	uint64_t	at_ms;
	enum sv_event	event;
	enum sv_action	action;
	enum sv_state	state;
	uint64_t	due_ms;
};
#define NEVER	UINT64_MAX

static void
run(struct supervise *s, const struct step *st, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		enum sv_action a = supervise_event(s, st[i].event, st[i].at_ms);

		if (a != st[i].action || s->state != st[i].state || supervise_due(s) != st[i].due_ms)
			fail_msg("step %zu: action %d state %d due %llu, wanted %d %d %llu", i, a, s->state,
			    (unsigned long long)supervise_due(s), st[i].action, st[i].state,
			    (unsigned long long)st[i].due_ms);
	}
}
#define RUN(s, st) run((s), (st), sizeof(st) / sizeof((st)[0]))

static void
test_pings(void **state)
{
	struct supervise s;
	static const struct step st[] = {
		{ 1000, SV_START, SV_DO_SPAWN, SV_STARTING, 1000 + START_TIMEOUT_MS },
		{ 1000, SV_START, SV_NOTHING, SV_STARTING, 1000 + START_TIMEOUT_MS },
		{ 1100, SV_READY, SV_NOTHING, SV_RUNNING, 1100 + PING_INTERVAL_MS },
		{ 1100 + PING_INTERVAL_MS - 1, SV_TICK, SV_NOTHING, SV_RUNNING, 1100 + PING_INTERVAL_MS },
		{ 1100 + PING_INTERVAL_MS, SV_TICK, SV_DO_PING, SV_RUNNING, 1100 + PING_INTERVAL_MS + PING_TIMEOUT_MS },
		{ 5000, SV_PONG, SV_NOTHING, SV_RUNNING, 5000 + PING_INTERVAL_MS },
		{ 5001, SV_PONG, SV_NOTHING, SV_RUNNING, 5000 + PING_INTERVAL_MS },	/* nobody asked */
		{ 5000 + PING_INTERVAL_MS, SV_TICK, SV_DO_PING, SV_RUNNING, 5000 + PING_INTERVAL_MS + PING_TIMEOUT_MS },
		{ 5000 + PING_INTERVAL_MS + PING_TIMEOUT_MS - 1, SV_TICK, SV_NOTHING, SV_RUNNING,
		    5000 + PING_INTERVAL_MS + PING_TIMEOUT_MS },
		{ 5000 + PING_INTERVAL_MS + PING_TIMEOUT_MS, SV_TICK, SV_DO_KILL, SV_KILLED, NEVER },
		{ 40000, SV_PONG, SV_NOTHING, SV_KILLED, NEVER },	/* too late */
		{ 40000, SV_READY, SV_NOTHING, SV_KILLED, NEVER },
		{ 40000, SV_EXIT, SV_DO_BACKOFF, SV_BACKOFF, 40000 + BACKOFF_FIRST_MS },
		{ 40000 + BACKOFF_FIRST_MS, SV_TICK, SV_DO_SPAWN, SV_STARTING,
		    40000 + BACKOFF_FIRST_MS + START_TIMEOUT_MS },
	};

	(void)state;
	supervise_init(&s);
	RUN(&s, st);
	assert_int_equal(s.restarts, 1);
}

/* Master was stopped or starved: what lies unread is read before anybody is killed, and then the limit counts. */
static void
test_late(void **state)
{
	struct supervise s;
	static const struct step st[] = {
		{ 1000, SV_START, SV_DO_SPAWN, SV_STARTING, 1000 + START_TIMEOUT_MS },
		{ 1000 + START_TIMEOUT_MS + LATE_MS, SV_TICK, SV_NOTHING, SV_STARTING,
		    1000 + START_TIMEOUT_MS + LATE_MS + PING_INTERVAL_MS },
		{ 130000, SV_READY, SV_NOTHING, SV_RUNNING, 130000 + PING_INTERVAL_MS },
		{ 200000, SV_TICK, SV_DO_PING, SV_RUNNING, 200000 + PING_TIMEOUT_MS },
		{ 300000, SV_TICK, SV_NOTHING, SV_RUNNING, 300000 + PING_INTERVAL_MS },
		{ 300001, SV_PONG, SV_NOTHING, SV_RUNNING, 300001 + PING_INTERVAL_MS },
		{ 310000, SV_TICK, SV_DO_PING, SV_RUNNING, 310000 + PING_TIMEOUT_MS },
		{ 310000 + PING_TIMEOUT_MS + LATE_MS, SV_TICK, SV_NOTHING, SV_RUNNING,
		    310000 + PING_TIMEOUT_MS + LATE_MS + PING_INTERVAL_MS },
		{ 310000 + PING_TIMEOUT_MS + LATE_MS + PING_INTERVAL_MS + LATE_MS - 1, SV_TICK, SV_DO_KILL, SV_KILLED, NEVER },
	};

	(void)state;
	supervise_init(&s);
	RUN(&s, st);
}

static void
test_never_ready(void **state)
{
	struct supervise s;
	static const struct step st[] = {
		{ 0, SV_START, SV_DO_SPAWN, SV_STARTING, START_TIMEOUT_MS },
		{ START_TIMEOUT_MS, SV_TICK, SV_DO_KILL, SV_KILLED, NEVER },
		{ START_TIMEOUT_MS, SV_EXIT, SV_DO_BACKOFF, SV_BACKOFF, START_TIMEOUT_MS + BACKOFF_FIRST_MS },
	};

	(void)state;
	supervise_init(&s);
	RUN(&s, st);
}

/* 100 ms doubling; one more than CRASH_MAX within the window stops it; a reload starts afresh. */
static void
test_backoff_and_alert(void **state)
{
	struct supervise s;
	uint64_t now = 0, want = BACKOFF_FIRST_MS;
	unsigned i;

	(void)state;
	supervise_init(&s);
	assert_int_equal(supervise_event(&s, SV_START, now), SV_DO_SPAWN);
	for (i = 0; i < CRASH_MAX; i++) {
		assert_int_equal(supervise_event(&s, SV_EXIT, now), SV_DO_BACKOFF);
		assert_int_equal(supervise_due(&s), now + want);
		now += want;
		want = want * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : want * 2;
		assert_int_equal(supervise_event(&s, SV_TICK, now), SV_DO_SPAWN);
	}
	assert_true(now < CRASH_WINDOW_MS);
	assert_int_equal(supervise_event(&s, SV_EXIT, now), SV_DO_ALERT);
	assert_int_equal(s.state, SV_FAILED);
	assert_int_equal(supervise_event(&s, SV_TICK, now + BACKOFF_MAX_MS), SV_NOTHING);
	assert_int_equal(supervise_event(&s, SV_START, now), SV_DO_SPAWN);
	assert_int_equal(supervise_event(&s, SV_EXIT, now), SV_DO_BACKOFF);
	assert_int_equal(supervise_due(&s), now + BACKOFF_FIRST_MS);
}

/* Crashes that lie further apart than the window never stop it; the wait reaches its cap. */
static void
test_slow_crashes(void **state)
{
	struct supervise s;
	uint64_t now = 0;
	unsigned i;

	(void)state;
	supervise_init(&s);
	(void)supervise_event(&s, SV_START, now);
	for (i = 0; i < 100; i++) {
		(void)supervise_event(&s, SV_READY, now);
		now += CRASH_WINDOW_MS / CRASH_MAX;
		assert_int_equal(supervise_event(&s, SV_EXIT, now), SV_DO_BACKOFF);
		now = supervise_due(&s);
		assert_int_equal(supervise_event(&s, SV_TICK, now), SV_DO_SPAWN);
	}
	assert_int_equal(s.backoff_ms, BACKOFF_MAX_MS);
	assert_int_equal(s.restarts, 100);
}

static void
test_healthy_resets(void **state)
{
	static const struct { uint64_t lived; uint32_t wait; } rows[] = {
		{ HEALTHY_MS - 1, 2 * BACKOFF_FIRST_MS }, { HEALTHY_MS, BACKOFF_FIRST_MS },
		{ HEALTHY_MS + 1, BACKOFF_FIRST_MS },
	};
	struct supervise s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		supervise_init(&s);
		(void)supervise_event(&s, SV_START, 0);
		(void)supervise_event(&s, SV_EXIT, 0);
		(void)supervise_event(&s, SV_TICK, BACKOFF_FIRST_MS);
		(void)supervise_event(&s, SV_READY, 1000);
		assert_int_equal(supervise_event(&s, SV_EXIT, 1000 + rows[i].lived), SV_DO_BACKOFF);
		assert_int_equal(s.backoff_ms, rows[i].wait);
	}
}

static void
test_stop(void **state)
{
	struct supervise s;
	static const struct step polite[] = {
		{ 0, SV_START, SV_DO_SPAWN, SV_STARTING, START_TIMEOUT_MS },
		{ 10, SV_READY, SV_NOTHING, SV_RUNNING, 10 + PING_INTERVAL_MS },
		{ 20, SV_STOP, SV_DO_STOP, SV_STOPPING, 20 + 5000 + STOP_GRACE_MS },
		{ 30, SV_STOP, SV_NOTHING, SV_STOPPING, 20 + 5000 + STOP_GRACE_MS },
		{ 40, SV_LOSE, SV_NOTHING, SV_STOPPING, 20 + 5000 + STOP_GRACE_MS },
		{ 50, SV_EXIT, SV_DO_GONE, SV_IDLE, NEVER },
	};
	static const struct step stubborn[] = {
		{ 0, SV_START, SV_DO_SPAWN, SV_STARTING, START_TIMEOUT_MS },
		{ 0, SV_STOP, SV_DO_STOP, SV_STOPPING, 5000 + STOP_GRACE_MS },
		{ 5000 + STOP_GRACE_MS, SV_TICK, SV_DO_TERM, SV_STOPPING, 5000 + 2 * STOP_GRACE_MS },
		{ 5000 + 2 * STOP_GRACE_MS, SV_TICK, SV_DO_KILL, SV_STOPPING, NEVER },
		{ 9500, SV_EXIT, SV_DO_GONE, SV_IDLE, NEVER },
	};
	static const struct step backing_off[] = {
		{ 0, SV_START, SV_DO_SPAWN, SV_STARTING, START_TIMEOUT_MS },
		{ 0, SV_EXIT, SV_DO_BACKOFF, SV_BACKOFF, BACKOFF_FIRST_MS },
		{ 1, SV_RECYCLE, SV_NOTHING, SV_BACKOFF, BACKOFF_FIRST_MS },
		{ 1, SV_STOP, SV_DO_GONE, SV_IDLE, NEVER },
	};

	(void)state;
	supervise_init(&s);
	s.stop_ms = 5000;
	RUN(&s, polite);
	supervise_init(&s);
	s.stop_ms = 5000;
	RUN(&s, stubborn);
	supervise_init(&s);
	RUN(&s, backing_off);
}

/* A graceful restart is no crash; a stop in its middle wins; wanted again while leaving also. */
static void
test_recycle(void **state)
{
	struct supervise s;
	static const struct step st[] = {
		{ 0, SV_START, SV_DO_SPAWN, SV_STARTING, START_TIMEOUT_MS },
		{ 0, SV_READY, SV_NOTHING, SV_RUNNING, PING_INTERVAL_MS },
		{ 1, SV_RECYCLE, SV_DO_STOP, SV_RECYCLING, 1 + 1000 + STOP_GRACE_MS },
		{ 2, SV_EXIT, SV_DO_SPAWN, SV_STARTING, 2 + START_TIMEOUT_MS },
		{ 3, SV_READY, SV_NOTHING, SV_RUNNING, 3 + PING_INTERVAL_MS },
		{ 4, SV_RECYCLE, SV_DO_STOP, SV_RECYCLING, 4 + 1000 + STOP_GRACE_MS },
		{ 5, SV_STOP, SV_NOTHING, SV_STOPPING, 4 + 1000 + STOP_GRACE_MS },
		{ 6, SV_RECYCLE, SV_NOTHING, SV_RECYCLING, 4 + 1000 + STOP_GRACE_MS },
		{ 7, SV_STOP, SV_NOTHING, SV_STOPPING, 4 + 1000 + STOP_GRACE_MS },
		{ 8, SV_EXIT, SV_DO_GONE, SV_IDLE, NEVER },
	};

	(void)state;
	supervise_init(&s);
	s.stop_ms = 1000;
	RUN(&s, st);
	assert_int_equal(s.ncrashes, 0);
}

static void
test_lost_and_broken(void **state)
{
	struct supervise s;
	static const struct step st[] = {
		{ 0, SV_START, SV_DO_SPAWN, SV_STARTING, START_TIMEOUT_MS },
		{ 0, SV_READY, SV_NOTHING, SV_RUNNING, PING_INTERVAL_MS },
		{ 1, SV_LOSE, SV_NOTHING, SV_LOST, 1 + LOST_GRACE_MS },
		{ 1 + LOST_GRACE_MS, SV_TICK, SV_DO_KILL, SV_KILLED, NEVER },
		{ 6000, SV_EXIT, SV_DO_BACKOFF, SV_BACKOFF, 6000 + BACKOFF_FIRST_MS },
		{ 6100, SV_TICK, SV_DO_SPAWN, SV_STARTING, 6100 + START_TIMEOUT_MS },
		{ 6101, SV_BROKEN, SV_DO_KILL, SV_KILLED, NEVER },
		{ 6102, SV_BROKEN, SV_NOTHING, SV_KILLED, NEVER },
		{ 6103, SV_STOP, SV_NOTHING, SV_STOPPING, NEVER },
		{ 6104, SV_EXIT, SV_DO_GONE, SV_IDLE, NEVER },
	};

	(void)state;
	supervise_init(&s);
	RUN(&s, st);
}

static void
test_words(void **state)
{
	struct supervise s;
	char text[64];

	(void)state;
	supervise_init(&s);
	assert_string_equal(supervise_str(&s, 0, text, sizeof(text)), "not started");
	(void)supervise_event(&s, SV_START, 0);
	(void)supervise_event(&s, SV_READY, 0);
	assert_string_equal(supervise_str(&s, 0, text, sizeof(text)), "running");
	s.backoff_ms = 1600;
	(void)supervise_event(&s, SV_EXIT, 100);
	assert_string_equal(supervise_str(&s, 200, text, sizeof(text)), "backing off 4s");
	s.state = SV_FAILED;
	s.ncrashes = 11;
	assert_string_equal(supervise_str(&s, 0, text, sizeof(text)), "stopped: 11 crashes in 300s");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pings),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_never_ready),
		cmocka_unit_test(test_backoff_and_alert),
		cmocka_unit_test(test_slow_crashes),
		cmocka_unit_test(test_healthy_resets),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_recycle),
		cmocka_unit_test(test_lost_and_broken),
		cmocka_unit_test(test_words),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
