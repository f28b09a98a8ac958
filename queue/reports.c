/*
 * reports.c -- the channels to deliver processes, and what they report.  Shell.
 *
 * The peer is hostile (T8): a job must be its own, a result must name a recipient of that job, once; credit
 * never exceeds what was sent.  Before JOB_SYNC a deliver that outlived the queue before us speaks
 * of jobs we do not know: those still running keep their recipients from being scheduled, those reported are
 * recorded as any other.  A deliver that dies leaves its jobs without a word: if all of a
 * body was sent, what became of it is unsure (G3).
 */
#include "queue/dispatch.h"

#include <assert.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/siphash.h"
#include "queue/verify.h"

static int	on_credit(struct deliver_peer *, struct rd *);
static int	on_result(struct deliver_peer *, struct rd *);
static int	on_done(struct deliver_peer *, struct rd *);
static int	on_running(struct deliver_peer *, struct rd *);
static int	on_sync(struct deliver_peer *, struct rd *);
static int	on_stop(struct deliver_peer *, struct rd *);
static int	replayed_rcpt(struct job *, uint32_t);
static int	add_result(struct queue *, struct job *, const struct ipc_job_result *);
static void	send_ack(struct deliver_peer *, uint64_t);

static const struct ipc_ops peer_ops = {
	.message = dispatch_deliver_message,
	.closed = dispatch_deliver_closed,
	.drained = dispatch_deliver_drained,
};

void
deliver_peer_open(struct queue *q, const struct ipc_channel *c, int fd)
{
	struct deliver_peer *p, *tmp;

	/* One process has one channel: with a new one the old one is over, whoever holds its other end. */
	DL_FOREACH_SAFE(q->delivers, p, tmp)
		if (p->ipc.instance == c->instance && p->ipc.role == c->role)
			dispatch_deliver_closed(&p->ipc, E_CLOSED);
	if ((p = calloc(1, sizeof(*p))) == NULL)
		log_fatal("no memory for a channel");
	p->q = q;
	p->serial = ++q->serial;
	p->role = (enum role)c->role;
	p->early = !q->went;
	if (ipc_open(&p->ipc, &q->room.loop, fd, q->room.self, ROOM_DELIVER, &peer_ops, p) != E_OK)
		log_fatal("deliver[%u]: channel cannot be opened", c->instance);
	p->ipc.instance = c->instance;
	p->ipc.role = c->role;
	DL_APPEND(q->delivers, p);
}

int
dispatch_deliver_message(struct ipc *ipc, enum ipc_type type, struct rd *r, int fd)
{
	struct deliver_peer *p = ipc->arg;

	switch (type) {
	case IPC_JOB_CREDIT:
		return (on_credit(p, r));
	case IPC_JOB_RESULT:
		return (on_result(p, r));
	case IPC_JOB_DONE:
		return (on_done(p, r));
	case IPC_JOB_RUNNING:
		return (on_running(p, r));
	case IPC_JOB_SYNC:
		return (on_sync(p, r));
	case IPC_JOB_STOP:
		return (on_stop(p, r));
	case IPC_PROBE_RESULT:
		return (questions_probe_result(p, r));
	case IPC_TLS_REPORT:
		return (control_tls_report(p, r));
	default:
		return (E_PROTO);
	}
}

struct job *
job_find(struct queue *q, uint64_t id)
{
	struct job *job;

	HASH_FIND(hh, q->jobs, &id, sizeof(id), job);
	return (job);
}

static uint32_t
job_code(const struct queue *q, uint32_t count, uint64_t msgid)
{
	uint64_t octets[2] = { count, msgid };

	return ((uint32_t)siphash_keyed(q->job_key[0], q->job_key[1], octets, sizeof(octets)));
}

uint64_t
job_id_new(struct queue *q, uint64_t msgid)
{
	uint64_t id;

	do {
		if (++q->job_next == 0)
			q->job_next = 1;
		id = (uint64_t)q->job_next << 32 | job_code(q, q->job_next, msgid);
	} while (job_find(q, id) != NULL);
	return (id);
}

