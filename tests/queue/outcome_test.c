/*
 * outcome_test.c -- what becomes of recipients and which notices go with it, with a real store and a clock that is set
 * by the test: deadlines (RFC 2852), releases (RFC 4865), success and its notices (RFC 3461), owners.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/log.h"
#include "queue/outcome.h"
#include "queue/verify.h"
#include "tests/queue/store_kit.h"

#define T0	1795000000	/* kit_message()'s arrival */
#define DAY	86400

static struct fixture {
	struct kit	 kit;
	struct conf	 conf;
	struct queue	 q;
	uint32_t	 retry[1];
	struct message	 m;
	struct recipient r[4];
} f;

static void
at(int64_t wall)
{
	f.q.clock.wall = wall;
}

static int
setup(void **state)
{
	static const struct sched_conf sc = { .concurrency = 20, .connections = 50, .backoff_min_s = 60,
	    .backoff_max_s = 3600 };

	memset(&f, 0, sizeof(f));
	kit_dir(&f.kit);
	if (kit_open(&f.kit) != E_OK)
		return (1);
	f.retry[0] = 3600;
	f.conf.hostname = "mx.example.org";
	f.conf.postmaster = "";
	f.conf.recipient_delimiter = "";
	f.conf.deliver.port = 25;
	f.conf.queue.nretry = 1;
	f.conf.queue.retry = f.retry;
	f.conf.queue.lifetime = f.conf.queue.bounce_lifetime = 5 * DAY;
	f.q.room.conf = &f.conf;
	f.q.store = f.kit.s;
	f.q.sched = sched_new(&sc);
	f.q.rnd = 1;
	f.q.work_on = 1;		/* no turn of the loop by itself */
	uv_loop_init(&f.q.room.loop);
	body_set_budget(64u << 20);
	clock_start(&f.q.clock, T0, 0, 0, 1);
	return (f.q.sched == NULL);
}

static int
teardown(void **state)
{
	struct mail *m, *tmp;

	HASH_ITER(hh, f.q.mails, m, tmp) {
		while (m->items != 0)
			for (uint32_t i = 0; i < m->m.nrcpt; i++)
				mail_forget_item(&f.q, m, i);
		mail_release(&f.q, m);
	}
	while (f.q.free_changes != NULL) {
		struct change *ch = f.q.free_changes;

		f.q.free_changes = ch->next;
		free(ch);
	}
	sched_free(f.q.sched);
	uv_loop_close(&f.q.room.loop);
	kit_close(&f.kit);
	kit_rmdir(&f.kit);
	return (0);
}

/* A stored message of n recipients; edit before store(). */
static void
make(uint32_t n)
{
	uint32_t i;

	kit_message(&f.m, store_new_msgid(f.kit.s), n, 20);
	(void)snprintf(f.m.sender, sizeof(f.m.sender), "a@example.org");
	for (i = 0; i < n; i++) {
		kit_recipient(&f.r[i], f.m.msgid, i);
		f.r[i].next = T0;
	}
}

static void
store(void)
{
	struct body *b = kit_body(f.m.msgid, 20);
	struct store_op op = { .kind = STORE_PUT, .msgid = f.m.msgid, .message = &f.m, .rcpt = f.r, .nrcpt = f.m.nrcpt,
	    .blocks = b->first };

	assert_int_equal(kit_do(&f.kit, &op), E_OK);
	body_unref(b);
}

static void
settle(void)
{
	while (f.q.nchange != 0 && f.q.failed == NULL)
		uv_run(&f.kit.loop, UV_RUN_ONCE);
	assert_null(f.q.failed);
}

/* The changes of so many recipients, all of one kind, as one operation. */
static void
change(enum change_kind kind, uint32_t n, const struct ipc_job_result *res)
{
	struct change *ch, *list = NULL, **tail = &list;
	struct mail *m;
	uint32_t i;

	assert_int_equal(mail_get(&f.q, f.m.msgid, &m), E_OK);
	for (i = 0; i < n; i++) {
		assert_non_null(ch = change_new(&f.q, kind, i));
		if (res != NULL)
			ch->r = *res;
		*tail = ch;
		tail = &ch->next;
	}
	mail_change(&f.q, m, list);
	settle();
}

static const struct ipc_job_result tempfail = { .outcome = OUT_TEMPFAIL, .code = 450, .enhanced = { 4, 2, 1 },
	.stage = STAGE_RCPT, .text = "4.2.1 busy" };
