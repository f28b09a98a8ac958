/*
 * ipc_frame.h -- a frame's header on the wire; for the ipc*.c files alone.
 *
 *	u16 magic, u8 version, u8 type, u32 payload length, u32 sequence; little-endian
 */
#ifndef COMMON_IPC_FRAME_H
#define COMMON_IPC_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/ipc.h"

#define IPC_MAGIC	0x5350	/* "PS" */
#define IPC_VERSION	1
#define IPC_HEADER	12

/* Descriptors a datagram has room for: one more than any message carries, so that a surplus is seen. */
#define IPC_FDS_MAX	2

union ipc_control {		/* aligned as the kernel wants it */
	struct cmsghdr	hdr;
	char		space[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

/* The header of one frame into p[IPC_HEADER]. */
void	ipc_header(uint8_t *p, enum ipc_type, size_t len, uint32_t seq);

/* Point msg at one descriptor to send. */
void	ipc_control_put(struct msghdr *msg, union ipc_control *, int fd);

/*
 * The descriptors of a received msg: how many came (all but the first are closed again),
 * *fd the first or -1.  UINT_MAX if some were cut off or anything else came beside them; then all are closed.
 */
unsigned ipc_control_get(struct msghdr *msg, int *fd);

#endif
