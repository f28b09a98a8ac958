/*
 * keep.c -- a message that the server cannot take now waits in the drop directory.  Shell; see drop_write.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/drop_write.h"
#include "common/err.h"
#include "sendmail/outgoing.h"

#define KEEP_MODE	0640	/* the directory's group is pickup's */
#define READ_MAX	65536

static int
write_body(struct drop_writer *w, struct outgoing *o)
{
	static char slice[READ_MAX];
	uint64_t at = 0;
	ssize_t n;
	int err;

	if ((err = drop_write_body(w, buf_slice(&o->header))) != E_OK)
		return (err);
	while ((n = spool_read(&o->body, at, slice, sizeof(slice))) > 0) {
		if ((err = drop_write_body(w, slice_make(slice, (size_t)n))) != E_OK)
			return (err);
		at += (uint64_t)n;
	}
	if (n == -1) {
		drop_write_abort(w);
		return (E_IO);
	}
	return (E_OK);
}

static const char *
reason(int err)
{
	switch (err) {
	case E_FULL:
		return ("no space, or a limit is reached");
	case E_DENIED:
		return ("permission denied");
	case E_NOTFOUND:
		return ("no such directory");
	default:
		return ("input or output failed");
	}
}

int
keep(struct outgoing *o, const struct places *p, char *why, size_t size)
{
	char path[PLACES_PATH_MAX + 16];
	struct drop_head head = { .mail = o->mail };
	struct drop_writer w;
	int dir, err;

	(void)snprintf(path, sizeof(path), "%s/drop/new", p->directory);
	/* Nobody may read it; that is not needed to put a file there. */
	dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir == -1) {
		(void)snprintf(why, size, "%s: %s", path, strerror(errno));
		return (E_NOTFOUND);
	}
	head.mail.rcpt = o->late;
	head.mail.nrcpt = o->nlate;
	err = drop_write_begin(&w, dir, KEEP_MODE, &head);
	if (err == E_OK)
		err = write_body(&w, o);
	if (err == E_OK)
		err = drop_write_end(&w);
	if (err == E_OK)
		err = drop_write_commit(&w);
	if (err != E_OK)
		(void)snprintf(why, size, "%s: %s", path, reason(err));
	(void)close(dir);
	return (err);
}
