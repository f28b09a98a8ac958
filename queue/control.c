/*
 * control.c -- the operator's connections: one request each, its answer streamed.  Shell.
 *
 * Master has taken the kernel's word for who asks; whoever could connect may ask (the socket's mode).  A list
 * walks the store a slice a turn and waits for a reader that is behind (CTL_BACKLOG_MAX), so 100 000
 * messages cost no memory.  Every change is logged with the operator's uid.
 */
#include "queue/control.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"

#define WHY_MESSAGES_MAX	25	/* told of one address or domain */

static int	on_message(struct ipc *, enum ipc_type, struct rd *, int);
static void	on_closed(struct ipc *, int);
static void	on_drained(struct ipc *);
static void	start(struct client *);
static void	start_one(struct client *);
static void	pause_set(struct client *, int);
static int	walk(struct client *);
static int	walk_domain(struct client *);
static void	look_at(struct client *, const struct message *);
static void	make_room(struct queue *);

static const struct ipc_ops client_ops = {
	.message = on_message,
	.closed = on_closed,
	.drained = on_drained,
};

void
control_client(struct queue *q, const struct ipc_ctl_client *who, int fd)
{
	struct client *c;

	if (q->nclients >= CTL_CLIENTS_MAX)
		make_room(q);
	if (q->nclients >= CTL_CLIENTS_MAX || (c = calloc(1, sizeof(*c))) == NULL) {
		log_warn("control: too many connections, uid=%u refused", who->uid);
		close(fd);
		return;
	}
	c->q = q;
	c->uid = who->uid;
	c->verb = who->verb;
	if (ipc_open(&c->ipc, &q->room.loop, fd, q->room.self, ROOM_CTL, &client_ops, c) != E_OK) {
		free(c);		/* fd is closed */
		return;
	}
	DL_APPEND(q->clients, c);
	q->nclients++;
}

static void
free_client(struct ipc *ipc)
{
	free(ipc->arg);
}

static void
on_closed(struct ipc *ipc, int err)
{
	struct client *c = ipc->arg;

	if (err == E_PROTO)
		log_warn("control: uid=%u broke the conversation", c->uid);
	if (c->wait != NULL) {
		c->wait->client = NULL;	/* its changes go on */
		if (c->wait->pending == 0)
			free(c->wait);
		c->wait = NULL;
	}
	DL_DELETE(c->q->clients, c);
	c->q->nclients--;
	ipc_close(ipc, free_client);
}

static void
on_drained(struct ipc *ipc)
{
	struct client *c = ipc->arg;

	if (c->step == CL_WALK)
		queue_work(c->q);
}

static int
on_message(struct ipc *ipc, enum ipc_type type, struct rd *r, int fd)
{
	struct client *c = ipc->arg;

	if (type != IPC_CTL_REQUEST || c->step != CL_REQUEST ||
	    ipc_unpack_ctl_request(r, &c->req) != E_OK || c->req.verb != c->verb)
		return (E_PROTO);
	start(c);
	return (E_OK);
}

static void
start(struct client *c)
{
	const char *why;
	enum ctl_status status;

	c->after.when = 0;
	switch (c->req.verb) {
	case CTL_STATUS_QUEUE:
		(void)view_send_figures(c);
		control_end(c, CTL_OK, "");
		return;
	case CTL_LOOKUP:
		status = control_lookup(c, &why);
		control_end(c, status, why);
		return;
	case CTL_TLS:
		status = control_tls(c, &why);
		if (c->step != CL_TRIAL)
			control_end(c, status, why);
		return;
	case CTL_PAUSE:
	case CTL_RESUME:
		pause_set(c, c->req.verb == CTL_PAUSE);
		return;
	case CTL_FLUSH:
		if (c->req.text[0] == '\0') {
			control_end(c, CTL_BAD, "flush needs a domain");
			return;
		}
		break;
	case CTL_LIST:
		c->trash = (c->req.state & (1 << MSG_DELETED)) != 0 &&
		    (c->req.state & ~(1u << MSG_DELETED)) == 0;
		break;
	case CTL_SHOW:
	case CTL_WHY:
		if (c->req.msgid != 0) {
			start_one(c);
			return;
		}
		if (c->req.text[0] == '\0') {
			control_end(c, CTL_BAD, "a queue ID, an address or a domain is needed");
			return;
		}
		break;
	case CTL_HOLD:
	case CTL_RELEASE:
	case CTL_RETRY:
	case CTL_DELETE:
	case CTL_UNDO:
		if (c->req.msgid != 0) {
			start_one(c);
			return;
		}
		if (!c->req.all) {
			control_end(c, CTL_BAD, "a queue ID or --all is needed");
			return;
		}
		c->trash = c->req.verb == CTL_UNDO;
		break;
	default:
		control_end(c, CTL_BAD, "not a request to the queue");
		return;
	}
	if ((c->req.verb == CTL_WHY || c->req.verb == CTL_FLUSH) &&
	    strchr(c->req.text, '@') == NULL)
		(void)view_send_destination(c, c->req.text);
	c->step = CL_WALK;
	queue_work(c->q);
}

