/*
 * queue_test.c -- deliver's side of the conversation with queue, against a queue of ours at the other
 * end of a real channel and a role that does what it is told: credit, cancelled and incomplete
 * jobs, reports until JOB_ACK, and what a new channel begins with (design.md 3, G3).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/ipc.h"
#include "deliver/job.h"
#include "deliver/main.h"

/* ---- the role ---- */

#define PIECE	4000		/* octets of one JOB_BODY */

static unsigned	begun, bodies, aborted;

static void	role_begin(struct job *j) { begun++; j->state = JOB_WAIT; }
static void	role_body(struct job *j) { bodies++; }
static int	role_abort(struct job *j) { aborted++; return (1); }
static void	role_tick(struct deliver *d, uint64_t now_ms) { }
static void	role_nothing(struct deliver *d) { }
static void	role_conf(struct deliver *d, const struct conf *old) { }
static int	role_busy(const struct deliver *d) { return (0); }

static const struct role_ops role = { role_begin, role_body, role_abort, role_tick, role_nothing,
	role_conf, role_busy };

static struct deliver *d;

static void
finish(uint64_t id, const char *text)
{
	struct client_result r = { .outcome = OUT_TEMPFAIL, .stage = STAGE_RCPT, .code = 450 };
	struct job *j = job_find(d, id);

	assert_non_null(j);
	(void)snprintf(r.text, sizeof(r.text), "%s", text);
	job_result_rest(j, &r, "hop");
	job_over(j);
}

/* ---- queue ---- */

struct fake {
	struct ipc	 ipc;		/* first */
	int		 closed, shut;
	unsigned	 nresult, ndone, nrunning, nsync, nstop;
	struct ipc_job_result last;
	uint64_t	 credit;
	unsigned	 bad;		/* something came after JOB_SYNC that belongs before it, or twice */
	uint64_t	 last_running;
	unsigned	 nprobed;
	struct ipc_probe_result probed;		/* the latest */
	uint8_t		 seen[512][JOB_RCPT_MAX];
};

static int
fake_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct fake *f = ch->arg;
	struct ipc_job_result res;
	struct ipc_job_running run;
	struct ipc_job_credit credit;

	switch (type) {
	case IPC_JOB_RESULT:
		assert_int_equal(ipc_unpack_job_result(r, &res), E_OK);
		f->bad += f->seen[res.job % 512][res.index]++ != 0;
		f->nresult++;
		f->last = res;
		break;
	case IPC_JOB_STOP:
		f->nstop++;
		break;
	case IPC_JOB_DONE:
		f->ndone++;
		break;
	case IPC_JOB_RUNNING:
		assert_int_equal(ipc_unpack_job_running(r, &run), E_OK);
		f->last_running = run.job;
		f->bad += f->nsync != 0;
		f->nrunning++;
		break;
	case IPC_JOB_CREDIT:
		assert_int_equal(ipc_unpack_job_credit(r, &credit), E_OK);
		f->credit += credit.octets;
		break;
	case IPC_JOB_SYNC:
		f->nsync++;
		break;
	case IPC_PROBE_RESULT:
		assert_int_equal(ipc_unpack_probe_result(r, &f->probed), E_OK);
		f->nprobed++;
		break;
	default:
		fail_msg("message %s", ipc_type_name(type));
	}
	return (E_OK);
}

static void
fake_closed(struct ipc *ch, int err)
{
	((struct fake *)ch->arg)->closed = 1;
}

static const struct ipc_ops fake_ops = { fake_message, fake_closed, NULL };

static void
turns(unsigned n)
{
	while (n-- > 0) {
		ipc_flush_all();
		uv_run(&d->room.loop, UV_RUN_NOWAIT);
	}
}

