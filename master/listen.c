/*
 * listen.c -- see listen.h.  Shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/net.h"
#include "master/listen.h"

/* A socket bound to the address, with SO_REUSEPORT or without; -1 and errno. */
static int
bind_one(const struct net_addr *addr, uint16_t port, int reuseport)
{
	struct sockaddr_storage ss;
	socklen_t len = net_addr_to_sockaddr(&ss, addr, port);
	int fd, on = 1, saved;

	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    (reuseport && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1) ||
	    (ss.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == -1) ||
	    /* Linux hands this on to the accepted sockets: one call here, none per client. */
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    bind(fd, (struct sockaddr *)&ss, len) == -1) {
		saved = errno;
		(void)close(fd);
		errno = saved;
		return (-1);
	}
	return (fd);
}

/*
 * With SO_REUSEPORT the kernel would let a second posternd of the same user share the port
 * without a word; a socket without it finds that out.
 */
static int
port_is_taken(const struct net_addr *addr, uint16_t port)
{
	int fd = bind_one(addr, port, 0);

	if (fd == -1)
		return (errno == EADDRINUSE);
	(void)close(fd);
	return (0);
}

static const struct listener *
find_socket(const struct listeners *ls, const struct listener *l)
{
	const struct listener *f;
	size_t i;

	for (i = 0; i < ls->n; i++) {
		f = &ls->l[i];
		if (f->kind == l->kind && (l->kind == LISTEN_UNIX ? strcmp(f->path, l->path) == 0 :
		    f->port == l->port && net_addr_cmp(&f->addr, &l->addr) == 0))
			return (f);
	}
	return (NULL);
}

const struct listener *
listen_find(const struct listeners *ls, const struct listener *l)
{
	const struct listener *f = find_socket(ls, l);

	return (f != NULL && f->role == l->role && strcmp(f->name, l->name) == 0 ? f : NULL);
}

#define WHERE_LEN	(CONF_SOCKET_MAX + 64)

/* For error lines: "127.0.0.1 port 25", or the path. */
static char *
where(const struct listener *l, char dst[static WHERE_LEN])
{
	char text[NET_ADDR_STRLEN];

	if (l->kind == LISTEN_UNIX)
		(void)snprintf(dst, WHERE_LEN, "%s", l->path);
	else
		(void)snprintf(dst, WHERE_LEN, "%s port %u", net_addr_str(&l->addr, text), (unsigned)l->port);
	return (dst);
}

static void
listen_error(char *err, size_t size, const struct listener *l, int no)
{
	char text[WHERE_LEN];

	(void)snprintf(err, size, "listener \"%s\": cannot bind %s: %s", l->name, where(l, text), strerror(no));
}

static void
log_listener(const struct listener *l, const char *what)
{
	char text[NET_ADDR_STRLEN];

	if (l->kind == LISTEN_UNIX)
		log_info("listener %s name=\"%s\" path=%s", what, l->name, l->path);
	else
		log_info("listener %s name=\"%s\" address=%s port=%u", what, l->name,
		    net_addr_str(&l->addr, text), (unsigned)l->port);
}

/* The sockets of one listener: a new one for each process, or one that all share. */
static int
bind_all(struct listener *l, const struct listener *was, unsigned nproc, gid_t admin, char *err, size_t size)
{
	unsigned k;

	for (k = 0; k < nproc; k++) {
		if (was != NULL && was->fd[k] != -1) {
			l->fd[k] = was->fd[k];
			l->borrowed[k] = 1;
			continue;
		}
		if (l->kind == LISTEN_UNIX && k == 0) {
			if ((l->fd[0] = listen_unix_bind(l, admin, err, size)) == -1)
				return (E_IO);
			continue;
		}
		/* A duplicate, so that each place closes its own. */
		l->fd[k] = l->kind == LISTEN_UNIX ? fcntl(l->fd[0], F_DUPFD_CLOEXEC, 0) :
		    bind_one(&l->addr, l->port, 1);
		if (l->fd[k] == -1 || (l->kind == LISTEN_TCP && listen(l->fd[k], LISTEN_BACKLOG) == -1)) {
			listen_error(err, size, l, errno);
			return (E_IO);
		}
	}
	if (l->kind == LISTEN_UNIX && was != NULL) {
		l->dev = was->dev;
		l->ino = was->ino;
		if (was->everybody != l->everybody && listen_unix_mode(l) != E_OK) {
			(void)snprintf(err, size, "%s: mode cannot be changed: %s", l->path,
			    strerror(errno));
			return (E_IO);
		}
	}
	return (E_OK);
}