int
job_id_genuine(const struct queue *q, uint64_t id, uint64_t msgid)
{
	return (job_code(q, (uint32_t)(id >> 32), msgid) == (uint32_t)id);
}

struct job *
job_new(struct queue *q, struct deliver_peer *p, uint64_t id, uint64_t msgid, uint16_t room)
{
	struct job *job;

	if ((job = calloc(1, sizeof(*job))) == NULL)
		return (NULL);
	if ((job->rcpt = calloc(room, sizeof(*job->rcpt))) == NULL) {
		free(job);
		return (NULL);
	}
	job->id = id;
	job->msgid = msgid;
	job->peer = p;
	job->room = room;
	job->credit = JOB_WINDOW;
	job->results_tail = &job->results;
	HASH_ADD(hh, q->jobs, id, sizeof(job->id), job);
	p->njobs++;
	p->held++;
	return (job);
}

void
job_free(struct queue *q, struct job *job)
{
	struct change *ch;

	while ((ch = job->results) != NULL) {
		job->results = ch->next;
		change_free(q, ch);
	}
	HASH_DEL(q->jobs, job);
	q->nreplay -= job->replay;
	job->peer->njobs--;
	free(job->rcpt);
	free(job);
}

int
job_holds(const struct queue *q, const struct mail *m, uint32_t index)
{
	const struct job *job;

	if (q->nreplay == 0)
		return (0);
	for (job = q->jobs; job != NULL; job = job->hh.next) {
		for (uint16_t i = 0; job->replay && job->mail == m && i < job->n; i++)
			if (job->rcpt[i].index == index && !job->rcpt[i].reported)
				return (1);
	}
	return (0);
}

/* The credit window: what was sent and not given back never exceeds JOB_WINDOW. */
static int
on_credit(struct deliver_peer *p, struct rd *r)
{
	struct ipc_job_credit m;
	struct job *job;

	if (ipc_unpack_job_credit(r, &m) != E_OK)
		return (E_PROTO);
	if ((job = job_find(p->q, m.job)) == NULL)
		return (E_OK);		/* cancelled meanwhile */
	if (job->peer != p || m.octets > JOB_WINDOW - job->credit)
		return (E_PROTO);
	job->credit += m.octets;
	job_send_body(p->q, job);
	return (E_OK);
}

/*
 * A shortage of ours is no fault of deliver's: with its channel it would lose final dots that it has the answers
 * of.  We begin again; deliver keeps its results and its jobs, and says them again (F9).
 */
static void
no_memory(void)
{
	log_fatal("no memory for what deliver reports");
}

static int
on_result(struct deliver_peer *p, struct rd *r)
{
	struct ipc_job_result m;
	struct job *job;
	int err;

	if (ipc_unpack_job_result(r, &m) != E_OK)
		return (E_PROTO);
	if ((job = job_find(p->q, m.job)) == NULL) {
		if (p->synced)
			return (E_OK);	/* cancelled meanwhile; JOB_DONE is acknowledged */
		if (p->njobs >= PEER_JOBS_MAX || !job_id_genuine(p->q, m.job, m.msgid))
			return (E_PROTO);
		if ((job = job_new(p->q, p, m.job, m.msgid, JOB_RCPT_MAX)) == NULL)
			no_memory();
		job->replay = 1;
		p->q->nreplay++;
		if ((err = mail_get(p->q, m.msgid, &job->mail)) == E_OK)
			job->mail->jobs++;
		else if (err == E_NOMEM)
			no_memory();
	}
	if (job->peer != p || job->msgid != m.msgid)
		return (E_PROTO);
	if ((err = add_result(p->q, job, &m)) == E_NOMEM)
		no_memory();
	return (err);
}

static int
add_result(struct queue *q, struct job *job, const struct ipc_job_result *m)
{
	struct change *ch;
	uint16_t i;

	for (i = 0; i < job->n && job->rcpt[i].index != m->index; i++)
		;
	if (i == job->n && (!job->replay || replayed_rcpt(job, m->index) != E_OK))
		return (E_PROTO);
	if (job->rcpt[i].reported)
		return (E_PROTO);
	if (job->mail == NULL || m->index >= job->mail->m.nrcpt) {
		job->rcpt[i].reported = 1;	/* the message is over: nothing to record */
		return (job->mail == NULL ? E_OK : E_PROTO);
	}
	if ((ch = change_new(q, CH_RESULT, m->index)) == NULL)
		return (E_NOMEM);
	job->rcpt[i].reported = 1;
	ch->r = *m;
	*job->results_tail = ch;
	job->results_tail = &ch->next;
	return (E_OK);
}

