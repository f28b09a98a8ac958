/*
 * submit_test.c -- the client's side of a submission: transcripts, pipelined or not, in pieces of any size.
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
#include "common/ipc_msg.h"
#include "common/submit.h"
#include "common/verdict.h"

#define HELLO	"220 x\r\n250-x\r\n250-PIPELINING\r\n250-SIZE 1\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n"
#define PLAIN	"220 x\r\n250 x\r\n"

static struct submit_rcpt rcpt[2];
static struct submit_mail mail = { .sender = "a@b.example", .size = 5, .envid = "", .nrcpt = 2, .rcpt = rcpt };

static const struct {
	const char *name, *server;	/* all that it says */
	const char *body;
	const char *said;		/* all that is said to it */
	enum verdict verdict;		/* of the envelope; VERDICT_SENT: it was never complete */
	enum submit_state state;
	uint16_t code[2], mail, answer;
} rows[] = {
	{ "all well", HELLO "250 m\r\n250 r\r\n250 r\r\n354 go\r\n250 ok\r\n", ".a\r\n..\r\nb\r\n",
	    "EHLO h\r\nMAIL FROM:<a@b.example> SIZE=5\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\nDATA\r\n"
	    "..a\r\n...\r\nb\r\n.\r\n", VERDICT_SEND, SUBMIT_DONE, { 250, 250 }, 250, 250 },
	{ "without extensions", PLAIN "250 m\r\n250 r\r\n250 r\r\n354 go\r\n250 ok\r\n", "x\r\n",
	    "EHLO h\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\nDATA\r\nx\r\n.\r\n",
	    VERDICT_SEND, SUBMIT_DONE, { 250, 250 }, 250, 250 },
	{ "an unfinished line", HELLO "250 m\r\n250 r\r\n250 r\r\n354 go\r\n250 ok\r\n", "x",
	    "EHLO h\r\nMAIL FROM:<a@b.example> SIZE=5\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\nDATA\r\nx\r\n.\r\n",
	    VERDICT_SEND, SUBMIT_DONE, { 250, 250 }, 250, 250 },
	{ "one refused", HELLO "250 m\r\n550 5.1.1 no\r\n250 r\r\n354 go\r\n250 ok\r\n", "",
	    "EHLO h\r\nMAIL FROM:<a@b.example> SIZE=5\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\nDATA\r\n.\r\n",
	    VERDICT_SEND, SUBMIT_DONE, { 550, 250 }, 250, 250 },
	{ "all refused", HELLO "250 m\r\n550 no\r\n551 no\r\n", NULL,
	    "EHLO h\r\nMAIL FROM:<a@b.example> SIZE=5\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\n",
	    VERDICT_FAILED, SUBMIT_CHOICE, { 550, 551 }, 250, 0 },
	{ "one later", HELLO "250 m\r\n550 no\r\n450 no\r\n", NULL,
	    "EHLO h\r\nMAIL FROM:<a@b.example> SIZE=5\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\n",
	    VERDICT_LATER, SUBMIT_CHOICE, { 550, 450 }, 250, 0 },
	{ "no sender", HELLO "552 big\r\n503 r\r\n503 r\r\n", NULL,
	    "EHLO h\r\nMAIL FROM:<a@b.example> SIZE=5\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\n",
	    VERDICT_FAILED, SUBMIT_CHOICE, { 503, 503 }, 552, 0 },
	{ "no sender, one by one", PLAIN "452 full\r\n", NULL, "EHLO h\r\nMAIL FROM:<a@b.example>\r\n",
	    VERDICT_LATER, SUBMIT_CHOICE, { 0, 0 }, 452, 0 },
	{ "no data", HELLO "250 m\r\n250 r\r\n250 r\r\n451 no\r\n", NULL,
	    "EHLO h\r\nMAIL FROM:<a@b.example> SIZE=5\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\nDATA\r\n",
	    VERDICT_SEND, SUBMIT_DONE, { 250, 250 }, 250, 451 },
	{ "refused content", HELLO "250 m\r\n250 r\r\n250 r\r\n354 go\r\n554 5.6.0 no\r\n", "x\r\n",
	    "EHLO h\r\nMAIL FROM:<a@b.example> SIZE=5\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\nDATA\r\nx\r\n.\r\n",
	    VERDICT_SEND, SUBMIT_DONE, { 250, 250 }, 250, 554 },
	{ "421 in the midst", HELLO "250 m\r\n421 bye\r\n", NULL,
	    "EHLO h\r\nMAIL FROM:<a@b.example> SIZE=5\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<e@f.example>\r\n",
	    VERDICT_SENT, SUBMIT_OVER, { 0, 0 }, 250, 421 },
	{ "no greeting", "554 no\r\n", NULL, "", VERDICT_SENT, SUBMIT_OVER, { 0, 0 }, 0, 554 },
	{ "no hello", "220 x\r\n502 no\r\n", NULL, "EHLO h\r\n", VERDICT_SENT, SUBMIT_OVER, { 0, 0 }, 0, 502 },
	{ "not SMTP", "220 x\r\nhello\r\n", NULL, "EHLO h\r\n", VERDICT_SENT, SUBMIT_OVER, { 0, 0 }, 0, 0 },
};

