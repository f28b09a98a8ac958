/*
 * daemons.c -- start, watch and end the daemons.  Shell.
 *
 * supervise.c decides; daemon_event() is the one place that feeds it and does what it says.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/spawn.h"

static void	daemon_do(struct daemon *, enum sv_action);

static const char *
room_program(unsigned room)
{
	switch (room) {
	case ROOM_SMTPD:
		return ("postern-smtpd");
	case ROOM_QUEUE:
		return ("postern-queue");
	case ROOM_RESOLVER:
		return ("postern-resolver");
	case ROOM_PICKUP:
		return ("postern-pickup");
	case ROOM_KEYS:
		return ("postern-keys");
	case ROOM_AUTH:
		return ("postern-auth");
	case ROOM_PAM:
		return ("postern-pam");
	default:
		return ("postern-deliver");
	}
}

static void
daemon_timer(uv_timer_t *t)
{
	struct daemon *d = t->data;

	daemon_event(d, SV_TICK);
}

/* The timer follows the machine: set for what it wants next. */
static void
daemon_arm(struct daemon *d)
{
	uint64_t due = supervise_due(&d->sv), now = now_mono_ms();

	if (!d->used || due == UINT64_MAX) {
		(void)uv_timer_stop(&d->timer);
		return;
	}
	uv_update_time(&d->m->loop);
	(void)uv_timer_start(&d->timer, daemon_timer, due > now ? due - now : 0, 0);
}

void
daemon_event(struct daemon *d, enum sv_event event)
{
	enum sv_action action;

	action = supervise_event(&d->sv, event, now_mono_ms());
	daemon_do(d, action);
	daemon_arm(d);
}

void
daemons_init(struct master *m)
{
	unsigned i;

	for (i = 0; i < DAEMONS_MAX; i++) {
		m->daemon[i].m = m;
		m->daemon[i].slot = i;
		(void)uv_timer_init(&m->loop, &m->daemon[i].timer);
		m->daemon[i].timer.data = &m->daemon[i];
	}
}

static struct daemon *
daemon_add(struct master *m, const struct plan_item *item)
{
	struct daemon *d;
	unsigned i;

	for (i = 0; i < DAEMONS_MAX; i++) {
		d = &m->daemon[i];
		if (d->used && d->item.room == item->room && d->item.instance == item->instance &&
		    d->item.role == item->role)
			return (d);
	}
	for (i = 0; i < DAEMONS_MAX && m->daemon[i].used; i++)
		;
	if (i == DAEMONS_MAX)
		return (NULL);
	d = &m->daemon[i];
	d->used = 1;
	d->removed = 0;
	d->item = *item;
	d->pid = 0;
	d->want_log = 0;
	d->dovecot = (struct dovecot){ .wanted = 0 };
	d->trial = 0;
	d->why = NULL;
	supervise_init(&d->sv);
	d->sv.stop_ms = plan_stop_ms(item->room);
	(void)snprintf(d->name, sizeof(d->name), "%s%s[%u]", room_name(item->room),
	    role_suffix(item->role), (unsigned)item->instance);
	return (d);
}

static void
daemon_failed(struct daemon *d, const char *what)
{
	log_warn("daemon %s %s", d->name, what);
	daemon_event(d, SV_EXIT);
}

/* Fork, exec and the first messages.  The channels to peers and GO are channels_join()'s. */
static int
daemon_spawn(struct daemon *d)
{
	const char *program = room_program(d->item.room);
	char path[MASTER_PATH_MAX];
	char *argv[2] = { (char *)program, NULL };	/* execve() takes char *, and changes nothing */
	int pair[2], fds[5] = { -1, -1, STDERR_FILENO, -1, d->m->life_fd };

	d->why = NULL;
	if (spawn_find(path, sizeof(path), program) != E_OK) {
		log_warn("%s: not found beside posternd nor in %s", program, LIBEXECDIR);
		return (E_NOTFOUND);
	}
	if (ipc_pair(pair) != E_OK) {
		log_warn("daemon %s: no channel: %s", d->name, strerror(errno));
		return (E_IO);
	}
	fds[3] = pair[1];
	if (spawn_run(&d->pid, path, argv, fds, 5) != E_OK) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return (E_IO);
	}
	(void)close(pair[1]);
	d->since = (int64_t)time(NULL);
	d->dovecot.wanted = 0;	/* the new one asks itself */
	d->rejoin = 0;		/* it gets new channels anyway */
	log_info("daemon %s started pid=%ld", d->name, (long)d->pid);
	if (channel_open(d, pair[0]) != E_OK) {
		(void)kill(d->pid, SIGKILL);	/* its end will be seen as a crash */
		return (E_OK);
	}
	channel_greet(d);
	return (E_OK);
}

