/*
 * file.c -- a stranger's file: opened without harm, checked, put aside, removed.  Shell.
 *
 * The directory is everybody's to write: names, links, pipes and what is in the files are hostile.  Only a plain file
 * with one name, of one owner, that ends as it says is a message.  What is none goes to bad/, is logged once, and not
 * looked at again; what cannot even be put there (a directory with something in it) is left and remembered.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "pickup/pickup.h"

#define MODE_FORBIDDEN	07133	/* set-id, sticky, anything to execute, and writing by others */
#define LOG_NAME_MAX	256

static int
bad(const char **why, const char *text)
{
	*why = text;
	return (E_CORRUPT);
}

int
file_open(struct job *j, const char **why)
{
	struct stat st;

	*why = "";
	j->fd = openat(j->p->new_fd, j->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (j->fd == -1) {
		switch (errno) {
		case ENOENT:		/* its owner took it back */
		case EMFILE:
		case ENFILE:
		case ENOMEM:
			return (E_AGAIN);
		case ELOOP:
			return (bad(why, "a symbolic link"));
		case EACCES:
			return (bad(why, "not readable by the group of its directory"));
		default:
			return (bad(why, "cannot be opened"));
		}
	}
	if (fstat(j->fd, &st) == -1)
		return (E_IO);
	if (!S_ISREG(st.st_mode))
		return (bad(why, "not a plain file"));
	if (st.st_nlink != 1)
		return (st.st_nlink == 0 ? E_AGAIN : bad(why, "it has other names"));
	if ((st.st_mode & MODE_FORBIDDEN) != 0)
		return (bad(why, "its mode is not 0640"));
	if ((uint32_t)st.st_uid != j->owner)
		return (E_AGAIN);	/* another file than the one that was seen; the next pass sees it */
	if (st.st_size < (off_t)DROP_TRAILER_LEN)
		return (bad(why, "not written to its end"));
	j->size = (uint64_t)st.st_size;
	j->since = (int64_t)st.st_ctime;
	return (E_OK);
}

/* Checks the last line: it says how long the message is. */
static int
read_trailer(struct job *j, uint64_t *sum, const char **why)
{
	char text[DROP_TRAILER_LEN];
	uint64_t len;

	if (pread(j->fd, text, sizeof(text), (off_t)(j->size - DROP_TRAILER_LEN)) != (ssize_t)sizeof(text) ||
	    drop_trailer_read(slice_make(text, sizeof(text)), &len, sum) != E_OK)
		return (bad(why, "not written to its end"));
	if (j->size - DROP_TRAILER_LEN < j->drop.len || len != j->size - DROP_TRAILER_LEN - j->drop.len)
		return (bad(why, "its length is not what it says"));
	j->body_len = len;
	return (E_OK);
}

int
file_read_head(struct job *j, const char **why)
{
	char *room = buf_reserve(&j->head, WORK_SLICE);
	uint64_t sum;
	ssize_t n;
	int err;

	*why = "";
	if (room == NULL)
		return (E_NOMEM);
	n = pread(j->fd, room, WORK_SLICE, (off_t)j->at);
	if (n < 0)
		return (bad(why, "cannot be read"));
	buf_commit(&j->head, (size_t)n);
	j->at += (uint64_t)n;
	arena_reset(&j->mem);
	err = drop_head_read(&j->drop, &j->mem, buf_slice(&j->head), why);
	if (err == E_AGAIN && n == 0)
		return (bad(why, "not written to its end"));
	if (err == E_LIMIT)
		return (bad(why, "too many recipients, or lines before the message without end"));
	if (err == E_SYNTAX)
		return (E_CORRUPT);
	if (err != E_OK)
		return (err);
	if ((err = read_trailer(j, &sum, why)) != E_OK)
		return (err);
	/* What a user says of himself does not count; what we kept of him does. */
	j->uid = j->drop.has_uid && j->owner == j->p->self ? j->drop.uid : j->owner;
	j->sum = sum;
	return (E_OK);
}

/* The sum over all before the last line; at begins at 0, found at DROP_SUM_START. */
int
file_sum(struct job *j, const char **why)
{
	static char slice[WORK_SLICE];	/* one job's turn at a time */
	uint64_t end = j->size - DROP_TRAILER_LEN, want;
	ssize_t n;

	*why = "";
	want = end - j->at < sizeof(slice) ? end - j->at : sizeof(slice);
	if (want != 0) {
		n = pread(j->fd, slice, (size_t)want, (off_t)j->at);
		if (n <= 0)
			return (bad(why, n == 0 ? "it became shorter while it was read" : "cannot be read"));
		j->found = drop_sum(j->found, slice_make(slice, (size_t)n));
		j->at += (uint64_t)n;
		if (j->at < end)
			return (E_AGAIN);
	}
	return (j->found == j->sum ? E_OK : bad(why, "its sum does not match: not written to its end"));
}

ssize_t
file_read(struct job *j, void *dst, size_t size)
{
	uint64_t left = j->size - DROP_TRAILER_LEN - j->at;
	ssize_t n;

	if (left == 0)
		return (0);
	n = pread(j->fd, dst, left < size ? (size_t)left : size, (off_t)j->at);
	if (n <= 0)
		return (-1);		/* shorter than it was */
	j->at += (uint64_t)n;
	return (n);
}

/* ---- what is no message ---- */

/* By number and name: the number alone could be another file's by now, whose name nobody can have known. */
static uint64_t
left_key(const char *name, uint64_t ino)
{
	return (drop_sum(DROP_SUM_START ^ ino, slice_str(name)));
}

int
file_is_left(const struct pickup *p, const char *name, uint64_t ino)
{
	uint64_t key = left_key(name, ino);
	size_t i;

	for (i = 0; i < p->nleft; i++) {
		if (p->left[i] == key)
			return (1);
	}
	return (0);
}

/* Past LEFT_MAX the oldest is forgotten, and so looked at again when it is next met. */
static void
remember(struct pickup *p, const char *name, uint64_t ino)
{
	if (p->nleft == LEFT_MAX) {
		memmove(p->left, p->left + 1, (LEFT_MAX - 1) * sizeof(p->left[0]));
		p->nleft--;
	}
	p->left[p->nleft++] = left_key(name, ino);
}

static void
leave(struct pickup *p, const char *name, uint64_t ino, uint32_t uid, const char *why, const char *reason)
{
	char text[LOG_NAME_MAX];

	if (file_is_left(p, name, ino))
		return;
	remember(p, name, ino);
	log_warn("drop file=%s uid=%" PRIu32 " is no message: %s; it stays: %s",
	    text_escape_word(text, sizeof(text), slice_str(name)), uid, why, reason);
}

void
file_done(struct job *j)
{
	struct stat st;

	if (fstat(j->fd, &st) == -1 || st.st_nlink == 0 || file_is_left(j->p, j->name, (uint64_t)st.st_ino))
		return;
	remember(j->p, j->name, (uint64_t)st.st_ino);
	log_warn("drop file=%s was submitted and stays: remove it before postern-pickup starts anew", j->name);
}

/* A link, pipe or socket holds nothing that could be kept, and Landlock lets us make none of them elsewhere. */
static int
remove_empty(struct pickup *p, const char *name, uint32_t uid, const char *why)
{
	char text[LOG_NAME_MAX];
	struct stat st;

	if (fstatat(p->new_fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ||
	    unlinkat(p->new_fd, name, 0) == -1)
		return (0);
	p->counter[COUNT_BAD]++;
	log_warn("drop file=%s uid=%" PRIu32 " is no message: %s; removed",
	    text_escape_word(text, sizeof(text), slice_str(name)), uid, why);
	return (1);
}

void
file_aside(struct pickup *p, const char *name, uint64_t ino, uint32_t uid, const char *why)
{
	char text[LOG_NAME_MAX], to[DROP_NAME_LEN + 1];
	uint8_t random[16];

	if (p->bad_count >= PICKUP_BAD_MAX) {
		leave(p, name, ino, uid, why, "bad/ is full");
		return;
	}
	/* Never onto another one: there may be two of the same name, one after the other. */
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return;
	drop_name(to, 'm', random);
	if (renameat(p->new_fd, name, p->bad_fd, to) == -1) {
		if (errno != ENOENT && !remove_empty(p, name, uid, why))
			leave(p, name, ino, uid, why, strerror(errno));
		return;
	}
	p->bad_count++;
	p->counter[COUNT_BAD]++;
	log_warn("drop file=%s uid=%" PRIu32 " is no message: %s; moved to bad/%s",
	    text_escape_word(text, sizeof(text), slice_str(name)), uid, why, to);
}

int
file_remove(struct pickup *p, const char *name)
{
	if (unlinkat(p->new_fd, name, 0) == -1 && errno != ENOENT) {
		log_warn("drop file=%s cannot be removed: %s", name, strerror(errno));
		return (E_IO);
	}
	if (fsync(p->new_fd) == -1) {
		log_warn("drop: fsync: %s", strerror(errno));
		return (E_IO);
	}
	return (E_OK);
}