static struct fake *
connect_queue(void)
{
	struct ipc_channel c = { .room = ROOM_QUEUE };
	struct fake *f = calloc(1, sizeof(*f));
	int fds[2];

	assert_non_null(f);
	assert_int_equal(ipc_pair(fds), E_OK);
	assert_int_equal(ipc_open(&f->ipc, &d->room.loop, fds[1], ROOM_QUEUE, ROOM_DELIVER, &fake_ops, f), E_OK);
	queue_channel(d, &c, fds[0]);
	return (f);
}

static void
fake_free(struct ipc *ch)
{
	free(ch);
}

static void
hang_up(struct fake *f)
{
	ipc_close(&f->ipc, fake_free);
	turns(4);
}

static void
give(struct fake *f, uint64_t id, uint16_t nrcpt, uint64_t body_len)
{
	struct ipc_job_begin b = { .job = id, .msgid = id + 1000, .body_len = body_len, .hop = HOP_SMTP,
		.port = 25, .nrcpt = nrcpt, .host = "127.0.0.1" };
	struct ipc_job_rcpt r = { .job = id };

	assert_int_equal(ipc_send(&f->ipc, JOB_BEGIN, job_begin, &b), E_OK);
	for (r.index = 0; r.index < nrcpt; r.index++) {
		(void)snprintf(r.address, sizeof(r.address), "x%u@dest.example", r.index);
		assert_int_equal(ipc_send(&f->ipc, JOB_RCPT, job_rcpt, &r), E_OK);
	}
}

static void
give_body(struct fake *f, uint64_t id, size_t n)
{
	static char octets[PIECE];
	struct ipc_job_body b = { .job = id };

	for (; n != 0; n -= b.data.n) {
		b.data = slice_make(octets, n < sizeof(octets) ? n : sizeof(octets));
		assert_int_equal(ipc_send(&f->ipc, JOB_BODY, job_body, &b), E_OK);
	}
}

static void
ask(struct fake *f, uint64_t id)
{
	struct ipc_probe m = { .id = id, .hop = HOP_SMTP, .port = 25, .timeout_ms = 5000, .host = "127.0.0.1",
		.address = "x@dest.example" };

	assert_int_equal(ipc_send(&f->ipc, PROBE, probe, &m), E_OK);
}

/* The oldest probe at work. */
static struct job *
open_probe(void)
{
	struct job *j;

	TAILQ_FOREACH(j, &d->jobs, all) {
		if (j->probe && j->state != JOB_OVER)
			return (j);
	}
	return (NULL);
}

static void
answer(struct job *j, enum outcome outcome, enum stage stage, uint16_t code)
{
	struct client_result r = { .outcome = outcome, .stage = stage, .code = code, .text = "said so" };

	assert_non_null(j);
	job_result(j, &r, "hop[127.0.0.1]:25");
	job_over(j);
}

static void
ack(struct fake *f, uint64_t id)
{
	struct ipc_job_id m = { .job = id };

	assert_int_equal(ipc_send(&f->ipc, JOB_ACK, job_id, &m), E_OK);
}

static int
setup(void **state)
{
	begun = bodies = aborted = 0;
	assert_non_null(d = calloc(1, sizeof(*d)));
	assert_int_equal(uv_loop_init(&d->room.loop), 0);
	d->role = &role;
	deliver_init(d);
	return (0);
}

static int
teardown(void **state)
{
	struct job *j;

	job_sweep(d);
	while ((j = TAILQ_FIRST(&d->jobs)) != NULL)
		job_free(j);
	while ((j = d->spare) != NULL) {
		d->spare = j->hash_next;
		arena_clear(&j->mem);
		free(j);
	}
	uv_close((uv_handle_t *)&d->tick, NULL);
	turns(4);
	assert_int_equal(uv_loop_close(&d->room.loop), 0);
	free(d);
	return (0);
}

/* ---- tests ---- */

