/*
 * dovecot.c -- streams to Dovecot's auth service, for postern-auth, which cannot make a socket.
 * Shell.
 *
 * Nothing is said or heard here.  connect(2) to a Unix socket answers at once, so master never
 * waits; what cannot be had now is tried again, at longer and longer intervals, and said once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "master/master.h"

#define DOVECOT_WAIT_MIN_MS	1000u
#define DOVECOT_WAIT_MAX_MS	10000u

static int
connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, saved;

	if (slice_copy(slice_str(path), sun.sun_path, sizeof(sun.sun_path)) != E_OK) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) == -1)
		return (-1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return (fd);
	saved = errno;		/* EAGAIN: its backlog is full */
	(void)close(fd);
	errno = saved;
	return (-1);
}

void
dovecot_try(struct daemon *d)
{
	const char *path = d->m->conf->auth.dovecot_path;
	uint64_t now = now_mono_ms();
	int fd;

	if (!d->dovecot.wanted || now < d->dovecot.due_ms || !daemon_can_hear(d))
		return;
	if (path[0] == '\0') {		/* a reload took it away */
		d->dovecot.wanted = 0;
		return;
	}
	if ((fd = connect_to(path)) == -1) {
		if (!d->dovecot.failing)
			log_warn("auth service %s: cannot be reached: %s%s; trying again", path, strerror(errno),
			    errno != EACCES ? "" : " (the socket must be of who runs posternd: postern.conf(5), dovecot)");
		d->dovecot.failing = 1;
		d->dovecot.wait_ms = d->dovecot.wait_ms == 0 ? DOVECOT_WAIT_MIN_MS :
		    d->dovecot.wait_ms > DOVECOT_WAIT_MAX_MS / 2 ? DOVECOT_WAIT_MAX_MS : d->dovecot.wait_ms * 2;
		d->dovecot.due_ms = now + d->dovecot.wait_ms;
		return;
	}
	if (d->dovecot.failing)
		log_info("auth service %s: reached", path);
	/* Also where it hangs up at once: no more than one a second. */
	d->dovecot = (struct dovecot){ .due_ms = now + DOVECOT_WAIT_MIN_MS };
	channel_send_dovecot(d, fd);
	(void)close(fd);
}

void
dovecot_need(struct daemon *d)
{
	d->dovecot.wanted = 1;
	dovecot_try(d);
}

void
dovecot_follow(struct master *m)
{
	unsigned i;

	for (i = 0; i < DAEMONS_MAX; i++) {
		if (m->daemon[i].used && m->daemon[i].item.room == ROOM_AUTH)
			m->daemon[i].dovecot.due_ms = m->daemon[i].dovecot.wait_ms = 0;
	}
}
