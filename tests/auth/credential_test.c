/*
 * credential_test.c -- our own logins: what is chosen, what is said, and that nothing but a proof makes SCRAM's 235 good.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "auth/credential.h"
#include "common/err.h"

#define B(m)	(1u << SASL_##m)
#define NONE	slice_make(NULL, 0)
#define USER	SLICE_LIT("office")
#define PASS	SLICE_LIT("sesame")

static const uint8_t		nonce[SCRAM_NONCE_OCTETS] = { 1, 2, 3 };
static const struct slice	unbound[BINDINGS];
static const struct slice	exporter[BINDINGS] = { [BINDING_EXPORTER] = { "0123456789abcdef0123456789abcdef", 32 } };
static struct credential	c;

static enum sasl_status
begin(unsigned offered, const struct slice *binding)
{
	return (credential_begin(&c, USER, PASS, offered, binding, nonce));
}

static int
said(const char *text, size_t n)
{
	return (slice_eq(slice_make(c.out, c.len), slice_make(text, n)));
}

static void
choice(void **state)
{
	static const struct { unsigned offered; int bound; int want; } v[] = {
		{ B(PLAIN) | B(LOGIN) | B(SCRAM_SHA_256) | B(SCRAM_SHA_256_PLUS) | B(EXTERNAL), 1, SASL_SCRAM_SHA_256_PLUS },
		{ B(PLAIN) | B(LOGIN) | B(SCRAM_SHA_256) | B(SCRAM_SHA_256_PLUS), 0, SASL_SCRAM_SHA_256 },
		{ B(SCRAM_SHA_256_PLUS), 1, SASL_SCRAM_SHA_256_PLUS }, { B(SCRAM_SHA_256_PLUS), 0, -1 },
		{ B(SCRAM_SHA_256_PLUS) | B(PLAIN), 0, SASL_PLAIN }, { B(PLAIN) | B(LOGIN), 1, SASL_PLAIN },
		{ B(LOGIN), 1, SASL_LOGIN }, { B(EXTERNAL), 1, -1 }, { 0, 1, -1 },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		enum sasl_status	s = begin(v[i].offered, v[i].bound ? exporter : unbound);

		assert_int_equal(s, v[i].want == -1 ? SASL_FAILED : SASL_CONTINUE);
		if (v[i].want != -1)
			assert_int_equal(c.mechanism, v[i].want);
		else
			assert_non_null(c.why);
	}
	/* The newest binding, whatever others there are. */
	begin(B(SCRAM_SHA_256_PLUS), (struct slice[]){ NONE, SLICE_LIT("u"), SLICE_LIT("e") });
	assert_memory_equal(c.out, "p=tls-unique,,", 14);
	begin(B(SCRAM_SHA_256_PLUS), (struct slice[]){ SLICE_LIT("x"), SLICE_LIT("u"), SLICE_LIT("e") });
	assert_memory_equal(c.out, "p=tls-exporter,,", 16);
	/* A server that hides its -PLUS is told that we would have had it. */
	begin(B(SCRAM_SHA_256), exporter);
	assert_memory_equal(c.out, "y,,", 3);
	begin(B(SCRAM_SHA_256), unbound);
	assert_memory_equal(c.out, "n,,", 3);
	begin(B(SCRAM_SHA_256) | B(SCRAM_SHA_256_PLUS), unbound);
	assert_memory_equal(c.out, "n,,", 3);
}

static void
plain(void **state)
{
	assert_int_equal(begin(B(PLAIN), unbound), SASL_CONTINUE);
	assert_int_equal(c.has_data, 1);
	assert_true(said("\0office\0sesame", 14));
	credential_sent(&c);
	for (size_t i = 0; i < sizeof(c.out); i++)
		assert_int_equal(c.out[i], 0);
	assert_int_equal(credential_done(&c, NONE), SASL_OK);
	assert_int_equal(credential_done(&c, NONE), SASL_FAILED);
	/* A challenge behind it is none of PLAIN's. */
	begin(B(PLAIN), unbound);
	assert_int_equal(credential_step(&c, NONE), SASL_BAD);
	assert_int_equal(c.len, 0);
	assert_int_equal(credential_done(&c, NONE), SASL_FAILED);
}

static void
login(void **state)
{
	assert_int_equal(begin(B(LOGIN), unbound), SASL_CONTINUE);
	assert_int_equal(c.has_data, 0);
	assert_int_equal(c.len, 0);
	assert_int_equal(credential_step(&c, SLICE_LIT("Username:")), SASL_CONTINUE);
	assert_true(said("office", 6));
	assert_int_equal(credential_step(&c, SLICE_LIT("Password:")), SASL_CONTINUE);
	assert_true(said("sesame", 6));
	assert_int_equal(credential_done(&c, NONE), SASL_OK);
	/* Too soon, and too much. */
	begin(B(LOGIN), unbound);
	assert_int_equal(credential_done(&c, NONE), SASL_FAILED);
	begin(B(LOGIN), unbound);
	credential_step(&c, NONE);
	assert_int_equal(credential_done(&c, NONE), SASL_FAILED);
	begin(B(LOGIN), unbound);
	credential_step(&c, NONE);
	credential_step(&c, NONE);
	assert_int_equal(credential_step(&c, NONE), SASL_BAD);
	assert_int_equal(credential_done(&c, NONE), SASL_FAILED);
}