static void
reports_until_ack(void **state)
{
	struct fake *f = connect_queue();
	int round;

	turns(2);
	assert_int_equal(f->nsync, 1);
	give(f, 1, 3, 10);
	give_body(f, 1, 10);
	turns(3);
	assert_int_equal(begun, 1);
	finish(1, "later");
	for (round = 0; round < 3; round++) {	/* on each new channel again, and before JOB_SYNC */
		turns(3);
		assert_int_equal(f->nresult, 3);
		assert_int_equal(f->ndone, 1);
		assert_int_equal(f->nsync, 1);
		assert_int_equal(f->bad, 0);
		hang_up(f);
		f = connect_queue();
	}
	turns(3);
	assert_int_equal(d->nheld, 1);
	ack(f, 1);
	turns(3);
	assert_int_equal(d->nheld, 0);
	ack(f, 1);			/* of a job that is gone: no harm */
	turns(3);
	assert_false(f->closed);
	hang_up(f);
}

static void
what_a_new_channel_begins_with(void **state)
{
	struct fake *f = connect_queue();

	give(f, 1, 1, 10);		/* whole: goes on */
	give_body(f, 1, 10);
	give(f, 2, 1, 10);		/* incomplete: dropped, nobody can have it */
	give_body(f, 2, 5);
	give(f, 3, 1, 10);		/* over, not acknowledged */
	give_body(f, 3, 10);
	turns(3);
	finish(3, "later");
	turns(3);
	hang_up(f);
	assert_int_equal(aborted, 1);
	assert_null(job_find(d, 2));
	f = connect_queue();
	turns(3);
	assert_int_equal(f->nrunning, 1);
	assert_int_equal(f->last_running, 1);
	assert_int_equal(f->nresult, 1);
	assert_int_equal(f->nsync, 1);
	assert_int_equal(f->bad, 0);
	finish(1, "later");		/* now it is said as of any other */
	turns(3);
	assert_int_equal(f->nresult, 2);
	assert_int_equal(f->ndone, 2);
	hang_up(f);
}

/* What is in the channel when it has to leave is handed back at once, and read before it goes. */
static void
leaves_nothing_unread(void **state)
{
	struct fake *f = connect_queue();
	struct ipc_empty none = { 0 };

	give(f, 1, 1, 10);
	give_body(f, 1, 10);
	turns(3);
	give(f, 2, 1, 10);
	give_body(f, 2, 10);
	d->room.arg = d;
	deliver_room_ops.stop(&d->room, 5000);
	turns(3);
	assert_int_equal(f->nstop, 1);
	assert_int_equal(begun, 1);
	assert_int_equal(f->ndone, 1);
	assert_int_equal(f->last.job, 2);
	assert_int_equal(f->last.outcome, OUT_TEMPFAIL);
	assert_int_equal(f->last.retry_hint, RETRY_AT_ONCE);
	finish(1, "later");
	ack(f, 1);
	ack(f, 2);
	turns(3);
	assert_int_equal(d->nheld, 0);
	assert_false(d->stopped);		/* another may be on its way */
	give(f, 3, 1, 0);
	assert_int_equal(ipc_send(&f->ipc, JOB_STOPPED, empty, &none), E_OK);
	turns(3);
	assert_int_equal(f->last.job, 3);
	assert_true(d->stopped);
	assert_false(f->closed);
	hang_up(f);
	f = connect_queue();			/* a new queue is told again */
	turns(3);
	assert_int_equal(f->nsync, 1);
	assert_int_equal(f->nstop, 1);
	assert_false(d->stopped);
	hang_up(f);
}

static void
stopped_without_being_asked(void **state)
{
	struct fake *f = connect_queue();
	struct ipc_empty none = { 0 };

	turns(3);
	assert_int_equal(ipc_send(&f->ipc, JOB_STOPPED, empty, &none), E_OK);
	turns(3);
	assert_true(f->closed);
	ipc_close(&f->ipc, fake_free);
	turns(4);
}