static const struct ipc_job_result permfail = { .outcome = OUT_PERMFAIL, .code = 550, .enhanced = { 5, 1, 1 },
	.stage = STAGE_RCPT, .text = "5.1.1 nobody" };

static struct recipient
rcpt(uint32_t i)
{
	struct recipient r;

	assert_int_equal(store_get_recipient(f.kit.s, f.m.msgid, i, &r), E_OK);
	return (r);
}

/* The notices in the store; the text of the first, and to whom each goes. */
static char text[65536];
static char to[4][ADDRESS_MAX + 1];

static size_t
notices(void)
{
	struct message list[8];
	struct recipient r;
	size_t i, n, found = 0;
	uint8_t chunk[BODY_CHUNK];
	uint32_t len;

	text[0] = '\0';
	assert_int_equal(store_list(f.kit.s, 0, 0, list, 8, &n), E_OK);
	for (i = 0; i < n; i++) {
		if ((list[i].flags & MSGF_NOTICE) == 0)
			continue;
		assert_int_equal(list[i].nchunk, 1);
		assert_string_equal(list[i].sender, "");
		assert_int_equal(store_read_chunk(f.kit.s, list[i].msgid, 0, chunk, &len), E_OK);
		assert_int_equal(store_get_recipient(f.kit.s, list[i].msgid, 0, &r), E_OK);
		assert_int_equal(r.notify, NOTIFY_NEVER);
		memcpy(to[found], r.address, sizeof(r.address));
		if (found++ == 0) {
			memcpy(text, chunk, len);
			text[len] = '\0';
		}
	}
	return (found);
}

static int
is_gone(void)
{
	struct message m;

	return (store_get_message(f.kit.s, f.m.msgid, &m) == E_NOTFOUND);
}

static void
test_by_return(void **state)
{
	struct mail *m;

	make(1);
	f.m.by_mode = BY_RETURN;
	f.m.by_time = T0 + 100;
	store();
	at(T0 + 60);
	change(CH_RESULT, 1, &tempfail);
	assert_int_equal(rcpt(0).state, RCPT_DEFERRED);
	assert_int_equal(rcpt(0).next, T0 + 100);	/* not a whole step later */
	at(T0 + 99);
	assert_false(mail_is_late(&f.q, &f.m, &f.r[0]));
	at(T0 + 100);
	assert_true(mail_is_late(&f.q, &f.m, &f.r[0]));
	change(CH_DEADLINE, 1, NULL);
	assert_true(is_gone());
	assert_int_equal(notices(), 1);
	assert_non_null(strstr(text, "Action: failed\r\nStatus: 5.4.7\r\nDiagnostic-Code: smtp; 450 4.2.1 busy\r\n"));
	assert_int_equal(mail_get(&f.q, f.m.msgid, &m), E_NOTFOUND);

	/* Never tried: our own words.  A temporary failure behind the deadline is the end as well. */
	make(1);
	f.m.by_mode = BY_RETURN;
	f.m.by_time = T0 + 100;
	store();
	at(T0 + 101);
	change(CH_DEADLINE, 1, NULL);
	assert_true(is_gone());
	make(1);
	f.m.by_mode = BY_RETURN;
	f.m.by_time = T0 + 100;
	store();
	change(CH_RESULT, 1, &tempfail);
	assert_true(is_gone());
	assert_int_equal(notices(), 3);
}

static void
test_by_notify(void **state)
{
	make(2);
	f.m.by_mode = BY_NOTIFY;
	f.m.by_time = T0 + 100;
	f.r[1].notify = NOTIFY_FAILURE;
	store();
	at(T0 + 100);
	change(CH_DEADLINE, 2, NULL);
	assert_int_equal(notices(), 1);
	assert_non_null(strstr(text, "Action: delayed\r\nStatus: 4.4.7\r\n"));
	assert_non_null(strstr(text, "Deliver-By-Date: "));
	assert_null(strstr(text, f.r[1].address));	/* NOTIFY=FAILURE: no word of delays */
	f.r[0] = rcpt(0);
	assert_int_equal(f.r[0].next, T0 + 100);	/* the attempts go on, at once */
	assert_false(mail_is_late(&f.q, &f.m, &f.r[0]));
	at(T0 + 110);
	change(CH_RESULT, 2, &tempfail);
	assert_int_equal(notices(), 1);			/* once */
	assert_true(rcpt(0).next > T0 + 3000);
	at(T0 + 5 * DAY);
	change(CH_RESULT, 2, &tempfail);
	assert_int_equal(notices(), 2);
	assert_true(is_gone());
}