void
daemons_start(struct master *m)
{
	struct plan plan;
	struct daemon *d;
	uint64_t set = 0;
	size_t i;

	plan_make(&plan, m->conf, m->processors);
	for (i = 0; i < plan.n; i++) {
		if ((d = daemon_add(m, &plan.item[i])) == NULL)
			continue;
		if (supervise_event(&d->sv, SV_START, now_mono_ms()) != SV_DO_SPAWN)
			continue;
		if (daemon_spawn(d) != E_OK) {
			(void)supervise_event(&d->sv, SV_STOP, now_mono_ms());
			(void)supervise_event(&d->sv, SV_EXIT, now_mono_ms());
			channels_join(m, set);		/* so that they hear STOP */
			ready_failed(m);
			return;
		}
		set |= UINT64_C(1) << d->slot;
		daemon_arm(d);
	}
	/* All at once, so that queue knows all its peers before it schedules anything. */
	channels_join(m, set);
}

void
daemons_replan(struct master *m, const struct conf *old)
{
	struct plan plan;
	struct daemon *d;
	uint64_t keep = 0;
	size_t i;
	unsigned k;

	plan_make(&plan, m->conf, m->processors);
	for (i = 0; i < plan.n; i++) {
		if ((d = daemon_add(m, &plan.item[i])) == NULL)
			continue;
		keep |= UINT64_C(1) << d->slot;
		if (d->removed) {
			d->removed = 0;		/* wanted again while it was leaving */
			daemon_event(d, SV_RECYCLE);
		} else if (d->sv.state == SV_IDLE || d->sv.state == SV_FAILED)
			daemon_event(d, SV_START);
		else if (plan_must_restart(&d->item, old, m->conf)) {
			log_info("daemon %s restarts for its new settings", d->name);
			daemon_event(d, SV_RECYCLE);
		}
	}
	for (k = 0; k < DAEMONS_MAX; k++) {
		d = &m->daemon[k];
		if (!d->used || (keep & (UINT64_C(1) << k)) != 0 || d->removed)
			continue;
		d->removed = 1;
		daemon_event(d, SV_STOP);
	}
}

/*
 * A snapshot is not put in force before postern-keys has read its keys, and postern-auth its passwords (G8).  Where that runs
 * it is asked as all others are.  Where it does not, one is started with that snapshot alone, and serves if all goes well.
 */
int
daemons_try(struct master *m, unsigned room, uint64_t *trials)
{
	const struct plan_item item = { .room = room };
	struct daemon *d;

	if ((d = daemon_add(m, &item)) == NULL)
		return (E_LIMIT);
	if (d->sv.state == SV_RUNNING && !d->removed)
		return (E_OK);
	/* What it cannot use may be what this snapshot mends: a key that was written over, and was no certificate's then. */
	d->again = d->sv.state == SV_BACKOFF || d->sv.state == SV_FAILED;
	if (d->sv.state == SV_BACKOFF)
		(void)supervise_event(&d->sv, SV_STOP, now_mono_ms());
	if (d->sv.state != SV_IDLE && d->sv.state != SV_FAILED)
		return (E_AGAIN);
	d->trial = 1;
	d->removed = 0;
	(void)supervise_event(&d->sv, SV_START, now_mono_ms());
	if (daemon_spawn(d) != E_OK) {
		daemon_trial_failed(d);
		return (E_IO);
	}
	daemon_arm(d);
	*trials |= UINT64_C(1) << d->slot;
	return (E_OK);
}

int
daemons_can_judge(const struct master *m)
{
	const struct daemon *d;

	for (d = m->daemon; d < m->daemon + DAEMONS_MAX; d++) {
		if (d->used && (d->item.room == ROOM_KEYS || d->item.room == ROOM_AUTH) && d->sv.state != SV_IDLE &&
		    d->sv.state != SV_RUNNING && d->sv.state != SV_BACKOFF && d->sv.state != SV_FAILED)
			return (0);
	}
	return (1);
}

void
daemon_trial_failed(struct daemon *d)
{
	d->trial = 0;
	if (d->again) {			/* the snapshot in force wants it all the same */
		if (d->pid != 0)
			daemon_event(d, SV_RECYCLE);
		else if (d->sv.state != SV_BACKOFF) {
			(void)supervise_event(&d->sv, SV_STOP, now_mono_ms());
			(void)supervise_event(&d->sv, SV_EXIT, now_mono_ms());
			daemon_event(d, SV_START);
		}
		return;
	}
	d->removed = 1;
	if (d->pid == 0) {	/* there is no end to wait for */
		(void)supervise_event(&d->sv, SV_STOP, now_mono_ms());
		daemon_event(d, SV_EXIT);
	} else
		daemon_event(d, SV_STOP);
}

