/*
 * attempts.h -- what a daemon that was taken over would try, and a child that tries it in a sandbox.
 *
 * Shared by tests/common/sandbox_test.c (the groups of calls) and tests/ROOM/sandbox_test.c (each
 * daemon's own table).  In the latter all attempts must kill, but for those the daemon's row in
 * threat-model.md 4 names (G5).  Include it after cmocka.h.
 */
#ifndef TESTS_COMMON_ATTEMPTS_H
#define TESTS_COMMON_ATTEMPTS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"

#define NOBODY		65534
#define ALLOWED		0
#define KILLED		(-1)
#define EITHER		(-2)	/* killed, or refused with EACCES or EPERM */

static char	work[] = "/tmp/postern-sandbox-XXXXXX";	/* the only directory a child may use */
static char	outside[64];				/* a file beside it */
static int	listener = -1;				/* TCP on loopback */
static uint16_t	listener_port;
static pid_t	parent;

/* ---- what a child tries: 0, or errno ---- */

#define RESULT(expr)	((expr) == -1 ? errno : 0)

static int
p_up(void)
{
	struct stat here, there;
	int fd = openat(AT_FDCWD, "../", O_RDONLY | O_DIRECTORY), dot = openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY);

	if (fd == -1)
		return (errno);
	/* In the root directory it leads nowhere else. */
	if (fstat(fd, &there) == -1 || fstat(dot, &here) == -1)
		return (errno);
	return (here.st_dev == there.st_dev && here.st_ino == there.st_ino ? EACCES : 0);
}
static int p_etc(void) { return (RESULT(openat(AT_FDCWD, "/etc/hostname", O_RDONLY))); }
static int p_proc(void) { return (RESULT(openat(AT_FDCWD, "/proc/self/environ", O_RDONLY))); }
static int p_write_outside(void) { return (RESULT(openat(AT_FDCWD, "/tmp/postern-attempt", O_CREAT | O_WRONLY, 0600))); }
static int p_setresuid(void) { return (RESULT(syscall(SYS_setresuid, 0, 0, 0))); }
static int p_pidfd(void) { return (RESULT(syscall(SYS_pidfd_open, parent, 0))); }
static int p_memfd_exec(void) { return (RESULT(syscall(SYS_memfd_create, "x", 0))); }
static int p_execveat(void) { char *v[] = { (char *)(uintptr_t)"true", NULL }; return (RESULT(syscall(SYS_execveat, AT_FDCWD, "/bin/true", v, NULL, 0))); }
static int p_chmod(void) { return (RESULT(fchmodat(AT_FDCWD, "file", 04755, 0))); }
static int p_symlink(void) { return (RESULT(symlinkat("/etc/passwd", AT_FDCWD, "link"))); }
static int p_nothing(void) { return (0); }
static int p_open(void) { return (RESULT(open("/etc/passwd", O_RDONLY))); }
static int p_open_outside(void) { return (RESULT(open(outside, O_RDONLY))); }
static int p_create(void) { return (RESULT(openat(AT_FDCWD, "file", O_CREAT | O_RDWR, 0600))); }
static int p_socket_tcp(void) { return (RESULT(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))); }
static int p_socket_tcp6(void) { int e = RESULT(socket(AF_INET6, SOCK_STREAM, 0)); return (e == EAFNOSUPPORT ? 0 : e); }
static int p_socket_udp(void) { return (RESULT(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0))); }
static int p_socket_unix(void) { return (RESULT(socket(AF_UNIX, SOCK_STREAM, 0))); }
static int p_socket_netlink(void) { return (RESULT(socket(AF_NETLINK, SOCK_RAW, 0))); }
static int p_socket_raw(void) { return (RESULT(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP))); }
static int p_socket_mptcp(void) { return (RESULT(socket(AF_INET, SOCK_STREAM, 262))); }
static int p_socketpair(void) { int f[2]; return (RESULT(socketpair(AF_UNIX, SOCK_STREAM, 0, f))); }
static int p_accept(void) { int e = RESULT(accept4(listener, NULL, NULL, SOCK_NONBLOCK)); return (e == EAGAIN ? 0 : e); }
static int p_listen(void) { return (RESULT(listen(listener, 1))); }
static int
p_connect(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(listener_port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return (fd == -1 ? errno : RESULT(connect(fd, (struct sockaddr *)&sin, sizeof(sin))));
}
static int
p_bind_any_port(void)		/* a source address alone */
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return (fd == -1 ? errno : RESULT(bind(fd, (struct sockaddr *)&sin, sizeof(sin))));
}
static int
p_bind_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(45678) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return (fd == -1 ? errno : RESULT(bind(fd, (struct sockaddr *)&sin, sizeof(sin))));
}
static int
p_udp_talk(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return (fd == -1 ? errno : RESULT(sendto(fd, "x", 1, 0, (struct sockaddr *)&sin, sizeof(sin))));
}
/* A connection without connect(2): Landlock's rule for ports does not see it. */
static struct sockaddr_in *
elsewhere(void)
{
	static struct sockaddr_in sin = { .sin_family = AF_INET };

	sin.sin_port = htons(listener_port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return (&sin);
}
static int
p_fastopen_msg(void)
{
	struct iovec iov = { (char *)(uintptr_t)"x", 1 };
	struct msghdr m = { .msg_name = elsewhere(), .msg_namelen = sizeof(struct sockaddr_in), .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return (fd == -1 ? errno : RESULT(sendmsg(fd, &m, MSG_FASTOPEN)));
}
static int
p_fastopen_mmsg(void)
{
	struct iovec iov = { (char *)(uintptr_t)"x", 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = elsewhere(), .msg_namelen = sizeof(struct sockaddr_in), .msg_iov = &iov, .msg_iovlen = 1 } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return (fd == -1 ? errno : RESULT(sendmmsg(fd, &m, 1, MSG_FASTOPEN)));
}
static int
p_fastopen_to(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return (fd == -1 ? errno : RESULT(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)elsewhere(), sizeof(struct sockaddr_in))));
}
static int p_nodelay(void) { return (RESULT(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)))); }
static int p_bpf_option(void) { return (RESULT(setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, "", 0))); }
static int p_exec(void) { char *v[] = { (char *)(uintptr_t)"true", NULL }; return (RESULT(execv("/bin/true", v))); }
static int p_fork(void) { pid_t p = fork(); if (p == 0) _exit(0); return (p == -1 ? errno : 0); }
static int p_vfork(void) { return (RESULT(syscall(SYS_vfork))); }
static int p_clone_ns(void) { return (RESULT(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0))); }
static int p_clone3(void) { int e = RESULT(syscall(SYS_clone3, NULL, 0)); return (e == ENOSYS ? 0 : 1); }
static int p_unshare(void) { return (RESULT(unshare(CLONE_NEWUSER))); }
static int p_ptrace(void) { return (RESULT(ptrace(PTRACE_ATTACH, parent, NULL, NULL))); }
static int
p_vm_readv(void)
{
	char b[8];
	struct iovec l = { b, 8 }, r = { b, 8 };

	return (RESULT(process_vm_readv(parent, &l, 1, &r, 1, 0)));
}
static int p_io_uring(void) { char b[256] = { 0 }; return (RESULT(syscall(SYS_io_uring_setup, 1, b))); }
static int p_bpf(void) { return (RESULT(syscall(SYS_bpf, 0, NULL, 0))); }
static int p_keyctl(void) { return (RESULT(syscall(SYS_keyctl, 0, 0, 0, 0, 0))); }
static int p_userfaultfd(void) { return (RESULT(syscall(SYS_userfaultfd, 0))); }
static int p_perf(void) { return (RESULT(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0))); }
static int p_personality(void) { return (RESULT(syscall(SYS_personality, 0x0400000))); }
static int p_mount(void) { return (RESULT(syscall(SYS_mount, "a", "/", "b", 0, NULL))); }
static int p_prctl(void) { return (RESULT(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))); }
static int p_setuid(void) { return (RESULT(setuid(0))); }
static int p_chroot(void) { return (RESULT(chroot("/"))); }
static int p_mmap_exec(void) { return (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0); }
static int p_mmap(void) { return (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0); }
static int
p_mprotect_exec(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return (p == MAP_FAILED ? errno : RESULT(mprotect(p, 4096, PROT_READ | PROT_EXEC)));
}
static int p_kill_parent(void) { return (RESULT(kill(parent, 0))); }
static int p_tgkill_parent(void) { return (RESULT(syscall(SYS_tgkill, parent, parent, 0))); }
static int p_kill_self(void) { return (RESULT(kill(getpid(), 0))); }
static int p_ioctl_tty(void) { return (RESULT(ioctl(0, 0x5412 /* TIOCSTI */, "x"))); }
static int p_fionbio(void) { int e = RESULT(ioctl(listener, FIONBIO, &(int){ 1 })); return (e == ENOTTY ? 0 : e); }
static int p_fcntl_own(void) { return (RESULT(fcntl(listener, F_SETOWN, parent))); }
static int p_rlimit_set(void) { struct rlimit r = { 1, 1 }; return (RESULT(prlimit(0, RLIMIT_NOFILE, &r, NULL))); }
static int p_rlimit_get(void) { struct rlimit r; return (RESULT(getrlimit(RLIMIT_NOFILE, &r))); }
static int p_fsync(void) { return (RESULT(fsync(listener)) == EBADF ? EBADF : 0); }
static int p_socket_i386(void)
{
#ifdef __x86_64__
	long r;

	/* The other calling convention must not be a way around (getpid there is 20). */
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return (r < 0 ? (int)-r : 0);
#else
	return (0);
#endif
}