/* More to say than the channel holds: each result once, and JOB_SYNC behind all of them. */
static void
more_reports_than_the_channel_holds(void **state)
{
	enum { JOBS = 250 };
	struct fake *f = connect_queue();
	char text[REPLY_TEXT_MAX];
	unsigned i, n;

	memset(text, 'w', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (i = 1; i <= JOBS; i++) {
		give(f, i, JOB_RCPT_MAX, 0);
		turns(2);
	}
	assert_int_equal(begun, JOBS);
	hang_up(f);
	for (i = 1; i < JOBS; i++)
		finish(i, text);
	f = connect_queue();
	assert_true(d->owing);		/* else this test has too little to say */
	for (n = 0; f->nsync == 0 && n < 20000; n++) {
		turns(1);
		assert_true(f->nsync == 0 || f->nresult == (JOBS - 1) * JOB_RCPT_MAX);
	}
	assert_int_equal(f->nresult, (JOBS - 1) * JOB_RCPT_MAX);
	assert_int_equal(f->ndone, JOBS - 1);
	assert_int_equal(f->nrunning, 1);
	assert_int_equal(f->nsync, 1);
	assert_int_equal(f->bad, 0);
	assert_false(f->closed);
	hang_up(f);
}

static void
credit(void **state)
{
	struct fake *f = connect_queue();
	struct job *j;
	size_t n;

	give(f, 1, 1, 3 * JOB_WINDOW);
	give_body(f, 1, JOB_WINDOW);
	turns(20);
	assert_non_null(j = job_find(d, 1));
	assert_int_equal(j->body_have, JOB_WINDOW);
	assert_int_equal(f->credit, 0);		/* nothing was written yet */
	n = j->at->len;
	j->at = j->at->next;
	job_written(j, n);
	turns(2);
	assert_int_equal(f->credit, 0);		/* not worth a frame */
	while (j->at != NULL) {
		n = j->at->len;
		j->at = j->at->next;
		job_written(j, n);
	}
	turns(2);
	assert_in_range(f->credit, JOB_WINDOW - CREDIT_STEP, JOB_WINDOW);
	assert_false(job_rewind(j));		/* its beginning is gone */
	give_body(f, 1, f->credit);
	turns(20);
	assert_false(f->closed);
	give_body(f, 1, CREDIT_STEP + 1);	/* more than was granted */
	turns(20);
	assert_true(f->closed);
	assert_null(job_find(d, 1));
	ipc_close(&f->ipc, fake_free);
	turns(4);
}

static void
cancel(void **state)
{
	struct fake *f = connect_queue();
	struct ipc_job_id m = { .job = 1 };

	give(f, 1, 1, 10);
	give_body(f, 1, 9);
	give(f, 2, 1, 10);
	give_body(f, 2, 10);
	turns(3);
	assert_int_equal(ipc_send(&f->ipc, JOB_CANCEL, job_id, &m), E_OK);
	m.job = 2;
	assert_int_equal(ipc_send(&f->ipc, JOB_CANCEL, job_id, &m), E_OK);
	m.job = 3;			/* nobody's */
	assert_int_equal(ipc_send(&f->ipc, JOB_CANCEL, job_id, &m), E_OK);
	turns(3);
	assert_null(job_find(d, 1));	/* without a word */
	assert_int_equal(f->ndone, 0);
	finish(2, "later");		/* its body was whole: it may be delivered, so it reports */
	turns(3);
	assert_int_equal(f->ndone, 1);
	assert_false(f->closed);
	hang_up(f);
}

static void
acknowledged_too_early(void **state)
{
	struct fake *f = connect_queue();

	give(f, 1, 1, 10);
	give_body(f, 1, 10);
	turns(3);
	ack(f, 1);
	turns(3);
	assert_true(f->closed);
	assert_non_null(job_find(d, 1));	/* it goes on */
	ipc_close(&f->ipc, fake_free);
	turns(4);
}

static void
probes(void **state)
{
	static const struct { enum outcome outcome; enum stage stage; uint16_t code; enum outcome said; uint8_t cls; uint16_t say; } cases[] = {
		{ OUT_DELIVERED, STAGE_RCPT, 250, OUT_DELIVERED, 2, 250 },
		{ OUT_PERMFAIL, STAGE_RCPT, 550, OUT_PERMFAIL, 5, 550 },
		{ OUT_TEMPFAIL, STAGE_RCPT, 450, OUT_TEMPFAIL, 4, 450 },
		/* Nothing of these speaks of the recipient. */
		{ OUT_TEMPFAIL, STAGE_RCPT, 421, OUT_TEMPFAIL, 4, 0 },
		{ OUT_TEMPFAIL, STAGE_MAIL, 450, OUT_TEMPFAIL, 4, 0 },
		{ OUT_PERMFAIL, STAGE_MAIL, 550, OUT_TEMPFAIL, 4, 0 },
		{ OUT_PERMFAIL, STAGE_GREETING, 554, OUT_TEMPFAIL, 4, 0 },
		{ OUT_PERMFAIL, STAGE_DNS, 0, OUT_TEMPFAIL, 4, 0 },
		{ OUT_UNSURE, STAGE_RCPT, 0, OUT_TEMPFAIL, 4, 0 },
	};
	struct fake *f = connect_queue();
	struct job *j;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		give(f, 7, 1, 10);	/* the ids of jobs and of probes are two things */
		ask(f, 7);
		turns(3);
		assert_int_equal(begun, 2 * (i + 1));
		assert_int_equal(d->nprobes, 1);
		j = open_probe();
		assert_string_equal(j->rcpt[0].address, "x@dest.example");
		assert_true(j->mail.probe && j->mail.sender[0] == '\0' && job_find(d, 7) != j);
		answer(j, cases[i].outcome, cases[i].stage, cases[i].code);
		turns(3);
		assert_int_equal(f->nprobed, i + 1);
		assert_int_equal(f->probed.id, 7);
		assert_int_equal(f->probed.outcome, cases[i].said);
		assert_int_equal(f->probed.enhanced.cls, cases[i].cls);
		assert_int_equal(f->probed.code, cases[i].say);
		assert_string_equal(f->probed.text, "said so");
		job_sweep(d);
		assert_int_equal(d->nprobes, 0);
		finish(7, "later");
		ack(f, 7);
		turns(3);
		assert_int_equal(d->nheld, 0);
	}
	assert_int_equal(d->count[COUNT_JOBS], sizeof(cases) / sizeof(cases[0]));
	hang_up(f);
}

