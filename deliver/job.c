/*
 * job.c -- see job.h.  Shell (memory, log and the report; no socket and no file).
 */
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "deliver/job.h"

#define SPARE_MAX	64	/* ended jobs kept for their memory */

static struct job **
job_slot(struct deliver *d, uint64_t id)
{
	struct job **j;

	/* queue counts its jobs up, so the low bits spread well. */
	for (j = &d->bucket[id % JOB_BUCKETS]; *j != NULL && (*j)->id != id; j = &(*j)->hash_next)
		continue;
	return (j);
}

struct job *
job_find(struct deliver *d, uint64_t id)
{
	return (*job_slot(d, id));
}

static struct job *
job_take_spare(struct deliver *d)
{
	struct job *j = d->spare;
	struct arena mem;

	if (j != NULL) {
		d->spare = j->hash_next;
		d->nspare--;
		mem = j->mem;
		arena_reset(&mem);
	} else {
		if ((j = malloc(sizeof(*j))) == NULL)
			return (NULL);
		arena_init(&mem, JOB_MEMORY);
	}
	/* The record of the dialogue is set up on its own: it is most of the size. */
	memset(j, 0, offsetof(struct job, dialogue));
	memset(&j->reached, 0, sizeof(*j) - offsetof(struct job, reached));
	j->mem = mem;
	return (j);
}

static struct job *
job_make(struct deliver *d, const struct ipc_job_begin *b, int probe)
{
	struct job *j;

	if ((j = job_take_spare(d)) == NULL)
		return (NULL);
	j->d = d;
	j->id = b->job;
	j->msgid = b->msgid;
	j->body_len = b->body_len;
	j->arrival = b->arrival;
	j->attempt = b->attempt;
	j->hop = b->hop;
	j->port = b->port;
	j->nrcpt = b->nrcpt;
	j->nopen = b->nrcpt;
	j->granted = JOB_WINDOW;
	j->all_perm = 1;
	j->start_ms = deliver_now(d);
	j->host = arena_strdup(&j->mem, slice_str(b->host));
	j->path = arena_strdup(&j->mem, slice_str(b->path));
	j->implicit = b->implicit;
	j->login = arena_strdup(&j->mem, slice_str(b->login));
	j->mail.sender = arena_strdup(&j->mem, slice_str(b->sender));
	j->mail.envid = arena_strdup(&j->mem, slice_str(b->envid));
	j->index = arena_alloc(&j->mem, b->nrcpt * sizeof(j->index[0]));
	j->rcpt = arena_alloc(&j->mem, b->nrcpt * sizeof(j->rcpt[0]));
	j->out = arena_alloc(&j->mem, b->nrcpt * sizeof(j->out[0]));
	dialogue_init(&j->dialogue, j->start_ms);
	TAILQ_INSERT_TAIL(&d->jobs, j, all);
	d->njobs++;
	j->probe = probe;
	if (probe)
		d->nprobes++;
	else {
		*job_slot(d, j->id) = j;
		d->nheld++;
		d->count[COUNT_JOBS]++;
	}
	if (j->host == NULL || j->path == NULL || j->login == NULL || j->mail.sender == NULL || j->mail.envid == NULL ||
	    j->index == NULL || j->rcpt == NULL || j->out == NULL) {
		job_free(j);
		return (NULL);
	}
	j->mail.size = j->body_len;
	j->mail.body = b->body;
	j->mail.header8 = b->header8;
	j->mail.utf8 = b->utf8;
	j->mail.ret = b->ret;
	j->mail.by_mode = b->by_mode;
	j->mail.by_trace = b->by_trace;
	j->mail.prioritized = b->prioritized;
	j->mail.priority = b->priority;
	j->by_time = b->by_time;
	j->mail.rcpt = j->rcpt;
	j->mail.nrcpt = j->nrcpt;
	return (j);
}