/* ---- the list ---- */

static const struct attempt {
	const char	*what;
	int		(*fn)(void);
} attempts[] __attribute__((unused)) = {
	{ "open a file", p_open },
	{ "open a file outside", p_open_outside },
	{ "create a file where it stands", p_create },
	{ "open the directory above", p_up },
	{ "open a file of /etc", p_etc },
	{ "open a file of /proc", p_proc },
	{ "write a file outside", p_write_outside },
	{ "make a symbolic link", p_symlink },
	{ "change a mode", p_chmod },
	{ "TCP socket", p_socket_tcp },
	{ "TCP socket, IPv6", p_socket_tcp6 },
	{ "UDP socket", p_socket_udp },
	{ "UDP talk", p_udp_talk },
	{ "unix socket", p_socket_unix },
	{ "netlink socket", p_socket_netlink },
	{ "raw socket", p_socket_raw },
	{ "multipath TCP", p_socket_mptcp },
	{ "socketpair", p_socketpair },
	{ "accept", p_accept },
	{ "listen", p_listen },
	{ "connect", p_connect },
	{ "bind to a source address", p_bind_any_port },
	{ "bind to a port", p_bind_port },
	{ "connect by sendmsg", p_fastopen_msg },
	{ "connect by sendmmsg", p_fastopen_mmsg },
	{ "connect by sendto", p_fastopen_to },
	{ "TCP_NODELAY", p_nodelay },
	{ "SO_ATTACH_FILTER", p_bpf_option },
	{ "execve", p_exec },
	{ "execveat", p_execveat },
	{ "fork", p_fork },
	{ "vfork", p_vfork },
	{ "clone with namespaces", p_clone_ns },
	{ "unshare", p_unshare },
	{ "ptrace", p_ptrace },
	{ "process_vm_readv", p_vm_readv },
	{ "pidfd_open", p_pidfd },
	{ "memfd_create", p_memfd_exec },
	{ "io_uring_setup", p_io_uring },
	{ "bpf", p_bpf },
	{ "keyctl", p_keyctl },
	{ "userfaultfd", p_userfaultfd },
	{ "perf_event_open", p_perf },
	{ "personality", p_personality },
	{ "mount", p_mount },
	{ "prctl", p_prctl },
	{ "setuid", p_setuid },
	{ "setresuid", p_setresuid },
	{ "chroot", p_chroot },
	{ "mmap PROT_EXEC", p_mmap_exec },
	{ "mprotect PROT_EXEC", p_mprotect_exec },
	{ "kill another", p_kill_parent },
	{ "tgkill another", p_tgkill_parent },
	{ "ioctl TIOCSTI", p_ioctl_tty },
	{ "fcntl F_SETOWN", p_fcntl_own },
	{ "set a limit", p_rlimit_set },
	{ "fsync", p_fsync },
	{ "32-bit call", p_socket_i386 },
	{ "nothing", p_nothing },
	{ "map memory", p_mmap },
	{ "signal itself", p_kill_self },
	{ "FIONBIO", p_fionbio },
	{ "read a limit", p_rlimit_get },
	{ "clone3 says ENOSYS", p_clone3 },
};

