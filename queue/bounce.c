/*
 * bounce.c -- when a notice is due, to whom, and into the store with the outcome that causes it.  Shell.
 *
 * RFC 5321 4.5.5 and 6.1: null sender, never a notice about a notice.  What a notice could not reach goes to
 * the postmaster setting once, else to the log alone.  R16: only for mail we accepted,
 * bounded header, bounded rate.
 */
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "queue/expand.h"
#include "queue/queue.h"

#define DOUBLE_BOUNCE	"double-bounce"	/* marks the postmaster's copy, in its ENVID */

struct notice_op {
	struct store_op	 op;		/* first */
	struct queue	*q;
	uint64_t	 about;
	enum notice_kind kind;
	uint32_t	 nrcpt;
	struct message	 m;
	char		 to[ADDRESS_MAX + 1];
	struct recipient *rcpt;		/* whom that is, by the aliases; m.nrcpt of them */
	struct body	*body;
};

static const char *notice_to(struct queue *, const struct mail *, const struct bounce *, int *, const char **);
static int	find_ends(struct queue *, struct notice_op *);
static int	write_body(struct queue *, struct mail *, struct notice *, struct body **, int *);
static size_t	read_original(struct queue *, struct mail *, char *, size_t);
static void	on_stored(struct store_op *, int);

int
bounce_make(struct queue *q, struct mail *m, const struct bounce *b, struct store_op **out)
{
	struct notice_op *no = NULL;
	struct notice notice = { 0 };
	const char *why = NULL;
	int err, eight = 0;

	*out = NULL;
	notice.to = notice_to(q, m, b, &notice.double_bounce, &why);
	if (b->n == 0 || notice.to == NULL) {
		if (b->kind == NOTICE_FAILURE)
			qlog_no_notice(m->msgid, b->n == 0 ? "notify=never" : why, b->nall);
		return (E_OK);
	}
	if (!notice_rate_take(&q->notice_rate, notice.to, uv_now(&q->room.loop)))
		return (E_AGAIN);
	if ((no = calloc(1, sizeof(*no))) == NULL)
		return (E_NOMEM);
	if ((err = slice_copy(slice_str(notice.to), no->to, sizeof(no->to))) != E_OK ||
	    (err = find_ends(q, no)) != E_OK)
		goto out;
	if (no->m.nrcpt == 0) {
		qlog_no_notice(m->msgid, "discarded", b->nall);
		goto out;
	}
	notice.kind = b->kind;
	notice.by = b->by;
	notice.owned = b->owned;
	notice.hostname = q->room.conf->hostname;
	notice.message = &m->m;
	notice.rcpt = b->rcpt;
	notice.nrcpt = b->n;
	notice.msgid = store_new_msgid(q->store);
	notice.now = clock_wall(&q->clock);
	notice.expires = b->kind == NOTICE_DELAY ? mail_expires(q, &m->m) : 0;
	notice.deadline = m->m.by_mode != BY_NONE ? mail_deadline(q, &m->m) : 0;
	if ((err = write_body(q, m, &notice, &no->body, &eight)) != E_OK)
		goto out;
	no->q = q;
	no->about = m->msgid;
	no->kind = b->kind;
	no->nrcpt = b->n;
	no->m.msgid = notice.msgid;
	no->m.arrival = notice.now;
	no->m.body_len = no->body->len;
	no->m.nchunk = no->body->nchunk;
	no->m.body = eight ? BODY_8BIT : BODY_7BIT;
	no->m.flags = MSGF_NOTICE | (eight ? MSGF_BODY8 : 0) |
	    (notice_needs_utf8(&notice) ? MSGF_UTF8 | MSGF_HEADER8 : 0);
	if (notice.double_bounce)
		(void)slice_copy(SLICE_LIT(DOUBLE_BOUNCE), no->m.envid, sizeof(no->m.envid));
	no->op.kind = STORE_PUT;
	no->op.done = on_stored;
	no->op.arg = no;
	no->op.msgid = no->m.msgid;
	no->op.message = &no->m;
	no->op.rcpt = no->rcpt;
	no->op.nrcpt = no->m.nrcpt;
	no->op.blocks = no->body->first;
	*out = &no->op;
	no = NULL;
out:
	if (no != NULL) {
		body_unref(no->body);
		free(no->rcpt);
		free(no);
	}
	return (err);
}

/*
 * A sender may be an alias of ours.  RFC 3461 6.1: no notice about a notice, so what aliases and lists make of such
 * wishes and of the sender is taken back.
 */
