/*
 * spawn.h -- fork and exec of a fresh image with listed descriptors and nothing else.
 */
#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX	8

/*
 * Run path with argv and an empty environment.  fds[i] becomes descriptor i; -1 gives /dev/null.
 * All others are closed, signal dispositions and the mask are the default ones.  E_OK and the
 * child's *pid, or E_IO: no process, or no memory.  A path that cannot be executed shows
 * as exit status SPAWN_NOEXEC.
 */
#define SPAWN_NOEXEC	127
int	spawn_run(pid_t *pid, const char *path, char *const argv[], const int *fds, size_t nfds);

/* Where the program is: beside posternd, in ../libexec/postern from there, or in LIBEXECDIR.  E_NOTFOUND, E_LIMIT. */
int	spawn_find(char *dst, size_t size, const char *program);

#endif
