/*
 * notice.c -- a notice as a message.  Core; see notice.h.
 */
#include "queue/notice.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/siphash.h"
#include "common/units.h"

#define WRAP		76		/* readable lines */

static void	write_header(struct buf *, const struct notice *, const char *);
static void	write_readable(struct buf *, const struct notice *, const char *);
static void	write_status(struct buf *, const struct notice *, const char *);
static void	write_original(struct buf *, const struct notice *, const char *);
static int	header_is_8bit(const struct notice *);
static void	write_words(struct buf *, const char *);
static void	field_text(struct buf *, const char *, const char *, const char *);
static void	plain(char *, size_t, const char *);
static int	header_octet(struct buf *, unsigned char, size_t *);

static const struct {
	const char *subject, *action, *intro;
} kinds[] = {
	[NOTICE_FAILURE] = { "Undelivered mail", "failed",
	    "Your message could not be delivered to the recipients named below.\r\n"
	    "This is final: no further attempt will be made.\r\n" },
	[NOTICE_DELAY] = { "Delayed mail (still being tried)", "delayed",
	    "Your message could not be delivered yet to the recipients named below.\r\n"
	    "You need not send it again: delivery will be tried further.\r\n" },
	[NOTICE_SUCCESS] = { "Mail delivered", "delivered",
	    "Your message was delivered to the recipients named below.\r\n" },
};

/* All the room is taken first, so that no writer below can fail half-way and leave a gap. */
int
notice_write(struct buf *b, const struct notice *n)
{
	char boundary[64], id[MSGID_STRLEN];
	size_t room;

	room = NOTICE_ROOM + 2 * NOTICE_HEADER_MAX + n->nrcpt * NOTICE_RCPT_ROOM;
	if (b->cap < b->len || b->cap - b->len < room)
		return (E_LIMIT);
	if (buf_reserve(b, room) == NULL)
		return (E_NOMEM);
	/* The id is never reused, and "=_" cannot stand in quoted-printable (RFC 2045 6.7 end); all that
	 * strangers wrote is either indented or has lost "--" at the start of its lines. */
	(void)snprintf(boundary, sizeof(boundary), "=_postern-%s", msgid_str(n->msgid, id));
	write_header(b, n, boundary);
	write_readable(b, n, boundary);
	write_status(b, n, boundary);
	write_original(b, n, boundary);
	return (buf_addf(b, "\r\n--%s--\r\n", boundary));
}

int
notice_wanted(enum notice_kind kind, uint8_t notify)
{
	if (notify == 0)
		return (kind != NOTICE_SUCCESS);
	if (notify & NOTIFY_NEVER)
		return (0);
	switch (kind) {
	case NOTICE_FAILURE:
		return ((notify & NOTIFY_FAILURE) != 0);
	case NOTICE_DELAY:
		return ((notify & NOTIFY_DELAY) != 0);
	default:
		return ((notify & NOTIFY_SUCCESS) != 0);
	}
}

int
notice_rate_take(struct notice_rate *r, const char *to, uint64_t now_ms)
{
	uint16_t *slot;

	if (r->second != now_ms / 1000) {
		r->second = now_ms / 1000;
		r->total = 0;
	}
	if (r->minute != now_ms / 60000) {
		r->minute = now_ms / 60000;
		memset(r->slot, 0, sizeof(r->slot));
	}
	slot = &r->slot[siphash(to, strlen(to)) % NOTICE_SLOTS];
	if (r->total >= NOTICE_RATE_MAX || *slot >= NOTICE_ADDRESS_MAX)
		return (0);
	r->total++;
	(*slot)++;
	return (1);
}

