/*
 * mail.c -- messages in memory: found by id, freed when nothing needs them.  Shell.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "queue/queue.h"

struct mail *
mail_find(struct queue *q, uint64_t msgid)
{
	struct mail *m;

	HASH_FIND(hh, q->mails, &msgid, sizeof(msgid), m);
	return (m);
}

struct mail *
mail_new(struct queue *q, const struct message *msg, struct recipient *rcpt, struct body *body)
{
	struct mail *m;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return (NULL);
	m->msgid = msg->msgid;
	m->m = *msg;
	m->rcpt = rcpt;
	m->body = body != NULL ? body_ref(body) : NULL;
	m->pend_tail = &m->pend_head;
	HASH_ADD(hh, q->mails, msgid, sizeof(m->msgid), m);
	if (msg->by_mode != BY_NONE)
		DL_APPEND2(q->timed, m, timed_prev, timed_next);
	return (m);
}

int
mail_get(struct queue *q, uint64_t msgid, struct mail **out)
{
	struct message msg;
	int err;

	if ((*out = mail_find(q, msgid)) != NULL)
		return (E_OK);
	if ((err = store_get_message(q->store, msgid, &msg)) != E_OK)
		return (err);
	msg.msgid = msgid;
	return ((*out = mail_new(q, &msg, NULL, NULL)) != NULL ? E_OK : E_NOMEM);
}

void
mail_release(struct queue *q, struct mail *m)
{
	if (m->items != 0 || m->jobs != 0 || m->pend_head != NULL || m->op != NULL || m->late)
		return;
	HASH_DEL(q->mails, m);
	if (m->m.by_mode != BY_NONE)
		DL_DELETE2(q->timed, m, timed_prev, timed_next);
	free(m->rcpt);
	body_unref(m->body);
	free(m);
}

void
mail_hand_over(struct queue *q, const struct message *msg, struct recipient *rcpt, struct body *body)
{
	struct sched_dest *d;
	struct mail *m;
	uint32_t i;
	int err, hot;

	/* Held, to be released later, or with a deadline that has passed: the store has it, and the feed sees to it. */
	if ((msg->flags & MSGF_HELD) != 0 || rcpt[0].next > clock_due(&q->clock) ||
	    mail_is_late(q, msg, &rcpt[0])) {
		feed_note(q, rcpt[0].next);
		free(rcpt);
		return;
	}
	hot = body != NULL && body_memory() < QUEUE_HOT_MAX && !queue_is_paused(q);
	/* The feed may have seen its due record before we were told of the commit. */
	if (mail_find(q, msg->msgid) != NULL || sched_room(q->sched) == 0 || queue_is_paused(q) ||
	    (m = mail_new(q, msg, rcpt, hot ? body : NULL)) == NULL) {
		feed_note(q, rcpt[0].next);
		free(rcpt);
		return;
	}
	for (i = 0; i < msg->nrcpt; i++) {
		if (rcpt_is_ended(&rcpt[i]))
			continue;
		if (rcpt_is_over(&rcpt[i]) || (d = route_dest(q, rcpt[i].address)) == NULL)
			err = E_LIMIT;		/* the feed's: a notice that is owed, or for want of memory */
		else if ((err = mail_add_item(q, m, &rcpt[i], d)) == E_BUSY)
			feed_passed(q, d, rcpt[i].next, m->msgid, i);
		if (err == E_LIMIT || err == E_NOMEM)
			feed_note(q, rcpt[i].next);
	}
	if (!hot) {
		m->rcpt = NULL;
		free(rcpt);
	}
	mail_release(q, m);
	dispatch_run(q);
}

int
mail_recipient(struct queue *q, struct mail *m, uint32_t index, struct recipient *r)
{
	int err;

	if (index >= m->m.nrcpt)
		return (E_NOTFOUND);
	if (m->rcpt != NULL) {
		*r = m->rcpt[index];
		return (E_OK);
	}
	if ((err = store_get_recipient(q->store, m->msgid, index, r)) != E_OK)
		return (err);
	r->index = index;
	return (E_OK);
}

/* Whether a next hop has to know SMTPUTF8 for this recipient alone (RFC 6531 3.6): its local part. */
static int
needs_utf8(const char *address)
{
	for (; *address != '\0'; address++)
		if ((unsigned char)*address >= 0x80)
			return (1);
	return (0);
}

int
mail_together(const struct message *m, const struct recipient *a, const struct recipient *b)
{
	return (a->owned == b->owned && strcmp(rcpt_sender(m, a), rcpt_sender(m, b)) == 0 &&
	    needs_utf8(a->address) == needs_utf8(b->address));
}

