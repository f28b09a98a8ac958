/*
 * sandbox.h -- what a daemon gives up before the first untrusted octet (threat-model.md 4).
 *
 * One const table per daemon, beside its main().  sandbox_enter() does, in this order, and verifies each
 * step by reading it back: rlimits, root directory, ids, capabilities (all sets and bounding),
 * no_new_privs, non-dumpable, core size 0, umask 077, Landlock, seccomp.  As an ordinary user it leaves out
 * root directory and ids and says so in one log line.  Missing seccomp is fatal; missing Landlock is logged once.
 */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/*
 * A sanitizer needs calls and memory of its own: such builds leave seccomp and RLIMIT_DATA out,
 * and keep stderr for its report.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANDBOX_SANITIZER 1
#endif
#endif
#ifndef SANDBOX_SANITIZER
#define SANDBOX_SANITIZER 0
#endif

enum {					/* groups of system calls beyond the base set */
	SB_ACCEPT = 1 << 0,		/* accept4, getpeername, getsockname, shutdown; setsockopt and getsockopt */
	SB_CONNECT = 1 << 1,		/* socket(INET/INET6, STREAM), connect, bind to port 0 + what SB_ACCEPT has but accept4 */
	SB_UDP = 1 << 2,		/* socket(INET/INET6, DGRAM), connect, bind, sendto, recvfrom, sendmmsg, recvmmsg */
	SB_STORE = 1 << 3,		/* files under the root directory: LMDB's needs (openat, pread64, pwrite64, pwritev,
					 * fdatasync, fsync, fallocate, ftruncate, fstat, statfs, flock, fcntl locks, mmap shared) */
	SB_MAILDIR = 1 << 4,		/* openat2/openat, mkdirat, linkat, unlinkat, renameat2, write, fsync, fstat */
	SB_THREADS = 1 << 5,		/* clone with thread flags, set_robust_list, rseq, sched_yield */
	SB_RECVFD = 1 << 6,		/* recvmsg with descriptors is in the base set; this adds what mapping a conf memfd needs: fstat, mmap private read-only */
	SB_PAIR = 1 << 7,		/* socketpair(UNIX, STREAM), and send and receive on it */
};

struct sandbox {
	const char	*name;		/* for logs */
	unsigned	 groups;	/* SB_* */
	const int	*more;		/* further system calls, -1 ends; may be NULL */
	uint64_t	 data_max;	/* RLIMIT_DATA; 0 leaves it */
	uint64_t	 file_max;	/* RLIMIT_FSIZE; UINT64_MAX leaves it, 0 forbids writing files */
	int		 net_none;	/* no way to make a socket */
	int		 keep_root;	/* started as root, it stays uid 0, without any capability: what it asks looks at the uid */
	int		 files_read;	/* Landlock: run's dirs are for reading, and for running and mapping code from, not for writing */
	int		 modules;	/* it runs code of others (PAM): seccomp by a list of what is refused, groups do not count */
};

#define SANDBOX_DIRS_MAX 16
#define SANDBOX_PORTS_MAX 64
struct sandbox_run {			/* what is only known at run time */
	int		 privileged;
	uint32_t	 uid, gid;
	const char	*root;		/* new root directory if privileged; NULL or "" for none */
	uint64_t	 nofile;	/* RLIMIT_NOFILE, at most what the hard limit allows */
	size_t		 ndirs;		/* Landlock: read and write (or as files_read says) beneath these (paths as seen before the change of root); else no file at all */
	const char	*dirs[SANDBOX_DIRS_MAX];
	size_t		 nports;	/* Landlock ABI 4: TCP connect to these ports only; 0 with SB_CONNECT is any */
	uint16_t	 ports[SANDBOX_PORTS_MAX];
};

/* Any failure is fatal (log_fatal). */
void	sandbox_enter(const struct sandbox *, const struct sandbox_run *);

#endif