int
listen_prepare(struct listeners *ls, const struct listeners *old, const struct conf *c, const struct plan *plan,
    gid_t admin, char *err, size_t size)
{
	const struct listener *was;
	struct listener *l;
	size_t i;
	unsigned k;

	ls->n = 0;
	if (c->nlisteners > LISTENERS_MAX) {
		(void)snprintf(err, size, "more than %d listeners", LISTENERS_MAX);
		return (E_LIMIT);
	}
	for (i = 0; i < c->nlisteners; i++) {
		l = &ls->l[ls->n];
		memset(l, 0, sizeof(*l));
		(void)snprintf(l->name, sizeof(l->name), "%s", c->listeners[i].name);
		l->kind = c->listeners[i].kind;
		l->role = plan_listener_role(&c->listeners[i]);
		l->everybody = c->listeners[i].everybody;
		if (l->kind == LISTEN_UNIX &&
		    slice_copy(slice_str(c->listeners[i].path), l->path, sizeof(l->path)) != E_OK) {
			(void)snprintf(err, size, "listener \"%s\": longer than the %d octets of a socket's path",
			    l->name, CONF_SOCKET_MAX);
			goto fail;
		}
		l->addr = c->listeners[i].addr;
		l->port = c->listeners[i].port;
		for (k = 0; k < SMTPD_MAX; k++)
			l->fd[k] = -1;
		was = find_socket(ls, l);
		if (was != NULL) {
			listen_error(err, size, l, EADDRINUSE);
			goto fail;
		}
		ls->n++;
		if (l->kind == LISTEN_TCP && find_socket(old, l) == NULL && port_is_taken(&l->addr, l->port)) {
			listen_error(err, size, l, EADDRINUSE);
			goto fail;
		}
	}
	/* Only now, since our own socket for all addresses would look like somebody else's. */
	for (i = 0; i < ls->n; i++) {
		l = &ls->l[i];
		if (bind_all(l, find_socket(old, l), plan_count(plan, ROOM_SMTPD, l->role), admin, err, size) != E_OK)
			goto fail;
	}
	return (E_OK);
fail:
	listen_abort(ls);
	return (E_IO);
}

void
listen_abort(struct listeners *ls)
{
	size_t i;
	unsigned k;

	for (i = 0; i < ls->n; i++) {
		if (ls->l[i].kind == LISTEN_UNIX && ls->l[i].fd[0] != -1 && !ls->l[i].borrowed[0])
			listen_unix_unlink(&ls->l[i]);
		for (k = 0; k < SMTPD_MAX; k++) {
			if (ls->l[i].fd[k] != -1 && !ls->l[i].borrowed[k])
				(void)close(ls->l[i].fd[k]);
		}
	}
	ls->n = 0;
}

void
listen_commit(struct listeners *ls, struct listeners *old)
{
	const struct listener *is, *was;
	size_t i;
	unsigned k;

	for (i = 0; i < old->n; i++) {
		was = &old->l[i];
		is = find_socket(ls, was);
		if (is == NULL && was->kind == LISTEN_UNIX)
			listen_unix_unlink(was);
		for (k = 0; k < SMTPD_MAX; k++) {
			if (was->fd[k] != -1 && (is == NULL || is->fd[k] != was->fd[k]))
				(void)close(was->fd[k]);
		}
		if (is == NULL)
			log_listener(was, "closed");
	}
	for (i = 0; i < ls->n; i++) {
		if (find_socket(old, &ls->l[i]) == NULL)
			log_listener(&ls->l[i], "bound");
		memset(ls->l[i].borrowed, 0, sizeof(ls->l[i].borrowed));
	}
	*old = *ls;
	ls->n = 0;	/* moved: a later listen_abort() of it must find nothing */
}

void
listen_close(struct listeners *ls)
{
	listen_abort(ls);
}
