/*
 * listen_unix.c -- listening sockets with a path.  Shell; see listen.h.
 *
 * There is no way to bind by a directory's descriptor, so the directory must be one in which nobody else can
 * exchange names between our steps.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "master/listen.h"
#include "master/paths.h"

#define MODE_EVERYBODY	0666
#define MODE_ADMIN	0660

_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) > CONF_SOCKET_MAX, "a path must fit");

static void
fill(struct sockaddr_un *sun, const struct listener *l)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	(void)snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", l->path);
}

static int
check_directory(const struct listener *l, char *err, size_t size)
{
	char dir[CONF_SOCKET_MAX + 1], *slash;
	struct path_want w = { .path = dir, .gid = (gid_t)-1, .make = 0755, .allowed = 0755, .needed = 0100 };
	struct stat st;

	(void)snprintf(dir, sizeof(dir), "%s", l->path);
	if ((slash = strrchr(dir, '/')) == NULL || slash[1] == '\0') {
		(void)snprintf(err, size, "%s: not the path of a socket", l->path);
		return (E_SYNTAX);
	}
	slash[slash == dir ? 1 : 0] = '\0';
	if (stat(dir, &st) == -1) {
		(void)snprintf(err, size, "%s: %s", dir, strerror(errno));
		return (E_NOTFOUND);
	}
	w.uid = st.st_uid == 0 ? 0 : geteuid();		/* root's, or our own */
	return (paths_check(&w, st.st_uid, st.st_gid, st.st_mode, err, size));
}

/* Whether somebody accepts connections there; *left: a socket that nobody does on. */
static int
answers(const struct sockaddr_un *sun, int *left)
{
	struct stat st;
	int fd, rc;

	*left = 0;
	if (lstat(sun->sun_path, &st) == -1)
		return (0);
	if (!S_ISSOCK(st.st_mode))
		return (1);		/* not ours to remove */
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) == -1)
		return (1);
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	*left = rc == -1 && errno == ECONNREFUSED;
	(void)close(fd);
	return (!*left);
}

int
listen_unix_mode(const struct listener *l)
{
	return (chmod(l->path, l->everybody ? MODE_EVERYBODY : MODE_ADMIN) == -1 ? E_IO : E_OK);
}

int
listen_unix_bind(struct listener *l, gid_t admin, char *err, size_t size)
{
	struct sockaddr_un sun;
	struct stat st;
	const char *what = "socket";
	mode_t mask;
	int fd = -1, left, rc, was = -1;

	if (check_directory(l, err, size) != E_OK)
		return (-1);
	fill(&sun, l);
	if (answers(&sun, &left)) {
		(void)snprintf(err, size, "listener \"%s\": cannot bind %s: %s", l->name, l->path,
		    strerror(EADDRINUSE));
		return (-1);
	}
	if (left && unlink(l->path) == -1 && errno != ENOENT) {
		what = "unlink";
		goto fail;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) == -1)
		goto fail;
	what = "bind";
	mask = umask(0177);
	/* It is made with its group: at a reload there is no capability any more to give it one. */
	if (geteuid() == 0)
		was = setfsgid(admin);
	rc = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	if (was != -1)
		(void)setfsgid((gid_t)was);
	(void)umask(mask);
	if (rc == -1)
		goto fail;
	what = "look";
	if (lstat(l->path, &st) == -1)
		goto fail;
	if (geteuid() == 0 && st.st_gid != admin)
		log_warn("%s: group is gid %u, expected %u", l->path, (unsigned)st.st_gid, (unsigned)admin);
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	/* It listens before anybody but us can reach it: nobody is refused by a server that is there. */
	what = "listen";
	if (listen(fd, LISTEN_BACKLOG) == -1)
		goto fail_bound;
	what = "mode";
	if (listen_unix_mode(l) != E_OK)
		goto fail_bound;
	return (fd);
fail_bound:
	rc = errno;
	listen_unix_unlink(l);
	errno = rc;
fail:
	(void)snprintf(err, size, "listener \"%s\": %s: %s: %s", l->name, l->path, what, strerror(errno));
	if (fd != -1)
		(void)close(fd);
	return (-1);
}

void
listen_unix_unlink(const struct listener *l)
{
	struct stat st;

	if (lstat(l->path, &st) == -1 || st.st_dev != l->dev || st.st_ino != l->ino)
		return;
	if (unlink(l->path) == -1)
		log_warn("%s: %s", l->path, strerror(errno));
}
