/*
 * queue_notice_fuzz.c -- whatever a remote host said and whatever the original's header holds, a notice
 * keeps its shape: its header fields and no others, three parts, lines of at most 998 octets, no bare CR or
 * LF, no NUL, and delivery-status fields that are known.
 *
 * Input: octet kind, octet state (its bits: expired, double bounce, owned, by, full, SMTPUTF8, to a UTF-8 address), octet
 * code; then reply text, relay, ORCPT, ENVID, local part up to a NUL each; the rest is the original.  With RET=FULL
 * what follows its header may be any lines.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "queue/notice.h"

#define CHECK(c)	do { if (!(c)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A NUL-terminated string of the input, as the record decoder lets it in: no CR or LF. */
static void
take(char *dst, size_t size, const uint8_t **p, size_t *n)
{
	size_t i = 0;

	while (*n != 0 && **p != 0) {
		if (i < size - 1 && **p != '\r' && **p != '\n')
			dst[i++] = (char)**p;
		(*p)++;
		(*n)--;
	}
	if (*n != 0) {
		(*p)++;
		(*n)--;
	}
	dst[i] = '\0';
}

static int
begins(const char *line, size_t n, const char *with)
{
	size_t w = strlen(with);

	return (n >= w && memcmp(line, with, w) == 0);
}

static int
one_of(const char *line, size_t n, const char *const *set)
{
	for (; *set != NULL; set++)
		if (begins(line, n, *set))
			return (1);
	return (0);
}

static int
is_ascii(const char *s, size_t n)
{
	for (; n != 0; n--)
		if ((unsigned char)*s++ >= 0x80)
			return (0);
	return (1);
}

static void
check(const char *s, size_t len, int utf8)
{
	static const char *const head[] = { "Date: ", "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>",
"To: <a@example.org>", "To: <\xc3\xa9@example.org>", "Subject: ", "Message-ID: ", "Auto-Submitted: auto-replied", "MIME-Version: 1.0",
	    "Content-Type: multipart/report; report-type=delivery-status;", "\tboundary=",
	    "Content-Transfer-Encoding: 8bit", NULL };
	static const char *const status[] = { "Original-Envelope-Id: ", "Reporting-MTA: dns; ", "Received-From-MTA: ",
	    "Arrival-Date: ", "Original-Recipient: ", "Final-Recipient: ", "Deliver-By-Date: ", "Action: ",
	    "Status: ", "Remote-MTA: dns; ", "Diagnostic-Code: ", "Last-Attempt-Date: ", "Will-Retry-Until: ",
	    "\t", NULL };
	enum { HEAD, PREAMBLE, PART_HEAD, PART, END } at = HEAD;
	unsigned part = 0, lines = 0, declared = 0, eight = 0;
	const char *nl;
	size_t i, n;

	for (i = 0; i < len; i += n + 2) {
		nl = memchr(s + i, '\r', len - i);
		CHECK(nl != NULL && nl + 1 < s + len && nl[1] == '\n');
		n = (size_t)(nl - (s + i));
		CHECK(n <= TEXT_LINE_MAX);
		CHECK(memchr(s + i, '\n', n) == NULL && memchr(s + i, '\0', n) == NULL);
		CHECK(at != END);
		if (begins(s + i, n, "--=_postern-Z8")) {
			CHECK(at != HEAD);
			if (n == 16 && begins(s + i, n, "--=_postern-Z8--")) {
				CHECK(part == 3);
				at = END;
			} else {
				CHECK(n == 14);
				part++;
				at = PART_HEAD;
			}
			continue;
		}
		switch (at) {
		case HEAD:
			if (n == 0)
				at = PREAMBLE;
			else {
				CHECK(one_of(s + i, n, head));
				lines++;
				declared += begins(s + i, n, "Content-Transfer-Encoding: 8bit");
			}
			break;
		case PART_HEAD:
			if (n == 0)
				at = PART;
			else
				CHECK(begins(s + i, n, "Content-"));
			break;
		case PART:
			if (part == 2 && n != 0)
				CHECK(one_of(s + i, n, status));
			if (part == 2)
				CHECK(utf8 || is_ascii(s + i, n));
			break;
		default:
			break;
		}
	}
	for (i = 0; i < len; i++)
		eight |= (unsigned char)s[i] >= 0x80;
	/* RFC 2045 6.4: 8-bit octets in a part are declared by the whole. */
	CHECK(at == END && declared <= 1 && lines == 9 + declared && eight <= declared);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct message m;
	static struct recipient r;
	struct notice notice = { 0 };
	struct buf b;
	int utf8;

	if (n < 3)
		return (0);
	memset(&m, 0, sizeof(m));
	memset(&r, 0, sizeof(r));
	notice.kind = (enum notice_kind)(p[0] % NOTICE_KINDS);
	r.state = p[1] & 1 ? RCPT_EXPIRED : RCPT_FAILED;
	r.owed = p[0] / NOTICE_KINDS % OWED_KINDS;
	notice.double_bounce = p[1] & 2;
	notice.owned = p[1] & 4;
	notice.by = notice.kind == NOTICE_DELAY && (p[1] & 8) != 0;
	notice.full = p[1] & 16;
	m.flags = p[1] & 32 ? MSGF_UTF8 : 0;
	notice.to = p[1] & 64 ? "\xc3\xa9@example.org" : "a@example.org";
	utf8 = (p[1] & (32 | 64)) != 0;
	r.code = p[2] != 0 ? 400 + p[2] % 200 : 0;
	p += 3;
	n -= 3;
	take(r.text, sizeof(r.text), &p, &n);
	take(r.relay, sizeof(r.relay), &p, &n);
	take(r.orcpt, sizeof(r.orcpt), &p, &n);
	take(m.envid, sizeof(m.envid), &p, &n);
	take(r.address, sizeof(r.address), &p, &n);
	m.msgid = 127;
	notice.hostname = "mx.example.org";
	notice.message = &m;
	notice.rcpt = &r;
	notice.nrcpt = 1;
	notice.original = slice_make(p, n);
	notice.msgid = 1000;
	notice.expires = 1795305325;
	notice.deadline = 1795305320;
	buf_init(&b, 1u << 20);
	CHECK(notice_write(&b, &notice) == E_OK);
	check(buf_slice(&b).p, b.len, utf8);
	buf_clear(&b);
	return (0);
}
