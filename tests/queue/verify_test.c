/*
 * verify_test.c -- call-ahead: what is remembered and for how long, one probe for all who ask, few at one
 * destination, and everybody answered once.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "queue/verify.h"

#define DAY	86400000ull
#define HOUR	3600000ull

struct kit {
	struct verify	*v;
	char		 host[64];	/* where all is routed; "" nowhere */
	int		 nobody;	/* to ask */
	unsigned	 nprobe;
	struct ipc_probe probe[1024];	/* as they were sent */
	unsigned	 nanswer;
	struct { uint64_t peer; struct ipc_verify_result r; } answer[64];	/* the last, by number modulo 64 */
};

static int
route(void *arg, const char *address, struct ipc_probe *p, char dest[static VERIFY_DEST_NAME])
{
	struct kit *k = arg;
	const char *at = strrchr(address, '@');

	if (k->host[0] == '\0')
		return (E_NOTFOUND);
	p->hop = HOP_SMTP;
	p->port = 25;
	/* By the domain, so that a test can have several destinations. */
	(void)snprintf(p->host, sizeof(p->host), "%s.%s", k->host, at + 1);
	(void)snprintf(dest, VERIFY_DEST_NAME, "[%s]:25", p->host);
	return (E_OK);
}

static int
probe(void *arg, const struct ipc_probe *p, uint64_t *via)
{
	struct kit *k = arg;

	if (k->nobody)
		return (E_AGAIN);
	*via = 7;
	assert_int_equal(p->timeout_ms, VERIFY_WAIT_MS);
	k->probe[k->nprobe++ % 1024] = *p;
	return (E_OK);
}

static void
answer(void *arg, uint64_t peer, const struct ipc_verify_result *r)
{
	struct kit *k = arg;

	k->answer[k->nanswer % 64].peer = peer;
	k->answer[k->nanswer++ % 64].r = *r;
}

static const struct verify_ops ops = { .route = route, .probe = probe, .answer = answer };

static void
kit_open(struct kit *k)
{
	static const struct verify_times times = { .positive_ms = DAY, .negative_ms = HOUR };

	memset(k, 0, sizeof(*k));
	(void)snprintf(k->host, sizeof(k->host), "mx");
	k->v = verify_new(&ops, k, 100);
	assert_non_null(k->v);
	verify_configure(k->v, &times);
}

static void
ask(struct kit *k, uint64_t peer, uint32_t id, const char *address, uint64_t now)
{
	struct ipc_verify m = { .id = id };

	(void)snprintf(m.address, sizeof(m.address), "%s", address);
	verify_ask(k->v, peer, &m, now);
}

static void
say(struct kit *k, unsigned n, enum outcome outcome, uint64_t now)
{
	struct ipc_probe_result r = { .id = k->probe[n].id, .outcome = (uint8_t)outcome,
	    .code = outcome == OUT_DELIVERED ? 250 : outcome == OUT_PERMFAIL ? 550 : 451,
	    .enhanced = { outcome == OUT_DELIVERED ? 2 : outcome == OUT_PERMFAIL ? 5 : 4, 1, 1 }, .text = "said so" };

	verify_result(k->v, 7, &r, now);
}

#define LAST(k)	((k)->answer[((k)->nanswer - 1) % 64])

/* Each answer: what the questioner hears, and how long it is good for. */
static void
test_answers(void **state)
{
	static const struct { enum outcome out; enum verify_status status; uint16_t code; uint64_t good; } t[] = {
		{ OUT_DELIVERED, VERIFY_TAKEN, 250, DAY },
		{ OUT_PERMFAIL, VERIFY_REFUSED, 550, HOUR },
		{ OUT_TEMPFAIL, VERIFY_UNKNOWN, 451, 0 },
	};
	static struct kit k;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		kit_open(&k);
		ask(&k, 1, 11, "b@x.example", 1000);
		assert_int_equal(k.nprobe, 1);
		assert_int_equal(k.nanswer, 0);
		assert_string_equal(k.probe[0].host, "mx.x.example");
		assert_string_equal(k.probe[0].address, "b@x.example");
		say(&k, 0, t[i].out, 2000);
		assert_int_equal(k.nanswer, 1);
		assert_int_equal(LAST(&k).peer, 1);
		assert_int_equal(LAST(&k).r.id, 11);
		assert_int_equal(LAST(&k).r.status, t[i].status);
		assert_int_equal(LAST(&k).r.code, t[i].code);
		assert_string_equal(LAST(&k).r.text, "said so");
		assert_int_equal(verify_known(k.v), t[i].good != 0);
		ask(&k, 2, 12, "b@x.example", 2000 + (t[i].good != 0 ? t[i].good - 1 : 0));
		assert_int_equal(k.nprobe, t[i].good != 0 ? 1 : 2);
		if (t[i].good != 0) {
			assert_int_equal(LAST(&k).peer, 2);
			assert_int_equal(LAST(&k).r.id, 12);
			assert_int_equal(LAST(&k).r.status, t[i].status);
			ask(&k, 2, 13, "b@x.example", 2000 + t[i].good);
			assert_int_equal(k.nprobe, 2);
		}
		verify_free(k.v);
	}
}

