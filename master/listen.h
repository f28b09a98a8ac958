/*
 * listen.h -- the listening sockets: one SO_REUSEPORT socket for each listener and smtpd process.
 *
 * master binds them and keeps them, so that a restarted smtpd inherits its backlog and no
 * connection is refused meanwhile.  master never reads from them.
 *
 * A Unix listener is one socket that all processes accept from.  Its path stands in a directory that only root (or
 * we, as an ordinary user) may write; what an ended server left there is removed, a socket that answers is not.
 */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include "common/conf.h"
#include "common/limits.h"
#include "master/plan.h"

#define LISTEN_BACKLOG	4096	/* a backlog of 5 stalls clients for seconds (design.md 7) */

struct listener {
	char		name[64];
	enum listener_kind kind;
	char		path[CONF_SOCKET_MAX + 1];	/* LISTEN_UNIX */
	enum role	role;		/* of the smtpd processes that accept from it */
	int		everybody;	/* may connect to it, else the admin group */
	dev_t		dev;		/* of the path as we made it: nothing else is ever removed */
	ino_t		ino;
	struct net_addr	addr;		/* LISTEN_TCP */
	uint16_t	port;
	int		fd[SMTPD_MAX];	/* -1: not bound */
	uint8_t		borrowed[SMTPD_MAX];	/* the socket is also in the set it was made from */
};

struct listeners {
	size_t		n;		/* in the order of conf.listeners */
	struct listener	l[LISTENERS_MAX];
};

/*
 * Sockets for all of the snapshot's listeners and the plan's smtpd processes of their roles, those of old taken over where
 * address and port are the same, also when the role is another.  E_IO or E_EXISTS with a line in err; nothing of old is changed then.
 */
int	listen_prepare(struct listeners *, const struct listeners *old, const struct conf *, const struct plan *,
	    gid_t admin, char *err, size_t size);
void	listen_abort(struct listeners *);				/* close what listen_prepare() bound anew */
void	listen_commit(struct listeners *, struct listeners *old);	/* moves it to old, closes what old had and it has not */
void	listen_close(struct listeners *);
/* The one with this name, address and port or path, for the same role; or NULL. */
const struct listener *listen_find(const struct listeners *, const struct listener *);

/* listen_unix.c: bound, listening, with owner and mode; -1 and a reason in err. */
int	listen_unix_bind(struct listener *, gid_t admin, char *err, size_t size);
int	listen_unix_mode(const struct listener *);		/* of one that is taken over; E_IO */
void	listen_unix_unlink(const struct listener *);		/* if it is still ours */

#endif
