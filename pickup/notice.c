/*
 * notice.c -- see notice.h.  Core.
 */
#include "pickup/notice.h"

#include <string.h>

#include "common/err.h"
#include "common/units.h"

static int
is_reported(const struct notice *n, const struct submit_rcpt *r)
{
	return (verdict_fate(n->talk, r, n->verdict) == FATE_FAILED && verdict_wants_notice(r));
}

size_t
notice_count(const struct notice *n)
{
	size_t i, count = 0;

	if (n->mail->sender[0] == '\0')
		return (0);		/* never a notice about a notice (R16) */
	for (i = 0; i < n->mail->nrcpt; i++)
		count += is_reported(n, &n->mail->rcpt[i]);
	return (count);
}

static int
has_8bit(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return (1);
	}
	return (0);
}

/* The lines up to the first that no message may have: with it the notice would be refused for what the message was. */
static struct slice
fine_lines(struct slice s)
{
	const char *lf, *p = s.p, *end = s.p + s.n;

	for (; p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL; p = lf + 1) {
		if (lf == p || lf[-1] != '\r' || memchr(p, '\0', (size_t)(lf - p)) != NULL ||
		    memchr(p, '\r', (size_t)(lf - 1 - p)) != NULL)
			break;
	}
	return (slice_make(s.p, (size_t)(p - s.p)));
}

/* The header section alone, whole lines, without what would not be one. */
static struct slice
header_of(struct slice s)
{
	const char *end = memmem(s.p, s.n, "\r\n\r\n", 4);
	size_t n;

	if (end != NULL)
		return (slice_make(s.p, (size_t)(end + 2 - s.p)));
	if (s.n >= 2 && memcmp(s.p, "\r\n", 2) == 0)
		return (slice_make(s.p, 0));	/* a body alone */
	for (n = s.n; n > 0 && !(n >= 2 && s.p[n - 2] == '\r' && s.p[n - 1] == '\n'); n--)
		;
	return (slice_make(s.p, n));
}

/* RFC 3463: the class is failed for good, whatever was said last. */
static void
status_of(const struct submit_answer *a, char dst[static ENHANCED_STRLEN])
{
	struct enhanced e = a->enhanced;

	if (e.cls == 0)
		e = (struct enhanced){ .cls = 5 };
	if (e.cls == 4 || a->code == 0)
		e = (struct enhanced){ .cls = 5, .subject = 4, .detail = 7 };	/* its time is over */
	(void)enhanced_str(&e, dst);
}

static int
write_head(struct buf *b, const struct notice *n, int utf8)
{
	char date[DATE_STRLEN];

	return (buf_addf(b, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <%s>\r\n"
	    "Subject: Undelivered mail returned to sender\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=%s;\r\n boundary=\"=_%s\"\r\n"
	    "Content-Transfer-Encoding: %s\r\n\r\n", n->hostname, n->mail->sender, date_str(n->now, date), n->id,
	    n->hostname, utf8 ? "global-delivery-status" : "delivery-status", n->id, utf8 ? "8bit" : "7bit"));
}

static int
write_part(struct buf *b, const struct notice *n, const char *type, int utf8)
{
	return (buf_addf(b, "--=_%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", n->id, type,
	    utf8 ? "8bit" : "7bit"));
}

static int
write_text(struct buf *b, const struct notice *n)
{
	const struct submit_answer *a;
	const struct submit_rcpt *r;
	size_t i;
	int err;

	err = buf_addf(b, "This is the mail system at %s.\r\n\r\n"
	    "A message that you handed in on this machine could not be sent.  It was kept while the\r\n"
	    "mail server was not running, and refused when it was.\r\n\r\n", n->hostname);
	for (i = 0; i < n->mail->nrcpt && err == E_OK; i++) {
		r = &n->mail->rcpt[i];
		if (!is_reported(n, r))
			continue;
		a = verdict_answer(n->talk, r);
		err = a->code == 0 ? buf_addf(b, "<%s>: no answer until its time was over\r\n", r->address) :
		    buf_addf(b, "<%s>: the server said:\r\n    %u %s\r\n", r->address, a->code,
		    a->text != NULL ? a->text : "");
	}
	return (err == E_OK ? buf_adds(b, "\r\n") : err);
}

static int
write_status(struct buf *b, const struct notice *n)
{
	char date[DATE_STRLEN], status[ENHANCED_STRLEN];
	const struct submit_answer *a;
	const struct submit_rcpt *r;
	size_t i;
	int err;

	err = buf_addf(b, "Reporting-MTA: dns; %s\r\n", n->hostname);
	if (err == E_OK && n->mail->envid[0] != '\0')
		err = buf_addf(b, "Original-Envelope-Id: %s\r\n", n->mail->envid);
	if (err == E_OK)
		err = buf_addf(b, "Arrival-Date: %s\r\n", date_str(n->arrival, date));
	for (i = 0; i < n->mail->nrcpt && err == E_OK; i++) {
		r = &n->mail->rcpt[i];
		if (!is_reported(n, r))
			continue;
		a = verdict_answer(n->talk, r);
		status_of(a, status);
		err = buf_addf(b, "\r\nFinal-Recipient: %s; %s\r\nAction: failed\r\nStatus: %s\r\n",
		    has_8bit(slice_str(r->address)) ? "utf-8" : "rfc822", r->address, status);
		if (err == E_OK && a->code != 0)
			err = buf_addf(b, "Diagnostic-Code: smtp; %u %s\r\n", a->code,
			    a->text != NULL ? a->text : "");
	}
	return (err == E_OK ? buf_adds(b, "\r\n") : err);
}

int
notice_write(struct buf *b, const struct notice *n, int *utf8)
{
	struct slice header = fine_lines(header_of(n->header));
	size_t i;
	int err;

	*utf8 = has_8bit(header) || has_8bit(slice_str(n->mail->sender));
	for (i = 0; i < n->mail->nrcpt && !*utf8; i++)
		*utf8 = is_reported(n, &n->mail->rcpt[i]) && has_8bit(slice_str(n->mail->rcpt[i].address));
	if ((err = write_head(b, n, *utf8)) != E_OK ||
	    (err = write_part(b, n, *utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii",
	    *utf8)) != E_OK || (err = write_text(b, n)) != E_OK ||
	    (err = write_part(b, n, *utf8 ? "message/global-delivery-status" : "message/delivery-status",
	    *utf8)) != E_OK || (err = write_status(b, n)) != E_OK ||
	    (err = write_part(b, n, *utf8 ? "message/global-headers" : "text/rfc822-headers", *utf8)) != E_OK ||
	    (err = buf_add(b, header.p, header.n)) != E_OK)
		return (err);
	return (buf_addf(b, "\r\n--=_%s--\r\n", n->id));
}