/* They end with the channel, answered or not, and say nothing on the next one. */
static void
probes_end_with_the_channel(void **state)
{
	struct fake *f = connect_queue();

	ask(f, 1);
	ask(f, 2);
	turns(3);
	assert_int_equal(d->nprobes, 2);
	answer(open_probe(), OUT_DELIVERED, STAGE_RCPT, 250);
	hang_up(f);
	assert_null(open_probe());
	assert_int_equal(aborted, 1);
	f = connect_queue();
	turns(3);
	assert_int_equal(f->nprobed, 0);
	assert_int_equal(f->nrunning, 0);
	assert_int_equal(f->nsync, 1);
	job_sweep(d);
	assert_int_equal(d->nprobes, 0);
	assert_int_equal(d->njobs, 0);
	hang_up(f);
}

static void
probes_limit(void **state)
{
	struct fake *f = connect_queue();

	for (uint64_t i = 1; i <= PROBES_MAX + 1; i++) {
		ask(f, i);
		turns(1);
		if (i >= PROBES_MAX - 1)
			turns(3);
		assert_int_equal(f->nprobed, i > PROBES_MAX);
	}
	assert_int_equal(f->probed.id, PROBES_MAX + 1);
	assert_int_equal(f->probed.outcome, OUT_TEMPFAIL);
	assert_int_equal(d->nprobes, PROBES_MAX);
	hang_up(f);
	assert_int_equal(d->nprobes, 0);
}