/* The other side, by the same arithmetic: what the server would answer. */
static void
server_final(char *dst, size_t size, const char *first)
{
	struct scram_auth	a;
	uint8_t			salted[SCRAM_KEY_LEN], stored[SCRAM_KEY_LEN], key[SCRAM_KEY_LEN], sig[SCRAM_KEY_LEN];
	char			text[BASE64_LEN(SCRAM_KEY_LEN) + 1];
	const char		*p = strstr(c.out, ",p=");

	assert_non_null(p);
	a = (struct scram_auth){ { slice_make(c.scram.bare, c.scram.bare_len), slice_str(first),
	    slice_make(c.out, (size_t)(p - c.out)) } };
	assert_int_equal(scram_salted_password(salted, PASS, SLICE_LIT("0123456789abcdef"), 4096), E_OK);
	assert_int_equal(scram_keys(stored, key, salted), E_OK);
	assert_int_equal(scram_server_signature(sig, key, &a), E_OK);
	(void)base64_encode(text, slice_make(sig, sizeof(sig)));
	(void)snprintf(dst, size, "v=%s", text);
	/* And it would take ours. */
	{
		uint8_t	proof[SCRAM_KEY_LEN];
		size_t	n;

		assert_int_equal(base64_decode(proof, sizeof(proof), &n, slice_make(p + 3, c.len - (size_t)(p + 3 - c.out))), E_OK);
		assert_int_equal(scram_check_proof(stored, &a, proof), E_OK);
	}
}

/* As far as our client-final-message; final is what the server would say to it. */
static void
scram_until_final(unsigned offered, const struct slice *binding, char *final, size_t size)
{
	char	first[256];
	uint8_t	salted[SCRAM_KEY_LEN];

	assert_int_equal(begin(offered, binding), SASL_CONTINUE);
	assert_int_equal(c.has_data, 1);
	(void)snprintf(first, sizeof(first), "r=%sxyz,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096", c.scram.nonce);
	assert_int_equal(credential_step(&c, slice_str(first)), SASL_CONTINUE);
	assert_int_equal(c.hash, 1);
	assert_int_equal(c.len, 0);
	assert_int_equal(scram_salted_password(salted, c.password, slice_make(c.scram.salt, c.scram.salt_len),
	    c.scram.iterations), E_OK);
	assert_int_equal(credential_hashed(&c, E_OK, salted), SASL_CONTINUE);
	assert_int_equal(c.hash, 0);
	server_final(final, size, first);
}

static void
scram(void **state)
{
	static const unsigned	offers[] = { B(SCRAM_SHA_256), B(SCRAM_SHA_256) | B(SCRAM_SHA_256_PLUS) };
	char			final[128];

	for (size_t i = 0; i < 2; i++) {
		scram_until_final(offers[i], exporter, final, sizeof(final));
		assert_int_equal(credential_step(&c, slice_str(final)), SASL_CONTINUE);
		assert_int_equal(c.len, 0);
		assert_int_equal(credential_done(&c, NONE), SASL_OK);
		/* With the 235 itself is as good. */
		scram_until_final(offers[i], exporter, final, sizeof(final));
		assert_int_equal(credential_done(&c, slice_str(final)), SASL_OK);
	}
}

/* A server that does not know the password says 235 at every step, or a wrong proof. */
static void
impostor(void **state)
{
	char	final[128];
	uint8_t	salted[SCRAM_KEY_LEN] = { 0 };

	begin(B(SCRAM_SHA_256), unbound);
	assert_int_equal(credential_done(&c, NONE), SASL_FAILED);
	assert_non_null(strstr(c.why, "proof"));

	begin(B(SCRAM_SHA_256), unbound);
	(void)snprintf(final, sizeof(final), "r=%sx,s=MDEy,i=4096", c.scram.nonce);
	credential_step(&c, slice_str(final));
	assert_int_equal(credential_done(&c, NONE), SASL_FAILED);
	assert_int_equal(credential_hashed(&c, E_OK, salted), SASL_BAD);

	scram_until_final(B(SCRAM_SHA_256), unbound, final, sizeof(final));
	assert_int_equal(credential_done(&c, NONE), SASL_FAILED);
	scram_until_final(B(SCRAM_SHA_256), unbound, final, sizeof(final));
	assert_int_equal(credential_done(&c, SLICE_LIT("welcome")), SASL_FAILED);

	scram_until_final(B(SCRAM_SHA_256), unbound, final, sizeof(final));
	final[2] = final[2] == 'A' ? 'B' : 'A';
	assert_int_equal(credential_step(&c, slice_str(final)), SASL_FAILED);
	assert_int_equal(credential_done(&c, NONE), SASL_FAILED);

	scram_until_final(B(SCRAM_SHA_256), unbound, final, sizeof(final));
	assert_int_equal(credential_step(&c, SLICE_LIT("e=unknown-user")), SASL_FAILED);
	scram_until_final(B(SCRAM_SHA_256), unbound, final, sizeof(final));
	assert_int_equal(credential_step(&c, SLICE_LIT("nonsense")), SASL_BAD);
	assert_int_equal(credential_step(&c, slice_str(final)), SASL_BAD);
	/* Weak on purpose. */
	begin(B(SCRAM_SHA_256), unbound);
	(void)snprintf(final, sizeof(final), "r=%sx,s=MDEy,i=1", c.scram.nonce);
	assert_int_equal(credential_step(&c, slice_str(final)), SASL_BAD);
	/* No memory for the hash. */
	begin(B(SCRAM_SHA_256), unbound);
	(void)snprintf(final, sizeof(final), "r=%sx,s=MDEy,i=4096", c.scram.nonce);
	credential_step(&c, slice_str(final));
	assert_int_equal(credential_hashed(&c, E_IO, salted), SASL_TEMPORARY);
}

