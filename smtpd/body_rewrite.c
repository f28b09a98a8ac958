/*
 * body_rewrite.c -- canonical addresses in the header section of a message.  Core.
 *
 * What clients that may relay send is mail of this site: its header addresses follow the canonical
 * tables as the envelope does (canonical(5) of Postfix; local_header_rewrite_clients).  Mail of
 * strangers stays as it is, signatures and all. Only then, and only if there is such a table, the
 * section is kept until it is whole; it is at most header-size-max, as are all addresses put into
 * it, and goes to queue as the window allows.
 */
#include "common/err.h"
#include "common/rcpt.h"
#include "smtpd/header_rewrite.h"
#include "smtpd/session.h"

int
smtp_rewrite_wanted(const struct smtp_session *s)
{
	const struct conf_tables	*t = &s->env->conf->tables;

	return (s->may_relay && (!table_is_empty(&t->canonical) || !table_is_empty(&t->sender_canonical) ||
	    !table_is_empty(&t->recipient_canonical)));
}

static size_t
size_max(const struct smtp_txn *t)
{
	return (t->limits.size != 0 ? t->limits.size : REWRITE_MAX);
}

void
smtp_rewrite_begin(struct smtp_session *s)
{
	struct smtp_txn	*t = s->txn;
	t->rewriting = (uint8_t)smtp_rewrite_wanted(s);
	/* With the section's last octets come some of the body's. */
	buf_init(&t->pend, size_max(t) + REWRITE_STEP + HEADER_HELD_MAX + HEADER_FIELDS_MAX);
}

struct rewriting {
	struct smtp_session	*s;
	struct buf		 out;
	size_t			 n;	/* octets of the addresses put anew */
};

static int
address(void *arg, enum header_who who, char text[ADDRESS_MAX + 1])
{
	struct rewriting	*w = arg;
	const struct conf	*conf = w->s->env->conf;
	int			 changed;

	if (w->n > size_max(w->s->txn))
		return (0);		/* too much: refused */
	changed = who == WHO_SENDER ? rcpt_rewrite_sender(conf, text, NULL, NULL) :
	    rcpt_rewrite_recipient(conf, text, NULL, NULL);
	if (changed)
		w->n += strlen(text);
	return (changed);
}

static int
out(void *arg, struct slice run)
{
	return (buf_add(&((struct rewriting *)arg)->out, run.p, run.n));
}

void
smtp_body_credit(struct smtp_session *s)
{
	struct smtp_txn	*t = s->txn;
	size_t		 n;

	while (t->fate == FATE_OK && t->pend.len != 0 && t->window != 0 && !s->env->throttled) {
		n = t->pend.len < t->window ? t->pend.len : t->window;
		if (n > REWRITE_STEP)
			n = REWRITE_STEP;
		if (smtp_body_queue(s, slice_make(buf_slice(&t->pend).p, n)) != E_OK)
			return;
		buf_drain(&t->pend, n);
	}
	if (t->pend.len == 0)
		buf_clear(&t->pend);
}

void
smtp_rewrite_done(struct smtp_session *s)
{
	struct smtp_txn			*t = s->txn;
	struct rewriting		 w = { .s = s };
	const struct header_rewriter	 r = { .address = address, .out = out, .arg = &w };

	t->rewriting = 0;
	buf_init(&w.out, t->pend.cap + size_max(t) + ADDRESS_MAX);
	if (header_rewrite(&r, buf_slice(&t->pend)) != E_OK || w.n > size_max(t)) {
		buf_clear(&w.out);
		smtp_body_fail(s, w.n > size_max(t) ? FATE_HEADER_SIZE : FATE_MEMORY);
		return;
	}
	buf_clear(&t->pend);
	t->pend = w.out;
	smtp_body_credit(s);
}