/* An answer that the channel has no room for comes when it has, once, and as what it is. */
static void
probes_behind_many_reports(void **state)
{
	enum { JOBS = 250, PROBES = 5 };
	struct fake *f = connect_queue();
	char text[REPLY_TEXT_MAX];
	unsigned i, n;

	memset(text, 'w', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (i = 1; i <= JOBS; i++) {
		give(f, i, JOB_RCPT_MAX, 0);
		turns(2);
	}
	for (i = 1; i <= PROBES; i++)
		ask(f, i);
	turns(3);
	assert_int_equal(begun, JOBS + PROBES);
	for (i = 1; i <= JOBS; i++)
		finish(i, text);
	assert_true(d->owing);		/* else this test has too little to say */
	for (i = 1; i <= PROBES; i++)
		answer(open_probe(), OUT_DELIVERED, STAGE_RCPT, 250);
	assert_null(open_probe());
	for (n = 0; (f->nprobed < PROBES || f->ndone < JOBS) && n < 20000; n++)
		turns(1);
	turns(10);
	assert_int_equal(f->nprobed, PROBES);
	assert_int_equal(f->nresult, JOBS * JOB_RCPT_MAX);
	assert_int_equal(f->ndone, JOBS);
	assert_int_equal(f->bad, 0);
	job_sweep(d);
	assert_int_equal(d->nprobes, 0);
	hang_up(f);
}

/* What a job says of its message and its recipients comes as it was sent. */
static void
fields_of_a_job(void **state)
{
	struct fake *f = connect_queue();
	struct ipc_job_begin b = { .job = 1, .msgid = 2, .body_len = 5, .hop = HOP_SMTP, .port = 25, .nrcpt = 2,
		.host = "127.0.0.1", .sender = "s@a.example", .body = BODY_BINARY, .header8 = 1, .utf8 = 1, .ret = RET_HDRS,
		.by_mode = BY_RETURN, .by_trace = 1, .prioritized = 1, .priority = -3, .by_time = 12345, .envid = "e" };
	struct ipc_job_rcpt r = { .job = 1, .notify = NOTIFY_SUCCESS, .address = "a@b", .orcpt = "rfc822;x@y" };
	const struct client_mail *m;
	struct job *j;

	assert_int_equal(ipc_send(&f->ipc, JOB_BEGIN, job_begin, &b), E_OK);
	assert_int_equal(ipc_send(&f->ipc, JOB_RCPT, job_rcpt, &r), E_OK);
	r = (struct ipc_job_rcpt){ .job = 1, .index = 1, .address = "c@d" };
	assert_int_equal(ipc_send(&f->ipc, JOB_RCPT, job_rcpt, &r), E_OK);
	turns(3);
	j = job_find(d, 1);
	assert_non_null(j);
	m = &j->mail;
	assert_true(m->body == BODY_BINARY && m->header8 && m->utf8 && m->ret == RET_HDRS && m->by_mode == BY_RETURN && m->by_trace &&
	    m->prioritized && m->priority == -3 && j->by_time == 12345 && m->size == 5 && !m->probe);
	assert_string_equal(m->envid, "e");
	assert_string_equal(m->rcpt[0].orcpt, "rfc822;x@y");
	assert_int_equal(m->rcpt[0].notify, NOTIFY_SUCCESS);
	assert_null(m->rcpt[1].orcpt);
	assert_int_equal(m->rcpt[1].notify, 0);
	hang_up(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reports_until_ack, setup, teardown),
		cmocka_unit_test_setup_teardown(probes, setup, teardown),
		cmocka_unit_test_setup_teardown(probes_end_with_the_channel, setup, teardown),
		cmocka_unit_test_setup_teardown(probes_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(probes_behind_many_reports, setup, teardown),
		cmocka_unit_test_setup_teardown(fields_of_a_job, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_new_channel_begins_with, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_nothing_unread, setup, teardown),
		cmocka_unit_test_setup_teardown(stopped_without_being_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(more_reports_than_the_channel_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(credit, setup, teardown),
		cmocka_unit_test_setup_teardown(cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(acknowledged_too_early, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
