/*
 * remote.c -- the role remote: from a job to a connection, over all hosts and addresses.  Shell.
 *
 * A job takes an idle connection of its destination, or dials: address after address, several of
 * one host at once if the first does not answer soon (RFC 8305), host after host.  It waits for a
 * place where the bounds are reached.  Another address is tried after a failed connection, a
 * time-out, a refusal before MAIL, 421, or a lost connection before the final dot, while the whole
 * body is still here.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "deliver/conf_tls.h"
#include "deliver/conn.h"
#include "deliver/remote.h"
#include "deliver/route.h"
#include "deliver/tls.h"
#include "deliver/trial.h"

#define NESTED_MAX                                                                                 \
	16 /* messages that one wake-up of a connection may end without a reply in between */

static void
dest_free(struct pool_dest *dest)
{
	if (dest->arg != NULL)
		route_unref(dest->arg);
}

/* ---- the end of a job ---- */

static void
remote_let_go(struct job *j)
{
	struct pool_dest *dest = j->dest;

	pool_unwait(&j->d->pool, &j->wait);
	while (j->ndial > 0)
		conn_close(j->dial[--j->ndial]);
	if (j->conn != NULL)
		conn_close(j->conn);
	j->conn = NULL;
	if (j->route != NULL) {
		route_unwait(j);
		route_unref(j->route);
		j->route = NULL;
	}
	j->dest = NULL;
	if (dest != NULL)
		pool_dest_put(&j->d->pool, dest);
}

void
remote_job_over(struct job *j)
{
	if (j->provider == 0 && j->route != NULL)
		j->provider = j->route->hosts.provider;
	remote_let_go(j);
	job_over(j);
}

static void
remote_give_up(struct job *j, const struct client_result *r, const char *relay)
{
	job_result_rest(j, r, relay);
	remote_job_over(j);
}

static void
remote_refuse(struct job *j, enum stage stage, struct enhanced e, const char *text)
{
	struct client_result r = { .outcome = OUT_TEMPFAIL, .stage = stage, .enhanced = e };

	if (stage == STAGE_ROUTE)	/* nothing of theirs was asked */
		j->reached = REACHED_UNKNOWN;
	snprintf(r.text, sizeof(r.text), "%s", text);
	remote_give_up(j, &r, "");
}

/* Wait until another job has ended with its connection. */
static void
remote_yield(struct job *j)
{
	j->yielded = 1;
	j->cursor = (struct hosts_cursor){ 0 };
	j->skipped = j->last_pass = 0;
	j->wait.patient = 1;
	j->state = JOB_WAIT;
	pool_wait(&j->d->pool, j->dest, &j->wait);
}

/* Nothing is left to try. */
static void
remote_exhausted(struct job *j)
{
	struct client_result r = { .outcome = OUT_TEMPFAIL };
	struct hosts_fail f;

	if (!j->tried) {
		hosts_why(&j->route->hosts, &f);
		r.outcome = f.outcome;
		r.stage = f.stage;
		r.enhanced = f.enhanced;
		snprintf(r.text, sizeof(r.text), "%s", f.text);
		remote_give_up(j, &r, "");
		return;
	}
	/* Others are being served there: it takes no more at once, and mail need not be late for
	 * that. */
	if (!j->yielded && !j->expired && !j->released && j->fail.stage <= STAGE_HELO &&
	    j->dest->nconn > 0 && !j->d->stopping && job_rewind(j)) {
		pool_full(j->dest, deliver_now(j->d), FULL_MEMORY_MS);
		remote_yield(j);
		return;
	}
	r = j->fail;
	r.outcome = j->all_perm ? OUT_PERMFAIL : OUT_TEMPFAIL;
	if (r.outcome == OUT_TEMPFAIL)
		r.enhanced.cls = 4;
	remote_give_up(j, &r, j->fail_relay);
}

/* ---- dialling ---- */

/*
 * The next address.  A body longer than the window can go to one host only, since its beginning is let
 * go of: so the hosts that broke one off lately come after all others.
 */
