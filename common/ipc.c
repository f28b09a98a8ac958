/*
 * ipc.c -- channels in the loop: datagrams in and out of uv_poll_t (see ipc.h).
 *
 * Shell.  Reading: one recvmmsg per wake-up into one static buffer.  Writing: frames are packed where
 * they leave from; one sendmsg (or sendmmsg) per peer and turn.  Datagrams come from a small
 * free list, the one used last first, so that the same pages stay in the cache.  What was secret in them is wiped.
 *
 * Re-entry: any callback may close any channel.  After each one uv_is_closing() is asked
 * before the channel is touched again; its memory lives until the close callback at least.
 */
#include "common/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc_frame.h"
#include "common/log.h"

#define RECV_BATCH	8	/* datagrams read in one go; more wait for the next turn, so that peers share */
#define SEND_BATCH	16
#define FREE_MAX	8	/* datagrams kept for the next turn */

struct ipc_datagram {
	struct ipc_datagram	*next;
	struct wr		 w;	/* the frame being written: from end on */
	size_t			 end;	/* whole frames end here */
	enum ipc_type		 type;	/* of the frame being written */
	int			 fd;	/* ours, sent with it; or -1 */
	int			 full;	/* nothing more goes into this one */
	int			 secret;	/* a frame of it is: wiped before it is used again */
	/* A frame may start anywhere below IPC_DATAGRAM_MAX; if it does not end there, ipc_end() moves
	 * it to the next datagram. */
	uint8_t			 buf[IPC_DATAGRAM_MAX + IPC_HEADER + IPC_PAYLOAD_MAX];
};

static struct ipc_datagram	*free_list;
static unsigned			 nfree;
static struct ipc		*dirty_list;
static uint8_t			 input[RECV_BATCH][IPC_DATAGRAM_MAX];

void (*ipc_on_broken)(const struct ipc *);

static void	on_poll(uv_poll_t *, int, int);

/* ---- datagrams ---- */

static struct ipc_datagram *
datagram_new(void)
{
	struct ipc_datagram *d = free_list;

	if (d != NULL) {
		free_list = d->next;
		nfree--;
	} else if ((d = malloc(sizeof(*d))) == NULL)
		return (NULL);
	d->next = NULL;
	d->end = 0;
	d->fd = -1;
	d->full = 0;
	d->secret = 0;
	return (d);
}

static void
datagram_free(struct ipc_datagram *d)
{
	if (d->fd != -1)
		close(d->fd);
	if (d->secret)
		explicit_bzero(d->buf, d->end);
	if (nfree < FREE_MAX) {
		d->next = free_list;
		free_list = d;
		nfree++;
	} else
		free(d);
}

static void
append(struct ipc *ch, struct ipc_datagram *d)
{
	if (ch->tail != NULL)
		ch->tail->next = d;
	else
		ch->head = d;
	ch->tail = d;
}

/* Forget the first datagram: it was sent, or cannot be. */
static void
drop_head(struct ipc *ch)
{
	struct ipc_datagram *d = ch->head;

	ch->head = d->next;
	if (ch->head == NULL)
		ch->tail = NULL;
	ch->queued -= d->end;
	datagram_free(d);
}

static void
drop_all(struct ipc *ch)
{
	while (ch->head != NULL)
		drop_head(ch);
}

static void
dirty_add(struct ipc *ch)
{
	if (ch->dirty)
		return;
	ch->dirty = 1;
	ch->next_dirty = dirty_list;
	dirty_list = ch;
}

static void
dirty_remove(struct ipc *ch)
{
	struct ipc **p;

	if (!ch->dirty)
		return;
	for (p = &dirty_list; *p != NULL; p = &(*p)->next_dirty) {
		if (*p == ch) {
			*p = ch->next_dirty;
			break;
		}
	}
	ch->dirty = 0;
}

/* ---- open and close ---- */

/* Poll for what is wanted now. */
static void
poll_update(struct ipc *ch)
{
	int events = (ch->over ? 0 : UV_READABLE) | (ch->writing ? UV_WRITABLE : 0);

	/* Both only fail for a handle that is closing or a descriptor that is none. */
	if (events == 0)
		uv_poll_stop(&ch->poll);
	else if (uv_poll_start(&ch->poll, events, on_poll) != 0)
		log_warn("channel to %s[%u]: cannot be polled", room_name(ch->peer), ch->instance);
}

