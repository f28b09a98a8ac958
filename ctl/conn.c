/*
 * conn.c -- see conn.h.  Shell.
 *
 * The first answer is master's.  CTL_PASSED in it means: ask queue now, on the same
 * connection; both directions then count their frames from 0 again.
 */
#include "ctl/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"

struct conn {
	int			fd;
	unsigned		from;		/* who answers now: ROOM_MASTER, then ROOM_QUEUE */
	int			wait_ms;
	struct ipc_sync		sync;		/* 64 KB */
};

static int
conn_connect(const char *path, int *fdp)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	int			fd, err;

	if (strlen(path) >= sizeof(sun.sun_path))
		return (E_NOTFOUND);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if ((fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) == -1)
		return (E_IO);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		err = errno;
		(void)close(fd);
		return (err == EACCES || err == EPERM ? E_DENIED : E_NOTFOUND);
	}
	*fdp = fd;
	return (E_OK);
}

static int
conn_send(struct conn *c, const struct ipc_ctl_request *q)
{
	uint8_t		buf[sizeof(*q) + 64];
	uint32_t	seq = 0;
	struct wr	w;

	wr_init(&w, buf, sizeof(buf));
	ipc_pack_ctl_request(&w, q);
	if (w.err != E_OK)
		return (E_LIMIT);
	return (ipc_send_sync(c->fd, &seq, IPC_CTL_REQUEST, buf, w.len, -1));
}

/* Wait for input; what we have to show goes out before a real wait. */
static int
conn_wait(struct conn *c)
{
	struct pollfd	p = { .fd = c->fd, .events = POLLIN };
	int		n = poll(&p, 1, 0);

	if (n == 0) {
		(void)fflush(stdout);
		do
			n = poll(&p, 1, c->wait_ms);
		while (n == -1 && errno == EINTR);
	}
	if (n == 0)
		return (E_TIMEOUT);
	return (n > 0 ? E_OK : E_IO);
}

/* One frame: a row, or the end of the answer (*ended). */
static int
conn_step(struct conn *c, conn_row_fn row, void *arg, struct ipc_ctl_end *end, int *ended)
{
	enum ipc_type	type;
	struct rd	rd;
	int		err, fd;

	if (c->sync.off == c->sync.len && (err = conn_wait(c)) != E_OK)
		return (err);
	err = ipc_recv_sync(c->fd, &c->sync, c->from, ROOM_CTL, &type, &rd, &fd);
	if (err != E_OK)
		return (err);
	if (type != IPC_CTL_END)
		return (row(arg, type, &rd));
	*ended = 1;
	return (ipc_unpack_ctl_end(&rd, end));
}

static int
conn_answer(struct conn *c, conn_row_fn row, void *arg, struct ipc_ctl_end *end)
{
	int	err, ended = 0;

	while (!ended)
		if ((err = conn_step(c, row, arg, end, &ended)) != E_OK)
			return (err);
	return (E_OK);
}

/* The server leaves: whatever still comes is of no interest, its end is. */
static int
conn_until_gone(struct conn *c)
{
	char	buf[4096];
	ssize_t	n;
	int	err;

	for (;;) {
		if ((err = conn_wait(c)) != E_OK)
			return (err);
		n = recv(c->fd, buf, sizeof(buf), 0);
		if (n == 0 || (n == -1 && errno == ECONNRESET))
			return (E_OK);
		if (n == -1 && errno != EINTR && errno != EAGAIN)
			return (E_IO);
	}
}

int
conn_ask_fd(int fd, const struct ipc_ctl_request *q, conn_row_fn row, void *arg,
    struct ipc_ctl_end *end, int until_gone, int wait_ms)
{
	static struct conn	c;	/* one conversation at a time; too large for the stack */
	int			err;

	memset(&c, 0, sizeof(c));
	c.fd = fd;
	c.from = ROOM_MASTER;
	c.wait_ms = wait_ms;
	/* A server that refuses may close before it reads: its reason still waits for us. */
	err = conn_send(&c, q);
	if (err == E_OK || err == E_CLOSED)
		err = conn_answer(&c, row, arg, end);
	if (err == E_OK && end->status == CTL_PASSED) {
		c.from = ROOM_QUEUE;
		c.sync.seq = 0;
		c.sync.off = c.sync.len = 0;
		if ((err = conn_send(&c, q)) == E_OK)
			err = conn_answer(&c, row, arg, end);
		if (err == E_OK && end->status == CTL_PASSED)
			err = E_PROTO;
	}
	if (err == E_OK && until_gone && end->status == CTL_OK)
		err = conn_until_gone(&c);
	(void)close(fd);
	return (err);
}

int
conn_ask(const char *path, const struct ipc_ctl_request *q, conn_row_fn row, void *arg,
    struct ipc_ctl_end *end, int until_gone)
{
	int	fd = -1, err;

	if ((err = conn_connect(path, &fd)) != E_OK)
		return (err);
	return (conn_ask_fd(fd, q, row, arg, end, until_gone,
	    q->verb == CTL_RELOAD || q->verb == CTL_STOP ? CONN_WAIT_LONG_MS : CONN_WAIT_MS));
}
