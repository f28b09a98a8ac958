/*
 * notice_test.c -- notices: one as a golden text, the rest by what must and must not stand in them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/err.h"
#include "queue/notice.h"

#define WHEN 1795305325		/* Sat, 21 Nov 2026 23:55:25 */

static struct message message;
static struct recipient rcpt[3];
static struct notice notice;

static int
setup(void **state)
{
	memset(&message, 0, sizeof(message));
	memset(rcpt, 0, sizeof(rcpt));
	memset(&notice, 0, sizeof(notice));
	message.msgid = 127;
	message.arrival = WHEN - 60;
	message.nrcpt = 2;
	rcpt[0].state = RCPT_FAILED;
	rcpt[0].code = 550;
	rcpt[0].enhanced = (struct enhanced){ 5, 1, 1 };
	rcpt[0].last = WHEN - 1;
	(void)snprintf(rcpt[0].address, sizeof(rcpt[0].address), "b@example.net");
	(void)snprintf(rcpt[0].relay, sizeof(rcpt[0].relay), "mx.example.net[198.51.100.3]:25");
	(void)snprintf(rcpt[0].text, sizeof(rcpt[0].text), "5.1.1 no such user here");
	notice.kind = NOTICE_FAILURE;
	notice.hostname = "mx.example.org";
	notice.to = "a@example.org";
	notice.message = &message;
	notice.rcpt = rcpt;
	notice.nrcpt = 1;
	notice.original = SLICE_LIT("Subject: hello\r\nFrom: a@example.org\r\n\r\nsecret body\r\n");
	notice.msgid = 1000;
	notice.now = WHEN;
	return (0);
}

static char *
written(void)
{
	struct buf b;
	char *s;

	buf_init(&b, 1u << 20);
	assert_int_equal(notice_write(&b, &notice), E_OK);
	s = malloc(b.len + 1);
	assert_non_null(s);
	memcpy(s, buf_slice(&b).p, b.len);
	s[b.len] = '\0';
	buf_clear(&b);
	return (s);
}

static void
test_golden(void **state)
{
	static const char want[] =
	    "Date: Sat, 21 Nov 2026 23:55:25 +0000\r\n"
	    "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>\r\n"
	    "To: <a@example.org>\r\n"
	    "Subject: Undelivered mail\r\n"
	    "Message-ID: <Z8.notice@mx.example.org>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"=_postern-Z8\"\r\n"
	    "\r\n"
	    "This is a delivery status notification in MIME format.\r\n"
	    "\r\n"
	    "--=_postern-Z8\r\n"
	    "Content-Description: Notification\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "\r\n"
	    "This is the mail system at mx.example.org.\r\n"
	    "\r\n"
	    "Your message could not be delivered to the recipients named below.\r\n"
	    "This is final: no further attempt will be made.\r\n"
	    "\r\n"
	    "Queue ID: 3Z, received Sat, 21 Nov 2026 23:54:25 +0000\r\n"
	    "\r\n"
	    "<b@example.net>\r\n"
	    "    mx.example.net[198.51.100.3]:25 said:\r\n"
	    "        550 5.1.1 no such user here\r\n"
	    "\r\n"
	    "--=_postern-Z8\r\n"
	    "Content-Description: Delivery report\r\n"
	    "Content-Type: message/delivery-status\r\n"
	    "\r\n"
	    "Reporting-MTA: dns; mx.example.org\r\n"
	    "Arrival-Date: Sat, 21 Nov 2026 23:54:25 +0000\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; b@example.net\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.example.net\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such user here\r\n"
	    "Last-Attempt-Date: Sat, 21 Nov 2026 23:55:24 +0000\r\n"
	    "\r\n"
	    "--=_postern-Z8\r\n"
	    "Content-Description: Header of the message\r\n"
	    "Content-Type: text/rfc822-headers\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n"
	    "\r\n"
	    "Subject: hello\r\n"
	    "From: a@example.org\r\n"
	    "\r\n"
	    "--=_postern-Z8--\r\n";
	char *got = written();

	assert_string_equal(got, want);
	free(got);
}

