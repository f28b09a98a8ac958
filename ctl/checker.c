/*
 * checker.c -- see checker.h.  Shell.
 */
#include "ctl/checker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/limits.h"
#include "common/units.h"

#define CHECKER		"postern-conf"
#define CHECKER_USER	"postern-conf"
#define READ_STEP	65536u
#define PROGRAM_PATH_MAX	1024
#define ERRORS_MAX	(1u << 20)	/* octets of its messages shown */

/* As posternd looks for it: beside our own program, as built; under the same prefix; where it was to be installed. */
static int
find_checker(char *dst, size_t size)
{
	static const char *const	places[] = { "/" CHECKER, "/../libexec/postern/" CHECKER };
	char	self[PROGRAM_PATH_MAX], *slash;
	ssize_t	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t	i;

	if (n > 0) {
		self[n] = '\0';
		if ((slash = strrchr(self, '/')) != NULL)
			*slash = '\0';
		for (i = 0; slash != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
			n = snprintf(dst, size, "%s%s", self, places[i]);
			if (n > 0 && (size_t)n < size && access(dst, X_OK) == 0)
				return (E_OK);
		}
	}
	(void)snprintf(dst, size, "%s", LIBEXECDIR "/" CHECKER);
	return (access(dst, X_OK) == 0 ? E_OK : E_NOTFOUND);
}

/* In the child: the three descriptors at their places, nothing else, and the checker. */
static void
checker_exec(const char *path, const char *name, int tables, int in, int out, int err)
{
	char	uid[16], gid[16];
	char	*argv[16], *envp[] = { NULL };
	int	n = 0, null;
	struct passwd *pw = geteuid() == 0 ? getpwnam(CHECKER_USER) : NULL;

	argv[n++] = (char *)CHECKER;	/* execve() takes char *, and changes nothing */
	argv[n++] = (char *)"-n";
	argv[n++] = (char *)name;
	argv[n++] = (char *)"-i";
	argv[n++] = (char *)"3";
	argv[n++] = (char *)"-o";
	argv[n++] = (char *)"4";
	argv[n++] = (char *)"-s";
	if (!tables)
		argv[n++] = (char *)"-T";
	if (pw != NULL) {
		(void)snprintf(uid, sizeof(uid), "%u", (unsigned)pw->pw_uid);
		(void)snprintf(gid, sizeof(gid), "%u", (unsigned)pw->pw_gid);
		argv[n++] = (char *)"-u";
		argv[n++] = uid;
		argv[n++] = (char *)"-g";
		argv[n++] = gid;
	}
	argv[n] = NULL;
	/* Out of the way first: one of them may sit where another must go. */
	in = fcntl(in, F_DUPFD_CLOEXEC, 10);
	out = fcntl(out, F_DUPFD_CLOEXEC, 10);
	err = fcntl(err, F_DUPFD_CLOEXEC, 10);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (in == -1 || out == -1 || err == -1 || null == -1 || dup2(null, 0) == -1 ||
	    dup2(null, 1) == -1 || dup2(err, 2) == -1 || dup2(in, 3) == -1 || dup2(out, 4) == -1)
		_exit(127);
	(void)execve(path, argv, envp);
	_exit(127);
}

/* Both pipes to their ends.  (The checker may write to pipes only: it runs without the right to grow a file.) */
static int
drain(int fd[2], struct buf b[2])
{
	struct pollfd	p[2] = { { .fd = fd[0], .events = POLLIN }, { .fd = fd[1], .events = POLLIN } };
	char		*room;
	ssize_t		 n;
	int		 i;

	while (p[0].fd != -1 || p[1].fd != -1) {
		if (poll(p, 2, -1) == -1) {
			if (errno == EINTR)
				continue;
			return (E_IO);
		}
		for (i = 0; i < 2; i++) {
			if (p[i].fd == -1 || p[i].revents == 0)
				continue;
			if ((room = buf_reserve(&b[i], READ_STEP)) == NULL)
				return (E_LIMIT);
			n = read(p[i].fd, room, READ_STEP);
			if (n > 0)
				buf_commit(&b[i], (size_t)n);
			else if (n == 0)
				p[i].fd = -1;
			else if (errno != EINTR && errno != EAGAIN)
				return (E_IO);
		}
	}
	return (E_OK);
}

static int
reap(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) == -1)
		if (errno != EINTR)
			return (E_IO);
	return (E_OK);
}

/* What the checker said: its messages, and with status 0 the snapshot. */
static int
check_result(struct check *c, int status, struct buf b[2])
{
	struct slice	text = buf_slice(&b[1]);

	if ((c->text = malloc(text.n + 1)) == NULL)
		return (E_NOMEM);
	if (text.n != 0)
		memcpy(c->text, text.p, text.n);
	c->text[text.n] = '\0';
	c->text_len = text.n;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return (E_IO);
	return (WEXITSTATUS(status) == 1 ? E_OK : conf_unpack(&c->conf, buf_slice(&b[0]), slice_make(NULL, 0)));
}

