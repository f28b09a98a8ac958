/*
 * slowflush.c -- a preloaded library that makes each flush slower by SLOWFLUSH_US microseconds (set when
 * it is compiled: daemons clear their environment), to imitate a disk without a write cache.
 *
 * Flushes are fsync, fdatasync, and writes of under 1000 octets by pwrite, which is how
 * LMDB writes its meta page through a descriptor opened with O_DSYNC.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void
delay(void)
{
	struct timespec t = { SLOWFLUSH_US / 1000000, SLOWFLUSH_US % 1000000 * 1000L };

	/* The system call itself: a daemon's filter knows nanosleep, not what the C library makes of it. */
	(void)syscall(SYS_nanosleep, &t, NULL);
}

int
fsync(int fd)
{
	static int (*real)(int);

	if (real == NULL)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	delay();
	return (real(fd));
}

int
fdatasync(int fd)
{
	static int (*real)(int);

	if (real == NULL)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	delay();
	return (real(fd));
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off64_t);

	if (real == NULL)
		real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
	if (n < 1000)
		delay();
	return (real(fd, p, n, at));
}