static void
start_one(struct client *c)
{
	struct queue *q = c->q;
	struct message m;
	struct view v;
	size_t n = 0;
	int err;

	err = store_get_message(q->store, c->req.msgid, &m);
	if (err == E_CORRUPT &&
	    (c->req.verb == CTL_SHOW || c->req.verb == CTL_WHY || c->req.verb == CTL_DELETE)) {
		memset(&m, 0, sizeof(m));	/* it can be seen, and ended */
		m.flags = MSGF_DAMAGED;
		err = E_OK;
	}
	m.msgid = c->req.msgid;
	if (err == E_NOTFOUND) {	/* perhaps in the trash */
		if (store_list(q->store, c->req.msgid - 1, 1, &m, 1, &n) == E_OK && n == 1 &&
		    m.msgid == c->req.msgid) {
			c->trash = 1;
			err = E_OK;
		}
	}
	if (err == E_OK && c->req.verb != CTL_SHOW && c->req.verb != CTL_WHY &&
	    c->trash != (c->req.verb == CTL_UNDO))
		err = E_NOTFOUND;
	if (err != E_OK) {
		control_end(c, err == E_NOTFOUND ? CTL_NOT_FOUND : CTL_FAILED,
		    err == E_NOTFOUND ? "no such message" : "its record is damaged");
		return;
	}
	if (c->req.verb != CTL_SHOW && c->req.verb != CTL_WHY) {
		control_change(c, &m);
		control_finish(c);
		return;
	}
	view_message(q, &m, c->trash, "", &v);
	if (view_send_message(c, &m, &v) == E_OK && view_send_recipients(c, &m, "") == E_OK)
		(void)view_send_story(c, &m, &v, c->req.verb == CTL_WHY);
	c->count = 1;
	control_end(c, CTL_OK, "");
}

static void
pause_set(struct client *c, int on)
{
	if (!on && c->q->room.conf->queue.paused) {
		control_end(c, CTL_FAILED, "queue { paused = true } stands in the configuration");
		return;
	}
	c->q->paused = (uint8_t)on;
	qlog_operator(0, on ? "paused" : "resumed", c->uid);
	control_submit(c, STORE_META, 0, "paused0", (uint64_t)on);
	control_finish(c);
	if (!on) {
		feed_note(c->q, 0);
		dispatch_run(c->q);
	}
}

/* Whether it is the other end that nothing moves: it has not asked yet, or does not read. */
static int
is_still(struct client *c)
{
	size_t was = c->backlog;

	c->backlog = ipc_backlog(&c->ipc);
	return (c->step == CL_REQUEST || (c->backlog != 0 && c->backlog == was));
}

/* Connections are few.  A reader may take his time (a list in a pager), but not another's place (G6). */
static void
make_room(struct queue *q)
{
	struct client *c, *worst = NULL;

	DL_FOREACH(q->clients, c)
		if (c->still_s >= CTL_STALL_S && (worst == NULL || c->still_s > worst->still_s))
			worst = c;
	if (worst == NULL)
		return;
	log_warn(
	    "control: uid=%u closed for another, stalled for %u s", worst->uid, worst->still_s);
	on_closed(&worst->ipc, E_TIMEOUT);
}

/* Each second.  A change of very many messages says nothing for long: an empty text now and then tells that
 * it goes on. */
void
control_tick(struct queue *q)
{
	static const struct ipc_ctl_text nothing;
	struct client *c, *tmp;

	DL_FOREACH_SAFE(q->clients, c, tmp) {
		if (is_still(c))
			c->still_s++;
		else
			c->still_s = 0;
	}
	if (q->ticks % CTL_ALIVE_S != 0)
		return;
	DL_FOREACH_SAFE(q->clients, c, tmp)
	if ((c->step == CL_WALK || c->step == CL_CHANGES || c->step == CL_TRIAL) &&
	    ipc_backlog(&c->ipc) == 0)
		(void)ipc_send(&c->ipc, CTL_TEXT, ctl_text, &nothing);
}

