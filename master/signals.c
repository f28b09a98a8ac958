/*
 * signals.c -- signals and the periodic timers.  Shell.
 *
 * libuv's handlers write one octet into a pipe; everything else happens in the loop (R15).
 */
#include <signal.h>
#include <sys/wait.h>

#include "common/log.h"
#include "master/logs.h"
#include "master/master.h"
#include "master/notify.h"

static void
on_hup(uv_signal_t *s, int sig)
{
	struct master *m = s->data;

	(void)sig;
	if (!m->started || m->stopping)
		return;		/* the start reads the file anyway */
	reloads_request(m, "SIGHUP", NULL);
}

static void
on_term(uv_signal_t *s, int sig)
{
	stops_begin(s->data, sig == SIGINT ? "SIGINT" : "SIGTERM");
}

static void
on_usr1(uv_signal_t *s, int sig)
{
	struct master *m = s->data;

	(void)sig;
	if (m->started && !m->stopping)
		tickets_renew(m);
}

static void
on_child(uv_signal_t *s, int sig)
{
	struct master *m = s->data;
	pid_t pid;
	int status;

	(void)sig;
	/* One signal may stand for many children; as process 1 of a container some are not ours. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!m->job_running || !config_reaped(&m->job, pid, status))
			daemons_reaped(m, pid, status);
	}
}

/* Last thing in each turn: what the turn has to say goes out. */
static void
on_prepare(uv_prepare_t *p)
{
	(void)p;
	ipc_flush_all();
	log_flush();
}

/* A lost log daemon is looked for, for ourselves and for those that asked; so are lost peers. */
static void
on_log_timer(uv_timer_t *t)
{
	struct master *m = t->data;
	unsigned i;
	int fd;

	if (m->conf == NULL)
		return;		/* the first check still runs */
	if (log_need_fd() && (fd = logs_open(m->conf->log)) != -1)
		log_use(m->conf->log, fd);
	for (i = 0; i < DAEMONS_MAX; i++) {
		if (m->daemon[i].used && m->daemon[i].want_log)
			channel_send_log(&m->daemon[i]);
		if (m->daemon[i].used)
			dovecot_try(&m->daemon[i]);
	}
	channels_rejoin(m);
}

static void
on_watchdog(uv_timer_t *t)
{
	(void)t;
	notify_send("WATCHDOG=1");
}

void
signals_start(struct master *m)
{
	uint64_t ms = notify_watchdog_ms();

	(void)signal(SIGPIPE, SIG_IGN);
	(void)uv_prepare_init(&m->loop, &m->prepare);
	(void)uv_prepare_start(&m->prepare, on_prepare);
	(void)uv_signal_init(&m->loop, &m->sig_hup);
	(void)uv_signal_init(&m->loop, &m->sig_term);
	(void)uv_signal_init(&m->loop, &m->sig_int);
	(void)uv_signal_init(&m->loop, &m->sig_chld);
	(void)uv_signal_init(&m->loop, &m->sig_usr1);
	m->sig_hup.data = m->sig_term.data = m->sig_int.data = m->sig_chld.data = m->sig_usr1.data = m;
	if (uv_signal_start(&m->sig_hup, on_hup, SIGHUP) != 0 ||
	    uv_signal_start(&m->sig_term, on_term, SIGTERM) != 0 ||
	    uv_signal_start(&m->sig_int, on_term, SIGINT) != 0 ||
	    uv_signal_start(&m->sig_chld, on_child, SIGCHLD) != 0 ||
	    uv_signal_start(&m->sig_usr1, on_usr1, SIGUSR1) != 0)
		log_fatal("signals cannot be caught");
	(void)uv_timer_init(&m->loop, &m->log_timer);
	(void)uv_timer_init(&m->loop, &m->reload_timer);
	(void)uv_timer_init(&m->loop, &m->watchdog);
	(void)uv_timer_init(&m->loop, &m->ticket_timer);
	(void)uv_timer_init(&m->loop, &m->renewal_timer);
	m->log_timer.data = m->reload_timer.data = m->watchdog.data = m->ticket_timer.data = m->renewal_timer.data = m;
	(void)uv_timer_start(&m->log_timer, on_log_timer, LOG_RETRY_MS, LOG_RETRY_MS);
	if (ms != 0)
		(void)uv_timer_start(&m->watchdog, on_watchdog, ms, ms);
}
