/*
 * notify.c -- see notify.h.  Shell.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/slice.h"
#include "common/units.h"
#include "master/notify.h"

#define NOTIFY_MAX	1024
#define USEC_PER_MS	1000u

static int	notify_fd = -1;
static uint64_t	watchdog_ms;

static void
watchdog_init(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t n;

	if (usec == NULL || number_parse(&n, slice_str(usec), UINT64_MAX) != E_OK)
		return;
	watchdog_ms = n / USEC_PER_MS / 2;	/* twice in each period, as sd_watchdog_enabled(3) asks */
	if (pid != NULL && (number_parse(&n, slice_str(pid), INT32_MAX) != E_OK || (pid_t)n != getpid()))
		watchdog_ms = 0;
}

void
notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun;
	size_t n;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	n = strlen(path);
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (n >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, n);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify_fd == -1 || connect(notify_fd, (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == -1) {
		log_warn("NOTIFY_SOCKET: %s", strerror(errno));
		if (notify_fd != -1)
			(void)close(notify_fd);
		notify_fd = -1;
		return;
	}
	watchdog_init();
}

uint64_t
notify_watchdog_ms(void)
{
	return (watchdog_ms);
}

void
notify_send(const char *fmt, ...)
{
	char text[NOTIFY_MAX];
	va_list ap;
	int n;

	if (notify_fd == -1)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	if ((size_t)n >= sizeof(text))
		n = (int)sizeof(text) - 1;
	if (send(notify_fd, text, (size_t)n, MSG_NOSIGNAL) == -1)
		log_debug("service manager: %s", strerror(errno));
}
