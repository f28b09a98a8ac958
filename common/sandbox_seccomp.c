/*
 * sandbox_seccomp.c -- the system calls a daemon may make (threat-model.md 4).
 *
 * Shell.  An allow list by libseccomp; any other call kills the process, and the kernel's audit
 * log names it.  Arguments are checked where a call can do more than we need.  clone3 answers ENOSYS:
 * its flags are out of a filter's sight, and glibc then uses clone.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox_parts.h"

#define ANY_SOCKET	(SB_ACCEPT | SB_CONNECT | SB_UDP)
#define FILES		(SB_STORE | SB_MAILDIR)
#define ALL		0		/* every daemon */
#define TYPE_MASK	(~(scmp_datum_t)(SOCK_NONBLOCK | SOCK_CLOEXEC))
#define INT_MASK	0xffffffffu	/* the kernel looks at the low half of an int argument */

/* What pthread_create() asks for, and nothing less: never a process. */
#define THREAD_FLAGS	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
			CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT	24
#endif
#define GET_SEALS	1034		/* F_GET_SEALS; linux/fcntl.h cannot stand beside fcntl.h */

struct call {
	unsigned	groups;		/* allowed when the daemon has one of them; ALL is 0 */
	int		nr;
};

/* Calls whose arguments do not matter. */
static const struct call calls[] = {
	{ ALL, SCMP_SYS(read) }, { ALL, SCMP_SYS(write) }, { ALL, SCMP_SYS(readv) }, { ALL, SCMP_SYS(writev) },
	{ ALL, SCMP_SYS(recvmsg) }, { ALL, SCMP_SYS(recvmmsg) },
	{ ALL, SCMP_SYS(close) },
	{ ALL, SCMP_SYS(epoll_ctl) }, { ALL, SCMP_SYS(epoll_wait) }, { ALL, SCMP_SYS(epoll_pwait) },
	{ ALL, SCMP_SYS(epoll_create1) },
	{ ALL, SCMP_SYS(eventfd2) },
	{ ALL, SCMP_SYS(timerfd_create) }, { ALL, SCMP_SYS(timerfd_settime) }, { ALL, SCMP_SYS(timerfd_gettime) },
	{ ALL, SCMP_SYS(clock_gettime) }, { ALL, SCMP_SYS(clock_getres) }, { ALL, SCMP_SYS(gettimeofday) },
	{ ALL, SCMP_SYS(time) },
	{ ALL, SCMP_SYS(nanosleep) }, { ALL, SCMP_SYS(clock_nanosleep) },
	{ ALL, SCMP_SYS(futex) },
	{ ALL, SCMP_SYS(munmap) }, { ALL, SCMP_SYS(mremap) }, { ALL, SCMP_SYS(madvise) }, { ALL, SCMP_SYS(brk) },
	{ ALL, SCMP_SYS(getrandom) },
	{ ALL, SCMP_SYS(rt_sigaction) }, { ALL, SCMP_SYS(rt_sigprocmask) }, { ALL, SCMP_SYS(rt_sigreturn) },
	{ ALL, SCMP_SYS(rt_sigpending) }, { ALL, SCMP_SYS(rt_sigtimedwait) }, { ALL, SCMP_SYS(sigaltstack) },
	{ ALL, SCMP_SYS(restart_syscall) }, { ALL, SCMP_SYS(exit) }, { ALL, SCMP_SYS(exit_group) },
	{ ALL, SCMP_SYS(getpid) }, { ALL, SCMP_SYS(gettid) }, { ALL, SCMP_SYS(getppid) },
	{ ALL, SCMP_SYS(getuid) }, { ALL, SCMP_SYS(geteuid) }, { ALL, SCMP_SYS(getgid) }, { ALL, SCMP_SYS(getegid) },
	{ ALL, SCMP_SYS(getrusage) }, { ALL, SCMP_SYS(uname) },
	{ ALL, SCMP_SYS(sysinfo) },		/* glibc's qsort() asks how much memory there is */
	{ ALL, SCMP_SYS(sched_getaffinity) },	/* its malloc how many processors */

	{ SB_ACCEPT, SCMP_SYS(accept4) },
	{ ANY_SOCKET, SCMP_SYS(getpeername) }, { ANY_SOCKET, SCMP_SYS(getsockname) },
	{ ANY_SOCKET, SCMP_SYS(shutdown) }, { ANY_SOCKET | SB_PAIR, SCMP_SYS(recvfrom) },
	{ SB_CONNECT | SB_UDP, SCMP_SYS(connect) }, { SB_CONNECT | SB_UDP, SCMP_SYS(bind) },

	{ FILES | SB_RECVFD, SCMP_SYS(fstat) }, { FILES | SB_RECVFD, SCMP_SYS(newfstatat) },
	{ FILES, SCMP_SYS(openat) }, { FILES, SCMP_SYS(lseek) },
	{ FILES, SCMP_SYS(fsync) }, { FILES, SCMP_SYS(fdatasync) },
	{ SB_STORE, SCMP_SYS(pread64) }, { SB_STORE, SCMP_SYS(preadv) },
	{ SB_STORE, SCMP_SYS(pwrite64) }, { SB_STORE, SCMP_SYS(pwritev) },
	{ SB_STORE, SCMP_SYS(fallocate) }, { SB_STORE, SCMP_SYS(ftruncate) }, { SB_STORE, SCMP_SYS(sync_file_range) },
	{ SB_STORE, SCMP_SYS(statfs) }, { SB_STORE, SCMP_SYS(fstatfs) }, { SB_STORE, SCMP_SYS(flock) },
	{ SB_STORE, SCMP_SYS(msync) }, { SB_STORE, SCMP_SYS(fadvise64) },
	{ SB_MAILDIR, SCMP_SYS(openat2) }, { SB_MAILDIR, SCMP_SYS(mkdirat) }, { SB_MAILDIR, SCMP_SYS(linkat) },
	{ SB_MAILDIR, SCMP_SYS(unlinkat) }, { SB_MAILDIR, SCMP_SYS(renameat) }, { SB_MAILDIR, SCMP_SYS(renameat2) },

	{ SB_THREADS, SCMP_SYS(set_robust_list) }, { SB_THREADS, SCMP_SYS(rseq) }, { SB_THREADS, SCMP_SYS(sched_yield) },
};

