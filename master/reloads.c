/*
 * reloads.c -- a new configuration, checked, passed round and put in force as a whole or not at all (G8).  Shell.
 *
 * reload.c decides; reloads_do() is the one place that does what it says.  The first load at the start is
 * the same check with nobody to pass it to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "master/logs.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/places.h"

static void	reloads_do(struct master *, enum reload_action);

/* One log line for each line of the report. */
static void
log_report(const char *what, const char *text)
{
	const char *end;

	for (; *text != '\0'; text = *end != '\0' ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		log_warn("%s: %.*s", what, (int)(end - text), text);
	}
}

static void
next_drop(struct master *m)
{
	conf_free(m->next_conf);
	m->next_conf = NULL;
	if (m->next_fd != -1)
		(void)close(m->next_fd);
	m->next_fd = -1;
	key_files_close(&m->next_keys);
	secret_files_close(&m->next_secrets);
}

/* The memory file that the checker wrote and that is sealed now. */
static int
next_take(struct master *m, struct config_job *j)
{
	int err;

	m->next_conf = NULL;
	m->next_fd = j->conf_fd;
	j->conf_fd = -1;
	/* The checker read untrusted syntax: its answer is checked like any message (R2). */
	if ((err = conf_from_memfd(&m->next_conf, m->next_fd)) != E_OK)
		m->next_conf = NULL;
	return (err);
}

/* ---- the first load ---- */

static void
first_done(struct config_job *j, int err)
{
	struct master *m = j->arg;
	struct slice text = buf_slice(&j->text);

	m->job_running = 0;
	if (text.n != 0)
		(void)!write(STDERR_FILENO, text.p, text.n);
	if (err == E_OK && (err = next_take(m, j)) != E_OK)
		log_fatal("the checked configuration cannot be used: %s", err_name(err));
	if (err != E_OK)
		log_fatal("configuration refused");
	(void)buf_add(&m->report, text.p, text.n);
	config_clear(j);
	m->conf = m->next_conf;
	m->blob_fd = m->next_fd;
	m->next_conf = NULL;
	m->next_fd = -1;
	m->generation = 1;
}

void
reloads_first_warnings(struct master *m)
{
	(void)buf_add(&m->report, "", 1);
	if (m->conf->log != LOG_TO_STDERR)	/* there they stand already */
		log_report("configuration", buf_slice(&m->report).p);
	buf_clear(&m->report);
}

void
reloads_first(struct master *m)
{
	m->next_fd = -1;
	m->job_running = 1;
	m->check_began = renewals_clock();
	config_start(&m->job, &m->loop, &m->source, first_done, m);
	while (m->job_running && !m->stopping)
		(void)uv_run(&m->loop, UV_RUN_ONCE);
}

/* ---- a reload ---- */

static void
refuse(struct master *m, const char *text)
{
	if (text[0] != '\0')
		(void)buf_addf(&m->report, "%s\n", text);
}

/* Keys and passwords, and processes that can say whether they fit. */
static int
next_prepare_secrets(struct master *m)
{
	static const struct { unsigned room; const char *what; } rows[] = {
		{ ROOM_KEYS, "the keys" }, { ROOM_AUTH, "the passwords" },
	};
	char err[MASTER_ERR_MAX] = "";
	size_t i;
	int rc;

	if ((rc = key_files_open(&m->next_keys, m->next_conf, err, sizeof(err))) == E_OK)
		rc = secret_files_open(&m->next_secrets, m->next_conf, err, sizeof(err));
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]) && rc == E_OK; i++) {
		if (!(rows[i].room == ROOM_KEYS ? m->next_conf->ncerts != 0 : m->next_conf->auth.needed))
			continue;
		if ((rc = daemons_try(m, rows[i].room, &m->next_trials)) != E_OK)
			(void)snprintf(err, sizeof(err), rc == E_AGAIN ? "postern-%s is being restarted: ask again in a moment" :
			    "postern-%s could not be started to read %s: see the log", room_name(rows[i].room), rows[i].what);
	}
	if (rc != E_OK)
		refuse(m, err);
	return (rc);
}