struct job *
job_new(struct deliver *d, const struct ipc_job_begin *b)
{
	return (job_make(d, b, 0));
}

/* A job of one recipient without a message. */
struct job *
job_new_probe(struct deliver *d, const struct ipc_probe *p)
{
	/* There is no later attempt at a question, so in clear is for this one, where that is left open. */
	struct ipc_job_begin b = { .job = p->id, .hop = p->hop, .port = p->port, .implicit = p->implicit, .nrcpt = 1,
	    .attempt = 1 };
	struct job *j;

	if (slice_copy(slice_str(p->host), b.host, sizeof(b.host)) != E_OK ||
	    slice_copy(slice_str(p->login), b.login, sizeof(b.login)) != E_OK ||
	    (j = job_make(d, &b, 1)) == NULL)
		return (NULL);
	j->mail.probe = 1;
	j->probe_ms = p->timeout_ms;
	if ((j->rcpt[0].address = arena_strdup(&j->mem, slice_str(p->address))) == NULL) {
		job_free(j);
		return (NULL);
	}
	j->have = 1;
	return (j);
}

static void
job_free_body(struct job *j)
{
	struct body_part *p;

	while ((p = j->part) != NULL) {
		j->part = p->next;
		free(p);
	}
	j->part_last = j->at = NULL;
}

void
job_free(struct job *j)
{
	struct deliver *d = j->d;
	struct job **slot;

	TAILQ_REMOVE(&d->jobs, j, all);
	if (j->state != JOB_OVER)
		d->njobs--;
	if (j->probe)
		d->nprobes--;
	else {
		slot = job_slot(d, j->id);
		*slot = j->hash_next;
		d->nheld--;
	}
	job_free_body(j);
	if (d->nspare == SPARE_MAX) {
		arena_clear(&j->mem);
		free(j);
		return;
	}
	j->hash_next = d->spare;
	d->spare = j;
	d->nspare++;
}

void
job_spend(struct job *j)
{
	TAILQ_INSERT_TAIL(&j->d->spent, j, link);
	deliver_tick_on(j->d);
}

void
job_sweep(struct deliver *d)
{
	struct job *j;

	while ((j = TAILQ_FIRST(&d->spent)) != NULL) {
		TAILQ_REMOVE(&d->spent, j, link);
		job_free(j);
	}
}

int
job_add_rcpt(struct job *j, const struct ipc_job_rcpt *r)
{
	char *address;

	if (j->state != JOB_RCPTS || j->have == j->nrcpt)
		return (E_PROTO);
	if ((address = arena_strdup(&j->mem, slice_str(r->address))) == NULL)
		return (E_NOMEM);
	j->index[j->have] = r->index;
	j->rcpt[j->have].address = address;
	j->rcpt[j->have].notify = r->notify;
	if (r->orcpt[0] != '\0' &&
	    (j->rcpt[j->have].orcpt = arena_strdup(&j->mem, slice_str(r->orcpt))) == NULL)
		return (E_NOMEM);
	j->have++;
	return (E_OK);
}

/* ---- the body ---- */

int
job_add_body(struct job *j, struct slice data)
{
	struct body_part *p;
	uint64_t have;

	if (__builtin_add_overflow(j->body_have, data.n, &have) || have > j->body_len ||
	    have > j->granted)
		return (E_PROTO);
	if ((p = malloc(sizeof(*p) + data.n)) == NULL)
		return (E_NOMEM);
	p->next = NULL;
	p->len = data.n;
	memcpy(p->octets, data.p, data.n);
	if (j->part_last != NULL)
		j->part_last->next = p;
	else
		j->part = p;
	j->part_last = p;
	if (j->at == NULL) {
		j->at = p;
		j->at_off = 0;
	}
	j->body_have = have;
	return (E_OK);
}

int
job_body_is_whole(const struct job *j)
{
	return (j->body_have == j->body_len);
}