/* What one transaction can carry stands in one flow: one sender, one need, one priority. */
static uint64_t
flow_of(const struct message *m, const struct recipient *r)
{
	const char *sender = rcpt_sender(m, r);

	return (siphash(sender, strlen(sender)) ^ (uint64_t)(needs_utf8(r->address) | r->owned << 1));
}

int
mail_add_item(struct queue *q, struct mail *m, const struct recipient *r, struct sched_dest *d)
{
	int err;

	if ((err = sched_add(q->sched, m->msgid, r->index, d, flow_of(&m->m, r), m->m.priority)) == E_OK)
		m->items++;
	return (err);
}

int
mail_settle(struct queue *q, struct mail *m, uint32_t index)
{
	int fresh, err;

	fresh = sched_state(q->sched, m->msgid, index) == SCHED_ABSENT;
	if ((err = sched_set(q->sched, m->msgid, index, SCHED_SETTLING)) == E_OK && fresh)
		m->items++;
	return (err);
}

void
mail_forget_item(struct queue *q, struct mail *m, uint32_t index)
{
	if (sched_state(q->sched, m->msgid, index) == SCHED_ABSENT)
		return;
	sched_forget(q->sched, m->msgid, index);
	m->items--;
}

void
route_recipient(struct queue *q, const char *address, struct hop *hop, char name[static DEST_NAME_MAX])
{
	const char *at = strrchr(address, '@');
	const char *domain = at != NULL ? at + 1 : q->room.conf->hostname;

	conf_route(q->room.conf, domain, hop);
	switch (hop->kind) {
	case HOP_MAILDIR:
		(void)snprintf(name, DEST_NAME_MAX, "maildir:%s", hop->path);
		break;
	case HOP_SMTP:
		if (hop->implicit || hop->login[0] != '\0')
			(void)hop_str(hop, name, DEST_NAME_MAX);
		else
			(void)snprintf(name, DEST_NAME_MAX, "[%s]:%u", hop->host, (unsigned)hop->port);
		break;
	default:
		(void)snprintf(name, DEST_NAME_MAX, "%s", domain);
		break;
	}
}

struct sched_dest *
route_dest(struct queue *q, const char *address)
{
	char name[DEST_NAME_MAX];
	struct hop hop;

	route_recipient(q, address, &hop, name);
	return (sched_dest_get(q->sched, name, hop.kind == HOP_MAILDIR, uv_now(&q->room.loop)));
}

int64_t
mail_expires(struct queue *q, const struct message *m)
{
	const struct conf *c = q->room.conf;
	int64_t life = m->sender[0] != '\0' ? c->queue.lifetime : c->queue.bounce_lifetime;

	/* What is to be released later lives from its release on (RFC 4865 5). */
	if (m->hold_until > m->arrival)
		life += m->hold_until - m->arrival;
	return (clock_wall(&q->clock) - clock_age(&q->clock, m->msgid, m->arrival) + life);
}

int64_t
mail_deadline(struct queue *q, const struct message *m)
{
	int64_t at;

	at = clock_wall(&q->clock) + (m->by_time - m->arrival) - clock_passed(&q->clock, m->msgid, m->arrival);
	return (at > 0 ? at : 1);
}

int
mail_is_late(struct queue *q, const struct message *m, const struct recipient *r)
{
	return (m->by_mode != BY_NONE && (m->by_mode == BY_RETURN || (r->noticed & NOTICED_BY) == 0) &&
	    mail_deadline(q, m) <= clock_wall(&q->clock));
}

/*
 * A recipient that waits in the store is due at its deadline.  One that waits here for a connection is not looked
 * at by the feed; one that is being tried has its say with the outcome.
 */
static void
deadline(struct queue *q, struct mail *m)
{
	struct change *ch, *list = NULL, **tail = &list;
	struct recipient r;
	uint32_t i;

	for (i = 0; i < m->m.nrcpt; i++) {
		if (sched_state(q->sched, m->msgid, i) != SCHED_READY ||
		    mail_recipient(q, m, i, &r) != E_OK || !mail_is_late(q, &m->m, &r))
			continue;
		if ((ch = change_new(q, CH_DEADLINE, i)) == NULL) {
			m->by_over = 0;		/* the next tick looks again */
			break;
		}
		*tail = ch;
		tail = &ch->next;
	}
	if (list != NULL)
		mail_change(q, m, list);	/* m may be gone */
}

void
mail_deadlines(struct queue *q)
{
	struct mail *m, *next;

	for (m = q->timed; m != NULL; m = next) {
		if (m->by_over || mail_deadline(q, &m->m) > clock_wall(&q->clock)) {
			next = m->timed_next;
			continue;
		}
		m->by_over = 1;
		m->jobs++;		/* keep it, and its place in the list */
		deadline(q, m);
		next = m->timed_next;
		m->jobs--;
		mail_release(q, m);
	}
}
