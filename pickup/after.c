/*
 * after.c -- what is left to do where not all recipients were taken.  Shell.
 *
 * What becomes of the others is written before the final dot is sent, under temporary names, and gets its names after
 * the 250, before the message is removed.  So a crash in between repeats (G3), but never loses (G2): a notice to the sender,
 * and a file with the recipients that were refused for now, are messages in this directory like any other.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/err.h"
#include "common/log.h"
#include "pickup/notice.h"
#include "pickup/pickup.h"

#define OWN_MODE	0600
#define LOG_TEXT_MAX	1200
#define EXPIRED(j)	(time(NULL) - (j)->since > (int64_t)(j)->p->room->conf->queue.lifetime)

static void
notice_fill(struct job *j, struct notice *n, char id[static NOTICE_ID_LEN + 1])
{
	struct slice header = buf_slice(&j->head);
	uint8_t random[NOTICE_ID_LEN / 2];
	char name[DROP_NAME_LEN + 1];

	/* Without a random number the boundary would be a known one: harmless but for a hostile header. */
	memset(random, 0, sizeof(random));
	(void)!getrandom(random, sizeof(random), 0);
	drop_name(name, 'm', random);
	memcpy(id, name + 2, NOTICE_ID_LEN + 1);
	memset(n, 0, sizeof(*n));
	n->hostname = j->p->room->conf->hostname;
	n->id = id;
	n->now = (int64_t)time(NULL);
	n->arrival = j->since;
	n->talk = &j->talk;
	n->mail = &j->drop.mail;
	n->verdict = j->verdict;
	if (header.n > j->body_len)
		header.n = (size_t)j->body_len;		/* what stands behind the message in the file is not of it */
	n->header = slice_make(header.p, header.n < HEADER_KEEP ? header.n : HEADER_KEEP);
}

/* The notice under a temporary name, durable.  E_NOTFOUND: nobody wants one. */
static int
notice_make(struct job *j)
{
	struct submit_rcpt to = { .address = j->drop.mail.sender, .notify = 0 };
	struct drop_head head = { .mail = { .sender = "", .envid = "", .nrcpt = 1, .rcpt = &to } };
	char id[NOTICE_ID_LEN + 1];
	struct notice n;
	struct buf text;
	int err, utf8 = 0;

	notice_fill(j, &n, id);
	if (notice_count(&n) == 0)
		return (E_NOTFOUND);
	buf_init(&text, NOTICE_MAX);
	err = notice_write(&text, &n, &utf8);
	head.mail.body8 = head.mail.utf8 = (uint8_t)utf8;
	if (err == E_OK)
		err = drop_write_begin(&j->notice, j->p->new_fd, OWN_MODE, &head);
	if (err == E_OK)
		err = drop_write_body(&j->notice, buf_slice(&text));
	if (err == E_OK)
		err = drop_write_end(&j->notice);
	buf_clear(&text);
	j->notice_ready = err == E_OK;
	return (err);
}

/* The recipients that were refused for now get a file of their own. */
static int
rest_begin(struct job *j)
{
	struct submit_mail *m = &j->drop.mail;
	struct drop_head head = j->drop;
	size_t i, n = 0;

	head.has_uid = 1;
	head.uid = j->uid;
	head.mail.rcpt = arena_alloc(&j->mem, m->nrcpt * sizeof(*m->rcpt));
	if (head.mail.rcpt == NULL)
		return (E_NOMEM);
	for (i = 0; i < m->nrcpt; i++) {
		if (verdict_fate(&j->talk, &m->rcpt[i], VERDICT_SENT) == FATE_LATER)
			head.mail.rcpt[n++] = m->rcpt[i];
	}
	head.mail.nrcpt = n;
	j->rest_ready = drop_write_begin(&j->rest, j->p->new_fd, OWN_MODE, &head) == E_OK;
	return (j->rest_ready ? E_OK : E_FULL);
}

void
after_discard(struct job *j)
{
	if (j->rest_ready)
		drop_write_abort(&j->rest);
	if (j->notice_ready)
		drop_write_abort(&j->notice);
	j->rest_ready = j->notice_ready = 0;
}

int
after_prepare(struct job *j)
{
	struct submit_mail *m = &j->drop.mail;
	int err = E_OK;

	j->verdict = VERDICT_SENT;	/* what it will be if all goes well */
	if (verdict_count(&j->talk, m, VERDICT_SENT, FATE_LATER) != 0)
		err = rest_begin(j);
	if (err == E_OK && verdict_count(&j->talk, m, VERDICT_SENT, FATE_FAILED) != 0 &&
	    (err = notice_make(j)) == E_NOTFOUND)
		err = E_OK;
	if (err != E_OK) {
		log_warn("drop file=%s waits: nothing can be written: %s", j->name, err_name(err));
		after_discard(j);
	}
	return (err);
}

