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
#include "queue/queue.h"

#define DOUBLE_BOUNCE	"double-bounce"	/* marks the postmaster's copy, in its ENVID */

struct notice_op {
	struct store_op	 op;		/* first */
	struct queue	*q;
	uint64_t	 about;
	enum notice_kind kind;
	uint32_t	 nrcpt;
	struct message	 m;
	struct recipient *rcpt;		/* one */
	struct body	*body;
};

static const char *notice_to(struct queue *, const struct mail *, enum notice_kind, int *, const char **);
static int	write_body(struct queue *, struct mail *, struct notice *, struct body **, int *);
static size_t	read_header(struct queue *, struct mail *, char *, size_t);
static void	on_stored(struct store_op *, int);

int
bounce_make(struct queue *q, struct mail *m, enum notice_kind kind, struct recipient *rcpt, uint32_t n,
    struct store_op **out)
{
	struct notice_op *no = NULL;
	struct recipient *told = NULL;
	struct notice notice = { 0 };
	const char *why = NULL;
	uint32_t i, nmine = 0, nwant = 0;
	int err = E_NOMEM, eight = 0;

	*out = NULL;
	if ((told = calloc(n, sizeof(*told))) == NULL)
		return (E_NOMEM);
	for (i = 0; i < n; i++) {
		if (kind == NOTICE_FAILURE ? rcpt[i].state != RCPT_FAILED && rcpt[i].state != RCPT_EXPIRED :
		    rcpt[i].state != RCPT_DEFERRED && rcpt[i].state != RCPT_UNSURE)
			continue;
		nmine++;
		rcpt[i].noticed = kind == NOTICE_FAILURE;
		/* NOTIFY=NEVER is the sender's wish.  On our own notices it keeps others from answering them;
		 * the postmaster is told all the same. */
		if (notice_wanted(kind, rcpt[i].notify) || (m->m.flags & MSGF_NOTICE) != 0)
			told[nwant++] = rcpt[i];
	}
	notice.to = notice_to(q, m, kind, &notice.double_bounce, &why);
	if (nwant == 0)
		why = "notify=never";
	if (nmine == 0 || nwant == 0 || notice.to == NULL) {
		if (nmine != 0 && kind == NOTICE_FAILURE)
			qlog_no_notice(m->msgid, why, nmine);
		err = E_OK;
		goto out;
	}
	if (!notice_rate_take(&q->notice_rate, notice.to, uv_now(&q->room.loop))) {
		err = E_AGAIN;
		goto out;
	}
	if ((no = calloc(1, sizeof(*no))) == NULL || (no->rcpt = calloc(1, sizeof(*no->rcpt))) == NULL)
		goto out;
	notice.kind = kind;
	notice.hostname = q->room.conf->hostname;
	notice.message = &m->m;
	notice.rcpt = told;
	notice.nrcpt = nwant;
	notice.msgid = store_new_msgid(q->store);
	notice.now = clock_wall(&q->clock);
	notice.expires = kind == NOTICE_DELAY ? mail_expires(q, &m->m) : 0;
	if ((err = write_body(q, m, &notice, &no->body, &eight)) != E_OK)
		goto out;
	no->q = q;
	no->about = m->msgid;
	no->kind = kind;
	no->nrcpt = nwant;
	no->m.msgid = notice.msgid;
	no->m.arrival = notice.now;
	no->m.body_len = no->body->len;
	no->m.nchunk = no->body->nchunk;
	no->m.nrcpt = 1;
	no->m.flags = MSGF_NOTICE | (eight ? MSGF_BODY8 : 0);
	if (notice.double_bounce)
		(void)slice_copy(SLICE_LIT(DOUBLE_BOUNCE), no->m.envid, sizeof(no->m.envid));
	no->rcpt->state = RCPT_PENDING;
	no->rcpt->notify = NOTIFY_NEVER;	/* RFC 3461 6.1: none about this one */
	no->rcpt->next = clock_due(&q->clock);
	if ((err = slice_copy(slice_str(notice.to), no->rcpt->address, sizeof(no->rcpt->address))) != E_OK)
		goto out;
	no->op.kind = STORE_PUT;
	no->op.done = on_stored;
	no->op.arg = no;
	no->op.msgid = no->m.msgid;
	no->op.message = &no->m;
	no->op.rcpt = no->rcpt;
	no->op.nrcpt = 1;
	no->op.blocks = no->body->first;
	*out = &no->op;
	no = NULL;
out:
	if (no != NULL) {
		body_unref(no->body);
		free(no->rcpt);
		free(no);
	}
	free(told);
	return (err);
}

static const char *
notice_to(struct queue *q, const struct mail *m, enum notice_kind kind, int *twice, const char **why)
{
	const char *postmaster = q->room.conf->postmaster;

	*twice = 0;
	if (m->m.sender[0] != '\0')
		return (m->m.sender);
	*why = "null sender";
	/* When the postmaster's copy has failed itself, the log is the end of it. */
	if (kind != NOTICE_FAILURE || postmaster[0] == '\0' || strcmp(m->m.envid, DOUBLE_BOUNCE) == 0)
		return (NULL);
	*twice = 1;
	return (postmaster);
}

static int
write_body(struct queue *q, struct mail *m, struct notice *n, struct body **out, int *eight)
{
	static char header[NOTICE_HEADER_MAX];
	struct body *body = NULL;
	struct slice s;
	struct buf b;
	size_t i;
	int err;

	buf_init(&b, NOTICE_ROOM + 2 * NOTICE_HEADER_MAX + n->nrcpt * (size_t)NOTICE_RCPT_ROOM);
	n->header = slice_make(header, read_header(q, m, header, sizeof(header)));
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
read_header(struct queue *q, struct mail *m, char *dst, size_t size)
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
		qlog_notice(no->about, no->m.msgid, no->kind, no->rcpt->address, no->nrcpt);
		qlog_accepted(&no->m);
		mail_hand_over(no->q, &no->m, no->rcpt, no->body);
		no->rcpt = NULL;
	}
	body_unref(no->body);
	free(no->rcpt);
	free(no);
}
