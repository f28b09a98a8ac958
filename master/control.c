/*
 * control.c -- the operator's socket: <runtime>/control, SOCK_SEQPACKET.  Shell.
 *
 * Mode 0660 and group postern-admin, in a directory that only root may write (as an ordinary user 0600).
 * Who asks is the kernel's word (SO_PEERCRED), never the message's.  One request a connection; what is not
 * master's to answer is passed to queue with the connection itself.  At most CTL_CLIENTS_MAX at
 * once, each with a deadline; more wait in the backlog.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "common/wire.h"
#include "master/master.h"

#define CONTROL_NAME	"control"
#define CONTROL_BACKLOG	64
#define PAYLOAD_MAX	64	/* CTL_CLIENT: four numbers */

static void	control_ready(uv_poll_t *, int, int);

int
control_open(struct master *m, char *err, size_t size)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *what;
	mode_t mask;
	int n, rc;

	n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", m->conf->runtime, CONTROL_NAME);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path)) {
		(void)snprintf(err, size, "%s/%s: longer than the %zu octets of a socket's path",
		    m->conf->runtime, CONTROL_NAME, sizeof(sun.sun_path) - 1);
		return (E_LIMIT);
	}
	what = "socket";
	m->control_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (m->control_fd == -1)
		goto fail;
	/* We hold the lock of the pid file: what is there is left over. */
	what = "unlink";
	if (unlink(sun.sun_path) == -1 && errno != ENOENT)
		goto fail;
	mask = umask(0177);
	rc = bind(m->control_fd, (struct sockaddr *)&sun, sizeof(sun));
	(void)umask(mask);
	what = "bind";
	if (rc == -1)
		goto fail;
	what = "owner and mode";
	if (m->ids.privileged && (lchown(sun.sun_path, 0, m->ids.admin) == -1 ||
	    chmod(sun.sun_path, 0660) == -1))
		goto fail;
	what = "listen";
	if (listen(m->control_fd, CONTROL_BACKLOG) == -1)
		goto fail;
	return (E_OK);
fail:
	(void)snprintf(err, size, "%s: %s: %s", sun.sun_path, what, strerror(errno));
	return (E_IO);
}

void
control_start(struct master *m)
{
	if (uv_poll_init(&m->loop, &m->control, m->control_fd) != 0)
		log_fatal("control socket cannot be polled");
	m->control.data = m;
	(void)uv_poll_start(&m->control, UV_READABLE, control_ready);
}

void
control_close(struct master *m)
{
	char path[MASTER_PATH_MAX];

	if (m->control_fd == -1)
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", m->conf->runtime, CONTROL_NAME);
	if (unlink(path) == -1 && errno != ENOENT)
		log_warn("%s: %s", path, strerror(errno));
	(void)close(m->control_fd);
	m->control_fd = -1;
}

/* ---- one client ---- */

static void
client_handle_closed(struct ctl_client *c)
{
	if (--c->closing > 0)
		return;
	c->used = 0;
	if (c->m->control_paused && !c->m->stopping) {
		c->m->control_paused = 0;
		(void)uv_poll_start(&c->m->control, UV_READABLE, control_ready);
	}
}

static void
client_ch_closed(struct ipc *ch)
{
	client_handle_closed(ch->arg);
}

static void
client_timer_closed(uv_handle_t *h)
{
	client_handle_closed(h->data);
}

static void
client_close(struct ctl_client *c)
{
	if (c->closing > 0)
		return;
	c->closing = 2;
	c->round = 0;
	c->waits_stop = 0;
	ipc_close(&c->ch, client_ch_closed);
	uv_close((uv_handle_t *)&c->deadline, client_timer_closed);
}

static void
client_end(struct ctl_client *c, enum ctl_status status, uint64_t count, const char *text)
{
	static struct ipc_ctl_end end;	/* 4 KB, one at a time */
	char *p;

	memset(&end, 0, sizeof(end));
	end.status = (uint8_t)status;
	end.count = count;
	/* What does not fit is in the log.  A file's own octets may be quoted in it (R9). */
	(void)snprintf(end.text, sizeof(end.text), "%s", text);
	for (p = end.text; *p != '\0'; p++) {
		if (*p != '\n' && (*p < ' ' || *p > '~'))
			*p = *p == '\t' ? ' ' : '?';
	}
	if (ipc_send(&c->ch, CTL_END, ctl_end, &end) != E_OK)
		log_debug("control: client pid=%u has gone", c->pid);
}

static void
client_status(struct ctl_client *c)
{
	struct master *m = c->m;
	struct ipc_ctl_daemon row;
	uint64_t now = now_mono_ms(), n = 0;
	struct daemon *d;
	unsigned i;

	for (i = 0; i < DAEMONS_MAX; i++) {
		d = &m->daemon[i];
		if (!d->used)
			continue;
		memset(&row, 0, sizeof(row));
		row.room = d->item.room;
		row.instance = d->item.instance;
		row.role = (uint8_t)d->item.role;
		row.pid = (uint32_t)d->pid;
		row.restarts = d->sv.restarts;
		row.since = d->since;
		row.log_dropped = d->log_dropped;
		memcpy(row.counter, d->counter, sizeof(row.counter));
		(void)supervise_str(&d->sv, now, row.state, sizeof(row.state));
		if (ipc_send(&c->ch, CTL_DAEMON, ctl_daemon, &row) != E_OK)
			return;
		n++;
	}
	client_end(c, CTL_OK, n, "");
}

