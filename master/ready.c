/*
 * ready.c -- the moment from which everything serves, or the start that failed.  Shell.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/version.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/paths.h"

/* One line that sends a first mail, and where it will be found. */
static void
print_try(const struct master *m)
{
	const struct conf *c = m->conf;
	const struct conf_domain *dom = NULL;
	char addr[NET_ADDR_STRLEN], dir[MASTER_PATH_MAX];
	const struct conf_listener *l;
	size_t i;

	for (i = 0; i < c->ndomains && dom == NULL; i++) {
		if (!c->domains[i].relay && c->domains[i].deliver.kind == HOP_MAILDIR)
			dom = &c->domains[i];
	}
	if (dom == NULL || c->nlisteners == 0 || paths_maildir_of(dir, sizeof(dir),
	    dom->deliver.path, dom->name, "postmaster") != E_OK)
		return;
	l = &c->listeners[0];
	(void)net_addr_str(&l->addr, addr);
	log_flush();
	/* Log lines may have gone to the same file, by another open file. */
	(void)lseek(STDOUT_FILENO, 0, SEEK_END);
	/* curl says what stands behind the last slash in its EHLO; --crlf, since SMTP has no bare LF. */
	(void)printf(net_addr_is4(&l->addr) ?
	    "try: curl smtp://%s:%u/%s --mail-from you@%s --mail-rcpt postmaster@%s --crlf "
	    "--upload-file README.md\nthen look in %s/new/\n" :
	    "try: curl 'smtp://[%s]:%u/%s' --mail-from you@%s --mail-rcpt postmaster@%s --crlf "
	    "--upload-file README.md\nthen look in %s/new/\n",
	    addr, (unsigned)l->port, c->hostname, c->hostname, dom->name, dir);
	(void)fflush(stdout);
}

void
ready_check(struct master *m)
{
	const struct daemon *d;
	unsigned i, n = 0;

	if (m->started || m->stopping)
		return;
	for (i = 0; i < DAEMONS_MAX; i++) {
		d = &m->daemon[i];
		if (!d->used)
			continue;
		if (d->sv.state != SV_RUNNING)
			return;
		n++;
	}
	m->started = 1;
	log_info("ready version=%s daemons=%u listeners=%zu hostname=%s", POSTERN_VERSION, n,
	    m->conf->nlisteners, m->conf->hostname);
	notify_send("READY=1\nMAINPID=%ld\nSTATUS=serving", (long)getpid());
	control_start(m);
	if (m->ready_fd != -1) {
		if (write(m->ready_fd, "", 1) == -1)
			log_warn("the waiting parent has gone");
		(void)close(m->ready_fd);
		m->ready_fd = -1;
		/* From now on lines for the operator go to the log. */
		if (m->conf->log != LOG_TO_STDERR)
			(void)dup2(STDIN_FILENO, STDERR_FILENO);
	}
	if (m->embedded && m->foreground)
		print_try(m);
}

void
ready_failed(struct master *m)
{
	static const char text[] = "posternd: a daemon ended before it was ready; see the log\n";

	m->status = 1;
	log_warn("start failed: a daemon ended before it was ready");
	if (m->conf->log != LOG_TO_STDERR && write(STDERR_FILENO, text, sizeof(text) - 1) == -1)
		log_debug("no standard error");
	stops_begin(m, "the start failed");
}
