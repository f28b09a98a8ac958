/* failures_test.c -- counts, delays, windows, friends, and what a flood makes forgotten.  The time
 * is the test's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "auth/failures.h"
#include "common/limits.h"
#include "common/siphash.h"

#define WINDOW	600000u
#define MAX	10

static const struct failure_limits	lim = { .max = MAX, .window_ms = WINDOW };
static struct failures			*f;
static uint64_t				 now;

static struct net_addr
addr(const char *s)
{
	struct net_addr	a;

	assert_int_equal(net_addr_parse(&a, slice_str(s)), 0);
	return (a);
}

static uint32_t
fails(const char *a, const char *login)
{
	struct net_addr	n = addr(a);
	unsigned	reached;

	return (failures_add(f, &lim, &n, slice_str(login), now, &reached));
}

static unsigned
reaches(const char *a, const char *login)
{
	struct net_addr	n = addr(a);
	unsigned	reached;

	(void)failures_add(f, &lim, &n, slice_str(login), now, &reached);
	return (reached);
}

static unsigned
barred(const char *a, const char *login)
{
	struct net_addr	n = addr(a);

	return (failures_barred(f, &lim, &n, slice_str(login), now));
}

static void
succeeds(const char *a, const char *login)
{
	struct net_addr	n = addr(a);

	failures_success(f, &lim, &n, slice_str(login), now);
}

static void
delays(void **state)
{
	static const uint32_t	want[] = { 1, 2, 4, 8, 16, 30, 30, 30, 30, 30 };

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(fails("192.0.2.1", "alice"), want[i] * 1000);
	assert_int_equal(fails("192.0.2.1", "x"), 30000);	/* the largest of the three counts */
	assert_int_equal(fails("192.0.2.2", "y"), 1000);
	for (int i = 0; i < 100; i++)
		assert_true(fails("192.0.2.1", "alice") <= AUTH_DELAY_MAX_S * 1000);
}

/* max - 1, max; the window begins anew when the limit is reached. */
static void
limits(void **state)
{
	for (int i = 0; i < MAX - 1; i++)
		assert_int_equal(reaches("192.0.2.1", "alice"), 0);
	assert_int_equal(barred("192.0.2.1", "alice"), 0);
	now += WINDOW - 1;
	assert_int_equal(reaches("192.0.2.1", "alice"), BARRED(FAILURE_ADDRESS) | BARRED(FAILURE_LOGIN) | BARRED(FAILURE_PAIR));
	assert_int_equal(barred("192.0.2.1", "alice"), BARRED(FAILURE_ADDRESS) | BARRED(FAILURE_LOGIN) | BARRED(FAILURE_PAIR));
	assert_int_equal(barred("192.0.2.1", "bob"), BARRED(FAILURE_ADDRESS));
	assert_int_equal(barred("192.0.2.2", "alice"), BARRED(FAILURE_LOGIN));
	assert_int_equal(barred("192.0.2.2", "bob"), 0);
	assert_int_equal(reaches("192.0.2.1", "alice"), 0);	/* once */
	now += WINDOW - 1;
	assert_int_not_equal(barred("192.0.2.1", "alice"), 0);
	now += 1;
	assert_int_equal(barred("192.0.2.1", "alice"), 0);
	assert_int_equal(fails("192.0.2.1", "alice"), 1000);
}

/* One who fails slowly is not kept out. */
static void
window(void **state)
{
	for (int i = 0; i < 100; i++) {
		assert_int_equal(reaches("192.0.2.1", "alice"), 0);
		now += WINDOW / (MAX - 2);
	}
	assert_int_equal(barred("192.0.2.1", "alice"), 0);
}

static void
prefixes(void **state)
{
	char	login[32];

	for (int i = 0; i < MAX; i++) {
		(void)snprintf(login, sizeof(login), "u%d", i);
		(void)fails(i % 2 == 0 ? "2001:db8:1:1::1" : "2001:db8:1:1:ffff::2", login);
	}
	assert_int_equal(barred("2001:db8:1:1:8000::", "z"), BARRED(FAILURE_ADDRESS));
	assert_int_equal(barred("2001:db8:1:2::1", "z"), 0);
	for (int i = 0; i < MAX; i++)
		(void)fails("192.0.2.1", login);
	assert_int_equal(barred("192.0.2.0", "z"), 0);
	/* There everybody has the same address; a login has its count all the same. */
	for (int i = 0; i < 5 * MAX; i++) {
		(void)snprintf(login, sizeof(login), "v%d", i);
		(void)fails(i % 2 == 0 ? "127.0.0.1" : "::1", login);
	}
	assert_int_equal(barred("127.0.0.1", "z"), 0);
	for (int i = 0; i < MAX; i++)
		(void)fails("127.0.0.1", "victim");
	assert_int_equal(barred("127.0.0.1", "victim"), BARRED(FAILURE_LOGIN) | BARRED(FAILURE_PAIR));
}

