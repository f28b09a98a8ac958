/*
 * config.c -- see config.h.  Shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/log.h"
#include "master/config.h"
#include "master/paths.h"
#include "master/spawn.h"

#define CHECKER		"postern-conf"
#define CHECKER_USER	"postern-conf"
#define CHECKER_SPARE	"nobody"	/* where the configuration names other users */
#define DEFAULTS_NAME	"built-in defaults"
#define READ_STEP	16384u

static void
job_error(struct config_job *j, const char *what, const char *why)
{
	(void)buf_addf(&j->text, "%s: %s\n", what, why);
}

/* Open the file and check that only its owner, root or we, can have written it. */
static int
config_open(struct config_job *j, const char *file)
{
	char err[MASTER_ERR_MAX];
	struct path_want want = {
		.path = file, .uid = geteuid(), .gid = (gid_t)-1, .make = 0644, .allowed = 0755,
	};
	struct stat st;
	int fd;

	if ((fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) == -1) {
		job_error(j, file, strerror(errno));
		return (-1);
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		job_error(j, file, "not a regular file");
		goto bad;
	}
	if (st.st_uid == 0)
		want.uid = 0;	/* root's file serves an ordinary user as well */
	if (paths_check(&want, st.st_uid, st.st_gid, st.st_mode, err, sizeof(err)) != E_OK) {
		(void)buf_addf(&j->text, "%s (no other user may write it)\n", err);
		goto bad;
	}
	if (st.st_size > (off_t)CONF_FILE_MAX) {
		job_error(j, file, "too large for a configuration");
		goto bad;
	}
	return (fd);
bad:
	(void)close(fd);
	return (-1);
}

