/*
 * key_test.c -- reading private keys and signing with them: which are taken, which are refused and why, and that a
 * signature is one that the public half verifies.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/err.h"
#include "keys/key.h"
#include "tests/keys/key_kit.h"

static const char	cert_verify[] =
	"                                                                "
	"TLS 1.3, server CertificateVerify\0hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh";

static EVP_PKEY *
generate(const char *what)
{
	if (strcmp(what, "RSA 1024") == 0)
		return (EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024));
	if (strcmp(what, "RSA 2048") == 0)
		return (EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048));
	if (strncmp(what, "EC ", 3) == 0)
		return (EVP_PKEY_Q_keygen(NULL, NULL, "EC", what + 3));
	return (EVP_PKEY_Q_keygen(NULL, NULL, what));
}

/* A memory file with the key, at its start. */
static int
file_of(EVP_PKEY *k, const char *password)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	char	*p;
	long	 n;
	int	 fd = memfd_create("key", MFD_CLOEXEC);

	assert_int_equal(PEM_write_bio_PrivateKey(bio, k, password != NULL ? EVP_aes_128_cbc() : NULL,
	    (const unsigned char *)password, password != NULL ? (int)strlen(password) : 0, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &p);
	assert_true(fd != -1 && write(fd, p, (size_t)n) == n && lseek(fd, 0, SEEK_SET) == 0);
	BIO_free(bio);
	return (fd);
}

static void
kinds(void **state)
{
	static const struct {
		const char	*what;
		int		 want;
		uint16_t	 scheme, other;		/* one that fits, one that does not */
	} t[] = {
		{ "RSA 2048", E_OK, 0x0804, 0x0403 },
		{ "EC P-256", E_OK, 0x0403, 0x0804 },
		{ "EC P-384", E_OK, 0x0503, 0x0807 },
		{ "EC P-521", E_OK, 0x0603, 0x0804 },
		{ "ED25519", E_OK, 0x0807, 0x0403 },
		{ "RSA 1024", E_SYNTAX, 0, 0 },
		{ "EC secp256k1", E_SYNTAX, 0, 0 },
		{ "X25519", E_SYNTAX, 0, 0 },
	};
	static const char	*const digests[] = { NULL, "SHA256", "SHA384", "SHA512" };
	uint8_t			 hash[SPKI_LEN], sig[SIGNATURE_MAX];
	struct slice		 tbs = slice_make(cert_verify, sizeof(cert_verify) - 1);
	const char		*why, *md;
	EVP_PKEY		*k;
	EVP_PKEY_CTX		*pc;
	EVP_MD_CTX		*m;
	struct key		*key;
	size_t			 i, len;
	int			 fd;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_non_null(k = generate(t[i].what));
		spki(k, hash);
		fd = file_of(k, NULL);
		key = NULL;
		if (key_read(&key, fd, hash, &why) != t[i].want)
			fail_msg("%s: %s", t[i].what, why != NULL ? why : "taken");
		close(fd);
		if (t[i].want == E_OK) {
			assert_int_equal(key_sign(key, t[i].scheme, tbs, sig, &len), E_OK);
			assert_int_equal(key_sign(key, t[i].other, tbs, sig, &len), E_SYNTAX);
			assert_int_equal(key_sign(key, t[i].scheme, slice_str("anything else"), sig, &len), E_SYNTAX);
			assert_int_equal(key_sign(key, t[i].scheme, tbs, sig, &len), E_OK);
			md = t[i].scheme == 0x0807 ? NULL : t[i].scheme == 0x0804 ? "SHA256" :
			    digests[(t[i].scheme >> 8) - 3];
			assert_non_null(m = EVP_MD_CTX_new());
			assert_int_equal(EVP_DigestVerifyInit_ex(m, &pc, md, NULL, NULL, k, NULL), 1);
			if (t[i].scheme == 0x0804)
				assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING), 1);
			if (EVP_DigestVerify(m, sig, len, (const unsigned char *)tbs.p, tbs.n) != 1)
				fail_msg("%s: its signature is none", t[i].what);
			EVP_MD_CTX_free(m);
			key_free(key);
		}
		EVP_PKEY_free(k);
	}
}

