/*
 * maildir.c -- see maildir.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/limits.h"
#include "deliver/maildir.h"

#define PASS_FLAGS	(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define DIR_FLAGS	(O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define DIRENTS_MAX	8192	/* octets of directory entries read at once */

static void	clean_tmp(int tmpfd);

void
maildir_init(struct maildir_file *f)
{
	memset(f, 0, sizeof(*f));
	f->fd = f->tmpfd = f->newfd = -1;
}

static void
maildir_close(struct maildir_file *f)
{
	if (f->fd != -1)
		close(f->fd);
	if (f->tmpfd != -1)
		close(f->tmpfd);
	if (f->newfd != -1)
		close(f->newfd);
	f->fd = f->tmpfd = f->newfd = -1;
}

void
maildir_discard(struct maildir_file *f)
{
	if (f->fd != -1)
		(void)unlinkat(f->tmpfd, f->tmp, 0);	/* else it goes when it is stale */
	maildir_close(f);
}

/* The first failure decides.  err 0: text alone says it. */
static void
maildir_fail(struct maildir_file *f, const char *what, int err)
{
	struct client_result *r = &f->result;
	const char *why = err != 0 ? strerrordesc_np(err) : NULL;

	if (f->failed)
		return;
	f->failed = 1;
	r->outcome = OUT_TEMPFAIL;
	r->stage = STAGE_FILE;
	r->enhanced = (struct enhanced){ 4, 3, 0 };
	if (err == ENOSPC)
		r->enhanced = (struct enhanced){ 4, 3, 1 };
	if (err == EDQUOT || err == EFBIG)
		r->enhanced = (struct enhanced){ 4, 2, 2 };
	snprintf(r->text, sizeof(r->text), "%s%s%s", what, why != NULL ? ": " : "",
	    why != NULL ? why : "");
	maildir_discard(f);
}

void
maildir_refuse(struct maildir_file *f, struct enhanced e, const char *text)
{
	if (f->failed)
		return;
	maildir_fail(f, text, 0);
	f->result.outcome = OUT_PERMFAIL;
	f->result.enhanced = e;
}

/* ---- directories ---- */

/* One step down; made if it is missing, and then flushed into its parent. */
static int
step(int at, const char *name)
{
	int fd;

	fd = openat(at, name, DIR_FLAGS);
	if (fd != -1 || errno != ENOENT)
		return (fd);
	if (mkdirat(at, name, 0700) == -1 && errno != EEXIST)
		return (-1);
	if (fsync(at) == -1)
		return (-1);
	return (openat(at, name, DIR_FLAGS));
}

static int
walk(int root, const char *path)
{
	char name[FILE_NAME_MAX + 1];
	int at = root, next, err;
	size_t n;

	for (;;) {
		n = strcspn(path, "/");
		if (n > FILE_NAME_MAX) {
			errno = ENAMETOOLONG;
			next = -1;
		} else {
			memcpy(name, path, n);
			name[n] = '\0';
			next = step(at, name);
			/* On the way to the maildirs' own directory nothing may be read: pass through. */
			if (next == -1 && errno == EACCES && path[n] == '/')
				next = openat(at, name, PASS_FLAGS);
		}
		err = errno;
		if (at != root)
			close(at);
		errno = err;
		if (next == -1 || path[n] == '\0')
			return (next);
		at = next;
		path += n + 1;
	}
}

static int
open_maildir(int root, const char *path)
{
	struct open_how how = {
		.flags = DIR_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd;

	/* The usual case in one call; else step by step, each without following a link. */
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd != -1 || (errno != ENOENT && errno != ENOSYS))
		return (fd);
	return (walk(root, path));
}

