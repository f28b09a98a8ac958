/*
 * job.c -- a file's way from its first octet to its end.  Shell.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "pickup/pickup.h"

void
pickup_init(struct pickup *p, struct room *room)
{
	size_t i;

	p->room = room;
	p->new_fd = p->bad_fd = p->watch = -1;
	for (i = 0; i < PICKUP_SESSIONS_MAX; i++)
		p->job[i].fd = p->job[i].sock = -1;
	p->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (p->notify_fd == -1)
		log_warn("inotify: %s: waiting mail is looked for once a minute", strerror(errno));
	if (uv_timer_init(&room->loop, &p->scan_timer) != 0 || uv_timer_init(&room->loop, &p->again_timer) != 0 ||
	    uv_idle_init(&room->loop, &p->work) != 0)
		log_fatal("no timer");
	p->scan_timer.data = p->again_timer.data = p->work.data = p;
}

static void
job_clear(struct job *j)
{
	if (j->fd != -1)
		(void)close(j->fd);
	j->fd = -1;
	arena_clear(&j->mem);
	buf_clear(&j->head);
	j->step = JOB_FREE;
}

void
job_end(struct job *j, int again)
{
	struct pickup *p = j->p;

	if (again)
		owners_again(&p->owners, j->owner, j->name);
	else
		owners_done(&p->owners, j->owner, j->name);
	job_clear(j);
	pump(p);
	scan_if_drained(p);
	leave_if_idle(p);
}

/* Not a message after all. */
void
job_bad(struct job *j, const char *why)
{
	struct stat st;

	j->p->finished++;
	if (fstatat(j->p->new_fd, j->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		file_aside(j->p, j->name, (uint64_t)st.st_ino, j->owner, why);
	job_end(j, 0);
}

static void
job_step(struct job *j)
{
	const char *why = "";
	int err;

	if (j->step == JOB_HEAD) {
		err = j->fd == -1 ? file_open(j, &why) : E_OK;
		if (err == E_OK) {
			err = file_read_head(j, &why);
			if (err == E_AGAIN)
				return;
		}
		if (err == E_OK) {
			j->step = JOB_SUM;
			j->at = 0;
			j->found = DROP_SUM_START;
			/* Of the head only what a notice shows is kept. */
			buf_drain(&j->head, j->drop.len);
			return;
		}
	} else {
		/* What the server will refuse for its size alone need not be read to its end first. */
		err = j->body_len > j->p->room->conf->message_size_limit ? E_OK : file_sum(j, &why);
		if (err == E_AGAIN)
			return;
		if (err == E_OK) {
			j->drop.mail.size = j->body_len;
			j->step = JOB_READY;
			return;
		}
	}
	if (err == E_CORRUPT)
		job_bad(j, why);
	else
		job_end(j, 0);		/* gone, or no memory: the next pass */
}

static void
on_work(uv_idle_t *idle)
{
	struct pickup *p = idle->data;
	size_t i;
	int busy = 0;

	if (p->dir != NULL)
		scan_slice(p);
	for (i = 0; i < PICKUP_SESSIONS_MAX; i++) {
		if (p->job[i].step == JOB_HEAD || p->job[i].step == JOB_SUM)
			job_step(&p->job[i]);
	}
	pump(p);
	for (i = 0; i < PICKUP_SESSIONS_MAX; i++)
		busy |= p->job[i].step == JOB_HEAD || p->job[i].step == JOB_SUM;
	if (!busy && p->dir == NULL) {
		(void)uv_idle_stop(idle);
		scan_if_drained(p);
	}
}

void
work_wake(struct pickup *p)
{
	(void)uv_idle_start(&p->work, on_work);
}

static int
has_smtpd(const struct pickup *p)
{
	size_t i;

	for (i = 0; i < SMTPDS_MAX; i++) {
		if (p->smtpd[i] != NULL)
			return (1);
	}
	return (0);
}

static struct job *
job_free(struct pickup *p)
{
	size_t i;

	for (i = 0; i < PICKUP_SESSIONS_MAX; i++) {
		if (p->job[i].step == JOB_FREE && p->job[i].closing == 0)
			return (&p->job[i]);
	}
	return (NULL);
}

void
pump(struct pickup *p)
{
	struct job *j;
	size_t i;

	if (p->stopping || p->resting || !has_smtpd(p))
		return;
	for (i = 0; i < PICKUP_SESSIONS_MAX; i++) {
		if (p->job[i].step == JOB_READY)
			talk_begin(&p->job[i]);
	}
	while (!p->resting && (j = job_free(p)) != NULL &&
	    owners_next(&p->owners, &j->owner, j->name) == E_OK) {
		j->p = p;
		j->step = JOB_HEAD;
		j->fd = -1;
		j->at = 0;
		arena_init(&j->mem, 2 * (size_t)DROP_HEAD_MAX);
		buf_init(&j->head, DROP_HEAD_MAX + WORK_SLICE);
		work_wake(p);
	}
}

void
leave_if_idle(struct pickup *p)
{
	size_t i;

	if (!p->stopping)
		return;
	for (i = 0; i < PICKUP_SESSIONS_MAX; i++) {
		if (p->job[i].step == JOB_TALK || p->job[i].closing != 0)
			return;
	}
	room_leave(p->room);
}
