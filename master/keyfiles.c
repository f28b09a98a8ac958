/*
 * keyfiles.c -- see keyfiles.h.  Shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "master/keyfiles.h"
#include "master/paths.h"

/* Master has no right to override modes: what it may not open is told by what is wrong with it, if that can be seen. */
static int
check(const char *path, const struct stat *st, char *err, size_t size)
{
	/* Its group may read it (Debian has ssl-cert), nobody else.  Root's file serves an ordinary user as well. */
	struct path_want want = { .path = path, .uid = st->st_uid == 0 ? 0 : geteuid(), .gid = (gid_t)-1, .make = 0600,
	    .allowed = 0640 };
	size_t len;
	int rc;

	if ((rc = paths_check(&want, st->st_uid, st->st_gid, st->st_mode, err, size)) != E_OK) {
		len = strlen(err);
		if (len < size)
			(void)snprintf(err + len, size - len, " (a private key is for its owner alone)");
	}
	return (rc);
}

/* Links are followed: renewal tools point from a fixed name to the newest file. */
static int
open_one(const char *path, int *out, char *err, size_t size)
{
	struct stat st;
	int fd, rc = E_DENIED;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) == -1) {
		rc = errno;
		if (rc == EACCES && stat(path, &st) == 0 && check(path, &st, err, size) != E_OK)
			return (E_DENIED);
		(void)snprintf(err, size, "key %s: %s", path, strerror(rc));
		return (E_IO);
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		(void)snprintf(err, size, "key %s: not a regular file", path);
	else
		rc = check(path, &st, err, size);
	if (rc != E_OK)
		(void)close(fd);
	else
		*out = fd;
	return (rc);
}

int
key_files_open(struct key_files *k, const struct conf *c, char *err, size_t size)
{
	int rc = E_OK;

	k->n = 0;
	while (rc == E_OK && k->n < c->ncerts) {
		if ((rc = open_one(c->certs[k->n].key_path, &k->fd[k->n], err, size)) == E_OK)
			k->n++;
	}
	if (rc != E_OK)
		key_files_close(k);
	return (rc);
}

void
key_files_close(struct key_files *k)
{
	while (k->n > 0)
		(void)close(k->fd[--k->n]);
}
