/* scram.c -- see scram.h.  Shell (OpenSSL 3). */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/scram.h"
#include "common/units.h"

#define CLIENT_KEY	SLICE_LIT("Client Key")
#define SERVER_KEY	SLICE_LIT("Server Key")
#define COMMA		SLICE_LIT(",")
#define NOTHING		SLICE_LIT("")

static int
hmac(uint8_t out[static SCRAM_KEY_LEN], const uint8_t key[static SCRAM_KEY_LEN],
    const struct slice *s, size_t n)
{
	static char	 digest[] = "SHA256";
	OSSL_PARAM	 params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC		*mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX	*m = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	size_t		 len = 0;
	int		 ok = m != NULL && EVP_MAC_init(m, key, SCRAM_KEY_LEN, params) == 1;

	for (size_t i = 0; i < n && ok; i++)
		ok = EVP_MAC_update(m, (const unsigned char *)s[i].p, s[i].n) == 1;
	ok = ok && EVP_MAC_final(m, out, &len, SCRAM_KEY_LEN) == 1 && len == SCRAM_KEY_LEN;
	EVP_MAC_CTX_free(m);
	EVP_MAC_free(mac);
	return (ok ? E_OK : E_IO);
}

static int
hmac_auth(uint8_t out[static SCRAM_KEY_LEN], const uint8_t key[static SCRAM_KEY_LEN],
    const struct scram_auth *a)
{
	const struct slice	s[] = { a->part[0], COMMA, a->part[1], COMMA, a->part[2] };

	return (hmac(out, key, s, sizeof(s) / sizeof(s[0])));
}

static int
sha256(uint8_t out[static SCRAM_KEY_LEN], const uint8_t in[static SCRAM_KEY_LEN])
{
	return (EVP_Digest(in, SCRAM_KEY_LEN, out, NULL, EVP_sha256(), NULL) == 1 ? E_OK : E_IO);
}

int
scram_hmac(uint8_t out[static SCRAM_KEY_LEN], const uint8_t key[static SCRAM_KEY_LEN], struct slice a,
    struct slice b)
{
	const struct slice	s[] = { a, b };

	return (hmac(out, key, s, 2));
}

int
scram_same(const void *a, const void *b, size_t n)
{
	return (CRYPTO_memcmp(a, b, n) == 0);
}

int
scram_salted_password(uint8_t out[static SCRAM_KEY_LEN], struct slice password, struct slice salt,
    uint32_t iterations)
{
	if (password.n > PASSWORD_MAX || salt.n > SCRAM_SALT_MAX || iterations == 0 ||
	    iterations > SCRAM_ITERATIONS_MAX)
		return (E_RANGE);
	return (PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n,
	    (int)iterations, EVP_sha256(), SCRAM_KEY_LEN, out) == 1 ? E_OK : E_IO);
}

int
scram_keys(uint8_t stored[static SCRAM_KEY_LEN], uint8_t server[static SCRAM_KEY_LEN],
    const uint8_t salted[static SCRAM_KEY_LEN])
{
	uint8_t	client[SCRAM_KEY_LEN];
	int	err;

	if ((err = scram_hmac(client, salted, CLIENT_KEY, NOTHING)) == E_OK &&
	    (err = sha256(stored, client)) == E_OK)
		err = scram_hmac(server, salted, SERVER_KEY, NOTHING);
	OPENSSL_cleanse(client, sizeof(client));
	return (err);
}

int
scram_derive(struct scram_entry *e, struct slice password)
{
	uint8_t	salted[SCRAM_KEY_LEN];
	int	err;

	if ((err = scram_salted_password(salted, password, slice_make(e->salt, e->salt_len),
	    e->iterations)) == E_OK)
		err = scram_keys(e->stored, e->server, salted);
	OPENSSL_cleanse(salted, sizeof(salted));
	return (err);
}

int
scram_check_password(const struct scram_entry *e, struct slice password)
{
	struct scram_entry	got = *e;
	int			err;

	if ((err = scram_derive(&got, password)) == E_OK &&
	    !scram_same(got.stored, e->stored, sizeof(got.stored)))
		err = E_DENIED;
	OPENSSL_cleanse(&got, sizeof(got));
	return (err);
}

