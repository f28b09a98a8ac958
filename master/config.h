/*
 * config.h -- from the configuration file to a checked snapshot, by a one-shot unprivileged child.
 *
 * master never parses the text: it opens the file, checks owner and mode, and lets postern-conf
 * read it (uid of its own, no network).  The child has CONFIG_DEADLINE_MS, may write CONF_BLOB_MAX octets of
 * snapshot and CONFIG_ERRORS_MAX octets of messages; more, or a bad exit, is a refusal.
 */
#ifndef MASTER_CONFIG_H
#define MASTER_CONFIG_H

#include <sys/types.h>
#include <uv.h>

#include "common/buf.h"
#include "common/conf.h"

#define CONFIG_DEADLINE_MS	30000u
#define CONFIG_ERRORS_MAX	16384u

struct config_source {
	const char	*file;		/* read this one; */
	const char	*state_dir;	/* or the embedded defaults with state under here; */
	int		 to_stderr;	/* or an empty configuration, but with log = "stderr" */
};

struct config_job {
	uv_poll_t	 out, err;	/* the child's fd 4 and stderr */
	uv_timer_t	 deadline;
	int		 out_fd, err_fd;
	pid_t		 pid;		/* 0 when it was reaped */
	int		 status;	/* of wait(2) */
	unsigned	 open;		/* handles that are not closed yet */
	int		 late;		/* ended by us */
	struct buf	 blob;
	struct buf	 text;		/* stderr, as it came */
	void		(*done)(struct config_job *, int err);
	void		*arg;
};

/*
 * Starts a check.  done() comes from the loop with E_OK (the packed snapshot is in job->blob) or
 * E_DENIED, E_SYNTAX, E_TIMEOUT, E_IO (job->text says why: lines that end in LF); config_clear() then.
 * A failure to start is reported in the same way.
 */
void	config_start(struct config_job *, uv_loop_t *, const struct config_source *,
	    void (*done)(struct config_job *, int), void *arg);
/* Tell the job that a child ended.  Non-zero if it was its own. */
int	config_reaped(struct config_job *, pid_t, int status);
void	config_clear(struct config_job *);

#endif
