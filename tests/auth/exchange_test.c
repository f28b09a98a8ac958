/*
 * exchange_test.c -- steps of exchanges: PLAIN, LOGIN, EXTERNAL, SCRAM, and what of them is malformed.
 */
#include "tests/auth/exchange_kit.h"

/* ---- PLAIN ---- */

static void
plain(void **state)
{
	static const struct { struct slice text; int want; const char *login, *password; } v[] = {
		{ LIT("\0tim\0tanstaaftanstaaf"), -1, "tim", "tanstaaftanstaaf" },	/* RFC 4616 4 */
		{ LIT("tim\0tim\0x"), -1, "tim", "x" },
		{ LIT("\0I\xc2\xadX\0\xe2\x85\xa8"), -1, "IX", "IX" },			/* prepared, RFC 4616 2 */
		{ LIT("\0u\0\xff\xfe"), -1, "u", "\xff\xfe" },				/* no UTF-8: as it is */
		{ LIT("Ursel\0Kurt\0xipj3plmq"), SASL_FAILED, "", "" },			/* RFC 4616 4: as somebody else */
		{ LIT(""), SASL_BAD, "", "" }, { LIT("tim"), SASL_BAD, "", "" }, { LIT("\0tim"), SASL_BAD, "", "" }, { LIT("\0"), SASL_BAD, "", "" },
		{ LIT("\0\0"), SASL_BAD, "", "" }, { LIT("\0tim\0"), SASL_BAD, "", "" }, { LIT("\0\0x"), SASL_BAD, "", "" },
		{ LIT("\0tim\0x\0"), SASL_BAD, "", "" }, { LIT("\0tim\0x\0y"), SASL_BAD, "", "" }, { LIT("\0t\nm\0x"), SASL_BAD, "", "" },
		{ LIT("\0t\xffm\0x"), SASL_BAD, "", "" }, { LIT("a\x01\0tim\0x"), SASL_BAD, "", "" },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		env.limits.max = 100;
		if (first(SASL_PLAIN, 1, v[i].text) != v[i].want)
			fail_msg("%zu", i);
		if (v[i].want != -1)
			continue;
		assert_string_equal(login, v[i].login);
		assert_string_equal(password, v[i].password);
		backend_says(SASL_OK);
		assert_string_equal(last.login, v[i].login);
		assert_int_equal(last.data.n, 0);
		assert_int_equal(last.wait_ms, 0);
	}
	/* Without an initial response: an empty challenge. */
	assert_int_equal(first(SASL_PLAIN, 0, slice_make("", 0)), SASL_CONTINUE);
	assert_int_equal(last.data.n, 0);
	assert_int_equal(next(SASL_PLAIN, LIT("\0bob\0secret")), -1);
	backend_says(SASL_TEMPORARY);
	assert_string_equal(last.login, "");
}

static void
lengths(void **state)
{
	char	text[LOGIN_MAX + PASSWORD_MAX + 8];

	for (size_t n = LOGIN_MAX - 1; n <= LOGIN_MAX + 1; n++) {
		memset(text, 'u', sizeof(text));
		text[0] = text[n + 1] = '\0';
		assert_int_equal(first(SASL_PLAIN, 1, slice_make(text, n + 3)), n <= LOGIN_MAX ? -1 : SASL_BAD);
		if (n <= LOGIN_MAX)
			backend_says(SASL_OK);
	}
	for (size_t n = PASSWORD_MAX - 1; n <= PASSWORD_MAX + 1; n++) {
		memset(text, 'p', sizeof(text));
		text[0] = text[2] = '\0';
		assert_int_equal(first(SASL_PLAIN, 1, slice_make(text, n + 3)), n <= PASSWORD_MAX ? -1 : SASL_FAILED);
		if (n <= PASSWORD_MAX) {
			assert_int_equal(strlen(password), n);
			backend_says(SASL_OK);
		}
	}
}

/* ---- LOGIN ---- */