/* Plays one row, the server's octets in pieces of this size. */
static void
play(size_t i, size_t step)
{
	const char *p = rows[i].server, *end = p + strlen(p);
	enum verdict v = VERDICT_SENT;
	struct buf out, said;
	struct submit s;
	size_t used, n;

	buf_init(&out, SUBMIT_OUT_CAP);
	buf_init(&said, 1 << 20);
	submit_init(&s, &out, "h");
	rcpt[0] = (struct submit_rcpt){ .address = "c@d.example" };
	rcpt[1] = (struct submit_rcpt){ .address = "e@f.example" };
	while (p < end && s.state != SUBMIT_OVER) {
		n = (size_t)(end - p) < step ? (size_t)(end - p) : step;
		(void)submit_feed(&s, slice_make(p, n), &used);
		p += used;
		if (s.state == SUBMIT_IDLE)
			submit_mail(&s, &mail);
		else if (s.state == SUBMIT_CHOICE) {
			v = verdict_envelope(&s, &mail);
			if (v == VERDICT_SEND)
				submit_data(&s);
		} else if (s.state == SUBMIT_BODY) {
			assert_int_equal(submit_body(&s, slice_str(rows[i].body)), E_OK);
			assert_int_equal(submit_end(&s), E_OK);
		}
		submit_pump(&s);
		assert_int_equal(buf_add(&said, buf_slice(&out).p, out.len), E_OK);
		buf_drain(&out, out.len);
	}
	if (!slice_eq(buf_slice(&said), slice_str(rows[i].said)) || v != rows[i].verdict || s.state != rows[i].state ||
	    rcpt[0].answer.code != rows[i].code[0] || rcpt[1].answer.code != rows[i].code[1] ||
	    s.mail.code != rows[i].mail || s.answer.code != rows[i].answer)
		fail_msg("%s by %zu: verdict %d state %d %u %u mail %u answer %u\n%.*s", rows[i].name, step, v, s.state,
		    rcpt[0].answer.code, rcpt[1].answer.code, s.mail.code, s.answer.code, (int)said.len, buf_slice(&said).p);
	for (n = 0; n < 2; n++)
		submit_answer_clear(&rcpt[n].answer);
	submit_clear(&s);
	buf_clear(&out);
	buf_clear(&said);
}

static void
test_transcripts(void **state)
{
	size_t i, step;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (step = 1; step <= 4096; step *= 8)
			play(i, step);
	}
}

/* Stuffing does not depend on where a line is cut, and one piece is bounded. */
static void
test_body(void **state)
{
	static const char text[] = ".\r\n..\r\na\r\n.b\r\n\r\n.";
	static const char want[] = "..\r\n...\r\na\r\n..b\r\n\r\n..\r\n.\r\n";
	char *large = calloc(1, SUBMIT_BODY_MAX + 1);
	struct buf out;
	struct submit s;
	size_t at, step, n;

	(void)state;
	assert_non_null(large);
	for (step = 1; step < sizeof(text); step++) {
		buf_init(&out, SUBMIT_OUT_CAP);
		submit_init(&s, &out, "h");
		s.state = SUBMIT_BODY;
		s.at_start = 1;
		for (at = 0; at < sizeof(text) - 1; at += step) {
			n = sizeof(text) - 1 - at < step ? sizeof(text) - 1 - at : step;
			assert_int_equal(submit_body(&s, slice_make(text + at, n)), E_OK);
		}
		assert_int_equal(submit_end(&s), E_OK);
		assert_true(slice_eq(buf_slice(&out), slice_str(want)));
		assert_int_equal(s.body_len, sizeof(text) - 1);
		buf_clear(&out);
	}
	for (n = SUBMIT_BODY_MAX - 1; n <= SUBMIT_BODY_MAX + 1; n++) {
		buf_init(&out, SUBMIT_OUT_CAP);
		submit_init(&s, &out, "h");
		s.state = SUBMIT_BODY;
		assert_int_equal(submit_body(&s, slice_make(large, n)), n <= SUBMIT_BODY_MAX ? E_OK : E_LIMIT);
		buf_clear(&out);
	}
	free(large);
}

