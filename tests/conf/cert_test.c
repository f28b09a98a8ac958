/*
 * cert_test.c -- certificate files, made here: which serve, which are refused and why, and what the snapshot gets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "conf/build.h"
#include "conf/cert.h"
#include "tests/conf/cert_kit.h"

static struct arena	mem;
static struct cert	got;
static char		why[CERT_WHY_MAX];

static void
check(char *text, const char *want)
{
	why[0] = '\0';
	if (cert_read(&got, text, NOW, &mem, why) != (want == NULL))
		fail_msg("%s", why);
	if (want != NULL && strcmp(why, want) != 0)
		fail_msg("says \"%s\", wanted \"%s\"", why, want);
	free(text);
}

static void
test_serves(void **state)
{
	X509		*x[] = { own(ec, "DNS:MX.Example.org,DNS:*.example.org,email:a@b.c,DNS:bad_name..x,IP:192.0.2.1"), ca() };
	unsigned char	*der = NULL, hash[SPKI_HASH_LEN];
	int		 n = i2d_PUBKEY(ec, &der), len = i2d_X509(x[0], NULL) + i2d_X509(x[1], NULL);

	(void)state;
	check(pem(x, 2), NULL);
	assert_int_equal(got.chain.n, len);
	EVP_Digest(der, (size_t)n, hash, NULL, EVP_sha256(), NULL);
	assert_memory_equal(hash, got.spki, sizeof(hash));
	OPENSSL_free(der);
	assert_int_equal(got.names.n, 2);
	assert_string_equal(((const char **)got.names.p)[0], "mx.example.org");
	assert_string_equal(((const char **)got.names.p)[1], "*.example.org");
	assert_string_equal(got.warning, "");
	free(got.names.p);
}

static void
test_order(void **state)
{
	static const char *const wrong = "certificate 2 of the file did not sign certificate 1: the server's own comes first, "
	    "then the one that signed it, and so on";
	X509	*swapped[] = { ca(), own(ec, NULL) };
	X509	*other[] = { own(ec, NULL), own(ec, NULL) };
	X509	*same_name[] = { own(rsa, NULL), certificate("ca", ec, "ca", ec, -1, 9, NULL) };
	X509	*third[] = { own(ec, NULL), ca(), own(ec, NULL) };

	(void)state;
	check(pem(swapped, 2), wrong);
	check(pem(other, 2), wrong);
	check(pem(same_name, 2), wrong);	/* by its name it might be, but the signature is another's */
	check(pem(third, 3), "certificate 3 of the file did not sign certificate 2: the server's own comes first, then the one "
	    "that signed it, and so on");
}

static void
test_keys(void **state)
{
	static const struct { const char *type; size_t bits; const char *curve, *want; } rows[] = {
		{ "RSA", 1024, NULL, "its key is RSA of 1024 bits; expected 2048 to 8192" },
		{ "RSA", 2047, NULL, "its key is RSA of 2047 bits; expected 2048 to 8192" },
		{ "RSA", 2048, NULL, NULL },
		{ "EC", 0, "P-256", NULL }, { "EC", 0, "P-384", NULL }, { "EC", 0, "P-521", NULL },
		{ "EC", 0, "secp256k1", "its key is on a curve that is not P-256, P-384 or P-521" },
		{ "ED25519", 0, NULL, NULL }, { "ED448", 0, NULL, "its key is not RSA, EC or Ed25519" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EVP_PKEY	*k = rows[i].curve != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", rows[i].curve) :
		    EVP_PKEY_Q_keygen(NULL, NULL, rows[i].type, rows[i].bits);
		X509		*x[1];

		assert_non_null(k);
		x[0] = own(k, NULL);
		check(pem(x, 1), rows[i].want);
		EVP_PKEY_free(k);
	}
}

static void
test_times(void **state)
{
	static const struct { int from, to; const char *want; } rows[] = {
		{ -2, 1, "" },
		{ -2, -1, "certificate 1 of the file has expired on 2027-01-14 08:00:00 UTC" },
		{ -2, 0, "certificate 1 of the file has expired on 2027-01-15 08:00:00 UTC" },
		{ 0, 1, "" },
		{ 1, 2, "certificate 1 of the file is not valid before 2027-01-16 08:00:00 UTC" },
	};
	X509	*chain[] = { own(ec, NULL), certificate("ca", rsa, "ca", rsa, -9, -3, NULL) };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		X509	*x[] = { certificate("a", ec, "a", ec, rows[i].from, rows[i].to, NULL) };

		check(pem(x, 1), NULL);
		assert_string_equal(got.warning, rows[i].want);
	}
	check(pem(chain, 2), NULL);
	assert_string_equal(got.warning, "certificate 2 of the file has expired on 2027-01-12 08:00:00 UTC");
}

