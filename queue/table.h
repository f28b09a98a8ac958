/*
 * table.h -- uthash with our hash function and our idea of failure.
 *
 * Keys such as domains are chosen by strangers, so the hash is SipHash with a key of this process.
 * A table that cannot grow for want of memory ends the process: it restarts, and the
 * store is the truth (F9).
 */
#ifndef QUEUE_TABLE_H
#define QUEUE_TABLE_H

#include <stdlib.h>

#include "common/siphash.h"

#define HASH_FUNCTION(key, len, hashv) ((hashv) = (unsigned)siphash((key), (len)))
#define uthash_fatal(msg) abort()

#include <uthash.h>
#include <utlist.h>

#endif
