/*
 * key.c -- see key.h.  Shell (OpenSSL 3).
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/err.h"
#include "keys/key.h"
#include "keys/tbs.h"

#define SECURE_HEAP	(4u << 20)	/* a power of two; 256 keys of 4096 bits, for three snapshots, need most of it */
#define SECURE_LEAST	32		/* its smallest piece */
#define PEM_MAX		65536		/* a key file: the key, and perhaps certificates behind it */
#define RSA_BITS_MIN	2048
#define RSA_BITS_MAX	8192		/* more takes long to sign; SIGNATURE_MAX */
#define TYPE_LEN	32

struct key {
	EVP_PKEY	*pkey;
	char		 type[TYPE_LEN];
};

int
key_memory_open(void)
{
	struct rlimit	rl;

	if (getrlimit(RLIMIT_MEMLOCK, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_MEMLOCK, &rl);	/* what it did is seen below */
	}
	switch (CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST)) {
	case 0:
		return (E_IO);
	case 1:
		return (E_OK);
	default:
		return (E_LIMIT);
	}
}

/* The whole file into the secure heap; *len its octets. */
static int
read_all(int fd, char *dst, size_t size, size_t *len)
{
	ssize_t	n;

	for (*len = 0; *len < size; *len += (size_t)n) {
		if ((n = read(fd, dst + *len, size - *len)) == -1) {
			if (errno == EINTR) {
				n = 0;
				continue;
			}
			return (E_IO);
		}
		if (n == 0)
			return (E_OK);
	}
	return (E_LIMIT);
}

/* Asked for the password of an encrypted key: there is none here. */
static int
no_password(char *buf, int size, int rw, void *arg)
{
	*(int *)arg = 1;
	return (-1);
}

static int
spki_is(EVP_PKEY *pkey, const uint8_t want[SPKI_LEN])
{
	unsigned char	*der = NULL, got[SPKI_LEN];
	int		 n = i2d_PUBKEY(pkey, &der), same;

	if (n <= 0)
		return (0);
	same = EVP_Digest(der, (size_t)n, got, NULL, EVP_sha256(), NULL) == 1 && memcmp(got, want, SPKI_LEN) == 0;
	OPENSSL_free(der);
	return (same);
}

static int
check_kind(struct key *k, const char **why)
{
	int	bits = EVP_PKEY_get_bits(k->pkey);
	char	group[TYPE_LEN] = "";

	if (EVP_PKEY_is_a(k->pkey, "RSA")) {
		*why = "an RSA key of less than 2048 or more than 8192 bits";
		(void)snprintf(k->type, sizeof(k->type), "RSA %d", bits);
		return (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX);
	}
	if (EVP_PKEY_is_a(k->pkey, "EC")) {
		*why = "an EC key on no curve that TLS knows";
		if (EVP_PKEY_get_group_name(k->pkey, group, sizeof(group), NULL) != 1)
			return (0);
		(void)snprintf(k->type, sizeof(k->type), "EC %.24s", group);
		return (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 ||
		    strcmp(group, "secp521r1") == 0);
	}
	*why = "a key that is not RSA, EC or Ed25519";
	(void)snprintf(k->type, sizeof(k->type), "Ed25519");
	return (EVP_PKEY_is_a(k->pkey, "ED25519"));
}

int
key_read(struct key **out, int fd, const uint8_t spki[SPKI_LEN], const char **why)
{
	struct key	*k = NULL;
	char		*pem = OPENSSL_secure_malloc(PEM_MAX);
	BIO		*bio = NULL;
	size_t		 len = 0;
	int		 err = E_NOMEM, locked = 0;

	*why = "no memory";
	if (pem == NULL || (k = OPENSSL_secure_zalloc(sizeof(*k))) == NULL)
		goto out;
	*why = "cannot be read, or is longer than a key";
	if ((err = read_all(fd, pem, PEM_MAX, &len)) != E_OK)
		goto out;
	err = E_NOMEM;
	*why = "no memory";
	if ((bio = BIO_new_mem_buf(pem, (int)len)) == NULL)
		goto out;
	err = E_SYNTAX;
	if ((k->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, &locked)) == NULL) {
		*why = locked ? "an encrypted key: it has to stand in the file as it is" : "no private key in PEM";
		goto out;
	}
	if (!check_kind(k, why))
		goto out;
	err = spki_is(k->pkey, spki) ? E_OK : E_NOTFOUND;
	*why = "not the certificate's key";
out:
	BIO_free(bio);
	if (pem != NULL)
		OPENSSL_secure_clear_free(pem, PEM_MAX);
	if (err != E_OK) {
		key_free(k);
		return (err);
	}
	*why = NULL;
	*out = k;
	return (E_OK);
}

void
key_free(struct key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	OPENSSL_secure_clear_free(k, sizeof(*k));
}

static int
key_goes_with(const struct key *k, const struct tbs_scheme *s)
{
	switch (s->key) {
	case TBS_RSA:
		return (EVP_PKEY_is_a(k->pkey, "RSA"));
	case TBS_ED25519:
		return (EVP_PKEY_is_a(k->pkey, "ED25519"));
	default:	/* TLS 1.2 takes any curve with any hash */
		return (EVP_PKEY_is_a(k->pkey, "EC"));
	}
}

/*
 * The ECDHE key of TLS 1.2 is a point on its curve: half of its octets follow from the other half
 * (see tbs.h).
 */
static int
point_is_true(struct slice tbs)
{
	static EC_GROUP	*groups[3];	/* secp256r1, 384, 521: they stay */
	static const int nids[3] = { NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1 };
	struct slice	 point;
	EC_POINT	*p;
	unsigned	 curve = tbs_point(tbs, &point);
	int		 ok;

	if (curve == 0)
		return (E_OK);
	curve -= 23;
	if (groups[curve] == NULL && (groups[curve] = EC_GROUP_new_by_curve_name(nids[curve])) == NULL)
		return (E_IO);
	if ((p = EC_POINT_new(groups[curve])) == NULL)
		return (E_IO);
	ok = EC_POINT_oct2point(groups[curve], p, (const unsigned char *)point.p, point.n, NULL) == 1;
	EC_POINT_free(p);
	return (ok ? E_OK : E_SYNTAX);
}

int
key_sign(const struct key *k, uint16_t scheme, struct slice tbs, uint8_t *sig, size_t *len)
{
	const struct tbs_scheme	*s = tbs_scheme(scheme);
	EVP_MD_CTX		*m;
	EVP_PKEY_CTX		*p = NULL;
	int			 ok, err;

	if (s == NULL || tbs_check(s, tbs) != E_OK || !key_goes_with(k, s))
		return (E_SYNTAX);
	if ((err = point_is_true(tbs)) != E_OK) {
		ERR_clear_error();
		return (err);
	}
	if ((m = EVP_MD_CTX_new()) == NULL)
		return (E_IO);
	ok = EVP_DigestSignInit_ex(m, &p, s->digest, NULL, NULL, k->pkey, NULL) == 1;
	if (ok && s->pss)	/* the salt is as long as the hash: RFC 8446 4.2.3 */
		ok = EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1;
	*len = SIGNATURE_MAX;
	ok = ok && EVP_DigestSign(m, sig, len, (const unsigned char *)tbs.p, tbs.n) == 1;
	EVP_MD_CTX_free(m);
	if (!ok)
		ERR_clear_error();
	return (ok ? E_OK : E_IO);
}

const char *
key_type(const struct key *k)
{
	return (k->type);
}