int
job_rewind(struct job *j)
{
	if (j->released)
		return (0);
	j->at = j->part;
	j->at_off = 0;
	j->body_done = 0;
	return (1);
}

void
job_grant(struct job *j)
{
	struct ipc_job_credit m;

	if (j->owed < CREDIT_STEP || j->granted >= j->body_len || j->d->queue == NULL)
		return;
	m.job = j->id;
	m.octets = j->owed;
	if (ipc_send(j->d->queue, JOB_CREDIT, job_credit, &m) != E_OK) {
		queue_owe(j->d);
		return;
	}
	j->granted += j->owed;
	j->owed = 0;
}

void
job_written(struct job *j, size_t n)
{
	struct body_part *p;

	j->body_done += n;
	if (j->body_len <= JOB_WINDOW)
		return;		/* all of it fits: kept for another host */
	while ((p = j->part) != NULL && p != j->at) {
		j->part = p->next;
		if (j->part == NULL)
			j->part_last = NULL;
		free(p);
		j->released = 1;
	}
	j->owed += (uint32_t)n;
	job_grant(j);
}

/* ---- outcomes ---- */

/* A copy in the job's arena; the same text often serves many recipients. */
static const char *
job_keep(struct job *j, const char *text, const char *last)
{
	const char *kept;

	if (last != NULL && strcmp(text, last) == 0)
		return (last);
	kept = arena_strdup(&j->mem, slice_str(text));
	return (kept != NULL ? kept : "");
}

void
job_result(struct job *j, const struct client_result *r, const char *relay)
{
	static const unsigned counter[OUTCOMES] = {
		[OUT_DELIVERED] = COUNT_DELIVERED, [OUT_TEMPFAIL] = COUNT_TEMPFAIL,
		[OUT_PERMFAIL] = COUNT_PERMFAIL, [OUT_UNSURE] = COUNT_UNSURE,
	};
	static const uint8_t default_class[OUTCOMES] = {
		[OUT_DELIVERED] = 2, [OUT_TEMPFAIL] = 4, [OUT_PERMFAIL] = 5, [OUT_UNSURE] = 4,
	};
	const struct job_out *last = NULL;
	struct job_out *o;

	if (r->rcpt >= j->nrcpt || j->out[r->rcpt].text != NULL)
		return;
	if (j->nopen < j->nrcpt && r->rcpt > 0 && j->out[r->rcpt - 1].text != NULL)
		last = &j->out[r->rcpt - 1];
	o = &j->out[r->rcpt];
	o->outcome = (uint8_t)r->outcome;
	o->stage = (uint8_t)r->stage;
	o->code = r->code;
	o->enhanced = r->enhanced;
	if (o->enhanced.cls == 0)		/* never 0.0.0 */
		o->enhanced.cls = default_class[r->outcome];
	o->retry_hint = r->retry_hint;
	o->handed = r->handed;
	o->by_passed = r->by_passed;
	o->delay_ms = (uint32_t)(deliver_now(j->d) - j->start_ms);
	o->text = job_keep(j, r->text, last != NULL ? last->text : NULL);
	o->relay = job_keep(j, relay, last != NULL ? last->relay : NULL);
	o->tls = job_keep(j, r->tls, last != NULL ? last->tls : NULL);
	j->rcpt[r->rcpt].done = 1;
	j->nopen--;
	if (!j->probe)
		j->d->count[counter[r->outcome]]++;
	log_delivery(j, (uint32_t)r->rcpt);
}

void
job_result_rest(struct job *j, const struct client_result *r, const char *relay)
{
	struct client_result one = *r;

	for (one.rcpt = 0; one.rcpt < j->nrcpt; one.rcpt++)
		job_result(j, &one, relay);
}

void
job_over(struct job *j)
{
	if (j->state == JOB_OVER)
		return;
	j->state = JOB_OVER;
	j->d->njobs--;
	job_free_body(j);
	queue_report(j);
}