static int
config_text_fd(int to_stderr)
{
	static const char text[] = "log = \"stderr\"\n";
	int fd = memfd_create("postern-defaults", MFD_CLOEXEC);

	if (fd == -1)
		return (-1);
	if (to_stderr && (write(fd, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1 ||
	    lseek(fd, 0, SEEK_SET) == -1)) {
		(void)close(fd);
		return (-1);
	}
	return (fd);
}

/* Whom the checker becomes; E_NOTFOUND. */
static int
checker_ids(char *uid, size_t nuid, char *gid, size_t ngid)
{
	const struct passwd *pw = getpwnam(CHECKER_USER);

	if (pw == NULL)
		pw = getpwnam(CHECKER_SPARE);
	if (pw == NULL || pw->pw_uid == 0)
		return (E_NOTFOUND);
	(void)snprintf(uid, nuid, "%u", (unsigned)pw->pw_uid);
	(void)snprintf(gid, ngid, "%u", (unsigned)pw->pw_gid);
	return (E_OK);
}

static int
job_spawn(struct config_job *j, const struct config_source *src, int in, int out, int err)
{
	char path[MASTER_PATH_MAX], uid[16], gid[16];
	char *argv[16];
	int fds[5] = { -1, -1, err, in, out };
	size_t n = 0;

	if (spawn_find(path, sizeof(path), CHECKER) != E_OK) {
		job_error(j, CHECKER, "not found beside posternd nor in " LIBEXECDIR);
		return (E_NOTFOUND);
	}
	/* execve() takes char *, and changes nothing. */
	argv[n++] = (char *)CHECKER;
	argv[n++] = (char *)"-n";
	argv[n++] = (char *)(src->file != NULL ? src->file : DEFAULTS_NAME);
	argv[n++] = (char *)"-i";
	argv[n++] = (char *)"3";
	argv[n++] = (char *)"-o";
	argv[n++] = (char *)"4";
	if (src->file == NULL && src->state_dir != NULL) {
		argv[n++] = (char *)"-D";
		argv[n++] = (char *)src->state_dir;
	}
	if (geteuid() == 0) {
		if (checker_ids(uid, sizeof(uid), gid, sizeof(gid)) != E_OK) {
			job_error(j, CHECKER_USER, "no such user");
			return (E_NOTFOUND);
		}
		argv[n++] = (char *)"-u";
		argv[n++] = uid;
		argv[n++] = (char *)"-g";
		argv[n++] = gid;
	}
	argv[n] = NULL;
	return (spawn_run(&j->pid, path, argv, fds, 5));
}

/* The loop has closed a handle; with the last one the answer is given. */
static void
job_closed(uv_handle_t *h)
{
	struct config_job *j = h->data;
	int err;

	if (--j->open > 0 || j->pid != 0)
		return;
	if (j->late)
		err = E_TIMEOUT;
	else if (!WIFEXITED(j->status) || WEXITSTATUS(j->status) != 0)
		err = E_SYNTAX;
	else
		err = conf_memfd_seal(j->conf_fd);
	if (j->late)
		job_error(j, CHECKER, "took too long or said too much, and was ended");
	else if (WIFSIGNALED(j->status))
		job_error(j, CHECKER " was killed", strsignal(WTERMSIG(j->status)));
	else if (err == E_IO || err == E_LIMIT)
		job_error(j, "the memory file of the configuration", err == E_IO ? strerror(errno) : "too large");
	else if (err != E_OK && j->text.len == 0)
		job_error(j, CHECKER, "failed and did not say why");
	j->done(j, err);
}

static void
job_end_fd(struct config_job *j, uv_poll_t *h, int *fd)
{
	if (*fd == -1)
		return;
	(void)uv_poll_stop(h);
	uv_close((uv_handle_t *)h, job_closed);
	(void)close(*fd);
	*fd = -1;
}

/* The stream ended and the child was reaped: the timer goes, and job_closed() reports. */
static void
job_try_end(struct config_job *j)
{
	if (j->err_fd != -1 || j->pid != 0)
		return;
	if (!uv_is_closing((uv_handle_t *)&j->deadline))
		uv_close((uv_handle_t *)&j->deadline, job_closed);
}

static void
job_kill(struct config_job *j)
{
	j->late = 1;
	if (j->pid != 0)
		(void)kill(j->pid, SIGKILL);
	job_end_fd(j, &j->err, &j->err_fd);
	job_try_end(j);
}

static void
job_deadline(uv_timer_t *t)
{
	job_kill(t->data);
}

static void
job_read(uv_poll_t *h, int status, int events)
{
	struct config_job *j = h->data;
	struct buf *b = &j->text;
	size_t want = READ_STEP;
	char *p;
	ssize_t n;

	/* The last octets before the limit come in smaller steps; reaching it is too much. */
	if (want > CONFIG_ERRORS_MAX - b->len)
		want = CONFIG_ERRORS_MAX - b->len;
	if (want == 0 || (p = buf_reserve(b, want)) == NULL) {
		job_kill(j);
		return;
	}
	n = read(j->err_fd, p, want);
	if (n > 0) {
		buf_commit(b, (size_t)n);
		return;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	job_end_fd(j, h, &j->err_fd);
	job_try_end(j);
}

int
config_reaped(struct config_job *j, pid_t pid, int status)
{
	if (j->pid == 0 || j->pid != pid)
		return (0);
	j->pid = 0;
	j->status = status;
	job_try_end(j);
	return (1);
}

/* No child was started; the answer comes from the loop all the same. */
static void
job_failed(uv_handle_t *h)
{
	struct config_job *j = h->data;

	j->done(j, E_DENIED);
}

void
config_start(struct config_job *j, uv_loop_t *loop, const struct config_source *src,
    void (*done)(struct config_job *, int), void *arg)
{
	int in, err[2] = { -1, -1 };

	memset(j, 0, sizeof(*j));
	buf_init(&j->text, CONFIG_ERRORS_MAX + 2 * MASTER_ERR_MAX);	/* and our own words */
	j->done = done;
	j->arg = arg;
	j->err_fd = -1;
	j->conf_fd = conf_memfd_new();
	uv_update_time(loop);
	(void)uv_timer_init(loop, &j->deadline);
	j->deadline.data = j;
	if (src->file != NULL)
		in = config_open(j, src->file);
	else if (src->state_dir != NULL)
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	else
		in = config_text_fd(src->to_stderr);
	if (in == -1)
		goto fail;
	if (j->conf_fd < 0 || pipe2(err, O_CLOEXEC) == -1 || fcntl(err[0], F_SETFL, O_NONBLOCK) == -1) {
		job_error(j, "memory file or pipe", strerror(errno));
		goto fail;
	}
	if (job_spawn(j, src, in, j->conf_fd, err[1]) != E_OK)
		goto fail;
	(void)close(in);
	(void)close(err[1]);
	j->err_fd = err[0];
	j->open = 2;
	(void)uv_poll_init(loop, &j->err, err[0]);
	j->err.data = j;
	(void)uv_poll_start(&j->err, UV_READABLE, job_read);
	(void)uv_timer_start(&j->deadline, job_deadline, CONFIG_DEADLINE_MS, 0);
	return;
fail:
	if (in != -1)
		(void)close(in);
	if (err[0] != -1) {
		(void)close(err[0]);
		(void)close(err[1]);
	}
	uv_close((uv_handle_t *)&j->deadline, job_failed);
}

void
config_clear(struct config_job *j)
{
	if (j->conf_fd >= 0)
		(void)close(j->conf_fd);
	j->conf_fd = -1;
	buf_clear(&j->text);
}