struct arg_call {
	unsigned		groups;
	int			nr;
	unsigned		n;
	struct scmp_arg_cmp	arg[3];
};

#define MASKED(a, mask, value)	SCMP_CMP64(a, SCMP_CMP_MASKED_EQ, (mask), (value))
#define IS(a, value)		MASKED(a, INT_MASK, (scmp_datum_t)(value))
#define NOT_FASTOPEN(a)	MASKED(a, MSG_FASTOPEN, 0)
#define FCNTL(groups, cmd)	{ groups, SCMP_SYS(fcntl), 1, { IS(1, cmd) } }
#define OPTION(level, name)	{ ANY_SOCKET, SCMP_SYS(setsockopt), 2, { IS(1, level), IS(2, name) } }
#define SOCKET(groups, family, type, proto) \
	{ groups, SCMP_SYS(socket), 3, { IS(0, family), MASKED(1, TYPE_MASK & INT_MASK, type), IS(2, proto) } }

/* Calls that are allowed with these arguments only.  Several rows of one call add up. */
static const struct arg_call arg_calls[] = {
	{ ALL, SCMP_SYS(mmap), 1, { MASKED(2, PROT_EXEC, 0) } },
	{ ALL, SCMP_SYS(mprotect), 1, { MASKED(2, PROT_EXEC, 0) } },
	{ ALL, SCMP_SYS(ioctl), 1, { IS(1, FIONBIO) } },
	/* getrlimit(), of ourselves. */
	{ ALL, SCMP_SYS(prlimit64), 2, { IS(0, 0), SCMP_CMP64(2, SCMP_CMP_EQ, 0, 0) } },
	FCNTL(ALL, F_GETFL), FCNTL(ALL, F_SETFL), FCNTL(ALL, F_GETFD), FCNTL(ALL, F_SETFD), FCNTL(ALL, GET_SEALS),
	FCNTL(ALL, F_DUPFD_CLOEXEC),
	FCNTL(SB_STORE, F_SETLK), FCNTL(SB_STORE, F_SETLKW), FCNTL(SB_STORE, F_GETLK),

	/* Never another family's: some make a way to other machines of it. */
	{ SB_PAIR, SCMP_SYS(socketpair), 3, { IS(0, AF_UNIX), MASKED(1, TYPE_MASK & INT_MASK, SOCK_STREAM), IS(2, 0) } },
	SOCKET(SB_CONNECT, AF_INET, SOCK_STREAM, 0), SOCKET(SB_CONNECT, AF_INET, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(SB_CONNECT, AF_INET6, SOCK_STREAM, 0), SOCKET(SB_CONNECT, AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(SB_UDP, AF_INET, SOCK_DGRAM, 0), SOCKET(SB_UDP, AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(SB_UDP, AF_INET6, SOCK_DGRAM, 0), SOCKET(SB_UDP, AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	/*
	 * Channels, log lines, clients.  Never with MSG_FASTOPEN: that is a connect() which neither its own
	 * rule here nor Landlock's for ports need see.
	 */
	{ ALL, SCMP_SYS(sendmsg), 1, { NOT_FASTOPEN(2) } }, { ALL, SCMP_SYS(sendmmsg), 1, { NOT_FASTOPEN(3) } },
	{ SB_UDP, SCMP_SYS(sendto), 1, { NOT_FASTOPEN(3) } },
	/* send() to the connected peer, to nobody else. */
	{ SB_ACCEPT | SB_CONNECT | SB_PAIR, SCMP_SYS(sendto), 2, { NOT_FASTOPEN(3), SCMP_CMP64(4, SCMP_CMP_EQ, 0, 0) } },
	{ ANY_SOCKET, SCMP_SYS(getsockopt), 1, { IS(1, SOL_SOCKET) } },
	{ ANY_SOCKET, SCMP_SYS(getsockopt), 1, { IS(1, IPPROTO_TCP) } },
	OPTION(SOL_SOCKET, SO_REUSEADDR), OPTION(SOL_SOCKET, SO_REUSEPORT), OPTION(SOL_SOCKET, SO_KEEPALIVE),
	OPTION(SOL_SOCKET, SO_LINGER), OPTION(SOL_SOCKET, SO_RCVBUF), OPTION(SOL_SOCKET, SO_SNDBUF),
	OPTION(SOL_SOCKET, SO_RCVBUFFORCE), OPTION(SOL_SOCKET, SO_SNDBUFFORCE), OPTION(SOL_SOCKET, SO_BROADCAST),
	OPTION(IPPROTO_TCP, TCP_NODELAY), OPTION(IPPROTO_TCP, TCP_KEEPIDLE), OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
	OPTION(IPPROTO_TCP, TCP_KEEPCNT), OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT), OPTION(IPPROTO_TCP, TCP_QUICKACK),
	OPTION(IPPROTO_TCP, TCP_CORK), OPTION(IPPROTO_TCP, TCP_MAXSEG), OPTION(IPPROTO_TCP, TCP_SYNCNT),
	OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
	OPTION(IPPROTO_IP, IP_TOS), OPTION(IPPROTO_IP, IP_MTU_DISCOVER), OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
	OPTION(IPPROTO_IPV6, IPV6_V6ONLY), OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER), OPTION(IPPROTO_IPV6, IPV6_MTU),
	OPTION(IPPROTO_IPV6, IPV6_TCLASS), OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),

	{ SB_THREADS, SCMP_SYS(clone), 1, { SCMP_CMP64(0, SCMP_CMP_EQ, THREAD_FLAGS, 0) } },
};

static void
allow(scmp_filter_ctx ctx, int nr, unsigned n, const struct scmp_arg_cmp *arg)
{
	int err;

	if ((err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, n, arg)) != 0 && err != -EEXIST)
		log_fatal("sandbox: seccomp rule for call %d: %s", nr, strerror(-err));
}

