/*
 * rows.c -- see rows.h.
 */
#include "ctl/rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/net.h"
#include "common/reply.h"
#include "common/units.h"
#include "ctl/cells.h"
#include "ctl/json.h"

#define ESCAPED(n)	((n) * 4 + 8)	/* room for n octets escaped, in brackets */

void
rows_init(struct rows *r, FILE *out, enum rows_style style, int json, int header, int64_t now)
{
	memset(r, 0, sizeof(*r));
	r->out = out;
	r->style = style;
	r->json = json;
	r->header = header;
	r->now = now;
	if (json && style == ROWS_STATUS)
		r->daemons = json_array();
}

void
rows_clear(struct rows *r)
{
	json_decref(r->message);
	json_decref(r->daemons);
	json_decref(r->texts);
	r->message = r->daemons = r->texts = NULL;
}

static int
out_ok(const struct rows *r)
{
	return (ferror(r->out) ? E_IO : E_OK);
}

/* ---- JSON ---- */

/* The message that is complete now becomes an element of the array. */
static int
json_flush(struct rows *r)
{
	json_t	*m = r->message;

	if (m == NULL && r->texts == NULL)
		return (E_OK);
	if (m == NULL && (m = json_object()) == NULL)	/* remarks without a message */
		return (E_NOMEM);
	r->message = NULL;
	if (r->texts != NULL) {
		if (json_object_set(m, "remarks", r->texts) != 0) {
			json_decref(m);
			return (E_NOMEM);
		}
		json_decref(r->texts);
		r->texts = NULL;
	}
	(void)fputs(r->nprinted++ == 0 ? "[\n" : ",", r->out);
	r->open = 1;
	return (json_print(r->out, m));
}

static int
json_take(struct rows *r, enum ipc_type type, const void *row)
{
	json_t	*list;
	int	 err;

	switch (type) {
	case IPC_CTL_MESSAGE:
		if ((err = json_flush(r)) != E_OK)
			return (err);
		return ((r->message = json_message(row)) == NULL ? E_NOMEM : E_OK);
	case IPC_CTL_RCPT:
		if ((list = json_object_get(r->message, "recipients")) == NULL)
			return (E_PROTO);	/* a recipient of no message */
		return (json_array_append_new(list, json_rcpt(row)) == 0 ? E_OK : E_NOMEM);
	case IPC_CTL_TEXT:
		if (r->texts == NULL)
			r->texts = json_array();
		return (json_array_append_new(r->texts,
		    json_text(((const struct ipc_ctl_text *)row)->text)) == 0 ? E_OK : E_NOMEM);
	case IPC_CTL_DAEMON:
		return (json_array_append_new(r->daemons, json_daemon(row)) == 0 ? E_OK : E_NOMEM);
	default:
		return (E_OK);
	}
}

/* ---- columns ---- */

static void
print_table_row(struct rows *r, const struct ipc_ctl_message *m)
{
	char	id[MSGID_STRLEN], size[CELL_LEN], age[CELL_LEN], next[CELL_LEN], rcpt[CELL_LEN];
	char	path[ESCAPED(ADDRESS_MAX)];

	if (r->header)
		(void)fprintf(r->out, "%-13s %-8s %5s %7s %7s %9s  %s\n", "ID", "STATE", "SIZE", "AGE",
		    "NEXT", "DONE", "SENDER");
	r->header = 0;
	(void)snprintf(rcpt, sizeof(rcpt), "%" PRIu32 "/%" PRIu32, m->ndone, m->nrcpt);
	(void)fprintf(r->out, "%-13s %-8s %5s %7s %7s %9s  %s\n", msgid_str(m->msgid, id),
	    msg_state_name(m->state), cell_size(m->size, size), cell_age(m->arrival, r->now, age),
	    cell_until(m->next, r->now, next), rcpt, cell_path(m->sender, path, sizeof(path)));
}