static int
replayed_rcpt(struct job *job, uint32_t index)
{
	if (job->n == job->room)
		return (E_PROTO);
	job->rcpt[job->n++].index = index;
	return (E_OK);
}

static int
on_done(struct deliver_peer *p, struct rd *r)
{
	char dialogue[DIALOGUE_MAX + 1] = "", why[REPLY_TEXT_MAX + 1] = "";
	struct ipc_job_done m;
	struct queue *q = p->q;
	struct sched_dest *dest;
	struct change *ch;
	struct job *job;

	if (ipc_unpack_job_done(r, &m) != E_OK)
		return (E_PROTO);
	if ((job = job_find(q, m.job)) == NULL) {
		send_ack(p, m.job);
		return (E_OK);
	}
	if (job->peer != p || job->msgid != m.msgid)
		return (E_PROTO);
	if (slice_copy(m.dialogue, dialogue, sizeof(dialogue)) != E_OK)
		return (E_PROTO);
	for (ch = job->results; ch != NULL && why[0] == '\0'; ch = ch->next)
		if (ch->r.outcome != OUT_DELIVERED)
			memcpy(why, ch->r.text, sizeof(why));
	dest = job->dest;
	job->dest = NULL;
	if (dest != NULL)
		sched_job_done(q->sched, dest, (enum reached)m.reached, m.provider, why, uv_now(&q->room.loop));
	job_close(q, job, OUT_TEMPFAIL, "deliver reported no outcome", 1, dialogue);
	dispatch_run(q);
	feed_more(q);
	return (E_OK);
}

void
job_close(struct queue *q, struct job *job, enum outcome outcome, const char *text, int ack,
    const char *dialogue)
{
	struct ipc_job_result none = { 0 };
	struct mail *m = job->mail;
	struct change *ch, *last;
	uint64_t id = job->id, serial = job->peer->serial;
	uint16_t i;

	none.job = id;
	none.msgid = job->msgid;
	none.outcome = (uint8_t)outcome;
	none.enhanced = (struct enhanced){ 4, 3, 0 };
	none.stage = outcome == OUT_UNSURE ? STAGE_DOT : STAGE_ROUTE;
	(void)slice_copy(slice_str(text), none.text, sizeof(none.text));
	for (i = 0; m != NULL && i < job->n; i++) {
		if (job->rcpt[i].reported)
			continue;
		none.index = job->rcpt[i].index;
		if (add_result(q, job, &none) != E_OK) {
			/* No memory even for that: it is tried again without a record of this attempt. */
			mail_forget_item(q, m, none.index);
			feed_note(q, 0);
		}
	}
	if (job->dest != NULL)
		sched_job_lost(q->sched, job->dest);
	ch = job->results;
	job->results = NULL;
	if (ch != NULL && dialogue != NULL && dialogue[0] != '\0')
		ch->dialogue = strdup(dialogue);	/* a nicety: without memory there is none */
	job_free(q, job);
	if (ch == NULL && ack)
		queue_ack(q, serial, id);
	for (last = ch; last != NULL && last->next != NULL; last = last->next)
		;
	if (last != NULL && ack) {
		last->ack_job = id;
		last->ack_peer = serial;
	}
	if (ch != NULL)
		mail_change(q, m, ch);
	if (m != NULL) {
		m->jobs--;
		mail_release(q, m);
	}
}

