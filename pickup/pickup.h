/*
 * pickup.h -- the shell of pickup: from the drop directory to smtpd.
 *
 * One struct pickup per process.  A job is one file that is being submitted: its head is read, its sum checked, then it
 * is spoken to an smtpd by SMTP over a stream whose other end that smtpd was sent.  The file goes only after the 250.
 *
 *	scan.c		what is in the directory
 *	job.c		a file's way from its first octet to its end
 *	talk.c		its conversation with smtpd
 *	file.c		opening, checking, putting aside, removing
 *	after.c		what is left to do when not all went well: notices, and recipients that wait
 *
 * Files are read and written in the loop, at most WORK_SLICE octets of a file in one turn: nobody waits for this process
 * but the files themselves.
 */
#ifndef PICKUP_PICKUP_H
#define PICKUP_PICKUP_H

#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "common/arena.h"
#include "common/drop_write.h"
#include "common/ipc.h"
#include "common/room.h"
#include "common/submit.h"
#include "pickup/owners.h"
#include "common/verdict.h"

#define WORK_SLICE	65536u		/* octets of a file in one turn of the loop */
#define SCAN_SLICE	256		/* names of the directory in one turn */
#define SCAN_MS		60000u		/* the directory is looked through this often, whatever inotify says */
#define AGAIN_MS	1000u		/* after a lost conversation; doubled each time up to SCAN_MS */
#define TALK_MS		600000u		/* silence of smtpd; RFC 5321 4.5.3.2.6 */
#define STALE_S		86400		/* a temporary file so old belongs to nobody any more */
#define LEFT_MAX	256		/* files that cannot be put aside, remembered so as to be logged once */
#define HEADER_KEEP	16384u		/* octets of a message kept for a notice */
#define SMTPDS_MAX	16		/* master/plan.h's */

struct pickup;

enum job_step { JOB_FREE, JOB_HEAD, JOB_SUM, JOB_READY, JOB_TALK };

struct job {
	struct pickup	*p;
	enum job_step	 step;
	uint32_t	 owner;		/* of the file; what owners.h knows it by */
	uint32_t	 uid;		/* who it is from, for smtpd */
	char		 name[DROP_NAME_LEN + 1];
	int		 fd;
	int64_t		 since;		/* epoch seconds: st_ctime, which its owner cannot set */
	uint64_t	 size;		/* of the file */
	uint64_t	 body_len;
	uint64_t	 at;		/* octet of the file that is read next */
	uint64_t	 sum, found;	/* as its last line has it, and as it is */
	struct arena	 mem;
	struct buf	 head;		/* octets from the start of the file, until it is parsed; then of the message */
	struct drop_head drop;

	/* JOB_TALK */
	struct submit	 talk;
	struct buf	 out;
	uv_poll_t	 poll;
	uv_timer_t	 timer;
	int		 sock;
	int		 events;
	unsigned	 closing;	/* handles still to be closed */
	enum verdict	 verdict;
	int		 notice_ready;	/* written under a temporary name */
	int		 rest_ready;
	struct drop_writer notice, rest;
	int		 ending;	/* QUIT was said, or is not worth saying */
};

struct pickup {
	struct room	*room;
	uint32_t	 self;		/* our uid */
	int		 notify_fd, watch;
	int		 new_fd, bad_fd;
	uv_poll_t	 notify;
	uv_timer_t	 scan_timer, again_timer;
	uv_idle_t	 work;
	void		*dir;		/* DIR of the pass that is under way; NULL */
	int		 scan_wanted;
	uint64_t	 finished;	/* files that went since the pass began */
	uint32_t	 again_ms;	/* the next wait after a lost conversation */
	int		 resting;	/* no new conversation before again_timer */
	int		 stopping;
	size_t		 bad_count;
	size_t		 nleft;
	uint64_t	 left[LEFT_MAX];	/* of inode number and name */
	struct owners	 owners;
	struct job	 job[PICKUP_SESSIONS_MAX];
	struct ipc	*smtpd[SMTPDS_MAX];
	size_t		 turn;		/* whose turn it is */
	uint64_t	 counter[8];
};

enum {				/* counters of PONG; see postern-pickup(8) */
	COUNT_SENT, COUNT_LATER, COUNT_FAILED, COUNT_BAD, COUNT_LOST,
};

extern const struct sandbox	pickup_sandbox;

/* scan.c */
void	scan_open(struct pickup *);		/* after the sandbox */
void	scan_begin(struct pickup *);
void	scan_slice(struct pickup *);		/* one turn's part of a pass */
void	scan_if_drained(struct pickup *);

/* job.c */
void	pickup_init(struct pickup *, struct room *);	/* before the sandbox */
void	pump(struct pickup *);			/* begin what may begin */
void	work_wake(struct pickup *);
void	job_end(struct job *, int again);	/* the file's fate is settled, or it is to be taken again */
void	job_bad(struct job *, const char *why);	/* it is no message after all */
void	leave_if_idle(struct pickup *);

/* talk.c */
void	talk_begin(struct job *);
void	talk_end(struct job *);			/* close it; the job's place is free when its handles are closed */
void	smtpd_peer(struct pickup *, const struct ipc_channel *, int fd);

/* file.c: E_OK, or E_AGAIN (gone, or not now), E_CORRUPT with why (it was put aside), E_IO. */
int	file_open(struct job *, const char **why);
int	file_read_head(struct job *, const char **why);		/* E_AGAIN: another slice */
int	file_sum(struct job *, const char **why);		/* E_AGAIN: another slice */
ssize_t	file_read(struct job *, void *, size_t);		/* of the message, from job->at on; 0 at its end, -1 */
void	file_aside(struct pickup *, const char *name, uint64_t ino, uint32_t uid, const char *why);
int	file_remove(struct pickup *, const char *name);
int	file_is_left(const struct pickup *, const char *name, uint64_t ino);
void	file_done(struct job *);	/* submitted, and cannot be removed: not looked at again */

/* after.c */
int	after_prepare(struct job *);		/* before DATA: what must be there before the message goes */
int	after_body(struct job *, struct slice);	/* octets of the message as they are sent */
int	after_body_end(struct job *);		/* before the final dot: it is durable */
enum after { AFTER_GONE, AFTER_LATER, AFTER_BAD };	/* the file went; waits; nobody can be told: to be put aside */
/* The verdict is known: name the files, remove the message, log. */
enum after after_settle(struct job *);
int	after_is_servers(const struct job *);	/* what was refused for now was so for the server's own state */
void	after_discard(struct job *);		/* what was prepared is not needed */

#endif