int
ipc_open(struct ipc *ch, uv_loop_t *loop, int fd, unsigned self, unsigned peer,
    const struct ipc_ops *ops, void *arg)
{
	int err;

	ch->fd = fd;
	ch->self = self;
	ch->peer = peer;
	ch->ops = ops;
	ch->arg = arg;
	ch->seq_in = ch->seq_out = 0;
	ch->head = ch->tail = NULL;
	ch->queued = 0;
	ch->next_dirty = NULL;
	ch->err = E_OK;
	ch->dirty = ch->over = ch->broken = ch->writing = 0;

	/* uv_poll_init makes the descriptor non-blocking. */
	if ((err = uv_poll_init(loop, &ch->poll, fd)) != 0) {
		close(fd);
		return (err == UV_ENOMEM ? E_NOMEM : E_IO);
	}
	ch->poll.data = ch;
	poll_update(ch);
	return (E_OK);
}

static void
on_closed(uv_handle_t *handle)
{
	struct ipc *ch = handle->data;

	if (ch->done != NULL)
		ch->done(ch);
}

void
ipc_close(struct ipc *ch, void (*done)(struct ipc *))
{
	if (uv_is_closing((uv_handle_t *)&ch->poll))
		return;
	ipc_flush(ch);
	dirty_remove(ch);
	drop_all(ch);
	ch->over = ch->broken = 1;
	ch->done = done;
	/* Out of the loop first, then close: a closed number may be somebody else's at once. */
	uv_close((uv_handle_t *)&ch->poll, on_closed);
	close(ch->fd);
	ch->fd = -1;
}

int
ipc_pair(int fds[2])
{
	int i, size = IPC_SOCKET_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == -1)
		return (errno == ENOMEM || errno == ENOBUFS ? E_NOMEM : E_IO);
	/* As much as the kernel gives: net.core.wmem_max bounds it, and less works too. */
	for (i = 0; i < 2; i++)
		(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return (E_OK);
}

/* ---- sending ---- */

struct wr *
ipc_begin(struct ipc *ch, enum ipc_type type)
{
	struct ipc_datagram *d = ch->tail;

	if (ch->over || ch->broken) {
		ch->err = E_CLOSED;
		return (NULL);
	}
	if (ch->queued >= IPC_QUEUE_MAX) {
		ch->err = E_LIMIT;
		return (NULL);
	}
	if (d == NULL || d->full || d->end + IPC_HEADER > IPC_DATAGRAM_MAX) {
		if ((d = datagram_new()) == NULL) {
			ch->err = E_NOMEM;
			return (NULL);
		}
		append(ch, d);
	}
	ch->err = E_OK;
	d->type = type;
	wr_init(&d->w, d->buf + d->end + IPC_HEADER, IPC_PAYLOAD_MAX);
	return (&d->w);
}

struct wr *
ipc_writer(struct ipc *ch)
{
	return (&ch->tail->w);
}

/* The octets of the frame being written, which do not stay where they are. */
static void
wipe_frame(struct ipc_datagram *d)
{
	if (ipc_is_secret(d->type))
		explicit_bzero(d->buf + d->end, IPC_HEADER + d->w.len);
}

/* Nothing came of the frame being written; an empty datagram must not stay behind. */
static int
give_up(struct ipc *ch, int err)
{
	struct ipc_datagram *d = ch->tail, *p;

	wipe_frame(d);
	if (d->end != 0)
		return (err);
	if (ch->head == d)
		ch->head = ch->tail = NULL;
	else {
		for (p = ch->head; p->next != d; p = p->next)
			continue;
		p->next = NULL;
		ch->tail = p;
	}
	datagram_free(d);
	return (err);
}

int
ipc_end(struct ipc *ch)
{
	struct ipc_datagram	*d = ch->tail, *fresh;
	uint8_t			*frame;
	size_t			 len;

	if (ch->err != E_OK)
		return (ch->err);
	if (d->w.err != E_OK)
		return (give_up(ch, d->w.err));
	len = IPC_HEADER + d->w.len;
	/* What we would refuse to read we do not send: it would cost us the channel. */
	if (ipc_check(d->type, ch->self, ch->peer, d->w.len, 0) != E_OK)
		return (give_up(ch, E_PROTO));
	if (ch->queued + len > IPC_QUEUE_MAX)
		return (give_up(ch, E_LIMIT));
	frame = d->buf + d->end;
	ipc_header(frame, d->type, d->w.len, ch->seq_out);
	if (d->end + len > IPC_DATAGRAM_MAX) {
		if ((fresh = datagram_new()) == NULL)
			return (give_up(ch, E_NOMEM));
		memcpy(fresh->buf, frame, len);
		wipe_frame(d);
		fresh->type = d->type;
		append(ch, fresh);
		d = fresh;
	}
	d->secret |= ipc_is_secret(d->type);
	d->end += len;
	ch->queued += len;
	ch->seq_out++;
	dirty_add(ch);
	return (E_OK);
}

