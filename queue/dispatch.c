/*
 * dispatch.c -- from the scheduler to deliver: which job goes where, and its octets.  Shell.
 *
 * The route is asked at each attempt (design.md 1.7): a destination's name may be older than the configuration.
 * A small new message leaves in one datagram with its envelope: JOB_BEGIN, JOB_RCPTs, JOB_BODY.
 */
#include "queue/dispatch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"

/* A peer that is this far behind in reading gets no further job, so what jobs in hand may send still fits. */
#define PEER_BACKLOG_MAX	(IPC_QUEUE_MAX / 4)

static int	peer_takes(const struct deliver_peer *);
static unsigned	kinds_now(const struct queue *);
static struct deliver_peer *peer_for(struct queue *, int local);
static void	run_job(struct queue *, struct sched_job *);
static void	postpone_job(struct queue *, struct sched_job *);
static uint16_t	collect(struct queue *, struct mail *, struct sched_job *, struct recipient *, struct hop *,
		    char *domain);
static void	reroute(struct queue *, struct mail *, const struct recipient *);
static int	send_head(struct queue *, struct job *, const struct recipient *, uint16_t, const struct hop *, const char *);
static void	body_failed(struct queue *, struct job *, int);

int
queue_is_paused(const struct queue *q)
{
	return (q->paused || q->room.conf->queue.paused);
}

/* At the start nothing is scheduled before every deliver process has said what it is still at work on. */
void
dispatch_gate(struct queue *q)
{
	const struct deliver_peer *p;

	if (q->open || !q->went)
		return;
	DL_FOREACH(q->delivers, p)
		if (p->early && !p->synced)
			return;
	q->open = 1;
	feed_tick(q);
}

void
dispatch_run(struct queue *q)
{
	struct sched_job job;
	unsigned kinds;

	/* What a job starts may end another and come back here. */
	if (!q->open || q->stopping || q->dispatching || queue_is_paused(q))
		return;
	q->dispatching = 1;
	for (;;) {
		/* A channel whose backlog went in one turn never says that it has drained. */
		kinds = kinds_now(q);
		if ((kinds & ~q->kinds) != 0)
			sched_wake(q->sched);
		q->kinds = kinds;
		if (sched_next(q->sched, uv_now(&q->room.loop), kinds, &job) != E_OK)
			break;
		if (job.kind == SCHED_RUN)
			run_job(q, &job);
		else
			postpone_job(q, &job);
	}
	q->dispatching = 0;
}

static int
peer_takes(const struct deliver_peer *p)
{
	return (p->synced && !p->leaving && !p->ipc.over && ipc_backlog(&p->ipc) < PEER_BACKLOG_MAX &&
	    p->held < JOBS_HELD_MAX);
}

static unsigned
kinds_now(const struct queue *q)
{
	const struct deliver_peer *p;
	unsigned kinds = 0;

	DL_FOREACH(q->delivers, p)
		if (peer_takes(p))
			kinds |= p->role == ROLE_MAILBOX ? SCHED_LOCAL : SCHED_REMOTE;
	return (kinds);
}

static struct deliver_peer *
peer_for(struct queue *q, int local)
{
	struct deliver_peer *p, *best = NULL;

	DL_FOREACH(q->delivers, p)
		if (peer_takes(p) && (p->role == ROLE_MAILBOX) == (local != 0) &&
		    (best == NULL || p->njobs < best->njobs))
			best = p;
	return (best);
}

struct deliver_peer *
dispatch_remote_peer(struct queue *q)
{
	return (peer_for(q, 0));
}

static void
postpone_job(struct queue *q, struct sched_job *sj)
{
	struct sched_view view;
	struct change *ch, *list = NULL, **tail = &list;
	struct mail *m;
	uint32_t rnd = queue_random(q);	/* one for all: they stay together */
	uint16_t i;

	if ((m = mail_find(q, sj->msgid)) == NULL)
		log_fatal("postponed message is not in memory");
	sched_dest_view(sj->dest, uv_now(&q->room.loop), &view);
	m->jobs++;			/* keep it through the loop */
	for (i = 0; i < sj->n; i++) {
		if ((ch = change_new(q, CH_POSTPONE, sj->index[i])) == NULL) {
			mail_forget_item(q, m, sj->index[i]);
			feed_note(q, clock_due(&q->clock));
			continue;
		}
		ch->wait_s = sched_postpone_delay(sj->dest, uv_now(&q->room.loop), rnd);
		(void)slice_copy(slice_make(view.why, strnlen(view.why, REPLY_TEXT_MAX)), ch->r.text,
		    sizeof(ch->r.text));
		*tail = ch;
		tail = &ch->next;
	}
	if (list != NULL)
		mail_change(q, m, list);
	m->jobs--;
	mail_release(q, m);
}

