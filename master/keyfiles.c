/*
 * keyfiles.c -- see keyfiles.h.  Shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/ipc_msg.h"
#include "master/keyfiles.h"
#include "master/paths.h"

enum private_kind { PRIVATE_KEY, PRIVATE_TABLE, PRIVATE_PASSWORD };

static const struct {
	const char	*what;
	const char	*why;		/* is it for its owner alone */
	int		 any_group;	/* its group may read it, whichever that is (Debian has ssl-cert); else only root's */
} kinds[] = {
	[PRIVATE_KEY] = { "key", "a private key is for its owner alone", 1 },
	[PRIVATE_TABLE] = { "password table", "a password table is for its owner alone", 0 },
	[PRIVATE_PASSWORD] = { "password file", "a password is for its owner alone", 0 },
};

/*
 * Master has no right to override modes: what it may not open is told by what is wrong with it, if
 * that can be seen.
 */
static int
check(enum private_kind kind, const char *path, const struct stat *st, char *err, size_t size)
{
	/*
	 * Nobody but its owner and perhaps a group.  Root's file serves an ordinary user as well.
	 */
	struct path_want want = { .path = path, .uid = st->st_uid == 0 ? 0 : geteuid(), .gid = (gid_t)-1, .make = 0600,
	    .allowed = kinds[kind].any_group || st->st_gid == 0 ? 0640 : 0600 };
	size_t len;
	int rc;

	if ((rc = paths_check(&want, st->st_uid, st->st_gid, st->st_mode, err, size)) != E_OK) {
		len = strlen(err);
		if (len < size)
			(void)snprintf(err + len, size - len, " (%s)", kinds[kind].why);
	}
	return (rc);
}

/*
 * Links are followed: renewal tools point from a fixed name to the newest file.  What counts is the
 * file that was opened.
 */
static int
open_one(enum private_kind kind, const char *path, int *out, char *err, size_t size)
{
	struct stat st;
	int fd, rc = E_DENIED;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) == -1) {
		rc = errno;
		if (rc == EACCES && stat(path, &st) == 0 && check(kind, path, &st, err, size) != E_OK)
			return (E_DENIED);
		(void)snprintf(err, size, "%s %s: %s%s", kinds[kind].what, path, strerror(rc),
		    kind == PRIVATE_TABLE && rc == ENOENT ? " (posternctl passwd makes it)" : "");
		return (E_IO);
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		(void)snprintf(err, size, "%s %s: not a regular file", kinds[kind].what, path);
	else
		rc = check(kind, path, &st, err, size);
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
		if ((rc = open_one(PRIVATE_KEY, c->certs[k->n].key_path, &k->fd[k->n], err, size)) == E_OK)
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

/* The kernel copies from one to the other. */
static int
fill(int copy, int file, const char *what, const char *path, char *err, size_t size)
{
	size_t total = 0;
	ssize_t n;

	while ((n = sendfile(copy, file, NULL, (size_t)AUTH_TABLE_MAX + 1 - total)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			(void)snprintf(err, size, "%s %s: %s", what, path, strerror(errno));
			return (E_IO);
		}
		if ((total += (size_t)n) > AUTH_TABLE_MAX) {
			(void)snprintf(err, size, "%s %s: longer than %u octets", what, path, AUTH_TABLE_MAX);
			return (E_LIMIT);
		}
	}
	if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1) {
		(void)snprintf(err, size, "%s %s: %s", what, path, strerror(errno));
		return (E_IO);
	}
	return (E_OK);
}

static int
add_secret(struct secret_files *s, enum private_kind kind, enum secret_kind sent_as, uint16_t index, const char *path,
    char *err, size_t size)
{
	int copy, file, rc;

	if ((rc = open_one(kind, path, &file, err, size)) != E_OK)
		return (rc);
	if ((copy = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING)) == -1) {
		(void)snprintf(err, size, "%s %s: memory file: %s", kinds[kind].what, path, strerror(errno));
		rc = E_IO;
	} else if ((rc = fill(copy, file, kinds[kind].what, path, err, size)) != E_OK)
		(void)close(copy);
	(void)close(file);
	if (rc != E_OK)
		return (rc);
	s->v[s->n].kind = (uint8_t)sent_as;
	s->v[s->n].index = index;
	s->v[s->n++].fd = copy;
	return (E_OK);
}

int
secret_files_open(struct secret_files *s, const struct conf *c, char *err, size_t size)
{
	size_t i;
	int rc = E_OK;

	s->n = 0;
	if (!c->auth.needed)
		return (E_OK);
	if (c->nlogins > LOGINS_MAX) {
		(void)snprintf(err, size, "more than %d logins", LOGINS_MAX);
		return (E_LIMIT);
	}
	if (c->auth.passwd_path[0] != '\0')
		rc = add_secret(s, PRIVATE_TABLE, SECRET_TABLE, 0, c->auth.passwd_path, err, size);
	for (i = 0; i < c->nlogins && rc == E_OK; i++)
		rc = add_secret(s, PRIVATE_PASSWORD, SECRET_LOGIN, (uint16_t)i, c->logins[i].password_path, err, size);
	if (rc != E_OK)
		secret_files_close(s);
	return (rc);
}

void
secret_files_close(struct secret_files *s)
{
	while (s->n > 0)
		(void)close(s->v[--s->n].fd);
}