/* Attacked from everywhere, it is open where it succeeded. */
static void
friends(void **state)
{
	char	a[32];

	succeeds("198.51.100.7", "alice");
	for (int i = 0; i < 3 * MAX; i++) {
		(void)snprintf(a, sizeof(a), "192.0.2.%d", i);
		(void)fails(a, "alice");
	}
	assert_int_equal(barred("192.0.2.100", "alice"), BARRED(FAILURE_LOGIN));
	assert_int_equal(barred("198.51.100.7", "alice"), 0);
	assert_int_equal(barred("198.51.100.8", "alice"), BARRED(FAILURE_LOGIN));
	/* A neighbour's failures behind the same address do not count for it, and its own do not
	 * for him. */
	for (int i = 0; i < MAX; i++)
		(void)fails("198.51.100.7", "bob");
	assert_int_equal(barred("198.51.100.7", "alice"), 0);
	assert_int_equal(barred("198.51.100.7", "carol"), BARRED(FAILURE_ADDRESS));
	now += 2 * WINDOW;
	for (int i = 0; i < MAX; i++) {
		assert_int_equal(barred("198.51.100.7", "alice"), 0);
		(void)fails("198.51.100.7", "alice");
	}
	assert_int_equal(barred("198.51.100.7", "alice"), BARRED(FAILURE_PAIR));	/* nor may he guess there without end */
	assert_int_equal(barred("198.51.100.7", "dave"), 0);
	assert_int_equal(barred("192.0.2.100", "alice"), 0);
	/* For a time. */
	now += 2 * WINDOW;
	succeeds("198.51.100.7", "alice");
	now += (uint64_t)AUTH_FRIEND_S * 1000 - 1;
	for (int i = 0; i < MAX; i++)
		(void)fails("192.0.2.1", "alice");
	assert_int_equal(barred("198.51.100.7", "alice"), 0);
	now += 1;
	assert_int_equal(barred("198.51.100.7", "alice"), BARRED(FAILURE_LOGIN));
}

/* A success takes back its own failures, and nobody else's. */
static void
success(void **state)
{
	for (int i = 0; i < MAX - 1; i++)
		(void)fails("192.0.2.1", "alice");
	succeeds("192.0.2.1", "alice");
	assert_int_equal(fails("192.0.2.1", "bob"), 1000);
	assert_int_equal(fails("192.0.2.9", "alice"), 1000);
	/* Who has an account guesses for others in between: it does not help him. */
	for (int i = 0; i < MAX - 1; i++) {
		char	login[32];

		assert_int_equal(barred("192.0.2.1", "victim"), 0);
		(void)snprintf(login, sizeof(login), "victim%d", i);
		(void)fails("192.0.2.1", login);
		succeeds("192.0.2.1", "alice");
	}
	assert_int_equal(barred("192.0.2.1", "victim"), BARRED(FAILURE_ADDRESS));
}

static void
v4(struct net_addr *a, uint32_t n)
{
	char	s[32];

	(void)snprintf(s, sizeof(s), "10.%u.%u.%u", (unsigned)(n >> 16 & 255), (unsigned)(n >> 8 & 255), (unsigned)(n & 255));
	*a = addr(s);
}

/* Memory is bounded: the oldest goes first, at AUTH_FAILURES_MAX - 1, AUTH_FAILURES_MAX, + 1;
 * friends stay. */
