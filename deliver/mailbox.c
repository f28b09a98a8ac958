/*
 * mailbox.c -- the role mailbox: jobs into maildirs, the file work in threads.  Shell.
 *
 * A job is in the hands of at most one thread.  A message that fits the window is one piece of
 * work; a longer one is written as it comes, window by window, to the files of all its recipients.
 * The thread sees struct mailbox_work alone; the loop does not touch it meanwhile.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/rcpt.h"
#include "deliver/job.h"
#include "deliver/maildir.h"
#include "deliver/main.h"
#include "deliver/mime.h"

#define THREADS		"16"	/* they mostly wait for the disk */
#define HEADER_MAX	(2 * ADDRESS_MAX + 64)

/* A binary message, made lines, since line ends are written as one octet in a maildir (mime.h). */
struct mailbox_conv {
	struct mime	 mime;
	size_t		 n;
	char		 text[IPC_CHUNK_MAX];	/* for all files at once */
};

struct mailbox_work {
	uv_work_t	 req;
	struct job	*job;		/* the loop's */
	int		 rootfd;
	uint32_t	 uid;
	const char	*sender;	/* in the job's arena, which does not move */
	const struct client_rcpt *rcpt;
	struct body_part *part;		/* given to the thread */
	size_t		 octets;
	int		 open;		/* the files are being written */
	int		 last;		/* the body ends with these parts */
	int		 discard;	/* give up instead */
	struct mailbox_conv *conv;	/* NULL: the message goes as it is */
	uint32_t	 nfile;
	struct maildir_file file[];	/* as the job's recipients */
};

static void	mailbox_work(uv_work_t *);
static void	mailbox_worked(uv_work_t *, int);
static void	mailbox_kick(struct job *);

/* ---- the thread's side ---- */

static void
file_begin(struct mailbox_work *w, uint32_t i)
{
	char header[HEADER_MAX];
	int n;

	/* RFC 5321 4.4: the final delivery writes the return path in front. */
	n = snprintf(header, sizeof(header), "Return-Path: <%s>\nDelivered-To: %s\n", w->sender,
	    w->rcpt[i].address);
	maildir_begin(&w->file[i], w->rootfd, w->uid, slice_make(header, (size_t)n));
}

static void
file_parts(struct mailbox_work *w, uint32_t i)
{
	for (const struct body_part *p = w->part; p != NULL; p = p->next)
		maildir_write(&w->file[i], slice_make(p->octets, p->len));
}

static void
conv_flush(struct mailbox_work *w)
{
	for (uint32_t i = 0; i < w->nfile; i++) {
		if (!w->file[i].skip)
			maildir_write(&w->file[i], slice_make(w->conv->text, w->conv->n));
	}
	w->conv->n = 0;
}

static int
conv_out(void *arg, struct slice s)
{
	struct mailbox_work *w = arg;
	struct mailbox_conv *v = w->conv;
	size_t k;

	for (; s.n != 0; s = slice_make(s.p + k, s.n - k)) {
		k = sizeof(v->text) - v->n;
		if (k > s.n)
			k = s.n;
		memcpy(v->text + v->n, s.p, k);
		v->n += k;
		if (v->n == sizeof(v->text))
			conv_flush(w);
	}
	return (E_OK);
}

static void
work_converted(struct mailbox_work *w)
{
	struct mime *m = &w->conv->mime;
	char text[128];

	for (uint32_t i = 0; i < w->nfile && !w->open; i++) {
		if (!w->file[i].skip)
			file_begin(w, i);
	}
	for (const struct body_part *p = w->part; p != NULL; p = p->next)
		(void)mime_feed(m, slice_make(p->octets, p->len));	/* stays failed once it has */
	if (w->last)
		(void)mime_end(m);
	if (m->err == E_OK)
		conv_flush(w);
	else
		snprintf(text, sizeof(text), "the binary message cannot be converted: %s", m->why);
	for (uint32_t i = 0; i < w->nfile; i++) {
		if (w->file[i].skip)
			continue;
		if (m->err != E_OK)
			maildir_refuse(&w->file[i], (struct enhanced){ 5, 6, 1 }, text);
		if (w->last)
			maildir_commit(&w->file[i]);
	}
}