/* A step of the clock brings no deadline nearer; a day without a queue does (RFC 2852 4: a time span). */
static void
test_deadline_and_clock(void **state)
{
	make(1);
	f.m.by_mode = BY_RETURN;
	f.m.by_time = T0 + 100;
	store();
	assert_int_equal(clock_tick(&f.q.clock, T0 + 10, 10000, f.m.msgid + 1), 0);
	assert_int_equal(clock_tick(&f.q.clock, T0 + DAY, 11000, f.m.msgid + 1), 1);
	assert_int_equal(mail_deadline(&f.q, &f.m), T0 + DAY + 89);	/* 11 seconds have passed */
	assert_false(mail_is_late(&f.q, &f.m, &f.r[0]));
	change(CH_RESULT, 1, &tempfail);
	assert_int_equal(rcpt(0).next, clock_due(&f.q.clock) + 89);
	assert_int_equal(clock_tick(&f.q.clock, T0 + 20, 12000, f.m.msgid + 1), 1);	/* and back */
	assert_int_equal(mail_deadline(&f.q, &f.m), T0 + 20 + 88);
	clock_start(&f.q.clock, clock_high(&f.q.clock) + 10 * DAY, 5, clock_high(&f.q.clock), f.m.msgid + 1);
	assert_true(mail_is_late(&f.q, &f.m, &f.r[0]));
}

static void
test_release(void **state)
{
	make(1);
	f.m.hold_until = T0 + 1000;
	f.r[0].next = T0 + 1000;
	store();
	assert_int_equal(mail_expires(&f.q, &f.m), T0 + 1000 + 5 * DAY);	/* RFC 4865: from then on */
	/* The wall clock was set back: due, but not to be released yet. */
	assert_int_equal(clock_tick(&f.q.clock, T0 - 500, 1000, f.m.msgid + 1), 1);
	change(CH_UNTIL, 1, NULL);
	assert_int_equal(rcpt(0).next, clock_due(&f.q.clock) + 1500);
	assert_int_equal(rcpt(0).state, RCPT_PENDING);
	assert_int_equal(rcpt(0).attempts, 0);
}

/* Whoever answers for success from now on (RFC 3461 5.2, RFC 2852 4.1.4). */
static void
test_success(void **state)
{
	static const struct {
		uint8_t notify, handed, by_mode, by_passed;
		uint32_t flags;
		int64_t by_time;
		const char *sender, *action;
	} t[] = {
		{ NOTIFY_SUCCESS, HANDED_FINAL, 0, 0, 0, 0, "a@example.org", "delivered" },
		{ NOTIFY_SUCCESS, HANDED_PLAIN, 0, 0, 0, 0, "a@example.org", "relayed" },
		{ NOTIFY_SUCCESS, HANDED_DSN, 0, 0, 0, 0, "a@example.org", NULL },
		{ NOTIFY_SUCCESS, HANDED_FINAL, 0, 0, 0, 0, "", NULL },
		{ 0, HANDED_FINAL, 0, 0, 0, 0, "a@example.org", NULL },
		{ NOTIFY_FAILURE, HANDED_PLAIN, 0, 0, 0, 0, "a@example.org", NULL },
		{ NOTIFY_NEVER, HANDED_FINAL, 0, 0, 0, 0, "a@example.org", NULL },
		{ 0, HANDED_DSN, BY_NOTIFY, 0, 0, T0 + 9, "a@example.org", "relayed" },		/* it knows no BY */
		{ 0, HANDED_DSN, BY_NOTIFY, 1, 0, T0 + 9, "a@example.org", NULL },
		{ 0, HANDED_DSN, BY_NOTIFY, 0, 0, T0, "a@example.org", NULL },			/* late already */
		{ NOTIFY_NEVER, HANDED_PLAIN, BY_NOTIFY, 0, 0, T0 + 9, "a@example.org", NULL },
		{ NOTIFY_FAILURE, HANDED_DSN, BY_RETURN, 1, MSGF_BY_TRACE, T0 + 9, "a@example.org", "relayed" },
		{ 0, HANDED_FINAL, BY_RETURN, 0, MSGF_BY_TRACE, T0 + 9, "a@example.org", NULL },
	};
	struct ipc_job_result res = { .outcome = OUT_DELIVERED, .code = 250, .enhanced = { 2, 1, 5 } };
	char want[64];
	size_t i, n = 0;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		make(1);
		(void)snprintf(f.m.sender, sizeof(f.m.sender), "%s", t[i].sender);
		f.m.by_mode = t[i].by_mode;
		f.m.by_time = t[i].by_time;
		f.m.flags = t[i].flags;
		f.r[0].notify = t[i].notify;
		store();
		res.handed = t[i].handed;
		res.by_passed = t[i].by_passed;
		change(CH_RESULT, 1, &res);
		assert_true(is_gone());		/* the notice, if any, went with it */
		n = notices();
		if (n != (t[i].action != NULL))
			fail_msg("row %zu: %zu notices", i, n);
		if (n != 0) {
			(void)snprintf(want, sizeof(want), "\r\nAction: %s\r\n", t[i].action);
			assert_non_null(strstr(text, want));
		}
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
	}
}

