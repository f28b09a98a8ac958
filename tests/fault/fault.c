/*
 * fault.c -- a preloaded library that makes the machine fail at the test's word.
 *
 * The words stand in a page shared with the test (SWITCH_PATH, set when this is compiled), mapped before the
 * daemon confines itself.  Layout of the page, 64-bit numbers: 0 every flush fails with EIO; 1 flushes
 * do nothing, and O_DSYNC is forgotten (decided when a file is opened); 2 seconds added to the
 * wall clock; 3 counts the flushes that failed; 4 every so many-th allocation of postern-queue fails; 5
 * counts them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SW_EIO, SW_NOSYNC, SW_CLOCK, SW_FAILED, SW_NOMEM, SW_NOMEM_FAILED, SW_N };

static _Atomic int64_t none[SW_N];
static _Atomic int64_t *sw = none;
static int in_queue;			/* this process is postern-queue */
static _Atomic int64_t nalloc;

void	*__libc_malloc(size_t);
void	*__libc_calloc(size_t, size_t);
void	*__libc_realloc(void *, size_t);

__attribute__((constructor)) static void
attach(void)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, SWITCH_PATH, O_RDWR | O_CLOEXEC);
	void *p;

	if (fd == -1)
		return;
	if ((p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) != MAP_FAILED)
		sw = p;
	(void)close(fd);
	in_queue = strcmp(program_invocation_short_name, "postern-queue") == 0;
}

static int
no_memory(void)
{
	int64_t nth;

	if (!in_queue || (nth = sw[SW_NOMEM]) == 0 || ++nalloc % nth != 0)
		return (0);
	sw[SW_NOMEM_FAILED]++;
	errno = ENOMEM;
	return (1);
}

void *
malloc(size_t n)
{
	return (no_memory() ? NULL : __libc_malloc(n));
}

void *
calloc(size_t n, size_t each)
{
	return (no_memory() ? NULL : __libc_calloc(n, each));
}

void *
realloc(void *p, size_t n)
{
	return (no_memory() ? NULL : __libc_realloc(p, n));
}

static int
flush(int fd, long call)
{
	if (sw[SW_EIO] != 0) {
		sw[SW_FAILED]++;
		errno = EIO;
		return (-1);
	}
	if (sw[SW_NOSYNC] != 0)
		return (0);
	return ((int)syscall(call, fd));
}

int
fsync(int fd)
{
	return (flush(fd, SYS_fsync));
}

int
fdatasync(int fd)
{
	return (flush(fd, SYS_fdatasync));
}

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (sw[SW_NOSYNC] != 0)
		flags &= ~(O_SYNC | O_DSYNC);
	return ((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int	open64(const char *, int, ...) __attribute__((alias("open")));

int
clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	int ret;

	if (real == NULL)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	ret = real(id, t);
	if (ret == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += sw[SW_CLOCK];
	return (ret);
}

time_t
time(time_t *out)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return (t.tv_sec);
}
