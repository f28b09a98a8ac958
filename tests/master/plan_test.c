/*
 * plan_test.c -- which daemons a snapshot asks for, who talks to whom, what a reload replaces.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "master/plan.h"

static void
test_make(void **state)
{
	static const struct {
		uint32_t smtpd, deliver; unsigned cpus; int maildir;
		unsigned want_smtpd, want_remote, want_mailbox;
	} rows[] = {
		{ 0, 1, 1, 0, 1, 1, 0 }, { 0, 1, 2, 1, 2, 1, 1 }, { 0, 1, 64, 0, SMTPD_AUTO_MAX, 1, 0 },
		{ 0, 1, 0, 0, 1, 1, 0 }, { 3, 2, 64, 1, 3, 2, 1 }, { 16, 16, 1, 1, 16, 16, 1 },
		{ 17, 17, 1, 1, 16, 16, 1 }, { 1, 0, 1, 0, 1, 1, 0 },
	};
	struct conf c;
	struct conf_domain d = { .name = "a.example", .deliver = { .kind = HOP_MAILDIR, .path = "/m/%u" } };
	struct plan p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&c, 0, sizeof(c));
		c.domains = &d;
		c.ndomains = rows[i].maildir ? 1 : 0;
		c.smtpd.processes = rows[i].smtpd;
		c.deliver.processes = rows[i].deliver;
		plan_make(&p, &c, rows[i].cpus);
		assert_int_equal(plan_count(&p, ROOM_SMTPD, ROLE_NONE), rows[i].want_smtpd);
		assert_int_equal(plan_count(&p, ROOM_DELIVER, ROLE_REMOTE), rows[i].want_remote);
		assert_int_equal(plan_count(&p, ROOM_DELIVER, ROLE_MAILBOX), rows[i].want_mailbox);
		assert_int_equal(plan_count(&p, ROOM_QUEUE, ROLE_NONE), 1);
		assert_int_equal(plan_count(&p, ROOM_RESOLVER, ROLE_NONE), 1);
		assert_int_equal(plan_count(&p, ROOM_KEYS, ROLE_NONE), 0);
		c.ncerts = 1;
		c.local_submission = 1;
		plan_make(&p, &c, rows[i].cpus);
		assert_int_equal(plan_count(&p, ROOM_KEYS, ROLE_NONE), 1);
		assert_int_equal(plan_count(&p, ROOM_PICKUP, ROLE_NONE), 1);	/* also with all there may be of the others */
		assert_true(p.n <= PLAN_MAX);
	}
}

#define LOGINS	2	/* only where there are some */

static void
test_talk(void **state)
{
	static const struct plan_item smtpd = { ROOM_SMTPD, 0, ROLE_NONE }, queue = { ROOM_QUEUE, 0, ROLE_NONE },
	    resolver = { ROOM_RESOLVER, 0, ROLE_NONE }, remote = { ROOM_DELIVER, 1, ROLE_REMOTE },
	    mailbox = { ROOM_DELIVER, 0, ROLE_MAILBOX }, smtpd2 = { ROOM_SMTPD, 1, ROLE_NONE },
	    keys = { ROOM_KEYS, 0, ROLE_NONE }, pickup = { ROOM_PICKUP, 0, ROLE_NONE },
	    subm = { ROOM_SMTPD, 0, ROLE_SUBMISSION }, auth = { ROOM_AUTH, 0, ROLE_NONE }, pam = { ROOM_PAM, 0, ROLE_NONE };
	static const struct { const struct plan_item *a, *b; int want; } rows[] = {
		{ &smtpd, &queue, 1 }, { &smtpd, &resolver, 1 }, { &smtpd, &remote, 0 },
		{ &smtpd, &mailbox, 0 }, { &smtpd, &smtpd2, 0 }, { &queue, &resolver, 0 },
		{ &queue, &remote, 1 }, { &queue, &mailbox, 1 }, { &resolver, &remote, 1 },
		{ &resolver, &mailbox, 0 }, { &remote, &mailbox, 0 }, { &queue, &queue, 0 },
		{ &keys, &smtpd, 1 }, { &keys, &smtpd2, 1 }, { &keys, &queue, 0 }, { &keys, &resolver, 0 },
		{ &keys, &remote, 0 }, { &keys, &mailbox, 0 }, { &keys, &pickup, 0 }, { &keys, &keys, 0 },
		{ &subm, &queue, 1 }, { &subm, &resolver, 1 }, { &subm, &keys, 1 }, { &subm, &auth, 1 },
		{ &subm, &smtpd, 0 }, { &subm, &pickup, 0 }, { &smtpd, &pickup, 1 }, { &subm, &remote, 0 }, { &subm, &pam, 0 },
		{ &auth, &smtpd, 0 }, { &auth, &queue, 0 }, { &auth, &resolver, 0 }, { &auth, &keys, 0 }, { &auth, &pickup, 0 },
		{ &auth, &mailbox, 0 }, { &auth, &remote, LOGINS }, { &auth, &pam, 1 }, { &auth, &auth, 0 },
		{ &pam, &smtpd, 0 }, { &pam, &queue, 0 }, { &pam, &resolver, 0 }, { &pam, &keys, 0 }, { &pam, &remote, 0 },
		{ &pam, &mailbox, 0 }, { &pam, &pickup, 0 },
	};
	struct conf c;
	size_t i;
	unsigned k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (k = 0; k < 3; k++) {
			int want = rows[i].want == LOGINS ? k != 0 : rows[i].want;

			memset(&c, 0, sizeof(c));
			c.nlogins = k;		/* 2: no snapshot */
			assert_int_equal(plan_talk(rows[i].a, rows[i].b, k == 2 ? NULL : &c), want);
			assert_int_equal(plan_talk(rows[i].b, rows[i].a, k == 2 ? NULL : &c), want);
		}
	}
}

