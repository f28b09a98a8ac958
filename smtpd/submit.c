/*
 * submit.c -- connections that pickup hands over, for mail that waited in the drop directory.  Shell.
 *
 * Each is as one accepted on the listener "submit" from the user that the message names.  Pickup is a peer as any (R2): the
 * descriptor has to be what it should be, and there is an end to how many it may have.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

static int
option(int fd, int name)
{
	int		v = -1;
	socklen_t	len = sizeof(v);

	return (getsockopt(fd, SOL_SOCKET, name, &v, &len) == 0 ? v : -1);
}

static int
is_stream(int fd)
{
	return (option(fd, SO_DOMAIN) == AF_UNIX && option(fd, SO_TYPE) == SOCK_STREAM &&
	    option(fd, SO_ACCEPTCONN) == 0);
}

static void
submit(struct smtpd *d, int fd, uint32_t uid)
{
	struct listener	*l = listener_find(d, "submit");
	struct client	 who = { .local = 1, .submitted = 1, .uid = uid };

	if (l == NULL || d->stopping || d->nsubmitted >= SUBMITS_MAX) {
		/* It closes without a word: pickup comes again. */
		log_info("submission of uid=%u is not taken now: %s", uid,
		    l == NULL || d->stopping ? "no listener \"submit\"" : "too many of them");
		close(fd);
		return;
	}
	listener_admit(l, fd, &who);
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct ipc_submit	m;

	if (type != IPC_SUBMIT || ipc_unpack_submit(r, &m) != E_OK || !is_stream(fd)) {
		if (fd != -1)
			close(fd);
		return (E_PROTO);
	}
	submit(ch->arg, fd, m.uid);
	return (E_OK);
}

const struct peer_kind pickup_peer = {
	.room = ROOM_PICKUP,
	.channel = offsetof(struct smtpd, pickup),
	.ops = { .message = on_message, .closed = peer_closed },
};