static void
refusals(void **state)
{
	EVP_PKEY	*k = generate("EC P-256"), *other = generate("EC P-256");
	uint8_t		 hash[SPKI_LEN], wrong[SPKI_LEN];
	char		 large[4096];
	const char	*why;
	struct key	*key;
	int		 fd, i;

	spki(k, hash);
	spki(other, wrong);
	fd = file_of(k, NULL);
	assert_int_equal(key_read(&key, fd, wrong, &why), E_NOTFOUND);
	close(fd);
	fd = file_of(k, "password");
	assert_int_equal(key_read(&key, fd, hash, &why), E_SYNTAX);
	assert_non_null(strstr(why, "encrypted"));
	close(fd);
	fd = memfd_create("empty", MFD_CLOEXEC);
	assert_int_equal(key_read(&key, fd, hash, &why), E_SYNTAX);
	assert_int_equal(write(fd, "no key\n", 7), 7);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(key_read(&key, fd, hash, &why), E_SYNTAX);
	/* 65535 octets may be read, 65536 not. */
	memset(large, '\n', sizeof(large));
	for (i = 0; i < 16; i++)
		assert_int_equal(pwrite(fd, large, sizeof(large), i * (off_t)sizeof(large)), sizeof(large));
	assert_int_equal(ftruncate(fd, 65535), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(key_read(&key, fd, hash, &why), E_SYNTAX);
	assert_int_equal(ftruncate(fd, 65536), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(key_read(&key, fd, hash, &why), E_LIMIT);
	close(fd);
	assert_int_equal(key_read(&key, -1, hash, &why), E_IO);
	EVP_PKEY_free(k);
	EVP_PKEY_free(other);
}

/* TLS 1.2: an ECDHE key is a point of its curve, or nothing is signed: other octets are as he likes who asks. */
static void
points(void **state)
{
	static const struct { const char *curve; uint8_t number; } t[] = { { "P-256", 23 }, { "P-384", 24 }, { "P-521", 25 } };
	EVP_PKEY	*k = generate("EC P-256"), *own;
	uint8_t		 hash[SPKI_LEN], sig[SIGNATURE_MAX], tbs[68 + 133];
	unsigned char	*point;
	struct slice	 s;
	const char	*why;
	struct key	*key;
	size_t		 i, n, len;
	int		 fd = file_of(k, NULL);

	spki(k, hash);
	assert_int_equal(key_read(&key, fd, hash, &why), E_OK);
	close(fd);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		own = EVP_PKEY_Q_keygen(NULL, NULL, "EC", t[i].curve);
		n = EVP_PKEY_get1_encoded_public_key(own, &point);
		memset(tbs, 'r', 64);
		memcpy(tbs + 64, (const uint8_t[]){ 3, 0, t[i].number, (uint8_t)n }, 4);
		memcpy(tbs + 68, point, n);
		s = slice_make((char *)tbs, 68 + n);
		assert_int_equal(key_sign(key, 0x0403, s, sig, &len), E_OK);
		tbs[68 + n - 1] ^= 1;
		assert_int_equal(key_sign(key, 0x0403, s, sig, &len), E_SYNTAX);
		tbs[68 + n - 1] ^= 1;
		tbs[69 + n / 4] ^= 1;
		assert_int_equal(key_sign(key, 0x0403, s, sig, &len), E_SYNTAX);
		memset(tbs + 69, 0xff, n - 1);		/* past the prime */
		assert_int_equal(key_sign(key, 0x0403, s, sig, &len), E_SYNTAX);
		memset(tbs + 69, 0, n - 1);
		assert_int_equal(key_sign(key, 0x0403, s, sig, &len), E_SYNTAX);
		OPENSSL_free(point);
		EVP_PKEY_free(own);
	}
	key_free(key);
	EVP_PKEY_free(k);
}

static int
open_memory(void **state)
{
	return (key_memory_open());
}

int
main(void)
{
	static const struct CMUnitTest	tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(refusals),
		cmocka_unit_test(points),
	};

	return (cmocka_run_group_tests(tests, open_memory, NULL));
}