/* A server that refuses before the end has answered; nothing more is said to it, where commands would be text. */
static void
test_refused_in_its_midst(void **state)
{
	static const struct { const char *said; int err; enum submit_state state; uint16_t code; } t[] = {
		{ "554 5.6.11 bare CR\r\n", E_OK, SUBMIT_DONE, 554 }, { "452 4.3.1 full\r\n", E_OK, SUBMIT_DONE, 452 },
		{ "421 4.4.2 slow\r\n", E_OK, SUBMIT_OVER, 421 }, { "250 ok\r\n", E_PROTO, SUBMIT_OVER, 0 },
		{ "354 go\r\n", E_PROTO, SUBMIT_OVER, 0 },
	};
	struct buf out;
	struct submit s;
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf_init(&out, SUBMIT_OUT_CAP);
		submit_init(&s, &out, "h");
		s.state = SUBMIT_BODY;
		assert_int_equal(submit_body(&s, SLICE_LIT("Subject: x\r\n\r\nx")), E_OK);
		assert_int_equal(submit_feed(&s, slice_str(t[i].said), &used), t[i].err);
		assert_int_equal(s.state, t[i].state);
		assert_int_equal(s.answer.code, t[i].code);
		if (s.state == SUBMIT_DONE) {
			assert_int_equal(out.len, 0);
			if (i == 0)
				submit_next(&s);
			else
				submit_quit(&s);
			assert_int_equal(s.state, SUBMIT_OVER);
			assert_int_equal(out.len, 0);
		}
		submit_clear(&s);
		buf_clear(&out);
	}
}

/* What waits to be sent is bounded however many recipients there are. */
static void
test_output_is_bounded(void **state)
{
	struct submit_rcpt *many = calloc(RCPT_MAX, sizeof(*many));
	struct submit_mail m = { .sender = "", .envid = "", .nrcpt = RCPT_MAX, .rcpt = many };
	size_t i, used, written = 0;
	struct buf out;
	struct submit s;

	(void)state;
	assert_non_null(many);
	for (i = 0; i < RCPT_MAX; i++)
		many[i] = (struct submit_rcpt){ .address = "a-rather-long-local-part-of-fifty-octets-or-so-to-fill@d.example",
		    .notify = NOTIFY_SUCCESS | NOTIFY_DELAY };
	buf_init(&out, SUBMIT_OUT_CAP);
	submit_init(&s, &out, "h");
	assert_int_equal(submit_feed(&s, SLICE_LIT(HELLO), &used), E_OK);
	if (s.state != SUBMIT_IDLE)
		assert_int_equal(submit_feed(&s, slice_make(HELLO + used, sizeof(HELLO) - 1 - used), &used), E_OK);
	assert_int_equal(s.state, SUBMIT_IDLE);
	buf_drain(&out, out.len);
	submit_mail(&s, &m);
	while (out.len != 0) {
		assert_true(out.len <= SUBMIT_OUT_HIGH + ADDRESS_MAX + 128);
		written += out.len;
		buf_drain(&out, out.len);
		submit_pump(&s);
	}
	assert_int_equal(s.next, RCPT_MAX + 1);
	assert_true(written > RCPT_MAX * 64);
	submit_clear(&s);
	buf_clear(&out);
	free(many);
}

static void
test_parameters(void **state)
{
	struct submit_rcpt r = { .address = "c@d.example", .notify = NOTIFY_NEVER };
	struct submit_mail m = { .sender = "\xc3\xb6@b.example", .size = 9, .body8 = 1, .utf8 = 1, .ret = 'F', .envid = "e+20",
	    .nrcpt = 1, .rcpt = &r };
	static const char want[] = "EHLO h\r\nMAIL FROM:<\xc3\xb6@b.example> SIZE=9 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=e+20\r\n"
	    "RCPT TO:<c@d.example> NOTIFY=NEVER\r\n";
	struct buf out;
	struct submit s;
	size_t used;

	(void)state;
	buf_init(&out, SUBMIT_OUT_CAP);
	submit_init(&s, &out, "h");
	assert_int_equal(submit_feed(&s, SLICE_LIT("220 x\r\n"), &used), E_OK);
	assert_false(submit_speaks(&s, &m));
	assert_int_equal(submit_feed(&s, slice_make(HELLO + 7, sizeof(HELLO) - 8), &used), E_OK);
	assert_true(submit_speaks(&s, &m));
	submit_mail(&s, &m);
	assert_true(slice_eq(buf_slice(&out), slice_str(want)));
	submit_clear(&s);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transcripts), cmocka_unit_test(test_body), cmocka_unit_test(test_output_is_bounded),
		cmocka_unit_test(test_parameters), cmocka_unit_test(test_refused_in_its_midst),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