/* AUTH, logins at next hops, and what each asks for. */
static void
test_auth(void **state)
{
	static const struct {
		int auth[2], logins; const char *pam; uint32_t processes;
		unsigned want_submission, want_auth, want_pam;
	} rows[] = {
		{ { 0, 0 }, 0, "", 1, 0, 0, 0 }, { { 0, 0 }, 1, "", 1, 0, 1, 0 }, { { 0, 1 }, 0, "", 1, 1, 1, 0 },
		{ { 1, 1 }, 1, "", 3, 3, 1, 0 }, { { 1, 0 }, 0, "postern", 0, 1, 1, 1 }, { { 0, 0 }, 0, "postern", 1, 0, 0, 0 },
		{ { 1, 0 }, 0, "postern", 15, 15, 1, 1 }, { { 1, 0 }, 0, "postern", 16, 16, 1, 1 },
		{ { 1, 0 }, 0, "postern", 17, 16, 1, 1 }, { { 1, 0 }, 0, NULL, 1, 1, 1, 0 },
	};
	struct conf c;
	struct conf_listener l[2];
	struct conf_domain d = { .name = "a.example", .deliver = { .kind = HOP_MAILDIR, .path = "/m/%u" } };
	struct plan p;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&c, 0, sizeof(c));
		memset(l, 0, sizeof(l));
		for (k = 0; k < 2; k++) {
			l[k].auth = rows[i].auth[k];
			assert_int_equal(plan_listener_role(&l[k]), l[k].auth ? ROLE_SUBMISSION : ROLE_NONE);
		}
		c.listeners = l;
		c.nlisteners = 2;
		c.nlogins = (size_t)rows[i].logins;
		c.auth.needed = l[0].auth || l[1].auth || rows[i].logins;
		c.auth.pam_service = rows[i].pam;
		c.smtpd.submission_processes = rows[i].processes;
		c.smtpd.processes = c.deliver.processes = 16;
		c.domains = &d;
		c.ndomains = c.ncerts = 1;
		c.local_submission = 1;
		plan_make(&p, &c, 1);
		assert_int_equal(plan_count(&p, ROOM_SMTPD, ROLE_SUBMISSION), rows[i].want_submission);
		assert_int_equal(plan_count(&p, ROOM_SMTPD, ROLE_NONE), 16);
		assert_int_equal(plan_count(&p, ROOM_AUTH, ROLE_NONE), rows[i].want_auth);
		assert_int_equal(plan_count(&p, ROOM_PAM, ROLE_NONE), rows[i].want_pam);
		assert_int_equal(plan_count(&p, ROOM_PICKUP, ROLE_NONE), 1);
		assert_true(p.n < PLAN_MAX || (rows[i].want_submission == 16 && p.n == PLAN_MAX));
	}
}

/* Two snapshots that are the same, for a test to change the second. */
static void
two(struct conf c[2], struct conf_domain d[2], struct conf_route r[2], const char **forward)
{
	int i;

	for (i = 0; i < 2; i++) {
		memset(&c[i], 0, sizeof(c[i]));
		d[i] = (struct conf_domain){ .name = "a.example",
		    .deliver = { .kind = HOP_MAILDIR, .host = "", .path = "/mail/%d/%u" } };
		r[i] = (struct conf_route){ .name = "*",
		    .via = { .kind = HOP_SMTP, .host = "h.example", .port = 25, .path = "" } };
		c[i].domains = &d[i];
		c[i].ndomains = 1;
		c[i].routes = &r[i];
		c[i].nroutes = 1;
		c[i].directory = "/spool";
		c[i].runtime = "/run";
		c[i].user_prefix = "postern-";
		c[i].resolver.trust_anchor = "";
		c[i].resolver.forward = &forward[i];
		c[i].resolver.nforward = 1;
		c[i].deliver.port = 25;
		c[i].deliver.connections = 500;
	}
}

