/*
 * passwd_file.c -- the password table on disk: a new file beside the old one, synced and renamed
 * over it (passwd.h).  Shell.
 *
 * The lock is on the directory, so that it holds whichever file is there; owner and mode of the old
 * file are the new one's.  A server that watches the file sees the old table or the new one, never
 * a part.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "ctl/passwd.h"

#define NEW_MODE	0600
#define LOCK_STEP_MS	50

static int
complain(const char *path, const char *why)
{
	(void)fprintf(stderr, "posternctl: %s: %s\n", path, why);
	return (errno == EACCES || errno == EPERM ? EXIT_DENIED : EXIT_FAILED);
}

/* The directory, locked; -1. */
static int
lock_dir(const char *path, const char *dir)
{
	static const struct timespec	step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
	int				fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return (-1);
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) == -1; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			close(fd);
			return (-1);
		}
		if (i == PASSWD_LOCK_S * 1000 / LOCK_STEP_MS) {
			close(fd);
			errno = EBUSY;		/* another one is at work */
			return (-1);
		}
		(void)nanosleep(&step, NULL);
	}
	return (fd);
}

/* All of the file; NULL with errno.  A file that is not there is empty, and st->st_mode 0. */
static char *
read_old(int dir, const char *name, struct stat *st, size_t *len)
{
	char	*p = NULL;
	ssize_t	 n;
	int	 fd, err;

	*len = 0;
	memset(st, 0, sizeof(*st));
	if ((fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) == -1)
		return (errno == ENOENT ? calloc(1, 1) : NULL);
	if (fstat(fd, st) == 0) {
		errno = S_ISREG(st->st_mode) ? (st->st_size > (off_t)AUTH_TABLE_MAX ? EFBIG : 0) : EINVAL;
		if (errno == 0 && (p = malloc((size_t)st->st_size + 1)) != NULL) {
			while (*len < (size_t)st->st_size && (n = read(fd, p + *len, (size_t)st->st_size - *len)) > 0)
				*len += (size_t)n;
			if (*len != (size_t)st->st_size) {
				free(p);
				p = NULL;
				errno = EIO;
			}
		}
	}
	err = errno;
	close(fd);
	errno = err;
	return (p);
}

static int
write_all(int fd, struct slice s)
{
	ssize_t	n;

	while (s.n != 0) {
		if ((n = write(fd, s.p, s.n)) == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return (-1);
		s.p += n;
		s.n -= (size_t)n;
	}
	return (0);
}

static int
replace(int dir, const char *name, const char *new, const struct stat *old, struct slice text)
{
	mode_t	mode = old->st_mode != 0 ? old->st_mode & 0777 : NEW_MODE;
	int	fd, err;

	(void)unlinkat(dir, new, 0);	/* of one that was killed: we have the lock */
	if ((fd = openat(dir, new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) == -1)
		return (-1);
	/* The owner first: it is never more open than it is to be. */
	if ((old->st_mode != 0 && (old->st_uid != geteuid() || old->st_gid != getegid()) &&
	    fchown(fd, old->st_uid, old->st_gid) == -1) || fchmod(fd, mode) == -1 || write_all(fd, text) == -1 ||
	    fsync(fd) == -1 || renameat(dir, new, dir, name) == -1) {
		err = errno;
		close(fd);
		(void)unlinkat(dir, new, 0);
		errno = err;
		return (-1);
	}
	close(fd);
	return (fsync(dir));
}

int
passwd_change(const char *path, const char *login, const char *entry, enum passwd_did *did)
{
	char		d[PATH_MAX], b[PATH_MAX], new[NAME_MAX + 1];
	const char	*name;
	struct buf	 text;
	struct stat	 st;
	char		*old;
	size_t		 len;
	int		 dir, status = EXIT_DONE;

	errno = 0;
	if ((size_t)snprintf(d, sizeof(d), "%s", path) >= sizeof(d) || (size_t)snprintf(b, sizeof(b), "%s", path) >= sizeof(b))
		return (complain(path, "the name is too long"));
	name = basename(b);
	if ((size_t)snprintf(new, sizeof(new), "%s.new", name) >= sizeof(new))
		return (complain(path, "the name is too long"));
	if ((dir = lock_dir(path, dirname(d))) == -1)
		return (complain(path, errno == EBUSY ? "another posternctl is at work on it" : strerror(errno)));
	buf_init(&text, AUTH_TABLE_MAX);
	if ((old = read_old(dir, name, &st, &len)) == NULL)
		status = complain(path, errno == ELOOP ? "is a symbolic link; name the file itself" :
		    errno == EINVAL ? "is no file" : strerror(errno));
	else if (passwd_edit(&text, slice_make(old, len), login, entry, did) != E_OK)
		status = complain(path, "the table would be too long, or there is no memory");
	else if (*did != PASSWD_NONE && replace(dir, name, new, &st, buf_slice(&text)) == -1)
		status = complain(path, strerror(errno));
	if (old != NULL)
		explicit_bzero(old, len);
	free(old);
	if (text.p != NULL)
		explicit_bzero(text.p, text.size);
	buf_clear(&text);
	close(dir);
	return (status);
}