/* What came with the message beside its addresses; nothing of it is most often there. */
static void
print_wishes(struct rows *r, const struct ipc_ctl_message *m)
{
	char	when[CELL_LEN], age[CELL_LEN], envid[ESCAPED(ENVID_MAX)], login[ESCAPED(LOGIN_MAX)];

	if (m->local)
		(void)fprintf(r->out, "  from      local user %" PRIu32 "%s%s\n", m->uid,
		    m->login[0] != '\0' ? " " : "", cell_plain(login, sizeof(login), m->login, strlen(m->login)));
	else if (m->login[0] != '\0')
		(void)fprintf(r->out, "  login     %s\n", cell_plain(login, sizeof(login), m->login, strlen(m->login)));
	if (m->held != HELD_NOT)
		(void)fprintf(r->out, "  held      by %s\n", held_by_name(m->held));
	if (m->hold_until > r->now)
		(void)fprintf(r->out, "  released  %s (in %s), as its sender asked\n", cell_time(m->hold_until, when),
		    cell_until(m->hold_until, r->now, age));
	if (m->by_mode != BY_NONE)
		(void)fprintf(r->out, "  deadline  %s%s%s%s, then %s\n", cell_time(m->by_time, when),
		    m->by_time > r->now ? " (in " : ", passed", m->by_time > r->now ?
		    cell_until(m->by_time, r->now, age) : "", m->by_time > r->now ? ")" : "",
		    m->by_mode == BY_RETURN ? "returned" : "the sender is told");
	if (m->prioritized)
		(void)fprintf(r->out, "  priority  %d\n", m->priority);
	if (m->envid[0] != '\0')
		(void)fprintf(r->out, "  envid     %s\n", cell_plain(envid, sizeof(envid), m->envid, strlen(m->envid)));
}

static void
print_story(struct rows *r, const struct ipc_ctl_message *m)
{
	char	id[MSGID_STRLEN], size[CELL_LEN], when[CELL_LEN], age[CELL_LEN], ip[NET_ADDR_STRLEN];
	char	path[ESCAPED(ADDRESS_MAX)], helo[ESCAPED(HELO_MAX)];

	if (r->nmessages != 0)
		(void)putc('\n', r->out);
	(void)fprintf(r->out, "%s  %s  %s from %s\n", msgid_str(m->msgid, id), msg_state_name(m->state),
	    cell_size(m->size, size), cell_path(m->sender, path, sizeof(path)));
	(void)fprintf(r->out, "  arrived   %s (%s ago), client %s, helo %s\n", cell_time(m->arrival, when),
	    cell_age(m->arrival, r->now, age), m->local ? "local" : net_addr_str(&m->client, ip),
	    cell_plain(helo, sizeof(helo), m->helo, strlen(m->helo)));
	print_wishes(r, m);
	if (m->state != MSG_DELETED && m->state != MSG_HELD && m->expires != 0)
		(void)fprintf(r->out, "  expires   %s (in %s)\n", cell_time(m->expires, when),
		    cell_until(m->expires, r->now, age));
	(void)fprintf(r->out, "  done      %" PRIu32 " of %" PRIu32 " recipients\n", m->ndone, m->nrcpt);
}

