/*
 * conf_memfd.c -- the snapshot and its tables in a sealed memory file (R2).  Shell.
 *
 * The seals are checked before the file is mapped: without them its owner could shrink it under
 * the reader (a fault signal) or change what was already checked.  All processes share the pages of one file;
 * a private read-only mapping is no data of theirs (RLIMIT_DATA).
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/limits.h"

#define SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define MAGIC	0x31464e4f43534f50ull
#define ALIGN	64u		/* of the image in the file */

struct head {			/* at the front of the file, in the machine's own byte order */
	uint64_t	magic;
	uint64_t	packed;		/* octets of the snapshot, which follows the head */
	uint64_t	image;		/* octets of the tables, which follow at the next multiple of ALIGN */
};

static uint64_t
image_offset(const struct head *h)
{
	return ((sizeof(*h) + h->packed + ALIGN - 1) / ALIGN * ALIGN);
}

int
conf_memfd_new(void)
{
	int	 fd = memfd_create("postern-conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return (fd == -1 ? E_IO : fd);
}

static int
write_all(int fd, const void *p, size_t n)
{
	size_t	 done = 0;
	ssize_t	 w;

	while (done < n) {
		w = write(fd, (const char *)p + done, n - done);
		if (w == -1 && errno == EINTR)
			continue;
		if (w <= 0)
			return (errno == EFBIG ? E_LIMIT : E_IO);
		done += (size_t)w;
	}
	return (E_OK);
}

int
conf_memfd_write(int fd, struct slice packed, struct slice image)
{
	static const char	 zeroes[ALIGN];
	struct head		 h = { MAGIC, packed.n, image.n };
	int			 err;

	if (packed.n > CONF_BLOB_MAX || image.n > TABLE_IMAGE_MAX)
		return (E_LIMIT);
	if ((err = write_all(fd, &h, sizeof(h))) != E_OK ||
	    (err = write_all(fd, packed.p, packed.n)) != E_OK ||
	    (err = write_all(fd, zeroes, image_offset(&h) - sizeof(h) - packed.n)) != E_OK)
		return (err);
	return (write_all(fd, image.p, image.n));
}

int
conf_memfd_seal(int fd)
{
	struct stat	 st;

	if (fcntl(fd, F_ADD_SEALS, SEALS) == -1 || fstat(fd, &st) == -1)
		return (E_IO);
	return ((uint64_t)st.st_size > CONF_MEMFD_MAX ? E_LIMIT : E_OK);
}

int
conf_to_memfd(struct slice packed)
{
	int	 err, fd = conf_memfd_new();

	if (fd < 0)
		return (fd);
	if ((err = conf_memfd_write(fd, packed, slice_make("", 0))) == E_OK && (err = conf_memfd_seal(fd)) == E_OK)
		return (fd);
	close(fd);	/* nothing that was written matters */
	return (err);
}

/* Both parts of a file that is mapped, if it is exactly that long. */
static int
split(struct slice file, struct slice *packed, struct slice *image)
{
	struct head	 h;

	if (file.n < sizeof(h))
		return (E_PROTO);
	memcpy(&h, file.p, sizeof(h));
	if (h.magic != MAGIC || h.packed > CONF_BLOB_MAX || h.image > TABLE_IMAGE_MAX ||
	    file.n != image_offset(&h) + h.image)
		return (E_PROTO);
	*packed = slice_make(file.p + sizeof(h), h.packed);
	*image = slice_make(file.p + image_offset(&h), h.image);
	return (E_OK);
}

int
conf_from_memfd(struct conf **c, int fd)
{
	struct slice	 packed, image;
	struct stat	 st;
	void		*p;
	int		 err, seals;

	if ((seals = fcntl(fd, F_GET_SEALS)) == -1 || (seals & SEALS) != SEALS)
		return (E_PROTO);
	if (fstat(fd, &st) == -1)
		return (E_IO);
	if (st.st_size <= 0 || (uint64_t)st.st_size > CONF_MEMFD_MAX)
		return (E_PROTO);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return (errno == ENOMEM ? E_NOMEM : E_IO);
	err = split(slice_make(p, (size_t)st.st_size), &packed, &image);
	if (err == E_OK)
		err = conf_unpack(c, packed, image);
	if (err != E_OK) {
		munmap(p, (size_t)st.st_size);	/* nothing can be done about a failure */
		return (err);
	}
#ifdef MADV_POPULATE_READ
	/* So that no look-up pays for a page fault; an older kernel leaves it to them. */
	(void)madvise(p, (size_t)st.st_size, MADV_POPULATE_READ);
#endif
	(*c)->map = p;
	(*c)->map_len = (size_t)st.st_size;
	return (E_OK);
}

void
conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	if (c->map != NULL && c->map_len != 0)
		munmap(c->map, c->map_len);
	else
		free(c->map);
	arena_clear(&c->mem);
	free(c);
}
