/*
 * sandbox_test.c -- a child enters the sandbox with some groups and tries something: it dies by
 * SIGSYS, gets the error the table names, or is allowed.  As root also with ids, capabilities
 * and root directory dropped; as an ordinary user without (threat-model.md 4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "tests/common/attempts.h"

#define NO_SOCKETS	(SB_STORE | SB_MAILDIR | SB_THREADS | SB_RECVFD)

/* What libc, libuv and malloc do in a daemon's day. */
static int
cmp_int(const void *a, const void *b)
{
	return (*(const int *)a - *(const int *)b);
}

static int
p_daily(void)
{
	static int	 big[40000];
	struct tm	 tm;
	time_t		 now = time(NULL);
	struct epoll_event ev;
	char		*p;
	size_t		 i;
	int		 ep;

	for (i = 0; i < sizeof(big) / sizeof(big[0]); i++)
		big[i] = (int)(i * 7919 % 40009);
	qsort(big, sizeof(big) / sizeof(big[0]), sizeof(big[0]), cmp_int);
	if ((p = malloc(8u << 20)) == NULL || (p = realloc(p, 64u << 20)) == NULL)
		return (ENOMEM);
	memset(p, 1, 1u << 20);
	free(p);
	if (localtime_r(&now, &tm) == NULL)
		return (EINVAL);
	if ((ep = epoll_create1(EPOLL_CLOEXEC)) == -1 || epoll_wait(ep, &ev, 1, 1) == -1)
		return (errno);
	close(ep);
	nanosleep(&(struct timespec){ 0, 1000 }, NULL);
	(void)strerror(EAGAIN);
	log_info("a line");
	log_flush();
	return (0);
}

static void *
thread(void *arg)
{
	size_t	 i;
	char	*p[64];

	for (i = 0; i < 64; i++)
		p[i] = malloc(i * 5000 + 1);
	for (i = 0; i < 64; i++)
		free(p[i]);
	*(int *)arg = 1;
	return (NULL);
}

static int
p_thread(void)
{
	pthread_t	t;
	int		ran = 0, e;

	if ((e = pthread_create(&t, NULL, thread, &ran)) != 0)
		return (e);
	pthread_join(t, NULL);
	return (ran ? 0 : 1);
}

/* What LMDB asks of its files. */
static int
p_store(void)
{
	char		*p;
	struct flock	 fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	struct stat	 st;
	int		 fd;

	if ((fd = openat(AT_FDCWD, "data.mdb", O_RDWR | O_CREAT | O_CLOEXEC, 0600)) == -1)
		return (errno);
	if (pwrite(fd, "x", 1, 0) != 1 || fdatasync(fd) == -1 || ftruncate(fd, 8192) == -1 || fstat(fd, &st) == -1 ||
	    fcntl(fd, F_SETLK, &fl) == -1 || posix_fallocate(fd, 0, 8192) != 0)
		return (errno != 0 ? errno : EIO);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || p[0] != 'x' || msync(p, 8192, MS_SYNC) == -1)
		return (errno != 0 ? errno : EIO);
	return (RESULT(close(fd)));
}

/* A maildir delivery. */
static int
p_maildir(void)
{
	int dir, fd;

	(void)mkdirat(AT_FDCWD, "tmp", 0700);
	(void)mkdirat(AT_FDCWD, "new", 0700);
	if ((dir = openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY)) == -1)
		return (errno);
	if ((fd = openat(dir, "tmp/one", O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0600)) == -1 || write(fd, "x", 1) != 1 ||
	    fsync(fd) == -1 || linkat(dir, "tmp/one", dir, "new/one", 0) == -1 || unlinkat(dir, "tmp/one", 0) == -1 ||
	    unlinkat(dir, "new/one", 0) == -1 || fsync(dir) == -1)
		return (errno);
	return (0);
}

/* ---- the table ---- */

#define ANY	(~0u)		/* with no group at all, and with all of them */
#define DIRS	1		/* work is listed */
#define PORTS	2		/* the listener's port is listed; else port 1 */