static void
run_job(struct queue *q, struct sched_job *sj)
{
	static struct recipient rcpt[JOB_RCPT_MAX];	/* one loop, never nested: see dispatching */
	char domain[DOMAIN_MAX + 1];
	struct deliver_peer *peer;
	struct job *job;
	struct mail *m;
	struct hop hop;
	uint16_t i, n;

	if ((m = mail_find(q, sj->msgid)) == NULL)
		log_fatal("scheduled message is not in memory");
	peer = peer_for(q, sched_dest_local(sj->dest));
	assert(peer != NULL);		/* kinds_now() saw it */
	m->jobs++;
	n = collect(q, m, sj, rcpt, &hop, domain);
	if (n == 0)
		goto lost;
	if ((job = job_new(q, peer, job_id_new(q, m->msgid), m->msgid,
	    n)) == NULL) {
		for (i = 0; i < n; i++)
			mail_forget_item(q, m, rcpt[i].index);
		feed_note(q, rcpt[0].next);
		goto lost;
	}
	job->mail = m;			/* its m->jobs is the one counted above */
	job->dest = sj->dest;
	for (i = 0; i < n; i++)
		job->rcpt[job->n++].index = rcpt[i].index;
	job->block = m->body != NULL ? m->body->first : NULL;
	if (send_head(q, job, rcpt, n, &hop, domain) == E_OK)
		job_send_body(q, job);
	return;		/* a failure to send ends the channel, and that ends its jobs */
lost:
	sched_job_lost(q->sched, sj->dest);
	m->jobs--;
	mail_release(q, m);
}

/* The recipients of the job as they are now; those that are over, held or go elsewhere by now leave it. */
static uint16_t
collect(struct queue *q, struct mail *m, struct sched_job *sj, struct recipient *rcpt, struct hop *hop,
    char *domain)
{
	char name[DEST_NAME_MAX];
	struct change *ch;
	const char *at;
	uint16_t i, n = 0;
	int err;

	for (i = 0; i < sj->n; i++) {
		err = mail_recipient(q, m, sj->index[i], &rcpt[n]);
		if (err != E_OK || rcpt_is_over(&rcpt[n]) || (m->m.flags & (MSGF_HELD | MSGF_DONE))) {
			if (err != E_OK && err != E_NOTFOUND)
				qlog_damaged(m->msgid, "recipient", err);
			mail_forget_item(q, m, sj->index[i]);
			continue;
		}
		/* RFC 2852 4.1.3: no further attempt. */
		if (m->m.by_mode == BY_RETURN && mail_is_late(q, &m->m, &rcpt[n])) {
			if ((ch = change_new(q, CH_DEADLINE, sj->index[i])) != NULL) {
				mail_change(q, m, ch);	/* run_job() keeps m */
			} else {
				mail_forget_item(q, m, sj->index[i]);
				feed_note(q, rcpt[n].next);
			}
			continue;
		}
		/* All of them have one destination, so one hop; the last word is the configuration's. */
		route_recipient(q, rcpt[n].address, hop, name);
		if (strcmp(name, sched_dest_name(sj->dest)) != 0) {
			reroute(q, m, &rcpt[n]);
			continue;
		}
		/* A flow is a hash: two senders may share one. */
		if (n != 0 && !mail_together(&m->m, &rcpt[0], &rcpt[n])) {
			reroute(q, m, &rcpt[n]);
			continue;
		}
		n++;
	}
	if (n == 0)
		return (0);
	route_recipient(q, rcpt[0].address, hop, name);
	at = strrchr(rcpt[0].address, '@');
	(void)snprintf(domain, DOMAIN_MAX + 1, "%s", at != NULL ? at + 1 : q->room.conf->hostname);
	return (n);
}

static void
reroute(struct queue *q, struct mail *m, const struct recipient *r)
{
	struct sched_dest *d;

	mail_forget_item(q, m, r->index);
	if ((d = route_dest(q, r->address)) == NULL || mail_add_item(q, m, r, d) != E_OK)
		feed_note(q, r->next);
}

