/*
 * queue_record_fuzz.c -- records of the store from a damaged page.
 *
 * The first octet chooses the kind.  The input is tried as it is, and with its checksum made right, so that
 * what lies behind the checksum is reached.  Oracle: what unpacks packs again to the same octets.
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
try_one(int kind, const uint8_t *p, size_t n)
{
	static struct recipient r;
	static struct message m;
	uint8_t again[RECORD_MAX];
	struct slice d;

	switch (kind) {
	case 0:
		if (message_unpack(&m, slice_make(p, n)) == E_OK &&
		    (message_pack(&m, again) != n || memcmp(again, p, n) != 0))
			abort();
		break;
	case 1:
		if (recipient_unpack(&r, slice_make(p, n)) == E_OK) {
			if (recipient_pack(&r, again) != n || memcmp(again, p, n) != 0)
				abort();
			if (strlen(recipient_domain(&r)) > strlen(r.address))
				abort();
		}
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
