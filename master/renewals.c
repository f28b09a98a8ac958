/*
 * renewals.c -- looks at the files of certificates, keys and passwords, and reloads when they were
 * renewed.  Shell.
 *
 * By stat(2) and not by inotify: what counts is where a chain of links ends, and any part of it may
 * be changed.
 */
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/log.h"
#include "common/siphash.h"
#include "common/units.h"
#include "master/master.h"

#define CLOCK_TICK_NS	10000000	/* the file system's clock is behind by at most so much */

static int64_t
time_ns(const struct timespec *t)
{
	return ((int64_t)t->tv_sec * 1000000000 + t->tv_nsec);
}

int64_t
renewals_clock(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (time_ns(&now));
}

/* One file into the sum; whether it was changed after since. */
static int
add_file(uint64_t *sum, const char *path, int64_t since)
{
	struct { uint64_t sum, dev, ino, size; int64_t mtime, ctime; } in = { .sum = *sum };
	struct stat st;

	if (stat(path, &st) == 0) {
		in.dev = st.st_dev;
		in.ino = st.st_ino;
		in.size = (uint64_t)st.st_size;
		in.mtime = time_ns(&st.st_mtim);
		in.ctime = time_ns(&st.st_ctim);
	}
	*sum = siphash(&in, sizeof(in));
	return (in.ctime > since);
}

/*
 * What stands for all files of the snapshot; RENEWAL_UNKNOWN if one of them was changed after
 * since.
 */
static uint64_t
look(const struct conf *c, int64_t since)
{
	uint64_t sum = 1;
	int late = 0;
	size_t i;

	for (i = 0; i < c->ncerts; i++) {
		late |= add_file(&sum, c->certs[i].certificate_path, since);
		late |= add_file(&sum, c->certs[i].key_path, since);
	}
	if (c->auth.needed && c->auth.passwd_path[0] != '\0')
		late |= add_file(&sum, c->auth.passwd_path, since);
	for (i = 0; i < c->nlogins; i++)
		late |= add_file(&sum, c->logins[i].password_path, since);
	return (late || sum == RENEWAL_UNKNOWN ? RENEWAL_UNKNOWN : sum);
}

static int
has_files(const struct conf *c)
{
	return (c->ncerts != 0 || (c->auth.needed && c->auth.passwd_path[0] != '\0') || c->nlogins != 0);
}

static void
on_timer(uv_timer_t *timer)
{
	struct master *m = timer->data;

	if (m->started && !m->stopping && m->reload.state == RELOAD_IDLE && daemons_can_judge(m) &&
	    renewal_look(&m->renewal, look(m->conf, INT64_MAX), now_mono_ms())) {
		log_info("files of certificates, keys or passwords were changed");
		reloads_request(m, "a renewal", NULL);
	}
	if (has_files(m->conf))
		(void)uv_timer_start(&m->renewal_timer, on_timer, renewal_next_ms(&m->renewal), 0);
}

/*
 * The files may have changed while the checker read them: then what was read is not known, and is
 * looked at again.
 */
void
renewals_follow(struct master *m)
{
	if (!has_files(m->conf)) {
		(void)uv_timer_stop(&m->renewal_timer);
		return;
	}
	renewal_used(&m->renewal, look(m->conf, m->check_began - CLOCK_TICK_NS));
	(void)uv_timer_start(&m->renewal_timer, on_timer, RENEWAL_LOOK_MS, 0);
}
