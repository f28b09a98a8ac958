/*
 * auth_credential_fuzz.c -- challenges of a next hop at which we log in.
 *
 * Input: the mechanisms offered, whether there is a channel binding, then challenges, each with its length before it (two octets);
 * a length with its highest bit set is the 235.  "@N" in a challenge stands for our nonce, "@V" for the signature that a server with
 * the password would have made: so the fuzzer can play one.  Oracle: SCRAM ends well only if "@V" was used or the very signature was
 * found; the password itself never leaves but by PLAIN and LOGIN; what is refused stays refused.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/credential.h"
#include "common/err.h"

#define CHECK(x)	do { if (!(x)) abort(); } while (0)
#define PASS		"correct horse battery"
#define ITERATIONS_CAP	8192u	/* more is slow, and no other code */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct credential	c;
static char			signature[BASE64_LEN(SCRAM_KEY_LEN) + 1];
static int			signed_by_us;

/* "@N" and "@V" become what they stand for. */
static size_t
expand(char *dst, size_t room, const uint8_t *p, size_t n)
{
	size_t		 len = 0, add;
	const char	*with;

	for (size_t i = 0; i < n; i++) {
		with = i + 1 < n && p[i] == '@' && p[i + 1] == 'N' ? c.scram.nonce :
		    i + 1 < n && p[i] == '@' && p[i + 1] == 'V' ? signature : NULL;
		add = with != NULL ? strlen(with) : 1;
		if (len + add > room)
			break;
		memcpy(dst + len, with != NULL ? with : (const char *)p + i, add);
		len += add;
		if (with != NULL) {
			signed_by_us |= with == signature && add != 0;
			i++;
		}
	}
	return (len);
}

static int
holds(const char *p, size_t n, const char *what)
{
	return (memmem(p, n, what, strlen(what)) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char	 text[SASL_DATA_MAX + 64];
	struct slice	 binding[BINDINGS] = { { NULL, 0 } };
	uint8_t		 salted[SCRAM_KEY_LEN];
	uint8_t		 nonce[SCRAM_NONCE_OCTETS] = { 9, 9, 9 };
	enum sasl_status s;
	size_t		 n;
	int		 done, scram;

	if (size < 2)
		return (0);
	if (data[1] & 1)
		binding[data[1] % BINDINGS] = SLICE_LIT("0123456789abcdef");
	signature[0] = '\0';
	signed_by_us = 0;
	s = credential_begin(&c, SLICE_LIT("a=user,x"), SLICE_LIT(PASS), data[0], binding, nonce);
	data += 2;
	size -= 2;
	if (s != SASL_CONTINUE) {
		CHECK(s == SASL_FAILED && c.why != NULL);
		return (0);
	}
	scram = c.mechanism == SASL_SCRAM_SHA_256 || c.mechanism == SASL_SCRAM_SHA_256_PLUS;
	CHECK(scram || c.mechanism == SASL_PLAIN || c.mechanism == SASL_LOGIN);
	while (size >= 2 && s == SASL_CONTINUE) {
		n = (size_t)(data[0] & 0x7f) << 8 | data[1];
		done = data[0] >> 7;
		data += 2;
		size -= 2;
		n = n < size ? n : size;
		n = expand(text, SASL_DATA_MAX + 1, data, n);
		data += n < size ? n : size;
		size -= n < size ? n : size;
		s = done ? credential_done(&c, slice_make(text, n)) : credential_step(&c, slice_make(text, n));
		CHECK(!done || s == SASL_OK || s == SASL_FAILED);
		if (s == SASL_CONTINUE && c.hash) {
			CHECK(c.scram.iterations >= SCRAM_ITERATIONS_MIN && c.scram.iterations <= SCRAM_CLIENT_ITERATIONS_MAX);
			CHECK(scram_salted_password(salted, c.password, slice_make(c.scram.salt, c.scram.salt_len),
			    c.scram.iterations < ITERATIONS_CAP ? c.scram.iterations : ITERATIONS_CAP) == E_OK);
			s = credential_hashed(&c, E_OK, salted);
			CHECK(s == SASL_CONTINUE && c.len <= CREDENTIAL_OUT_MAX);
			(void)base64_encode(signature, slice_make(c.scram.expected, sizeof(c.scram.expected)));
		}
		CHECK(!scram || !holds(c.out, c.len, PASS));
		CHECK(s == SASL_CONTINUE || c.len == 0);
		if (s == SASL_OK && scram)
			CHECK(signed_by_us || (signature[0] != '\0' && holds(text, n, signature)));
	}
	if (s != SASL_CONTINUE) {
		CHECK(credential_step(&c, SLICE_LIT("")) == SASL_BAD);
		CHECK(credential_done(&c, SLICE_LIT("")) == SASL_FAILED);
	}
	credential_end(&c);
	return (0);
}