/* R16: no notice may be made now.  Who has it delivered is not tried again; the notice is made later. */
static void
test_owed(void **state)
{
	struct ipc_job_result res = { .outcome = OUT_DELIVERED, .code = 250, .enhanced = { 2, 1, 5 } };
	struct store_due due[2];
	size_t n;

	make(1);
	f.r[0].notify = NOTIFY_SUCCESS;
	store();
	while (notice_rate_take(&f.q.notice_rate, "a@example.org", uv_now(&f.q.room.loop)))
		;
	change(CH_RESULT, 1, &res);
	assert_int_equal(notices(), 0);
	assert_int_equal(rcpt(0).state, RCPT_DELIVERED);
	assert_int_equal(rcpt(0).owed, OWED_DELIVERED);
	assert_int_equal(store_due(f.kit.s, NULL, due, 2, &n), E_OK);
	assert_int_equal(n, 1);
	assert_true(due[0].when > T0 && due[0].when <= T0 + 60);
	change(CH_RETRY, 1, NULL);			/* the operator does not send it again */
	assert_int_equal(rcpt(0).next, due[0].when);
	memset(&f.q.notice_rate, 0, sizeof(f.q.notice_rate));
	change(CH_NOTICE, 1, NULL);
	assert_int_equal(notices(), 1);
	assert_non_null(strstr(text, "\r\nAction: delivered\r\n"));
	assert_true(is_gone());
}

/* Each sender has his own notice, all in the transaction of the outcomes. */
static void
test_owners(void **state)
{
	make(4);
	f.r[1].owned = f.r[2].owned = f.r[3].owned = 1;
	(void)snprintf(f.r[1].sender, sizeof(f.r[1].sender), "owner@lists.example");
	(void)snprintf(f.r[3].sender, sizeof(f.r[3].sender), "owner@lists.example");	/* 2: <> */
	(void)snprintf(f.m.envid, sizeof(f.m.envid), "E1");
	store();
	change(CH_RESULT, 4, &permfail);
	assert_true(is_gone());
	assert_int_equal(notices(), 2);
	assert_string_equal(to[0], "a@example.org");
	assert_string_equal(to[1], "owner@lists.example");
	assert_non_null(strstr(text, "Original-Envelope-Id: E1"));
	assert_non_null(strstr(text, f.r[0].address));
	assert_null(strstr(text, f.r[1].address));
}

/* An alias's member that is not there: failed as it was stored, told by the due index. */
static void
test_born_failed(void **state)
{
	struct ipc_job_result res = { .outcome = OUT_DELIVERED, .code = 250, .enhanced = { 2, 1, 5 }, .handed = HANDED_FINAL };

	make(2);
	f.r[1].state = RCPT_FAILED;
	f.r[1].owed = OWED_FAILED;
	f.r[1].enhanced = (struct enhanced){ 5, 1, 1 };
	store();
	change(CH_RESULT, 1, &res);
	assert_false(is_gone());
	{
		struct mail *m;
		struct change *ch = change_new(&f.q, CH_NOTICE, 1);

		assert_int_equal(mail_get(&f.q, f.m.msgid, &m), E_OK);
		mail_change(&f.q, m, ch);
		settle();
	}
	assert_true(is_gone());
	assert_int_equal(notices(), 1);
	assert_non_null(strstr(text, "Action: failed\r\nStatus: 5.1.1\r\n"));
}

