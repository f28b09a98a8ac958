/*
 * control_view.c -- messages and destinations as the operator sees them.  Shell.
 */
#include "queue/control.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/reply.h"
#include "common/units.h"

#define TEXT_SEND_MAX	16384		/* octets of one CTL_TEXT */
#define STORY_MAX	(1u << 20)
#define STATUS_DUE_MAX	4096		/* recipients counted as waiting; more count as deferred */

struct learn {
	struct queue		*q;
	const struct message	*m;
	const char		*text;
	struct view		*v;
	int			 deferred;
	uint32_t		 seen;
};

static int
names(const char *text, const char *address)
{
	const char *at = strrchr(address, '@');

	if (strchr(text, '@') != NULL)
		return (strcasecmp(text, address) == 0);
	return (at != NULL && strcasecmp(text, at + 1) == 0);
}

static int
learn_recipient(void *arg, const struct recipient *r)
{
	struct learn *l = arg;

	l->seen++;
	if (l->text[0] != '\0' && names(l->text, r->address))
		l->v->match = 1;
	if (rcpt_is_over(r))
		return (0);
	if (sched_state(l->q->sched, l->m->msgid, r->index) == SCHED_ACTIVE)
		l->v->state = MSG_ACTIVE;
	if (r->state == RCPT_DEFERRED || r->state == RCPT_UNSURE)
		l->deferred = 1;
	if (l->v->next == 0 || r->next < l->v->next)
		l->v->next = r->next;
	return (0);
}

void
view_message(struct queue *q, const struct message *m, int trash, const char *text, struct view *v)
{
	struct learn l = { .q = q, .m = m, .text = text, .v = v };

	v->state = MSG_QUEUED;
	v->next = 0;
	v->match = text[0] == '\0' || names(text, m->sender);
	(void)store_each_recipient(q->store, m->msgid, learn_recipient, &l);
	v->damaged = l.seen < m->nrcpt ? m->nrcpt - l.seen : 0;
	if (trash)
		v->state = MSG_DELETED;
	else if (v->state == MSG_ACTIVE)
		;
	else if ((m->flags & MSGF_DAMAGED) || (v->damaged != 0 && v->next == 0))
		v->state = MSG_DAMAGED;		/* nothing of it can be tried */
	else if (m->flags & MSGF_HELD)
		v->state = MSG_HELD;
	else if (l.deferred)
		v->state = MSG_DEFERRED;
}

static enum held_by
held_by(const struct message *m)
{
	if ((m->flags & MSGF_HELD) == 0)
		return (HELD_NOT);
	return (m->flags & MSGF_HELD_DAMAGED ? HELD_DAMAGED : m->flags & MSGF_HELD_RULE ? HELD_RULE : HELD_OPERATOR);
}

int
view_send_message(struct client *c, const struct message *m, const struct view *v)
{
	struct queue *q = c->q;
	struct ipc_ctl_message row = { 0 };

	row.msgid = m->msgid;
	row.arrival = m->arrival;
	row.size = m->body_len;
	row.state = (uint8_t)v->state;
	row.nrcpt = m->nrcpt;
	row.ndone = m->ndone;
	row.next = v->next > clock_due(&q->clock) ? clock_show(&q->clock, v->next) : 0;
	row.expires = m->flags & MSGF_DAMAGED ? 0 : mail_expires(q, m);
	row.client = m->client;
	memcpy(row.helo, m->helo, sizeof(row.helo));
	memcpy(row.sender, m->sender, sizeof(row.sender));
	row.held = (uint8_t)held_by(m);
	row.by_mode = m->by_mode;
	row.by_time = m->by_mode != BY_NONE ? mail_deadline(q, m) : 0;
	row.prioritized = (m->flags & MSGF_PRIORITIZED) != 0;
	row.priority = m->priority;
	row.local = (m->flags & MSGF_LOCAL) != 0;
	row.uid = m->uid;
	row.hold_until = m->hold_until;
	if ((m->flags & MSGF_NOTICE) == 0)
		memcpy(row.envid, m->envid, sizeof(row.envid));
	memcpy(row.login, m->login, sizeof(row.login));
	return (ipc_send(&c->ipc, CTL_MESSAGE, ctl_message, &row));
}

struct telling {
	struct client		*c;
	const struct message	*m;
	const char		*text;
	struct buf		*b;
	int			 err;
};

