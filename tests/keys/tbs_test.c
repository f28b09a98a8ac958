/*
 * tbs_test.c -- what keys signs: the two forms of TLS, and nothing beside them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "keys/tbs.h"

#define BLANKS16	"                "
#define BLANKS64	BLANKS16 BLANKS16 BLANKS16 BLANKS16
#define SERVER		"TLS 1.3, server CertificateVerify"
#define CLIENT		"TLS 1.3, client CertificateVerify"
#define HASH		"0123456789abcdef"

static size_t
make(char *dst, const char *head, size_t nhead, size_t tail)
{
	memcpy(dst, head, nhead);
	memset(dst + nhead, 'h', tail);
	return (nhead + tail);
}

static void
tls13(void **state)
{
	static const struct {
		const char	*head;
		size_t		 nhead, hash;
		uint16_t	 scheme;
		int		 want;
	} t[] = {
#define H(s)	s, sizeof(s)		/* with its NUL */
		{ H(BLANKS64 SERVER), 32, 0x0403, E_OK },
		{ H(BLANKS64 SERVER), 48, 0x0403, E_OK },
		{ H(BLANKS64 SERVER), 32, 0x0804, E_OK },
		{ H(BLANKS64 SERVER), 32, 0x0807, E_OK },
		{ H(BLANKS64 SERVER), 32, 0x0401, E_SYNTAX },	/* PKCS #1 is not for TLS 1.3 */
		{ H(BLANKS64 SERVER), 31, 0x0403, E_SYNTAX },
		{ H(BLANKS64 SERVER), 33, 0x0403, E_SYNTAX },
		{ H(BLANKS64 SERVER), 47, 0x0403, E_SYNTAX },
		{ H(BLANKS64 SERVER), 49, 0x0403, E_SYNTAX },
		{ H(BLANKS64 SERVER), 0, 0x0403, E_SYNTAX },
		{ H(BLANKS64 CLIENT), 32, 0x0403, E_SYNTAX },	/* somebody's login */
		{ BLANKS64 SERVER, sizeof(BLANKS64 SERVER) - 1, 33, 0x0403, E_SYNTAX },
		{ H(BLANKS16 BLANKS16 BLANKS16 SERVER), 32, 0x0403, E_SYNTAX },
	};
	char	in[TBS_MAX];
	size_t	i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		n = make(in, t[i].head, t[i].nhead, t[i].hash);
		if (tbs_check(tbs_scheme(t[i].scheme), slice_make(in, n)) != t[i].want)
			fail_msg("case %zu", i);
	}
}

/* Randoms, then the key exchange's parameters. */
static size_t
params(char *dst, char type, uint16_t curve, unsigned len, char first, size_t octets)
{
	memset(dst, ' ', 64);	/* a client may choose its random: blanks must not help it */
	dst[64] = type;
	dst[65] = (char)(curve >> 8);
	dst[66] = (char)curve;
	dst[67] = (char)len;
	memset(dst + 68, 'p', octets);
	if (octets != 0)
		dst[68] = first;
	return (68 + octets);
}

static void
tls12(void **state)
{
	static const struct {
		char		 type;
		uint16_t	 curve;
		unsigned	 len;
		char		 first;
		size_t		 octets;
		int		 want;
	} t[] = {
		{ 3, 23, 65, 4, 65, E_OK },
		{ 3, 24, 97, 4, 97, E_OK },
		{ 3, 25, 133, 4, 133, E_OK },
		{ 3, 29, 32, 0, 32, E_OK },
		{ 3, 30, 56, 7, 56, E_SYNTAX },		/* x448: no level has it, and it has the most free octets */
		{ 3, 23, 65, 2, 65, E_SYNTAX },		/* a compressed point */
		{ 3, 23, 64, 4, 64, E_SYNTAX },
		{ 3, 23, 66, 4, 66, E_SYNTAX },
		{ 3, 23, 65, 4, 66, E_SYNTAX },		/* octets behind it */
		{ 3, 23, 65, 4, 64, E_SYNTAX },
		{ 3, 22, 65, 4, 65, E_SYNTAX },		/* secp256k1 */
		{ 1, 23, 65, 4, 65, E_SYNTAX },		/* explicit curves */
		{ 'T', 23, 65, 4, 65, E_SYNTAX },
		{ 3, 29, 0, 0, 0, E_SYNTAX },
	};
	char	in[TBS_MAX];
	size_t	i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		n = params(in, t[i].type, t[i].curve, t[i].len, t[i].first, t[i].octets);
		if (tbs_check(tbs_scheme(0x0403), slice_make(in, n)) != t[i].want ||
		    tbs_check(tbs_scheme(0x0401), slice_make(in, n)) != t[i].want)
			fail_msg("case %zu", i);
	}
}

/* Hashes, certificate requests, mail headers, nothing at all. */
static void
others(void **state)
{
	static const char *const	in[] = { "", "a", HASH HASH, HASH HASH HASH, BLANKS64, BLANKS64 BLANKS64,
	    "from:a@example.org\r\nsubject:x\r\n", "SSH-2.0-session" };
	static const uint16_t		schemes[] = { 0x0401, 0x0403, 0x0804, 0x0807 };
	size_t				i, k;

	for (i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		for (k = 0; k < sizeof(schemes) / sizeof(schemes[0]); k++)
			assert_int_equal(tbs_check(tbs_scheme(schemes[k]), slice_str(in[i])), E_SYNTAX);
	assert_null(tbs_scheme(0x0201));	/* rsa_pkcs1_sha1 */
	assert_null(tbs_scheme(0x0203));	/* ecdsa_sha1 */
	assert_null(tbs_scheme(0));
}

int
main(void)
{
	static const struct CMUnitTest	tests[] = {
		cmocka_unit_test(tls13),
		cmocka_unit_test(tls12),
		cmocka_unit_test(others),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
