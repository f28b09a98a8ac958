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
#include "common/limits.h"
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

/* The parts that a kind of notice has of its own, as a whole: from its subject, and from Arrival-Date on. */
static void
test_success(void **state)
{
	static const char head[] =
	    "Subject: Mail delivered\r\n";
	static const char readable[] =
	    "This is the report on your message that you asked for.\r\n"
	    "\r\n"
	    "Queue ID: 3Z, received Sat, 21 Nov 2026 23:54:25 +0000\r\n"
	    "\r\n"
	    "<b@example.net>\r\n"
	    "    has been delivered\r\n"
	    "    maildir:\r\n"
	    "        stored\r\n"
	    "\r\n"
	    "<c@example.net>\r\n"
	    "    by way of <team@example.org>\r\n"
	    "    is on its way: the next mail system has it, and may not tell of its end\r\n"
	    "    mx.example.net[198.51.100.3]:25 said:\r\n"
	    "        250 2.1.5 ok\r\n"
	    "\r\n"
	    "<team@example.org>\r\n"
	    "    stands for several others; your message is on its way to them\r\n"
	    "\r\n"
	    "--=_postern-Z8\r\n"
	    "Content-Description: Delivery report\r\n"
	    "Content-Type: message/delivery-status\r\n"
	    "\r\n"
	    "Original-Envelope-Id: QQ314159\r\n"
	    "Reporting-MTA: dns; mx.example.org\r\n"
	    "Arrival-Date: Sat, 21 Nov 2026 23:54:25 +0000\r\n"
	    "Deliver-By-Date: Sat, 21 Nov 2026 23:56:25 +0000\r\n"
	    "\r\n"
	    "Original-Recipient: rfc822;old@example.com\r\n"
	    "Final-Recipient: rfc822; b@example.net\r\n"
	    "Action: delivered\r\n"
	    "Status: 2.1.5\r\n"
	    "Diagnostic-Code: x-postern; stored\r\n"
	    "Last-Attempt-Date: Sat, 21 Nov 2026 23:55:24 +0000\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; c@example.net\r\n"
	    "Action: relayed\r\n"
	    "Status: 2.1.5\r\n"
	    "Remote-MTA: dns; mx.example.net\r\n"
	    "Diagnostic-Code: smtp; 250 2.1.5 ok\r\n"
	    "Last-Attempt-Date: Sat, 21 Nov 2026 23:55:24 +0000\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; team@example.org\r\n"
	    "Action: expanded\r\n"
	    "Status: 2.0.0\r\n"
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
	char *s, *at;

	notice.kind = NOTICE_SUCCESS;
	notice.deadline = WHEN + 60;
	notice.nrcpt = 3;
	(void)snprintf(message.envid, sizeof(message.envid), "QQ314159");
	rcpt[1] = rcpt[0];
	rcpt[0].state = RCPT_DELIVERED;
	rcpt[0].owed = OWED_DELIVERED;
	rcpt[0].code = 0;
	rcpt[0].enhanced = (struct enhanced){ 2, 1, 5 };
	(void)snprintf(rcpt[0].relay, sizeof(rcpt[0].relay), "maildir");
	(void)snprintf(rcpt[0].text, sizeof(rcpt[0].text), "stored");
	(void)snprintf(rcpt[0].orcpt, sizeof(rcpt[0].orcpt), "rfc822;old@example.com");
	rcpt[1].state = RCPT_DELIVERED;
	rcpt[1].owed = OWED_RELAYED;
	rcpt[1].code = 250;
	rcpt[1].enhanced = (struct enhanced){ 2, 1, 5 };
	(void)snprintf(rcpt[1].address, sizeof(rcpt[1].address), "c@example.net");
	(void)snprintf(rcpt[1].alias, sizeof(rcpt[1].alias), "team@example.org");
	(void)snprintf(rcpt[1].text, sizeof(rcpt[1].text), "2.1.5 ok");
	rcpt[2].state = RCPT_DELIVERED;
	rcpt[2].owed = OWED_EXPANDED;
	(void)snprintf(rcpt[2].address, sizeof(rcpt[2].address), "team@example.org");
	s = written();
	assert_non_null(strstr(s, head));
	assert_non_null(at = strstr(s, "This is the report"));
	assert_string_equal(at, readable);
	free(s);

	notice.rcpt = &rcpt[1];		/* the subject says what became of all of them */
	notice.nrcpt = 1;
	s = written();
	assert_non_null(strstr(s, "Subject: Mail relayed\r\n"));
	free(s);
	notice.rcpt = &rcpt[2];
	s = written();
	assert_non_null(strstr(s, "Subject: Mail sent on\r\n"));
	free(s);
	notice.owned = 1;		/* RFC 3461 5.2.7.1: a list's owner learns nothing of the sender's envelope */
	notice.rcpt = &rcpt[1];
	s = written();
	assert_null(strstr(s, "Original-Envelope-Id"));
	assert_null(strstr(s, "by way of"));
	free(s);
}

