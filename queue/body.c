/*
 * body.c -- a message's octets in memory, in blocks that go to the store as they are.
 *
 * Loop thread only, but for the octets of blocks inside an operation.  Freed blocks are kept in a
 * bounded list: a block per message and back is the common case, and malloc would give pages back to
 * the kernel and fault them in again.
 */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/err.h"
#include "common/wire.h"
#include "queue/body.h"

#define SUM_LEN		(BODY_BLOCK - BODY_CHUNK)
#define SPARE_MAX	1024		/* blocks kept: 4 MB */

static size_t memory, budget = SIZE_MAX;
static struct body_block *spare;
static size_t nspare;

static struct body_block *
block_new(uint32_t index)
{
	struct body_block *b;

	if (budget < sizeof(*b) || memory > budget - sizeof(*b))
		return (NULL);
	if ((b = spare) != NULL) {
		spare = b->next;
		nspare--;
	} else if ((b = malloc(sizeof(*b))) == NULL)
		return (NULL);
	b->next = NULL;
	b->len = 0;
	b->index = index;
	memory += sizeof(*b);
	return (b);
}

void
body_free_blocks(struct body_block *b)
{
	struct body_block *next;

	for (; b != NULL; b = next) {
		next = b->next;
		memory -= sizeof(*b);
		if (nspare < SPARE_MAX) {
			b->next = spare;
			spare = b;
			nspare++;
		} else
			free(b);
	}
}

struct body *
body_new(void)
{
	struct body *b;

	if ((b = calloc(1, sizeof(*b))) != NULL)
		b->refs = 1;
	return (b);
}

struct body *
body_ref(struct body *b)
{
	b->refs++;
	return (b);
}

void
body_unref(struct body *b)
{
	if (b == NULL || --b->refs > 0)
		return;
	body_free_blocks(b->first);
	free(b);
}

int
body_add(struct body *b, struct slice in)
{
	struct body_block *k;
	size_t n;

	while (in.n > 0) {
		k = b->last;
		if (k == NULL || k->len == BODY_CHUNK) {
			if (b->nchunk == UINT32_MAX)
				return (E_LIMIT);
			if ((k = block_new(b->nchunk)) == NULL)
				return (E_NOMEM);
			if (b->last != NULL)
				b->last->next = k;
			else
				b->first = k;
			b->last = k;
			b->nchunk++;
			b->held += sizeof(*k);
		}
		n = BODY_CHUNK - k->len;
		if (n > in.n)
			n = in.n;
		memcpy(k->octets + SUM_LEN + k->len, in.p, n);
		k->len += (uint32_t)n;
		b->len += n;
		in.p += n;
		in.n -= n;
	}
	return (E_OK);
}

void
body_seal(struct body *b)
{
	struct body_block *k;
	struct wr w;

	for (k = b->first; k != NULL; k = k->next) {
		wr_init(&w, k->octets, SUM_LEN);
		wr_u64(&w, XXH3_64bits(k->octets + SUM_LEN, k->len));
	}
}

int
body_chunk_check(struct slice stored, struct slice *data)
{
	struct rd r;

	if (stored.n <= SUM_LEN || stored.n > BODY_BLOCK)
		return (E_CORRUPT);
	rd_init(&r, stored.p, SUM_LEN);
	if (rd_u64(&r) != XXH3_64bits(stored.p + SUM_LEN, stored.n - SUM_LEN))
		return (E_CORRUPT);
	*data = slice_make(stored.p + SUM_LEN, stored.n - SUM_LEN);
	return (E_OK);
}

struct body_block *
body_take_blocks(struct body *b, int whole)
{
	struct body_block *head, *k;

	head = b->first;
	if (head == NULL)
		return (NULL);
	if (whole || b->last->len == BODY_CHUNK) {
		b->first = b->last = NULL;
		b->held = 0;
		return (head);
	}
	if (head == b->last)
		return (NULL);
	for (k = head; k->next != b->last; k = k->next)
		;
	k->next = NULL;
	b->first = b->last;
	b->held = sizeof(*b->last);
	return (head);
}

size_t
body_memory(void)
{
	return (memory);
}

void
body_set_budget(size_t octets)
{
	budget = octets;
}