static void
login_mechanism(void **state)
{
	assert_int_equal(first(SASL_LOGIN, 0, slice_make("", 0)), SASL_CONTINUE);
	assert_string_equal(data, "Username:");
	assert_int_equal(next(SASL_LOGIN, LIT("bob")), SASL_CONTINUE);
	assert_string_equal(data, "Password:");
	assert_int_equal(next(SASL_LOGIN, LIT("secret")), -1);
	assert_string_equal(login, "bob");
	assert_string_equal(password, "secret");
	backend_says(SASL_OK);
	/* The user name behind AUTH LOGIN, as many clients have it. */
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_string_equal(data, "Password:");
	assert_int_equal(next(SASL_LOGIN, LIT("wrong")), -1);
	backend_says(SASL_FAILED);
	assert_string_equal(last.login, "bob");
	assert_int_equal(last.wait_ms, 1000);
	assert_int_equal(first(SASL_LOGIN, 1, slice_make("", 0)), SASL_BAD);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("a\0b")), SASL_BAD);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_int_equal(next(SASL_LOGIN, slice_make("", 0)), SASL_BAD);
	assert_int_equal(first(SASL_LOGIN, 1, LIT("bob")), SASL_CONTINUE);
	assert_int_equal(next(SASL_LOGIN, LIT("a\0b")), SASL_BAD);
	assert_int_equal(checks, 2);
}

/* ---- EXTERNAL ---- */

static void
external_mechanism(void **state)
{
	struct ipc_sasl	m = message(SASL_EXTERNAL, 0, slice_make("", 0));

	env.limits.max = 100;
	assert_int_equal(external("cert@example.org", slice_make("", 0)), SASL_OK);
	assert_string_equal(last.login, "cert@example.org");
	assert_int_equal(external("cert@example.org", LIT("cert@example.org")), SASL_OK);
	assert_int_equal(external("alice", slice_make("", 0)), SASL_OK);
	assert_int_equal(external("cert@example.org", LIT("alice")), SASL_FAILED);
	assert_int_equal(external("alice", LIT("cert@example.org")), SASL_FAILED);
	assert_int_equal(external("", LIT("alice")), SASL_FAILED);
	assert_int_equal(external("", slice_make("", 0)), SASL_FAILED);
	assert_int_equal(external("nobody", slice_make("", 0)), SASL_FAILED);
	assert_string_equal(last.login, "nobody");
	assert_int_equal(external("alice", LIT("al\nice")), SASL_BAD);
	assert_int_equal(external("alice", LIT("a\0b")), SASL_BAD);
	(void)snprintf(m.external, sizeof(m.external), "alice");
	m.id = ++id;
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	assert_int_equal(next(SASL_EXTERNAL, slice_make("", 0)), SASL_OK);
	/* No table: nobody is in it. */
	table_free((struct table *)(uintptr_t)env.table);
	env.table = NULL;
	assert_int_equal(external("alice", slice_make("", 0)), SASL_FAILED);
}

/* ---- SCRAM ---- */