/* RFC 2852 4.1.3 and 5. */
static void
test_deadline(void **state)
{
	char *s;

	notice.kind = NOTICE_DELAY;
	notice.by = 1;
	notice.deadline = WHEN;
	notice.expires = WHEN + 86400;
	rcpt[0].state = RCPT_DEFERRED;
	rcpt[0].enhanced = (struct enhanced){ 4, 2, 1 };
	s = written();
	assert_non_null(strstr(s, "The time within which you wanted it delivered is over.\r\n"));
	assert_non_null(strstr(s, "\r\nArrival-Date: Sat, 21 Nov 2026 23:54:25 +0000\r\n"
	    "Deliver-By-Date: Sat, 21 Nov 2026 23:55:25 +0000\r\n\r\n"));
	assert_non_null(strstr(s, "\r\nAction: delayed\r\nStatus: 4.4.7\r\n"));
	free(s);

	notice.kind = NOTICE_FAILURE;
	notice.by = 0;
	message.by_mode = BY_RETURN;
	rcpt[0].state = RCPT_FAILED;
	rcpt[0].attempts = 1;
	rcpt[0].code = 450;
	rcpt[0].enhanced = (struct enhanced){ 5, 4, 7 };
	s = written();
	assert_non_null(strstr(s, "        450 5.1.1 no such user here\r\n"
	    "    was not delivered within the time that you asked for\r\n"));
	assert_non_null(strstr(s, "\r\nAction: failed\r\nStatus: 5.4.7\r\n"));
	free(s);
}

/* RET=FULL: what can stand in a part stands in it, octet for octet; what cannot comes back as its header. */
static void
test_full(void **state)
{
	static char line[TEXT_LINE_MAX + 20];
	static const struct { struct slice original; const char *has; } t[] = {
		{ SLICE_LIT("S: x\r\n\r\nbody\r\n"),
		    "Content-Description: The message\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n"
		    "\r\nS: x\r\n\r\nbody\r\n\r\n--=_postern-Z8--\r\n" },
		{ SLICE_LIT("S: x\r\n\r\nb\xc3\xa9\r\n"), "message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n" },
		{ SLICE_LIT("S: x\r\n\r\nno end"), "\r\nno end\r\n--=_postern-Z8--\r\n" },
		{ SLICE_LIT("S: x\r\n\r\na\nb\r\n"), "text/rfc822-headers" },
		{ SLICE_LIT("S: x\r\n\r\na\rb\r\n"), "text/rfc822-headers" },
		{ SLICE_LIT("S: x\r\n\r\na\r"), "text/rfc822-headers" },
		{ SLICE_LIT("S: x\r\n\r\na\0b\r\n"), "text/rfc822-headers" },
		{ SLICE_LIT("S: x\r\n\r\n--=_postern-Z8\r\n"), "text/rfc822-headers" },
		{ SLICE_LIT("S: x\r\n\r\n--=_postern-Z8"), "text/rfc822-headers" },
		{ SLICE_LIT("S: x\r\n\r\n--=_postern-Z\r\n"), "message/rfc822" },
		{ SLICE_LIT("\r\nbody alone\r\n"), "\r\n\r\n\r\nbody alone\r\n\r\n--=_postern" },
		{ SLICE_LIT(""), "text/rfc822-headers" },
	};
	size_t i, n;
	char *s;

	notice.full = 1;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		notice.original = t[i].original;
		s = written();
		if (strstr(s, t[i].has) == NULL)
			fail_msg("row %zu: %s", i, s);
		free(s);
	}
	for (n = TEXT_LINE_MAX - 1; n <= TEXT_LINE_MAX + 1; n++) {
		memset(line, 'x', n);
		memcpy(line, "X: y\r\n\r\n", 8);
		memset(line + 8, 'x', n);
		memcpy(line + 8 + n, "\r\n", 2);
		notice.original = slice_make(line, n + 10);
		s = written();
		assert_true((strstr(s, "message/rfc822\r\n") != NULL) == (n <= TEXT_LINE_MAX));
		free(s);
	}
}

