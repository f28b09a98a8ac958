/*
 * client_bdat.c -- the SMTP client: a body in chunks (RFC 3030), and what the replies to them mean.  Core.
 *
 * Up to BDAT_AHEAD_MAX chunks are on their way at once where the host offers PIPELINING, else one (RFC 3030 2: BDAT may be
 * pipelined).  A reply counts for the oldest, and only once all of that one has been written.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "deliver/client_int.h"

/* The last recipient was answered, and somebody is to get it. */
void
bdat_start(struct client *c)
{
	c->bdat_todo = c->mail->size;
	c->bdat_left = c->bdat_given = 0;
	c->chunk_first = c->nchunk = 0;
	client_set_state(c, CS_BODY);
	c->body_start_ms = c->now_ms;
	c->pending |= 1u << CLIENT_BODY;
}

/* The next chunk's command; 0: not before the host has answered. */
static int
bdat_begin(struct client *c, struct slice *seg)
{
	unsigned ahead = c->offers & OFFER_PIPELINING ? BDAT_AHEAD_MAX : 1;
	struct chunk *k;
	uint64_t n = c->bdat_todo < BDAT_CHUNK ? c->bdat_todo : BDAT_CHUNK;
	int len;

	if (c->nchunk == ahead || c->state != CS_BODY)
		return (0);
	k = &c->chunk[(c->chunk_first + c->nchunk) % BDAT_AHEAD_MAX];
	len = snprintf(k->head, sizeof(k->head), "BDAT %llu%s\r\n", (unsigned long long)n,
	    n == c->bdat_todo ? " LAST" : "");
	*seg = slice_make(k->head, (size_t)len);
	if (c->dialogue != NULL)
		dialogue_add(c->dialogue, c->now_ms, '>', 0, slice_make(k->head, (size_t)len - 2));
	c->nchunk++;
	c->bdat_todo -= n;
	c->bdat_left = n;
	c->bdat_given += (size_t)len;
	k->end = c->bdat_given + n;
	return (1);
}

void
bdat_body(struct client *c, struct slice in, struct slice *seg, size_t max, size_t *nseg, size_t *used)
{
	size_t k;

	*nseg = *used = 0;
	while (*used < in.n && *nseg + 2 <= max) {
		if (c->bdat_left == 0) {
			if (c->bdat_todo == 0 || !bdat_begin(c, &seg[*nseg]))
				return;
			(*nseg)++;
		}
		k = in.n - *used;
		if (k > c->bdat_left)
			k = (size_t)c->bdat_left;
		seg[(*nseg)++] = slice_make(in.p + *used, k);
		*used += k;
		c->bdat_left -= k;
		c->bdat_given += k;
	}
}

/* Only a body of no octets has an end of its own. */
void
bdat_end(struct client *c, struct slice *end)
{
	*end = slice_make(NULL, 0);
	if (c->mail->size == 0 && c->nchunk == 0)
		(void)bdat_begin(c, end);
}

/* ---- replies ---- */

/* Whether the oldest chunk has been written whole; then it has its reply. */
static int
bdat_pop(struct client *c)
{
	if (c->nchunk == 0 || c->chunk[c->chunk_first].end > c->body_sent)
		return (0);
	c->chunk_first = (c->chunk_first + 1) % BDAT_AHEAD_MAX;
	c->nchunk--;
	return (1);
}

void
bdat_answered(struct client *c)
{
	if (!c->bdat || !bdat_pop(c))
		client_unexpected(c);
}

/* RFC 3030 2: the transaction has failed, and wants RSET; the others on their way are answered too. */
void
bdat_refused(struct client *c)
{
	int whole = bdat_pop(c);

	client_sweep_reply(c, SWEEP_ACCEPTED);
	if (!whole || c->bdat_given != c->body_sent || c->bdat_left != 0) {
		client_fail(c, OUT_TEMPFAIL, "4.4.2", "the host refused the body");
		return;
	}
	c->need_rset = 1;
	if (c->nchunk != 0)
		client_set_state(c, CS_CHUNKS);
	else
		client_txn_done(c);
}

void
bdat_dropped(struct client *c)
{
	if (bdat_pop(c) && c->nchunk == 0) {
		c->need_rset = 1;
		client_txn_done(c);
	}
}

/*
 * All was written, the last chunk too.  A refusal of an earlier one decides, but only the reply to the
 * last is the end: a host that refuses a part and takes the last has something nobody can know.
 */
int
bdat_last(struct client *c)
{
	int good = c->in.r.code / 100 == 2;

	(void)bdat_pop(c);
	if (c->nchunk != 0) {
		if (!good && !c->chunk_refused) {
			memset(&c->chunk_fail, 0, sizeof(c->chunk_fail));
			c->chunk_fail.outcome = c->in.r.code / 100 == 5 ? OUT_PERMFAIL : OUT_TEMPFAIL;
			c->chunk_fail.stage = client_stage(CS_BODY);
			client_take_reply(c, &c->chunk_fail);
			c->chunk_refused = 1;
		}
		client_set_state(c, CS_DOT);
		return (0);
	}
	if (!c->chunk_refused)
		return (1);
	if (good)
		client_sweep(c, SWEEP_ACCEPTED, OUT_UNSURE, "4.5.0",
		    "the host refused a chunk and took the last one");
	else {
		client_sweep(c, SWEEP_ACCEPTED, OUT_TEMPFAIL, "", "");
		c->r = c->chunk_fail;
	}
	c->need_rset = !good;
	client_txn_done(c);
	return (0);
}