/* What one daemon's table says of an attempt, where that is not death. */
struct verdict {
	const char	*what;
	int		 wanted;	/* ALLOWED, EITHER, or an errno */
};

/* Everybody may do these. */
static const struct verdict harmless[] __attribute__((unused)) = {
	{ "nothing", ALLOWED }, { "map memory", ALLOWED }, { "signal itself", ALLOWED }, { "FIONBIO", ALLOWED },
	{ "read a limit", ALLOWED }, { "clone3 says ENOSYS", ALLOWED },
};

static int
attempt_child(const struct sandbox *sb, const struct sandbox_run *settings, int (*fn)(void), int privileged)
{
	struct sandbox_run	run = *settings;
	pid_t			pid;
	int			status;

	run.privileged = privileged;
	run.uid = run.gid = NOBODY;
	run.root = work;
	if ((pid = fork()) == 0) {
		tzset();
		if (!privileged && getuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) == -1 ||
		    setresuid(NOBODY, NOBODY, NOBODY) == -1))
			_exit(200);
		sandbox_enter(sb, &run);
		_exit(fn());
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		return (-1000);
	if (WIFSIGNALED(status))
		return (WTERMSIG(status) == SIGSYS ? KILLED : -100 - WTERMSIG(status));
	return (WEXITSTATUS(status));
}

