/*
 * options.c -- see options.h.  Shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/version.h"
#include "master/dirs.h"
#include "master/notify.h"
#include "master/options.h"

static char	file_path[MASTER_PATH_MAX];
static char	state_path[MASTER_PATH_MAX];

static _Noreturn void
usage(void)
{
	(void)fprintf(stderr, "usage: posternd [-fV] [-c file | -d directory]\n");
	exit(2);
}

/* The working directory changes when we go to the background, and a reload needs the same file again. */
static void
make_absolute(char *dst, size_t size, const char *path)
{
	char cwd[MASTER_PATH_MAX];
	int n;

	if (path[0] == '/')
		n = snprintf(dst, size, "%s", path);
	else if (getcwd(cwd, sizeof(cwd)) != NULL)
		n = snprintf(dst, size, "%s/%s", cwd, path);
	else
		n = -1;
	if (n < 0 || (size_t)n >= size)
		log_fatal("%s: too long a path", path);
}

void
options_parse(struct master *m, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "fc:d:V")) != -1) {
		switch (c) {
		case 'f':
			m->foreground = 1;
			break;
		case 'c':
			make_absolute(file_path, sizeof(file_path), optarg);
			m->source.file = file_path;
			break;
		case 'd':
			make_absolute(state_path, sizeof(state_path), optarg);
			m->source.state_dir = state_path;
			break;
		case 'V':
			(void)printf("posternd %s\n", POSTERN_VERSION);
			exit(0);
		default:
			usage();
		}
	}
	if (optind != argc || (m->source.file != NULL && m->source.state_dir != NULL))
		usage();
	m->source.to_stderr = m->foreground;
}

/* Without a configuration file: where an ordinary user's state belongs. */
static void
state_default(struct master *m)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (xdg != NULL && xdg[0] == '/')
		n = snprintf(state_path, sizeof(state_path), "%s/postern", xdg);
	else if (home != NULL && home[0] == '/')
		n = snprintf(state_path, sizeof(state_path), "%s/.local/state/postern", home);
	else
		log_fatal("no configuration file, and neither HOME nor XDG_STATE_HOME says where to "
		    "keep mail: use -c or -d");
	if (n < 0 || (size_t)n >= sizeof(state_path))
		log_fatal("HOME or XDG_STATE_HOME is too long a path");
	m->source.state_dir = state_path;
}

void
options_environment(struct master *m)
{
	char err[MASTER_ERR_MAX];

	notify_init();
	/* The installed one is root's to start: its spool and its ports are no ordinary user's. */
	if (m->source.file == NULL && m->source.state_dir == NULL && geteuid() == 0 && access(CONF_DEFAULT, F_OK) == 0)
		m->source.file = CONF_DEFAULT;
	m->embedded = m->source.file == NULL;
	if (m->source.file == NULL && m->source.state_dir == NULL && geteuid() != 0)
		state_default(m);
	if (m->source.state_dir != NULL && dirs_own(m->source.state_dir, err, sizeof(err)) != E_OK)
		log_fatal("%s", err);
	/* Time zone and locale are not ours to inherit, nor is anything a daemon could read by accident. */
	if (clearenv() != 0)
		log_fatal("the environment cannot be emptied");
}

int
options_detach(void)
{
	int fds[2], null;
	char octet;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC) == -1)
		log_fatal("pipe: %s", strerror(errno));
	switch (fork()) {
	case -1:
		log_fatal("fork: %s", strerror(errno));
	case 0:
		break;
	default:
		(void)close(fds[1]);
		while ((n = read(fds[0], &octet, 1)) == -1 && errno == EINTR)
			;
		_exit(n == 1 ? 0 : 1);
	}
	(void)close(fds[0]);
	if (setsid() == -1 || chdir("/") == -1 || (null = open("/dev/null", O_RDWR)) == -1 ||
	    dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
		log_fatal("cannot leave the terminal: %s", strerror(errno));
	if (null > STDERR_FILENO)
		(void)close(null);
	log_open("posternd");	/* the process number in its lines has changed */
	return (fds[1]);
}
