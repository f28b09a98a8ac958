/*
 * ipc.h -- channels between daemons: SOCK_SEQPACKET pairs made by master (design.md 3).
 *
 * A datagram holds one or more whole frames and nothing else, so that all that one turn
 * of the loop has to say to a peer costs one system call.  A frame is a header
 *
 *	u16 magic, u8 version, u8 type, u32 payload length, u32 sequence
 *
 * and its payload, by the table in ipc_msg.h.  A frame that carries a descriptor travels
 * alone in its datagram.  The receiver checks magic, version, sequence, type, direction,
 * length and descriptor count by the table; a bad frame ends that channel with one log
 * line, never the receiver (R2).  Sending never blocks: what the socket does not take waits in a
 * bounded queue, E_LIMIT past IPC_QUEUE_MAX.
 *
 * A frame with a secret (ipc_is_secret()) is wiped from the sender's buffers when it was sent or will not be, and from the
 * receiver's when its handler has returned, or nobody is left to call.
 *
 * Own sendmsg/recvmsg on uv_poll_t: libuv 1.44's pipes lose messages at end of file.
 */
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/ipc_msg.h"
#include "common/limits.h"
#include "common/wire.h"

struct ipc;
struct ipc_datagram;

struct ipc_ops {
	/*
	 * One frame.  payload borrows; fd is the descriptor it carried (now the callee's) or -1.
	 * Return E_OK, or E_PROTO to end the channel (unpack failed, wrong state).
	 */
	int	(*message)(struct ipc *, enum ipc_type, struct rd *payload, int fd);
	/* The channel is over: the peer closed it (E_CLOSED) or broke the table (E_PROTO).  All that the
	 * peer had sent before was delivered.  The callee calls ipc_close() when it likes. */
	void	(*closed)(struct ipc *, int err);
	/* What waited to be sent has gone; may be NULL. */
	void	(*drained)(struct ipc *);
};

struct ipc {
	uv_poll_t		 poll;
	int			 fd;
	unsigned		 self;		/* ROOM_* bit of this process */
	unsigned		 peer;		/* ROOM_* bit of the other end */
	unsigned		 instance;	/* the peer's number among its kind */
	uint8_t			 role;		/* ROLE_* of the peer */
	const struct ipc_ops	*ops;
	void			*arg;		/* the owner's */
	uint32_t		 seq_in;
	uint32_t		 seq_out;
	struct ipc_datagram	*head;		/* waiting to be sent, oldest first */
	struct ipc_datagram	*tail;		/* the one that is being filled */
	size_t			 queued;	/* octets waiting */
	struct ipc		*next_dirty;	/* has something to flush this turn */
	int			 err;		/* why ipc_begin() failed */
	void			(*done)(struct ipc *);
	uint8_t			 dirty;
	uint8_t			 over;		/* closed() was or will not be called; nothing is read any more */
	uint8_t			 broken;	/* the peer takes nothing any more; what it sent is still read */
	uint8_t			 writing;	/* waits for the socket to take more */
};

/*
 * Takes fd, also on failure (E_NOMEM, E_IO; then there is nothing to close).  Starts reading at once.
 * instance and role are the caller's to set, before or after.  A channel that was used by
 * ipc_send_sync() and ipc_recv_sync() goes on from their numbers: set seq_in and seq_out after the call.
 */
int	ipc_open(struct ipc *, uv_loop_t *, int fd, unsigned self, unsigned peer,
	    const struct ipc_ops *, void *arg);
/* Called before closed() when a peer broke the table; the room tells master (F18). */
extern void (*ipc_on_broken)(const struct ipc *);
/* Flushes what the socket takes, then closes.  done, if not NULL, is called when ipc may be freed. */
void	ipc_close(struct ipc *, void (*done)(struct ipc *));

/*
 * Send one frame: ipc_begin() gives a writer into the datagram being filled, ipc_end() checks
 * and counts it.  Between the two nothing else may be sent on this channel.  Nothing goes out before
 * ipc_flush_all(), which the room's loop calls once per turn, or ipc_flush().
 * E_CLOSED after the end, E_LIMIT if the queue is full, E_NOMEM.
 */
struct wr *ipc_begin(struct ipc *, enum ipc_type);	/* NULL on failure */
int	ipc_end(struct ipc *);
int	ipc_send_with_fd(struct ipc *, enum ipc_type, const void *payload, size_t, int fd); /* fd is duplicated by the kernel; the caller keeps its own */

void	ipc_flush(struct ipc *);
void	ipc_flush_all(void);			/* every channel with something to say */
size_t	ipc_backlog(const struct ipc *);	/* octets the peer has not taken yet */

/*
 * Pure: split one datagram into frames, checking each against the table.  Used by ipc.c and
 * by the fuzz target.  Calls fn for each; stops at the first failure.  *seq is the next
 * sequence number wanted.  nfd is how many descriptors came with the datagram.
 */
int	ipc_split(const uint8_t *datagram, size_t, unsigned from, unsigned to, unsigned nfd,
	    uint32_t *seq, int (*fn)(void *, enum ipc_type, struct rd *), void *arg);

/* A new pair, close-on-exec, non-blocking, with large socket buffers. */
int	ipc_pair(int fds[2]);

/* Blocking, for start-up before the loop and for posternctl: one frame each. */
int	ipc_send_sync(int fd, uint32_t *seq, enum ipc_type, const void *payload, size_t, int passfd);
struct ipc_sync {			/* all zero before the first call */
	uint8_t		buf[IPC_DATAGRAM_MAX];
	size_t		len, off;
	int		passed;		/* a descriptor that came, or -1 */
	uint32_t	seq;
	uint8_t		*secret;	/* within buf: what the last call handed out, if it must not stay */
	size_t		secret_len;
};
/* The next frame from fd; *payload borrows from s until the next call. */
int	ipc_recv_sync(int fd, struct ipc_sync *s, unsigned from, unsigned to,
	    enum ipc_type *, struct rd *payload, int *passfd);
/* What the last ipc_recv_sync() handed out was used.  The next call says so, too. */
void	ipc_sync_done(struct ipc_sync *);

#endif