static int
verdict_of(const struct verdict *v, size_t n, const char *what, int otherwise)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(v[i].what, what) == 0)
			return (v[i].wanted);
	return (otherwise);
}

/* All attempts, as an ordinary user and from root; wrong answers are counted and told. */
static unsigned __attribute__((unused))
attempts_run(const struct sandbox *sb, const struct sandbox_run *run, const struct verdict *v, size_t n)
{
	const size_t	nharmless = sizeof(harmless) / sizeof(harmless[0]);
	unsigned	wrong = 0;
	size_t		i;
	int		privileged, got, wanted, ok;

	for (privileged = 0; privileged <= (getuid() == 0); privileged++) {
		for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
			wanted = verdict_of(v, n, attempts[i].what,
			    verdict_of(harmless, nharmless, attempts[i].what, KILLED));
			got = attempt_child(sb, run, attempts[i].fn, privileged);
			ok = wanted == EITHER ? got == KILLED || got == EACCES || got == EPERM ||
			    (privileged && got == ENOENT) : got == wanted;
			if (ok)
				continue;
			wrong++;
			print_error("%s, %s: %s: %d, wanted %d (%s)\n", sb->name, privileged ? "from root" :
			    "ordinary user", attempts[i].what, got, wanted, got > 0 ? strerror(got) : "-");
		}
	}
	return (wrong);
}

/* ---- the place where it happens: a group's setup and teardown ---- */

static int
attempts_begin(void **state)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	socklen_t		len = sizeof(sin);
	int			fd;

	parent = getpid();
	log_open("test");
	log_use(LOG_TO_STDERR, open("/dev/null", O_WRONLY | O_CLOEXEC));
	if (mkdtemp(work) == NULL || (getuid() == 0 && chown(work, NOBODY, NOBODY) == -1))
		return (1);
	snprintf(outside, sizeof(outside), "%s.outside", work);
	if ((fd = open(outside, O_CREAT | O_EXCL | O_WRONLY, 0644)) == -1)
		return (1);
	close(fd);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) == -1 || listen(listener, 64) == -1 ||
	    getsockname(listener, (struct sockaddr *)&sin, &len) == -1)
		return (1);
	listener_port = ntohs(sin.sin_port);
	return (0);
}

static int
attempts_end(void **state)
{
	static const char *const names[] = { "file", "data.mdb", "tmp/one", "new/one" };
	char	path[128];
	size_t	i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", work, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/tmp", work);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/new", work);
	rmdir(path);
	return (rmdir(work) == 0 && unlink(outside) == 0 ? 0 : -1);
}

/* For main() of a daemon's table, where SANDBOX_SANITIZER is set. */
static int __attribute__((unused))
attempts_skip(void)
{
	(void)puts("1..0 # SKIP a sanitizer's build has no filter");
	return (0);
}

/* Landlock's ABI number; 0 without it. */
static long __attribute__((unused))
landlock_abi(void)
{
	long abi = syscall(444 /* landlock_create_ruleset */, NULL, 0, 1);

	return (abi > 0 ? abi : 0);
}

#endif
