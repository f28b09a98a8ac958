/* scram_test.c -- RFC 7677 3's exchange from both ends, wrong passwords and proofs, and the entry
 * of a table as text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/scram.h"

#define SALT	"W22ZaJ0SNY7soEsUEjb6gQ=="
#define NONCE	"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

static const struct scram_auth	rfc7677 = { { SLICE_LIT("n=user,r=rOprNGfwEbeRWgbNEkqO"),
	SLICE_LIT("r=" NONCE ",s=" SALT ",i=4096"), SLICE_LIT("c=biws,r=" NONCE) } };

static void
entry(struct scram_entry *e, const char *password)
{
	size_t	n;

	memset(e, 0, sizeof(*e));
	e->iterations = 4096;
	assert_int_equal(base64_decode(e->salt, sizeof(e->salt), &n, slice_str(SALT)), E_OK);
	e->salt_len = (uint8_t)n;
	assert_int_equal(scram_derive(e, slice_str(password)), E_OK);
}

static void
vector(void **state)
{
	struct scram_entry	e;
	uint8_t			salted[SCRAM_KEY_LEN], proof[SCRAM_KEY_LEN], v[SCRAM_KEY_LEN];
	char			text[BASE64_LEN(SCRAM_KEY_LEN) + 1];

	entry(&e, "pencil");
	assert_int_equal(scram_salted_password(salted, slice_str("pencil"), slice_make(e.salt, e.salt_len), 4096), E_OK);
	assert_int_equal(scram_client_proof(proof, salted, &rfc7677), E_OK);
	(void)base64_encode(text, slice_make(proof, sizeof(proof)));
	assert_string_equal(text, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
	assert_int_equal(scram_check_proof(e.stored, &rfc7677, proof), E_OK);
	assert_int_equal(scram_server_signature(v, e.server, &rfc7677), E_OK);
	(void)base64_encode(text, slice_make(v, sizeof(v)));
	assert_string_equal(text, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");

	/* Each bit of the proof and each part of what was said counts. */
	for (size_t i = 0; i < sizeof(proof) * 8; i++) {
		proof[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(scram_check_proof(e.stored, &rfc7677, proof), E_DENIED);
		proof[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t i = 0; i < 3; i++) {
		struct scram_auth	other = rfc7677;

		other.part[i].n--;
		assert_int_equal(scram_check_proof(e.stored, &other, proof), E_DENIED);
	}
	entry(&e, "pencil2");
	assert_int_equal(scram_check_proof(e.stored, &rfc7677, proof), E_DENIED);
}

static void
passwords(void **state)
{
	struct scram_entry	e;
	char			longest[PASSWORD_MAX + 1];

	entry(&e, "pencil");
	assert_int_equal(scram_check_password(&e, slice_str("pencil")), E_OK);
	assert_int_equal(scram_check_password(&e, slice_str("Pencil")), E_DENIED);
	assert_int_equal(scram_check_password(&e, slice_str("pencil ")), E_DENIED);
	assert_int_equal(scram_check_password(&e, slice_str("")), E_DENIED);
	assert_int_equal(scram_check_password(&e, slice_make("pencil\0", 7)), E_OK);	/* HMAC pads its key by zeros */
	memset(longest, 'x', sizeof(longest));
	for (size_t n = PASSWORD_MAX - 1; n <= PASSWORD_MAX; n++) {
		assert_int_equal(scram_derive(&e, slice_make(longest, n)), E_OK);
		assert_int_equal(scram_check_password(&e, slice_make(longest, n)), E_OK);
		assert_int_equal(scram_check_password(&e, slice_make(longest, n - 1)), E_DENIED);
	}
	assert_int_equal(scram_derive(&e, slice_make(longest, PASSWORD_MAX + 1)), E_RANGE);
}

#define KEY_A	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define KEY_B	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void
text(void **state)
{
	static const struct { const char *text; int err; } bad[] = {
		{ "", E_SYNTAX }, { "{SCRAM-SHA-256}", E_SYNTAX },
		{ "{scram-sha-256}4096," SALT "," KEY_A "," KEY_B, E_SYNTAX },
		{ "4096," SALT "," KEY_A "," KEY_B, E_SYNTAX },
		{ SCRAM_PREFIX "4096," SALT "," KEY_A, E_SYNTAX },
		{ SCRAM_PREFIX "4096," SALT "," KEY_A ",", E_SYNTAX },
		{ SCRAM_PREFIX "4096," SALT "," KEY_A "," KEY_B ",", E_SYNTAX },
		{ SCRAM_PREFIX "4096," SALT "," KEY_A "," KEY_B ":", E_SYNTAX },
		{ SCRAM_PREFIX "," SALT "," KEY_A "," KEY_B, E_SYNTAX },
		{ SCRAM_PREFIX "04096," SALT "," KEY_A "," KEY_B, E_SYNTAX },
		{ SCRAM_PREFIX "+4096," SALT "," KEY_A "," KEY_B, E_SYNTAX },
		{ SCRAM_PREFIX "4096,," KEY_A "," KEY_B, E_RANGE },
		{ SCRAM_PREFIX "4096,W22Z," KEY_A ",AAAA", E_SYNTAX },
		{ SCRAM_PREFIX "4096,W22Z,AAAA," KEY_A, E_SYNTAX },
		{ SCRAM_PREFIX "4096,W22," KEY_A "," KEY_B, E_SYNTAX },
		{ SCRAM_PREFIX "4095," SALT "," KEY_A "," KEY_B, E_RANGE },
		{ SCRAM_PREFIX "0," SALT "," KEY_A "," KEY_B, E_SYNTAX },
		{ SCRAM_PREFIX "10000001," SALT "," KEY_A "," KEY_B, E_RANGE },
		{ SCRAM_PREFIX "99999999999999999999999," SALT "," KEY_A "," KEY_B, E_RANGE },
	};
	static const char	good[] = SCRAM_PREFIX "4096," SALT "," KEY_A "," KEY_B;
	struct scram_entry	e, back;
	char			dst[SCRAM_TEXT_MAX + 1];

	entry(&e, "pencil");
	assert_int_equal(scram_entry_text(&e, dst), sizeof(good) - 1);
	assert_string_equal(dst, good);
	assert_int_equal(scram_entry_parse(&back, slice_str(good)), E_OK);
	assert_memory_equal(&e, &back, sizeof(e));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (scram_entry_parse(&e, slice_str(bad[i].text)) != bad[i].err)
			fail_msg("%s", bad[i].text);
	}
}

