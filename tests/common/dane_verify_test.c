/*
 * dane_verify_test.c -- tables for common/dane_verify.c with certificates made here: a root, an intermediate, leaves that are
 * good, expired, for another name, self-signed.  RFC 7671 5 and 9, RFC 7672 3.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/dane_verify.h"
#include "common/err.h"

#define DAY	86400

enum { ROOT, MIDDLE, LEAF, EXPIRED, OTHER, WILD, CN_ALONE, ALONE, NEXTHOP, CERTS };

static EVP_PKEY	*key[CERTS];
static X509	*cert[CERTS];

static void
extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX	 ctx;
	X509_EXTENSION	*e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void
make(int at, const char *cn, const char *names, int issuer, int ca, long from, long until)
{
	static long	 serial;
	X509		*x = X509_new();
	X509_NAME	*name = X509_NAME_new();

	key[at] = EVP_EC_gen("P-256");
	assert_non_null(key[at]);
	assert_non_null(x);
	assert_int_equal(X509_set_version(x, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(
			     name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0),
	    1);
	assert_int_equal(X509_set_subject_name(x, name), 1);
	assert_int_equal(
	    X509_set_issuer_name(x, issuer == at ? name : X509_get_subject_name(cert[issuer])), 1);
	X509_NAME_free(name);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), from));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), until));
	assert_int_equal(X509_set_pubkey(x, key[at]), 1);
	cert[at] = x;
	extension(x, cert[issuer], NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (names != NULL)
		extension(x, cert[issuer], NID_subject_alt_name, names);
	assert_true(X509_sign(x, key[issuer], EVP_sha256()) > 0);
}

static int
make_all(void **state)
{
	make(ROOT, "Root", NULL, ROOT, 1, -DAY, 9 * DAY);
	make(MIDDLE, "Middle", NULL, ROOT, 1, -DAY, 9 * DAY);
	make(LEAF, "whatever", "DNS:mx.example.net", MIDDLE, 0, -DAY, 9 * DAY);
	make(EXPIRED, "whatever", "DNS:mx.example.net", MIDDLE, 0, -3 * DAY, -DAY);
	make(OTHER, "mx.example.net", "DNS:other.example.net", MIDDLE, 0, -DAY, 9 * DAY);
	make(WILD, "whatever", "DNS:*.example.net", MIDDLE, 0, -DAY, 9 * DAY);
	make(CN_ALONE, "mx.example.net", NULL, MIDDLE, 0, -DAY, 9 * DAY);
	make(ALONE, "localhost", NULL, ALONE, 0, -DAY, 9 * DAY);
	make(NEXTHOP, "whatever", "DNS:example.net", MIDDLE, 0, -DAY, 9 * DAY);
	return (0);
}

static int
free_all(void **state)
{
	for (int i = 0; i < CERTS; i++) {
		X509_free(cert[i]);
		EVP_PKEY_free(key[i]);
	}
	return (0);
}

/* A record for a certificate; its data is to be freed. */
static struct tlsa
record_for(int at, unsigned usage, unsigned selector, unsigned matching)
{
	struct tlsa t = { .usage = (uint8_t)usage,
		.selector = (uint8_t)selector,
		.matching = (uint8_t)matching };
	uint8_t		*der = NULL, *digest;
	unsigned	 len = 0;
	int		 n;

	n = selector == 0 ? i2d_X509(cert[at], &der) :
			    i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert[at]), &der);
	assert_true(n > 0);
	digest = malloc((size_t)n + EVP_MAX_MD_SIZE);
	assert_non_null(digest);
	if (matching == 0) {
		memcpy(digest, der, (size_t)n);
		len = (unsigned)n;
	} else
		assert_int_equal(EVP_Digest(der, (size_t)n, digest, &len,
				     matching == 1 ? EVP_sha256() : EVP_sha512(), NULL),
		    1);
	OPENSSL_free(der);
	t.len = (uint16_t)len;
	t.data = digest;
	return (t);
}

/*
 * Records as a text: "311L" is usage, selector, matching type, and whose: Root, Middle, Leaf, Expired, Other, Wild, Cn, Alone,
 * Nexthop.
 */
static const char	letters[] = "RMLEOWCAN";

static size_t
records(const char *text, struct tlsa *t)
{
	size_t	n = 0;

	for (; *text != '\0'; text += text[4] == ' ' ? 5 : 4)
		t[n++] =
		    record_for((int)(strchr(letters, text[3]) - letters), (unsigned)(text[0] - '0'),
			(unsigned)(text[1] - '0'), (unsigned)(text[2] - '0'));
	return (n);
}

