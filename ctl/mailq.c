/*
 * mailq.c -- see mailq.h.  Core but for stdio.
 *
 * A line for the message, with * behind the ID of one that is being delivered and ! of one that is held; then for
 * each recipient that is still to be served the reason of its last failure in parentheses, and its address.
 */
#include "ctl/mailq.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/err.h"
#include "common/units.h"
#include "ctl/cells.h"

#define ESCAPED(n)	((n) * 4 + 8)
#define ID_WIDTH	13
#define ADDRESS_COLUMN	46	/* of the line below the first */

void
mailq_init(struct mailq *q, FILE *out)
{
	memset(q, 0, sizeof(*q));
	q->out = out;
}

static const char *
sender_text(const char *sender, char *dst, size_t size)
{
	return (sender[0] == '\0' ? "MAILER-DAEMON" : cell_plain(dst, size, sender, strlen(sender)));
}

static void
take_message(struct mailq *q, const struct ipc_ctl_message *m)
{
	char id[MSGID_STRLEN + 1], when[32] = "", sender[ESCAPED(ADDRESS_MAX)];
	time_t t = (time_t)m->arrival;
	struct tm tm;

	q->shown = m->state != MSG_DELETED;
	if (!q->shown)
		return;
	if (q->messages++ == 0)
		(void)fprintf(q->out, "----Queue ID---- --Size-- ----Arrival Time---- --Sender/Recipient------\n");
	else
		(void)putc('\n', q->out);
	q->octets += m->size;
	(void)msgid_str(m->msgid, id);
	if (m->state == MSG_ACTIVE || m->state == MSG_HELD)
		(void)snprintf(id + strlen(id), 2, "%c", m->state == MSG_ACTIVE ? '*' : '!');
	if (localtime_r(&t, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%a %b %e %H:%M:%S", &tm);
	(void)fprintf(q->out, "%-*s %8" PRIu64 " %s  %s\n", ID_WIDTH, id, m->size, when,
	    sender_text(m->sender, sender, sizeof(sender)));
}

static void
take_rcpt(struct mailq *q, const struct ipc_ctl_rcpt *r)
{
	char text[ESCAPED(REPLY_TEXT_MAX)], address[ESCAPED(ADDRESS_MAX)];

	if (!q->shown || r->state == RCPT_DELIVERED || r->state == RCPT_FAILED || r->state == RCPT_EXPIRED)
		return;
	if (r->text[0] != '\0')
		(void)fprintf(q->out, "(%s)\n", cell_plain(text, sizeof(text), r->text, strlen(r->text)));
	(void)fprintf(q->out, "%*s%s\n", ADDRESS_COLUMN, "",
	    cell_plain(address, sizeof(address), r->address, strlen(r->address)));
}

int
mailq_take(void *arg, enum ipc_type type, struct rd *rd)
{
	struct ipc_ctl_message m;
	struct ipc_ctl_rcpt r;
	struct mailq *q = arg;

	switch (type) {
	case IPC_CTL_MESSAGE:
		if (ipc_unpack_ctl_message(rd, &m) != E_OK)
			return (E_PROTO);
		take_message(q, &m);
		break;
	case IPC_CTL_RCPT:
		if (ipc_unpack_ctl_rcpt(rd, &r) != E_OK)
			return (E_PROTO);
		take_rcpt(q, &r);
		break;
	case IPC_CTL_TEXT:
		break;			/* a sign of life */
	default:
		return (E_PROTO);
	}
	return (ferror(q->out) ? E_IO : E_OK);
}

int
mailq_end(struct mailq *q)
{
	if (q->messages == 0)
		(void)fprintf(q->out, "Mail queue is empty\n");
	else
		(void)fprintf(q->out, "\n-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n", (q->octets + 1023) / 1024,
		    q->messages, q->messages == 1 ? "" : "s");
	return (ferror(q->out) ? E_IO : E_OK);
}
