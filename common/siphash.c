/*
 * siphash.c -- SipHash-1-3 (Aumasson and Bernstein, 2012).  Core, but for siphash_seed().
 */
#include "common/siphash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t process_key[2];

void
siphash_seed(void)
{
	char	*p = (char *)process_key;
	size_t	 got = 0;
	ssize_t	 n;

	while (got < sizeof(process_key)) {
		n = getrandom(p + got, sizeof(process_key) - got, 0);
		if (n < 0 && errno != EINTR)
			abort();	/* a table that strangers can flood is no table */
		if (n > 0)
			got += (size_t)n;
	}
}

static inline uint64_t
rotl(uint64_t x, unsigned n)
{
	return (x << n | x >> (64 - n));
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline uint64_t
load(const uint8_t *p, size_t n)
{
	uint64_t	 w = 0;

	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)p[i] << (8 * i);
	return (w);
}

uint64_t
siphash_keyed(uint64_t k0, uint64_t k1, const void *data, size_t n)
{
	const uint8_t	*p = data;
	uint64_t	 w, v[4] = {
		k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573,
	};
	size_t		 left;

	for (left = n; left >= 8; left -= 8, p += 8) {
		w = load(p, 8);
		v[3] ^= w;
		sip_round(v);
		v[0] ^= w;
	}
	w = load(p, left) | (uint64_t)n << 56;
	v[3] ^= w;
	sip_round(v);
	v[0] ^= w;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return (v[0] ^ v[1] ^ v[2] ^ v[3]);
}

uint64_t
siphash(const void *data, size_t n)
{
	return (siphash_keyed(process_key[0], process_key[1], data, n));
}
