/*
 * queue.c -- the conversation with queue: jobs in, outcomes out, nothing forgotten before JOB_ACK.
 * Shell.
 *
 * When queue dies, jobs whose body is wholly here go on, the others are dropped before their
 * final dot; reports wait.  A new channel begins with JOB_RUNNING for what is still at work, then
 * the reports that were not acknowledged, then JOB_SYNC; only then does queue send jobs (design.md
 * 3).
 */
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "deliver/job.h"
#include "deliver/trial.h"

static int	on_message(struct ipc *, enum ipc_type, struct rd *, int);
static void	on_closed(struct ipc *, int);
static void	on_drained(struct ipc *);

static const struct ipc_ops queue_ops = { on_message, on_closed, on_drained };

/* ---- reports ---- */

static int
send_results(struct ipc *ch, struct job *j)
{
	struct ipc_job_result m;
	int err;

	/* A result is said once on a channel: queue takes a second word for a broken peer. */
	for (uint32_t i = j->said; i < j->nrcpt; i++) {
		const struct job_out *o = &j->out[i];

		m.job = j->id;
		m.msgid = j->msgid;
		m.index = j->index[i];
		m.outcome = o->outcome;
		m.code = o->code;
		m.enhanced = o->enhanced;
		m.delay_ms = o->delay_ms;
		m.retry_hint = o->retry_hint;
		m.stage = o->stage;
		m.handed = o->handed;
		m.by_passed = o->by_passed;
		if (slice_copy(slice_str(o->relay), m.relay, sizeof(m.relay)) != E_OK)
			m.relay[0] = '\0';
		if (slice_copy(slice_str(o->tls), m.tls, sizeof(m.tls)) != E_OK)
			m.tls[0] = '\0';
		if (slice_copy(slice_str(o->text), m.text, sizeof(m.text)) != E_OK)
			m.text[0] = '\0';
		if ((err = ipc_send(ch, JOB_RESULT, job_result, &m)) != E_OK)
			return (err);
		j->said = i + 1;
	}
	return (E_OK);
}

static int
send_done(struct ipc *ch, struct job *j)
{
	struct ipc_job_done m = { 0 };
	char text[DIALOGUE_MAX];
	int plain = 1;

	for (uint32_t i = 0; i < j->nrcpt; i++)
		plain &= j->out[i].outcome == OUT_DELIVERED;
	m.job = j->id;
	m.msgid = j->msgid;
	m.reached = j->reached;
	m.provider = j->provider;
	m.dialogue = slice_make(text, plain ? 0 : dialogue_text(&j->dialogue, text));
	return (ipc_send(ch, JOB_DONE, job_done, &m));
}

static int
send_probed(struct ipc *ch, const struct job *j)
{
	const struct job_out *o = &j->out[0];
	struct ipc_probe_result m;

	m.id = j->id;
	m.outcome = o->outcome;
	m.code = o->code;
	m.enhanced = o->enhanced;
	/* Only what was said of the recipient itself counts for it; 421 says something of the host. */
	if (o->stage != STAGE_RCPT || o->code == 421 || m.outcome == OUT_UNSURE) {
		m.outcome = OUT_TEMPFAIL;
		m.code = 0;
		m.enhanced.cls = 4;
	}
	if (slice_copy(slice_str(o->relay), m.relay, sizeof(m.relay)) != E_OK)
		m.relay[0] = '\0';
	if (slice_copy(slice_str(o->text), m.text, sizeof(m.text)) != E_OK)
		m.text[0] = '\0';
	return (ipc_send(ch, PROBE_RESULT, probe_result, &m));
}

/* An answer that queue has, or that nobody waits for, is no longer needed. */
static void
report_probe(struct job *j)
{
	int err = j->d->queue != NULL ? send_probed(j->d->queue, j) : E_OK;

	if (err != E_OK && err != E_CLOSED) {
		queue_owe(j->d);
		return;
	}
	j->sent = 1;
	job_spend(j);
}

void
queue_report(struct job *j)
{
	struct ipc *ch = j->d->queue;
	int err;

	if (j->probe) {
		if (!j->sent)
			report_probe(j);
		return;
	}
	if (ch == NULL || j->sent)
		return;
	if ((err = send_results(ch, j)) == E_OK && (err = send_done(ch, j)) == E_OK) {
		j->sent = 1;
		return;
	}
	if (err != E_LIMIT && err != E_CLOSED)
		log_warn("report to queue: %s", err_name(err));
	queue_owe(j->d);
}

