/* secure.c -- see secure.h.  Shell. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/secure.h"
#include "common/err.h"
#include "common/log.h"

void
secure_open(void)
{
	struct rlimit	rl;

	if (getrlimit(RLIMIT_MEMLOCK, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_MEMLOCK, &rl);	/* what it did is seen at the first mlock() */
	}
}

void *
secure_alloc(size_t n)
{
	static int	 warned;
	void		*p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return (NULL);
	(void)madvise(p, n, MADV_DONTDUMP);
	if (mlock(p, n) == -1 && !warned) {
		warned = 1;
		log_warn("the memory of the passwords cannot be locked: RLIMIT_MEMLOCK is too small for it "
		    "(LimitMEMLOCK in the unit)");
	}
	return (p);
}

void
secure_free(void *p, size_t n)
{
	if (p == NULL)
		return;
	explicit_bzero(p, n);
	(void)munmap(p, n);
}

int
secure_read(int fd, size_t size, void **out, size_t *len)
{
	struct stat	 st;
	uint8_t		*p;
	size_t		 n = 0, want;
	ssize_t		 got;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size < 0)
		return (E_IO);
	if ((uint64_t)st.st_size > size)
		return (E_LIMIT);
	want = (size_t)st.st_size;
	if ((p = secure_alloc(want + 1)) == NULL)
		return (E_NOMEM);
	while (n < want) {
		if ((got = read(fd, p + n, want - n)) == -1 && errno == EINTR)
			continue;
		if (got <= 0) {		/* it has become shorter: no file that is in force */
			secure_free(p, want + 1);
			return (E_IO);
		}
		n += (size_t)got;
	}
	*out = p;
	*len = n;
	return (E_OK);
}
