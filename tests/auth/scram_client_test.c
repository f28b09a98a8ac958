/*
 * scram_client_test.c -- SCRAM-SHA-256 as a client: the example of RFC 7677 3 to the octet, every form of the server's that is
 * refused, and the limits of what it may ask for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "auth/scram_client.h"
#include "common/err.h"

#define NONCE	"rOprNGfwEbeRWgbNEkqO"
#define FULL	NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT	"W22ZaJ0SNY7soEsUEjb6gQ=="
#define NONE	slice_make(NULL, 0)

static uint8_t nonce[SCRAM_NONCE_OCTETS];

static int
setup(void **state)
{
	size_t	n;

	assert_int_equal(base64_decode(nonce, sizeof(nonce), &n, SLICE_LIT(NONCE)), E_OK);
	assert_int_equal(n, sizeof(nonce));
	return (0);
}

/* As far as the server's first message. */
static void
begin(struct scram_client *c)
{
	char	out[SCRAM_FIRST_MAX + 1];
	size_t	n;

	assert_int_equal(scram_client_first(c, out, &n, SLICE_LIT("user"), BINDINGS, NONE, 0, nonce), E_OK);
}

static void
example(void **state)
{
	struct scram_client	c;
	char			out[SCRAM_FINAL_MAX + 1];
	uint8_t			salted[SCRAM_KEY_LEN];
	const char		*why = NULL;
	size_t			n;

	assert_int_equal(scram_client_first(&c, out, &n, SLICE_LIT("user"), BINDINGS, NONE, 0, nonce), E_OK);
	assert_int_equal(slice_eq(slice_make(out, n), SLICE_LIT("n,,n=user,r=" NONCE)), 1);
	assert_int_equal(scram_client_take(&c, SLICE_LIT("r=" FULL ",s=" SALT ",i=4096"), &why), E_OK);
	assert_int_equal(c.iterations, 4096);
	assert_int_equal(c.salt_len, 16);
	assert_int_equal(scram_salted_password(salted, SLICE_LIT("pencil"), slice_make(c.salt, c.salt_len), c.iterations), E_OK);
	assert_int_equal(scram_client_final(&c, out, &n, salted), E_OK);
	assert_int_equal(slice_eq(slice_make(out, n),
	    SLICE_LIT("c=biws,r=" FULL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")), 1);
	assert_int_equal(scram_client_verify(&c, SLICE_LIT("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &why), E_OK);
	assert_int_equal(scram_client_verify(&c, SLICE_LIT("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,x=1"), &why), E_OK);
	/* One bit off, half of it, and a refusal that would like to be a proof. */
	assert_int_equal(scram_client_verify(&c, SLICE_LIT("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &why), E_DENIED);
	assert_int_equal(scram_client_verify(&c, SLICE_LIT("v=6rriTRBi23WpRR/wtup+mA=="), &why), E_SYNTAX);
	assert_int_equal(scram_client_verify(&c, SLICE_LIT("v="), &why), E_SYNTAX);
	assert_int_equal(scram_client_verify(&c, SLICE_LIT(""), &why), E_SYNTAX);
	assert_int_equal(scram_client_verify(&c, NONE, &why), E_SYNTAX);
	assert_int_equal(scram_client_verify(&c, SLICE_LIT("e=invalid-proof"), &why), E_DENIED);
	assert_int_equal(scram_client_verify(&c, SLICE_LIT("e=channel-bindings-dont-match"), &why), E_DENIED);
	assert_non_null(strstr(why, "between"));
	assert_int_equal(scram_client_verify(&c,
	    SLICE_LIT("m=1,v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), &why), E_SYNTAX);
	assert_int_equal(scram_client_verify(&c,
	    SLICE_LIT("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,m=1"), &why), E_SYNTAX);
	scram_client_wipe(&c);
	assert_int_equal(c.bare_len, 0);
}

/* The header of RFC 5802 7 for each case of section 6. */
static void
headers(void **state)
{
	static const struct { unsigned kind; int able; const char *want; } v[] = {
		{ BINDINGS, 0, "n,,n=user" }, { BINDINGS, 1, "y,,n=user" }, { BINDING_EXPORTER, 1, "p=tls-exporter,,n=user" },
		{ BINDING_UNIQUE, 1, "p=tls-unique,,n=user" }, { BINDING_ENDPOINT, 0, "p=tls-server-end-point,,n=user" },
	};
	struct scram_client	c;
	char			out[SCRAM_FIRST_MAX + 1];
	size_t			n;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(scram_client_first(&c, out, &n, SLICE_LIT("user"), v[i].kind, SLICE_LIT("\1\2\3"), v[i].able,
		    nonce), E_OK);
		out[n] = '\0';
		if (strncmp(out, v[i].want, strlen(v[i].want)) != 0)
			fail_msg("%s, not %s", out, v[i].want);
	}
	assert_int_equal(scram_client_first(&c, out, &n, SLICE_LIT("a,b=c"), BINDINGS, NONE, 0, nonce), E_OK);
	assert_memory_equal(out, "n,,n=a=2Cb=3Dc,r=", 17);
}

/* The binding itself is in c=, behind the header: RFC 5802 5.1. */
static void
bound(void **state)
{
	struct scram_client	c;
	char			out[SCRAM_FINAL_MAX + 1], first[SCRAM_FIRST_MAX + 1], want[128];
	uint8_t			data[SASL_BINDING_MAX], salted[SCRAM_KEY_LEN] = { 1 };
	char			input[128] = "p=tls-exporter,,";
	const char		*why;
	size_t			n;

	memset(data, 0xa5, sizeof(data));
	assert_int_equal(scram_client_first(&c, first, &n, SLICE_LIT("user"), BINDING_EXPORTER, slice_make(data, sizeof(data)), 1,
	    nonce), E_OK);
	assert_int_equal(scram_client_take(&c, SLICE_LIT("r=" FULL ",s=" SALT ",i=4096"), &why), E_OK);
	assert_int_equal(scram_client_final(&c, out, &n, salted), E_OK);
	memcpy(input + 16, data, sizeof(data));
	memcpy(want, "c=", 2);
	(void)base64_encode(want + 2, slice_make(input, 16 + sizeof(data)));
	assert_memory_equal(out, want, strlen(want));
	assert_memory_equal(out + strlen(want), ",r=" FULL ",p=", strlen(",r=" FULL ",p="));
	assert_int_equal(scram_client_first(&c, first, &n, SLICE_LIT("user"), BINDING_EXPORTER,
	    slice_make(input, SASL_BINDING_MAX + 1), 1, nonce), E_LIMIT);
	assert_int_equal(scram_client_first(&c, first, &n, SLICE_LIT("user"), BINDING_EXPORTER, NONE, 1, nonce), E_LIMIT);
}

static void
firsts(void **state)
{
	static const struct { const char *text; int err; } v[] = {
		{ "r=" FULL ",s=" SALT ",i=4096", E_OK },
		{ "r=" FULL ",s=" SALT ",i=4096,x=y,Z=,", E_SYNTAX },
		{ "r=" FULL ",s=" SALT ",i=4096,x=y,Z==", E_OK },
		{ "r=" FULL ",s=" SALT ",i=4096,", E_SYNTAX },
		{ "r=" FULL ",s=" SALT ",i=4096,m=y", E_SYNTAX },
		{ "r=" FULL ",s=" SALT ",i=4096,=y", E_SYNTAX },
		{ "m=y,r=" FULL ",s=" SALT ",i=4096", E_SYNTAX },
		{ "r=" NONCE ",s=" SALT ",i=4096", E_SYNTAX },		/* nothing of its own */
		{ "r=" NONCE "x,s=" SALT ",i=4096", E_OK },
		{ "r=sOprNGfwEbeRWgbNEkqOx,s=" SALT ",i=4096", E_SYNTAX },
		{ "r=" NONCE "\x7f,s=" SALT ",i=4096", E_SYNTAX },
		{ "r=" NONCE " ,s=" SALT ",i=4096", E_SYNTAX },
		{ "r=" FULL ",s=" SALT ",i=4095", E_RANGE },
		{ "r=" FULL ",s=" SALT ",i=4097", E_OK },
		{ "r=" FULL ",s=" SALT ",i=1", E_RANGE },
		{ "r=" FULL ",s=" SALT ",i=999999", E_OK },
		{ "r=" FULL ",s=" SALT ",i=1000000", E_OK },
		{ "r=" FULL ",s=" SALT ",i=1000001", E_RANGE },
		{ "r=" FULL ",s=" SALT ",i=4294967296", E_RANGE },
		{ "r=" FULL ",s=" SALT ",i=99999999999999999999999", E_RANGE },
		{ "r=" FULL ",s=" SALT ",i=04096", E_SYNTAX }, { "r=" FULL ",s=" SALT ",i=0", E_SYNTAX },
		{ "r=" FULL ",s=" SALT ",i=-4096", E_SYNTAX }, { "r=" FULL ",s=" SALT ",i=4096 ", E_SYNTAX },
		{ "r=" FULL ",s=" SALT ",i=", E_SYNTAX }, { "r=" FULL ",s=" SALT, E_SYNTAX },
		{ "r=" FULL ",s=,i=4096", E_SYNTAX }, { "r=" FULL ",s=W22,i=4096", E_SYNTAX },
		{ "r=" FULL ",i=4096,s=" SALT, E_SYNTAX }, { "r=" FULL, E_SYNTAX }, { "e=other-error", E_SYNTAX },
		{ "", E_SYNTAX }, { ",", E_SYNTAX }, { "r", E_SYNTAX }, { "r=", E_SYNTAX }, { ",,,", E_SYNTAX },
	};
	struct scram_client	c;
	const char		*why;
	int			err;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		begin(&c);
		why = NULL;
		if ((err = scram_client_take(&c, slice_str(v[i].text), &why)) != v[i].err)
			fail_msg("\"%s\": %s", v[i].text, err_name(err));
		if (err != E_OK)
			assert_non_null(why);
	}
	begin(&c);
	assert_int_equal(scram_client_take(&c, slice_make("r=" FULL "\0,s=" SALT ",i=4096",
	    sizeof("r=" FULL "\0,s=" SALT ",i=4096") - 1), &why), E_SYNTAX);
}

/* The user, the salt and the message: at, below and above their limits. */
static void
limits(void **state)
{
	struct scram_client	c;
	char			out[SCRAM_FIRST_MAX + 1], user[LOGIN_MAX + 1], salt[BASE64_LEN(SCRAM_SALT_MAX + 1) + 1];
	char			text[SCRAM_MESSAGE_MAX + 2], final[SCRAM_FINAL_MAX + 1];
	uint8_t			octets[SCRAM_SALT_MAX + 1] = { 7 }, salted[SCRAM_KEY_LEN] = { 1 };
	const char		*why;
	size_t			n;
	int			len;

	memset(user, ',', sizeof(user));	/* three octets each, at the most */
	assert_int_equal(scram_client_first(&c, out, &n, slice_make(user, LOGIN_MAX - 1), BINDINGS, NONE, 0, nonce), E_OK);
	assert_int_equal(scram_client_first(&c, out, &n, slice_make(user, LOGIN_MAX), BINDING_ENDPOINT, SLICE_LIT("x"), 0, nonce),
	    E_OK);
	assert_int_equal(n, SCRAM_FIRST_MAX);
	assert_int_equal(scram_client_first(&c, out, &n, slice_make(user, LOGIN_MAX + 1), BINDINGS, NONE, 0, nonce), E_LIMIT);
	assert_int_equal(scram_client_first(&c, out, &n, NONE, BINDINGS, NONE, 0, nonce), E_LIMIT);
	assert_int_equal(scram_client_first(&c, out, &n, slice_make("a\0b", 3), BINDINGS, NONE, 0, nonce), E_LIMIT);
	for (size_t k = SCRAM_SALT_MAX - 1; k <= SCRAM_SALT_MAX + 1; k++) {
		begin(&c);
		(void)base64_encode(salt, slice_make(octets, k));
		(void)snprintf(text, sizeof(text), "r=%s,s=%s,i=4096", FULL, salt);
		assert_int_equal(scram_client_take(&c, slice_str(text), &why), k > SCRAM_SALT_MAX ? E_LIMIT : E_OK);
	}
	for (size_t k = SCRAM_MESSAGE_MAX - 1; k <= SCRAM_MESSAGE_MAX + 1; k++) {
		begin(&c);
		len = snprintf(text, sizeof(text), ",s=%s,i=4096", SALT);
		memset(text, 'x', k);
		memcpy(text, "r=" NONCE, 22);
		memcpy(text + k - (size_t)len, ",s=" SALT ",i=4096", (size_t)len);
		assert_int_equal(scram_client_take(&c, slice_make(text, k), &why), k > SCRAM_MESSAGE_MAX ? E_LIMIT : E_OK);
		if (k == SCRAM_MESSAGE_MAX)
			assert_int_equal(scram_client_final(&c, final, &n, salted), E_OK);
	}
	assert_true(n < SCRAM_FINAL_MAX);
	memset(text, 'x', sizeof(text));
	assert_int_equal(scram_client_verify(&c, slice_make(text, SCRAM_MESSAGE_MAX + 1), &why), E_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(example), cmocka_unit_test(headers), cmocka_unit_test(bound), cmocka_unit_test(firsts),
		cmocka_unit_test(limits),
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
