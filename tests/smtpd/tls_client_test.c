/*
 * tls_client_test.c -- whom a client's certificate names: made here octet by octet, since a stranger makes them so.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/x509v3.h>
#include <string.h>

#include "common/err.h"
#include "smtpd/tls_client.h"

#define L(s)	{ s, sizeof(s) - 1 }

static char	longest[ADDRESS_MAX + 2];

/* A name of a certificate: p NULL: it has none. */
struct text { const char *p; size_t n; };

static X509 *
make(const struct text *cn, const struct text *mail)
{
	X509		*x = X509_new();
	X509_NAME	*name = X509_NAME_new();
	GENERAL_NAMES	*names = GENERAL_NAMES_new();
	GENERAL_NAME	*g;
	ASN1_IA5STRING	*s;
	size_t		 i;

	assert_true(x != NULL && name != NULL && names != NULL);
	for (i = 0; i < 2 && cn[i].p != NULL; i++)
		assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
		    (const unsigned char *)cn[i].p, (int)cn[i].n, -1, 0), 1);
	assert_int_equal(X509_set_subject_name(x, name), 1);
	for (i = 0; i < 2 && mail[i].p != NULL; i++) {
		assert_non_null(g = GENERAL_NAME_new());
		assert_non_null(s = ASN1_IA5STRING_new());
		assert_int_equal(ASN1_STRING_set(s, mail[i].p, (int)mail[i].n), 1);
		GENERAL_NAME_set0_value(g, GEN_EMAIL, s);
		assert_true(sk_GENERAL_NAME_push(names, g) > 0);
	}
	if (mail[0].p != NULL)
		assert_int_equal(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0), 1);
	GENERAL_NAMES_free(names);
	X509_NAME_free(name);
	return (x);
}

static void
test_names(void **state)
{
	const struct {
		struct text	 cn[2], mail[2];
		const char	*login;		/* NULL: none */
	} cases[] = {
		{ { L("alice") }, { { NULL, 0 } }, "alice" },
		{ { L("alice") }, { L("bob@example.org") }, "bob@example.org" },
		{ { L("alice") }, { L("bob@example.org"), L("carol") }, "bob@example.org" },
		{ { { NULL, 0 } }, { L("bob@example.org") }, "bob@example.org" },
		{ { { NULL, 0 } }, { { NULL, 0 } }, NULL },
		/* What is wrong is not passed over for what might be right. */
		{ { L("alice") }, { L("") }, NULL },
		{ { L("alice") }, { L("bob@example.org\0.evil.example") }, NULL },
		{ { L("alice") }, { L("\0bob"), L("carol") }, NULL },
		{ { L("alice") }, { L("bob smith") }, NULL },
		{ { L("alice") }, { L("bob\r\n") }, NULL },
		{ { L("alice") }, { L("b\xc3\xb6" "b") }, NULL },
		{ { L("alice") }, { L("bob\x7f") }, NULL },
		{ { L("alice\0bob") }, { { NULL, 0 } }, NULL },
		{ { L("al ice") }, { { NULL, 0 } }, NULL },
		{ { L("\xc3\xa4lice") }, { { NULL, 0 } }, NULL },
		{ { L("alice"), L("bob") }, { { NULL, 0 } }, NULL },
		{ { L("alice"), L("alice") }, { { NULL, 0 } }, NULL },
		/* ADDRESS_MAX. */
		{ { L("alice") }, { { longest, ADDRESS_MAX - 1 } }, longest + 2 },
		{ { L("alice") }, { { longest, ADDRESS_MAX } }, longest + 1 },
		{ { L("alice") }, { { longest, ADDRESS_MAX + 1 } }, NULL },
	};
	char	 dst[ADDRESS_MAX + 1];
	X509	*x;
	size_t	 i;

	memset(longest, 'a', sizeof(longest) - 1);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(dst, 'x', sizeof(dst));
		x = make(cases[i].cn, cases[i].mail);
		if ((tls_client_name(x, dst) == E_OK) != (cases[i].login != NULL))
			fail_msg("case %zu: \"%s\"", i, dst);
		assert_string_equal(dst, cases[i].login != NULL ? cases[i].login : "");
		X509_free(x);
	}
}

static void
test_authorities(void **state)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_server_method());

	assert_non_null(ctx);
	assert_int_equal(tls_client_authorities(ctx, SLICE_LIT("")), E_OK);
	assert_int_equal(tls_client_authorities(ctx, SLICE_LIT("no certificate")), E_CORRUPT);
	assert_int_equal(tls_client_authorities(ctx,
	    SLICE_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), E_CORRUPT);
	SSL_CTX_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_authorities),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