/* Everything that can fail is done here, while nothing has been said to anybody. */
static int
next_prepare(struct master *m, struct config_job *j)
{
	char err[MASTER_ERR_MAX] = "";
	const char *fixed;
	struct plan plan;
	int rc;

	if ((rc = next_take(m, j)) != E_OK) {
		(void)snprintf(err, sizeof(err), "the checked configuration cannot be used: %s", err_name(rc));
		refuse(m, err);
		return (rc);
	}
	if ((fixed = plan_fixed(m->conf, m->next_conf)) != NULL) {
		(void)snprintf(err, sizeof(err), "%s cannot change while posternd runs: restart it", fixed);
		refuse(m, err);
		return (E_DENIED);
	}
	plan_make(&plan, m->next_conf, m->processors);
	if ((rc = ids_find(&m->next_ids, m->next_conf, err, sizeof(err))) != E_OK ||
	    (rc = dirs_mail(m->next_conf, &m->next_ids, !m->ids.privileged, err, sizeof(err))) != E_OK ||
	    (rc = dirs_drop(m->next_conf, &m->next_ids, !m->ids.privileged, err, sizeof(err))) != E_OK ||
	    (rc = listen_prepare(&m->next_listeners, &m->listeners, m->next_conf, &plan,
	    m->next_ids.admin, err, sizeof(err))) != E_OK)
		refuse(m, err);
	else
		rc = next_prepare_secrets(m);
	return (rc);
}

static uint64_t
running_set(const struct master *m)
{
	uint64_t set = 0;
	unsigned i;

	for (i = 0; i < DAEMONS_MAX; i++) {
		if (daemon_can_hear(&m->daemon[i]) && (m->daemon[i].sv.state == SV_RUNNING || m->daemon[i].trial))
			set |= UINT64_C(1) << i;
	}
	return (set);
}

static void
check_done(struct config_job *j, int err)
{
	struct master *m = j->arg;

	m->job_running = 0;
	(void)buf_add(&m->report, buf_slice(&j->text).p, j->text.len);
	if (err == E_OK) {
		err = next_prepare(m, j);
		if (err != E_OK)
			next_drop(m);
	}
	config_clear(j);
	reloads_do(m, reload_checked(&m->reload, err == E_OK, m->generation + 1, running_set(m),
	    now_mono_ms()));
}

static void
send_conf(struct master *m)
{
	unsigned i;

	for (i = 0; i < DAEMONS_MAX; i++) {
		if ((m->reload.waiting & UINT64_C(1) << i) == 0)
			continue;
		if (m->daemon[i].item.room == ROOM_KEYS)
			channel_send_keys(&m->daemon[i], &m->next_keys, m->reload.generation);
		if (m->daemon[i].item.room == ROOM_AUTH)
			channel_send_secrets(&m->daemon[i], &m->next_secrets, m->reload.generation);
		channel_send_conf(&m->daemon[i], m->next_fd, m->reload.generation);
	}
}

/* smtpd learns what ended before what is new: a listener that moved keeps its name. */
static void
send_listeners(struct daemon *d, const struct listeners *old, const struct listeners *new)
{
	size_t i;

	for (i = 0; i < old->n; i++) {
		if (old->l[i].role == d->item.role && listen_find(new, &old->l[i]) == NULL)
			channel_send_listener_end(d, old, i);
	}
	for (i = 0; i < new->n; i++) {
		if (new->l[i].role == d->item.role && listen_find(old, &new->l[i]) == NULL)
			channel_send_listener(d, new, i);
	}
}

static void
trials_passed(struct master *m)
{
	uint64_t set = m->next_trials;
	unsigned i;

	m->next_trials = 0;
	for (i = 0; i < DAEMONS_MAX; i++) {
		if ((set & UINT64_C(1) << i) == 0)
			continue;
		m->daemon[i].trial = 0;
		channel_send_log(&m->daemon[i]);
	}
	if (set != 0)
		channels_join(m, set);
}

static void
trials_failed(struct master *m)
{
	unsigned i;

	for (i = 0; i < DAEMONS_MAX; i++) {
		if ((m->next_trials & UINT64_C(1) << i) != 0)
			daemon_trial_failed(&m->daemon[i]);
	}
	m->next_trials = 0;
}

static void
commit(struct master *m)
{
	struct conf *old = m->conf;
	struct daemon *d;
	unsigned i;
	int fd;

	for (i = 0; i < DAEMONS_MAX; i++) {
		d = &m->daemon[i];
		if (!daemon_can_hear(d))
			continue;
		if (d->generation != m->reload.generation)
			channel_send_conf(d, m->next_fd, m->reload.generation);
		channel_send_use(d, m->reload.generation);
		if (d->item.room == ROOM_SMTPD)
			send_listeners(d, &m->listeners, &m->next_listeners);
	}
	/* The sockets are on their way as duplicates: ours may close. */
	listen_commit(&m->next_listeners, &m->listeners);
	(void)close(m->blob_fd);
	m->conf = m->next_conf;
	m->blob_fd = m->next_fd;
	m->ids = m->next_ids;
	key_files_close(&m->keys);
	m->keys = m->next_keys;
	m->next_keys.n = 0;
	secret_files_close(&m->secrets);
	m->secrets = m->next_secrets;
	m->next_secrets.n = 0;
	m->generation = m->reload.generation;
	m->next_conf = NULL;
	m->next_fd = -1;
	places_write(m->conf);
	if (old->log != m->conf->log) {
		if ((fd = logs_open(m->conf->log)) != -1)
			log_use(m->conf->log, fd);
		for (i = 0; i < DAEMONS_MAX; i++)
			channel_send_log(&m->daemon[i]);
	}
	tickets_follow(m);
	renewals_follow(m);
	dovecot_follow(m);
	daemons_replan(m, old);
	channels_follow(m, old);
	trials_passed(m);
	conf_free(old);
}