int
scram_check_proof(const uint8_t stored[static SCRAM_KEY_LEN], const struct scram_auth *a,
    const uint8_t proof[static SCRAM_KEY_LEN])
{
	uint8_t	key[SCRAM_KEY_LEN], got[SCRAM_KEY_LEN];
	int	err;

	if ((err = hmac_auth(key, stored, a)) == E_OK) {	/* ClientSignature */
		for (size_t i = 0; i < sizeof(key); i++)
			key[i] ^= proof[i];			/* ClientKey */
		err = sha256(got, key);
	}
	if (err == E_OK && !scram_same(got, stored, sizeof(got)))
		err = E_DENIED;
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(got, sizeof(got));
	return (err);
}

int
scram_server_signature(uint8_t out[static SCRAM_KEY_LEN], const uint8_t server[static SCRAM_KEY_LEN],
    const struct scram_auth *a)
{
	return (hmac_auth(out, server, a));
}

int
scram_client_proof(uint8_t out[static SCRAM_KEY_LEN], const uint8_t salted[static SCRAM_KEY_LEN],
    const struct scram_auth *a)
{
	uint8_t	client[SCRAM_KEY_LEN], stored[SCRAM_KEY_LEN];
	int	err;

	if ((err = scram_hmac(client, salted, CLIENT_KEY, NOTHING)) == E_OK &&
	    (err = sha256(stored, client)) == E_OK && (err = hmac_auth(out, stored, a)) == E_OK) {
		for (size_t i = 0; i < sizeof(client); i++)
			out[i] ^= client[i];
	}
	OPENSSL_cleanse(client, sizeof(client));
	OPENSSL_cleanse(stored, sizeof(stored));
	return (err);
}

/* The text up to the next comma; *s is what stands behind it. */
static struct slice
field(struct slice *s)
{
	const char	*comma = s->n == 0 ? NULL : memchr(s->p, ',', s->n);
	struct slice	 f = *s;

	if (comma != NULL)
		f.n = (size_t)(comma - s->p);
	*s = comma == NULL ? slice_make("", 0) : slice_make(comma + 1, s->n - f.n - 1);
	return (f);
}

int
scram_entry_parse(struct scram_entry *e, struct slice text)
{
	struct slice	prefix = SLICE_LIT(SCRAM_PREFIX), f;
	uint64_t	iterations;
	size_t		n, commas = 0;
	int		err;

	memset(e, 0, sizeof(*e));
	if (text.n < prefix.n || memcmp(text.p, prefix.p, prefix.n) != 0)
		return (E_SYNTAX);
	text = slice_make(text.p + prefix.n, text.n - prefix.n);
	for (size_t i = 0; i < text.n; i++)
		commas += text.p[i] == ',';
	f = field(&text);
	if (commas != 3 || f.n == 0 || f.p[0] == '0')
		return (E_SYNTAX);
	if ((err = number_parse(&iterations, f, SCRAM_ITERATIONS_MAX)) != E_OK)
		return (err == E_SYNTAX ? E_SYNTAX : E_RANGE);
	if (iterations < SCRAM_ITERATIONS_MIN)
		return (E_RANGE);
	e->iterations = (uint32_t)iterations;
	if ((err = base64_decode(e->salt, sizeof(e->salt), &n, field(&text))) != E_OK || n == 0)
		return (err == E_SYNTAX ? E_SYNTAX : E_RANGE);
	e->salt_len = (uint8_t)n;
	if (base64_decode(e->stored, sizeof(e->stored), &n, field(&text)) != E_OK || n != sizeof(e->stored) ||
	    base64_decode(e->server, sizeof(e->server), &n, text) != E_OK || n != sizeof(e->server))
		return (E_SYNTAX);
	return (E_OK);
}

size_t
scram_entry_text(const struct scram_entry *e, char dst[static SCRAM_TEXT_MAX + 1])
{
	size_t	n = (size_t)snprintf(dst, SCRAM_TEXT_MAX + 1, SCRAM_PREFIX "%u,", (unsigned)e->iterations);

	n += base64_encode(dst + n, slice_make(e->salt, e->salt_len));
	dst[n++] = ',';
	n += base64_encode(dst + n, slice_make(e->stored, sizeof(e->stored)));
	dst[n++] = ',';
	return (n + base64_encode(dst + n, slice_make(e->server, sizeof(e->server))));
}