static const struct probe {
	const char	*what;
	int		(*fn)(void);
	unsigned	 groups;
	int		 flags;
	int		 wanted;
} probes[] = {
	{ "nothing", p_nothing, ANY, 0, ALLOWED },
	{ "a day's work", p_daily, 0, 0, ALLOWED },
	{ "map memory", p_mmap, ANY, 0, ALLOWED },
	{ "signal itself", p_kill_self, ANY, 0, ALLOWED },
	{ "FIONBIO", p_fionbio, ANY, 0, ALLOWED },
	{ "read a limit", p_rlimit_get, ANY, 0, ALLOWED },
	{ "clone3 says ENOSYS", p_clone3, ANY, 0, ALLOWED },

	{ "execve", p_exec, ANY, 0, KILLED },
	{ "fork", p_fork, ANY, 0, KILLED },
	{ "vfork", p_vfork, ANY, 0, KILLED },
	{ "clone with namespaces", p_clone_ns, ANY, 0, KILLED },
	{ "unshare", p_unshare, ANY, 0, KILLED },
	{ "ptrace", p_ptrace, ANY, 0, KILLED },
	{ "process_vm_readv", p_vm_readv, ANY, 0, KILLED },
	{ "io_uring_setup", p_io_uring, ANY, 0, KILLED },
	{ "bpf", p_bpf, ANY, 0, KILLED },
	{ "keyctl", p_keyctl, ANY, 0, KILLED },
	{ "userfaultfd", p_userfaultfd, ANY, 0, KILLED },
	{ "perf_event_open", p_perf, ANY, 0, KILLED },
	{ "personality", p_personality, ANY, 0, KILLED },
	{ "mount", p_mount, ANY, 0, KILLED },
	{ "prctl", p_prctl, ANY, 0, KILLED },
	{ "setuid", p_setuid, ANY, 0, KILLED },
	{ "chroot", p_chroot, ANY, 0, KILLED },
	{ "mmap PROT_EXEC", p_mmap_exec, ANY, 0, KILLED },
	{ "mprotect PROT_EXEC", p_mprotect_exec, ANY, 0, KILLED },
	{ "kill another", p_kill_parent, ANY, 0, KILLED },
	{ "tgkill another", p_tgkill_parent, ANY, 0, KILLED },
	{ "ioctl TIOCSTI", p_ioctl_tty, ANY, 0, KILLED },
	{ "fcntl F_SETOWN", p_fcntl_own, ANY, 0, KILLED },
	{ "set a limit", p_rlimit_set, ANY, 0, KILLED },
	{ "listen", p_listen, ANY, 0, KILLED },
	{ "socketpair", p_socketpair, ANY, 0, KILLED },
	{ "unix socket", p_socket_unix, ANY, 0, KILLED },
	{ "netlink socket", p_socket_netlink, ANY, 0, KILLED },
	{ "raw socket", p_socket_raw, ANY, 0, KILLED },
	{ "multipath TCP", p_socket_mptcp, ANY, 0, KILLED },
	{ "32-bit call", p_socket_i386, ANY, 0, KILLED },
	{ "SO_ATTACH_FILTER", p_bpf_option, ANY, 0, KILLED },

	{ "open a file", p_open, 0, 0, KILLED },
	{ "open a file", p_open, SB_ACCEPT | SB_CONNECT | SB_UDP | SB_THREADS | SB_RECVFD, 0, KILLED },
	{ "open a file outside", p_open, SB_STORE, DIRS, EITHER },
	{ "open a file outside", p_open_outside, SB_STORE, DIRS, EITHER },
	{ "open a file outside", p_open_outside, SB_MAILDIR, DIRS, EITHER },
	{ "create a file", p_create, SB_STORE, DIRS, ALLOWED },
	{ "create a file without a directory", p_create, SB_STORE, 0, EITHER },
	{ "fsync", p_fsync, SB_ACCEPT, 0, KILLED },
	{ "a store", p_store, SB_STORE, DIRS, ALLOWED },
	{ "a maildir", p_maildir, SB_MAILDIR, DIRS, ALLOWED },
	{ "a maildir in a store", p_maildir, SB_STORE, DIRS, KILLED },

	{ "accept", p_accept, SB_ACCEPT, 0, ALLOWED },
	{ "accept", p_accept, SB_CONNECT | SB_UDP | NO_SOCKETS, 0, KILLED },
	{ "TCP_NODELAY", p_nodelay, SB_ACCEPT, 0, ALLOWED },
	{ "TCP_NODELAY", p_nodelay, NO_SOCKETS, 0, KILLED },
	{ "TCP socket", p_socket_tcp, SB_CONNECT, 0, ALLOWED },
	{ "TCP socket, IPv6", p_socket_tcp6, SB_CONNECT, 0, ALLOWED },
	{ "TCP socket", p_socket_tcp, SB_ACCEPT | SB_UDP | NO_SOCKETS, 0, KILLED },
	{ "UDP socket", p_socket_udp, SB_UDP, 0, ALLOWED },
	{ "UDP socket", p_socket_udp, SB_CONNECT | SB_ACCEPT | NO_SOCKETS, 0, KILLED },
	{ "UDP talk", p_udp_talk, SB_UDP, 0, ALLOWED },
	{ "connect", p_connect, SB_CONNECT, PORTS, ALLOWED },
	{ "connect by MSG_FASTOPEN, sendmsg", p_fastopen_msg, SB_CONNECT, 0, KILLED },
	{ "connect by MSG_FASTOPEN, sendmmsg", p_fastopen_mmsg, SB_CONNECT | SB_UDP, 0, KILLED },
	{ "connect by MSG_FASTOPEN, sendto", p_fastopen_to, SB_CONNECT | SB_UDP, 0, KILLED },
	{ "bind to a source address", p_bind_any_port, SB_CONNECT, PORTS, ALLOWED },

	{ "thread", p_thread, SB_THREADS, 0, ALLOWED },
	{ "thread", p_thread, SB_ACCEPT | SB_CONNECT | SB_UDP | SB_STORE | SB_MAILDIR | SB_RECVFD, 0, KILLED },
};

