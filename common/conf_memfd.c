/*
 * conf_memfd.c -- the snapshot in a sealed memory file (R2).  Shell.
 *
 * The seals are checked before the file is mapped: without them its owner could shrink it under
 * the reader (a fault signal) or change what was already checked.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/err.h"
#include "common/limits.h"

#define SEALS	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int
conf_to_memfd(struct slice packed)
{
	size_t	 done = 0;
	ssize_t	 n;
	int	 fd;

	if ((fd = memfd_create("postern-conf", MFD_CLOEXEC | MFD_ALLOW_SEALING)) == -1)
		return (E_IO);
	while (done < packed.n) {
		n = write(fd, packed.p + done, packed.n - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			goto fail;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) == -1)
		goto fail;
	return (fd);
fail:
	close(fd);	/* nothing that was written matters */
	return (E_IO);
}

int
conf_from_memfd(struct conf **c, int fd)
{
	struct stat	 st;
	void		*p;
	int		 err, seals;

	if ((seals = fcntl(fd, F_GET_SEALS)) == -1 || (seals & SEALS) != SEALS)
		return (E_PROTO);
	if (fstat(fd, &st) == -1)
		return (E_IO);
	if (st.st_size <= 0 || (uint64_t)st.st_size > CONF_BLOB_MAX)
		return (E_PROTO);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return (errno == ENOMEM ? E_NOMEM : E_IO);
	err = conf_unpack(c, slice_make(p, (size_t)st.st_size));
	if (munmap(p, (size_t)st.st_size) == -1 && err == E_OK) {
		conf_free(*c);
		return (E_IO);
	}
	return (err);
}