/* A slice for each client that walks; true if one could go on at once. */
int
control_work(struct queue *q)
{
	struct client *c, *tmp;
	int more = 0;

	DL_FOREACH_SAFE(q->clients, c, tmp) {
		if (c->step != CL_WALK || ipc_backlog(&c->ipc) > CTL_BACKLOG_MAX)
			continue;
		if (q->nchange > FEED_CHANGES_MAX) {
			more = 1;
			continue;
		}
		more |= walk(c);
	}
	return (more);
}

static int
walk(struct client *c)
{
	static struct message found[CTL_SLICE];
	size_t i, n = 0;

	if (c->req.verb == CTL_WHY || c->req.verb == CTL_FLUSH)
		return (walk_domain(c));
	if (store_list(c->q->store, c->after.msgid, c->trash, found, CTL_SLICE, &n) != E_OK) {
		control_end(c, CTL_FAILED, "the store cannot be read");
		return (0);
	}
	for (i = 0; i < n; i++) {
		c->after.msgid = found[i].msgid;
		look_at(c, &found[i]);
	}
	if (n == CTL_SLICE)
		return (1);
	if (c->req.verb == CTL_LIST && !c->trash && (c->req.state & (1 << MSG_DELETED))) {
		c->trash = 1;		/* both were asked for: now those in the trash */
		c->after.msgid = 0;
		return (1);
	}
	control_finish(c);
	return (0);
}

/* By the index of domains: WHY of an address or a domain, FLUSH. */
static int
walk_domain(struct client *c)
{
	static struct store_due found[CTL_SLICE];
	const char *at = strrchr(c->req.text, '@');
	const char *domain = at != NULL ? at + 1 : c->req.text;
	struct message m;
	struct view v;
	size_t i, n = 0;

	if (store_domain(c->q->store, domain, &c->after, found, CTL_SLICE, &n) != E_OK) {
		control_end(c, CTL_FAILED, "the store cannot be read");
		return (0);
	}
	for (i = 0; i < n; i++) {
		c->after = found[i];
		if (found[i].msgid == c->last ||
		    store_get_message(c->q->store, found[i].msgid, &m) != E_OK)
			continue;
		c->last = m.msgid = found[i].msgid;
		if (c->req.verb == CTL_FLUSH) {
			control_retry(c, &m);
			continue;
		}
		view_message(c->q, &m, 0, c->req.text, &v);
		if (!v.match)
			continue;
		if (c->seen++ >= WHY_MESSAGES_MAX)
			continue;
		c->count++;
		if (view_send_message(c, &m, &v) == E_OK &&
		    view_send_recipients(c, &m, c->req.text) == E_OK)
			(void)view_send_story(c, &m, &v, 1);
	}
	if (n == CTL_SLICE)
		return (1);
	if (at != NULL && c->req.verb == CTL_WHY)
		(void)view_send_destination(c, domain);
	control_finish(c);
	return (0);
}

static void
look_at(struct client *c, const struct message *m)
{
	struct view v;

	view_message(c->q, m, c->trash, c->req.text, &v);
	if (!v.match)
		return;
	if (c->req.verb != CTL_LIST) {
		control_change(c, m);
		return;
	}
	if (c->req.state != 0 && (c->req.state & (1u << v.state)) == 0)
		return;
	c->count++;
	/* With all its recipients, if that was asked for: mailq shows them. */
	if (view_send_message(c, m, &v) == E_OK && c->req.all)
		(void)view_send_recipients(c, m, "");
}

/* Everything was looked at; the answer ends when all that was changed is durable. */
void
control_finish(struct client *c)
{
	char text[128] = "";
	enum ctl_status status = CTL_OK;

	if (c->step == CL_OVER)
		return;
	if (c->wait != NULL) {
		c->wait->complete = 1;
		if (c->wait->pending != 0) {
			c->step = CL_CHANGES;
			return;
		}
		c->count += c->wait->changed;
		if (c->wait->failed != 0) {
			(void)snprintf(text, sizeof(text), "%u messages could not be changed",
			    c->wait->failed);
			status = CTL_FAILED;
		}
		free(c->wait);
		c->wait = NULL;
	}
	if (c->seen > c->count)
		(void)snprintf(text, sizeof(text), "%llu of %llu messages shown",
		    (unsigned long long)c->count, (unsigned long long)c->seen);
	control_end(c, status, text);
}

void
control_end(struct client *c, enum ctl_status status, const char *text)
{
	struct ipc_ctl_end m = { .status = (uint8_t)status, .count = c->count };

	(void)snprintf(m.text, sizeof(m.text), "%s", text);
	c->step = CL_OVER;		/* the client closes */
	(void)ipc_send(&c->ipc, CTL_END, ctl_end, &m);
}