static int
send_head(struct queue *q, struct job *job, const struct recipient *rcpt, uint16_t n, const struct hop *hop,
    const char *domain)
{
	struct ipc_job_begin b = { 0 };
	struct ipc_job_rcpt jr;
	const struct message *msg = &job->mail->m;
	uint16_t i;
	int err;

	b.job = job->id;
	b.msgid = job->msgid;
	b.body_len = msg->body_len;
	b.arrival = msg->arrival;
	b.body = msg->body;
	b.utf8 = (msg->flags & MSGF_UTF8) != 0;
	b.header8 = (msg->flags & MSGF_HEADER8) != 0 && b.utf8;
	b.prioritized = (msg->flags & MSGF_PRIORITIZED) != 0;
	b.priority = msg->priority;
	b.by_mode = msg->by_mode;
	b.by_trace = (msg->flags & MSGF_BY_TRACE) != 0;
	if (b.by_mode != BY_NONE)	/* by the clock as it goes now */
		b.by_time = mail_deadline(q, msg);
	/* RFC 3461 5.2.7.1 b: what a list sends on has nothing of the original's. */
	if (!rcpt[0].owned && (msg->flags & MSGF_NOTICE) == 0) {
		b.ret = msg->ret;
		memcpy(b.envid, msg->envid, sizeof(b.envid));
	}
	b.hop = (uint8_t)hop->kind;
	b.port = hop->port;
	b.implicit = hop->implicit;
	(void)snprintf(b.login, sizeof(b.login), "%s", hop->login);
	b.nrcpt = n;
	b.attempt = rcpt[0].attempts;
	(void)snprintf(b.host, sizeof(b.host), "%s", hop->kind == HOP_MX ? domain :
	    hop->kind == HOP_SMTP ? hop->host : "");
	(void)snprintf(b.path, sizeof(b.path), "%s", hop->kind == HOP_MAILDIR ? hop->path : "");
	(void)snprintf(b.sender, sizeof(b.sender), "%s", rcpt_sender(msg, &rcpt[0]));
	err = ipc_send(&job->peer->ipc, JOB_BEGIN, job_begin, &b);
	for (i = 0; i < n && err == E_OK; i++) {
		jr.job = job->id;
		jr.index = rcpt[i].index;
		jr.notify = rcpt[i].notify;
		memcpy(jr.address, rcpt[i].address, sizeof(jr.address));
		memcpy(jr.orcpt, rcpt[i].orcpt, sizeof(jr.orcpt));
		err = ipc_send(&job->peer->ipc, JOB_RCPT, job_rcpt, &jr);
	}
	if (err != E_OK && err != E_CLOSED)
		log_warn("deliver[%u]: channel: %s", job->peer->ipc.instance, err_name(err));
	return (err);
}

void
job_send_body(struct queue *q, struct job *job)
{
	static uint8_t chunk[BODY_CHUNK];
	struct ipc_job_body b = { .job = job->id };
	const struct body *body = job->mail != NULL ? job->mail->body : NULL;
	uint32_t len;
	uint64_t left;
	int err;

	if (job->mail == NULL || job->replay)
		return;
	while (!job->whole) {
		if (job->sent == job->mail->m.body_len) {
			job->whole = 1;
			break;
		}
		/* The last chunk is short, and deliver grants no more than the body's end. */
		left = job->mail->m.body_len - job->sent;
		if (job->credit < (left < BODY_CHUNK ? left : BODY_CHUNK) ||
		    ipc_backlog(&job->peer->ipc) > IPC_QUEUE_MAX / 2)
			break;		/* more with JOB_CREDIT, or when the channel has drained */
		if (body != NULL && job->block != NULL) {
			b.data = slice_make(job->block->octets + BODY_BLOCK - BODY_CHUNK, job->block->len);
			job->block = job->block->next;
		} else {
			if ((err = store_read_chunk(q->store, job->msgid, job->chunk, chunk, &len)) != E_OK) {
				body_failed(q, job, err);
				return;
			}
			b.data = slice_make(chunk, len);
		}
		job->chunk++;
		job->sent += b.data.n;
		job->credit -= (uint32_t)b.data.n;
		if (b.data.n == 0 || job->sent > job->mail->m.body_len) {
			body_failed(q, job, E_CORRUPT);
			return;
		}
		if (ipc_send(&job->peer->ipc, JOB_BODY, job_body, &b) != E_OK)
			return;		/* the channel's end ends the job */
	}
}

/* Nothing of it may be delivered (F7): deliver drops the connection before the final dot. */
static void
body_failed(struct queue *q, struct job *job, int err)
{
	struct ipc_job_id id = { .job = job->id };
	struct change *ch;
	struct mail *m = job->mail;

	qlog_damaged(job->msgid, "body", err);
	(void)ipc_send(&job->peer->ipc, JOB_CANCEL, job_id, &id);
	job->peer->held--;		/* deliver forgets it */
	if (err == E_CORRUPT && (ch = change_new(q, CH_HOLD, 0)) != NULL) {
		ch->damaged = 1;
		mail_change(q, m, ch);	/* set aside until the operator has looked */
	}
	job_close(q, job, OUT_TEMPFAIL, "the stored message could not be read", 0, NULL);
}
