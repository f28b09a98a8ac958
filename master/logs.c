/*
 * logs.c -- see logs.h.  Shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "master/logs.h"

#define LOG_SOCKET	"/dev/log"

static int
open_syslog(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = LOG_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd != -1 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		(void)close(fd);
		fd = -1;
	}
	return (fd);
}

/*
 * A terminal, pipe or file is opened anew, so that O_NONBLOCK does not spread to whoever shares our
 * standard error.  A socket (a service manager's) cannot be, and somebody else's file may not be.
 */
static int
open_stderr(void)
{
	int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd == -1)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return (fd);
}

int
logs_open(enum log_kind kind)
{
	return (kind == LOG_TO_SYSLOG ? open_syslog() : open_stderr());
}