/* What became of a send: 1 sent, 0 not now, -1 the peer is gone. */
static int
send_verdict(const struct ipc *ch, ssize_t n)
{
	if (n >= 0)
		return (1);
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM)
		return (0);
	if (errno != EPIPE && errno != ECONNRESET && errno != ENOTCONN)
		log_warn("channel to %s[%u]: send: %s", room_name(ch->peer), ch->instance, strerror(errno));
	return (-1);
}

/* Send up to SEND_BATCH datagrams.  Returns as send_verdict(). */
static int
send_some(struct ipc *ch)
{
	struct mmsghdr		 msgs[SEND_BATCH];
	struct iovec		 iov[SEND_BATCH];
	union ipc_control	 control;
	struct ipc_datagram	*d;
	unsigned		 n = 0;
	int			 verdict, sent;

	for (d = ch->head; d != NULL && n < SEND_BATCH; d = d->next) {
		if (d->fd != -1 && n != 0)
			break;		/* there is one control buffer: such a one goes by itself */
		memset(&msgs[n], 0, sizeof(msgs[n]));
		iov[n].iov_base = d->buf;
		iov[n].iov_len = d->end;
		msgs[n].msg_hdr.msg_iov = &iov[n];
		msgs[n].msg_hdr.msg_iovlen = 1;
		n++;
		if (d->fd != -1) {
			ipc_control_put(&msgs[0].msg_hdr, &control, d->fd);
			break;
		}
	}
	if (n == 1)
		sent = sendmsg(ch->fd, &msgs[0].msg_hdr, MSG_NOSIGNAL | MSG_DONTWAIT) == -1 ? -1 : 1;
	else
		sent = sendmmsg(ch->fd, msgs, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if ((verdict = send_verdict(ch, sent)) != 1)
		return (verdict);
	while (sent-- > 0)
		drop_head(ch);
	return (1);
}

void
ipc_flush(struct ipc *ch)
{
	int verdict = 1;

	dirty_remove(ch);
	if (ch->over || ch->broken || ch->writing)
		return;
	while (ch->head != NULL && verdict == 1)
		verdict = send_some(ch);
	if (verdict == 0) {
		ch->writing = 1;
		poll_update(ch);
	} else if (verdict == -1) {
		/* Gone; but what it sent before is still to be read.  The loop comes back for that
		 * and for telling the owner: a broken channel is always writable. */
		ch->broken = 1;
		ch->writing = 1;
		drop_all(ch);
		poll_update(ch);
	}
}

void
ipc_flush_all(void)
{
	/* ipc_flush() takes it off the list and calls nobody back. */
	while (dirty_list != NULL)
		ipc_flush(dirty_list);
}

size_t
ipc_backlog(const struct ipc *ch)
{
	return (ch->queued);
}

int
ipc_send_with_fd(struct ipc *ch, enum ipc_type type, const void *payload, size_t len, int fd)
{
	struct ipc_datagram *d;

	if (ch->over || ch->broken)
		return (E_CLOSED);
	if (ipc_check(type, ch->self, ch->peer, len, 1) != E_OK)
		return (E_PROTO);
	if (ch->queued + IPC_HEADER + len > IPC_QUEUE_MAX)
		return (E_LIMIT);
	if ((d = datagram_new()) == NULL)
		return (E_NOMEM);
	/* Until it leaves, the datagram needs a descriptor of its own: the caller may close his. */
	if ((d->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		datagram_free(d);
		return (errno == EMFILE ? E_LIMIT : E_IO);
	}
	d->full = 1;
	ipc_header(d->buf, type, len, ch->seq_out);
	if (len != 0)
		memcpy(d->buf + IPC_HEADER, payload, len);
	d->end = IPC_HEADER + len;
	append(ch, d);
	ch->queued += d->end;
	ch->seq_out++;
	dirty_add(ch);
	return (E_OK);
}

/* ---- receiving ---- */

/* The channel is over: nothing is read or sent any more; the owner closes it when he likes. */
static void
finish(struct ipc *ch, int err)
{
	ch->over = 1;
	ch->writing = 0;
	dirty_remove(ch);
	drop_all(ch);
	uv_poll_stop(&ch->poll);
	if (err == E_PROTO && ipc_on_broken != NULL)
		ipc_on_broken(ch);
	ch->ops->closed(ch, err);
}

struct dispatch {
	struct ipc	*ch;
	int		 fd;	/* came with the datagram, or -1; the callee's once he was called */
	unsigned	 type;	/* of the last frame that passed the table */
};

static int
on_frame(void *arg, enum ipc_type type, struct rd *payload)
{
	struct dispatch	*d = arg;
	uint8_t		*octets = (uint8_t *)(uintptr_t)payload->p;	/* input, which is ours to write */
	size_t		 len = payload->len;
	int		 fd = d->fd, err;

	d->fd = -1;
	d->type = type;
	err = d->ch->ops->message(d->ch, type, payload, fd);
	if (ipc_is_secret(type))
		explicit_bzero(octets, len);
	if (uv_is_closing((uv_handle_t *)&d->ch->poll))
		return (E_CLOSED);
	return (err == E_OK ? E_OK : E_PROTO);
}

static int
on_datagram(struct ipc *ch, const uint8_t *p, size_t len, unsigned nfd, int fd)
{
	struct dispatch	d = { .ch = ch, .fd = fd, .type = IPC_NONE };
	int		err;

	if (nfd == UINT_MAX)
		err = E_PROTO;
	else
		err = ipc_split(p, len, ch->peer, ch->self, nfd, &ch->seq_in, on_frame, &d);
	if (d.fd != -1)
		close(d.fd);
	if (err != E_OK && !uv_is_closing((uv_handle_t *)&ch->poll))
		log_warn("channel to %s[%u]: bad frame after %s: %s", room_name(ch->peer), ch->instance,
		    ipc_type_name(d.type), err_name(err));
	return (err);
}

/*
 * Read a batch and pass it on.  E_OK if there may be more, E_AGAIN if nothing was there, E_CLOSED at
 * the end or when a callback closed the channel, else why the channel must end.
 */
static int
read_some(struct ipc *ch)
{
	static struct mmsghdr		msgs[RECV_BATCH];
	static struct iovec		iov[RECV_BATCH];
	static union ipc_control	control[RECV_BATCH];
	unsigned			nfd;
	int				i, n, fd, err = E_OK;

	for (i = 0; i < RECV_BATCH; i++) {
		iov[i].iov_base = input[i];
		iov[i].iov_len = sizeof(input[i]);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		msgs[i].msg_hdr.msg_control = control[i].space;
		msgs[i].msg_hdr.msg_controllen = sizeof(control[i].space);
		msgs[i].msg_hdr.msg_flags = 0;
	}
	n = recvmmsg(ch->fd, msgs, RECV_BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
	if (n == -1) {
		switch (errno) {
		case EAGAIN:
			return (E_AGAIN);
		case ECONNRESET:	/* it left without reading all of ours; what it sent comes after this */
		case EINTR:
		case ENOBUFS:
		case ENOMEM:
			return (E_OK);
		}
		log_warn("channel to %s[%u]: receive: %s", room_name(ch->peer), ch->instance, strerror(errno));
		return (E_CLOSED);
	}
	for (i = 0; i < n; i++) {
		nfd = ipc_control_get(&msgs[i].msg_hdr, &fd);
		if (err != E_OK) {	/* over: only the descriptors are left to put away */
			if (fd != -1)
				close(fd);
		} else if (msgs[i].msg_len == 0 && fd == -1)
			err = E_CLOSED;	/* end of file */
		else
			err = on_datagram(ch, input[i], msgs[i].msg_len, nfd, fd);
		if (err != E_OK)	/* nobody looked at what it holds */
			explicit_bzero(input[i], msgs[i].msg_len);
	}
	return (err);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct ipc	*ch = poll->data;
	int		 err;

	/* An error in status (EPOLLERR) has stopped the handle; reading tells what it was. */
	err = read_some(ch);
	if (uv_is_closing((uv_handle_t *)poll) || ch->over)
		return;
	if (err == E_AGAIN && ch->broken)
		err = E_CLOSED;
	if (err != E_OK && err != E_AGAIN) {
		finish(ch, err);
		return;
	}
	if (ch->writing && !ch->broken && (events & UV_WRITABLE) != 0) {
		ch->writing = 0;
		ipc_flush(ch);
		if (!ch->writing) {
			poll_update(ch);
			if (!ch->broken && ch->ops->drained != NULL)
				ch->ops->drained(ch);
			return;
		}
	}
	if (status < 0)
		poll_update(ch);
}