/* libunbound asks by TCP with MSG_FASTOPEN first; to this answer it connects as everybody does. */
static void
decline_fastopen(scmp_filter_ctx ctx)
{
	struct scmp_arg_cmp	fastopen = MASKED(2, MSG_FASTOPEN, MSG_FASTOPEN);
	int			err;

	if ((err = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(sendmsg), 1, &fastopen)) != 0)
		log_fatal("sandbox: seccomp rule for sendmsg: %s", strerror(-err));
}

static void
fill(scmp_filter_ctx ctx, const struct sandbox *sb)
{
	const unsigned		name_client = SB_CONNECT | SB_UDP;
	struct scmp_arg_cmp	self = IS(0, getpid());
	size_t			i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].groups == ALL || (calls[i].groups & sb->groups) != 0)
			allow(ctx, calls[i].nr, 0, NULL);
	}
	for (i = 0; i < sizeof(arg_calls) / sizeof(arg_calls[0]); i++) {
		if (arg_calls[i].groups == ALL || (arg_calls[i].groups & sb->groups) != 0)
			allow(ctx, arg_calls[i].nr, arg_calls[i].n, arg_calls[i].arg);
	}
	if ((sb->groups & name_client) == name_client)
		decline_fastopen(ctx);
	/* abort() and raise(): to ourselves. */
	allow(ctx, SCMP_SYS(tgkill), 1, &self);
	allow(ctx, SCMP_SYS(kill), 1, &self);
	for (i = 0; sb->more != NULL && sb->more[i] != -1; i++)
		allow(ctx, sb->more[i], 0, NULL);
}

void
seccomp_enter(const struct sandbox *sb)
{
	scmp_filter_ctx	ctx;
	int		err;

	if (sb->modules) {
		seccomp_modules();
		return;
	}
	/* A thread's own arena reads a file of /proc when it shrinks; the main one does not. */
	if ((sb->groups & SB_THREADS) != 0 && (sb->groups & FILES) == 0)
		mallopt(M_ARENA_MAX, 1);
	if ((ctx = seccomp_init(SCMP_ACT_KILL_PROCESS)) == NULL)
		log_fatal("sandbox: seccomp filter: out of memory");
	if ((err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) != 0)
		log_fatal("sandbox: seccomp: %s", strerror(-err));
	/* A tree instead of a chain, and a line in the audit log: both are help, not need. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	fill(ctx, sb);
	if ((err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)) != 0)
		log_fatal("sandbox: seccomp rule for clone3: %s", strerror(-err));
	if ((err = seccomp_load(ctx)) != 0)
		log_fatal("sandbox: seccomp filter cannot be loaded: %s", strerror(-err));
	seccomp_release(ctx);
	/* Without the filter the kernel says EINVAL to this. */
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		log_fatal("sandbox: seccomp filter is not in force");
}
