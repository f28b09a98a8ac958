/*
 * room.h -- what every daemon's main() shares: its start by master, its loop, its end.
 *
 * A daemon is started with one descriptor, 3: its channel to master.  room_open() reads START, CONF,
 * LOG, LISTENER, CHANNEL messages until GO, blocking.  room_run() serves the loop: pings, reloads
 * in two steps (CONF, CONF_USE), new channels after a peer's restart, new log sockets, stop.
 * When master goes (end of file), the daemon finishes as for STOP and leaves (F2).
 */
#ifndef COMMON_ROOM_H
#define COMMON_ROOM_H

#include <stdint.h>
#include <uv.h>

#include "common/conf.h"
#include "common/ipc.h"
#include "common/sandbox.h"

#define ROOM_CHANNEL_FD	3

struct room;

struct room_ops {
	/* A peer's channel.  Takes fd; normally calls ipc_open() with room->self.
	 * Called for those that came before GO by room_run(), in order, before anything else. */
	void	(*peer)(struct room *, const struct ipc_channel *, int fd);
	/* A new snapshot is in room->conf; the old one is freed after the call.  May be NULL. */
	void	(*conf)(struct room *, const struct conf *old);
	void	(*listener)(struct room *, const struct ipc_listener *, int fd);	/* takes fd; smtpd only */
	void	(*listener_end)(struct room *, const struct ipc_listener *);
	void	(*key)(struct room *, const struct ipc_key *, int fd);	/* takes fd; keys only; also before GO */
	void	(*secret)(struct room *, const struct ipc_secret *, int fd);	/* takes fd, a sealed memory file at its beginning; auth only; also before GO */
	void	(*dovecot)(struct room *, int fd);	/* takes fd, a non-blocking stream to Dovecot's auth service; auth only; also before GO */
	void	(*ticket_keys)(struct room *, const struct ipc_ticket_keys *);	/* smtpd only; wiped after the call; also before GO */
	/* A snapshot that will be used unless somebody refuses it: what is needed for it is made ready now.  Also
	 * before GO.  May be NULL. */
	int	(*check)(struct room *, const struct conf *next, uint64_t generation);
	void	(*ctl_client)(struct room *, const struct ipc_ctl_client *, int fd);	/* takes fd; queue only */
	/* All that was sent before GO has been passed on.  May be NULL. */
	void	(*go)(struct room *);
	/* Finish within so long, then call room_leave().  NULL leaves at once. */
	void	(*stop)(struct room *, uint32_t within_ms);
	/* Fill counters for PONG; may be NULL. */
	void	(*counters)(struct room *, uint64_t counter[8]);
};

struct room {
	unsigned	 self;		/* ROOM_* bit */
	unsigned	 instance;
	enum role	 role;
	struct ipc_start start;
	const struct conf *conf;	/* the snapshot in use */
	uv_loop_t	 loop;
	struct ipc	 master;
	const struct room_ops *ops;
	char		 refusal[CONF_REFUSAL_MAX + 1];	/* of ops->check: why not, for the operator */
	void		*arg;		/* the daemon's own state */
	struct room_inner *inner;	/* room.c's */
};

/* Handles -V.  SIGPIPE ignored, stdio on /dev/null, siphash seeded, time zone read, one stream handle opened (libuv's reserve descriptor).  Fatal on failure. */
void	room_open(struct room *, unsigned self, int argc, char **argv, const struct room_ops *, void *arg);
/* sandbox_enter() with what START said; run may add directories, ports, nofile.  */
void	room_sandbox(struct room *, const struct sandbox *, struct sandbox_run *run);
/* READY to master, passes on what came before GO, then the loop.  Returns after room_leave(). */
void	room_run(struct room *);
void	room_leave(struct room *);
/* The last turn's lines and messages go out; call before any exit in the loop. */
void	room_flush(struct room *);

#endif