static void
chains(void **state)
{
	static const struct {
		const char	*records, *chain;
		int		 err;
		const char	*text;		/* a part of it */
	} t[] = {
		/* Usage 3: the leaf, whatever its names, its dates and its issuer. */
		{ "311L", "LM", E_OK, "3 1 1 matched the leaf certificate" },
		{ "301L", "L", E_OK, "3 0 1 matched the leaf" },
		{ "312L", "LM", E_OK, "3 1 2" },
		{ "302L", "LM", E_OK, "3 0 2" },
		{ "310L", "LM", E_OK, "3 1 0" },
		{ "300L", "LM", E_OK, "3 0 0" },
		{ "311E", "EM", E_OK, "3 1 1" },
		{ "301O", "OM", E_OK, "3 0 1" },
		{ "311A", "A", E_OK, "3 1 1" },
		{ "301A", "A", E_OK, "3 0 1" },
		{ "311C", "CM", E_OK, "3 1 1" },
		{ "311M", "LM", E_DENIED, "no TLSA record matches" }, /* not the leaf */
		{ "311L", "OM", E_DENIED, "no TLSA record matches" },
		{ "310O", "LM", E_DENIED, "no TLSA record matches" },
		/* Usage 2: an issuer in the chain, and dates and names count. */
		{ "201M", "LM", E_OK,
		    "2 0 1 matched the certificate at depth 1, name mx.example.net" },
		{ "211M", "LM", E_OK, "2 1 1 matched the certificate at depth 1" },
		{ "201R", "LMR", E_OK, "2 0 1 matched the certificate at depth 2" },
		{ "211R", "LMR", E_OK, "2 1 1 matched the certificate at depth 2" },
		{ "202R", "LMR", E_OK, "2 0 2 matched" },
		{ "201R", "LRM", E_OK, "depth 2" }, /* in any order */
		{ "201R", "LM", E_DENIED, "" },
		{ "211R", "LM", E_DENIED, "" }, /* the anchor was not sent (RFC 7671 5.2.2) */
		{ "201M", "L", E_DENIED, "" },
		{ "200R", "LM", E_OK, "2 0 0" }, /* but need not be where the record has it whole */
		{ "200M", "L", E_OK, "2 0 0" },
		{ "210R", "LM", E_OK,
		    "2 1 0 is the key that signed the certificate at depth 1" }, /* RFC 7671 5.2.3
										  */
		{ "210M", "L", E_OK, "2 1 0 is the key that signed the certificate at depth 0" },
		{ "201M", "EM", E_DENIED, "expired" },
		{ "201M", "OM", E_DENIED, "another name" },
		{ "201M", "WM", E_OK, "name *.example.net" },
		{ "201M", "CM", E_OK, "name mx.example.net" },
		{ "201M", "NM", E_OK,
		    "name example.net" },      /* the next hop's own (RFC 7672 3.2.2) */
		{ "201A", "A", E_DENIED, "" }, /* a leaf is nobody's issuer */
		{ "201L", "LM", E_DENIED, "" },
		{ "201R", "AR", E_DENIED, "" },
		/* Several: a rollover; and the stronger digest alone (RFC 7671 9). */
		{ "311O 311L", "LM", E_OK, "3 1 1" },
		{ "311O 201M", "LM", E_OK, "2 0 1" },
		{ "311O 301E", "LM", E_DENIED, "no TLSA" },
		{ "312O 311L", "LM", E_DENIED, "no TLSA" },
		{ "312L 311O", "LM", E_OK, "3 1 2" },
		{ "310L 312O 311O", "LM", E_OK, "3 1 0" },
		{ "302O 311L", "LM", E_OK, "3 1 1" },
		{ "201M 311L", "OM", E_DENIED, "" },
		{ "201M 311O", "OM", E_OK, "3 1 1" },
	};
	static const char *const names[] = { "mx.example.net", "example.net" };
	struct tlsa	 rec[4];
	X509		*chain[4];
	char		 text[DANE_TEXT_MAX];
	size_t		 n, nchain;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		n = records(t[i].records, rec);
		for (nchain = 0; t[i].chain[nchain] != '\0'; nchain++)
			chain[nchain] = cert[strchr(letters, t[i].chain[nchain]) - letters];
		int err = dane_verify_chain(chain, nchain, names[0], rec, n, names, 2, text);
		if (err != t[i].err || strstr(text, t[i].text) == NULL)
			fail_msg("%s, chain %s: %s, \"%s\"", t[i].records, t[i].chain,
			    err_name(err), text);
		while (n > 0)
			free((void *)(uintptr_t)rec[--n].data);
	}
}

