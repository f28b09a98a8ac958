/*
 * pidfile.c -- see pidfile.h.  Shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "master/paths.h"
#include "master/pidfile.h"

#define PIDFILE		"posternd.pid"
#define LIFELOCK	"lock"

static int
path_join(char *dst, size_t size, const char *dir, const char *name, char *err, size_t errsize)
{
	int n = snprintf(dst, size, "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= size) {
		(void)snprintf(err, errsize, "%.200s...: too long a path", dir);
		return (E_LIMIT);
	}
	return (E_OK);
}

int
pidfile_lock(int *fdp, const char *runtime, char *err, size_t size)
{
	char path[MASTER_PATH_MAX], pid[32];
	struct stat a, b;
	ssize_t n;
	int fd;

	if (path_join(path, sizeof(path), runtime, PIDFILE, err, size) != E_OK)
		return (E_LIMIT);
	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd == -1 || fstat(fd, &a) == -1)
			goto fail;
		if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
			if (errno != EWOULDBLOCK)
				goto fail;
			n = pread(fd, pid, sizeof(pid) - 1, 0);
			pid[n > 0 ? n : 0] = '\0';
			pid[strcspn(pid, "\n")] = '\0';
			(void)snprintf(err, size, "posternd runs already: %s is locked by pid %s", path,
			    pid[0] != '\0' ? pid : "(not written yet)");
			(void)close(fd);
			return (E_BUSY);
		}
		/* Its last owner may have removed it between our open and our lock. */
		if (stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
			break;
		(void)close(fd);
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == -1 || pwrite(fd, pid, (size_t)n, 0) != n)
		goto fail;
	*fdp = fd;
	return (E_OK);
fail:
	(void)snprintf(err, size, "%s: %s", path, strerror(errno));
	if (fd != -1)
		(void)close(fd);
	return (E_IO);
}

void
pidfile_remove(int fd, const char *runtime)
{
	char path[MASTER_PATH_MAX], err[MASTER_ERR_MAX];

	if (path_join(path, sizeof(path), runtime, PIDFILE, err, sizeof(err)) == E_OK &&
	    unlink(path) == -1 && errno != ENOENT)
		log_warn("%s: %s", path, strerror(errno));
	(void)close(fd);	/* only now may the next one lock */
}

static void
on_alarm(int sig)
{
	(void)sig;	/* it is enough that flock() returns */
}

/* Wait for the lock until the timer has gone off; it repeats, so that no wait can outlive it. */
static int
lock_within(int fd, int seconds)
{
	struct itimerval off = { { 0, 0 }, { 0, 0 } }, on = { { 1, 0 }, { 1, 0 } };
	struct sigaction sa, old;
	int rc = -1, i;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_alarm;	/* without SA_RESTART */
	if (sigaction(SIGALRM, &sa, &old) == -1 || setitimer(ITIMER_REAL, &on, NULL) == -1)
		return (-1);
	for (i = 0; i < seconds && rc == -1; i++) {
		rc = flock(fd, LOCK_EX);
		if (rc == -1 && errno != EINTR)
			break;
	}
	(void)setitimer(ITIMER_REAL, &off, NULL);
	(void)sigaction(SIGALRM, &old, NULL);
	return (rc);
}

int
lifelock_take(int *fdp, const char *directory, char *err, size_t size)
{
	char path[MASTER_PATH_MAX];
	int fd, rfd;

	if (path_join(path, sizeof(path), directory, LIFELOCK, err, size) != E_OK)
		return (E_LIMIT);
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) == -1) {
		(void)snprintf(err, size, "%s: %s", path, strerror(errno));
		return (E_IO);
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		log_info("waiting for the daemons of another posternd to leave %s", directory);
		if (lock_within(fd, LIFE_WAIT_S) == -1) {
			(void)snprintf(err, size, "%s: held by the daemons of another posternd", path);
			(void)close(fd);
			return (E_BUSY);
		}
	}
	/* The daemons' descriptor cannot write; its shared lock replaces ours. */
	rfd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	(void)close(fd);
	if (rfd == -1 || flock(rfd, LOCK_SH | LOCK_NB) == -1) {
		(void)snprintf(err, size, "%s: %s", path, strerror(errno));
		if (rfd != -1)
			(void)close(rfd);
		return (E_BUSY);
	}
	*fdp = rfd;
	return (E_OK);
}