struct daemon *
daemons_find(struct master *m, unsigned room)
{
	unsigned i;

	for (i = 0; i < DAEMONS_MAX; i++) {
		if (m->daemon[i].item.room == room && daemon_can_hear(&m->daemon[i]) &&
		    m->daemon[i].sv.state == SV_RUNNING)
			return (&m->daemon[i]);
	}
	return (NULL);
}

void
daemon_broken(struct daemon *d, const char *why)
{
	d->why = why;
	daemon_event(d, SV_BROKEN);
}

static void
daemon_signal(struct daemon *d, int sig)
{
	if (d->pid != 0 && kill(d->pid, sig) == -1)
		log_warn("daemon %s: kill: %s", d->name, strerror(errno));
}

static void
daemon_gone(struct daemon *d)
{
	if (d->removed) {
		d->used = 0;
		(void)uv_timer_stop(&d->timer);
	}
	if (d->m->stopping)
		stops_advance(d->m);
}

static void
daemon_do(struct daemon *d, enum sv_action action)
{
	struct ipc_stop stop = { .within_ms = d->sv.stop_ms };
	struct ipc_ping ping;

	switch (action) {
	case SV_NOTHING:
		break;
	case SV_DO_SPAWN:
		if (daemon_spawn(d) != E_OK)
			daemon_failed(d, "could not be started");
		else
			channels_join(d->m, UINT64_C(1) << d->slot);
		break;
	case SV_DO_PING:
		ping.seq = ++d->ping_seq;
		if (daemon_can_hear(d))
			(void)ipc_send(d->ch, PING, ping, &ping);
		break;
	case SV_DO_STOP:
		log_info("daemon %s asked to leave pid=%ld", d->name, (long)d->pid);
		if (daemon_can_hear(d))
			(void)ipc_send(d->ch, STOP, stop, &stop);
		else
			daemon_signal(d, SIGTERM);
		break;
	case SV_DO_TERM:
		log_warn("daemon %s does not leave: SIGTERM pid=%ld", d->name, (long)d->pid);
		daemon_signal(d, SIGTERM);
		break;
	case SV_DO_KILL:
		if (d->why == NULL)
			d->why = d->ch == NULL ? "closed its channel and stayed" :
			    "did not answer in time";
		log_warn("daemon %s killed pid=%ld reason=\"%s\"", d->name, (long)d->pid, d->why);
		daemon_signal(d, SIGKILL);
		break;
	case SV_DO_BACKOFF:
		if (d->m->started && !d->m->stopping)
			log_warn("daemon %s starts again in %u ms", d->name, d->sv.backoff_ms);
		break;
	case SV_DO_ALERT:
		log_warn("ALERT: daemon %s stopped: %zu crashes in %u s; the others go on.  "
		    "A reload starts it again", d->name, d->sv.ncrashes, CRASH_WINDOW_MS / 1000);
		notify_send("STATUS=%s stopped after %zu crashes", d->name, d->sv.ncrashes);
		break;
	case SV_DO_GONE:
		daemon_gone(d);
		break;
	}
}

static void
log_end(const struct daemon *d, int status)
{
	if (WIFSIGNALED(status))
		log_info("daemon %s ended pid=%ld signal=%d (%s)", d->name, (long)d->pid,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_info("daemon %s ended pid=%ld status=%d%s", d->name, (long)d->pid,
		    WEXITSTATUS(status), WEXITSTATUS(status) == SPAWN_NOEXEC ?
		    " (it could not be executed)" : "");
}

void
daemons_reaped(struct master *m, pid_t pid, int status)
{
	struct daemon *d;
	unsigned i;
	int asked;

	for (i = 0; i < DAEMONS_MAX; i++) {
		d = &m->daemon[i];
		if (!d->used || d->pid != pid)
			continue;
		log_end(d, status);
		d->pid = 0;
		channel_close(d);
		reloads_gone(d);
		asked = d->sv.state == SV_STOPPING || d->sv.state == SV_RECYCLING;
		if (!m->started && !m->stopping && !asked) {
			/* A start either succeeds as a whole or says so and leaves. */
			(void)supervise_event(&d->sv, SV_STOP, now_mono_ms());
			(void)supervise_event(&d->sv, SV_EXIT, now_mono_ms());
			daemon_arm(d);
			ready_failed(m);
			return;
		}
		daemon_event(d, SV_EXIT);
		if (m->stopping && d->sv.state == SV_BACKOFF)
			daemon_event(d, SV_STOP);
		return;
	}
}
