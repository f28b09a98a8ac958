/* expand_test.c -- the client's recipients become those that are stored (RFC 3461 5.2.7); see queue/expand.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/limits.h"
#include "queue/expand.h"
#include "common/siphash.h"
#include "tests/common/rcpt_kit.h"

#define DUE	1795305325

static const char	tables[] =
    "domain d.test\n"
    "recipients@d.test alice\n"
    "recipients@d.test bob\n"
    "recipients@d.test carol\n"
    "aliases@d.test one alice@d.test\n"
    "aliases@d.test two alice@d.test bob@d.test\n"
    "aliases@d.test list alice@d.test x@else.test\n"
    "aliases@d.test owner-list bob@d.test\n"
    "aliases@d.test mixed list@d.test carol@d.test\n"
    "aliases@d.test both alice@d.test list@d.test\n"
    "aliases@d.test null /dev/null\n"
    "aliases@d.test nullone /dev/null alice@d.test\n"
    "aliases@d.test gone nosuch@d.test alice@d.test\n"
    "aliases@d.test ownedgone nosuch@d.test\n"
    "aliases@d.test owner-ownedgone bob@d.test\n"
    "aliases@d.test ping pong@d.test\n"
    "aliases@d.test pong ping@d.test\n";

static struct rcpt_kit	kit;

static int
setup(void **state)
{
	siphash_seed();
	kit_open(&kit, tables);
	return (0);
}

static int
teardown(void **state)
{
	kit_close(&kit);
	return (0);
}

/* "alice@d.test" or "alice@d.test SFDN rfc822;orcpt": NOTIFY's letters. */
static void
named(struct recipient *r, const char *text)
{
	char	 notify[8] = "";

	memset(r, 0, sizeof(*r));
	(void)sscanf(text, "%320s %7s %500s", r->address, notify, r->orcpt);
	for (const char *p = notify; *p != '\0'; p++)
		r->notify |= *p == 'S' ? NOTIFY_SUCCESS : *p == 'F' ? NOTIFY_FAILURE : *p == 'D' ? NOTIFY_DELAY :
		    *p == 'N' ? NOTIFY_NEVER : 0;
}

static void
told(struct buf *b, const struct recipient *r)
{
	static const char *const	owed[] = { "", " delivered", " relayed", " expanded", " failed" };
	char				code[ENHANCED_STRLEN];

	assert_int_equal(buf_addf(b, "%s%s %s%s%s%s%s", b->len != 0 ? ", " : "", r->address,
	    r->notify & NOTIFY_SUCCESS ? "S" : "", r->notify & NOTIFY_FAILURE ? "F" : "",
	    r->notify & NOTIFY_DELAY ? "D" : "", r->notify & NOTIFY_NEVER ? "N" : "", r->notify == 0 ? "-" : ""),
	    E_OK);
	assert_int_equal(buf_addf(b, "%s%s%s%s%s%s", r->orcpt[0] != '\0' ? " " : "", r->orcpt,
	    r->owned ? " by " : "", r->sender, owed[r->owed],
	    r->state == RCPT_FAILED ? enhanced_str(&r->enhanced, code) : ""), E_OK);
	assert_int_equal(r->next, DUE);
	assert_int_equal(r->state, r->owed == OWED_NONE ? RCPT_PENDING : r->owed == OWED_FAILED ? RCPT_FAILED :
	    RCPT_DELIVERED);
}

static int
run(const struct conf *conf, const char *const *names, uint32_t n, uint32_t slice, size_t memory, struct buf *out)
{
	struct recipient	*rcpt = calloc(n, sizeof(*rcpt)), r;
	struct expand		*x;
	int			 err;

	assert_non_null(rcpt);
	for (uint32_t i = 0; i < n; i++)
		named(&rcpt[i], names[i]);
	assert_non_null(x = expand_new(conf, rcpt, n, memory));
	while ((err = expand_some(x, slice)) == E_AGAIN)
		;
	for (uint32_t i = 0; err == E_OK && i < expand_count(x); i++) {
		expand_get(x, i, DUE, &r);
		assert_int_equal(r.index, i);
		told(out, &r);
	}
	if (err == E_OK && expand_is_plain(x))
		assert_int_equal(expand_count(x), n);
	for (uint32_t i = 0; err == E_OK && i < n; i++)
		if (expand_is_discarded(x, i))
			assert_int_equal(buf_addf(out, "; %s discarded", rcpt[i].address), E_OK);
	assert_int_equal(buf_add(out, "", 1), E_OK);
	expand_free(x);
	free(rcpt);
	return (err);
}