static void
mailbox_work(uv_work_t *req)
{
	struct mailbox_work *w = req->data;

	if (w->conv != NULL && !w->discard) {
		work_converted(w);
		w->open = 1;
		return;
	}
	for (uint32_t i = 0; i < w->nfile; i++) {
		if (w->file[i].skip)
			continue;
		if (w->discard) {
			maildir_discard(&w->file[i]);
			continue;
		}
		if (!w->open)
			file_begin(w, i);
		file_parts(w, i);
		if (w->last)
			maildir_commit(&w->file[i]);
	}
	w->open = 1;
}

/* ---- the loop's side ---- */

static void
free_parts(struct mailbox_work *w)
{
	struct body_part *p;

	while ((p = w->part) != NULL) {
		w->part = p->next;
		free(p);
	}
}

static void
work_free(struct job *j)
{
	if (j->work != NULL)
		free(j->work->conv);
	free(j->work);
	j->work = NULL;
}

static void
mailbox_over(struct job *j)
{
	work_free(j);
	job_over(j);
}

static void
mailbox_submit(struct job *j)
{
	struct mailbox_work *w = j->work;
	struct deliver *d = j->d;

	w->part = j->part;
	w->octets = 0;
	for (const struct body_part *p = w->part; p != NULL; p = p->next)
		w->octets += p->len;
	j->part = j->part_last = j->at = NULL;
	w->last = job_body_is_whole(j);
	w->discard = j->aborted;
	j->working = 1;
	j->state = JOB_FILE;
	d->nworks++;
	/* Fails only without a function. */
	(void)uv_queue_work(&d->room.loop, &w->req, mailbox_work, mailbox_worked);
}

/* Give the job to a thread, or put it in line, if there is something to do for it. */
static void
mailbox_kick(struct job *j)
{
	struct deliver *d = j->d;

	if (j->working || j->queued)
		return;
	/* A short message waits until it is whole. */
	if (!j->aborted && !job_body_is_whole(j) && (j->part == NULL || j->body_len <= JOB_WINDOW))
		return;
	if (d->nworks >= WORKS_MAX) {
		j->queued = 1;
		j->state = JOB_WAIT;
		TAILQ_INSERT_TAIL(&d->ready, j, link);
		return;
	}
	mailbox_submit(j);
}

static void
mailbox_worked(uv_work_t *req, int status)
{
	struct mailbox_work *w = req->data;
	struct job *j = w->job;
	struct deliver *d = j->d;

	d->nworks--;
	j->working = 0;
	free_parts(w);
	if (w->discard) {
		work_free(j);
		job_free(j);
	} else if (w->last) {
		for (uint32_t i = 0; i < w->nfile; i++) {
			w->file[i].result.rcpt = i;
			if (!w->file[i].skip)
				job_result(j, &w->file[i].result, "maildir");
		}
		mailbox_over(j);
	} else {
		if (!j->aborted)
			job_written(j, w->octets);
		mailbox_kick(j);
	}
	while (d->nworks < WORKS_MAX && (j = TAILQ_FIRST(&d->ready)) != NULL) {
		TAILQ_REMOVE(&d->ready, j, link);
		j->queued = 0;
		mailbox_submit(j);
	}
}

static void
mailbox_refuse(struct job *j, enum stage stage, struct enhanced e, const char *text)
{
	struct client_result r = {
	    .outcome = e.cls == 5 ? OUT_PERMFAIL : OUT_TEMPFAIL, .stage = stage, .enhanced = e};

	j->reached = REACHED_UNKNOWN;
	snprintf(r.text, sizeof(r.text), "%s", text);
	job_result_rest(j, &r, "maildir");
	mailbox_over(j);
}

/* Where recipient i's file goes; what cannot be one is refused at once. */
static void
mailbox_place(struct job *j, uint32_t i)
{
	struct maildir_file *f = &j->work->file[i];
	const struct conf *conf = j->d->room.conf;
	struct client_result r = { .rcpt = i, .stage = STAGE_ROUTE };
	char name[LOCAL_PART_MAX + 1];
	const char *why = "";
	int err, named;

	maildir_init(f);
	named = rcpt_mailbox(conf, j->rcpt[i].address, name) == E_OK;
	err = mailpath_expand(f->dir, j->path, j->d->room.start.root, j->rcpt[i].address,
	    named ? name : NULL, conf->hostname, &why);
	if (err == E_OK &&
	    mailpath_file(f->name, j->arrival, j->msgid, j->index[i], conf->hostname) == E_OK)
		return;
	f->skip = 1;
	/* An address that names no mailbox stays so; a path can be corrected. */
	r.outcome = err == E_SYNTAX ? OUT_PERMFAIL : OUT_TEMPFAIL;
	r.enhanced = err == E_SYNTAX ? (struct enhanced){ 5, 1, 3 } : (struct enhanced){ 4, 3, 5 };
	snprintf(r.text, sizeof(r.text), "%s", why);
	job_result(j, &r, "maildir");
}

