/*
 * listen.h -- the listening sockets: one SO_REUSEPORT socket for each listener and smtpd process.
 *
 * master binds them and keeps them, so that a restarted smtpd inherits its backlog and no
 * connection is refused meanwhile.  master never reads from them.
 */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/limits.h"
#include "master/plan.h"

#define LISTEN_BACKLOG	4096	/* a backlog of 5 stalls clients for seconds (design.md 7) */

struct listener {
	char		name[64];
	struct net_addr	addr;
	uint16_t	port;
	int		fd[SMTPD_MAX];	/* -1: not bound */
	uint8_t		borrowed[SMTPD_MAX];	/* the socket is also in the set it was made from */
};

struct listeners {
	size_t		n;		/* in the order of conf.listeners */
	struct listener	l[LISTENERS_MAX];
};

/*
 * Sockets for all of the snapshot's listeners and nproc processes, those of old taken over where address
 * and port are the same.  E_IO or E_EXISTS with a line in err; nothing of old is changed then.
 */
int	listen_prepare(struct listeners *, const struct listeners *old, const struct conf *, unsigned nproc,
	    char *err, size_t size);
void	listen_abort(struct listeners *);				/* close what listen_prepare() bound anew */
void	listen_commit(struct listeners *, struct listeners *old);	/* moves it to old, closes what old had and it has not */
void	listen_close(struct listeners *);
/* The one with this name, address and port, or NULL. */
const struct listener *listen_find(const struct listeners *, const struct listener *);

#endif