/* What each state of affairs must bring into the notice, and must not. */
static void
test_fields(void **state)
{
	char *s;

	rcpt[1] = rcpt[0];
	rcpt[1].state = RCPT_EXPIRED;
	rcpt[1].code = 0;
	rcpt[1].enhanced = (struct enhanced){ 4, 4, 1 };
	(void)snprintf(rcpt[1].address, sizeof(rcpt[1].address), "late@example.net");
	(void)snprintf(rcpt[1].text, sizeof(rcpt[1].text), "connection refused");
	(void)snprintf(rcpt[1].orcpt, sizeof(rcpt[1].orcpt), "rfc822;old@example.com");
	(void)snprintf(message.envid, sizeof(message.envid), "QQ314159");
	notice.nrcpt = 2;
	s = written();
	assert_non_null(strstr(s, "\r\nOriginal-Envelope-Id: QQ314159\r\n"));
	assert_non_null(strstr(s, "\r\nOriginal-Recipient: rfc822;old@example.com\r\n"
	    "Final-Recipient: rfc822; late@example.net\r\n"));
	assert_non_null(strstr(s, "\r\nStatus: 4.4.7\r\n"));
	assert_non_null(strstr(s, "\r\nDiagnostic-Code: x-postern; connection refused\r\n"));
	assert_non_null(strstr(s, "was tried until its time was over"));
	assert_null(strstr(s, "secret body"));
	assert_null(strstr(s, "Will-Retry-Until"));
	free(s);

	notice.kind = NOTICE_DELAY;
	notice.expires = WHEN + 86400;
	rcpt[1].state = RCPT_DEFERRED;
	notice.rcpt = &rcpt[1];
	notice.nrcpt = 1;
	s = written();
	assert_non_null(strstr(s, "\r\nSubject: Delayed mail (still being tried)\r\n"));
	assert_non_null(strstr(s, "\r\nAction: delayed\r\nStatus: 4.4.1\r\n"));
	assert_non_null(strstr(s, "\r\nWill-Retry-Until: Sun, 22 Nov 2026 23:55:25 +0000\r\n"));
	free(s);

	notice.double_bounce = 1;
	s = written();
	assert_non_null(strstr(s, "copy is for the postmaster"));
	free(s);
}

/* Headers of every awkward shape: none changes the structure. */
static void
test_hostile(void **state)
{
	static const struct { struct slice header; const char *has, *has_not; } t[] = {
		{ SLICE_LIT(""), "Content-Transfer-Encoding: 7bit\r\n\r\n\r\n--=_postern-Z8--", NULL },
		{ SLICE_LIT("\r\nbody without a header"), "7bit\r\n\r\n\r\n--=_postern-Z8--", "without" },
		{ SLICE_LIT("--=_postern-Z8--\r\nX: y\r\n\r\n"), "\r\n --=_postern-Z8--\r\nX: y\r\n", NULL },
		{ SLICE_LIT("X: a\nb\rc\0d\x01\r\n\r\n"), "X: a?b?c?d?\r\n", "\na" },
		{ SLICE_LIT("X: \xc3\xa9\r\n\r\n"), "charset=utf-8\r\nContent-Transfer-Encoding: 8bit", NULL },
		{ SLICE_LIT("X: no end of line"), "X: no end of line\r\n\r\n--=_postern-Z8--", NULL },
	};
	size_t i;
	char *s;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		notice.original = t[i].header;
		s = written();
		assert_non_null(strstr(s, t[i].has));
		if (t[i].has_not != NULL)
			assert_null(strstr(s, t[i].has_not));
		free(s);
	}
	/* The remote host's words do not begin a line, a field or a part. */
	(void)snprintf(rcpt[0].text, sizeof(rcpt[0].text), "x --=_postern-Z8-- Bcc: evil@example.com\x7f\xff");
	notice.original = SLICE_LIT("");
	s = written();
	assert_null(strstr(s, "\r\n--=_postern-Z8-- "));
	assert_null(strstr(s, "\r\nBcc:"));
	assert_non_null(strstr(s, "evil@example.com??\r\n"));
	free(s);
}

