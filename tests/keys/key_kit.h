/* key_kit.h -- what tests of keys say of a key that they have made. */
#ifndef TESTS_KEYS_KEY_KIT_H
#define TESTS_KEYS_KEY_KIT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "keys/key.h"

/* SHA-256 of its SubjectPublicKeyInfo. */
static void
spki(EVP_PKEY *k, uint8_t out[SPKI_LEN])
{
	unsigned char	*der = NULL;
	int		 n = i2d_PUBKEY(k, &der);

	assert_true(n > 0);
	assert_int_equal(EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(der);
}

#endif
