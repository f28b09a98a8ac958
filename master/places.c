/*
 * places.c -- see places.h.  Shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "master/paths.h"
#include "master/places.h"

#define PLACES_NAME	"paths"
#define PLACES_MAX	(2 * MASTER_PATH_MAX)

static int
write_file(const char *path, const char *text, size_t len)
{
	int fd, ok;

	/* Left over by a master that was killed in between; the directory is ours alone. */
	if (unlink(path) == -1 && errno != ENOENT)
		return (-1);
	if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)) == -1)
		return (-1);
	ok = fchmod(fd, 0644) == 0 && write(fd, text, len) == (ssize_t)len;
	return (close(fd) == 0 && ok ? 0 : -1);
}

void
places_write(const struct conf *c)
{
	char text[PLACES_MAX], path[MASTER_PATH_MAX], fresh[MASTER_PATH_MAX];
	int n;

	n = snprintf(text, sizeof(text), "directory=%s\nhostname=%s\nmessage-size-limit=%" PRIu64 "\n"
	    "local-submission=%s\n", c->directory, c->hostname, c->message_size_limit,
	    c->local_submission ? "yes" : "no");
	if (n < 0 || (size_t)n >= sizeof(text))
		return;		/* directory is at most CONF_PATH_MAX: it fits */
	(void)snprintf(path, sizeof(path), "%s/" PLACES_NAME, c->runtime);
	(void)snprintf(fresh, sizeof(fresh), "%s/" PLACES_NAME ".new", c->runtime);
	if (write_file(fresh, text, (size_t)n) == -1 || rename(fresh, path) == -1)
		log_warn("%s: %s: sendmail will not find what is not in its usual place", path, strerror(errno));
}
