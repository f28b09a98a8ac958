/*
 * retry.c -- waiting recipients become due now: for the operator, and for ETRN.  Shell.
 *
 * Each recipient is a change of its own (outcome.c).  A list of a hundred thousand takes RETRY_SLICE of them in a turn
 * of the loop, and none while the store has enough to do, so neither memory nor the others' mail feels its length.
 */
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "queue/queue.h"

struct retrying {
	struct message	 m;
	char		 domain[DOMAIN_MAX + 1];
	const char	*only;		/* recipients of this domain; NULL: all */
	uint32_t	 next;		/* the first that was not looked at */
	struct client_wait *wait;	/* hears of the last of them; may be NULL */
	int		 counted;	/* ... and expects to */
	struct retrying	*prev, *after;	/* of queue.retrying */
};

/* A recipient that is not over: counted, and unless look its change goes to the list's end. */
static void
retry_recipient(struct queue *q, const struct retrying *t, const struct recipient *r, int look,
    struct retried *done, struct change ***tail)
{
	enum sched_state state;
	struct sched_dest *d;
	struct change *ch;

	if (rcpt_is_over(r) || (t->only != NULL && strcasecmp(recipient_domain(r), t->only) != 0))
		return;
	/* RFC 4865: no attempt before, whoever asks.  What is held is due when it is released. */
	if (t->m.hold_until > clock_wall(&q->clock)) {
		done->later++;
		return;
	}
	if (look) {
		done->under_way++;
		return;
	}
	if ((d = route_dest(q, r->address)) != NULL)
		sched_dest_reset(q->sched, d);
	/* What is ready or active is being tried, or is about to be. */
	state = sched_state(q->sched, t->m.msgid, r->index);
	if (state == SCHED_READY || state == SCHED_ACTIVE || (ch = change_new(q, CH_RETRY, r->index)) == NULL) {
		done->under_way++;
		return;
	}
	done->changed++;
	**tail = ch;
	*tail = &ch->next;
}

/* The next slice.  E_OK even if one of them cannot be read: the others are worth trying. */
static int
slice(struct queue *q, struct retrying *t, int look, struct retried *done)
{
	struct change *ch, *list = NULL, **tail = &list;
	struct recipient r;
	struct mail *mail;
	uint32_t n;
	int err = E_OK;

	memset(done, 0, sizeof(*done));
	for (n = 0; n < RETRY_SLICE && t->next < t->m.nrcpt; n++, t->next++) {
		if ((err = store_get_recipient(q->store, t->m.msgid, t->next, &r)) != E_OK)
			continue;
		r.index = t->next;
		retry_recipient(q, t, &r, look, done, &tail);
	}
	if (list == NULL)
		return (done->under_way + done->later != 0 || t->next < t->m.nrcpt ? E_OK : err);
	if ((err = mail_get(q, t->m.msgid, &mail)) != E_OK) {
		while ((ch = list) != NULL) {
			list = ch->next;
			change_free(q, ch);
		}
		return (err);
	}
	if (t->wait != NULL && t->next >= t->m.nrcpt) {
		t->wait->pending += !t->counted;
		list->wait = t->wait;		/* one word for the message */
		t->wait = NULL;
	}
	mail_change(q, mail, list);
	return (E_OK);
}

int
retry_message(struct queue *q, const struct message *m, const char *domain, struct client_wait *wait,
    struct retried *done)
{
	struct retrying t = { .m = *m, .only = domain, .wait = wait }, *rest;
	int err;

	do {
		if ((err = slice(q, &t, 0, done)) != E_OK)
			return (err);
	} while (done->changed == 0 && t.next < m->nrcpt);
	if (t.next >= m->nrcpt)
		return (E_OK);
	if ((rest = malloc(sizeof(*rest))) == NULL)
		return (E_OK);		/* the others have their time */
	*rest = t;
	if (wait != NULL) {
		wait->pending++;
		rest->counted = 1;
	}
	if (domain != NULL) {
		(void)slice_copy(slice_str(domain), rest->domain, sizeof(rest->domain));
		rest->only = rest->domain;
	}
	DL_APPEND2(q->retrying, rest, prev, after);
	queue_work(q);
	return (E_OK);
}

int
retry_count(struct queue *q, const struct message *m, const char *domain, struct retried *done)
{
	struct retrying t = { .m = *m, .only = domain };
	int err;

	do
		err = slice(q, &t, 1, done);
	while (err == E_OK && done->under_way + done->later == 0 && t.next < m->nrcpt);
	return (err);
}

/* Each list in its turn. */
int
retry_work(struct queue *q)
{
	struct retrying *t = q->retrying;
	struct retried done;
	int err;

	if (t == NULL || q->nchange >= FEED_CHANGES_MAX)
		return (0);		/* the end of a change looks again */
	DL_DELETE2(q->retrying, t, prev, after);
	err = slice(q, t, 0, &done);
	if (err == E_OK && t->next < t->m.nrcpt) {
		DL_APPEND2(q->retrying, t, prev, after);
	} else {
		if (t->wait != NULL)
			control_done(q, t->wait, err);
		free(t);
	}
	return (q->retrying != NULL);
}

void
retry_close(struct queue *q)
{
	struct retrying *t, *tmp;

	for (t = q->retrying; t != NULL; t = tmp) {
		tmp = t->after;
		free(t);
	}
	q->retrying = NULL;
}