static int
run_probe(const struct probe *p, unsigned groups, int privileged)
{
	struct sandbox		sb = { .name = "test", .groups = groups, .file_max = UINT64_MAX };
	struct sandbox_run	run = { .privileged = privileged, .uid = NOBODY, .gid = NOBODY, .root = work, .nofile = 64 };
	pid_t			pid;
	int			status;

	if ((p->flags & DIRS) != 0)
		run.dirs[run.ndirs++] = work;
	if ((groups & SB_CONNECT) != 0)
		run.ports[run.nports++] = (p->flags & PORTS) != 0 ? listener_port : 1;
	if ((pid = fork()) == 0) {
		tzset();
		if (!privileged && getuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) == -1 ||
		    setresuid(NOBODY, NOBODY, NOBODY) == -1))
			_exit(200);
		sandbox_enter(&sb, &run);
		_exit(p->fn());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return (WTERMSIG(status) == SIGSYS ? KILLED : -100 - WTERMSIG(status));
	return (WEXITSTATUS(status));
}

static void
check_probe(const struct probe *p, unsigned groups, int privileged)
{
	int got = run_probe(p, groups, privileged), ok;

	if (p->wanted == EITHER)
		ok = got == KILLED || got == EACCES || got == EPERM || (privileged && got == ENOENT);
	else
		ok = got == p->wanted;
	if (!ok)
		fail_msg("%s (groups %#x, %s): %d, wanted %d (%s)", p->what, groups,
		    privileged ? "from root" : "ordinary user", got, p->wanted, got > 0 ? strerror(got) : "-");
}

static void
run_table(int privileged)
{
	size_t i;

	for (i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		if (SANDBOX_SANITIZER && probes[i].wanted != ALLOWED)
			continue;	/* such a build has no filter */
		if (SANDBOX_SANITIZER && probes[i].fn == p_clone3)
			continue;
		if (probes[i].groups == ANY) {
			check_probe(&probes[i], 0, privileged);
			check_probe(&probes[i], SB_ACCEPT | SB_CONNECT | SB_UDP | NO_SOCKETS, privileged);
		} else
			check_probe(&probes[i], probes[i].groups, privileged);
	}
}