static void
open_dirs(struct maildir_file *f, int rootfd, uint32_t uid)
{
	struct stat st;
	int dir, cur;

	if ((dir = open_maildir(rootfd, f->dir)) == -1) {
		maildir_fail(f, "opening the maildir", errno);
		return;
	}
	if (fstat(dir, &st) == -1)
		maildir_fail(f, "looking at the maildir", errno);
	else if (st.st_uid != uid || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		maildir_fail(
		    f, "the maildir belongs to another user, or others may write to it", 0);
	else if ((f->tmpfd = step(dir, "tmp")) == -1 || (f->newfd = step(dir, "new")) == -1 ||
	    (cur = step(dir, "cur")) == -1)
		maildir_fail(f, "opening tmp, new and cur of the maildir", errno);
	else
		close(cur);
	close(dir);
}

/* ---- the file ---- */

static int
write_all(int fd, const char *p, size_t n)
{
	ssize_t w;

	while (n != 0) {
		w = write(fd, p, n);
		if (w == -1 && errno == EINTR)
			continue;
		if (w == -1)
			return (-1);
		p += w;
		n -= (size_t)w;
	}
	return (0);
}

void
maildir_begin(struct maildir_file *f, int rootfd, uint32_t uid, struct slice header)
{
	static atomic_uint counter;
	int n;

	open_dirs(f, rootfd, uid);
	if (f->failed)
		return;
	clean_tmp(f->tmpfd);
	/* Never the same name twice here, so that an attempt given up cannot meet its successor's
	 * file. */
	n = snprintf(f->tmp, sizeof(f->tmp), "%lld.P%ldN%u.%.128s", (long long)time(NULL),
	    (long)getpid(), atomic_fetch_add(&counter, 1), f->name);
	if (n < 0 || (size_t)n >= sizeof(f->tmp)) {
		maildir_fail(f, "a file name too long", 0);
		return;
	}
	f->fd =
	    openat(f->tmpfd, f->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd == -1)
		maildir_fail(f, "making the file", errno);
	else if (write_all(f->fd, header.p, header.n) == -1)
		maildir_fail(f, "writing the file", errno);
	f->size = header.n;
}

void
maildir_write(struct maildir_file *f, struct slice body)
{
	char text[IPC_CHUNK_MAX + 1];
	size_t n;

	if (f->failed || body.n > IPC_CHUNK_MAX)
		return;
	n = mailpath_lines(text, body, &f->cr);
	f->size += n;
	if (write_all(f->fd, text, n) == -1)
		maildir_fail(f, "writing the file", errno);
}

/* Into new/.  0, or -1 with errno; *again: the very file was there from an attempt whose report was
 * lost. */
static int
publish(struct maildir_file *f, const char *name, int *again)
{
	struct stat st;

	*again = 0;
	if (renameat2(f->tmpfd, f->tmp, f->newfd, name, RENAME_NOREPLACE) == 0)
		return (0);
	if (errno == EINVAL || errno == ENOSYS) {	/* a file system without it */
		if (linkat(f->tmpfd, f->tmp, f->newfd, name, 0) == 0)
			return (unlinkat(f->tmpfd, f->tmp, 0));
	}
	if (errno != EEXIST)
		return (-1);
	if (fstatat(f->newfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return (-1);
	if ((uint64_t)st.st_size != f->size || !S_ISREG(st.st_mode)) {
		errno = EEXIST;
		return (-1);
	}
	*again = 1;
	return (unlinkat(f->tmpfd, f->tmp, 0));
}

void
maildir_commit(struct maildir_file *f)
{
	struct client_result *r = &f->result;
	char other[FILE_NAME_MAX + 1];
	int again, err;

	if (f->failed)
		return;
	if (f->cr && write_all(f->fd, "\r", 1) == -1) {
		maildir_fail(f, "writing the file", errno);
		return;
	}
	f->size += (uint64_t)f->cr;
	if (fsync(f->fd) == -1) {
		maildir_fail(f, "flushing the file", errno);
		return;
	}
	err = publish(f, f->name, &again);
	/* Another message of the same name can only stem from a store that was thrown away. */
	if (err == -1 && errno == EEXIST &&
	    snprintf(other, sizeof(other), "%.*s.2", FILE_NAME_MAX - 2, f->name) > 0)
		err = publish(f, other, &again);
	if (err == -1) {
		maildir_fail(f, "moving the file into new", errno);
		return;
	}
	if (fsync(f->newfd) == -1) {
		/* It is there, but nobody can say for how long: it comes again under the same name.
		 */
		err = errno;
		close(f->fd);
		f->fd = -1;
		maildir_fail(f, "flushing new", err);
		return;
	}
	if (close(f->fd) == -1) {
		f->fd = -1;
		maildir_fail(f, "closing the file", errno);
		return;
	}
	f->fd = -1;
	r->outcome = OUT_DELIVERED;
	r->stage = STAGE_FILE;
	r->enhanced = (struct enhanced){ 2, 1, 5 };
	snprintf(r->text, sizeof(r->text), "%s %.200s",
	    again ? "was stored before as" : "stored as", f->name);
	maildir_close(f);
}

/* ---- stale files ---- */

/* Whose tmp/ was looked through when: a small table, shared by the threads; forgetting costs only a
 * look. */
static pthread_mutex_t clean_lock = PTHREAD_MUTEX_INITIALIZER;
static struct { dev_t dev; ino_t ino; time_t when; } cleaned[256];

static int
clean_is_due(int tmpfd, time_t now)
{
	struct stat st;
	size_t i;
	int due;

	if (fstat(tmpfd, &st) == -1)
		return (0);
	i = (size_t)st.st_ino % (sizeof(cleaned) / sizeof(cleaned[0]));
	pthread_mutex_lock(&clean_lock);
	due = cleaned[i].dev != st.st_dev || cleaned[i].ino != st.st_ino || now < cleaned[i].when ||
	    now - cleaned[i].when >= TMP_CLEAN_S;
	if (due) {
		cleaned[i].dev = st.st_dev;
		cleaned[i].ino = st.st_ino;
		cleaned[i].when = now;
	}
	pthread_mutex_unlock(&clean_lock);
	return (due);
}

struct dirent_kernel {		/* what getdents64 gives; see getdents(2) */
	uint64_t	ino;
	int64_t		off;
	uint16_t	reclen;
	uint8_t		type;
	char		name[];
};

static void
clean_tmp(int tmpfd)
{
	_Alignas(struct dirent_kernel) char buf[DIRENTS_MAX];
	const struct dirent_kernel *e;
	time_t now = time(NULL);
	struct stat st;
	long n, at;
	int dir;

	if (!clean_is_due(tmpfd, now) || (dir = openat(tmpfd, ".", DIR_FLAGS)) == -1)
		return;
	while ((n = syscall(SYS_getdents64, dir, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n; at += e->reclen) {
			e = (const struct dirent_kernel *)(buf + at);
			if (fstatat(tmpfd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			    S_ISREG(st.st_mode) && now > st.st_mtime &&
			    now - st.st_mtime > TMP_AGE_MAX_S)
				(void)unlinkat(tmpfd, e->name, 0); /* the next look tries again */
		}
	}
	close(dir);
}
