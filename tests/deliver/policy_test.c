/*
 * policy_test.c -- what TLS is asked of a host: each level, DANE by what was found (RFC 7672 2.2), logins, names.
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
#include "deliver/policy.h"

static struct conf_tls_policy	policies[8];
static struct conf		conf;
static uint8_t			digest[32] = { 1, 2, 3 };
static struct tlsa		records[2] = { { 3, 1, 1, 32, digest }, { 2, 0, 1, 32, digest } };
static const char		*some_names[] = { "one.example", ".two.example" };
static uint8_t			prints[2][SPKI_HASH_LEN] = { { 9 }, { 8 } };

static int
setup(void **state)
{
	static const struct { const char *name; enum tls_want want; } t[] = {	/* sorted */
		{ "dane.example", WANT_DANE }, { "encrypt.example", WANT_ENCRYPT }, { "fp.example", WANT_FINGERPRINT },
		{ "may.example", WANT_MAY }, { "names.example", WANT_VERIFY }, { "none.example", WANT_NONE },
		{ "only.example", WANT_DANE_ONLY }, { "verify.example", WANT_VERIFY },
	};

	for (size_t i = 0; i < 8; i++)
		policies[i] = (struct conf_tls_policy){ .name = t[i].name, .want = t[i].want, .resume = 1 };
	policies[2].nfingerprints = 2;
	policies[2].fingerprints = prints;
	policies[4].nnames = 2;
	policies[4].names = some_names;
	policies[3].resume = 0;
	conf.npolicies = 8;
	conf.policies = policies;
	conf.resolver.trust_anchor = ". DS 1";
	return (0);
}

static struct dane_found
found(enum dane_status status)
{
	struct dane_found	f = { .status = status, .base = "", .why = "for this reason" };

	if (status == DANE_USABLE) {
		f.base = "base.example";
		f.ntlsa = 2;
		f.tlsa = records;
		f.nnames = 2;
		f.names[0] = "base.example";
		f.names[1] = "next.example";
	}
	return (f);
}

static struct policy_ask
ask(const char *nexthop, const struct dane_found *f)
{
	return ((struct policy_ask){ .conf = &conf, .kind = HOP_MX, .nexthop = nexthop, .host = "mx.example.org", .port = 25,
	    .login = "", .secure = 1, .dane = f });
}