static void
client_pass(struct ctl_client *c, uint8_t verb)
{
	struct daemon *queue = daemons_find(c->m, ROOM_QUEUE);
	struct ipc_ctl_client who = { .uid = c->uid, .gid = c->gid, .pid = c->pid, .verb = verb };
	uint8_t payload[PAYLOAD_MAX];
	struct wr w;

	if (queue == NULL) {
		client_end(c, CTL_FAILED, 0, "queue does not run; see posternctl status and the log");
		return;
	}
	wr_init(&w, payload, sizeof(payload));
	ipc_pack_ctl_client(&w, &who);
	if (w.err != E_OK || ipc_send_with_fd(queue->ch, IPC_CTL_CLIENT, payload, w.len, c->ch.fd) != E_OK) {
		client_end(c, CTL_FAILED, 0, "the request could not be passed to queue");
		return;
	}
	/* Queue holds the connection before the client may speak to it. */
	ipc_flush(queue->ch);
	client_end(c, CTL_PASSED, 0, "");
}

static int
client_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct ctl_client *c = ch->arg;
	struct ipc_ctl_request q;
	char who[64];

	(void)fd;
	if (type != IPC_CTL_REQUEST || c->round != 0 || c->waits_stop ||
	    ipc_unpack_ctl_request(r, &q) != E_OK)
		return (E_PROTO);
	(void)uv_timer_stop(&c->deadline);
	(void)snprintf(who, sizeof(who), "posternctl uid=%u pid=%u", c->uid, c->pid);
	switch (q.verb) {
	case CTL_STATUS_MASTER:
		client_status(c);
		break;
	case CTL_RELOAD:
		if (c->m->stopping) {
			client_end(c, CTL_FAILED, 0, "posternd is stopping");
			break;
		}
		/* The answer may come in this very call, and closes the client then. */
		c->round = UINT64_MAX;
		reloads_request(c->m, who, &c->round);
		return (E_OK);
	case CTL_STOP:
		/* The connection ends when all daemons have. */
		c->waits_stop = 1;
		client_end(c, CTL_OK, 0, "");
		ipc_flush(ch);
		stops_begin(c->m, who);
		return (E_OK);
	case CTL_NONE:
		client_end(c, CTL_BAD, 0, "no such request");
		break;
	default:
		client_pass(c, q.verb);
		break;
	}
	client_close(c);
	return (E_OK);
}

static void
client_closed(struct ipc *ch, int err)
{
	struct ctl_client *c = ch->arg;

	if (err == E_PROTO)
		log_warn("control: request of uid=%u pid=%u broke the message table", c->uid, c->pid);
	client_close(c);
}

static void
client_late(uv_timer_t *t)
{
	struct ctl_client *c = t->data;

	log_warn("control: uid=%u pid=%u asked nothing in time", c->uid, c->pid);
	client_close(c);
}

static const struct ipc_ops client_ops = { .message = client_message, .closed = client_closed };

static int
client_open(struct master *m, struct ctl_client *c, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	memset(c, 0, sizeof(*c));
	c->m = m;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
		(void)close(fd);
		return (E_DENIED);
	}
	c->uid = (uint32_t)cred.uid;
	c->gid = (uint32_t)cred.gid;
	c->pid = (uint32_t)cred.pid;
	if (ipc_open(&c->ch, &m->loop, fd, ROOM_MASTER, ROOM_CTL, &client_ops, c) != E_OK)
		return (E_IO);
	c->used = 1;
	(void)uv_timer_init(&m->loop, &c->deadline);
	c->deadline.data = c;
	(void)uv_timer_start(&c->deadline, client_late, CTL_DEADLINE_MS, 0);
	return (E_OK);
}

static void
control_ready(uv_poll_t *p, int status, int events)
{
	struct master *m = p->data;
	unsigned i;
	int fd;

	(void)status;
	(void)events;
	for (;;) {
		for (i = 0; i < CTL_CLIENTS_MAX && m->client[i].used; i++)
			;
		if (i == CTL_CLIENTS_MAX) {
			m->control_paused = 1;
			(void)uv_poll_stop(&m->control);
			return;
		}
		fd = accept4(m->control_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			return;
		}
		if (client_open(m, &m->client[i], fd) != E_OK)
			log_warn("control: a connection could not be served");
	}
}

void
control_reloaded(struct master *m, uint64_t round, int ok, const char *text)
{
	struct ctl_client *c;
	unsigned i;

	for (i = 0; i < CTL_CLIENTS_MAX; i++) {
		c = &m->client[i];
		if (!c->used || c->closing > 0 || c->round != round)
			continue;
		client_end(c, ok ? CTL_OK : CTL_FAILED, 0, text);
		client_close(c);
	}
}