static void
print_rcpt(struct rows *r, const struct ipc_ctl_rcpt *c)
{
	char	path[ESCAPED(ADDRESS_MAX)], text[ESCAPED(REPLY_TEXT_MAX)], hop[ESCAPED(sizeof(c->hop))];
	char	dsn[ENHANCED_STRLEN], when[CELL_LEN], ago[CELL_LEN], relay[ESCAPED(sizeof(c->relay))];
	char	code[ENHANCED_STRLEN + 1] = "", notify[CELL_NOTIFY_LEN], orcpt[ESCAPED(ORCPT_MAX)];
	char	alias[ESCAPED(ADDRESS_MAX)], owner[ESCAPED(ADDRESS_MAX)];

	(void)fprintf(r->out, "  %s  %s\n", cell_path(c->address, path, sizeof(path)),
	    rcpt_state_name(c->state));
	if (r->style == ROWS_TABLE)
		return;
	if (c->alias[0] != '\0')
		(void)fprintf(r->out, "    for       %s\n", cell_path(c->alias, alias, sizeof(alias)));
	if (c->owned)
		(void)fprintf(r->out, "    owner     %s\n", cell_path(c->sender, owner, sizeof(owner)));
	if (c->notify != 0)
		(void)fprintf(r->out, "    notify    %s\n", cell_notify(c->notify, notify));
	if (c->orcpt[0] != '\0')
		(void)fprintf(r->out, "    original  %s\n", cell_plain(orcpt, sizeof(orcpt), c->orcpt, strlen(c->orcpt)));
	if (c->hop[0] != '\0')
		(void)fprintf(r->out, "    route     %s\n", cell_plain(hop, sizeof(hop), c->hop, strlen(c->hop)));
	if (c->attempts != 0)
		(void)fprintf(r->out, "    attempts  %" PRIu32 ", the last one %s (%s ago)\n", c->attempts,
		    cell_time(c->last, when), cell_age(c->last, r->now, ago));
	if (c->relay[0] != '\0')
		(void)fprintf(r->out, "    relay     %s\n",
		    cell_plain(relay, sizeof(relay), c->relay, strlen(c->relay)));
	if (c->code != 0)
		(void)snprintf(code, sizeof(code), "%u ", (unsigned)c->code);
	else if (c->enhanced.cls != 0)		/* our own words: the host's have theirs in the text */
		(void)snprintf(code, sizeof(code), "%s ", enhanced_str(&c->enhanced, dsn));
	if (c->text[0] != '\0' || c->code != 0)
		(void)fprintf(r->out, "    at %-8s %s%s\n", stage_name(c->stage), code, cell_plain(text, sizeof(text), c->text, strlen(c->text)));
	if (c->next != 0)
		(void)fprintf(r->out, "    next      %s (%s%s)\n", cell_time(c->next, when),
		    c->next > r->now ? "in " : "", cell_until(c->next, r->now, ago));
}

/* Lines of remarks or dialogue: LF is a line's end, all else unprintable is escaped. */
static void
print_text(struct rows *r, struct slice s)
{
	char	line[ESCAPED(1024)];
	size_t	n;

	while (s.n != 0) {
		const char *lf = memchr(s.p, '\n', s.n);

		n = lf != NULL ? (size_t)(lf - s.p) : s.n;
		(void)fprintf(r->out, "  | %s\n", cell_plain(line, sizeof(line), s.p, n));
		n += lf != NULL;
		s.p += n;
		s.n -= n;
	}
}

static void
print_daemon(struct rows *r, const struct ipc_ctl_daemon *d)
{
	char	name[48], pid[CELL_LEN] = "-", up[CELL_LEN], state[ESCAPED(sizeof(d->state))];

	if (r->header)
		(void)fprintf(r->out, "%-19s %7s %8s %8s %8s  %s\n", "DAEMON", "PID", "SINCE", "RESTARTS",
		    "LOG-LOST", "STATE");
	r->header = 0;
	(void)snprintf(name, sizeof(name), "%s%s/%" PRIu32, room_name(d->room),
	    role_suffix(d->role), d->instance);
	if (d->pid != 0)
		(void)snprintf(pid, sizeof(pid), "%" PRIu32, d->pid);
	(void)fprintf(r->out, "%-19s %7s %8s %8" PRIu32 " %8" PRIu64 "  %s\n", name, pid,
	    cell_age(d->since, r->now, up), d->restarts, d->log_dropped,
	    cell_plain(state, sizeof(state), d->state, strlen(d->state)));
}