/* Users and passwords at their limits, and of no use; the longest PLAIN fits. */
static void
limits(void **state)
{
	char		text[PASSWORD_MAX + 2];
	static char	big[SASL_DATA_MAX + 1];

	memset(text, 'x', sizeof(text));
	for (size_t n = LOGIN_MAX - 1; n <= LOGIN_MAX + 1; n++)
		assert_int_equal(credential_begin(&c, slice_make(text, n), PASS, B(PLAIN), unbound, nonce),
		    n > LOGIN_MAX ? SASL_FAILED : SASL_CONTINUE);
	for (size_t n = PASSWORD_MAX - 1; n <= PASSWORD_MAX + 1; n++)
		assert_int_equal(credential_begin(&c, slice_make(text, LOGIN_MAX), slice_make(text, n), B(PLAIN), unbound, nonce),
		    n > PASSWORD_MAX ? SASL_FAILED : SASL_CONTINUE);
	assert_int_equal(credential_begin(&c, NONE, PASS, B(PLAIN), unbound, nonce), SASL_FAILED);
	assert_int_equal(credential_begin(&c, USER, NONE, B(PLAIN), unbound, nonce), SASL_FAILED);
	assert_int_equal(credential_begin(&c, slice_make("a\0b", 3), PASS, B(PLAIN), unbound, nonce), SASL_FAILED);
	assert_int_equal(credential_begin(&c, USER, slice_make("a\0b", 3), B(PLAIN), unbound, nonce), SASL_FAILED);
	begin(B(LOGIN), unbound);
	assert_int_equal(credential_step(&c, slice_make(big, SASL_DATA_MAX)), SASL_CONTINUE);
	assert_int_equal(credential_step(&c, slice_make(big, SASL_DATA_MAX + 1)), SASL_BAD);
}

static void
passwords(void **state)
{
	static const struct { const char *file; size_t n; const char *want; } v[] = {
		{ "sesame", 6, "sesame" }, { "sesame\n", 7, "sesame" }, { "sesame\r\n", 8, "sesame" }, { "a b \nmore\n", 10, "a b " },
		{ "", 0, NULL }, { "\n", 1, NULL }, { "\r\n", 2, NULL }, { "\nsesame\n", 8, NULL }, { "a\0b\n", 4, NULL },
		{ "a\n\0", 3, "a" }, { " ", 1, " " }, { "p\xc3\xa4sswort\n", 10, "p\xc3\xa4sswort" },
	};
	char		text[PASSWORD_MAX + 2];
	struct slice	p;
	const char	*why;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		int	err = credential_password(slice_make(v[i].file, v[i].n), &p, &why);

		assert_int_equal(err, v[i].want == NULL ? E_SYNTAX : E_OK);
		if (v[i].want != NULL)
			assert_int_equal(slice_eq(p, slice_str(v[i].want)), 1);
	}
	memset(text, 'x', sizeof(text));
	for (size_t n = PASSWORD_MAX - 1; n <= PASSWORD_MAX + 1; n++)
		assert_int_equal(credential_password(slice_make(text, n), &p, &why), n > PASSWORD_MAX ? E_LIMIT : E_OK);
}

static void
wiped(void **state)
{
	char	final[128];

	scram_until_final(B(SCRAM_SHA_256), unbound, final, sizeof(final));
	credential_end(&c);
	for (size_t i = 0; i < sizeof(c); i++)
		assert_int_equal(((const char *)&c)[i], 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(choice), cmocka_unit_test(plain), cmocka_unit_test(login), cmocka_unit_test(scram),
		cmocka_unit_test(impostor), cmocka_unit_test(limits), cmocka_unit_test(passwords), cmocka_unit_test(wiped),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
