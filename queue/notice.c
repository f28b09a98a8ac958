/*
 * notice.c -- a notice as a message, its header and its readable part.  Core; see notice.h.
 */
#include "queue/notice.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/siphash.h"
#include "common/units.h"
#include "queue/notice_int.h"

#define WRAP		76		/* readable lines */

static void	shape(const struct notice *, struct notice_shape *);
static void	write_header(struct buf *, const struct notice *, const struct notice_shape *);
static void	write_readable(struct buf *, const struct notice *, const struct notice_shape *);
static void	write_recipient(struct buf *, const struct notice *, const struct recipient *);
static void	write_words(struct buf *, const char *);

static const struct {
	const char *subject, *intro;
} kinds[] = {
	[NOTICE_FAILURE] = { "Undelivered mail",
	    "Your message could not be delivered to the recipients named below.\r\n"
	    "This is final: no further attempt will be made.\r\n" },
	[NOTICE_DELAY] = { "Delayed mail (still being tried)",
	    "Your message could not be delivered yet to the recipients named below.\r\n"
	    "You need not send it again: delivery will be tried further.\r\n" },
	[NOTICE_SUCCESS] = { "Mail delivered",
	    "This is the report on your message that you asked for.\r\n" },
};

size_t
notice_room(const struct notice *n)
{
	/* In base64 three octets take a little more than four. */
	return (NOTICE_ROOM + 3 * NOTICE_HEADER_MAX + n->nrcpt * NOTICE_RCPT_ROOM +
	    (n->full ? n->original.n / 2 * 3 : 0));
}

/* All the room is taken first, so that no writer below can fail half-way and leave a gap. */
int
notice_write(struct buf *b, const struct notice *n)
{
	struct notice_shape sh;
	size_t room = notice_room(n);
	int err;

	if (b->cap < b->len || b->cap - b->len < room)
		return (E_LIMIT);
	if (buf_reserve(b, room) == NULL)
		return (E_NOMEM);
	shape(n, &sh);
	write_header(b, n, &sh);
	write_readable(b, n, &sh);
	notice_status(b, n, &sh);
	if ((err = notice_original(b, n, &sh)) != E_OK)
		return (err);
	return (buf_addf(b, "\r\n--%s--\r\n", sh.boundary));
}

int
notice_needs_utf8(const struct notice *n)
{
	return (!notice_is_ascii(n->to));
}

static int
has8(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)p[i] >= 0x80)
			return (1);
	return (0);
}

