/*
 * config.h -- from the configuration file to a checked snapshot, by a one-shot unprivileged child.
 *
 * master never parses the text: it opens the file, checks owner and mode, and lets postern-conf
 * read it (uid of its own, no network).  The child writes the snapshot and the tables into a memory file of ours,
 * which is sealed when it has ended: nothing of it goes through our memory.  It has CONFIG_DEADLINE_MS, may write
 * CONF_MEMFD_MAX octets of these (it bounds itself before it reads the text) and CONFIG_ERRORS_MAX octets of
 * messages; more, or a bad exit, is a refusal.
 */
#ifndef MASTER_CONFIG_H
#define MASTER_CONFIG_H

#include <sys/types.h>
#include <uv.h>

#include "common/buf.h"
#include "common/conf.h"

#define CONFIG_DEADLINE_MS	120000u		/* tables of some ten million entries take that long */
#define CONFIG_ERRORS_MAX	16384u

struct config_source {
	const char	*file;		/* read this one; */
	const char	*state_dir;	/* or the embedded defaults with state under here; */
	int		 to_stderr;	/* or an empty configuration, but with log = "stderr" */
};

struct config_job {
	uv_poll_t	 err;		/* the child's stderr */
	uv_timer_t	 deadline;
	int		 conf_fd;	/* the memory file: the child's fd 4; -1 when it was taken */
	int		 err_fd;
	pid_t		 pid;		/* 0 when it was reaped */
	int		 status;	/* of wait(2) */
	unsigned	 open;		/* handles that are not closed yet */
	int		 late;		/* ended by us */
	struct buf	 text;		/* stderr, as it came */
	void		(*done)(struct config_job *, int err);
	void		*arg;
};

/*
 * Starts a check.  done() comes from the loop with E_OK (the sealed memory file is conf_fd: take it, or config_clear() closes it) or
 * E_DENIED, E_SYNTAX, E_TIMEOUT, E_IO (job->text says why: lines that end in LF); config_clear() then.
 * A failure to start is reported in the same way.
 */
void	config_start(struct config_job *, uv_loop_t *, const struct config_source *,
	    void (*done)(struct config_job *, int), void *arg);
/* Tell the job that a child ended.  Non-zero if it was its own. */
int	config_reaped(struct config_job *, pid_t, int status);
void	config_clear(struct config_job *);

#endif
