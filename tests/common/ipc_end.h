/*
 * ipc_end.h -- one end of a channel that counts what it sees, and a loop that does not wait for ever;
 * for the channel's tests.
 */
#ifndef TESTS_COMMON_IPC_END_H
#define TESTS_COMMON_IPC_END_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc.h"
#include "common/ipc_frame.h"
#include "common/log.h"

#define GUARD_MS	10000	/* a test that waits longer has failed */

struct end {			/* one end of a channel, and what it saw */
	struct ipc	ch;
	unsigned	messages;
	unsigned	fds;
	uint64_t	sum;		/* of what the messages carried */
	int		closed;		/* how often */
	int		err;
	int		drained;
	int		done;
	struct ipc	*close_at_first;	/* close this one in the first message */
	int		refuse;		/* answer E_PROTO */
};

static uv_loop_t	loop;
static uv_timer_t	guard;

static inline unsigned
open_fds(void)
{
	DIR		*d = opendir("/proc/self/fd");
	unsigned	 n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return (n);
}

static inline void
on_done(struct ipc *ch)
{
	((struct end *)ch->arg)->done++;
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *payload, int fd)
{
	struct end		*e = ch->arg;
	struct ipc_channel	 channel;
	struct ipc_txn_chunk	 chunk;
	struct ipc_txn_abort	 txn;

	e->messages++;
	switch (type) {
	case IPC_CHANNEL:
		assert_int_equal(ipc_unpack_channel(payload, &channel), E_OK);
		e->sum += channel.instance;
		break;
	case IPC_TXN_CHUNK:
		assert_int_equal(ipc_unpack_txn_chunk(payload, &chunk), E_OK);
		e->sum += chunk.data.n;
		break;
	case IPC_TXN_ABORT:
		if (ipc_unpack_txn_abort(payload, &txn) != E_OK)
			return (E_PROTO);
		e->sum += txn.txn;
		break;
	default:
		break;
	}
	if (fd != -1) {
		e->fds++;
		close(fd);
	}
	if (e->close_at_first != NULL) {
		ipc_close(e->close_at_first, on_done);
		e->close_at_first = NULL;
	}
	return (e->refuse ? E_PROTO : E_OK);
}

static void
on_closed(struct ipc *ch, int err)
{
	struct end *e = ch->arg;

	e->closed++;
	e->err = err;
}

static void
on_drained(struct ipc *ch)
{
	((struct end *)ch->arg)->drained++;
}

static const struct ipc_ops ops = { on_message, on_closed, on_drained };

static inline void
on_guard(uv_timer_t *t)
{
	fail_msg("the event never came");
}

static inline int
setup(void **state)
{
	if (uv_loop_init(&loop) != 0)
		return (-1);
	uv_timer_init(&loop, &guard);
	return (0);
}

static inline int
teardown(void **state)
{
	uv_close((uv_handle_t *)&guard, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return (uv_loop_close(&loop));
}

/* Run the loop until *counter is wanted. */
static inline void
until(const int *counter, int wanted)
{
	uv_timer_start(&guard, on_guard, GUARD_MS, 0);
	while (*counter < wanted) {
		ipc_flush_all();
		uv_run(&loop, UV_RUN_ONCE);
	}
	uv_timer_stop(&guard);
}

static inline void
until_messages(struct end *e, unsigned wanted)
{
	uv_timer_start(&guard, on_guard, GUARD_MS, 0);
	while (e->messages < wanted) {
		ipc_flush_all();
		uv_run(&loop, UV_RUN_ONCE);
	}
	uv_timer_stop(&guard);
}

static inline void
end_open(struct end *e, int fd, unsigned self, unsigned peer)
{
	memset(e, 0, sizeof(*e));
	assert_int_equal(ipc_open(&e->ch, &loop, fd, self, peer, &ops, e), E_OK);
}

static inline void
end_close(struct end *e)
{
	ipc_close(&e->ch, on_done);
	until(&e->done, 1);
}

static inline int
send_abort(struct ipc *ch, uint32_t txn)
{
	struct ipc_txn_abort m = { .txn = txn };

	return (ipc_send(ch, TXN_ABORT, txn_abort, &m));
}

static inline int
send_chunk(struct ipc *ch, size_t n)
{
	static char		 data[IPC_CHUNK_MAX];
	struct ipc_txn_chunk	 m = { .txn = 1, .data = slice_make(data, n) };

	return (ipc_send(ch, TXN_CHUNK, txn_chunk, &m));
}

static inline int
send_channel(struct ipc *ch, uint32_t instance, int fd)
{
	struct ipc_channel	m = { .room = ROOM_SMTPD, .instance = instance, .role = ROLE_NONE };
	uint8_t			p[64];
	struct wr		w;

	wr_init(&w, p, sizeof(p));
	ipc_pack_channel(&w, &m);
	return (ipc_send_with_fd(ch, IPC_CHANNEL, p, w.len, fd));
}

static inline void
raw_send(int fd, const void *p, size_t n, unsigned nfd)
{
	struct iovec	iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr	msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr	hdr;
		char		space[CMSG_SPACE(8 * sizeof(int))];
	} control;
	unsigned	i;

	if (nfd != 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfd * sizeof(int));
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(nfd * sizeof(int));
		for (i = 0; i < nfd; i++)
			memcpy(CMSG_DATA(&control.hdr) + i * sizeof(int), &(int){ STDIN_FILENO }, sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, 0), (ssize_t)n);
}

#endif