int
after_body(struct job *j, struct slice s)
{
	return (j->rest_ready ? drop_write_body(&j->rest, s) : E_OK);
}

int
after_body_end(struct job *j)
{
	return (j->rest_ready ? drop_write_end(&j->rest) : E_OK);
}

/* ---- when it is over ---- */

static void
log_job(const struct job *j, const char *word, const struct submit_answer *a)
{
	char from[LOG_TEXT_MAX], reply[LOG_TEXT_MAX];

	log_info("drop file=%s uid=%" PRIu32 " %s from=<%s> size=%" PRIu64 " nrcpt=%zu reply=\"%u %s\"", j->name,
	    j->uid, word, text_escape_word(from, sizeof(from), slice_str(j->drop.mail.sender)), j->body_len,
	    j->drop.mail.nrcpt, a->code, text_escape(reply, sizeof(reply),
	    slice_str(a->text != NULL ? a->text : "")));
}

static void
log_rcpts(const struct job *j)
{
	char to[LOG_TEXT_MAX], reply[LOG_TEXT_MAX];
	const struct submit_answer *a;
	const struct submit_rcpt *r;
	enum fate fate;
	size_t i;

	for (i = 0; i < j->drop.mail.nrcpt; i++) {
		r = &j->drop.mail.rcpt[i];
		if ((fate = verdict_fate(&j->talk, r, j->verdict)) == FATE_SENT)
			continue;
		a = verdict_answer(&j->talk, r);
		log_info("drop file=%s rcpt=<%s> status=%s reply=\"%u %s\"", j->name,
		    text_escape_word(to, sizeof(to), slice_str(r->address)),
		    fate == FATE_FAILED ? "failed" : "waits", a->code,
		    text_escape(reply, sizeof(reply), slice_str(a->text != NULL ? a->text : "")));
	}
}

/* Names for what was prepared.  E_OK: the message itself may go. */
static int
name_files(struct job *j)
{
	int err = E_OK;

	if (j->rest_ready)
		err = drop_write_commit(&j->rest);
	if (err == E_OK && j->notice_ready)
		err = drop_write_commit(&j->notice);
	if (err != E_OK) {
		log_warn("drop file=%s stays: what is left of it cannot be written: %s", j->name, err_name(err));
		after_discard(j);
	}
	j->rest_ready = j->notice_ready = 0;
	return (err);
}

static enum after
settle_failed(struct job *j)
{
	int err;

	after_discard(j);	/* it was about fewer recipients */
	err = notice_make(j);
	if (err == E_NOTFOUND && j->drop.mail.sender[0] == '\0')
		return (AFTER_BAD);	/* the operator finds it there */
	if (err == E_NOTFOUND)
		log_info("drop file=%s: its sender wants no notice (NOTIFY)", j->name);
	else if (err != E_OK)
		log_warn("drop file=%s stays: no notice can be written: %s", j->name, err_name(err));
	else
		err = name_files(j);
	if (err != E_OK && err != E_NOTFOUND)
		return (AFTER_LATER);
	return (file_remove(j->p, j->name) == E_OK ? AFTER_GONE : AFTER_LATER);
}

/* RFC 3463 3.4: X.3.X is the state of the mail system, not of this message. */
int
after_is_servers(const struct job *j)
{
	const struct submit_answer *a = verdict_answer(&j->talk, &j->drop.mail.rcpt[0]);

	return (a->enhanced.cls == 4 && a->enhanced.subject == 3);
}

enum after
after_settle(struct job *j)
{
	struct pickup *p = j->p;
	enum after after = AFTER_LATER;

	/* After a long time without a server its first words may be that it is not ready: no reason to give up. */
	if (j->verdict == VERDICT_LATER && EXPIRED(j) && !after_is_servers(j))
		j->verdict = VERDICT_FAILED;
	switch (j->verdict) {
	case VERDICT_SENT:
		log_job(j, "submitted", &j->talk.answer);
		log_rcpts(j);
		p->counter[COUNT_SENT]++;
		p->again_ms = 0;
		if (name_files(j) != E_OK)
			break;
		/* What cannot be removed is not sent once more with each pass. */
		if (file_remove(p, j->name) == E_OK)
			after = AFTER_GONE;
		else
			file_done(j);
		break;
	case VERDICT_FAILED:
		log_job(j, "refused", verdict_answer(&j->talk, &j->drop.mail.rcpt[0]));
		log_rcpts(j);
		p->counter[COUNT_FAILED]++;
		after = settle_failed(j);
		break;
	default:
		log_job(j, "waits", verdict_answer(&j->talk, &j->drop.mail.rcpt[0]));
		p->counter[COUNT_LATER]++;
		after_discard(j);
		break;
	}
	p->finished += after == AFTER_GONE;
	return (after);
}