static void
over(struct master *m, int ok)
{
	const char *text;

	(void)uv_timer_stop(&m->reload_timer);
	(void)buf_add(&m->report, "", 1);
	text = m->report.len > 0 ? buf_slice(&m->report).p : "";
	log_report("reload", text);
	if (ok)
		log_info("reload done generation=%llu listeners=%zu", (unsigned long long)m->generation,
		    m->conf->nlisteners);
	else
		log_warn("reload refused: the configuration in force stays (generation=%llu)",
		    (unsigned long long)m->generation);
	notify_send("READY=1\nSTATUS=%s", ok ? "serving" : "serving; the last reload was refused");
	control_reloaded(m, m->reload.round, ok, text);
	buf_clear(&m->report);
	reloads_do(m, reload_over(&m->reload));
}

static void
reload_timeout(uv_timer_t *t)
{
	reloads_tick(t->data);
}

static void
reloads_do(struct master *m, enum reload_action action)
{
	switch (action) {
	case RELOAD_NOTHING:
		break;
	case RELOAD_CHECK:
		log_info("reload begins");
		notify_send("RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
		    (unsigned long long)(uv_hrtime() / 1000));
		m->job_running = 1;
		m->check_began = renewals_clock();
		config_start(&m->job, &m->loop, &m->source, check_done, m);
		break;
	case RELOAD_SEND:
		uv_update_time(&m->loop);
		(void)uv_timer_start(&m->reload_timer, reload_timeout, RELOAD_READY_MS, 0);
		send_conf(m);
		break;
	case RELOAD_COMMIT:
		commit(m);
		over(m, 1);
		break;
	case RELOAD_ABORT:
		/* After a failed check nothing is there to drop, which these know. */
		listen_abort(&m->next_listeners);
		next_drop(m);
		trials_failed(m);
		over(m, 0);
		break;
	}
}

void
reloads_request(struct master *m, const char *who, uint64_t *round)
{
	uint64_t dummy;

	log_info("reload asked for by %s", who);
	reloads_do(m, reload_request(&m->reload, round != NULL ? round : &dummy));
}

void
reloads_conf_ready(struct daemon *d, const struct ipc_conf_ready *r)
{
	struct master *m = d->m;

	if (r->err != E_OK && m->reload.state == RELOAD_READYING && r->generation == m->reload.generation)
		(void)buf_addf(&m->report, "daemon %s cannot use it: %s\n", d->name,
		    r->why[0] != '\0' ? r->why : err_name(r->err));
	else if (r->err != E_OK)	/* of what is in force: it ends now, and tries again */
		log_warn("daemon %s cannot use the configuration: %s", d->name,
		    r->why[0] != '\0' ? r->why : err_name(r->err));
	reloads_do(m, reload_ready(&m->reload, d->slot, r->generation, r->err == E_OK));
}

void
reloads_gone(struct daemon *d)
{
	struct master *m = d->m;
	uint64_t bit = UINT64_C(1) << d->slot;

	/* Any other's successor is given what is in force then; but nobody else can tell whether these can be used. */
	if ((d->item.room == ROOM_KEYS || d->item.room == ROOM_AUTH) && m->reload.state == RELOAD_READYING && (m->reload.waiting & bit) != 0) {
		(void)buf_addf(&m->report, "daemon %s ended before it had read the %s\n", d->name,
		    d->item.room == ROOM_KEYS ? "keys" : "passwords");
		reloads_do(m, reload_ready(&m->reload, d->slot, m->reload.generation, 0));
	} else
		reloads_do(m, reload_gone(&m->reload, d->slot));
}

void
reloads_tick(struct master *m)
{
	unsigned i;

	if (m->reload.state != RELOAD_READYING)
		return;
	for (i = 0; i < DAEMONS_MAX; i++) {
		if ((m->reload.waiting & UINT64_C(1) << i) != 0)
			(void)buf_addf(&m->report, "daemon %s did not answer\n", m->daemon[i].name);
	}
	reloads_do(m, reload_tick(&m->reload, m->reload.due_ms));
}