void
queue_owe(struct deliver *d)
{
	d->owing = 1;
	deliver_tick_on(d);
}

static int
say_running(struct ipc *ch, struct job *j)
{
	struct ipc_job_running m;
	int err;

	m.job = j->id;
	m.msgid = j->msgid;
	m.nrcpt = (uint16_t)j->nrcpt;
	memcpy(m.index, j->index, j->nrcpt * sizeof(m.index[0]));
	if ((err = ipc_send(ch, JOB_RUNNING, job_running, &m)) == E_OK)
		j->announced = 1;
	return (err);
}

/*
 * All that is at work here and all reports come before JOB_SYNC, however often the channel has to
 * drain for that: what queue does not know of by then it would hand out a second time.
 */
void
queue_resume(struct deliver *d)
{
	struct ipc_empty none = { 0 };
	struct ipc *ch = d->queue;
	struct job *j;

	d->owing = 0;
	if (ch == NULL)
		return;
	TAILQ_FOREACH(j, &d->jobs, all) {
		if (j->state == JOB_OVER)
			queue_report(j);
		else if (j->probe)
			continue;
		else if (d->sync_owed && !j->announced && !j->aborted) {
			if (say_running(ch, j) != E_OK)
				queue_owe(d);
		} else
			job_grant(j);
		if (d->owing)
			return;
	}
	if (d->sync_owed) {
		if (ipc_send(ch, JOB_SYNC, empty, &none) == E_OK)
			d->sync_owed = 0;
		else
			queue_owe(d);
	}
	if (d->stop_owed && !d->owing) {
		if (ipc_send(ch, JOB_STOP, empty, &none) == E_OK)
			d->stop_owed = 0;
		else
			queue_owe(d);
	}
}

void
queue_stop(struct deliver *d)
{
	d->stop_owed = 1;
	d->stopped = 0;
	queue_resume(d);
}

static void
on_drained(struct ipc *ch)
{
	queue_resume(ch->arg);
}

/* ---- the channel ---- */

void
queue_channel(struct deliver *d, const struct ipc_channel *c, int fd)
{
	struct job *j;

	deliver_channel(d, &d->queue, c, fd, &queue_ops);
	TAILQ_FOREACH(j, &d->jobs, all) {
		if (j->probe)		/* none is open: they ended with the channel */
			continue;
		j->said = 0;
		j->sent = j->announced = 0;
	}
	d->sync_owed = 1;
	d->stop_owed = d->stopping;
	d->stopped = 0;
	queue_resume(d);
}

/* Who asked has gone. */
static void
forget_probe(struct job *j)
{
	if (j->state == JOB_OVER) {
		if (!j->sent)
			job_spend(j);
		j->sent = 1;
	} else if (j->d->role->abort(j))
		job_free(j);
}

static void
on_closed(struct ipc *ch, int err)
{
	struct deliver *d = ch->arg;
	struct job *j, *next;
	size_t dropped = 0;

	deliver_channel_over(&d->queue, ch);
	trial_stop(d, NULL);
	for (j = TAILQ_FIRST(&d->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, all);
		if (j->probe) {
			forget_probe(j);
			continue;
		}
		if (j->state == JOB_OVER || j->aborted ||
		    (j->state != JOB_RCPTS && job_body_is_whole(j)))
			continue;
		dropped++;
		if (j->state == JOB_RCPTS || d->role->abort(j))
			job_free(j);
	}
	if (!d->stopping)
		log_warn("queue has gone (%s): %zu jobs go on, %zu were incomplete and dropped, "
			 "%zu reports wait",
		    err_name(err), d->njobs, dropped, d->nheld - d->njobs);
}

/* ---- messages ---- */

static int
job_begin(struct deliver *d, struct rd *r)
{
	struct ipc_job_begin m;

	if (ipc_unpack_job_begin(r, &m) != E_OK || job_find(d, m.job) != NULL)
		return (E_PROTO);
	if (d->nheld >= JOBS_MAX) {
		log_warn("queue sent more than %u jobs", JOBS_MAX);
		return (E_PROTO);
	}
	if (job_new(d, &m) == NULL) {
		/* Closing the channel makes queue begin again when there is memory. */
		log_warn("out of memory for a job");
		return (E_PROTO);
	}
	deliver_tick_on(d);
	return (E_OK);
}

