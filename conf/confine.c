/*
 * confine.c -- the checker's own small sandbox.  Shell.
 *
 * It is not one of the daemons' (common/sandbox.h): those may open no file, this one must read several.
 * The order: rlimits, groups and ids, capabilities, no_new_privs, Landlock (files only for reading), seccomp.
 */
#include "conf/confine.h"

#include "common/limits.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DATA_MAX	(8ull << 30)	/* octets: an image of 4 GB while it grows, with its index beside it */
#define NOFILE		16

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED	1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED	0
#endif

#if SANITIZED
/* The leak checker asks this at exit.  It needs /proc and a second process, which a confined one has not. */
static int	entered;

int	__lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return (entered);
}
#endif

static int
fail(const char *step)
{
	fprintf(stderr, "postern-conf: cannot confine itself: %s: %s\n", step, strerror(errno));
	return (-1);
}

static int
limit(int what, rlim_t value)
{
	struct rlimit	 want = { value, value }, have;

	if (getrlimit(what, &have) == -1)
		return (-1);
	if (have.rlim_max < value)
		want.rlim_cur = want.rlim_max = have.rlim_max;
	return (setrlimit(what, &want));
}

static int
change_ids(const struct confine *c)
{
	uid_t	 r, e, s;
	gid_t	 rg, eg, sg;

	if (c->uid == 0 || c->gid == 0) {
		errno = EINVAL;
		return (fail("uid and gid must not be 0"));
	}
	if (setgroups(0, NULL) == -1 || setresgid(c->gid, c->gid, c->gid) == -1 ||
	    setresuid(c->uid, c->uid, c->uid) == -1)
		return (fail("ids"));
	if (getresuid(&r, &e, &s) == -1 || getresgid(&rg, &eg, &sg) == -1 || r != c->uid || e != c->uid ||
	    s != c->uid || rg != c->gid || eg != c->gid || sg != c->gid || getgroups(0, NULL) != 0)
		return (fail("ids were not changed"));
	if (setresuid(-1, 0, -1) != -1 || setresgid(-1, 0, -1) != -1)
		return (fail("ids could be regained"));
	return (0);
}

/* As root without other ids to become (a container, a test) the capabilities go all the same. */
static int
drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return (fail("capabilities"));
	if (capng_get_caps_process() != 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return (fail("capabilities were not dropped"));
	return (0);
}

/* Files may be read and nothing else; a kernel without Landlock leaves this to seccomp. */
static int
landlock(void)
{
	struct landlock_ruleset_attr		 attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
		    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |
		    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
		    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
		    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
		    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	int	 err, fd;

	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd == -1)
		return (errno == ENOSYS || errno == EOPNOTSUPP ? 0 : fail("landlock"));
	err = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	if (close(fd) == -1 || err == -1)
		return (fail("landlock"));
	return (0);
}

static int
filter_calls(void)
{
	static const int	 calls[] = {
		SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
		SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(mmap), SCMP_SYS(munmap),
		SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mprotect), SCMP_SYS(brk), SCMP_SYS(futex),
		SCMP_SYS(getrandom), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(getpid),
		SCMP_SYS(gettid), SCMP_SYS(tgkill), SCMP_SYS(ioctl), SCMP_SYS(exit), SCMP_SYS(exit_group),
		SCMP_SYS(restart_syscall), SCMP_SYS(uname), SCMP_SYS(sysinfo),	/* qsort asks how much memory there is */
	};
	scmp_filter_ctx		 ctx;
	int			 err = 0;

	if (SANITIZED)
		return (0);	/* their runtime makes calls of its own at exit */
	if ((ctx = seccomp_init(SCMP_ACT_KILL_PROCESS)) == NULL)
		return (fail("seccomp"));
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && err == 0; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	if (err == 0)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
	if (err == 0)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	if (err != 0) {
		errno = -err;
		return (fail("seccomp"));
	}
	return (0);
}

int
confine_enter(const struct confine *c)
{
#if SANITIZED
	entered = 1;
#endif
	if (limit(RLIMIT_CORE, 0) == -1 || limit(RLIMIT_FSIZE, CONF_MEMFD_MAX) == -1 || limit(RLIMIT_NOFILE, NOFILE) == -1 ||
	    (!SANITIZED && limit(RLIMIT_DATA, DATA_MAX) == -1))
		return (fail("limits"));
	if (c->change_ids && change_ids(c) == -1)
		return (-1);
	if (drop_capabilities() == -1)
		return (-1);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return (fail("no_new_privs"));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return (fail("dumpable"));
	if (landlock() == -1)
		return (-1);
	return (filter_calls());
}