static void
mailbox_begin(struct job *j)
{
	struct mailbox_work *w;

	if (j->hop != HOP_MAILDIR) {
		mailbox_refuse(j, STAGE_ROUTE, (struct enhanced){4, 3, 5},
		    "this process writes mailboxes only");
		return;
	}
	if ((w = calloc(1, sizeof(*w) + j->nrcpt * sizeof(w->file[0]))) == NULL) {
		mailbox_refuse(j, STAGE_ROUTE, (struct enhanced){ 4, 3, 0 }, "out of memory");
		return;
	}
	w->req.data = w;
	w->job = j;
	w->rootfd = j->d->rootfd;
	w->uid = j->d->uid;
	w->sender = j->mail.sender;
	w->rcpt = j->rcpt;
	w->nfile = j->nrcpt;
	j->work = w;
	if (j->mail.body == BODY_BINARY) {
		if ((w->conv = malloc(sizeof(*w->conv))) == NULL) {
			mailbox_refuse(j, STAGE_ROUTE, (struct enhanced){ 4, 3, 0 }, "out of memory");
			return;
		}
		w->conv->n = 0;
		mime_init(&w->conv->mime, 0, conv_out, w);
	}
	j->state = JOB_WAIT;
	for (uint32_t i = 0; i < j->nrcpt; i++)
		mailbox_place(j, i);
	/* Addresses that name no mailbox say nothing of the others at this destination. */
	j->reached = REACHED;
	if (j->nopen == 0)
		mailbox_over(j);
	else
		mailbox_kick(j);
}

static int
mailbox_abort(struct job *j)
{
	if (j->queued) {
		TAILQ_REMOVE(&j->d->ready, j, link);
		j->queued = 0;
	}
	if (!j->working && (j->work == NULL || !j->work->open)) {
		work_free(j);
		return (1);
	}
	j->aborted = 1;
	mailbox_kick(j);
	return (0);
}

/* What a thread holds is finished; what has not begun is for the next process. */
static void
mailbox_stop(struct deliver *d)
{
	struct job *j;

	TAILQ_FOREACH(j, &d->jobs, all) {
		if (j->state == JOB_OVER || j->state == JOB_RCPTS || j->working || j->aborted ||
		    (j->work != NULL && j->work->open))
			continue;
		if (j->queued) {
			TAILQ_REMOVE(&d->ready, j, link);
			j->queued = 0;
		}
		mailbox_refuse(
		    j, STAGE_ROUTE, (struct enhanced){4, 3, 2}, "this server is stopping");
	}
}

static void
mailbox_tick(struct deliver *d, uint64_t now_ms)
{
	/* Disk work has no deadline: a file is finished or fails. */
}

static int
mailbox_busy(const struct deliver *d)
{
	return (0);
}

static void
mailbox_conf(struct deliver *d, const struct conf *old)
{
	/* Each job reads the snapshot in use. */
}

static void
nothing(uv_work_t *req)
{
}

static void
nothing_done(uv_work_t *req, int status)
{
}

void
mailbox_open(struct deliver *d)
{
	static uv_work_t first;

	d->rootfd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->rootfd == -1 && errno == EACCES)		/* above the directories of the maildirs */
		d->rootfd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->rootfd == -1)
		log_fatal("cannot open the directory of the mailboxes");
	if (setenv("UV_THREADPOOL_SIZE", THREADS, 1) == -1)
		log_fatal("out of memory");
	/* The first piece of work starts all threads: a limit or a filter that forbids them shows
	 * now. */
	if (uv_queue_work(&d->room.loop, &first, nothing, nothing_done) != 0)
		log_fatal("cannot start threads");
}

const struct role_ops mailbox_ops = {
	.begin = mailbox_begin,
	.body = mailbox_kick,
	.abort = mailbox_abort,
	.tick = mailbox_tick,
	.stop = mailbox_stop,
	.conf = mailbox_conf,
	.busy = mailbox_busy,
};