static void
test_ordinary_user(void **state)
{
	run_table(0);
}

static void
test_from_root(void **state)
{
	if (getuid() != 0) {
		print_message("needs root: skipped\n");
		skip();
	}
	run_table(1);
}

/* ---- Landlock's ports ---- */

static void
test_ports(void **state)
{
	static const struct probe no = { "connect to a port not listed", p_connect, SB_CONNECT, 0, EACCES };
	static const struct probe bind_no = { "bind to a port", p_bind_port, SB_CONNECT, PORTS, EACCES };
	long abi = syscall(444 /* landlock_create_ruleset */, NULL, 0, 1);

	if (abi < 4) {
		print_message("Landlock ABI %ld has no TCP rules: skipped\n", abi);
		skip();
	}
	check_probe(&no, no.groups, 0);
	check_probe(&bind_no, bind_no.groups, 0);
}

/* ---- read back from outside ---- */

/* The status file of a child that has entered the sandbox and waits. */
static void
read_status(const struct sandbox *sb, struct sandbox_run *run, char *text, size_t size, char *root, size_t root_size)
{
	int	ready[2], n;
	pid_t	pid;
	char	path[64], c;
	FILE	*f;
	size_t	len;

	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		sandbox_enter(sb, run);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			nanosleep(&(struct timespec){ 60, 0 }, NULL);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	len = fread(text, 1, size - 1, f);
	text[len] = '\0';
	fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	n = (int)readlink(path, root, root_size - 1);
	root[n > 0 ? n : 0] = '\0';
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
test_read_back(void **state)
{
	static char		text[16384];
	char			root[256];
	struct sandbox		sb = { .name = "test", .file_max = 0 };
	struct sandbox_run	run = { .privileged = 1, .uid = NOBODY, .gid = NOBODY, .root = work, .nofile = 64 };
	size_t			i;
	static const char *const lines[] = {
		"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n", "Groups:\t \n",
		"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		"CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Umask:\t0077\n",
	};

	if (getuid() != 0) {
		print_message("needs root: skipped\n");
		skip();
	}
	read_status(&sb, &run, text, sizeof(text), root, sizeof(root));
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (strstr(text, lines[i]) == NULL)
			fail_msg("not in the status: %s", lines[i]);
	}
	if (!SANDBOX_SANITIZER)
		assert_non_null(strstr(text, "Seccomp:\t2\n"));
	assert_string_equal(root, work);
}

/* ---- refusals: exit status 1 and no entry ---- */

static int
enter_fails(struct sandbox *sb, struct sandbox_run *run)
{
	int	status;
	pid_t	pid = fork();

	if (pid == 0) {
		sandbox_enter(sb, run);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return (WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void
test_refusals(void **state)
{
	struct sandbox		sb = { .name = "test", .file_max = UINT64_MAX };
	struct sandbox_run	run = { .privileged = 1, .uid = NOBODY, .gid = NOBODY, .root = "/nowhere/at/all" };

	assert_true(enter_fails(&sb, &run));		/* root directory missing */
	run.privileged = 0;
	assert_true(enter_fails(&sb, &run));		/* work directory missing */
	run.root = work;
	run.dirs[run.ndirs++] = "/nowhere/at/all";
	assert_true(enter_fails(&sb, &run));		/* listed directory missing */
	run.ndirs = 0;
	sb.net_none = 1;
	sb.groups = SB_CONNECT;
	assert_true(enter_fails(&sb, &run));		/* contradiction in the table */
	sb.net_none = 0;
	sb.groups = 0;
	if (getuid() == 0) {
		assert_true(enter_fails(&sb, &run));	/* would stay root */
		run.privileged = 1;
		run.uid = 0;
		assert_true(enter_fails(&sb, &run));
		run.uid = NOBODY;
		run.gid = 0;
		assert_true(enter_fails(&sb, &run));
	} else {
		run.privileged = 1;
		assert_true(enter_fails(&sb, &run));	/* cannot drop what it has not */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordinary_user),
		cmocka_unit_test(test_from_root),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_refusals),
	};

	return (cmocka_run_group_tests(tests, attempts_begin, attempts_end));
}
