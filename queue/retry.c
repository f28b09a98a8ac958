/*
 * retry.c -- waiting recipients become due now: for the operator, and for ETRN.  Shell.
 */
#include <string.h>
#include <strings.h>

#include "common/err.h"
#include "queue/queue.h"

struct retrying {
	struct queue	*q;
	const struct message *m;
	const char	*only;		/* recipients of this domain; NULL: all */
	struct change	*list, **tail;
	struct retried	*done;
	int		 look;
};

static int
retry_recipient(void *arg, const struct recipient *r)
{
	struct retrying *t = arg;
	enum sched_state state;
	struct sched_dest *d;
	struct change *ch;

	if (rcpt_is_over(r) || (t->only != NULL && strcasecmp(recipient_domain(r), t->only) != 0))
		return (0);
	/* RFC 4865: no attempt before, whoever asks.  What is held is due when it is released. */
	if (t->m->hold_until > clock_wall(&t->q->clock)) {
		t->done->later++;
		return (0);
	}
	if (t->look) {
		t->done->under_way++;
		return (0);
	}
	if ((d = route_dest(t->q, r->address)) != NULL)
		sched_dest_reset(t->q->sched, d);
	/* What is ready or active is being tried, or is about to be. */
	state = sched_state(t->q->sched, t->m->msgid, r->index);
	if (state == SCHED_READY || state == SCHED_ACTIVE ||
	    (ch = change_new(t->q, CH_RETRY, r->index)) == NULL) {
		t->done->under_way++;
		return (0);
	}
	t->done->changed++;
	*t->tail = ch;
	t->tail = &ch->next;
	return (0);
}

int
retry_message(struct queue *q, const struct message *m, const char *domain, struct client_wait *wait,
    struct retried *done)
{
	struct retrying t = { .q = q, .m = m, .only = domain, .done = done };
	struct change *ch;
	struct mail *mail;
	int err;

	memset(done, 0, sizeof(*done));
	t.tail = &t.list;
	if ((err = store_each_recipient(q->store, m->msgid, retry_recipient, &t)) != E_OK && t.list == NULL)
		return (err);
	if (t.list == NULL)
		return (E_OK);
	if ((err = mail_get(q, m->msgid, &mail)) != E_OK) {
		while ((ch = t.list) != NULL) {
			t.list = ch->next;
			change_free(q, ch);
		}
		return (err);
	}
	if (wait != NULL) {
		wait->pending++;
		t.list->wait = wait;		/* one word for the message */
	}
	mail_change(q, mail, t.list);
	return (E_OK);
}

int
retry_count(struct queue *q, const struct message *m, const char *domain, struct retried *done)
{
	struct retrying t = { .q = q, .m = m, .only = domain, .done = done, .look = 1 };

	memset(done, 0, sizeof(*done));
	return (store_each_recipient(q->store, m->msgid, retry_recipient, &t));
}
