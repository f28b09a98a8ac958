/*
 * ipc_frame.c -- frames within a datagram, and descriptors beside it.
 *
 * ipc_split() is core: octets in, calls out; the fuzz target drives it.  The control-message
 * helpers only move numbers, and close what nobody asked for.
 */
#include "common/ipc_frame.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"

void
ipc_header(uint8_t *p, enum ipc_type type, size_t len, uint32_t seq)
{
	struct wr w;

	wr_init(&w, p, IPC_HEADER);
	wr_u16(&w, IPC_MAGIC);
	wr_u8(&w, IPC_VERSION);
	wr_u8(&w, (uint8_t)type);
	wr_u32(&w, (uint32_t)len);
	wr_u32(&w, seq);
}

int
ipc_split(const uint8_t *datagram, size_t size, unsigned from, unsigned to, unsigned nfd,
    uint32_t *seq, int (*fn)(void *, enum ipc_type, struct rd *), void *arg)
{
	struct rd	r, payload;
	size_t		len;
	unsigned	type;
	int		err;

	if (size == 0)
		return (E_PROTO);
	rd_init(&r, datagram, size);
	while (r.len != 0) {
		if (rd_u16(&r) != IPC_MAGIC || rd_u8(&r) != IPC_VERSION)
			return (E_PROTO);
		type = rd_u8(&r);
		len = rd_u32(&r);
		if (rd_u32(&r) != *seq || r.err != E_OK || len > r.len)
			return (E_PROTO);
		/* A frame with a descriptor travels alone: whose else would it be? */
		if (nfd != 0 && (size != IPC_HEADER + len))
			return (E_PROTO);
		if ((err = ipc_check(type, from, to, len, nfd)) != E_OK)
			return (err);
		(*seq)++;
		rd_init(&payload, r.p, len);
		if ((err = fn(arg, (enum ipc_type)type, &payload)) != E_OK)
			return (err);
		r.p += len;
		r.len -= len;
	}
	return (E_OK);
}

void
ipc_control_put(struct msghdr *msg, union ipc_control *control, int fd)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control->space;
	msg->msg_controllen = CMSG_SPACE(sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
}

unsigned
ipc_control_get(struct msghdr *msg, int *fd)
{
	struct cmsghdr	*c;
	size_t		 i, n;
	unsigned	 count = 0;
	int		 one, strange = (msg->msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0;

	*fd = -1;
	if (msg->msg_controllen == 0)
		return (strange ? UINT_MAX : 0);
	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			strange = 1;
			continue;
		}
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count++ == 0)
				*fd = one;
			else
				close(one);
		}
	}
	if (strange && *fd != -1) {
		close(*fd);
		*fd = -1;
	}
	return (strange ? UINT_MAX : count);
}