static void
kit_rcpt_at(const struct store_op *op, uint32_t i, struct recipient *r)
{
	kit_recipient(r, op->msgid, i);
	r->next = T0 + 3600;
}

/* How many of the stored message's first n are due at a time; its operations are waited for. */
static uint32_t
due_at(uint32_t n, int64_t when)
{
	uint32_t i, due = 0;

	for (i = 0; i < n; i++)
		due += rcpt(i).next == when;
	return (due);
}

/* A long list becomes due a slice at a time, no operation is longer than OUTCOME_MAX, and the operator hears once. */
static void
test_retry_slices(void **state)
{
	static const struct { uint32_t n, first, commits; } t[] = {
		{ RETRY_SLICE - 1, RETRY_SLICE - 1, 1 }, { RETRY_SLICE, RETRY_SLICE, 1 },
		{ RETRY_SLICE + 1, RETRY_SLICE, 2 }, { 3 * RETRY_SLICE, RETRY_SLICE, 3 },
	};
	struct store_figures before, after;
	struct client_wait *w;
	struct retried done;
	struct body *b;
	size_t i;

	at(T0 + 60);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		make(1);
		f.m.nrcpt = t[i].n;
		b = kit_body(f.m.msgid, 20);
		{
			struct store_op op = { .kind = STORE_PUT, .msgid = f.m.msgid, .message = &f.m,
			    .rcpt_at = kit_rcpt_at, .nrcpt = t[i].n, .blocks = b->first };

			assert_int_equal(kit_do(&f.kit, &op), E_OK);
		}
		body_unref(b);
		store_figures(f.kit.s, &before);
		assert_non_null(w = calloc(1, sizeof(*w)));
		w->pending = 1;		/* or the last word would free it */
		assert_int_equal(retry_message(&f.q, &f.m, NULL, w, &done), E_OK);
		assert_int_equal(done.changed, t[i].first);
		assert_int_equal(f.q.retrying != NULL, t[i].n > RETRY_SLICE);
		settle();
		assert_int_equal(due_at(t[i].n, clock_due(&f.q.clock)), t[i].first);
		assert_int_equal(w->changed, t[i].n <= RETRY_SLICE);
		while (f.q.retrying != NULL) {
			(void)retry_work(&f.q);
			settle();
		}
		assert_int_equal(due_at(t[i].n, clock_due(&f.q.clock)), t[i].n);
		assert_int_equal(w->changed, 1);
		assert_int_equal(w->pending, 1);
		assert_int_equal(w->failed, 0);
		store_figures(f.kit.s, &after);
		assert_int_equal(after.operations - before.operations, t[i].commits);
		free(w);
	}
	/* What is left at the end is forgotten: it has its time. */
	assert_int_equal(retry_message(&f.q, &f.m, NULL, NULL, &done), E_OK);
	settle();
	assert_non_null(f.q.retrying);
	retry_close(&f.q);
	assert_null(f.q.retrying);
}

/* However many changes come at once, an operation takes OUTCOME_MAX of them; all are applied, in their order. */
static void
test_operation_size(void **state)
{
	static const struct { uint32_t n, ops; } t[] = {
		{ OUTCOME_MAX - 1, 1 }, { OUTCOME_MAX, 1 }, { OUTCOME_MAX + 1, 2 }, { 2 * OUTCOME_MAX + 1, 3 },
	};
	struct store_figures before, after;
	struct body *b;
	size_t i;

	at(T0 + 60);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		make(1);
		f.m.nrcpt = t[i].n;
		b = kit_body(f.m.msgid, 20);
		{
			struct store_op op = { .kind = STORE_PUT, .msgid = f.m.msgid, .message = &f.m,
			    .rcpt_at = kit_rcpt_at, .nrcpt = t[i].n, .blocks = b->first };

			assert_int_equal(kit_do(&f.kit, &op), E_OK);
		}
		body_unref(b);
		store_figures(f.kit.s, &before);
		change(CH_RETRY, t[i].n, NULL);
		store_figures(f.kit.s, &after);
		assert_int_equal(due_at(t[i].n, clock_due(&f.q.clock)), t[i].n);
		assert_int_equal(after.operations - before.operations, t[i].ops);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_by_return, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_notify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deadline_and_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_release, setup, teardown),
		cmocka_unit_test_setup_teardown(test_success, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owners, setup, teardown),
		cmocka_unit_test_setup_teardown(test_born_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retry_slices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_operation_size, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