static int
send_recipient(void *arg, const struct recipient *r)
{
	struct telling *t = arg;
	struct queue *q = t->c->q;
	struct ipc_ctl_rcpt row = { 0 };
	char name[DEST_NAME_MAX], hop_text[DEST_NAME_MAX];
	struct hop hop;

	if (t->text[0] != '\0' && !names(t->text, r->address))
		return (0);
	row.msgid = t->m->msgid;
	row.index = r->index;
	row.state = r->state;
	if (!rcpt_is_over(r) && sched_state(q->sched, row.msgid, r->index) == SCHED_ACTIVE)
		row.state = RCPT_ACTIVE;
	row.attempts = r->attempts;
	row.last = r->last;
	row.next = clock_show(&q->clock, r->next);
	row.code = r->code;
	row.enhanced = r->enhanced;
	row.stage = r->stage;
	memcpy(row.address, r->address, sizeof(row.address));
	memcpy(row.relay, r->relay, sizeof(row.relay));
	memcpy(row.text, r->text, sizeof(row.text));
	row.notify = r->notify;
	row.owned = r->owned;
	memcpy(row.orcpt, r->orcpt, sizeof(row.orcpt));
	memcpy(row.alias, r->alias, sizeof(row.alias));
	memcpy(row.sender, r->sender, sizeof(row.sender));
	route_recipient(q, r->address, &hop, name);
	(void)snprintf(row.hop, sizeof(row.hop), "%s", hop_str(&hop, hop_text, sizeof(hop_text)));
	t->err = ipc_send(&t->c->ipc, CTL_RCPT, ctl_rcpt, &row);
	return (t->err != E_OK);
}

int
view_send_recipients(struct client *c, const struct message *m, const char *text)
{
	struct telling t = { .c = c, .m = m, .text = text };

	(void)store_each_recipient(c->q->store, m->msgid, send_recipient, &t);
	return (t.err);
}

static void
describe_dest(struct queue *q, struct sched_dest *d, struct buf *b)
{
	char why[4 * REPLY_TEXT_MAX], span[32], name[2 * DOMAIN_MAX];
	struct sched_view v;

	sched_dest_view(d, uv_now(&q->room.loop), &v);
	buf_addf(b, "destination %s: %u of %u connections in use, %u recipients waiting\n",
	    text_escape(name, sizeof(name), slice_str(sched_dest_name(d))), v.active, v.limit, v.ready);
	if (v.failures != 0 || v.why[0] != '\0')
		buf_addf(b, "    unreachable %u times in a row, last: %s\n", v.failures,
		    text_escape(why, sizeof(why), slice_str(v.why)));
	if (v.backoff_ms != 0)
		buf_addf(b, "    backed off: next attempt in %s\n", duration_str(v.backoff_ms / 1000 + 1, span));
}

static int
tell_recipient(void *arg, const struct recipient *r)
{
	struct telling *t = arg;
	struct queue *q = t->c->q;
	struct buf *b = t->b;
	char shown[2 * ADDRESS_MAX], date[DATE_STRLEN], name[DEST_NAME_MAX];
	struct sched_dest *d;
	struct sched_view v = { 0 };
	const struct conf_domain *c;
	struct hop hop;

	if (rcpt_is_over(r)) {
		buf_addf(b, "<%s>: %s%s\n", text_escape(shown, sizeof(shown), slice_str(r->address)),
		    rcpt_state_name(r->state), r->owed != OWED_NONE ? ", its sender is still to be told" : "");
		return (0);
	}
	buf_addf(b, "<%s>: ", text_escape(shown, sizeof(shown), slice_str(r->address)));
	route_recipient(q, r->address, &hop, name);
	if ((d = sched_dest_find(q->sched, name)) != NULL)
		sched_dest_view(d, uv_now(&q->room.loop), &v);
	switch (sched_state(q->sched, t->m->msgid, r->index)) {
	case SCHED_ACTIVE:
		buf_adds(b, "is being delivered now\n");
		break;
	case SCHED_SETTLING:
		buf_adds(b, "its outcome is being written\n");
		break;
	case SCHED_READY:
		buf_adds(b, queue_is_paused(q) ? "waits: the queue is paused\n" :
		    "is due and waits for a free connection to its destination\n");
		break;
	default:
		if (t->m->flags & MSGF_HELD)
			buf_addf(b, "waits for the operator: the message is held%s\n", t->m->flags & MSGF_HELD_DAMAGED ?
			    " because its body is damaged" : t->m->flags & MSGF_HELD_RULE ? " by an access rule (HOLD)" : "");
		else if (t->m->hold_until > clock_wall(&q->clock))
			buf_addf(b, "waits until %s: its sender asked for that (FUTURERELEASE)\n",
			    date_str(t->m->hold_until, date));
		else if (queue_is_paused(q))
			buf_adds(b, "waits: the queue is paused\n");
		else if (r->next <= clock_due(&q->clock))
			buf_adds(b, "is due and waits for room in the scheduler\n");
		else
			buf_addf(b, "waits until %s\n", date_str(clock_show(&q->clock, r->next), date));
		break;
	}
	if (v.failures != 0 || v.backoff_ms != 0)
		describe_dest(q, d, b);
	if ((c = conf_domain_find(q->room.conf, recipient_domain(r))) != NULL && c->relay)
		buf_addf(b, "    tried at once when its node says ETRN %s\n",
		    text_escape(shown, sizeof(shown), slice_str(c->name)));
	return (0);
}

/* Printable ASCII and LF only, in pieces that fit a frame. */
static int
send_text(struct client *c, struct slice s)
{
	struct ipc_ctl_text m;
	int err = E_OK;

	while (s.n != 0 && err == E_OK) {
		m.text = slice_make(s.p, s.n < TEXT_SEND_MAX ? s.n : TEXT_SEND_MAX);
		err = ipc_send(&c->ipc, CTL_TEXT, ctl_text, &m);
		s.p += m.text.n;
		s.n -= m.text.n;
	}
	return (err);
}

