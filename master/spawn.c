/*
 * spawn.c -- see spawn.h.  Shell.
 *
 * Between fork and exec only calls that are safe in a signal handler.  All signals are blocked
 * over the fork: libuv's handlers write into a pipe that parent and child share, and
 * a signal caught in the child would look like one of the parent's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "master/paths.h"
#include "master/spawn.h"

static _Noreturn void
spawn_child(const char *path, char *const argv[], const int *fds, size_t nfds)
{
	static char *const no_env[] = { NULL };
	struct sigaction sa;
	sigset_t none;
	int high[SPAWN_FDS_MAX], null, sig;
	size_t i;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);	/* fails for SIGKILL and SIGSTOP, as it must */
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		_exit(SPAWN_NOEXEC);
	/* First out of the way of the numbers they are to get. */
	for (i = 0; i < nfds; i++) {
		high[i] = fcntl(fds[i] == -1 ? null : fds[i], F_DUPFD_CLOEXEC, SPAWN_FDS_MAX);
		if (high[i] == -1)
			_exit(SPAWN_NOEXEC);
	}
	for (i = 0; i < nfds; i++) {
		if (dup2(high[i], (int)i) == -1)
			_exit(SPAWN_NOEXEC);
	}
	(void)close_range((unsigned)nfds, ~0u, 0);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(path, argv, no_env);
	_exit(SPAWN_NOEXEC);
}

int
spawn_run(pid_t *pid, const char *path, char *const argv[], const int *fds, size_t nfds)
{
	sigset_t all, old;
	pid_t p;

	if (nfds > SPAWN_FDS_MAX)
		return (E_LIMIT);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	p = fork();
	if (p == 0)
		spawn_child(path, argv, fds, nfds);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (p == -1) {
		log_warn("fork for %s: %s", path, strerror(errno));
		return (E_IO);
	}
	*pid = p;
	return (E_OK);
}

/* Whether dir and rest name a program; E_LIMIT. */
static int
try_path(char *dst, size_t size, const char *dir, const char *rest, const char *program)
{
	int len = snprintf(dst, size, "%s%s/%s", dir, rest, program);

	if (len < 0 || (size_t)len >= size)
		return (E_LIMIT);
	return (access(dst, X_OK) == 0 ? E_OK : E_NOTFOUND);
}

int
spawn_find(char *dst, size_t size, const char *program)
{
	char self[MASTER_PATH_MAX];
	ssize_t n;
	char *slash;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		if ((slash = strrchr(self, '/')) != NULL) {
			*slash = '\0';
			/* Built, or installed under whatever prefix. */
			if (try_path(dst, size, self, "", program) == E_OK ||
			    try_path(dst, size, self, "/../libexec/postern", program) == E_OK)
				return (E_OK);
		}
	}
	return (try_path(dst, size, LIBEXECDIR, "", program));
}
