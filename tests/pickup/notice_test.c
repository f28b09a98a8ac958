/*
 * notice_test.c -- what a sender is told of a waiting message that was refused (RFC 3464, 6533), and when.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/err.h"
#include "common/ipc_msg.h"
#include "pickup/notice.h"

static char no_user[] = "5.1.1 <x> no such user";
static struct submit_rcpt rcpt[3];
static struct submit_mail mail = { .sender = "a@b.example", .envid = "", .nrcpt = 3, .rcpt = rcpt };
static struct submit talk;
static struct notice n = { .hostname = "h.example", .id = "0123456789abcdef0123456789abcdef", .now = 0, .arrival = 0,
    .talk = &talk, .mail = &mail };

static int
set_up(void **state)
{
	(void)state;
	memset(&talk, 0, sizeof(talk));
	talk.mail.code = 250;
	talk.answer.code = 250;
	mail.sender = "a@b.example";
	mail.envid = "";
	n.verdict = VERDICT_SENT;
	n.header = SLICE_LIT("Subject: x\r\nX: y\r\n\r\nsecret\r\n");
	rcpt[0] = (struct submit_rcpt){ .address = "ok@d.example", .answer = { .code = 250 } };
	rcpt[1] = (struct submit_rcpt){ .address = "no@d.example", .answer = { .code = 550, .enhanced = { 5, 1, 1 },
	    .text = no_user } };
	rcpt[2] = (struct submit_rcpt){ .address = "later@d.example", .answer = { .code = 450 } };
	return (0);
}

static int
has(const struct buf *b, const char *text)
{
	return (memmem(buf_slice(b).p, b->len, text, strlen(text)) != NULL);
}

static void
test_one_of_three(void **state)
{
	struct buf b;
	int utf8;

	(void)state;
	mail.envid = "e+20x";
	buf_init(&b, NOTICE_MAX);
	assert_int_equal(notice_count(&n), 1);
	assert_int_equal(notice_write(&b, &n, &utf8), E_OK);
	assert_false(utf8);
	assert_true(has(&b, "To: <a@b.example>\r\n") && has(&b, "Auto-Submitted: auto-replied\r\n"));
	assert_true(has(&b, "Final-Recipient: rfc822; no@d.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 <x> no such user\r\n"));
	assert_true(has(&b, "Original-Envelope-Id: e+20x\r\n") && has(&b, "report-type=delivery-status"));
	assert_true(has(&b, "Subject: x\r\nX: y\r\n\r\n--=_0123456789abcdef0123456789abcdef--\r\n"));
	assert_false(has(&b, "secret") || has(&b, "ok@d.example") || has(&b, "later@d.example"));
	buf_clear(&b);
}

static void
test_all_of_them(void **state)
{
	struct buf b;
	int utf8;

	(void)state;
	n.verdict = VERDICT_FAILED;		/* the message was refused, or its time is over */
	talk.answer = (struct submit_answer){ .code = 554 };
	buf_init(&b, NOTICE_MAX);
	assert_int_equal(notice_count(&n), 3);
	assert_int_equal(notice_write(&b, &n, &utf8), E_OK);
	assert_true(has(&b, "rfc822; ok@d.example\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 554 \r\n"));
	assert_true(has(&b, "rfc822; later@d.example\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 450 \r\n"));
	rcpt[2].answer.enhanced = (struct enhanced){ 4, 2, 2 };
	buf_clear(&b);
	assert_int_equal(notice_write(&b, &n, &utf8), E_OK);
	assert_true(has(&b, "rfc822; later@d.example\r\nAction: failed\r\nStatus: 5.4.7\r\n"));
	buf_clear(&b);
}

static void
test_nobody_to_tell(void **state)
{
	(void)state;
	mail.sender = "";
	assert_int_equal(notice_count(&n), 0);
	mail.sender = "a@b.example";
	rcpt[1].notify = NOTIFY_NEVER;
	assert_int_equal(notice_count(&n), 0);
	rcpt[1].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	assert_int_equal(notice_count(&n), 0);
	rcpt[1].notify = NOTIFY_FAILURE;
	assert_int_equal(notice_count(&n), 1);
}

static void
test_utf8(void **state)
{
	struct buf b;
	int utf8;

	(void)state;
	rcpt[1].address = "\xc3\xb6@d.example";
	buf_init(&b, NOTICE_MAX);
	assert_int_equal(notice_write(&b, &n, &utf8), E_OK);
	assert_true(utf8 && has(&b, "Final-Recipient: utf-8; \xc3\xb6@d.example\r\n"));
	assert_true(has(&b, "report-type=global-delivery-status") && has(&b, "Content-Type: message/global-headers\r\n"));
	buf_clear(&b);
}

/* A header section that was cut, or is none. */
static void
test_headers(void **state)
{
	static const struct { const char *in, *want; } rows[] = {
		{ "A: b\r\nC: d", "\r\n\r\nA: b\r\n\r\n--=_" }, { "\r\nbody\r\n", "\r\n\r\n\r\n--=_" }, { "", "\r\n\r\n\r\n--=_" },
		{ "A: b\r\n", "\r\n\r\nA: b\r\n\r\n--=_" },
	};
	struct buf b;
	size_t i;
	int utf8;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n.header = slice_str(rows[i].in);
		buf_init(&b, NOTICE_MAX);
		assert_int_equal(notice_write(&b, &n, &utf8), E_OK);
		assert_true(has(&b, rows[i].want));
		assert_false(has(&b, "body"));
		buf_clear(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_of_three, set_up), cmocka_unit_test_setup(test_all_of_them, set_up),
		cmocka_unit_test_setup(test_nobody_to_tell, set_up), cmocka_unit_test_setup(test_utf8, set_up),
		cmocka_unit_test_setup(test_headers, set_up),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
