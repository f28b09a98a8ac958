/*
 * queue_record_fuzz.c -- records of the store from a damaged page.
 *
 * The first octet chooses the kind.  The input is tried as it is, and with its checksum made right, so that
 * what lies behind the checksum is reached.  Oracle: what unpacks packs again to the same octets; a record of
 * an older version packs as one of the newest, which says the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "common/err.h"
#include "queue/body.h"
#include "queue/record.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
try_message(const uint8_t *p, size_t n)
{
	static struct message m, m2;
	uint8_t again[RECORD_MAX];
	size_t len;

	memset(&m, 0, sizeof(m));
	if (message_unpack(&m, slice_make(p, n)) != E_OK)
		return;
	if ((len = message_pack(&m, again)) == 0)
		abort();
	if (p[0] == again[0]) {
		if (len != n || memcmp(again, p, n) != 0)
			abort();
		return;
	}
	memset(&m2, 0, sizeof(m2));
	if (message_unpack(&m2, slice_make(again, len)) != E_OK || memcmp(&m, &m2, sizeof(m)) != 0)
		abort();
}

static void
try_recipient(const uint8_t *p, size_t n)
{
	static struct recipient r, r2;
	uint8_t again[RECORD_MAX];
	size_t len;

	memset(&r, 0, sizeof(r));
	if (recipient_unpack(&r, slice_make(p, n)) != E_OK)
		return;
	if (strlen(recipient_domain(&r)) > strlen(r.address) || (len = recipient_pack(&r, again)) == 0)
		abort();
	if (p[0] == again[0]) {
		if (len != n || memcmp(again, p, n) != 0)
			abort();
		return;
	}
	memset(&r2, 0, sizeof(r2));
	if (recipient_unpack(&r2, slice_make(again, len)) != E_OK || memcmp(&r, &r2, sizeof(r)) != 0)
		abort();
}

static void
try_one(int kind, const uint8_t *p, size_t n)
{
	struct slice d;

	switch (kind) {
	case 0:
		try_message(p, n);
		break;
	case 1:
		try_recipient(p, n);
		break;
	default:
		if (body_chunk_check(slice_make(p, n), &d) == E_OK && (d.n == 0 || d.n > BODY_CHUNK))
			abort();
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t rec[RECORD_MAX + 64];
	uint64_t sum;
	size_t n, i;
	int kind;

	if (size < 1 || size > sizeof(rec))
		return (0);
	kind = data[0] % 3;
	n = size - 1;
	memcpy(rec, data + 1, n);
	try_one(kind, rec, n);
	if (kind == 2 || n < 8)
		return (0);
	sum = XXH3_64bits(rec, n - 8);
	for (i = 0; i < 8; i++)
		rec[n - 8 + i] = (uint8_t)(sum >> (8 * i));
	try_one(kind, rec, n);
	return (0);
}
