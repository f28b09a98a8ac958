/*
 * outgoing_test.c -- what is left to do after a transaction, and the status a caller gets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/err.h"
#include "sendmail/outgoing.h"

static unsigned said;

static void
count_said(const char *recipient, const struct submit_answer *a)
{
	(void)recipient;
	(void)a;
	said++;
}

static void
answer(struct submit_rcpt *r, uint16_t code, uint16_t subject, uint16_t detail)
{
	r->answer = (struct submit_answer){ .code = code, .enhanced = { (uint8_t)(code / 100), subject, detail },
	    .text = code >= 400 ? strdup("words") : NULL };
}

/* Taken, too many, later, too many, refused, and one that was not asked yet. */
static void
test_result(void **state)
{
	struct outgoing o;
	struct submit s;

	(void)state;
	outgoing_init(&o);
	memset(&s, 0, sizeof(s));
	s.mail.code = s.answer.code = 250;
	for (unsigned i = 0; i < 6; i++) {
		char a[32];

		(void)snprintf(a, sizeof(a), "u%u@x.example", i);
		assert_int_equal(outgoing_add(&o, a, 0), E_OK);
	}
	assert_int_equal(outgoing_unique(&o), E_OK);
	answer(&o.rcpt[0], 250, 1, 5);
	answer(&o.rcpt[1], 452, 5, 3);
	answer(&o.rcpt[2], 450, 2, 0);
	answer(&o.rcpt[3], 452, 5, 3);
	answer(&o.rcpt[4], 550, 1, 1);
	said = 0;
	assert_int_equal(outgoing_result(&o, &s, 5, VERDICT_SENT, count_said), 1);
	assert_true(o.sent == 1 && o.failed == EX_NOUSER && said == 1);
	assert_int_equal(o.n, 3);
	assert_string_equal(o.rcpt[0].address, "u1@x.example");
	assert_string_equal(o.rcpt[1].address, "u3@x.example");
	assert_string_equal(o.rcpt[2].address, "u5@x.example");
	assert_int_equal(o.nlate, 1);
	assert_string_equal(o.late[0].address, "u2@x.example");
	/* All refused with one word: it is said once. */
	s.mail = (struct submit_answer){ .code = 552, .enhanced = { 5, 3, 4 } };
	said = 0;
	assert_int_equal(outgoing_result(&o, &s, 3, VERDICT_FAILED, count_said), 0);
	assert_true(said == 1 && o.n == 0 && o.failed == EX_NOUSER);
	outgoing_clear(&o);
}

static void
test_postpone_and_unique(void **state)
{
	struct outgoing o;

	(void)state;
	outgoing_init(&o);
	assert_int_equal(outgoing_add(&o, "b@x.example", 0), E_OK);
	assert_int_equal(outgoing_add(&o, "a@x.example", 0), E_OK);
	assert_int_equal(outgoing_add(&o, "b@x.example", 0), E_OK);
	assert_int_equal(outgoing_unique(&o), E_OK);
	assert_int_equal(o.n, 2);
	assert_string_equal(o.rcpt[0].address, "b@x.example");
	outgoing_postpone(&o);
	assert_true(o.n == 0 && o.nlate == 2);
	outgoing_clear(&o);
}

static void
test_recipients_limit(void **state)
{
	struct outgoing o;
	char a[32];

	(void)state;
	for (unsigned n = DROP_RCPT_MAX - 1; n <= DROP_RCPT_MAX + 1; n++) {
		outgoing_init(&o);
		for (unsigned i = 0; i < n; i++) {
			(void)snprintf(a, sizeof(a), "u%u@x.example", i);
			assert_int_equal(outgoing_add(&o, a, 0), E_OK);
		}
		assert_int_equal(outgoing_unique(&o), n <= DROP_RCPT_MAX ? E_OK : E_LIMIT);
		outgoing_clear(&o);
	}
}

static void
test_statuses(void **state)
{
	static const struct { uint16_t code, subject, detail; int want; } rows[] = {
		{ 550, 1, 1, EX_NOUSER }, { 550, 1, 6, EX_NOUSER }, { 550, 1, 10, EX_NOUSER }, { 553, 1, 3, EX_DATAERR },
		{ 550, 7, 1, EX_NOPERM }, { 552, 3, 4, EX_UNAVAILABLE }, { 501, 5, 4, EX_SOFTWARE }, { 553, 6, 7, EX_DATAERR },
		{ 554, 0, 0, EX_UNAVAILABLE }, { 550, 5, 3, EX_UNAVAILABLE },
	};
	struct submit_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		a = (struct submit_answer){ .code = rows[i].code, .enhanced = { 5, rows[i].subject, rows[i].detail } };
		assert_int_equal(outgoing_status(&a), rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result), cmocka_unit_test(test_postpone_and_unique),
		cmocka_unit_test(test_recipients_limit), cmocka_unit_test(test_statuses),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
