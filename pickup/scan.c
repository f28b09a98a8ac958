/*
 * scan.c -- what is in the directory: by inotify as it comes, by a look at all of it once a minute.  Shell.
 *
 * A pass goes through the directory in slices, one each turn.  inotify's queue may run over and loses what came before
 * us: neither matters, since the next pass finds all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "pickup/pickup.h"

static void
on_scan_timer(uv_timer_t *t)
{
	scan_begin(t->data);
}

/* One name of the directory.  It may be anything by the time it is opened; that is looked at then. */
static void
take_name(struct pickup *p, const char *name)
{
	struct stat st;
	int kind = drop_name_kind(name);

	if (fstatat(p->new_fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 || file_is_left(p, name, (uint64_t)st.st_ino))
		return;
	if (kind == 't' && S_ISREG(st.st_mode)) {
		/* Nobody was told that it is safe; its writer was killed, or is very slow. */
		if (st.st_ctime < time(NULL) - STALE_S && file_remove(p, name) == E_OK)
			log_info("drop file=%s uid=%" PRIu32 " was never finished: removed", name,
			    (uint32_t)st.st_uid);
		return;
	}
	if (kind != 'm')
		file_aside(p, name, (uint64_t)st.st_ino, (uint32_t)st.st_uid,
		    kind == 't' ? "not a plain file" : "not a name that sendmail gives");
	else if (S_ISDIR(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
		file_aside(p, name, (uint64_t)st.st_ino, (uint32_t)st.st_uid, "not a plain file");
	else
		(void)owners_add(&p->owners, (uint32_t)st.st_uid, name);
}

static void
take_events(struct pickup *p, const char *buf, size_t n)
{
	const struct inotify_event *e;
	char name[DROP_NAME_LEN + 1];
	size_t len;

	while (n >= sizeof(*e)) {
		e = (const void *)buf;
		if (n - sizeof(*e) < e->len)
			return;
		if ((e->mask & IN_Q_OVERFLOW) != 0)
			p->owners.more = 1;
		len = e->len != 0 ? strnlen(e->name, e->len) : 0;
		if (len == DROP_NAME_LEN) {
			memcpy(name, e->name, len);
			name[len] = '\0';
			take_name(p, name);
		}
		buf += sizeof(*e) + e->len;
		n -= sizeof(*e) + e->len;
	}
}

static void
on_notify(uv_poll_t *poll, int status, int events)
{
	struct pickup *p = poll->data;
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t n;

	(void)events;
	if (status < 0)
		return;
	/* One read a turn: a flood of names delays nothing else. */
	if ((n = read(p->notify_fd, buf, sizeof(buf))) > 0)
		take_events(p, buf, (size_t)n);
	pump(p);
	scan_if_drained(p);
}

static int
open_dir(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 || fstat(fd, &st) == -1)
		log_fatal("drop/%s: %s", path, strerror(errno));
	if (st.st_uid != geteuid())
		log_fatal("drop/%s: owner is uid %u, expected %u", path, (unsigned)st.st_uid, (unsigned)geteuid());
	return (fd);
}

static void
count_bad(struct pickup *p)
{
	struct dirent *e;
	DIR *dir;
	int fd = openat(p->bad_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 || (dir = fdopendir(fd)) == NULL)
		log_fatal("drop/bad: %s", strerror(errno));
	while ((e = readdir(dir)) != NULL)
		p->bad_count += e->d_name[0] != '.';
	(void)closedir(dir);
}

void
scan_open(struct pickup *p)
{
	uint64_t seed;

	p->self = (uint32_t)geteuid();
	p->new_fd = open_dir("new");
	p->bad_fd = open_dir("bad");
	count_bad(p);
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		log_fatal("getrandom: %s", strerror(errno));
	owners_init(&p->owners, seed);
	if (p->notify_fd != -1) {
		p->watch = inotify_add_watch(p->notify_fd, "new", IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW);
		if (p->watch == -1 || uv_poll_init(&p->room->loop, &p->notify, p->notify_fd) != 0) {
			log_warn("inotify: %s: waiting mail is looked for once a minute", strerror(errno));
		} else {
			p->notify.data = p;
			(void)uv_poll_start(&p->notify, UV_READABLE, on_notify);
		}
	}
}

void
scan_begin(struct pickup *p)
{
	int fd;

	if (p->stopping)
		return;
	uv_update_time(&p->room->loop);
	(void)uv_timer_start(&p->scan_timer, on_scan_timer, SCAN_MS, 0);
	if (p->dir != NULL)
		return;			/* a pass is under way */
	fd = openat(p->new_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || (p->dir = fdopendir(fd)) == NULL) {
		log_warn("drop/new: %s", strerror(errno));
		if (fd != -1)
			(void)close(fd);
		return;
	}
	owners_pass(&p->owners);
	p->finished = 0;
	work_wake(p);
}

void
scan_slice(struct pickup *p)
{
	struct dirent *e = NULL;
	unsigned i;

	for (i = 0; i < SCAN_SLICE && (e = readdir(p->dir)) != NULL; i++) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			take_name(p, e->d_name);
	}
	if (e == NULL) {
		(void)closedir(p->dir);
		p->dir = NULL;
	}
}

/* More than one pass could hold: the next one at once, but only where the last one got anything done. */
void
scan_if_drained(struct pickup *p)
{
	if (p->owners.more && p->dir == NULL && p->finished != 0 && owners_idle(&p->owners))
		scan_begin(p);
}