static int
on_running(struct deliver_peer *p, struct rd *r)
{
	struct ipc_job_running m;
	struct queue *q = p->q;
	struct recipient rcpt;
	struct job *job;
	uint16_t i;
	int err;

	if (ipc_unpack_job_running(r, &m) != E_OK || p->synced || job_find(q, m.job) != NULL)
		return (E_PROTO);
	if (p->njobs >= PEER_JOBS_MAX || !job_id_genuine(q, m.job, m.msgid))
		return (E_PROTO);
	if ((job = job_new(q, p, m.job, m.msgid, m.nrcpt)) == NULL)
		no_memory();
	job->replay = 1;
	q->nreplay++;
	job->whole = 1;
	for (i = 0; i < m.nrcpt; i++)
		(void)replayed_rcpt(job, m.index[i]);
	if ((err = mail_get(q, m.msgid, &job->mail)) != E_OK) {
		if (err == E_NOMEM)
			no_memory();
		job->mail = NULL;
		return (E_OK);
	}
	job->mail->jobs++;
	for (i = 0; i < m.nrcpt; i++) {
		if (m.index[i] >= job->mail->m.nrcpt)
			return (E_PROTO);
		if (mail_settle(q, job->mail, m.index[i]) != E_OK)
			no_memory();
	}
	if (mail_recipient(q, job->mail, m.index[0], &rcpt) == E_OK &&
	    (job->dest = route_dest(q, rcpt.address)) != NULL)
		sched_job_adopt(q->sched, job->dest);
	return (E_OK);
}

static int
on_sync(struct deliver_peer *p, struct rd *r)
{
	struct ipc_empty m;

	if (ipc_unpack_empty(r, &m) != E_OK || p->synced)
		return (E_PROTO);
	p->synced = 1;
	dispatch_gate(p->q);
	sched_wake(p->q->sched);
	dispatch_run(p->q);
	return (E_OK);
}

/* It leaves, and another takes its place: what is on its way to it already it hands back. */
static int
on_stop(struct deliver_peer *p, struct rd *r)
{
	struct ipc_empty m, none = { 0 };

	if (ipc_unpack_empty(r, &m) != E_OK || p->leaving)
		return (E_PROTO);
	p->leaving = 1;
	/* If the channel is too full for a word it is over, or it is asked again when it has ended. */
	(void)ipc_send(&p->ipc, JOB_STOPPED, empty, &none);
	return (E_OK);
}

void
dispatch_deliver_drained(struct ipc *ipc)
{
	struct deliver_peer *p = ipc->arg;
	struct job *job, *tmp;

	HASH_ITER(hh, p->q->jobs, job, tmp)
		if (job->peer == p && !job->whole)
			job_send_body(p->q, job);
	sched_wake(p->q->sched);
	dispatch_run(p->q);
}

static void
free_peer(struct ipc *ipc)
{
	free(ipc->arg);
}

/* Its jobs' results so far are kept; of the rest it depends on how much of the body it had. */
void
dispatch_deliver_closed(struct ipc *ipc, int err)
{
	struct deliver_peer *p = ipc->arg;
	struct queue *q = p->q;
	struct job *job, *tmp;

	if (err != E_CLOSED || p->njobs != 0)
		log_warn("deliver[%u]: channel ended: %s, %u jobs open", ipc->instance, err_name(err),
		    p->njobs);
	DL_DELETE(q->delivers, p);
	verify_gone(q->verify, p->serial, uv_now(&q->room.loop));
	control_tls_gone(q, p->serial);
	HASH_ITER(hh, q->jobs, job, tmp)
		if (job->peer == p)
			job_close(q, job, job->whole ? OUT_UNSURE : OUT_TEMPFAIL,
			    job->whole ? "the delivery process ended before it told the outcome" :
			    "the delivery process ended", 0, NULL);
	ipc_close(&p->ipc, free_peer);
	dispatch_gate(q);
	dispatch_run(q);
}

static void
send_ack(struct deliver_peer *p, uint64_t job)
{
	struct ipc_job_id m = { .job = job };

	(void)ipc_send(&p->ipc, JOB_ACK, job_id, &m);
}

void
queue_ack(struct queue *q, uint64_t serial, uint64_t job)
{
	struct deliver_peer *p;

	DL_FOREACH(q->delivers, p) {
		if (p->serial != serial)
			continue;
		send_ack(p, job);
		if (p->held-- == JOBS_HELD_MAX) {	/* it takes jobs again */
			sched_wake(q->sched);
			queue_work(q);
		}
		return;
	}
}