static void
test_files(void **state)
{
	X509	*x[] = { own(ec, NULL) };
	char	*good = pem(x, 1), *cut = strdup(good), *text;

	(void)state;
	check(strdup(""), "no certificate in PEM (-----BEGIN CERTIFICATE-----)");
	check(strdup("words\n"), "no certificate in PEM (-----BEGIN CERTIFICATE-----)");
	check(strdup("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), "its certificate cannot be read");
	cut[strlen(cut) / 2] = '\0';
	check(cut, "its certificate cannot be read");
	assert_true(asprintf(&text, "%s-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", good) > 0);
	check(text, "a certificate in it cannot be read");
	assert_true(asprintf(&text, "%s-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n", good) > 0);
	check(text, "it holds a private key too, which is for postern-keys alone: put that into a file of its own");
	free(good);
}

static void
test_limits(void **state)
{
	X509	*x[CHAIN_CERTS_MAX + 1];
	char	*san = NULL;
	FILE	*f;
	size_t	 size, n;

	(void)state;
	for (n = CHAIN_CERTS_MAX - 1; n <= CHAIN_CERTS_MAX + 1; n++) {
		for (size_t i = 0; i < n; i++)
			x[i] = ca();	/* each has signed itself, and so the one before */
		check(pem(x, n), n <= CHAIN_CERTS_MAX ? NULL : "more than 10 certificates");
	}
	for (n = CERT_NAMES_MAX - 1; n <= CERT_NAMES_MAX + 1; n++) {
		f = open_memstream(&san, &size);
		for (size_t i = 0; i < n; i++)
			fprintf(f, "%sDNS:n%zu.test", i == 0 ? "" : ",", i);
		fclose(f);
		x[0] = own(ec, san);
		check(pem(x, 1), n <= CERT_NAMES_MAX ? NULL : "it is for more than 1000 names");
		if (n <= CERT_NAMES_MAX) {
			assert_int_equal(got.names.n, n);
			free(got.names.p);
		}
		free(san);
	}
	/* 63 octets a name: with one certificate of the CA behind it less than CHAIN_MAX, with nine more. */
	for (n = 1; n <= 9; n++) {
		size_t	 total = 0;

		f = open_memstream(&san, &size);
		for (size_t i = 0; i < 950; i++)
			fprintf(f, "%sDNS:%056zu.test", i == 0 ? "" : ",", i);
		fclose(f);
		x[0] = own(ec, san);
		free(san);
		for (size_t i = 1; i <= n; i++)
			x[i] = ca();
		for (size_t i = 0; i <= n; i++)
			total += (size_t)i2d_X509(x[i], NULL);
		if (n == 1)
			assert_true(total <= CHAIN_MAX);
		else if (n == 9)
			assert_true(total > CHAIN_MAX);
		check(pem(x, n + 1), total <= CHAIN_MAX ? NULL : "the chain is longer than 65536 octets");
		if (total <= CHAIN_MAX)
			free(got.names.p);
	}
}

/* ---- with postern.conf around it ---- */

static char	*files[2];

static char *
fake_cert(const char *path, size_t max, const char **no)
{
	assert_int_equal(max, CERT_FILE_MAX);
	if (strcmp(path, "/a.pem") == 0)
		return (strdup(files[0]));
	if (strcmp(path, "/b.pem") == 0)
		return (strdup(files[1]));
	*no = "No such file or directory";
	return (NULL);
}

static char *
no_file(const char *path, size_t max, const char **no)
{
	*no = "No such file or directory";
	return (NULL);
}

static void
test_build(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "tls \"MX.test\" { certificate = \"/a.pem\" key = \"/a.key\" }\ntls-level = old\n"
		  "listener a { tls = require }\n", "" },
		{ "tls \"mx.test\" { certificate = { \"/a.pem\",\n \"/b.pem\" } key = { \"/a.key\", \"/b.key\" } }\n",
		  "c:2: warning: certificate: \"/b.pem\": it is not for mx.test\n" },
		{ "tls \"x.wild.test\" { certificate = \"/a.pem\" key = \"/a.key\" }\n", "" },
		{ "tls \"x.y.wild.test\" { certificate = \"/a.pem\" key = \"/a.key\" }\n",
		  "c:1: warning: certificate: \"/a.pem\": it is not for x.y.wild.test\n" },
		{ "tls \"mx.test\" {\n certificate = \"/c.pem\"\n key = \"/c.key\" }\nlistener a { tls = starttls }\n",
		  "c:2: certificate: \"/c.pem\": No such file or directory\n" },
	};
	const struct conf_world	 world = { .name = "c", .hostname = "h.test", .read_file = no_file, .read_cert = fake_cert,
				     .now = NOW };
	X509			*a[] = { own(ec, "DNS:mx.test,DNS:*.wild.test") }, *b[] = { own(rsa, "DNS:other.test") };
	char			 text[4096];

	(void)state;
	files[0] = pem(a, 1);
	files[1] = pem(b, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errors	 e = { 0 };
		struct conf	*c = conf_build(slice_str(cases[i].in), &world, &e);
		FILE		*f = fmemopen(text, sizeof(text), "w");

		errors_print(&e, "c", f);
		fputc('\0', f);
		fclose(f);
		if (strcmp(text, cases[i].out) != 0)
			fail_msg("%s\n--- says\n%s--- wanted\n%s", cases[i].in, text, cases[i].out);
		if (i < 2) {
			assert_non_null(c);
			assert_int_equal(c->ncerts, i + 1);
			assert_int_equal(c->tls_level, i == 0 ? TLS_OLD : TLS_INTERMEDIATE);
			assert_string_equal(c->certs[i].name, "mx.test");
			assert_string_equal(c->certs[i].key_path, i == 0 ? "/a.key" : "/b.key");
			assert_string_equal(c->certs[0].names[1], "*.wild.test");
		}
		if (i == 0)
			assert_int_equal(c->listeners[0].tls, LISTEN_REQUIRE);
		errors_clear(&e);
		conf_free(c);
	}
	free(files[0]);
	free(files[1]);
}