static void
test_one_probe_for_all(void **state)
{
	static struct kit k;
	uint32_t i;

	kit_open(&k);
	for (i = 0; i < 20; i++)
		ask(&k, 1 + i % 3, i, "b@x.example", 1000 + i);
	ask(&k, 1, 99, "B@x.example", 1000);	/* a local part's case counts */
	assert_int_equal(k.nprobe, 2);
	say(&k, 0, OUT_DELIVERED, 2000);
	assert_int_equal(k.nanswer, 20);
	for (i = 0; i < 20; i++) {
		assert_int_equal(k.answer[i].r.id, i);
		assert_int_equal(k.answer[i].peer, 1 + i % 3);
	}
	say(&k, 0, OUT_PERMFAIL, 2001);		/* twice: nothing */
	assert_int_equal(k.nanswer, 20);
	verify_free(k.v);
}

/* At one destination VERIFY_DEST_MAX, in all VERIFY_PROBES_MAX; the next follows when one has ended. */
static void
test_limits(void **state)
{
	static struct kit k;
	char address[64];
	uint32_t i;

	kit_open(&k);
	for (i = 0; i < VERIFY_DEST_MAX + 1; i++) {
		assert_int_equal(verify_asking(k.v), i);
		(void)snprintf(address, sizeof(address), "u%u@x.example", i);
		ask(&k, 1, i, address, 1000);
	}
	assert_int_equal(k.nprobe, VERIFY_DEST_MAX);
	say(&k, 1, OUT_DELIVERED, 1500);
	assert_int_equal(k.nprobe, VERIFY_DEST_MAX + 1);
	assert_string_equal(k.probe[VERIFY_DEST_MAX].address, address);
	verify_free(k.v);

	kit_open(&k);
	for (i = 0; i < VERIFY_PROBES_MAX + 2; i++) {
		(void)snprintf(address, sizeof(address), "u@x%u.example", i);
		ask(&k, 1, i, address, 1000);
	}
	assert_int_equal(k.nprobe, VERIFY_PROBES_MAX);
	say(&k, 0, OUT_TEMPFAIL, 1500);
	assert_int_equal(k.nprobe, VERIFY_PROBES_MAX + 1);
	assert_int_equal(verify_asking(k.v), VERIFY_PROBES_MAX);
	verify_free(k.v);
}

static void
test_cache_limit(void **state)
{
	static struct kit k;
	char address[64];
	unsigned i, before;

	kit_open(&k);
	for (i = 0; i < VERIFY_CACHE_MAX + 1; i++) {
		assert_int_equal(verify_known(k.v), i < VERIFY_CACHE_MAX ? i : VERIFY_CACHE_MAX);
		(void)snprintf(address, sizeof(address), "u%u@x.example", i);
		ask(&k, 1, i, address, 1000);
		say(&k, i % 1024, OUT_PERMFAIL, 1000);
		if (i == VERIFY_CACHE_MAX - 1)
			ask(&k, 1, i, "u0@x.example", 1001);	/* used: so the second goes first */
	}
	assert_int_equal(verify_known(k.v), VERIFY_CACHE_MAX);
	before = k.nprobe;
	ask(&k, 1, 1, "u0@x.example", 1002);
	assert_int_equal(k.nprobe, before);
	ask(&k, 1, 1, "u1@x.example", 1002);
	assert_int_equal(k.nprobe, before + 1);
	verify_free(k.v);
}

static void
test_waiters_limit(void **state)
{
	static struct kit k;
	uint32_t i;

	kit_open(&k);
	for (i = 0; i < VERIFY_WAITERS_MAX; i++)
		ask(&k, 1, i, "b@x.example", 1000);
	assert_int_equal(k.nanswer, 0);
	ask(&k, 1, i, "b@x.example", 1000);
	assert_int_equal(k.nanswer, 1);
	assert_int_equal(LAST(&k).r.status, VERIFY_UNKNOWN);
	verify_left(k.v, 1);
	ask(&k, 2, 5, "b@x.example", 1000);
	assert_int_equal(k.nanswer, 1);
	verify_free(k.v);
}