enum { RESTART_NONE = 0, R_QUEUE = 1, R_RESOLVER = 2, R_REMOTE = 4, R_MAILBOX = 8, R_SMTPD = 16, R_AUTH = 32, R_PAM = 64 };

static int
restarts(const struct conf c[2])
{
	static const struct plan_item items[] = { { ROOM_QUEUE, 0, ROLE_NONE }, { ROOM_RESOLVER, 0, ROLE_NONE },
	    { ROOM_DELIVER, 1, ROLE_REMOTE }, { ROOM_DELIVER, 0, ROLE_MAILBOX }, { ROOM_SMTPD, 0, ROLE_NONE },
	    { ROOM_AUTH, 0, ROLE_NONE }, { ROOM_PAM, 0, ROLE_NONE } };
	int i, set = 0;

	for (i = 0; i < 7; i++)
		set |= plan_must_restart(&items[i], &c[0], &c[1]) ? 1 << i : 0;
	return (set);
}

static void
test_must_restart(void **state)
{
	const char *forward[2] = { "127.0.0.1@53", "127.0.0.1@53" };
	struct conf c[2];
	struct conf_domain d[2];
	struct conf_route r[2];

	(void)state;
	two(c, d, r, forward);
	assert_int_equal(restarts(c), RESTART_NONE);
	assert_null(plan_fixed(&c[0], &c[1]));
	c[1].message_size_limit = 5;
	c[1].smtpd.processes = 3;
	assert_int_equal(restarts(c), RESTART_NONE);
	forward[1] = "127.0.0.1@54";
	assert_int_equal(restarts(c), R_RESOLVER);
	two(c, d, r, forward);
	forward[1] = forward[0];
	c[1].resolver.timeout = 3;
	assert_int_equal(restarts(c), R_RESOLVER);
	two(c, d, r, forward);
	c[1].resolver.trust_anchor = ". DS 1";
	assert_int_equal(restarts(c), R_RESOLVER);
	two(c, d, r, forward);
	c[1].queue.store_max = 1;
	assert_int_equal(restarts(c), R_QUEUE);
	two(c, d, r, forward);
	d[1].deliver.path = "/mail/%u";			/* the same directory */
	assert_int_equal(restarts(c), RESTART_NONE);
	d[1].deliver.path = "/post/%u";
	assert_int_equal(restarts(c), R_MAILBOX);
	two(c, d, r, forward);
	r[1].via.port = 2525;				/* a port Landlock would refuse */
	assert_int_equal(restarts(c), R_REMOTE);
	two(c, d, r, forward);
	c[0].nroutes = 0;				/* added, but port 25 is known */
	assert_int_equal(restarts(c), RESTART_NONE);
	c[1].deliver.connections = 501;
	assert_int_equal(restarts(c), R_REMOTE);
	c[1].deliver.connections = 499;
	assert_int_equal(restarts(c), RESTART_NONE);
	c[0].auth.pam_service = "a";
	c[1].auth.pam_service = "b";
	assert_int_equal(restarts(c), R_PAM);
	c[0].auth.pam_service = c[1].auth.pam_service;
	c[1].auth.workers = 5;
	assert_int_equal(restarts(c), R_AUTH);
}

static void
test_fixed(void **state)
{
	const char *forward[2] = { "a", "a" };
	struct conf c[2];
	struct conf_domain d[2];
	struct conf_route r[2];

	(void)state;
	two(c, d, r, forward);
	c[1].user_prefix = "";
	assert_string_equal(plan_fixed(&c[0], &c[1]), "user-prefix");
	c[1].runtime = "/run/x";
	assert_string_equal(plan_fixed(&c[0], &c[1]), "runtime");
	c[1].directory = "/other";
	assert_string_equal(plan_fixed(&c[0], &c[1]), "directory");
}

static void
test_stages(void **state)
{
	(void)state;
	assert_true(plan_stage(ROOM_SMTPD) < plan_stage(ROOM_DELIVER));
	assert_true(plan_stage(ROOM_DELIVER) < plan_stage(ROOM_RESOLVER));
	assert_true(plan_stage(ROOM_RESOLVER) < plan_stage(ROOM_KEYS));
	assert_true(plan_stage(ROOM_KEYS) < plan_stage(ROOM_QUEUE));
	assert_true(plan_stage(ROOM_DELIVER) < plan_stage(ROOM_AUTH));
	assert_true(plan_stage(ROOM_DELIVER) < plan_stage(ROOM_PAM));
	assert_true(plan_stage(ROOM_AUTH) < plan_stage(ROOM_QUEUE));
	assert_int_equal(plan_stage(ROOM_QUEUE), PLAN_STAGES - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_talk),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_must_restart),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_stages),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