static void
write_header(struct buf *b, const struct notice *n, const char *boundary)
{
	char date[DATE_STRLEN], id[MSGID_STRLEN];

	buf_addf(b, "Date: %s\r\n", date_str(n->now, date));
	buf_addf(b, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", n->hostname);
	buf_addf(b, "To: <%s>\r\n", n->to);
	buf_addf(b, "Subject: %s%s\r\n", n->double_bounce ? "Postmaster copy: " : "",
	    kinds[n->kind].subject);
	buf_addf(b, "Message-ID: <%s.notice@%s>\r\n", msgid_str(n->msgid, id), n->hostname);
	/* RFC 3834 5.1: replies to a message are auto-replied, notices of delay and failure among them. */
	buf_adds(b, "Auto-Submitted: auto-replied\r\n");
	buf_adds(b, "MIME-Version: 1.0\r\n");
	if (header_is_8bit(n))		/* RFC 2045 6.4: a part's encoding is its parent's too */
		buf_adds(b, "Content-Transfer-Encoding: 8bit\r\n");
	buf_addf(b, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n",
	    boundary);
	buf_adds(b, "\r\nThis is a delivery status notification in MIME format.\r\n");
}

static void
write_readable(struct buf *b, const struct notice *n, const char *boundary)
{
	const struct recipient *r;
	char date[DATE_STRLEN], id[MSGID_STRLEN], words[REPLY_TEXT_MAX + 8], relay[sizeof(r->relay)];
	size_t i;

	buf_addf(b, "\r\n--%s\r\nContent-Description: Notification\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n", boundary);
	buf_addf(b, "This is the mail system at %s.\r\n\r\n", n->hostname);
	if (n->double_bounce)
		buf_adds(b, "A notice to a sender could not be delivered; this copy is for the postmaster.\r\n\r\n");
	buf_adds(b, kinds[n->kind].intro);
	if (n->kind == NOTICE_DELAY && n->expires != 0)
		buf_addf(b, "If it cannot be delivered by\r\n%s\r\nyou will be told so.\r\n",
		    date_str(n->expires, date));
	buf_addf(b, "\r\nQueue ID: %s, received %s\r\n", msgid_str(n->message->msgid, id),
	    date_str(n->message->arrival, date));
	for (i = 0; i < n->nrcpt; i++) {
		r = &n->rcpt[i];
		buf_addf(b, "\r\n<%s>\r\n", r->address);
		if (r->state == RCPT_EXPIRED)
			buf_adds(b, "    was tried until its time was over; the last answer was:\r\n");
		if (r->relay[0] != '\0') {
			plain(relay, sizeof(relay), r->relay);
			buf_addf(b, r->code != 0 ? "    %s said:\r\n" : "    %s:\r\n", relay);
		}
		if (r->code != 0)
			(void)snprintf(words, sizeof(words), "%u %s", (unsigned)r->code, r->text);
		write_words(b, r->code != 0 ? words : r->text);
	}
}

/* The remote host's own words, quoted, indented, wrapped. */
static void
write_words(struct buf *b, const char *text)
{
	char clean[REPLY_TEXT_MAX + 8];		/* a code in front */
	const char *p = clean;
	size_t n, cut;

	plain(clean, sizeof(clean), text);
	while (*p != '\0') {
		n = strlen(p);
		if (n > WRAP - 8) {
			for (cut = WRAP - 8; cut > 0 && p[cut] != ' '; cut--)
				;
			n = cut != 0 ? cut : WRAP - 8;
		}
		buf_addf(b, "        %.*s\r\n", (int)n, p);
		for (p += n; *p == ' '; p++)
			;
	}
}

/* RFC 3464 2.2 and 2.3. */
static void
write_status(struct buf *b, const struct notice *n, const char *boundary)
{
	const struct recipient *r;
	struct enhanced e;
	char date[DATE_STRLEN], code[ENHANCED_STRLEN], reply[16], relay[sizeof(r->relay)];
	size_t i;

	buf_addf(b, "\r\n--%s\r\nContent-Description: Delivery report\r\n"
	    "Content-Type: message/delivery-status\r\n\r\n", boundary);
	if (n->message->envid[0] != '\0')
		field_text(b, "Original-Envelope-Id", "", n->message->envid);
	field_text(b, "Reporting-MTA", "dns; ", n->hostname);
	if (n->message->client_name[0] != '\0')
		field_text(b, "Received-From-MTA", "dns; ", n->message->client_name);
	buf_addf(b, "Arrival-Date: %s\r\n", date_str(n->message->arrival, date));
	for (i = 0; i < n->nrcpt; i++) {
		r = &n->rcpt[i];
		buf_adds(b, "\r\n");
		if (r->orcpt[0] != '\0')
			field_text(b, "Original-Recipient", "", r->orcpt);
		field_text(b, "Final-Recipient", "rfc822; ", r->address);
		buf_addf(b, "Action: %s\r\n", kinds[n->kind].action);
		e = r->enhanced;
		if (n->kind == NOTICE_FAILURE && r->state == RCPT_EXPIRED) {
			/* RFC 3463 3.5: delivery time expired, of class 4 only; the last answer is the diagnostic. */
			e = (struct enhanced){ 4, 4, 7 };
		} else if (e.cls == 0) {
			e.cls = n->kind == NOTICE_FAILURE ? 5 : n->kind == NOTICE_DELAY ? 4 : 2;
		}
		buf_addf(b, "Status: %s\r\n", enhanced_str(&e, code));
		if (r->relay[0] != '\0' && strchr(r->relay, '[') != NULL) {
			plain(relay, sizeof(relay), r->relay);
			relay[strcspn(relay, "[")] = '\0';
			if (relay[0] != '\0')
				field_text(b, "Remote-MTA", "dns; ", relay);
		}
		if (r->code != 0) {
			/* RFC 3464 2.3.6: smtp is for what the remote host said, nothing of our own. */
			(void)snprintf(reply, sizeof(reply), "smtp; %u ", (unsigned)r->code);
			field_text(b, "Diagnostic-Code", reply, r->text);
		} else if (r->text[0] != '\0') {
			field_text(b, "Diagnostic-Code", "x-postern; ", r->text);
		}
		if (r->last != 0)
			buf_addf(b, "Last-Attempt-Date: %s\r\n", date_str(r->last, date));
		if (n->kind == NOTICE_DELAY && n->expires != 0)
			buf_addf(b, "Will-Retry-Until: %s\r\n", date_str(n->expires, date));
	}
}

/* Whether the original's header, as far as it is told, has other octets than ASCII. */
static int
header_is_8bit(const struct notice *n)
{
	const unsigned char *p = (const unsigned char *)n->header.p;
	size_t i, len = n->header.n;

	if (len > NOTICE_HEADER_MAX)
		len = NOTICE_HEADER_MAX;
	if (len >= 2 && p[0] == '\r' && p[1] == '\n')
		return (0);
	for (i = 0; i < len && !(i + 3 < len && memcmp(p + i, "\r\n\r\n", 4) == 0); i++)
		if (p[i] >= 0x80)
			return (1);
	return (0);
}

/*
 * The original's header, RFC 6522 4.  Its octets are strangers': only printable ASCII and 8-bit octets stay,
 * line ends become CRLF, long lines are cut by folding, and a line that could pass for a boundary is
 * taken out of the header.
 */
static void
write_original(struct buf *b, const struct notice *n, const char *boundary)
{
	const unsigned char *p = (const unsigned char *)n->header.p;
	size_t i, len = n->header.n, col = 0;
	int eight = header_is_8bit(n);

	if (len > NOTICE_HEADER_MAX)
		len = NOTICE_HEADER_MAX;
	buf_addf(b, "\r\n--%s\r\nContent-Description: Header of the message\r\n"
	    "Content-Type: text/rfc822-headers%s\r\nContent-Transfer-Encoding: %s\r\n\r\n", boundary,
	    eight ? "; charset=utf-8" : "", eight ? "8bit" : "7bit");
	/* A message may begin with its empty line: it has no header. */
	if (len >= 2 && p[0] == '\r' && p[1] == '\n')
		return;
	for (i = 0; i < len; i++) {
		if (p[i] == '\r' && i + 1 < len && p[i + 1] == '\n') {
			if (i + 3 < len && p[i + 2] == '\r' && p[i + 3] == '\n')
				break;
			if (col != 0 && buf_adds(b, "\r\n") != E_OK)
				return;
			col = 0;
			i++;
			continue;
		}
		if (header_octet(b, p[i], &col) != E_OK)
			return;
	}
	if (col != 0)
		buf_adds(b, "\r\n");
}

static int
header_octet(struct buf *b, unsigned char c, size_t *col)
{
	int err;

	if ((c < ' ' && c != '\t') || c == 0x7f)
		c = '?';
	/* "--" cannot begin a field (RFC 5322 2.2 lets it, nobody does), only a boundary. */
	if (*col == 0 && c == '-') {
		if ((err = buf_adds(b, " ")) != E_OK)
			return (err);
		(*col)++;
	}
	if (*col >= TEXT_LINE_MAX) {
		if ((err = buf_adds(b, "\r\n\t")) != E_OK)
			return (err);
		*col = 1;
	}
	(*col)++;
	return (buf_add(b, &c, 1));
}

/* "Name: prefix text", folded at blanks; a word too long for a line is cut into several. */
static void
field_text(struct buf *b, const char *name, const char *prefix, const char *text)
{
	char clean[1024];
	const char *p = clean;
	size_t n, cut, room;

	plain(clean, sizeof(clean), text);
	buf_addf(b, "%s: %s", name, prefix);
	room = WRAP * 10;			/* one long line reads best for machines; well under 998 */
	for (;;) {
		n = strlen(p);
		if (n > room) {
			for (cut = room; cut > 0 && p[cut] != ' '; cut--)
				;
			n = cut != 0 ? cut : room;
		}
		buf_add(b, p, n);
		buf_adds(b, "\r\n");
		for (p += n; *p == ' '; p++)
			;
		if (*p == '\0')
			break;
		buf_adds(b, "\t");
	}
}

/* Printable ASCII only, blanks at the end gone. */
static void
plain(char *dst, size_t size, const char *src)
{
	size_t i;

	for (i = 0; i < size - 1 && src[i] != '\0'; i++)
		dst[i] = src[i] >= ' ' && src[i] < 0x7f ? src[i] : '?';
	while (i > 0 && dst[i - 1] == ' ')
		i--;
	dst[i] = '\0';
}
