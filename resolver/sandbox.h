/* sandbox.h -- the resolver's sandbox table. */
#ifndef RESOLVER_SANDBOX_H
#define RESOLVER_SANDBOX_H

#include "common/sandbox.h"

/* libunbound's caches (212 MB as set in ub.c) cost up to twice their nominal size. */
#define RESOLVER_DATA_MAX	(768ull << 20)

extern const struct sandbox resolver_sandbox;

#endif