static void
stopping_result(struct job *j)
{
	struct client_result r = {.outcome = OUT_TEMPFAIL,
	    .stage = STAGE_ROUTE,
	    .enhanced = {4, 3, 2},
	    .retry_hint = RETRY_AT_ONCE,
	    .text = "this server is stopping"};

	j->reached = REACHED_UNKNOWN;
	job_result_rest(j, &r, "");
	job_over(j);
}

static int
job_rcpt(struct deliver *d, struct rd *r)
{
	struct ipc_job_rcpt m;
	struct job *j;

	if (ipc_unpack_job_rcpt(r, &m) != E_OK || (j = job_find(d, m.job)) == NULL ||
	    job_add_rcpt(j, &m) != E_OK)
		return (E_PROTO);
	if (j->have < j->nrcpt)
		return (E_OK);
	if (d->stopping)
		stopping_result(j);
	else
		d->role->begin(j);
	return (E_OK);
}

static int
job_body(struct deliver *d, struct rd *r)
{
	struct ipc_job_body m;
	struct job *j;

	if (ipc_unpack_job_body(r, &m) != E_OK)
		return (E_PROTO);
	j = job_find(d, m.job);
	if (j == NULL || j->state == JOB_OVER || j->aborted)
		return (E_OK);		/* ended while these octets were under way */
	if (j->state == JOB_RCPTS || job_add_body(j, m.data) != E_OK)
		return (E_PROTO);
	d->role->body(j);
	return (E_OK);
}

static int
job_cancel(struct deliver *d, struct rd *r)
{
	struct ipc_job_id m;
	struct job *j;

	if (ipc_unpack_job_id(r, &m) != E_OK)
		return (E_PROTO);
	j = job_find(d, m.job);
	/* With its whole body here it may be delivered already: it goes on and reports. */
	if (j == NULL || j->state == JOB_OVER || j->aborted ||
	    (j->state != JOB_RCPTS && job_body_is_whole(j)))
		return (E_OK);
	if (j->state == JOB_RCPTS || d->role->abort(j))
		job_free(j);
	return (E_OK);
}

static int
job_ack(struct deliver *d, struct rd *r)
{
	struct ipc_job_id m;
	struct job *j;

	if (ipc_unpack_job_id(r, &m) != E_OK)
		return (E_PROTO);
	j = job_find(d, m.job);
	if (j == NULL)
		return (E_OK);
	if (j->state != JOB_OVER)
		return (E_PROTO);
	job_free(j);
	return (E_OK);
}

/* Whatever queue sent has been read. */
static int
job_stopped(struct deliver *d, struct rd *r)
{
	struct ipc_empty m;

	if (ipc_unpack_empty(r, &m) != E_OK || !d->stopping || d->stop_owed || d->stopped)
		return (E_PROTO);
	d->stopped = 1;
	return (E_OK);
}

static void
probe_refuse(struct deliver *d, uint64_t id)
{
	struct ipc_probe_result m = {.id = id, .outcome = OUT_TEMPFAIL, .enhanced = {4, 3, 2},
	    .text = "too many questions about recipients"};

	/* Unsaid, it is as if it had been asked for too long. */
	(void)ipc_send(d->queue, PROBE_RESULT, probe_result, &m);
}

static int
probe(struct deliver *d, struct rd *r)
{
	struct ipc_probe m;
	struct job *j;

	if (ipc_unpack_probe(r, &m) != E_OK)
		return (E_PROTO);
	if (d->nprobes >= PROBES_MAX || d->stopping || (j = job_new_probe(d, &m)) == NULL)
		probe_refuse(d, m.id);
	else {
		deliver_tick_on(d);
		d->role->begin(j);
	}
	return (E_OK);
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct deliver *d = ch->arg;

	switch (type) {
	case IPC_JOB_BEGIN:
		return (job_begin(d, r));
	case IPC_JOB_RCPT:
		return (job_rcpt(d, r));
	case IPC_JOB_BODY:
		return (job_body(d, r));
	case IPC_JOB_CANCEL:
		return (job_cancel(d, r));
	case IPC_JOB_STOPPED:
		return (job_stopped(d, r));
	case IPC_JOB_ACK:
		return (job_ack(d, r));
	case IPC_PROBE:
		return (probe(d, r));
	case IPC_TRY_TLS:
		return (trial_begin(d, r));
	default:
		return (E_PROTO);
	}
}