static void
shape(const struct notice *n, struct notice_shape *sh)
{
	char id[MSGID_STRLEN];
	size_t i, len = notice_header_len(n);

	memset(sh, 0, sizeof(*sh));
	/* The id is never reused, and "=_" cannot stand in quoted-printable (RFC 2045 6.7 end); all that
	 * strangers wrote is either indented, or has lost "--" at the start of its lines, or was searched. */
	(void)snprintf(sh->boundary, sizeof(sh->boundary), "=_postern-%s", msgid_str(n->msgid, id));
	sh->to8 = !notice_is_ascii(n->to);
	for (i = 0; i < n->nrcpt; i++)
		sh->addr8 |= !notice_is_ascii(n->rcpt[i].address) || !notice_is_ascii(n->rcpt[i].orcpt) ||
		    !notice_is_ascii(n->rcpt[i].alias);
	sh->header8 = has8(n->original.p, len) != 0;
	sh->full = n->full && notice_can_be_full(n, sh->boundary);
	if (sh->full)
		sh->body8 = has8(n->original.p + len, n->original.n - len) != 0;
	/* RFC 6533: what came with SMTPUTF8, or goes to an address that needs it.  A host on the way back to an
	 * ASCII address may not know SMTPUTF8: the message's UTF-8 header is encoded then (4.5). */
	sh->global = (sh->to8 || (n->message->flags & MSGF_UTF8) != 0) && (sh->to8 || sh->addr8 || sh->header8);
	sh->base64 = sh->global && sh->header8 && !sh->to8;
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

/* What became of them, if it is the same of all. */
static const char *
subject_of(const struct notice *n)
{
	unsigned kinds_seen = 0;
	size_t i;

	if (n->kind != NOTICE_SUCCESS)
		return (kinds[n->kind].subject);
	for (i = 0; i < n->nrcpt; i++)
		kinds_seen |= 1u << n->rcpt[i].owed;
	if (kinds_seen == 1u << OWED_RELAYED)
		return ("Mail relayed");
	if (kinds_seen == 1u << OWED_EXPANDED)
		return ("Mail sent on");
	return (kinds[NOTICE_SUCCESS].subject);
}

static void
write_header(struct buf *b, const struct notice *n, const struct notice_shape *sh)
{
	char date[DATE_STRLEN], id[MSGID_STRLEN];

	buf_addf(b, "Date: %s\r\n", date_str(n->now, date));
	buf_addf(b, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", n->hostname);
	buf_addf(b, "To: <%s>\r\n", n->to);
	buf_addf(b, "Subject: %s%s\r\n", n->double_bounce ? "Postmaster copy: " : "", subject_of(n));
	buf_addf(b, "Message-ID: <%s.notice@%s>\r\n", msgid_str(n->msgid, id), n->hostname);
	/* RFC 3834 5.1: replies to a message are auto-replied, notices of delay and failure among them. */
	buf_adds(b, "Auto-Submitted: auto-replied\r\n");
	buf_adds(b, "MIME-Version: 1.0\r\n");
	/* RFC 2045 6.4: a part's encoding is its parent's too. */
	if (sh->global || sh->addr8 || (sh->header8 && !sh->base64) || sh->body8)
		buf_adds(b, "Content-Transfer-Encoding: 8bit\r\n");
	buf_addf(b, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n",
	    sh->boundary);
	buf_adds(b, "\r\nThis is a delivery status notification in MIME format.\r\n");
}

static void
write_readable(struct buf *b, const struct notice *n, const struct notice_shape *sh)
{
	char date[DATE_STRLEN], id[MSGID_STRLEN];
	size_t i;

	buf_addf(b, "\r\n--%s\r\nContent-Description: Notification\r\n"
	    "Content-Type: text/plain; charset=%s\r\n\r\n", sh->boundary,
	    sh->addr8 ? "utf-8\r\nContent-Transfer-Encoding: 8bit" : "us-ascii");
	buf_addf(b, "This is the mail system at %s.\r\n\r\n", n->hostname);
	if (n->double_bounce)
		buf_adds(b, "A notice to a sender could not be delivered; this copy is for the postmaster.\r\n\r\n");
	buf_adds(b, kinds[n->kind].intro);
	if (n->by)
		buf_adds(b, "The time within which you wanted it delivered is over.\r\n");
	if (n->kind == NOTICE_DELAY && n->expires != 0)
		buf_addf(b, "If it cannot be delivered by\r\n%s\r\nyou will be told so.\r\n",
		    date_str(n->expires, date));
	buf_addf(b, "\r\nQueue ID: %s, received %s\r\n", msgid_str(n->message->msgid, id),
	    date_str(n->message->arrival, date));
	for (i = 0; i < n->nrcpt; i++)
		write_recipient(b, n, &n->rcpt[i]);
}

static void
write_recipient(struct buf *b, const struct notice *n, const struct recipient *r)
{
	char words[REPLY_TEXT_MAX + 8], relay[sizeof(r->relay)], address[ADDRESS_MAX + 1];

	notice_utf8(address, sizeof(address), r->address);
	buf_addf(b, "\r\n<%s>\r\n", address);
	if (r->alias[0] != '\0' && !n->owned) {
		notice_utf8(address, sizeof(address), r->alias);
		buf_addf(b, "    by way of <%s>\r\n", address);
	}
	if (n->kind == NOTICE_SUCCESS)
		buf_adds(b, r->owed == OWED_EXPANDED ? "    stands for several others; your message is on its way to them\r\n" :
		    r->owed == OWED_RELAYED ? "    is on its way: the next mail system has it, and may not tell of its end\r\n" :
		    "    has been delivered\r\n");
	if (r->state == RCPT_EXPIRED)
		buf_adds(b, "    was tried until its time was over; the last answer was:\r\n");
	if (r->relay[0] != '\0') {
		notice_plain(relay, sizeof(relay), r->relay);
		buf_addf(b, r->code != 0 ? "    %s said:\r\n" : "    %s:\r\n", relay);
	}
	if (r->code != 0)
		(void)snprintf(words, sizeof(words), "%u %s", (unsigned)r->code, r->text);
	write_words(b, r->code != 0 ? words : r->text);
	if (n->kind == NOTICE_FAILURE && n->message->by_mode == BY_RETURN && r->enhanced.subject == 4 &&
	    r->enhanced.detail == 7 && r->state == RCPT_FAILED && r->attempts != 0)
		buf_adds(b, "    was not delivered within the time that you asked for\r\n");
}

/* The remote host's own words, quoted, indented, wrapped. */
static void
write_words(struct buf *b, const char *text)
{
	char clean[REPLY_TEXT_MAX + 8];		/* a code in front */
	const char *p = clean;
	size_t n, cut;

	notice_plain(clean, sizeof(clean), text);
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
