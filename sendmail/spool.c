/*
 * spool.c -- see spool.h.  Shell.
 */
#include "sendmail/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/limits.h"

static const char *const places[] = { "/var/tmp", "/tmp" };

void
spool_init(struct spool *s)
{
	buf_init(&s->mem, SENDMAIL_MEMORY_MAX);
	s->fd = -1;
	s->size = 0;
}

static int
open_nameless(void)
{
	char name[] = "/tmp/sendmail.XXXXXX";
	size_t i;
	int fd;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		fd = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd != -1)
			return (fd);
	}
	/* Not every file system has files without a name. */
	fd = mkostemp(name, O_CLOEXEC);
	if (fd != -1 && unlink(name) == -1) {
		(void)close(fd);
		return (-1);
	}
	return (fd);
}

static int
write_all(int fd, struct slice s)
{
	ssize_t n;

	while (s.n != 0) {
		n = write(fd, s.p, s.n);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? E_FULL : E_IO);
		s = slice_make(s.p + n, s.n - (size_t)n);
	}
	return (E_OK);
}

int
spool_add(struct spool *s, struct slice in)
{
	int err;

	if (s->fd == -1) {
		err = buf_add(&s->mem, in.p, in.n);
		if (err == E_OK)
			s->size += in.n;
		if (err != E_LIMIT)
			return (err);
		if ((s->fd = open_nameless()) == -1)
			return (errno == ENOSPC || errno == EMFILE || errno == ENFILE ? E_FULL : E_IO);
		if ((err = write_all(s->fd, buf_slice(&s->mem))) != E_OK)
			return (err);
		buf_clear(&s->mem);
	}
	if ((err = write_all(s->fd, in)) != E_OK)
		return (err);
	s->size += in.n;
	return (E_OK);
}

ssize_t
spool_read(struct spool *s, uint64_t at, void *dst, size_t size)
{
	struct slice mem = buf_slice(&s->mem);
	ssize_t n;

	if (at >= s->size)
		return (0);
	if (s->size - at < size)
		size = (size_t)(s->size - at);
	if (s->fd == -1) {
		memcpy(dst, mem.p + at, size);
		return ((ssize_t)size);
	}
	do
		n = pread(s->fd, dst, size, (off_t)at);
	while (n == -1 && errno == EINTR);
	return (n == 0 ? -1 : n);
}

void
spool_clear(struct spool *s)
{
	buf_clear(&s->mem);
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
}
