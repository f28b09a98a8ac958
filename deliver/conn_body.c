/*
 * conn_body.c -- what of a job's body is written next to its connection; see conn.h.  Shell (memory alone).
 *
 * A body that the host takes goes without a copy: the segments borrow from the job's parts.  A binary one that it does not
 * take goes through the converter (mime.h), part by part, and the segments borrow from what that gave.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "deliver/conn.h"
#include "deliver/mime.h"

struct converter {
	struct mime	 mime;
	struct buf	 out;
	size_t		 taken;		/* of out, by the segments */
	int		 ended;
};

void
conn_body_over(struct conn *c)
{
	if (c->conv == NULL)
		return;
	buf_clear(&c->conv->out);
	free(c->conv);
	c->conv = NULL;
}

static int
segments_end(struct conn *c)
{
	struct slice end;

	if (client_body_end(&c->client, &end) != E_OK)
		return (0);
	if (end.n != 0)
		c->seg[c->nseg++] = end;
	c->ended = 1;
	return (1);
}

/* ---- as it is ---- */

static int
segments_plain(struct conn *c)
{
	struct job *j = c->job;
	struct slice in;
	size_t n, used;

	while (j->at != NULL && c->nseg + 4 <= SEGMENTS_MAX) {
		in = slice_make(j->at->octets + j->at_off, j->at->len - j->at_off);
		if (client_body(&c->client, in, c->seg + c->nseg, SEGMENTS_MAX - 1 - c->nseg, &n,
			&used) != E_OK)
			return (0);
		c->nseg += n;
		c->seg_octets += used;
		j->at_off += used;
		if (used < in.n)
			return (c->nseg != 0);
		j->at = j->at->next;
		j->at_off = 0;
	}
	/* All that has come is in the segments; is that all there is? */
	if (j->at == NULL && job_body_is_whole(j) && !c->ended && !segments_end(c))
		return (0);
	return (c->nseg != 0);
}

/* ---- converted ---- */

static int
add(void *arg, struct slice s)
{
	return (buf_add(arg, s.p, s.n));
}

static int
convert_failed(struct conn *c, int err)
{
	char text[160];

	if (err == E_SYNTAX) {
		snprintf(text, sizeof(text), "the host does not offer BINARYMIME, and the message cannot be "
		    "converted: %s", c->conv->mime.why);
		client_body_refuse(&c->client, "5.6.1", text);
	} else
		client_eof(&c->client, deliver_now(c->d), "out of memory");
	return (0);
}

/* Until something has come out, or all that has come is in. */
static int
convert_more(struct conn *c)
{
	struct converter *v = c->conv;
	struct job *j = c->job;
	size_t n;
	int err;

	while (v->out.len == 0 && j->at != NULL) {
		n = j->at->len - j->at_off;
		if ((err = mime_feed(&v->mime, slice_make(j->at->octets + j->at_off, n))) != E_OK)
			return (err);
		c->seg_octets += n;
		j->at = j->at->next;
		j->at_off = 0;
	}
	if (j->at == NULL && job_body_is_whole(j) && !v->ended) {
		v->ended = 1;
		return (mime_end(&v->mime));
	}
	return (E_OK);
}

static int
segments_converted(struct conn *c)
{
	struct converter *v = c->conv;
	size_t n;
	int err;

	if (v == NULL) {
		if ((v = c->conv = calloc(1, sizeof(*v))) == NULL)
			return (convert_failed(c, E_NOMEM));
		buf_init(&v->out, MIME_OUT_MAX);
		mime_init(&v->mime, TEXT_LINE_MAX, add, &v->out);
	}
	buf_drain(&v->out, v->taken);
	v->taken = 0;
	if ((err = convert_more(c)) != E_OK)
		return (convert_failed(c, err));
	if (v->out.len != 0) {
		if (client_body(&c->client, buf_slice(&v->out), c->seg, SEGMENTS_MAX - 1, &n, &v->taken) !=
		    E_OK)
			return (0);
		c->nseg = n;
	}
	if (v->ended && v->taken == v->out.len && !c->ended && !segments_end(c))
		return (0);
	if (c->nseg == 0 && c->seg_octets != 0) {	/* all of it waits inside: let queue send more */
		job_written(c->job, c->seg_octets);
		c->seg_octets = 0;
	}
	return (c->nseg != 0);
}

int
conn_segments(struct conn *c)
{
	c->nseg = c->at_seg = c->seg_octets = 0;
	return (c->client.convert ? segments_converted(c) : segments_plain(c));
}
