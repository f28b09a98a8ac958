/*
 * drop_write.c -- see drop_write.h.  Shell.
 */
#include "common/drop_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"

static int
from_errno(int no)
{
	switch (no) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EMFILE:
	case ENFILE:
		return (E_FULL);
	case EACCES:
	case EPERM:
	case EROFS:
		return (E_DENIED);
	case ENOENT:
	case ENOTDIR:
		return (E_NOTFOUND);
	default:
		return (E_IO);
	}
}

static int
write_all(int fd, struct slice s)
{
	ssize_t n;

	while (s.n != 0) {
		n = write(fd, s.p, s.n);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return (n == 0 ? E_IO : from_errno(errno));
		s = slice_make(s.p + n, s.n - (size_t)n);
	}
	return (E_OK);
}

static int
set_mode(int fd, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return (E_IO);
	/* The caller's umask may have taken from it what pickup needs. */
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) == -1)
		return (from_errno(errno));
	return (E_OK);
}

int
drop_write_begin(struct drop_writer *w, int dirfd, mode_t mode, const struct drop_head *h)
{
	uint8_t random[16];
	struct buf head;
	int err;

	memset(w, 0, sizeof(*w));
	w->dirfd = dirfd;
	w->fd = -1;
	buf_init(&head, DROP_HEAD_MAX);
	if ((err = drop_head_write(&head, h)) != E_OK)
		goto out;
	err = E_IO;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		goto out;
	drop_name(w->name, 't', random);
	w->fd = openat(dirfd, w->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (w->fd == -1) {
		err = from_errno(errno);
		goto out;
	}
	w->sum = drop_sum(DROP_SUM_START, buf_slice(&head));
	err = set_mode(w->fd, mode);
	if (err == E_OK)
		err = write_all(w->fd, buf_slice(&head));
	if (err != E_OK)
		drop_write_abort(w);
out:
	buf_clear(&head);
	return (err);
}

int
drop_write_body(struct drop_writer *w, struct slice s)
{
	int err;

	if (w->fd == -1)
		return (E_IO);
	if ((err = write_all(w->fd, s)) != E_OK) {
		drop_write_abort(w);
		return (err);
	}
	w->len += s.n;
	w->sum = drop_sum(w->sum, s);
	return (E_OK);
}

int
drop_write_end(struct drop_writer *w)
{
	char trailer[DROP_TRAILER_LEN + 1];
	int err;

	if (w->fd == -1)
		return (E_IO);
	drop_trailer_write(trailer, w->len, w->sum);
	err = write_all(w->fd, slice_make(trailer, DROP_TRAILER_LEN));
	if (err == E_OK && fsync(w->fd) == -1)
		err = from_errno(errno);
	if (err != E_OK)
		drop_write_abort(w);
	return (err);
}

int
drop_write_commit(struct drop_writer *w)
{
	char name[DROP_NAME_LEN + 1];
	int rc = E_OK;

	if (w->fd == -1)
		return (E_IO);
	memcpy(name, w->name, sizeof(name));
	name[0] = 'm';
	if (renameat(w->dirfd, w->name, w->dirfd, name) == -1) {
		rc = from_errno(errno);
		drop_write_abort(w);
		return (rc);
	}
	w->name[0] = 'm';
	/*
	 * The name is durable with the directory.  Who may not read that cannot open it for fsync(): all of the file
	 * system then, which costs more, but only while the server is down.
	 */
	if (fsync(w->dirfd) == -1 && syncfs(w->fd) == -1)
		rc = from_errno(errno);
	if (close(w->fd) == -1 && rc == E_OK)
		rc = from_errno(errno);
	w->fd = -1;
	/* Where it is gone, pickup has it: then it is safe whatever the disk says of the name. */
	if (rc != E_OK && unlinkat(w->dirfd, w->name, 0) == -1 && errno == ENOENT)
		rc = E_OK;
	return (rc);
}

void
drop_write_abort(struct drop_writer *w)
{
	if (w->fd != -1)
		(void)close(w->fd);
	w->fd = -1;
	if (w->name[0] == 't')
		(void)unlinkat(w->dirfd, w->name, 0);
	w->name[0] = '\0';
}
