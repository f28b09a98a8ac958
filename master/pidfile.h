/*
 * pidfile.h -- one master for a runtime directory, and no old daemons beside new ones (F2, F20).
 *
 * The pid file is locked as long as master lives; what an ended master left behind is no hindrance.
 * The life lock <directory>/lock is held, shared, by master and by every daemon (their descriptor 4): a
 * new master waits until the daemons of a killed one have gone.
 */
#ifndef MASTER_PIDFILE_H
#define MASTER_PIDFILE_H

#include <stddef.h>

#define LIFE_WAIT_S	20	/* old daemons leave within seconds of their master's end */

/* E_OK and a descriptor to keep, or E_BUSY ("posternd runs already with pid N"), E_IO. */
int	pidfile_lock(int *fd, const char *runtime, char *err, size_t size);
void	pidfile_remove(int fd, const char *runtime);

/* *fd: for daemons, read-only.  Blocks up to LIFE_WAIT_S.  E_BUSY: still held by another's daemons. */
int	lifelock_take(int *fd, const char *directory, char *err, size_t size);

#endif
