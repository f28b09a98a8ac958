/*
 * notice_status.c -- the part of a notice that machines read: RFC 3464 2.2 and 2.3, RFC 3461 6.3, RFC 6533 4.1,
 * RFC 2852 5.  Core.
 */
#include <stdio.h>
#include <string.h>

#include "common/units.h"
#include "queue/notice_int.h"

static const char *
action_of(const struct notice *n, const struct recipient *r)
{
	switch (n->kind) {
	case NOTICE_FAILURE:
		return ("failed");
	case NOTICE_DELAY:
		return ("delayed");
	default:
		return (r->owed == OWED_RELAYED ? "relayed" : r->owed == OWED_EXPANDED ? "expanded" : "delivered");
	}
}

static struct enhanced
status_of(const struct notice *n, const struct recipient *r)
{
	struct enhanced e = r->enhanced;

	/* RFC 3463 3.5: delivery time expired, of class 4 only; the last answer is the diagnostic. */
	if (n->kind == NOTICE_FAILURE && r->state == RCPT_EXPIRED)
		return ((struct enhanced){ 4, 4, 7 });
	if (n->by)			/* RFC 2852 4.1.3 */
		return ((struct enhanced){ 4, 4, 7 });
	if (n->kind == NOTICE_SUCCESS && e.cls != 2)
		return ((struct enhanced){ 2, 0, 0 });
	if (e.cls == 0)
		e.cls = n->kind == NOTICE_FAILURE ? 5 : 4;
	return (e);
}

static void
write_recipient(struct buf *b, const struct notice *n, const struct recipient *r, int global)
{
	char date[DATE_STRLEN], code[ENHANCED_STRLEN], reply[16], relay[sizeof(r->relay)];
	struct enhanced e = status_of(n, r);

	buf_adds(b, "\r\n");
	if (r->orcpt[0] != '\0')
		notice_address(b, "Original-Recipient", NULL, r->orcpt, global);
	notice_address(b, "Final-Recipient", "rfc822", r->address, global);
	buf_addf(b, "Action: %s\r\n", action_of(n, r));
	buf_addf(b, "Status: %s\r\n", enhanced_str(&e, code));
	if (r->relay[0] != '\0' && strchr(r->relay, '[') != NULL) {
		notice_plain(relay, sizeof(relay), r->relay);
		relay[strcspn(relay, "[")] = '\0';
		if (relay[0] != '\0')
			notice_field(b, "Remote-MTA", "dns; ", relay);
	}
	if (r->code != 0) {
		/* RFC 3464 2.3.6: smtp is for what the remote host said, nothing of our own. */
		(void)snprintf(reply, sizeof(reply), "smtp; %u ", (unsigned)r->code);
		notice_field(b, "Diagnostic-Code", reply, r->text);
	} else if (r->text[0] != '\0') {
		notice_field(b, "Diagnostic-Code", "x-postern; ", r->text);
	}
	if (r->last != 0)
		buf_addf(b, "Last-Attempt-Date: %s\r\n", date_str(r->last, date));
	if (n->kind == NOTICE_DELAY && n->expires != 0)
		buf_addf(b, "Will-Retry-Until: %s\r\n", date_str(n->expires, date));
}

void
notice_status(struct buf *b, const struct notice *n, const struct notice_shape *sh)
{
	char date[DATE_STRLEN];
	size_t i;

	buf_addf(b, "\r\n--%s\r\nContent-Description: Delivery report\r\n", sh->boundary);
	buf_adds(b, sh->global ? "Content-Type: message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n" : "Content-Type: message/delivery-status\r\n\r\n");
	if (n->message->envid[0] != '\0' && !n->owned && (n->message->flags & MSGF_NOTICE) == 0)
		notice_field(b, "Original-Envelope-Id", "", n->message->envid);
	notice_field(b, "Reporting-MTA", "dns; ", n->hostname);
	if (n->message->client_name[0] != '\0')
		notice_field(b, "Received-From-MTA", "dns; ", n->message->client_name);
	buf_addf(b, "Arrival-Date: %s\r\n", date_str(n->message->arrival, date));
	if (n->deadline != 0)
		buf_addf(b, "Deliver-By-Date: %s\r\n", date_str(n->deadline, date));
	for (i = 0; i < n->nrcpt; i++)
		write_recipient(b, n, &n->rcpt[i], sh->global);
}
