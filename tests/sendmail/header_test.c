/*
 * header_test.c -- what sendmail makes of a header section (RFC 5322 3.6), and of its input (message.h).
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
#include "sendmail/header.h"
#include "sendmail/message.h"

#define FROM	"From: Al B <al@o.example>\r\n"
#define DATE	"Date: D\r\n"
#define ID	"Message-ID: <i>\r\n"
#define TO	"To: t@x.example\r\n"
#define NONE	"To: undisclosed-recipients:;\r\n"

struct got { char text[4096]; size_t n; };

static int
collect(void *arg, const struct mailbox *m)
{
	struct got *g = arg;

	(void)snprintf(g->text + strlen(g->text), sizeof(g->text) - strlen(g->text), "%s%s", g->n++ != 0 ? " " : "",
	    m->text);
	return (E_OK);
}

static const struct { const char *name, *in, *out, *rcpts; int err; } rows[] = {
	{ "all is there", "From: a@b.example\r\nDate: x\r\nMessage-ID: <y>\r\n" TO, "From: a@b.example\r\nDate: x\r\n"
	    "Message-ID: <y>\r\n" TO, "t@x.example", E_OK },
	{ "nothing is there", "", FROM DATE ID NONE, "", E_OK },
	{ "subject alone", "Subject: s\r\n", "Subject: s\r\n" FROM DATE ID NONE, "", E_OK },
	{ "bcc goes", TO "Bcc: b@x.example,\r\n\tc@x.example\r\nCc: d@x.example\r\n", TO "Cc: d@x.example\r\n" FROM DATE ID,
	    "t@x.example b@x.example c@x.example d@x.example", E_OK },
	{ "bcc alone", "bcc: b@x.example\r\n", FROM DATE ID NONE, "b@x.example", E_OK },
	{ "an empty bcc", TO "Bcc:\r\n", TO FROM DATE ID, "t@x.example", E_OK },
	{ "dropped", "Return-Path: <x@y.example>\r\nContent-Length: 9\r\n" TO, TO FROM DATE ID, "t@x.example", E_OK },
	{ "case and blanks", "tO : t@x.example\r\nFROM\t: a@b.example\r\n", "tO : t@x.example\r\nFROM\t: a@b.example\r\n" DATE ID,
	    "t@x.example", E_OK },
	{ "bare addresses", "To: bob, Al <al> (c),\r\n \"x y\"\r\nReply-To: r\r\nX-To: bob\r\n",
	    "To: bob@o.example, Al <al@o.example> (c),\r\n \"x y\"@o.example\r\nReply-To: r@o.example\r\nX-To: bob\r\n"
	    FROM DATE ID, "bob@o.example al@o.example \"x y\"@o.example", E_OK },
	{ "a group", "To: t:;\r\n", "To: t:;\r\n" FROM DATE ID, "", E_OK },
	{ "not to be read", TO "Cc: (\r\n", "", "", E_SYNTAX },
	{ "encoded words stay", "To: =?utf-8?Q?J=C3=B6?= <j@x.example>\r\n",
	    "To: =?utf-8?Q?J=C3=B6?= <j@x.example>\r\n" FROM DATE ID, "j@x.example", E_OK },
	{ "sent on", "Resent-To: r@x.example\r\nResent-Bcc: s@x.example\r\n" TO "From: a@b.example\r\nDate: x\r\n"
	    "Message-ID: <y>\r\n", "Resent-From: Al B <al@o.example>\r\nResent-Date: D\r\nResent-Message-ID: <i>\r\n"
	    "Resent-To: r@x.example\r\n" TO "From: a@b.example\r\nDate: x\r\nMessage-ID: <y>\r\n",
	    "r@x.example s@x.example", E_OK },
	{ "sent on twice", "Resent-From: b@x.example\r\nResent-Date: x\r\nResent-Message-ID: <z>\r\nResent-To: new@x.example\r\n"
	    "Resent-From: a@x.example\r\nResent-To: old@x.example\r\n" TO "From: a@b.example\r\nDate: x\r\nMessage-ID: <y>\r\n",
	    "Resent-From: b@x.example\r\nResent-Date: x\r\nResent-Message-ID: <z>\r\nResent-To: new@x.example\r\n"
	    "Resent-From: a@x.example\r\nResent-To: old@x.example\r\n" TO "From: a@b.example\r\nDate: x\r\nMessage-ID: <y>\r\n",
	    "new@x.example", E_OK },
	{ "sent on long ago", "Resent-To: new@x.example\r\nReceived: r\r\nResent-Cc: old@x.example\r\n",
	    "Resent-From: Al B <al@o.example>\r\nResent-Date: D\r\nResent-Message-ID: <i>\r\nResent-To: new@x.example\r\n"
	    "Received: r\r\nResent-Cc: old@x.example\r\n" FROM DATE ID, "new@x.example", E_OK },
};

static const struct header_facts facts = { .origin = "o.example", .from = "al@o.example", .full_name = "Al B",
    .date = "D", .message_id = "<i>", .extract = 1 };

static void
test_fix(void **state)
{
	struct slice field, out;
	struct buf b;
	struct got g;
	const char *why;
	size_t i;
	int err;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&g, 0, sizeof(g));
		buf_init(&b, 1 << 20);
		err = header_fix(&b, slice_str(rows[i].in), &facts, collect, &g, &field, &why);
		out = buf_slice(&b);
		if (err != rows[i].err || (err == E_OK && (!slice_eq(out, slice_str(rows[i].out)) ||
		    strcmp(g.text, rows[i].rcpts) != 0)))
			fail_msg("%s: %s\n%.*s[%s] %s", rows[i].name, err_name(err), (int)out.n, out.p, g.text, why);
		if (err != E_OK)
			assert_true(slice_eq(field, SLICE_LIT("Cc")) && why[0] != '\0');
		buf_clear(&b);
	}
}

/* Without -t no field is asked for recipients, and one that cannot be read does no harm. */
static void
test_without_t(void **state)
{
	struct header_facts f = facts;
	struct slice field;
	struct buf b;
	struct got g = { "", 0 };
	const char *why, *want = "To: ((\r\n" FROM DATE ID;

	(void)state;
	f.extract = 0;
	buf_init(&b, 4096);
	assert_int_equal(header_fix(&b, SLICE_LIT("To: ((\r\nBcc: x@y.example\r\n"), &f, collect, &g, &field, &why), E_OK);
	assert_true(slice_eq(buf_slice(&b), slice_str(want)));
	assert_int_equal(g.n, 0);
	buf_clear(&b);
}