static void
test_counts(void **state)
{
	const struct conf_world	 world = { .name = "c", .hostname = "h.test", .read_file = no_file, .read_cert = fake_cert,
				     .now = NOW };
	X509			*a[] = { own(ec, "DNS:mx.test") };

	(void)state;
	files[0] = pem(a, 1);
	for (size_t n = CERTS_MAX - 1; n <= CERTS_MAX + 1; n++) {
		struct errors	 e = { 0 };
		struct conf	*c;
		char		*in = NULL;
		size_t		 size = 0;
		FILE		*f = open_memstream(&in, &size);

		for (size_t i = 0; i < n; i++)
			fprintf(f, "tls \"n%zu.test\" { certificate = \"/a.pem\" key = \"/a.key\" }\n", i);
		fclose(f);
		c = conf_build(slice_make(in, size), &world, &e);
		assert_int_equal(c != NULL, n <= CERTS_MAX);
		assert_int_equal(e.n, n <= CERTS_MAX ? 0 : 1);
		assert_true(e.warnings >= CERTS_MAX - 1);
		errors_clear(&e);
		conf_free(c);
		free(in);
	}
	free(files[0]);
}

static int
set_up(void **state)
{
	arena_init(&mem, SIZE_MAX);
	return (make_keys(state));
}

static int
tear_down(void **state)
{
	arena_clear(&mem);
	return (free_keys(state));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serves), cmocka_unit_test(test_order), cmocka_unit_test(test_keys),
		cmocka_unit_test(test_times), cmocka_unit_test(test_files), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_build), cmocka_unit_test(test_counts),
	};

	return (cmocka_run_group_tests(tests, set_up, tear_down));
}