/* RFC 6533: address forms, media types, encodings. */
static void
test_utf8(void **state)
{
	static const struct {
		const char *to, *address, *orcpt, *header;
		uint32_t flags;
		const char *has[5];
	} t[] = {
		/* By SMTPUTF8, back to an ASCII address: the header goes encoded. */
		{ "a@example.org", "j\xc3\xb6rg@example.net", "utf-8;j\\x{F6}rg@example.net", "S: \xc3\xa9\r\n\r\n", MSGF_UTF8,
		    { "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
		    "\r\nOriginal-Recipient: utf-8; j\xc3\xb6rg@example.net\r\nFinal-Recipient: utf-8; j\xc3\xb6rg@example.net\r\n",
		    "message/global-headers\r\nContent-Transfer-Encoding: base64\r\n\r\nUzogw6kNCg==\r\n",
		    "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", "\r\n<j\xc3\xb6rg@example.net>\r\n" } },
		/* To one that needs SMTPUTF8 itself: as it is. */
		{ "\xc3\xa9@example.org", "b@example.net", "", "S: \xc3\xa9\r\n\r\n", MSGF_UTF8,
		    { "To: <\xc3\xa9@example.org>\r\n", "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n",
		    "message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nS: \xc3\xa9\r\n",
		    "message/global-delivery-status", "Final-Recipient: rfc822; b@example.net\r\n" } },
		/* Without SMTPUTF8 (an alias led there): a part of 7 bits, the address in its escapes. */
		{ "a@example.org", "j\xc3\xb6r+g@example.net", "utf-8;\xe2\x82\xac@example.net", "S: x\r\n\r\n", 0,
		    { "Content-Type: message/delivery-status\r\n\r\n", "\r\nOriginal-Recipient: utf-8; \\x{20AC}@example.net\r\n",
		    "\r\nFinal-Recipient: utf-8; j\\x{F6}r\\x{2B}g@example.net\r\n", "text/rfc822-headers", "7bit" } },
		/* Escapes stay escapes there; what is none stays as it came. */
		{ "a@example.org", "b@example.net", "utf-8;\\x{F6}@example.net", "S: x\r\n\r\n", 0,
		    { "Original-Recipient: utf-8; \\x{F6}@example.net\r\n", "us-ascii", "7bit", "7bit", "7bit" } },
		{ "\xc3\xa9@example.org", "b@example.net", "UTF-8;\\x{D800}\\x{10}\\x{110000}\\x{20ac}\\x{1F600}@x", "S: x\r\n\r\n",
		    0, { "Original-Recipient: utf-8; \\x{D800}\\x{10}\\x{110000}\\x{20ac}\xf0\x9f\x98\x80@x\r\n", "8bit", "8bit",
		    "8bit", "8bit" } },
		/* What is no UTF-8 does not pass for it. */
		{ "\xc3\xa9@example.org", "\xc3(\xc0\xaf\xed\xa0\x80\xf5\xc2\x85@x", "", "S: x\r\n\r\n", MSGF_UTF8,
		    { "Final-Recipient: utf-8; ?(?\?\?\?\?\?\?\?@x\r\n", "8bit", "8bit", "8bit", "8bit" } },
	};
	size_t i, j;
	char *s;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		message.flags = t[i].flags;
		notice.to = t[i].to;
		(void)snprintf(rcpt[0].address, sizeof(rcpt[0].address), "%s", t[i].address);
		(void)snprintf(rcpt[0].orcpt, sizeof(rcpt[0].orcpt), "%s", t[i].orcpt);
		notice.original = slice_str(t[i].header);
		assert_int_equal(notice_needs_utf8(&notice), i != 0 && i != 2 && i != 3);
		s = written();
		for (j = 0; j < 5; j++)
			if (strstr(s, t[i].has[j]) == NULL)
				fail_msg("row %zu lacks %zu: %s", i, j, s);
		free(s);
	}
	/* All of it in UTF-8, and RET=FULL. */
	message.flags = MSGF_UTF8;
	notice.to = "a@example.org";
	notice.full = 1;
	notice.original = SLICE_LIT("S: \xc3\xa9\r\n\r\n\xc3\xa9\r\n");
	s = written();
	assert_non_null(strstr(s, "message/global\r\nContent-Transfer-Encoding: base64\r\n\r\nUzogw6kNCg0Kw6kNCg==\r\n"));
	free(s);
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
		cmocka_unit_test_setup(test_success, setup),
		cmocka_unit_test_setup(test_deadline, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_utf8, setup),
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