static int
check_spawn(struct check *c, const char *path, const char *name, int tables, int in)
{
	int		out[2] = { -1, -1 }, err[2] = { -1, -1 }, rd[2], status = 0, e = E_IO;
	struct buf	b[2];
	pid_t		pid = -1;

	buf_init(&b[0], CONF_BLOB_MAX + READ_STEP);
	buf_init(&b[1], ERRORS_MAX + READ_STEP);
	if (pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0)
		checker_exec(path, name, tables, in, out[1], err[1]);
	if (out[1] != -1)
		(void)close(out[1]);
	if (err[1] != -1)
		(void)close(err[1]);
	if (pid != -1) {
		rd[0] = out[0];
		rd[1] = err[0];
		e = drain(rd, b);
	}
	if (out[0] != -1)
		(void)close(out[0]);
	if (err[0] != -1)
		(void)close(err[0]);
	if (pid != -1 && reap(pid, &status) != E_OK)
		e = E_IO;
	if (e == E_OK)
		e = check_result(c, status, b);
	buf_clear(&b[0]);
	buf_clear(&b[1]);
	return (e);
}

int
check_run(struct check *c, const char *file, int tables, char *why, size_t size)
{
	char	path[PROGRAM_PATH_MAX];
	int	in, e = E_NOTFOUND;

	memset(c, 0, sizeof(*c));
	if ((in = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1) {
		(void)snprintf(why, size, "%s: %s", file, strerror(errno));
		return (E_IO);
	}
	if (find_checker(path, sizeof(path)) != E_OK) {
		(void)snprintf(why, size, "%s not found beside posternctl nor in %s", CHECKER, LIBEXECDIR);
	} else if ((e = check_spawn(c, path, file, tables, in)) != E_OK) {
		(void)snprintf(why, size, "%s failed on %s: %s", CHECKER, file,
		    c->text != NULL && c->text[0] != '\0' ? c->text : err_name(e));
	}
	(void)close(in);
	if (e != E_OK)
		check_clear(c);
	return (e);
}

void
check_clear(struct check *c)
{
	if (c->conf != NULL)
		conf_free(c->conf);
	free(c->text);
	memset(c, 0, sizeof(*c));
}

void
check_error_split(struct check_error *e, struct slice s)
{
	uint64_t	line;
	size_t		i, j;

	memset(e, 0, sizeof(*e));
	e->text = s;
	/* The first ":digits: " ends the name, which may hold colons itself. */
	for (i = 0; i < s.n; i++) {
		if (s.p[i] != ':')
			continue;
		for (j = i + 1; j < s.n && s.p[j] >= '0' && s.p[j] <= '9'; j++)
			;
		if (j == i + 1 || j >= s.n || s.p[j] != ':' ||
		    number_parse(&line, slice_make(s.p + i + 1, j - i - 1), UINT32_MAX) != E_OK)
			continue;
		e->file = slice_make(s.p, i);
		e->line = (unsigned)line;
		for (j++; j < s.n && s.p[j] == ' '; j++)
			;
		e->text = slice_make(s.p + j, s.n - j);
		return;
	}
}

static int
path_join(char *dst, size_t size, const char *dir, const char *rest)
{
	int	n = snprintf(dst, size, "%s%s", dir, rest);

	if (n > 0 && (size_t)n < size)
		return (EXIT_DONE);
	(void)fprintf(stderr, "posternctl: path too long: %s%s\n", dir, rest);
	return (EXIT_FAILED);
}

int
socket_find(const struct ctl_args *a, char *dst, size_t size)
{
	struct check	c;
	char		why[2048];
	const char	*file = a->conf != NULL ? a->conf : CONF_DEFAULT;
	int		status;

	if (a->socket != NULL)
		return (path_join(dst, size, a->socket, ""));
	if (a->dir != NULL)
		return (path_join(dst, size, a->dir, "/run/control"));
	if (a->conf == NULL && access(file, F_OK) != 0)
		return (path_join(dst, size, RUNTIME_DEFAULT, "/control"));

	/* A file that cannot be used must not lock the operator out of a server that runs. */
	if (check_run(&c, file, 0, why, sizeof(why)) != E_OK) {
		(void)fprintf(stderr, "posternctl: %s\n", why);
		if (a->conf != NULL)
			return (EXIT_FAILED);
		return (path_join(dst, size, RUNTIME_DEFAULT, "/control"));
	}
	if (c.conf != NULL) {
		status = path_join(dst, size, c.conf->runtime, "/control");
	} else {
		(void)fprintf(stderr, "posternctl: %s has errors (see posternctl check); trying %s\n",
		    file, RUNTIME_DEFAULT "/control");
		status = path_join(dst, size, RUNTIME_DEFAULT, "/control");
	}
	check_clear(&c);
	return (status);
}