static enum hosts_next
remote_pick(struct job *j, struct hosts_cursor *c, size_t *hi, size_t *ai)
{
	enum hosts_next what;

	while ((what = route_next(j->route, c, hi, ai)) == HOSTS_ADDR) {
		if (j->body_len <= JOB_WINDOW ||
		    route_has_broken(j->d, &j->route->hosts.host[*hi].addr[*ai]) == j->last_pass)
			break;
		hosts_mark(c, *ai, 1);
		j->skipped |= !j->last_pass;
	}
	return (what);
}

/* Whether the next attempt has another host to begin with. */
static int
remote_has_other(struct job *j)
{
	struct hosts_cursor peek = j->cursor;
	size_t hi, ai;

	return (j->route != NULL && !j->last_pass && remote_pick(j, &peek, &hi, &ai) == HOSTS_ADDR);
}

/* On to the next address, or to wait for an answer or a place, or to the end. */
void
remote_next(struct job *j)
{
	struct pool_conn *evict;
	size_t hi, ai, had = j->ndial;

	for (;;) {
		switch (j->expired ? HOSTS_END : remote_pick(j, &j->cursor, &hi, &ai)) {
		case HOSTS_WAIT:
			if (j->ndial == 0)
				j->state = JOB_ROUTE;
			route_wait(j->route, j);
			return;
		case HOSTS_END:
			if (j->ndial != 0)
				return;
			if (j->skipped && !j->last_pass && !j->expired) {
				j->last_pass = 1;
				j->cursor = (struct hosts_cursor){ 0 };
				continue;
			}
			remote_exhausted(j);
			return;
		case HOSTS_ADDR:
			break;
		}
		if (had == 0 && !j->yielded && pool_is_full(j->dest, deliver_now(j->d))) {
			remote_yield(j);
			return;
		}
		if (!pool_may_dial(&j->d->pool, j->dest, &evict)) {
			if (evict != NULL) {
				conn_quit((struct conn *)evict);
				continue;
			}
			if (j->ndial != 0)
				return;
			j->state = JOB_WAIT;
			pool_wait(&j->d->pool, j->dest, &j->wait);
			return;
		}
		remote_dial(j, hi, ai);
		if (j->ndial > had)
			return;
	}
}

/* One more address of the same host beside those that do not answer (RFC 8305 5). */
static void
remote_dial_more(struct job *j)
{
	struct hosts_cursor peek = j->cursor;
	size_t hi, ai;

	if (j->ndial == DIALS_MAX || j->on_route ||
	    remote_pick(j, &peek, &hi, &ai) != HOSTS_ADDR || hi != j->dial[0]->host_at)
		return;
	j->next_dial_ms = deliver_now(j->d) + DIAL_DELAY_MS;
	remote_next(j);
}

static void
remote_start(struct job *j, int afresh)
{
	struct pool_conn *pc;

	if (!afresh && (pc = pool_take(&j->d->pool, j->dest)) != NULL) {
		/* A long body does not go where one was broken off while there may be another host. */
		if (j->body_len > JOB_WINDOW && route_has_broken(j->d, &((struct conn *)pc)->addr)) {
			conn_quit((struct conn *)pc);
			remote_start(j, 1);
			return;
		}
		j->d->count[COUNT_REUSED]++;
		j->conn = (struct conn *)pc;
		j->state = JOB_TALK;
		conn_serve(j->conn, j);
		return;
	}
	if ((j->route = route_get(j)) == NULL) {
		remote_refuse(j, STAGE_ROUTE, (struct enhanced){ 4, 3, 0 }, "out of memory");
		return;
	}
	remote_next(j);
}

static void
remote_begin(struct job *j)
{
	if (j->hop != HOP_SMTP && j->hop != HOP_MX) {
		remote_refuse(
		    j, STAGE_ROUTE, (struct enhanced){4, 3, 5}, "this process writes no mailboxes");
		return;
	}
	j->dest = pool_dest_get(&j->d->pool, j->hop, j->host, j->port, j->implicit, j->login);
	if (j->dest == NULL) {
		remote_refuse(j, STAGE_ROUTE, (struct enhanced){ 4, 3, 0 }, "out of memory");
		return;
	}
	remote_start(j, 0);
}