static void
flood(void **state)
{
	const uint32_t	room = AUTH_FAILURES_MAX;
	struct net_addr	a;
	unsigned	reached;
	uint32_t	n = 0;

	succeeds("198.51.100.7", "alice");
	for (int i = 0; i < MAX; i++)
		(void)fails("203.0.113.1", "victim");		/* three counts */
	/* Each of these two. */
	for (; n < (room - 3) / 3; n++) {
		char	login[16];

		(void)snprintf(login, sizeof(login), "%u", (unsigned)n);
		v4(&a, n);
		(void)failures_add(f, &lim, &a, slice_str(login), now, &reached);
	}
	assert_int_equal((room - 3) % 3, 1);	/* 65536: there is room for one more */
	assert_int_equal(barred("203.0.113.1", "victim"), BARRED(FAILURE_ADDRESS) | BARRED(FAILURE_LOGIN) | BARRED(FAILURE_PAIR));
	for (int i = 0; i < MAX; i++)		/* two counts: loopback's own address has none */
		(void)fails("127.0.0.1", "one-too-many");
	assert_int_equal(barred("203.0.113.1", "victim"), BARRED(FAILURE_ADDRESS) | BARRED(FAILURE_LOGIN));
	assert_int_equal(barred("127.0.0.1", "one-too-many"), BARRED(FAILURE_LOGIN) | BARRED(FAILURE_PAIR));
	for (n = 0; n < 2 * room; n++) {
		char	login[16];

		(void)snprintf(login, sizeof(login), "%u", (unsigned)n);
		v4(&a, n);
		(void)failures_add(f, &lim, &a, slice_str(login), now, &reached);
	}
	assert_int_equal(barred("203.0.113.1", "victim"), 0);
	for (int i = 0; i < MAX; i++)
		(void)fails("203.0.113.1", "alice");
	assert_int_equal(barred("198.51.100.7", "alice"), 0);
}

/* And of friends the one who was there longest ago. */
static void
many_friends(void **state)
{
	static const char *const	who[] = { "198.51.100.7", "198.51.100.8" };

	succeeds(who[0], "alice");
	succeeds(who[1], "alice");
	for (uint32_t n = 0; n < AUTH_FRIENDS_MAX - 2; n++) {
		char		login[16];
		struct net_addr	a;

		(void)snprintf(login, sizeof(login), "%u", (unsigned)n);
		v4(&a, n);
		failures_success(f, &lim, &a, slice_str(login), now);
	}
	for (int i = 0; i < MAX; i++)
		(void)fails("203.0.113.1", "alice");
	assert_int_equal(barred(who[0], "alice"), 0);
	assert_int_equal(barred(who[1], "alice"), 0);
	succeeds(who[0], "alice");		/* touched: now the other one is the oldest */
	succeeds("192.0.2.1", "bob");
	assert_int_equal(barred(who[0], "alice"), 0);
	assert_int_equal(barred(who[1], "alice"), BARRED(FAILURE_LOGIN));
}

/* Different things have different counts, however they are written side by side. */
static void
apart(void **state)
{
	char	longest[LOGIN_MAX + 1], other[LOGIN_MAX + 1];

	memset(longest, 'a', LOGIN_MAX);
	longest[LOGIN_MAX] = '\0';
	memcpy(other, longest, sizeof(other));
	other[LOGIN_MAX - 1] = 'b';
	for (int i = 0; i < MAX; i++)
		(void)fails("127.0.0.1", longest);
	assert_int_not_equal(barred("127.0.0.1", longest), 0);
	assert_int_equal(barred("127.0.0.1", other), 0);
	other[LOGIN_MAX - 1] = '\0';
	assert_int_equal(barred("127.0.0.1", other), 0);
	assert_int_equal(barred("127.0.0.1", ""), 0);
}

/* Dovecot and PAM may take "Alice" for "alice": who guesses has one count for them all, and a success under one is a
 * friend's of that one alone. */
static void
cases(void **state)
{
	static const char *const	forms[] = { "alice", "Alice", "ALICE", "aLICE", "alicE" };
	char				a[32];

	succeeds("198.51.100.7", "ALICE");
	for (size_t i = 0; i < MAX; i++) {
		(void)snprintf(a, sizeof(a), "192.0.2.%zu", i);
		assert_int_equal(barred("203.0.113.1", forms[i % 5]), 0);
		(void)fails(a, forms[i % 5]);
	}
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(barred("203.0.113.1", forms[i]), BARRED(FAILURE_LOGIN));
	assert_int_equal(barred("198.51.100.7", "ALICE"), 0);
	assert_int_equal(barred("198.51.100.7", "alice"), BARRED(FAILURE_LOGIN));
	assert_int_equal(barred("203.0.113.1", "alice["), 0);
}

static int
setup(void **state)
{
	now = 1000000;
	return ((f = failures_new()) == NULL ? -1 : 0);
}

static int
teardown(void **state)
{
	failures_free(f);
	return (0);
}

#define TEST(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(delays), TEST(limits), TEST(window), TEST(prefixes), TEST(friends), TEST(success), TEST(flood),
		TEST(many_friends), TEST(apart), TEST(cases),
	};

	siphash_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
