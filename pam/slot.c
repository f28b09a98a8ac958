/*
 * slot.c -- a slot: one question at a time, each asked in a process of its own (pam.h).  Shell.
 *
 * The asker writes PAM's code into a pipe as its last deed: a module that ends the process, or
 * crashes it, leaves nothing there.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pam/pam.h"

#define CLEAR_ROUNDS	100		/* a second: what does not die then waits for the kernel */

static void
close_above(int first)
{
	if (syscall(SYS_close_range, first, ~0u, 0) == -1) {
		for (int fd = first; fd < PAM_NOFILE; fd++)
			close(fd);
	}
}

/* ---- the asker ---- */

static void __attribute__((noreturn))
asker(const struct slot_ask *ask, pid_t slot, int fd, int result)
{
	sigset_t	none;
	uint8_t		code;
	int		got;

	/* With the slot it goes too; if that was quicker, at once. */
	if (setsid() == -1 || prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != slot)
		_exit(1);
	close(fd);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (asker_confine() == -1)
		_exit(1);
	if ((got = pam_ask(ask)) < 0 || got > UINT8_MAX)
		_exit(1);
	code = (uint8_t)got;
	_exit(write(result, &code, 1) == 1 ? 0 : 1);
}

/* ---- the slot ---- */

/* Until pid has ended, at most so long: 1, and *status is its; 0: it has not. */
static int
wait_for(pid_t pid, unsigned seconds, int *status)
{
	struct timespec	end, now, left;
	sigset_t	child;
	pid_t		got;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	for (;;) {
		if ((got = waitpid(pid, status, WNOHANG)) == pid)
			return (1);
		if (got == -1 && errno != EINTR)
			return (0);
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = end.tv_sec - now.tv_sec;
		left.tv_nsec = end.tv_nsec - now.tv_nsec;
		if (left.tv_nsec < 0) {
			left.tv_nsec += 1000000000;
			left.tv_sec--;
		}
		if (left.tv_sec < 0)
			return (0);
		(void)sigtimedwait(&child, NULL, &left);	/* SIGCHLD is blocked: none is lost between the two */
	}
}

/* Every child that there is gets a signal; the kernel lists them. */
static void
kill_children(void)
{
	char	path[64], text[4096];
	char	*p, *end;
	ssize_t	n;
	long	pid;
	int	fd;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	for (p = text; (pid = strtol(p, &end, 10)) > 1 && end != p; p = end)
		(void)kill((pid_t)pid, SIGKILL);
}

/*
 * The asker, and the programs that a module has started: as orphans they are ours
 * (PR_SET_CHILD_SUBREAPER).
 */
static void
clear_up(void)
{
	static const struct timespec	moment = { .tv_nsec = 10000000 };
	pid_t				got;

	for (int i = 0; i < CLEAR_ROUNDS; i++) {
		while ((got = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (got == -1 && errno == ECHILD)
			return;
		kill_children();
		(void)nanosleep(&moment, NULL);
	}
}

static struct slot_answer
serve_one(const struct slot_ask *ask, int fd, unsigned seconds)
{
	struct slot_answer	a = { .end = SLOT_CRASHED };
	pid_t			self = getpid(), pid;
	int			status = 0, result[2];

	if (pipe2(result, O_CLOEXEC | O_NONBLOCK) == -1)
		return (a);
	if ((pid = fork()) == 0) {
		close(result[0]);
		asker(ask, self, fd, result[1]);
	}
	close(result[1]);
	if (pid == -1) {
		close(result[0]);
		return (a);
	}
	if (!wait_for(pid, seconds, &status))
		a.end = SLOT_TIMED_OUT;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && read(result[0], &a.code, 1) == 1)
		a.end = SLOT_ANSWERED;
	close(result[0]);
	if (a.end == SLOT_TIMED_OUT)
		(void)kill(pid, SIGKILL);
	clear_up();
	return (a);
}

void
slot_serve(int fd, unsigned seconds)
{
	struct slot_ask		ask;
	struct slot_answer	a;
	sigset_t		child;
	ssize_t			n;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (;;) {
		if ((n = recv(fd, &ask, sizeof(ask), 0)) == -1 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(ask))
			break;
		a = serve_one(&ask, fd, seconds);
		explicit_bzero(&ask, sizeof(ask));
		while ((n = send(fd, &a, sizeof(a), MSG_NOSIGNAL)) == -1 && errno == EINTR)
			;
		if (n != (ssize_t)sizeof(a))
			break;
	}
	explicit_bzero(&ask, sizeof(ask));
}

int
slot_start(void)
{
	pid_t	self = getpid(), pid;
	int	fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == -1)
		return (-1);
	if ((pid = fork()) == -1) {
		close(fd[0]);
		close(fd[1]);
		return (-1);
	}
	if (pid == 0) {
		/* Nothing of the loop's and of the channels comes along. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != self || dup2(fd[1], STDERR_FILENO + 1) == -1)
			_exit(1);
		close_above(STDERR_FILENO + 2);
		if (fcntl(STDERR_FILENO + 1, F_SETFD, FD_CLOEXEC) == -1)
			_exit(1);
		slot_serve(STDERR_FILENO + 1, PAM_TIME_S);
		_exit(0);
	}
	close(fd[1]);
	if (fcntl(fd[0], F_SETFL, O_NONBLOCK) == -1) {
		close(fd[0]);
		return (-1);
	}
	return (fd[0]);
}
