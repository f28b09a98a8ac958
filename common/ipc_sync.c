/*
 * ipc_sync.c -- the same frames without a loop: a daemon's start, and posternctl (see ipc.h).
 *
 * Shell.  These calls wait for as long as the peer takes, so nothing that serves strangers uses them.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/ipc_frame.h"

static int
wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	while (poll(&p, 1, -1) == -1) {
		if (errno != EINTR && errno != EAGAIN)
			return (E_IO);
	}
	return (E_OK);
}

int
ipc_send_sync(int fd, uint32_t *seq, enum ipc_type type, const void *payload, size_t len, int passfd)
{
	uint8_t			header[IPC_HEADER];
	struct iovec		iov[2];
	struct msghdr		msg;
	union ipc_control	control;

	if (len > IPC_PAYLOAD_MAX)
		return (E_LIMIT);
	ipc_header(header, type, len, *seq);
	iov[0].iov_base = header;
	iov[0].iov_len = sizeof(header);
	iov[1].iov_base = (void *)(uintptr_t)payload;	/* sendmsg only reads it */
	iov[1].iov_len = len;
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = len != 0 ? 2 : 1;
	if (passfd != -1)
		ipc_control_put(&msg, &control, passfd);
	while (sendmsg(fd, &msg, MSG_NOSIGNAL) == -1) {
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return (E_CLOSED);
		if (errno == EAGAIN) {
			if (wait_for(fd, POLLOUT) != E_OK)
				return (E_IO);
		} else if (errno != EINTR)
			return (E_IO);
	}
	(*seq)++;
	return (E_OK);
}

struct one {
	enum ipc_type	type;
	struct rd	payload;
	int		taken;
};

/* Take the first frame and stop there. */
static int
take_one(void *arg, enum ipc_type type, struct rd *payload)
{
	struct one *o = arg;

	o->type = type;
	o->payload = *payload;
	o->taken = 1;
	return (E_AGAIN);
}

/* One datagram into s. */
static int
fill(int fd, struct ipc_sync *s, unsigned *nfd)
{
	struct iovec		iov = { .iov_base = s->buf, .iov_len = sizeof(s->buf) };
	struct msghdr		msg;
	union ipc_control	control;
	ssize_t			n;

	for (;;) {
		memset(&msg, 0, sizeof(msg));
		msg.msg_iov = &iov;
		msg.msg_iovlen = 1;
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
		if (n >= 0)
			break;
		if (errno == EAGAIN) {
			if (wait_for(fd, POLLIN) != E_OK)
				return (E_IO);
		} else if (errno != EINTR && errno != ECONNRESET)	/* reset: what was sent comes after it */
			return (E_IO);
	}
	*nfd = ipc_control_get(&msg, &s->passed);
	s->off = 0;
	s->len = (size_t)n;
	if (n == 0 && s->passed == -1)
		return (E_CLOSED);
	return (*nfd == UINT_MAX ? E_PROTO : E_OK);
}

void
ipc_sync_done(struct ipc_sync *s)
{
	if (s->secret != NULL)
		explicit_bzero(s->secret, s->secret_len);
	s->secret = NULL;
}

int
ipc_recv_sync(int fd, struct ipc_sync *s, unsigned from, unsigned to, enum ipc_type *type,
    struct rd *payload, int *passfd)
{
	struct one	o = { .taken = 0 };
	unsigned	nfd = 0;
	int		err;

	ipc_sync_done(s);
	*passfd = -1;
	s->passed = -1;
	if (s->off == s->len && (err = fill(fd, s, &nfd)) != E_OK)
		return (err);
	err = ipc_split(s->buf + s->off, s->len - s->off, from, to, nfd, &s->seq, take_one, &o);
	if (!o.taken) {
		if (s->passed != -1)
			close(s->passed);
		s->passed = -1;
		explicit_bzero(s->buf, s->len);		/* whatever it was, nobody takes it */
		return (err != E_OK ? err : E_PROTO);
	}
	*type = o.type;
	*payload = o.payload;
	*passfd = s->passed;
	s->passed = -1;
	s->off = (size_t)(o.payload.p - s->buf) + o.payload.len;
	if (ipc_is_secret(o.type)) {
		s->secret_len = o.payload.len;
		s->secret = s->buf + s->off - s->secret_len;
	}
	return (E_OK);
}