static void
limits(void **state)
{
	static const uint32_t	iterations[] = { SCRAM_ITERATIONS_MIN, SCRAM_ITERATIONS_MIN + 1, SCRAM_ITERATIONS_MAX - 1,
		SCRAM_ITERATIONS_MAX };
	struct scram_entry	e = { .iterations = SCRAM_ITERATIONS_MAX }, back;
	char			dst[SCRAM_TEXT_MAX + 1], longer[SCRAM_TEXT_MAX + 100], salt[BASE64_LEN(SCRAM_SALT_MAX + 1) + 1];

	for (size_t n = 1; n <= SCRAM_SALT_MAX; n++) {
		e.salt_len = (uint8_t)n;
		e.salt[n - 1] = (uint8_t)n;
		assert_true(scram_entry_text(&e, dst) <= SCRAM_TEXT_MAX);
		assert_int_equal(scram_entry_parse(&back, slice_str(dst)), E_OK);
		assert_memory_equal(&e, &back, sizeof(e));
	}
	for (size_t i = 0; i < sizeof(iterations) / sizeof(iterations[0]); i++) {
		e.iterations = iterations[i];
		(void)scram_entry_text(&e, dst);
		assert_int_equal(scram_entry_parse(&back, slice_str(dst)), E_OK);
	}
	memset(longer, 0, sizeof(longer));
	(void)base64_encode(salt, slice_make(longer, SCRAM_SALT_MAX + 1));
	(void)snprintf(longer, sizeof(longer), SCRAM_PREFIX "4096,%s," KEY_A "," KEY_B, salt);
	assert_int_equal(scram_entry_parse(&back, slice_str(longer)), E_RANGE);
	assert_int_equal(scram_salted_password(e.stored, slice_str("x"), slice_str("y"), SCRAM_ITERATIONS_MAX + 1), E_RANGE);
	assert_int_equal(scram_salted_password(e.stored, slice_str("x"), slice_str("y"), 0), E_RANGE);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(vector), cmocka_unit_test(passwords), cmocka_unit_test(text), cmocka_unit_test(limits),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