static void
levels(void **state)
{
	static const struct {
		const char	*nexthop;
		int		 dane;		/* enum dane_status; -1: not looked for */
		int		 secure;
		enum tls_want	 want;
		int		 clear, barred;
		const char	*text;		/* a part of text, or of why where barred */
	} t[] = {
		{ "none.example", -1, 1, WANT_NONE, 1, 0, "none, by tls-policy \"none.example\"" },
		{ "may.example", -1, 1, WANT_MAY, 1, 0, "may, by tls-policy" },
		{ "encrypt.example", DANE_USABLE, 1, WANT_ENCRYPT, 0, 0, "encrypt, by" },
		{ "verify.example", DANE_USABLE, 1, WANT_VERIFY, 0, 0, "verify, by" },
		{ "fp.example", -1, 1, WANT_FINGERPRINT, 0, 0, "fingerprint, by" },
		{ "other.example", -1, 1, WANT_MAY, 0, 1, "DANE (the default): no TLSA records were looked for yet" },
		{ "other.example", DANE_NONE, 1, WANT_MAY, 1, 0, "dane, by the default: for this reason" },
		{ "other.example", DANE_UNUSABLE, 1, WANT_ENCRYPT, 0, 0, "for this reason" },
		{ "other.example", DANE_FAILED, 1, WANT_MAY, 0, 1, "DANE (the default): for this reason" },
		{ "other.example", DANE_USABLE, 1, WANT_DANE, 0, 0, "dane, by the default: for this reason" },
		{ "other.example", DANE_USABLE, 0, WANT_DANE, 0, 0, "the MX records are not signed" },
		{ "dane.example", DANE_FAILED, 1, WANT_MAY, 0, 1, "DANE (tls-policy \"dane.example\")" },
		{ "only.example", -1, 1, WANT_MAY, 0, 1, "DANE (tls-policy \"only.example\"): no TLSA records were" },
		{ "only.example", DANE_NONE, 1, WANT_MAY, 0, 1, "requires DANE: for this reason" },
		{ "only.example", DANE_UNUSABLE, 1, WANT_ENCRYPT, 0, 1, "requires DANE: for this reason" },
		{ "only.example", DANE_FAILED, 1, WANT_MAY, 0, 1, "for this reason" },
		{ "only.example", DANE_USABLE, 1, WANT_DANE, 0, 0, "dane-only, by tls-policy" },
		{ "only.example", DANE_USABLE, 0, WANT_DANE, 0, 1, "MX records of only.example are not signed" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct dane_found	 f = found(t[i].dane < 0 ? DANE_NONE : (enum dane_status)t[i].dane);
		struct policy_ask	 a = ask(t[i].nexthop, t[i].dane < 0 ? NULL : &f);
		struct tls_policy	*p;

		a.secure = t[i].secure;
		p = policy_new(&a);
		assert_non_null(p);
		/* A barred host is not spoken to, so clear counts for the others alone. */
		if (p->want != t[i].want || p->barred != t[i].barred || (!p->barred && p->clear != t[i].clear) ||
		    strstr(p->barred ? p->why : p->text, t[i].text) == NULL)
			fail_msg("row %zu: want %s clear %d barred %d text \"%s\" why \"%s\"", i, tls_want_name(p->want),
			    p->clear, p->barred, p->text, p->why);
		assert_int_equal(p->barred, p->code.cls == 4);
		if (p->want == WANT_DANE) {
			assert_int_equal(p->ntlsa, 2);
			assert_memory_equal(p->tlsa[0].data, digest, 32);
			assert_ptr_not_equal(p->tlsa[0].data, digest);
			assert_string_equal(p->base, "base.example");
			assert_string_equal(p->sni, "base.example");
			assert_int_equal(p->nnames, 2);
			assert_string_equal(p->names[1], "next.example");
			assert_int_equal(p->mx_unsigned, !t[i].secure);
			assert_int_equal(p->dane_only, strcmp(t[i].nexthop, "only.example") == 0);
		} else
			assert_string_equal(p->sni, "mx.example.org");
		assert_int_equal(p->resume, strcmp(t[i].nexthop, "may.example") != 0);
		policy_unref(p);
	}
}

/* Without validation nothing is known to be signed: dane is may, dane-only never. */
static void
no_anchor(void **state)
{
	struct dane_found	 f = found(DANE_USABLE);
	struct policy_ask	 a = ask("other.example", &f);
	struct tls_policy	*p;

	assert_int_equal(policy_asks_dane(&conf, "other.example"), 1);
	assert_int_equal(policy_asks_dane(&conf, "only.example"), 1);
	assert_int_equal(policy_asks_dane(&conf, "may.example"), 0);
	assert_int_equal(policy_asks_dane(&conf, "verify.example"), 0);
	conf.resolver.trust_anchor = "";
	assert_int_equal(policy_asks_dane(&conf, "other.example"), 0);
	p = policy_new(&a);
	assert_int_equal(p->want, WANT_MAY);
	assert_int_equal(p->clear, 1);
	assert_non_null(strstr(p->text, "trust-anchor"));
	policy_unref(p);
	a.nexthop = "only.example";
	p = policy_new(&a);
	assert_int_equal(p->barred, 1);
	assert_non_null(strstr(p->why, "trust-anchor"));
	policy_unref(p);
	conf.resolver.trust_anchor = ". DS 1";
}

static void
names(void **state)
{
	struct policy_ask	 a = ask("names.example", NULL);
	struct tls_policy	*p = policy_new(&a);

	assert_int_equal(p->nnames, 2);
	assert_string_equal(p->names[1], ".two.example");
	policy_unref(p);
	/* The host's own name only where nobody could have forged it. */
	a.nexthop = "verify.example";
	p = policy_new(&a);
	assert_int_equal(p->nnames, 1);
	assert_string_equal(p->names[0], "mx.example.org");
	policy_unref(p);
	a.secure = 0;
	p = policy_new(&a);
	assert_string_equal(p->names[0], "verify.example");
	policy_unref(p);
	a.host = "192.0.2.1";
	p = policy_new(&a);
	assert_string_equal(p->sni, "");
	policy_unref(p);
}

/* A password goes to nobody unknown. */
static void
logins(void **state)
{
	static const struct {
		const char	*nexthop, *addr;
		int		 dane;
		enum tls_want	 want;
		int		 clear, may_login;
	} t[] = {
		{ "other.example", "192.0.2.1", DANE_NONE, WANT_VERIFY, 0, 1 },
		{ "may.example", "192.0.2.1", DANE_NONE, WANT_VERIFY, 0, 1 },
		{ "none.example", "192.0.2.1", DANE_NONE, WANT_VERIFY, 0, 1 },
		/* Loopback by the operator's word, not by DNS's. */
		{ "none.example", "127.0.0.1", DANE_NONE, WANT_VERIFY, 0, 1 },
		{ "localhost", "127.0.0.1", DANE_NONE, WANT_VERIFY, 0, 1 },
		{ "127.0.0.1", "127.0.0.1", DANE_NONE, WANT_MAY, 1, 1 },
		{ "::1", "::1", DANE_NONE, WANT_MAY, 1, 1 },
		{ "192.0.2.1", "192.0.2.1", DANE_NONE, WANT_VERIFY, 0, 1 },
		{ "fp.example", "192.0.2.1", DANE_NONE, WANT_FINGERPRINT, 0, 1 },
		{ "only.example", "192.0.2.1", DANE_USABLE, WANT_DANE, 0, 1 },
		{ "only.example", "127.0.0.1", DANE_USABLE, WANT_DANE, 0, 1 },
		{ "dane.example", "192.0.2.1", DANE_USABLE, WANT_VERIFY, 0, 1 },
		{ "dane.example", "192.0.2.1", DANE_NONE, WANT_VERIFY, 0, 1 },
		{ "dane.example", "127.0.0.1", DANE_NONE, WANT_VERIFY, 0, 1 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct dane_found	 f = found((enum dane_status)t[i].dane);
		struct policy_ask	 a = ask(t[i].nexthop, &f);
		struct net_addr		 ip;
		struct tls_policy	*p;

		assert_int_equal(net_addr_parse(&ip, slice_str(t[i].addr)), E_OK);
		a.kind = HOP_SMTP;
		a.login = "office";
		p = policy_new(&a);
		if (p->want != t[i].want || p->clear != t[i].clear || p->may_login != t[i].may_login)
			fail_msg("row %zu: want %s clear %d may_login %d", i, tls_want_name(p->want), p->clear, p->may_login);
		policy_unref(p);
	}
}

/* smtps: is TLS by its name. */
static void
implicit(void **state)
{
	struct policy_ask	 a = ask("may.example", NULL);
	struct tls_policy	*p;

	a.kind = HOP_SMTP;
	a.implicit = 1;
	p = policy_new(&a);
	assert_int_equal(p->implicit, 1);
	assert_int_equal(p->want, WANT_ENCRYPT);
	assert_int_equal(p->clear, 0);
	policy_unref(p);
}

struct octets {
	size_t	 n;
	char	 p[4096];
};

static void
add(void *arg, const void *p, size_t n)
{
	struct octets	*o = arg;

	assert_true(n <= sizeof(o->p) - o->n);
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static int
policy_same(const struct tls_policy *a, const struct tls_policy *b)
{
	struct octets	 x = { .n = 0 }, y = { .n = 0 };

	policy_octets(a, add, &x);
	policy_octets(b, add, &y);
	return (x.n == y.n && memcmp(x.p, y.p, x.n) == 0);
}

/* A session is resumed only where the same was asked for. */
static void
same(void **state)
{
	struct dane_found	 f = found(DANE_USABLE), g = found(DANE_USABLE);
	struct tlsa		 other[2] = { { 3, 1, 1, 32, digest }, { 2, 0, 1, 32, (const uint8_t *)"0123456789abcdef0123456789abcdef" } };
	struct policy_ask	 a = ask("other.example", &f), b = a;
	struct tls_policy	*p = policy_new(&a), *q;

	q = policy_new(&b);
	assert_int_equal(policy_same(p, q), 1);
	policy_unref(q);
	b.dane = &g;
	g.tlsa = other;
	q = policy_new(&b);
	assert_int_equal(policy_same(p, q), 0);
	policy_unref(q);
	g.tlsa = records;
	g.names[1] = "third.example";
	q = policy_new(&b);
	assert_int_equal(policy_same(p, q), 0);
	policy_unref(q);
	b.dane = NULL;
	q = policy_new(&b);
	assert_int_equal(policy_same(p, q), 0);
	policy_unref(q);
	b.dane = &f;
	b.secure = 0;
	q = policy_new(&b);
	assert_int_equal(policy_same(p, q), 0);
	policy_unref(q);
	policy_unref(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels), cmocka_unit_test(no_anchor), cmocka_unit_test(names), cmocka_unit_test(logins),
		cmocka_unit_test(implicit), cmocka_unit_test(same),
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
