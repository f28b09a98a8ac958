/*
 * main.c -- posternd: checks the configuration, binds the listeners, starts the daemons and keeps them.
 *
 * On no data path (R14): its inputs are the configuration, fixed-size messages and wait statuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/siphash.h"
#include "common/version.h"
#include "master/drop.h"
#include "master/logs.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/options.h"
#include "master/pidfile.h"
#include "master/places.h"

static struct master master;	/* large, and there is one */

/* Directories, locks and sockets: what must be ours before any daemon lives. */
static void
open_resources(struct master *m)
{
	char err[MASTER_ERR_MAX];
	static struct listeners fresh;
	struct plan plan;

	plan_make(&plan, m->conf, m->processors);
	if (ids_find(&m->ids, m->conf, err, sizeof(err)) != E_OK ||
	    dirs_base(m->conf, &m->ids, err, sizeof(err)) != E_OK ||
	    pidfile_lock(&m->pid_fd, m->conf->runtime, err, sizeof(err)) != E_OK ||
	    lifelock_take(&m->life_fd, m->conf->directory, err, sizeof(err)) != E_OK ||
	    dirs_spool(m->conf, &m->ids, err, sizeof(err)) != E_OK ||
	    dirs_mail(m->conf, &m->ids, 1, err, sizeof(err)) != E_OK ||
	    dirs_drop(m->conf, &m->ids, 1, err, sizeof(err)) != E_OK ||
	    listen_prepare(&fresh, &m->listeners, m->conf, &plan, m->ids.admin, err,
	    sizeof(err)) != E_OK ||
	    control_open(m, err, sizeof(err)) != E_OK)
		log_fatal("%s", err);
	listen_commit(&fresh, &m->listeners);
	places_write(m->conf);
}

static void
use_log(struct master *m)
{
	int fd = logs_open(m->conf->log);

	if (fd != -1)
		log_use(m->conf->log, fd);
	else
		log_warn("no log daemon answers: lines go to standard error until one does");
}

int
main(int argc, char **argv)
{
	struct master *m = &master;
	char err[MASTER_ERR_MAX];

	log_open("posternd");
	m->control_fd = m->pid_fd = m->life_fd = m->blob_fd = m->next_fd = m->ready_fd = -1;
	buf_init(&m->report, (size_t)CONFIG_ERRORS_MAX * 2);
	options_parse(m, argc, argv);
	options_environment(m);			/* reads what is wanted of it, then there is none */
	if (!m->foreground)
		m->ready_fd = options_detach();	/* the parent waits for READY */
	(void)umask(022);
	drop_raise_limits();
	if (getrandom(&m->boot, sizeof(m->boot), 0) != (ssize_t)sizeof(m->boot))
		log_fatal("getrandom: %s", strerror(errno));
	siphash_seed();
	m->processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (uv_loop_init(&m->loop) != 0)
		log_fatal("no event loop");
	signals_start(m);
	daemons_init(m);
	reloads_first(m);			/* fatal if the configuration is refused */
	if (m->stopping)
		return (m->status);
	open_resources(m);
	drop_enter();
	if (key_files_open(&m->keys, m->conf, err, sizeof(err)) != E_OK ||	/* with the rights that a reload will have */
	    secret_files_open(&m->secrets, m->conf, err, sizeof(err)) != E_OK)
		log_fatal("%s", err);
	use_log(m);
	reloads_first_warnings(m);
	tickets_follow(m);
	renewals_follow(m);
	daemons_start(m);
	(void)uv_run(&m->loop, UV_RUN_DEFAULT);	/* until stops.c ends it */
	control_close(m);
	listen_close(&m->listeners);
	pidfile_remove(m->pid_fd, m->conf->runtime);
	tickets_forget(m);
	log_info("stopped");
	log_flush();
	return (m->status);
}