static void
test_phrase(void **state)
{
	static const struct { const char *in, *want; } names[] = {
		{ "Al B", "Al B" }, { "Al B.", "\"Al B.\"" }, { "a \"q\" \\", "\"a \\\"q\\\" \\\\\"" }, { "", "" },
		{ "J\xc3\xb6rg", "=?utf-8?B?SsO2cmc=?=" },
		/* 46 octets: the second word begins with a whole character */
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xb6", "=?utf-8?B?YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"
		    "YWFhYWFhYWFhYWFhYWE=?=\r\n =?utf-8?B?w7Y=?=" },
	};
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		buf_init(&b, 4096);
		assert_int_equal(header_add_phrase(&b, names[i].in), E_OK);
		if (!slice_eq(buf_slice(&b), slice_str(names[i].want)))
			fail_msg("%s: %.*s", names[i].in, (int)b.len, buf_slice(&b).p);
		buf_clear(&b);
	}
}

/* ---- message.h ---- */

static int
body(void *arg, struct slice s)
{
	return (buf_add(arg, s.p, s.n));
}

static const struct { const char *name; int keep_dot; const char *in, *header, *body; int ended; } inputs[] = {
	{ "LF", 0, "A: b\n\nx\n", "A: b\r\n", "x\r\n", 0 },
	{ "CRLF", 0, "A: b\r\n\r\nx\r\n", "A: b\r\n", "x\r\n", 0 },
	{ "no last end", 0, "A: b\n\nx", "A: b\r\n", "x\r\n", 0 },
	{ "header alone", 0, "A: b", "A: b\r\n", "", 0 },
	{ "nothing", 0, "", "", "", 0 },
	{ "empty line alone", 0, "\n", "", "", 0 },
	{ "body alone", 0, "\nx\n", "", "x\r\n", 0 },
	{ "no header", 0, "hello\nyou\n", "", "hello\r\nyou\r\n", 0 },
	{ "a line that is none", 0, "A: b\nhello\nC: d\n", "A: b\r\n", "hello\r\nC: d\r\n", 0 },
	{ "folded", 0, "A: b\n\tc\n d\n\nx\n", "A: b\r\n\tc\r\n d\r\n", "x\r\n", 0 },
	{ "folded from the first", 0, " a\nB: c\n", "", " a\r\nB: c\r\n", 0 },
	{ "mbox", 0, "From a Sat\nA: b\n\nFrom x\n", "A: b\r\n", "From x\r\n", 0 },
	{ "mbox quoted", 0, ">From a Sat\n>>From b\nA: b\n\n", "A: b\r\n", "", 0 },
	{ "mbox in the midst", 0, "A: b\nFrom a Sat\n\nx\n", "A: b\r\n", "From a Sat\r\n\r\nx\r\n", 0 },
	{ "dot", 0, "A: b\n\nx\n.\ny\n", "A: b\r\n", "x\r\n", 1 },
	{ "dot CRLF", 0, "A: b\r\n\r\nx\r\n.\r\ny\r\n", "A: b\r\n", "x\r\n", 1 },
	{ "dot kept", 1, "A: b\n\nx\n.\ny\n", "A: b\r\n", "x\r\n.\r\ny\r\n", 0 },
	{ "dots", 0, "\n..\n.a\n. \n.\r.\n", "", "..\r\n.a\r\n. \r\n. .\r\n", 0 },
	{ "dot in the header", 0, "A: b\n.\nx\n", "A: b\r\n", "", 1 },
	{ "dot at the end", 0, "\nx\n.", "", "x\r\n", 0 },
	{ "dot first", 0, ".\nx\n", "", "", 1 },
	{ "stray CR", 0, "A: b\rc\n\nd\r\r\ne\rf", "A: b c\r\n", "d \r\ne f\r\n", 0 },
	{ "CR at the end", 0, "\nx\r", "", "x\r\n", 0 },
	{ "8 bits", 0, "A: \xf6\n\nx\n", "A: \xf6\r\n", "x\r\n", 0 },
};