int
view_send_story(struct client *c, const struct message *m, const struct view *v, int why)
{
	char dialogue[DIALOGUE_MAX + 1], date[DATE_STRLEN];
	struct telling t = { .c = c, .m = m };
	struct buf b;
	size_t n = 0;
	int err;

	buf_init(&b, STORY_MAX);
	t.b = &b;
	if (m->flags & MSGF_DAMAGED)
		buf_adds(&b, "its record is damaged and set aside: it can only be deleted, for good\n");
	else if (v->damaged != 0)
		buf_addf(&b, "%u of its recipients' records are damaged and set aside: only what else there is "
		    "will be delivered\n", v->damaged);
	if (why && (m->flags & MSGF_DAMAGED) == 0) {
		if (m->flags & MSGF_NOTICE)
			buf_adds(&b, "this message is a notice of ours\n");
		if (m->flags & MSGF_DELAY_SENT)
			buf_adds(&b, "the sender was told of the delay\n");
		if (m->by_mode != BY_NONE)
			buf_addf(&b, "was to be delivered by %s (DELIVERBY), then %s\n",
			    date_str(mail_deadline(c->q, m), date), m->by_mode == BY_RETURN ? "it is returned" :
			    m->flags & MSGF_BY_SENT ? "its sender is told, and was" : "its sender is told");
		(void)store_each_recipient(c->q->store, m->msgid, tell_recipient, &t);
		if (c->trash)
			buf_adds(&b, "deleted: can be undone for a day after the deletion\n");
		else if (!(m->flags & MSGF_HELD))
			buf_addf(&b, "is given up and returned after %s\n",
			    date_str(mail_expires(c->q, m), date));
	}
	if (store_get_dialogue(c->q->store, m->msgid, dialogue, sizeof(dialogue), &n) == E_OK && n != 0) {
		buf_adds(&b, "the last dialogue:\n");
		buf_add(&b, dialogue, n);
		if (dialogue[n - 1] != '\n')
			buf_adds(&b, "\n");
	}
	err = send_text(c, buf_slice(&b));
	buf_clear(&b);
	return (err);
}

int
view_send_destination(struct client *c, const char *domain)
{
	char address[DOMAIN_MAX + 4], name[DEST_NAME_MAX], text[DEST_NAME_MAX];
	struct sched_dest *d;
	struct hop hop;
	struct buf b;
	int err;

	buf_init(&b, STORY_MAX);
	(void)snprintf(address, sizeof(address), "x@%s", domain);
	route_recipient(c->q, address, &hop, name);
	buf_addf(&b, "route of %s: %s\n", domain, hop_str(&hop, text, sizeof(text)));
	if ((d = sched_dest_find(c->q->sched, name)) != NULL)
		describe_dest(c->q, d, &b);
	else
		buf_adds(&b, "nothing was sent there lately\n");
	if (queue_is_paused(c->q))
		buf_adds(&b, "the queue is paused: nothing is delivered\n");
	err = send_text(c, buf_slice(&b));
	buf_clear(&b);
	return (err);
}

/* Messages that wait for nothing but their turn: due, and not with deliver. */
static uint64_t
count_waiting(struct queue *q)
{
	static struct store_due due[FEED_BATCH];
	struct store_due after = { .when = INT64_MIN };
	uint64_t n = 0, last = 0;
	size_t i, got, all = 0;

	after.when = 0;
	do {
		if (store_due(q->store, &after, due, FEED_BATCH, &got) != E_OK)
			break;
		for (i = 0; i < got && due[i].when <= clock_due(&q->clock); i++) {
			if (due[i].msgid != last &&
			    sched_state(q->sched, due[i].msgid, due[i].index) != SCHED_ACTIVE)
				n++;
			last = due[i].msgid;
		}
		if (i < got || got < FEED_BATCH)
			break;
		after = due[got - 1];
		all += got;
	} while (all < STATUS_DUE_MAX);
	return (n);
}

int
view_send_figures(struct client *c)
{
	struct queue *q = c->q;
	struct store_figures f;
	struct ipc_ctl_queue row = { 0 };
	const struct mail *m, *tmp;
	uint64_t rest;

	store_figures(q->store, &f);
	HASH_ITER(hh, q->mails, m, tmp)
		row.active += m->jobs != 0;
	row.total = f.messages;
	row.held = f.held;
	row.trash = f.trash;
	row.queued = count_waiting(q);
	rest = row.active + row.held + row.queued;
	row.deferred = row.total > rest ? row.total - rest : 0;
	row.received = q->count.received;
	row.delivered = q->count.delivered;
	row.bounced = q->count.failed;
	row.expired = q->count.expired;
	row.store_octets = f.octets;
	row.store_limit = f.limit;
	row.free_octets = f.disk_free;
	row.commits = f.commits;
	row.pressure = (uint8_t)q->pressure;
	row.paused = (uint8_t)queue_is_paused(q);
	return (ipc_send(&c->ipc, CTL_QUEUE, ctl_queue, &row));
}
