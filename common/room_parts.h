/*
 * room_parts.h -- what room.c and room_messages.c share, and nobody else.
 */
#ifndef COMMON_ROOM_PARTS_H
#define COMMON_ROOM_PARTS_H

#include "common/limits.h"
#include "common/room.h"

struct early_peer {		/* a CHANNEL that came before GO */
	struct ipc_channel	m;
	int			fd;
};

struct early_listener {
	struct ipc_listener	m;
	int			fd;
};

struct room_inner {
	struct conf		*conf;		/* in use; room->conf for others */
	struct conf		*next;		/* got ready by CONF, used from CONF_USE on; or NULL */
	uint64_t		 next_generation;
	struct ipc_sync		 sync;		/* before the loop */
	uint32_t		 seq_out;
	int			 started;	/* START came */
	int			 logging;	/* LOG came */
	int			 log_is_file;	/* ... and it is a regular file, which RLIMIT_FSIZE would stop */
	int			 running;	/* GO came and what was kept was passed on */
	int			 stopping;
	int			 leaving;
	uint64_t		 stop_at;	/* loop time in ms of the last moment */
	uv_prepare_t		 prepare;
	uv_timer_t		 stop_timer;
	size_t			 npeers;
	struct early_peer	 peers[PEERS_MAX];
	size_t			 nlisteners;
	struct early_listener	 listeners[LISTENERS_MAX];
};

/* A message of master's, before GO or in the loop.  Takes fd. */
int	room_message(struct ipc *, enum ipc_type, struct rd *, int fd);
/* Finish within so long.  A second call can only shorten the time. */
void	room_stop_within(struct room *, uint32_t within_ms);

#endif
