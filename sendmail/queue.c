/*
 * queue.c -- what sendmail's users ask of the queue: posternctl answers it, with the caller's own rights.  Shell.
 *
 * The program is the one beside us, with arguments of ours and an empty environment.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "sendmail/outgoing.h"

#define CTL		"posternctl"
#define CTL_DENIED	4	/* its exit status; see posternctl(8) */
#define CTL_UNREACHABLE	3
#define ARGS_MAX	10

static int
find_ctl(char *dst, size_t size)
{
	char *slash;
	ssize_t n = readlink("/proc/self/exe", dst, size - 1);

	if (n <= 0)
		return (-1);
	dst[n] = '\0';
	if ((slash = strrchr(dst, '/')) == NULL || (size_t)(slash - dst) + sizeof("/" CTL) > size)
		return (-1);
	(void)snprintf(slash + 1, size - (size_t)(slash + 1 - dst), CTL);
	return (access(dst, X_OK));
}

static int
run(const char *path, const char *const *argv)
{
	char *const envp[] = { NULL };
	int status;
	pid_t pid = fork();

	if (pid == -1)
		return (EX_OSERR);
	if (pid == 0) {
		/* execve() takes char *, and changes nothing. */
		(void)execve(path, (char *const *)(const void *)argv, envp);
		_exit(EX_OSERR);
	}
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return (EX_OSERR);
	}
	if (!WIFEXITED(status))
		return (EX_SOFTWARE);
	switch (WEXITSTATUS(status)) {
	case 0:
		return (EX_OK);
	case CTL_DENIED:
		return (EX_NOPERM);
	case CTL_UNREACHABLE:
		return (EX_TEMPFAIL);
	default:
		return (EX_UNAVAILABLE);
	}
}

int
queue_command(const struct args *a, const struct places *p)
{
	char path[PLACES_PATH_MAX], control[PLACES_PATH_MAX + 16];
	const char *argv[ARGS_MAX] = { CTL, "-s", control };
	size_t n = 3;
	int rc;

	if (find_ctl(path, sizeof(path)) == -1) {
		(void)fprintf(stderr, "sendmail: %s is not beside this program\n", CTL);
		return (EX_OSFILE);
	}
	(void)snprintf(control, sizeof(control), "%s/control", p->runtime);
	switch (a->mode) {
	case MODE_LIST:
		argv[n++] = "mailq";
		break;
	case MODE_TABLES:
		argv[n++] = "reload";
		break;
	case MODE_FLUSH:
		argv[n++] = "queue";
		argv[n++] = "retry";
		argv[n++] = "--all";
		break;
	case MODE_FLUSH_ID:
		argv[n++] = "queue";
		argv[n++] = "retry";
		argv[n++] = "--";
		argv[n++] = a->what;
		break;
	default:
		argv[n++] = "flush";
		argv[n++] = "--";
		argv[n++] = a->what;
		break;
	}
	argv[n] = NULL;
	if ((rc = run(path, argv)) == EX_NOPERM)
		(void)fprintf(stderr, "sendmail: only root and members of the group postern-admin may see and change "
		    "the queue\n");
	return (rc);
}
