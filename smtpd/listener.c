/*
 * listener.c -- accepting clients, within limits.  Shell.
 *
 * A client past a limit gets 421 with the reason and no memory.  Without descriptors (F8) the
 * reserve one serves to tell one client so; then the listener rests until a connection closes
 * or the next tick.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/smtpd.h"

static void	on_poll(uv_poll_t *, int, int);

static void
limits(struct listener *l)
{
	const struct conf	*conf = l->d->env.conf;
	size_t			 i;

	l->conf = NULL;
	for (i = 0; i < conf->nlisteners; i++)
		if (strcmp(conf->listeners[i].name, l->name) == 0)
			l->conf = &conf->listeners[i];
	/* It ends soon, or the snapshot that has it comes: without it nobody knows for whom a proxy stands here. */
	l->max = 0;
	if (l->conf == NULL)
		return;
	l->max = l->conf->connections;
	l->per_address = l->conf->per_address;
	l->per_prefix = l->conf->per_prefix;
}

static void
free_if_over(struct listener *l)
{
	struct listener	**p;

	if (!l->closed || l->nconn != 0)
		return;
	for (p = &l->d->listeners; *p != NULL; p = &(*p)->next) {
		if (*p == l) {
			*p = l->next;
			break;
		}
	}
	free(l);
}

static void
on_closed(uv_handle_t *h)
{
	struct listener	*l = h->data;

	l->closed = 1;
	free_if_over(l);
}

void
listener_unref(struct listener *l)
{
	l->nconn--;
	free_if_over(l);
}

void
listener_open(struct smtpd *d, const char *name, int fd)
{
	struct sockaddr_storage	 ss = { 0 };
	socklen_t		 len = sizeof(ss);
	struct listener		*l;
	int			 on = 1;

	if (d->stopping || (l = calloc(1, sizeof(*l))) == NULL) {
		close(fd);
		return;
	}
	l->d = d;
	l->fd = fd;
	snprintf(l->name, sizeof(l->name), "%s", name);
	limits(l);
	l->local = getsockname(fd, (struct sockaddr *)&ss, &len) == 0 && ss.ss_family == AF_UNIX;
	/* Accepted sockets inherit it; without it each reply could wait for an acknowledgement. */
	if (!l->local && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
		log_warn("listener=%s TCP_NODELAY: %s", l->name, strerror(errno));
	if (uv_poll_init(&d->room->loop, &l->poll, fd) != 0) {
		log_warn("listener=%s cannot be polled", l->name);
		close(fd);
		free(l);
		return;
	}
	l->poll.data = l;
	l->next = d->listeners;
	d->listeners = l;
	uv_poll_start(&l->poll, UV_READABLE, on_poll);
}

static void
end(struct listener *l)
{
	if (l->closing)
		return;
	l->closing = 1;
	uv_close((uv_handle_t *)&l->poll, on_closed);
	close(l->fd);
	l->fd = -1;
}

void
listener_end(struct smtpd *d, const char *name)
{
	struct listener	*l;

	for (l = d->listeners; l != NULL; l = l->next)
		if (strcmp(l->name, name) == 0)
			end(l);
}

void
listener_end_all(struct smtpd *d)
{
	struct listener	*l;

	for (l = d->listeners; l != NULL; l = l->next)
		end(l);
}

void
listener_conf(struct smtpd *d)
{
	struct listener	*l;

	for (l = d->listeners; l != NULL; l = l->next)
		limits(l);
}

struct listener *
listener_find(struct smtpd *d, const char *name)
{
	struct listener	*l;

	for (l = d->listeners; l != NULL; l = l->next)
		if (!l->closing && strcmp(l->name, name) == 0)
			return (l);
	return (NULL);
}

void
listener_resume(struct smtpd *d)
{
	struct listener	*l;

	if (d->reserve_fd == -1)
		d->reserve_fd = eventfd(0, EFD_CLOEXEC);
	for (l = d->listeners; l != NULL; l = l->next) {
		if (l->paused && !l->closing) {
			l->paused = 0;
			uv_poll_start(&l->poll, UV_READABLE, on_poll);
		}
	}
}

/* The client has sent nothing yet, so closing at once does not cost it our words. */
static void
refuse(struct listener *l, int fd, const struct client *who, const char *enhanced, const char *why)
{
	char	text[512];
	int	n;

	l->d->counter[COUNT_REFUSED]++;
	conn_log_refused(l, who, why);
	n = snprintf(text, sizeof(text), "421 %s %s %s\r\n", enhanced, l->d->env.conf->hostname,
	    why);
	if (n > 0 && send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 && errno == EPIPE)
		log_debug("refused client has gone");
	close(fd);
}

/* Who is on this socket: its address, or on a Unix socket its user, by the kernel's word. */
static int
identify(const struct listener *l, int fd, const struct sockaddr_storage *ss, struct client *who)
{
	struct ucred	cred;
	socklen_t	len = sizeof(cred);

	memset(who, 0, sizeof(*who));
	if (!l->local)
		return (net_addr_from_sockaddr(&who->addr, &who->port, (const struct sockaddr *)ss));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1 || len != sizeof(cred))
		return (E_IO);
	who->local = 1;
	who->uid = cred.uid;
	return (E_OK);
}

static int
accept_one(struct listener *l, struct client *who)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	int			 fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd != -1 && identify(l, fd, &ss, who) != E_OK) {
		close(fd);
		errno = ECONNABORTED;
		return (-1);
	}
	return (fd);
}

/* Without descriptors: tell one client, then rest. */
static void
exhausted(struct listener *l, int err)
{
	struct smtpd	*d = l->d;
	struct client	 who;
	int		 fd;

	log_warn("listener=%s accept: %s", l->name, strerror(err));
	if ((err == EMFILE || err == ENFILE) && d->reserve_fd != -1) {
		close(d->reserve_fd);
		d->reserve_fd = -1;
		if ((fd = accept_one(l, &who)) != -1)
			refuse(l, fd, &who, "4.3.2", "no descriptor is free");
		d->reserve_fd = eventfd(0, EFD_CLOEXEC);
	}
	l->paused = 1;
	uv_poll_stop(&l->poll);
	conn_timer_start(d);
}

void
listener_admit(struct listener *l, int fd, const struct client *who)
{
	if (l->nconn >= l->max)
		refuse(l, fd, who, "4.3.2", "too many connections");
	else
		conn_open(l, fd, who);
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct listener	*l = h->data;
	struct client	 who;
	int		 i, fd;

	if (status < 0) {
		log_warn("listener=%s poll: %s", l->name, uv_strerror(status));
		uv_poll_start(&l->poll, UV_READABLE, on_poll);
		return;
	}
	for (i = 0; i < ACCEPTS_PER_TURN && !l->closing && !l->paused; i++) {
		if ((fd = accept_one(l, &who)) == -1) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				break;		/* also if another smtpd was first at a shared socket */
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				exhausted(l, errno);
			continue;	/* ECONNABORTED and the like: that client's */
		}
		listener_admit(l, fd, &who);
	}
}