static void
remote_body(struct job *j)
{
	if (j->conn != NULL)
		conn_write_more(j->conn);
}

static int
remote_abort(struct job *j)
{
	struct deliver *d = j->d;

	remote_let_go(j);
	remote_place_free(d);
	return (1);
}

/* ---- what connections say ---- */

void
remote_conn_up(struct conn *c)
{
	struct job *j = c->job;

	/* The others of the same host count as not tried. */
	while (j->ndial > 0) {
		struct conn *o = j->dial[--j->ndial];

		if (o == c)
			continue;
		if (o->host_at == j->cursor.host)
			hosts_mark(&j->cursor, o->addr_at, 0);
		conn_close(o);
	}
	route_unwait(j);
	j->conn = c;
	j->state = JOB_TALK;
	route_remember(c->d, c->host_hash, net_addr_is4(&c->addr));
}

void
remote_conn_failed(struct conn *c, struct job *j, const struct client_result *fail, int stale)
{
	if (j->conn == c)
		j->conn = NULL;
	for (size_t i = 0; i < j->ndial; i++) {
		if (j->dial[i] == c)
			j->dial[i--] = j->dial[--j->ndial];
	}
	if (c->provider != 0)
		j->provider = c->provider;
	if (j->nopen == 0) {
		j->reached = j->yielded ? REACHED_FULL : REACHED;
		remote_job_over(j);
		return;
	}
	if (stale && !j->retried && !j->expired && job_rewind(j)) {
		j->retried = 1;		/* no failed attempt: it had been closed before we came */
		if (j->route == NULL)
			remote_start(j, 1);
		else
			remote_next(j);
		return;
	}
	remote_note_fail(j, fail, c->relay);
	remote_without_tls(j, c, fail);
	if (j->released) {
		route_broke(j->d, &c->addr);
		if (!j->expired && remote_has_other(j))
			j->fail.retry_hint = RETRY_AT_ONCE;
	}
	if (j->ndial > 0) {
		remote_dial_more(j);
		return;
	}
	if (!job_rewind(j) || j->on_route) {
		if (!j->on_route)
			remote_exhausted(j);
		return;
	}
	if (j->route == NULL && (j->route = route_get(j)) == NULL) {
		remote_exhausted(j);
		return;
	}
	remote_next(j);
}

void
remote_conn_free(struct conn *c)
{
	static unsigned nested;
	struct deliver *d = c->d;
	struct pool_waiter *w;
	struct job *j;
	int give_way;

	if (!client_reusable(&c->client) || d->stopping || c->epoch != d->epoch || c->client.in_clear ||
	    deliver_now(d) - c->born_ms > CONN_AGE_MAX_MS) {
		conn_quit(c);
		remote_place_free(d);
		return;
	}
	w = pool_heir(&d->pool, c->pool.dest, &give_way);
	if (give_way) {
		conn_quit(c);
		remote_place_free(d);
		return;
	}
	if (w == NULL || nested == NESTED_MAX) {
		pool_idle(&d->pool, &c->pool, deliver_now(d));
		deliver_tick_on(d);
		return;
	}
	j = (struct job *)w;
	pool_unwait(&d->pool, w);
	w->patient = 0;
	j->conn = c;
	j->state = JOB_TALK;
	d->count[COUNT_REUSED]++;
	nested++;
	conn_serve(c, j);
	nested--;
}

void
remote_place_free(struct deliver *d)
{
	struct pool_waiter *w;
	struct job *j;

	while (!d->stopping && (w = pool_dialer(&d->pool)) != NULL) {
		j = (struct job *)w;
		pool_unwait(&d->pool, w);
		w->patient = 0;
		if (j->route == NULL)
			remote_start(j, 1);
		else
			remote_next(j);
	}
}

/* ---- time ---- */

static void
remote_out_of_time(struct job *j)
{
	enum stage stage = j->state == JOB_ROUTE ? STAGE_DNS : STAGE_CONNECT;
	struct enhanced late = { 4, 4, 7 };

	if (j->state == JOB_WAIT)	/* for others' connections to end: it says nothing bad of the host */
		j->reached = j->yielded ? REACHED_FULL : REACHED_UNKNOWN;
	remote_refuse(j, stage, late, "ran out of time for this attempt");
}