static void
print_queue(struct rows *r, const struct ipc_ctl_queue *q)
{
	static const char *const pressure[PRESSURES] = {
		"", "  refusing mail: the store is full\n", "  refusing mail: short of memory\n",
		"  refusing mail: the store fails\n",
	};
	char	used[CELL_LEN], limit[CELL_LEN], left[CELL_LEN];

	(void)fprintf(r->out, "\nqueue     %" PRIu64 " messages%s\n"
	    "          %" PRIu64 " active, %" PRIu64 " queued, %" PRIu64 " deferred, %" PRIu64 " held; %"
	    PRIu64 " deleted can be undone\n", q->total, q->paused ? "; deliveries are paused" : "",
	    q->active, q->queued, q->deferred, q->held, q->trash);
	if (q->pressure < PRESSURES)
		(void)fputs(pressure[q->pressure], r->out);
	(void)fprintf(r->out, "store     %s of %s, %s free on its disk, %" PRIu64 " commits\n",
	    cell_size(q->store_octets, used), cell_size(q->store_limit, limit),
	    cell_size(q->free_octets, left), q->commits);
	(void)fprintf(r->out, "traffic   %" PRIu64 " messages received; recipients: %" PRIu64
	    " delivered, %" PRIu64 " failed, %" PRIu64 " expired\n", q->received, q->delivered, q->bounced,
	    q->expired);
}

static int
text_take(struct rows *r, enum ipc_type type, const void *row)
{
	switch (type) {
	case IPC_CTL_MESSAGE:
		if (r->style == ROWS_TABLE)
			print_table_row(r, row);
		else
			print_story(r, row);
		break;
	case IPC_CTL_RCPT:
		print_rcpt(r, row);
		break;
	case IPC_CTL_TEXT:
		print_text(r, ((const struct ipc_ctl_text *)row)->text);
		break;
	case IPC_CTL_DAEMON:
		print_daemon(r, row);
		break;
	default:
		break;
	}
	return (out_ok(r));
}

/* ---- both ---- */

static int
take(struct rows *r, enum ipc_type type, const void *row)
{
	return (r->json ? json_take(r, type, row) : text_take(r, type, row));
}

int
rows_take(void *arg, enum ipc_type type, struct rd *rd)
{
	struct rows	*r = arg;
	union {
		struct ipc_ctl_message	message;
		struct ipc_ctl_rcpt	rcpt;
		struct ipc_ctl_text	text;
		struct ipc_ctl_daemon	daemon;
	} u;
	int	err;

	switch (type) {
	case IPC_CTL_MESSAGE:
		if ((err = ipc_unpack_ctl_message(rd, &u.message)) == E_OK &&
		    (err = take(r, type, &u)) == E_OK)
			r->nmessages++;
		return (err);
	case IPC_CTL_RCPT:
		err = ipc_unpack_ctl_rcpt(rd, &u.rcpt);
		return (err == E_OK ? take(r, type, &u) : err);
	case IPC_CTL_TEXT:
		if ((err = ipc_unpack_ctl_text(rd, &u.text)) == E_OK)
			r->ntext += u.text.text.n;
		return (err == E_OK && u.text.text.n != 0 ? take(r, type, &u) : err);	/* empty: it goes on */
	case IPC_CTL_DAEMON:
		err = ipc_unpack_ctl_daemon(rd, &u.daemon);
		if (err == E_OK && r->style != ROWS_STATUS)
			err = E_PROTO;
		return (err == E_OK ? take(r, type, &u) : err);
	case IPC_CTL_QUEUE:
		if ((err = ipc_unpack_ctl_queue(rd, &r->queue)) == E_OK)
			r->have_queue = 1;
		return (err);
	default:
		return (E_PROTO);
	}
}

static int
status_end(struct rows *r)
{
	json_t	*o;
	int	 bad;

	if (!r->json) {
		if (r->have_queue)
			print_queue(r, &r->queue);
		return (out_ok(r));
	}
	if ((o = json_object()) == NULL)
		return (E_NOMEM);
	bad = json_object_set_new(o, "queue", r->have_queue ? json_queue(&r->queue) : json_null()) |
	    json_object_set(o, "daemons", r->daemons);
	if (bad) {
		json_decref(o);
		return (E_NOMEM);
	}
	return (json_print(r->out, o));
}

int
rows_end(struct rows *r)
{
	int	err;

	if (r->style == ROWS_STATUS)
		return (status_end(r));
	if (r->json) {
		if ((err = json_flush(r)) != E_OK)
			return (err);
		(void)fputs(r->open ? "]\n" : "[]\n", r->out);
	}
	return (out_ok(r));
}
