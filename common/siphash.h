/*
 * siphash.h -- SipHash-1-3 for tables whose keys strangers choose.
 */
#ifndef COMMON_SIPHASH_H
#define COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Call once at start, before the sandbox: draws the process's key. */
void	 siphash_seed(void);
uint64_t siphash(const void *, size_t);
/* The same with a key of one's own: for tests against another implementation. */
uint64_t siphash_keyed(uint64_t k0, uint64_t k1, const void *, size_t);

#endif