/* Another route: what the old next hop said does not count. */
static void
test_route(void **state)
{
	static struct kit k;

	kit_open(&k);
	ask(&k, 1, 1, "b@x.example", 1000);
	say(&k, 0, OUT_PERMFAIL, 1000);
	(void)snprintf(k.host, sizeof(k.host), "other");
	ask(&k, 1, 2, "b@x.example", 1001);
	assert_int_equal(k.nprobe, 2);
	assert_string_equal(k.probe[1].host, "other.x.example");
	assert_int_equal(k.nanswer, 1);
	k.host[0] = '\0';			/* to a mailbox now */
	ask(&k, 1, 3, "c@x.example", 1002);
	assert_int_equal(LAST(&k).r.status, VERIFY_UNKNOWN);
	verify_free(k.v);
}

/* A flood of questions gets nobody taken while the next hop answers; where it is silent, recipients are taken. */
static void
test_turn(void **state)
{
	static const struct { uint64_t after; int alive; unsigned answers; } t[] = {
		{ VERIFY_TURN_MS - 1, 1, 0 }, { VERIFY_TURN_MS, 1, 1 }, { VERIFY_TURN_MS + 1, 1, 1 },
		{ VERIFY_TURN_MS + 1, 0, 0 }, { VERIFY_WAIT_MS, 0, 1 },
	};
	static struct kit k;
	char address[64];
	unsigned before;
	uint32_t n;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		kit_open(&k);
		for (n = 0; n < VERIFY_DEST_MAX + 2; n++) {
			(void)snprintf(address, sizeof(address), "u%u@x.example", n);
			ask(&k, 1, n, address, 1000);
		}
		assert_int_equal(k.nprobe, VERIFY_DEST_MAX);
		if (t[i].alive)
			say(&k, 0, OUT_PERMFAIL, 1500);		/* the fifth takes its place, the last waits on */
		before = k.nanswer;
		verify_tick(k.v, 1000 + t[i].after);
		if (t[i].after < VERIFY_WAIT_MS)
			assert_int_equal(k.nanswer - before, t[i].answers);
		if (t[i].answers != 0)
			assert_int_equal(LAST(&k).r.id, VERIFY_DEST_MAX + 1);
		if (t[i].answers != 0)
			assert_int_equal(LAST(&k).r.code, t[i].alive ? 450 : 0);
		verify_free(k.v);
	}
}

/* Nobody to ask, deliver dies, no answer, an answer by another, a questioner that dies. */
static void
test_ends(void **state)
{
	static struct kit k;
	char address[64];
	uint32_t i;

	kit_open(&k);
	k.nobody = 1;
	ask(&k, 1, 1, "b@x.example", 1000);
	assert_int_equal(k.nanswer, 1);
	assert_int_equal(LAST(&k).r.status, VERIFY_UNKNOWN);
	k.nobody = 0;
	ask(&k, 1, 2, "b@x.example", 1000);
	verify_gone(k.v, 8, 1001);
	assert_int_equal(k.nanswer, 1);
	verify_gone(k.v, 7, 1001);
	assert_int_equal(k.nanswer, 2);
	assert_int_equal(LAST(&k).r.id, 2);
	assert_int_equal(LAST(&k).r.status, VERIFY_UNKNOWN);
	assert_int_equal(verify_asking(k.v), 0);

	/* Everybody has an answer within VERIFY_WAIT_MS; the late word is remembered all the same. */
	ask(&k, 1, 3, "b@x.example", 10000);
	verify_tick(k.v, 10000 + VERIFY_WAIT_MS - 1);
	assert_int_equal(k.nanswer, 2);
	verify_tick(k.v, 10000 + VERIFY_WAIT_MS);
	assert_int_equal(k.nanswer, 3);
	assert_int_equal(LAST(&k).r.status, VERIFY_UNKNOWN);
	say(&k, k.nprobe - 1, OUT_DELIVERED, 10000 + VERIFY_WAIT_MS + 5);
	assert_int_equal(k.nanswer, 3);
	ask(&k, 1, 4, "b@x.example", 10000 + VERIFY_WAIT_MS + 6);
	assert_int_equal(LAST(&k).r.status, VERIFY_TAKEN);
	/* One that is never answered is given up. */
	ask(&k, 1, 5, "c@x.example", 50000);
	verify_tick(k.v, 50000 + 2 * VERIFY_WAIT_MS);
	assert_int_equal(verify_asking(k.v), 0);

	/* Those of a smtpd that died are not asked when they have not begun. */
	for (i = 0; i < VERIFY_DEST_MAX + 3; i++) {
		(void)snprintf(address, sizeof(address), "v%u@x.example", i);
		ask(&k, 9, i, address, 60000);
	}
	i = k.nprobe;
	k.nanswer = 0;
	verify_left(k.v, 9);
	say(&k, i - 1, OUT_DELIVERED, 60001);
	assert_int_equal(k.nprobe, i);
	assert_int_equal(k.nanswer, 0);
	verify_free(k.v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_one_probe_for_all),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cache_limit),
		cmocka_unit_test(test_waiters_limit),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_ends),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