static void
test_ends(void **state)
{
	static const struct {
		const char	*names[4];
		const char	*ends;	/* NULL: E_LIMIT */
	} c[] = {
		/* Nothing to expand: what came stays. */
		{ { "alice@d.test SF rfc822;x@y.test" }, "alice@d.test SF rfc822;x@y.test" },
		{ { "nosuch@d.test F" }, "nosuch@d.test F" },	/* known at RCPT, unknown now: delivery decides */
		{ { "x@else.test", "X@else.test" }, "x@else.test -, X@else.test -" },
		/* The same one twice. */
		{ { "alice@d.test F", "ALICE@d.test S rfc822;o@d.test" }, "alice@d.test SF rfc822;o@d.test" },
		{ { "alice@d.test N", "alice@d.test" }, "alice@d.test FD" },
		{ { "alice@d.test N", "alice@d.test N" }, "alice@d.test N" },
		{ { "alice@d.test", "alice@d.test S" }, "alice@d.test SFD" },
		{ { "alice@d.test", "alice@d.test" }, "alice@d.test -" },
		{ { "one@d.test F", "alice@d.test F" }, "alice@d.test F rfc822;one@d.test" },
		/* 5.2.7.2: one end takes all. */
		{ { "one@d.test S" }, "alice@d.test S rfc822;one@d.test" },
		{ { "one@d.test S rfc822;first@d.test" }, "alice@d.test S rfc822;first@d.test" },
		{ { "nullone@d.test S" }, "alice@d.test S rfc822;nullone@d.test; nullone@d.test discarded" },
		/* 5.2.7.3 (c): several. */
		{ { "two@d.test F" }, "alice@d.test F rfc822;two@d.test, bob@d.test F rfc822;two@d.test" },
		{ { "two@d.test SF" }, "two@d.test SF expanded, alice@d.test F rfc822;two@d.test, "
		    "bob@d.test F rfc822;two@d.test" },
		{ { "two@d.test S" }, "two@d.test S expanded, alice@d.test N rfc822;two@d.test, "
		    "bob@d.test N rfc822;two@d.test" },
		{ { "two@d.test" }, "alice@d.test - rfc822;two@d.test, bob@d.test - rfc822;two@d.test" },
		/* 5.2.7.1: a list. */
		{ { "list@d.test N" }, "alice@d.test - by owner-list@d.test, x@else.test - by owner-list@d.test" },
		{ { "list@d.test SF rfc822;l@d.test" }, "list@d.test SF rfc822;l@d.test delivered, "
		    "alice@d.test - by owner-list@d.test, x@else.test - by owner-list@d.test" },
		{ { "mixed@d.test S" }, "mixed@d.test S expanded, carol@d.test N rfc822;mixed@d.test, "
		    "alice@d.test - by owner-list@d.test, x@else.test - by owner-list@d.test" },
		/* Named himself and by a list: the sender's. */
		{ { "list@d.test", "alice@d.test F" }, "alice@d.test F, x@else.test - by owner-list@d.test" },
		{ { "alice@d.test F", "list@d.test" }, "alice@d.test F, x@else.test - by owner-list@d.test" },
		{ { "both@d.test F" }, "alice@d.test F rfc822;both@d.test, x@else.test - by owner-list@d.test" },
		/* Thrown away. */
		{ { "null@d.test" }, "; null@d.test discarded" },
		{ { "null@d.test S" }, "null@d.test S delivered; null@d.test discarded" },
		{ { "null@d.test", "bob@d.test" }, "bob@d.test -; null@d.test discarded" },
		/* Members that are not there. */
		{ { "gone@d.test" }, "nosuch@d.test - rfc822;gone@d.test failed5.1.1, alice@d.test - rfc822;gone@d.test" },
		{ { "ownedgone@d.test" }, "nosuch@d.test - by owner-ownedgone@d.test failed5.1.1" },
		/* Nowhere. */
		{ { "ping@d.test" }, NULL },
		{ { "ping@d.test", "pong@d.test" }, NULL },
		{ { "ping@d.test", "bob@d.test" }, "ping@d.test - failed5.4.6, bob@d.test -" },
	};
	struct buf	 out;
	uint32_t	 n;
	int		 err;

	buf_init(&out, 1u << 20);
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		for (n = 0; n < 4 && c[i].names[n] != NULL; n++)
			;
		for (uint32_t slice = 1; slice < 100; slice += 33) {
			err = run(&kit.conf, c[i].names, n, slice, 1u << 20, &out);
			assert_int_equal(err, c[i].ends != NULL ? E_OK : E_LIMIT);
			if (c[i].ends != NULL && strcmp(buf_slice(&out).p, c[i].ends) != 0)
				fail_msg("%s: %s", c[i].names[0], buf_slice(&out).p);
			buf_drain(&out, out.len);
		}
	}
	buf_clear(&out);
}