static void
test_long_lines(void **state)
{
	static char header[NOTICE_HEADER_MAX + 100];
	const char *line, *nl;
	char *s;

	memset(header, 'h', sizeof(header));
	memset(rcpt[0].text, 't', REPLY_TEXT_MAX);
	notice.original = slice_make(header, sizeof(header));
	s = written();
	for (line = s; *line != '\0'; line = nl + 2) {
		nl = strstr(line, "\r\n");
		assert_non_null(nl);
		assert_true(nl - line <= TEXT_LINE_MAX);
	}
	assert_true(strlen(s) < 2 * NOTICE_HEADER_MAX + NOTICE_ROOM + NOTICE_RCPT_ROOM);
	free(s);
}

/* The original's header is told up to a limit, and its lines are folded behind another. */
static void
test_header_limits(void **state)
{
	static char header[NOTICE_HEADER_MAX + 1];
	size_t i, n, told;
	char *s, *line;

	memset(header, '~', sizeof(header));
	for (n = NOTICE_HEADER_MAX - 1; n <= NOTICE_HEADER_MAX + 1; n++) {
		notice.original = slice_make(header, n);
		s = written();
		for (i = 0, told = 0; s[i] != '\0'; i++)
			told += s[i] == '~';
		assert_int_equal(told, n > NOTICE_HEADER_MAX ? NOTICE_HEADER_MAX : n);
		free(s);
	}
	for (n = TEXT_LINE_MAX - 1; n <= TEXT_LINE_MAX + 1; n++) {
		notice.original = slice_make(header, n);
		s = written();
		assert_non_null(line = strchr(s, '~'));
		assert_int_equal(strcspn(line, "\r"), n > TEXT_LINE_MAX ? TEXT_LINE_MAX : n);
		assert_true((strstr(line, "\r\n\t~\r\n") != NULL) == (n > TEXT_LINE_MAX));
		free(s);
	}
}

static void
test_room(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_int_equal(notice_write(&b, &notice), E_LIMIT);
	assert_int_equal(b.len, 0);
	buf_clear(&b);
}

static void
test_wanted(void **state)
{
	static const struct { uint8_t notify; int failure, delay, success; } t[] = {
		{ 0, 1, 1, 0 },
		{ NOTIFY_NEVER, 0, 0, 0 },
		{ NOTIFY_FAILURE, 1, 0, 0 },
		{ NOTIFY_DELAY, 0, 1, 0 },
		{ NOTIFY_SUCCESS, 0, 0, 1 },
		{ NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, 1, 1, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(notice_wanted(NOTICE_FAILURE, t[i].notify), t[i].failure);
		assert_int_equal(notice_wanted(NOTICE_DELAY, t[i].notify), t[i].delay);
		assert_int_equal(notice_wanted(NOTICE_SUCCESS, t[i].notify), t[i].success);
	}
}

static void
test_rate(void **state)
{
	static struct notice_rate r;
	char to[32];
	int i, n;

	for (i = 0, n = 0; i < 2 * NOTICE_ADDRESS_MAX; i++)
		n += notice_rate_take(&r, "a@example.org", 60000 + (uint64_t)i * 400);
	assert_int_equal(n, NOTICE_ADDRESS_MAX);
	assert_true(notice_rate_take(&r, "a@example.org", 120000));
	for (i = 0, n = 0; i < 10 * NOTICE_RATE_MAX; i++) {
		(void)snprintf(to, sizeof(to), "u%d@example.org", i);
		n += notice_rate_take(&r, to, 180000);
	}
	assert_int_equal(n, NOTICE_RATE_MAX);
	assert_true(notice_rate_take(&r, "z@example.org", 181000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_golden, setup),
		cmocka_unit_test_setup(test_fields, setup),
		cmocka_unit_test_setup(test_hostile, setup),
		cmocka_unit_test_setup(test_long_lines, setup),
		cmocka_unit_test_setup(test_header_limits, setup),
		cmocka_unit_test_setup(test_room, setup),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_rate),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