static void
scram(void **state)
{
	const enum sasl_mechanism	m = SASL_SCRAM_SHA_256;
	struct slice			f;

	assert_int_equal(first(m, 1, LIT("n,,n=alice,r=abc")), SASL_CONTINUE);
	assert_string_equal(data, "r=abcVVVVVVVVVVVVVVVVVVVVVVVV,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	f = final("n=alice,r=abc", "pencil", "biws");
	assert_int_equal(next(m, f), SASL_OK);
	assert_string_equal(last.login, "alice");
	assert_memory_equal(data, "v=", 2);
	assert_int_equal(first(m, 0, slice_make("", 0)), SASL_CONTINUE);
	assert_string_equal(data, "");
	assert_int_equal(next(m, LIT("n,,n=alice,r=abc")), SASL_CONTINUE);
	f = final("n=alice,r=abc", "pencil2", "biws");
	assert_int_equal(next(m, f), SASL_FAILED);
	assert_string_equal(last.login, "alice");
	assert_int_equal(last.data.n, 0);
	assert_int_equal(last.wait_ms, 1000);
	assert_int_equal(first(m, 1, LIT("garbage")), SASL_BAD);
	assert_int_equal(first(m, 1, slice_make("", 0)), SASL_BAD);
	assert_int_equal(first(m, 1, LIT("n,,n=alice,r=abc")), SASL_CONTINUE);
	assert_int_equal(next(m, slice_make("", 0)), SASL_BAD);
	random_err = E_IO;
	assert_int_equal(first(m, 1, LIT("n,,n=alice,r=abc")), SASL_TEMPORARY);
	assert_int_equal(checks, 0);
}

/* Who is not there, who has another kind of hash, who has none: the same steps, a stable salt. */
static void
scram_nobody(void **state)
{
	static const char *const	who[] = { "nobody", "bob", "cert@example.org", "nobody2" };
	const enum sasl_mechanism	m = SASL_SCRAM_SHA_256;
	char				bare[64], text[80], salt[128], *at;
	struct slice			f;

	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		env.limits.max = 100;
		(void)snprintf(bare, sizeof(bare), "n=%s,r=abc", who[i]);
		(void)snprintf(text, sizeof(text), "n,,%s", bare);
		salt[0] = '\0';
		for (int n = 0; n < 2; n++) {
			assert_int_equal(first(m, 1, slice_str(text)), SASL_CONTINUE);
			at = strstr(data, ",s=");
			assert_int_equal(strlen(at), strlen(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
			assert_string_equal(strstr(at, ",i="), ",i=4096");
			if (n == 1)
				assert_string_equal(at, salt);
			(void)snprintf(salt, sizeof(salt), "%s", at);
			f = final(bare, "pencil", "biws");
			assert_int_equal(next(m, f), SASL_FAILED);
			assert_string_equal(last.login, who[i]);
		}
	}
	assert_int_equal(counters[COUNT_FAILED], 8);
}

static struct ipc_sasl
bound(enum sasl_mechanism mechanism, struct slice text)
{
	struct ipc_sasl	m = message(mechanism, 1, text);

	m.binding[BINDING_EXPORTER] = LIT("abc");
	return (m);
}

static void
scram_plus(void **state)
{
	struct ipc_sasl	m = bound(SASL_SCRAM_SHA_256_PLUS, LIT("p=tls-exporter,,n=alice,r=abc"));
	struct slice	f;

	env.limits.max = 100;
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	f = final("n=alice,r=abc", "pencil", "cD10bHMtZXhwb3J0ZXIsLGFiYw==");	/* "p=tls-exporter,,abc" */
	assert_int_equal(next(SASL_SCRAM_SHA_256_PLUS, f), SASL_OK);
	m = bound(SASL_SCRAM_SHA_256_PLUS, LIT("p=tls-exporter,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	f = final("n=alice,r=abc", "pencil", "cD10bHMtZXhwb3J0ZXIsLGFiZA==");	/* a man in the middle has another channel */
	assert_int_equal(next(SASL_SCRAM_SHA_256_PLUS, f), SASL_FAILED);
	/* "y" says: you did not offer it.  We did, or not. */
	m = bound(SASL_SCRAM_SHA_256, LIT("y,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_FAILED);
	m = bound(SASL_SCRAM_SHA_256, LIT("n,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	m = bound(SASL_SCRAM_SHA_256, LIT("y,,n=alice,r=abc"));
	m.tls = 0;
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	env.mechanisms &= ~(1u << SASL_SCRAM_SHA_256_PLUS);
	m = bound(SASL_SCRAM_SHA_256, LIT("y,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_CONTINUE);
	m = bound(SASL_SCRAM_SHA_256_PLUS, LIT("p=tls-exporter,,n=alice,r=abc"));
	assert_int_equal(exchange_message(&peer, &m), E_OK);
	assert_int_equal(last.status, SASL_TEMPORARY);
}

/* A backend that speaks SCRAM itself hears all of it, and the login is known for limits and log. */
static void
scram_elsewhere(void **state)
{
	const enum sasl_mechanism	m = SASL_SCRAM_SHA_256;

	env.backend = &by_itself;
	assert_int_equal(first(m, 1, LIT("n,,n=carol,r=abc")), -1);
	assert_string_equal(data, "n,,n=carol,r=abc");
	assert_string_equal(asked->login, "carol");
	auth_challenge(asked, LIT("r=abcdef"));
	assert_int_equal(last.status, SASL_CONTINUE);
	assert_string_equal(data, "r=abcdef");
	assert_int_equal(next(m, LIT("c=biws,p=x")), -1);
	assert_string_equal(data, "c=biws,p=x");
	asked->backend_arg = NULL;
	auth_checked(asked, SASL_OK, "carol@example.org", LIT("v=abc"));
	assert_string_equal(last.login, "carol@example.org");
	assert_string_equal(data, "v=abc");
	assert_int_equal(first(m, 1, LIT("n,,carol")), SASL_BAD);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(first(m, 1, LIT("n,,n=carol,r=abc")), -1);
		backend_says(SASL_FAILED);
	}
	steps = 0;
	assert_int_equal(first(m, 1, LIT("n,,n=carol,r=abc")), SASL_TEMPORARY);	/* it does not even hear of it */
	assert_int_equal(steps, 0);
	assert_int_equal(first(m, 1, LIT("n,,n=dave,r=abc")), -1);	/* a friend's failures are his own */
	backend_says(SASL_OK);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(plain), TEST(lengths), TEST(login_mechanism), TEST(external_mechanism), TEST(scram), TEST(scram_nobody),
		TEST(scram_plus), TEST(scram_elsewhere),
	};

	siphash_seed();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