/* A list of n members, and one recipient beside it: EXPANSION_MAX counts all. */
static void
big_list(struct rcpt_kit *k, uint32_t n)
{
	struct buf	 b;

	buf_init(&b, 16u << 20);
	assert_int_equal(buf_adds(&b, "domain d.test\nrecipients@d.test alice\naliases@d.test l"), E_OK);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(buf_addf(&b, " m%u@else.test", i), E_OK);
	assert_int_equal(buf_add(&b, "", 1), E_OK);
	kit_open(k, buf_slice(&b).p);
	buf_clear(&b);
}

static void
test_expansion_max(void **state)
{
	static const char *const names[] = { "l@d.test S", "alice@d.test" };
	struct recipient	 rcpt[2], r;
	struct expand		*x;
	struct rcpt_kit		 k;
	int			 err;

	named(&rcpt[0], names[0]);
	named(&rcpt[1], names[1]);
	for (uint32_t n = EXPANSION_MAX - 2; n <= EXPANSION_MAX; n++) {
		big_list(&k, n);
		assert_non_null(x = expand_new(&k.conf, rcpt, 2, TXN_RCPT_MEMORY_MAX));
		while ((err = expand_some(x, EXPAND_SLICE)) == E_AGAIN)
			;
		assert_int_equal(err, n + 1 <= EXPANSION_MAX ? E_OK : E_LIMIT);
		if (err == E_OK) {
			assert_int_equal(expand_count(x), n + 2);	/* and the notice */
			expand_get(x, n, DUE, &r);
			assert_string_equal(r.alias, "l@d.test");
			expand_get(x, n + 1, DUE, &r);
			assert_string_equal(r.address, "alice@d.test");
			assert_true(expand_memory(x) < TXN_RCPT_MEMORY_MAX);
		}
		expand_free(x);
		kit_close(&k);
	}
}

/* One slice has room for as many as a notice may go to (bounce.c), and is over soon with a longer list. */
static void
test_one_slice(void **state)
{
	static const struct { uint32_t n; int err; } t[] = {
		{ RCPT_MAX - 1, E_OK }, { RCPT_MAX, E_OK }, { RCPT_MAX + 1, E_OK }, { EXPAND_SLICE + 1, E_AGAIN },
		{ EXPANSION_MAX, E_AGAIN },
	};
	struct recipient	 rcpt[1];
	struct expand		*x;
	struct rcpt_kit		 k;

	named(&rcpt[0], "l@d.test N");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		big_list(&k, t[i].n);
		assert_non_null(x = expand_new(&k.conf, rcpt, 1, TXN_RCPT_MEMORY_MAX));
		assert_int_equal(expand_some(x, EXPAND_SLICE), t[i].err);
		if (t[i].err == E_OK)
			assert_int_equal(expand_count(x), t[i].n);
		expand_free(x);
		kit_close(&k);
	}
}

/* What does not fit is E_NOMEM, and the next try with room goes through. */
static void
test_memory(void **state)
{
	static const char *const names[] = { "l@d.test S" };
	size_t			 lo = 0, hi = 8u << 20, mid;
	struct buf		 out;
	struct rcpt_kit		 k;

	big_list(&k, 1000);
	buf_init(&out, 1u << 20);
	while (hi - lo > 64) {
		mid = lo + (hi - lo) / 2;
		switch (run(&k.conf, names, 1, 50, mid, &out)) {
		case E_OK:
			hi = mid;
			break;
		case E_NOMEM:
			lo = mid;
			break;
		default:
			fail();
		}
		buf_drain(&out, out.len);
	}
	assert_true(lo > 1000 * 64 && hi < 1000 * 1024);
	buf_clear(&out);
	kit_close(&k);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_expansion_max),
		cmocka_unit_test(test_one_slice),
		cmocka_unit_test(test_memory),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