/* The base domain alone: other names of the next hop are not taken. */
static void
one_name(void **state)
{
	static const char *const names[] = { "mx.example.net" };
	struct tlsa	 rec = record_for(MIDDLE, 2, 0, 1);
	X509		*chain[2] = { cert[NEXTHOP], cert[MIDDLE] };
	char		 text[DANE_TEXT_MAX];

	assert_int_equal(dane_verify_chain(chain, 2, names[0], &rec, 1, names, 1, text), E_DENIED);
	assert_non_null(strstr(text, "another name"));
	chain[0] = cert[LEAF];
	assert_int_equal(dane_verify_chain(chain, 2, names[0], &rec, 1, names, 1, text), E_OK);
	/* A wildcard is one label. */
	chain[0] = cert[WILD];
	assert_int_equal(
	    dane_verify_chain(chain, 2, "a.b.example.net", &rec, 1, NULL, 0, text), E_DENIED);
	assert_int_equal(
	    dane_verify_chain(chain, 2, "example.net", &rec, 1, NULL, 0, text), E_DENIED);
	assert_int_equal(
	    dane_verify_chain(chain, 2, "b.example.net", &rec, 1, NULL, 0, text), E_OK);
	free((void *)(uintptr_t)rec.data);
}

/* What passes for usable until OpenSSL looks at it. */
static void
unusable(void **state)
{
	static const uint8_t	nothing[] = { 0x30, 2, 5, 0 };
	struct tlsa rec[2] = { { 3, 0, 0, sizeof(nothing), nothing },
		{ 2, 1, 0, sizeof(nothing), nothing } };
	X509			*chain[1] = { cert[LEAF] };
	char			text[DANE_TEXT_MAX];

	assert_null(tlsa_unusable(&rec[0]));
	assert_int_equal(
	    dane_verify_chain(chain, 1, "mx.example.net", rec, 2, NULL, 0, text), E_SYNTAX);
	rec[1] = record_for(LEAF, 3, 1, 1);
	assert_int_equal(
	    dane_verify_chain(chain, 1, "mx.example.net", rec, 2, NULL, 0, text), E_OK);
	free((void *)(uintptr_t)rec[1].data);
	assert_int_equal(
	    dane_verify_chain(chain, 1, "mx.example.net", rec, 0, NULL, 0, text), E_SYNTAX);
}

/* Which record is about which certificate: our own reckoning beside OpenSSL's. */
static void
matches(void **state)
{
	uint8_t	digest[32];

	for (unsigned m = 0; m <= 2; m++) {
		for (unsigned s = 0; s <= 1; s++) {
			struct tlsa	t = record_for(LEAF, 3, s, m);

			for (int c = 0; c < CERTS; c++)
				assert_int_equal(dane_matches(&t, cert[c]), c == LEAF);
			t.usage = 1;
			assert_int_equal(dane_matches(&t, cert[LEAF]), 0);
			if (m == 1) {
				assert_int_equal(dane_digest(cert[LEAF], s, digest), 1);
				assert_memory_equal(digest, t.data, 32);
			}
			free((void *)(uintptr_t)t.data);
		}
	}
}

static void
reading(void **state)
{
	X509		*chain[DANE_CHAIN_MAX];
	struct slice	 pem;
	BIO		*out;
	char		*p;
	size_t		 n;

	for (size_t want = 0; want <= DANE_CHAIN_MAX + 1;
	     want += want == 2 ? DANE_CHAIN_MAX - 3 : 1) {
		out = BIO_new(BIO_s_mem());
		assert_non_null(out);
		BIO_puts(out, "some words before\n");
		PEM_write_bio_PrivateKey(out, key[LEAF], NULL, NULL, 0, NULL, NULL);
		for (size_t i = 0; i < want; i++)
			PEM_write_bio_X509(out, cert[i == 0 ? LEAF : MIDDLE]);
		pem.n = (size_t)BIO_get_mem_data(out, &p);
		pem.p = p;
		assert_int_equal(dane_chain_read(pem, chain, &n), want == 0 ? E_SYNTAX :
		    want <= DANE_CHAIN_MAX ? E_OK : E_LIMIT);
		if (want >= 1 && want <= DANE_CHAIN_MAX) {
			assert_int_equal(n, want);
			assert_int_equal(X509_cmp(chain[0], cert[LEAF]), 0);
		}
		while (n > 0)
			X509_free(chain[--n]);
		if (want == 2) {	/* broken in its second certificate */
			pem.n -= 60;
			assert_int_equal(dane_chain_read(pem, chain, &n), E_SYNTAX);
			while (n > 0)
				X509_free(chain[--n]);
		}
		BIO_free(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains),
		cmocka_unit_test(one_name),
		cmocka_unit_test(unusable),
		cmocka_unit_test(matches),
		cmocka_unit_test(reading),
	};

	return (cmocka_run_group_tests(tests, make_all, free_all));
}