static int
find_ends(struct queue *q, struct notice_op *no)
{
	struct recipient one = { .state = RCPT_PENDING, .notify = NOTIFY_NEVER, .next = clock_due(&q->clock) };
	struct expand *x;
	uint32_t i, n;
	int err;

	memcpy(one.address, no->to, sizeof(one.address));
	if ((x = expand_new(q->room.conf, &one, 1, TXN_RCPT_MEMORY_MAX)) == NULL)
		return (E_NOMEM);
	/* What aliases that are broken by now lead to nowhere, or to too many, stays as it is named.  Not longer than one
	 * slice: whoever forges a long list of ours as sender does not hold up the loop. */
	err = expand_some(x, EXPAND_SLICE);
	n = err == E_OK ? expand_count(x) : 1;
	if (n > RCPT_MAX) {
		err = E_LIMIT;
		n = 1;
	}
	if (n != 0 && (no->rcpt = calloc(n, sizeof(*no->rcpt))) == NULL) {
		expand_free(x);
		return (E_NOMEM);
	}
	for (i = 0; i < n; i++) {
		if (err == E_OK)
			expand_get(x, i, one.next, &no->rcpt[i]);
		else
			no->rcpt[i] = one;
		no->rcpt[i].notify = NOTIFY_NEVER;
		no->rcpt[i].owned = 0;
		no->rcpt[i].sender[0] = '\0';
	}
	no->m.nrcpt = n;
	expand_free(x);
	return (E_OK);
}

static const char *
notice_to(struct queue *q, const struct mail *m, const struct bounce *b, int *twice, const char **why)
{
	const char *postmaster = q->room.conf->postmaster;

	*twice = 0;
	if (b->sender[0] != '\0')
		return (b->sender);
	*why = "null sender";
	/* When the postmaster's copy has failed itself, the log is the end of it. */
	if (b->kind != NOTICE_FAILURE || postmaster[0] == '\0' || 
	    ((m->m.flags & MSGF_NOTICE) != 0 && strcmp(m->m.envid, DOUBLE_BOUNCE) == 0))
		return (NULL);
	*twice = 1;
	return (postmaster);
}

/* RFC 3461 6.2: the whole of it for RET=FULL and a failure, if it is not too long. */
static int
write_body(struct queue *q, struct mail *m, struct notice *n, struct body **out, int *eight)
{
	static char original[NOTICE_FULL_MAX];
	struct body *body = NULL;
	struct slice s;
	struct buf b;
	size_t i, most = NOTICE_HEADER_MAX;
	int err;

	if (n->kind == NOTICE_FAILURE && m->m.ret == RET_FULL && !n->owned && m->m.body != BODY_BINARY &&
	    m->m.body_len <= sizeof(original)) {
		most = sizeof(original);
		n->full = 1;
	}
	n->original = slice_make(original, read_original(q, m, original, most));
	if (n->full && n->original.n != m->m.body_len)
		n->full = 0;		/* damaged: what there is of its header */
	buf_init(&b, notice_room(n));
	if ((err = notice_write(&b, n)) != E_OK)
		goto out;
	err = E_NOMEM;
	if ((body = body_new()) == NULL)
		goto out;
	s = buf_slice(&b);
	for (i = 0; i < s.n && !*eight; i++)
		*eight = (unsigned char)s.p[i] >= 0x80;
	if ((err = body_add(body, s)) != E_OK)
		goto out;
	body_seal(body);
	*out = body;
	body = NULL;
out:
	body_unref(body);
	buf_clear(&b);
	return (err);
}

/* The beginning of the original, from memory or the store; a damaged one is told without its header. */
static size_t
read_original(struct queue *q, struct mail *m, char *dst, size_t size)
{
	static uint8_t chunk[BODY_CHUNK];
	const struct body_block *k = m->body != NULL ? m->body->first : NULL;
	const uint8_t *p;
	size_t len = 0, n;
	uint32_t i, clen;

	for (i = 0; i < m->m.nchunk && len < size; i++) {
		if (m->body != NULL) {
			if (k == NULL)
				break;
			p = k->octets + BODY_BLOCK - BODY_CHUNK;
			clen = k->len;
			k = k->next;
		} else {
			if (store_read_chunk(q->store, m->msgid, i, chunk, &clen) != E_OK)
				break;
			p = chunk;
		}
		n = clen < size - len ? clen : size - len;
		memcpy(dst + len, p, n);
		len += n;
	}
	return (len);
}

/* Called after each try; when the store had no room the outcome is tried again and this with it. */
static void
on_stored(struct store_op *op, int err)
{
	struct notice_op *no = op->arg;

	if (err == E_FULL || err == E_IO || err == E_NOMEM)
		return;
	if (err == E_OK) {
		no->q->count.notices++;
		qlog_notice(no->about, no->m.msgid, no->kind, no->to, no->nrcpt);
		qlog_accepted(&no->m, "", "");
		mail_hand_over(no->q, &no->m, no->rcpt, no->body);
		no->rcpt = NULL;
	}
	body_unref(no->body);
	free(no->rcpt);
	free(no);
}