static void
test_input(void **state)
{
	static struct message m;
	struct buf b;
	size_t i, at, step, n;

	(void)state;
	for (i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		n = strlen(inputs[i].in);
		for (step = 1; step <= n + 2; step += n + 1) {	/* octet by octet, and at once */
			buf_init(&b, 4096);
			message_init(&m, inputs[i].keep_dot, body, &b);
			for (at = 0; at < n; at += step)
				assert_int_equal(message_feed(&m, slice_make(inputs[i].in + at, n - at < step ? n - at : step)),
				    E_OK);
			assert_int_equal(message_end(&m), E_OK);
			if (!slice_eq(buf_slice(&m.header), slice_str(inputs[i].header)) ||
			    !slice_eq(buf_slice(&b), slice_str(inputs[i].body)) || m.ended != inputs[i].ended)
				fail_msg("%s by %zu: header \"%.*s\" body \"%.*s\" ended %d", inputs[i].name, step,
				    (int)m.header.len, buf_slice(&m.header).p, (int)b.len, buf_slice(&b).p, m.ended);
			message_clear(&m);
			buf_clear(&b);
		}
	}
}

static void
test_input_8bit(void **state)
{
	static struct message m;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	message_init(&m, 0, body, &b);
	assert_int_equal(message_feed(&m, SLICE_LIT("A: \xc3\xb6\n\nx\n")), E_OK);
	assert_int_equal(message_end(&m), E_OK);
	assert_true(m.header8 && !m.body8);
	message_clear(&m);
	message_init(&m, 0, body, &b);
	assert_int_equal(message_feed(&m, SLICE_LIT("A: b\n\n\xff\n")), E_OK);
	assert_int_equal(message_end(&m), E_OK);
	assert_true(!m.header8 && m.body8);
	message_clear(&m);
	buf_clear(&b);
}

/* A header section of exactly so many octets; a body of any. */
static void
test_header_limit(void **state)
{
	static struct message m;
	char *text;
	struct buf b;
	size_t n;
	int err;

	(void)state;
	text = malloc(SENDMAIL_HEADER_MAX + 16);
	assert_non_null(text);
	for (n = SENDMAIL_HEADER_MAX - 1; n <= SENDMAIL_HEADER_MAX + 1; n++) {
		memset(text, 'x', n);
		(void)memcpy(text, "A: ", 3);
		(void)memcpy(text + n - 2, "\r\n\r\n", 4);
		buf_init(&b, 4096);
		message_init(&m, 0, body, &b);
		err = message_feed(&m, slice_make(text, n + 2));
		if (err == E_OK)
			err = message_end(&m);
		assert_int_equal(err, n <= SENDMAIL_HEADER_MAX ? E_OK : E_LIMIT);
		message_clear(&m);
		buf_clear(&b);
	}
	/* What is no header section has no such limit. */
	memset(text, 'x', SENDMAIL_HEADER_MAX + 16);
	buf_init(&b, 2 * SENDMAIL_HEADER_MAX);
	message_init(&m, 0, body, &b);
	assert_int_equal(message_feed(&m, slice_make(text, SENDMAIL_HEADER_MAX + 16)), E_OK);
	assert_int_equal(message_end(&m), E_OK);
	assert_int_equal(b.len, SENDMAIL_HEADER_MAX + 18);
	message_clear(&m);
	buf_clear(&b);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fix), cmocka_unit_test(test_without_t), cmocka_unit_test(test_phrase),
		cmocka_unit_test(test_input), cmocka_unit_test(test_input_8bit), cmocka_unit_test(test_header_limit),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