static void
remote_tick_job(struct job *j, uint64_t now_ms)
{
	uint64_t most = j->d->room.conf->deliver.timeouts.total * UINT64_C(1000);

	if (j->probe && j->probe_ms < most)
		most = j->probe_ms;
	if (!j->expired && now_ms - j->start_ms >= most) {
		j->expired = 1;
		if (j->conn != NULL)
			conn_expire(j->conn);
		else
			remote_out_of_time(j);
		return;
	}
	if (j->state == JOB_DIAL && j->ndial > 0 && now_ms >= j->next_dial_ms)
		remote_dial_more(j);
}

static void
remote_tick(struct deliver *d, uint64_t now_ms)
{
	struct conn *c, *nextc;
	struct job *j;
	struct pool_conn *pc;

	resolve_tick(d, now_ms);
	trial_tick(d, now_ms);
	/* A closed one stays in memory, with its link, until this turn of the loop is over. */
	for (c = TAILQ_FIRST(&d->conns); c != NULL; c = nextc) {
		nextc = TAILQ_NEXT(c, link);
		conn_tick(c, now_ms);
	}
	TAILQ_FOREACH(j, &d->jobs, all) {	/* only JOB_ACK takes one out */
		if (j->state != JOB_OVER && j->state != JOB_RCPTS)
			remote_tick_job(j, now_ms);
	}
	while ((pc = pool_expired(&d->pool, now_ms, d->room.conf->deliver.idle * UINT64_C(1000))) !=
	    NULL)
		conn_quit((struct conn *)pc);
	/* Those left over by the bound on nesting, and by patience. */
	while ((pc = pool_take_for_waiter(&d->pool)) != NULL)
		remote_conn_free((struct conn *)pc);
	remote_place_free(d);
}

static int
remote_busy(const struct deliver *d)
{
	return (d->njobs != 0 || d->ntrials != 0 || !TAILQ_EMPTY(&d->conns) || !TAILQ_EMPTY(&d->queries));
}

/* Whoever has not sent data may be tried by the next process; what is being sent has its time. */
static void
remote_stop(struct deliver *d)
{
	struct pool_conn *pc;
	struct job *j;

	trial_stop(d, "this server is stopping");
	while ((pc = pool_expired(&d->pool, UINT64_MAX, 0)) != NULL)
		conn_quit((struct conn *)pc);
	TAILQ_FOREACH(j, &d->jobs, all) {
		if (j->state == JOB_OVER || j->state == JOB_RCPTS)
			continue;
		if (j->conn != NULL && client_is_sending(&j->conn->client))
			continue;
		remote_refuse(
		    j, STAGE_ROUTE, (struct enhanced){4, 3, 2}, "this server is stopping");
	}
}

/* What is asked of connections has changed: those of before serve what they have begun, and no more. */
static void
remote_new_epoch(struct deliver *d)
{
	struct pool_conn *pc;

	d->epoch++;
	while ((pc = pool_expired(&d->pool, UINT64_MAX, 0)) != NULL)
		conn_quit((struct conn *)pc);
}

static void
remote_conf(struct deliver *d, const struct conf *old)
{
	const struct conf *conf = d->room.conf;

	if (d->pool.conn_max == 0) {
		pool_init(&d->pool, conf->deliver.connections, conf->deliver.concurrency);
		d->pool.dest_free = dest_free;
	}
	tls_use();
	if (old != NULL && conf_tls_differs(old, conf))
		remote_new_epoch(d);
	d->pool.conn_max = conf->deliver.connections;
	d->pool.dest_conn_max = conf->deliver.concurrency;
	snprintf(d->hostname, sizeof(d->hostname), "%s", conf->hostname);
	d->self.hostname = d->hostname;
	d->self.nlisteners = conf->nlisteners;
	d->self.listeners = conf->listeners;
	d->self.local = d->local;
}

const struct role_ops remote_ops = {
	.begin = remote_begin,
	.body = remote_body,
	.abort = remote_abort,
	.tick = remote_tick,
	.stop = remote_stop,
	.conf = remote_conf,
	.busy = remote_busy,
};
