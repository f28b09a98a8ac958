/*
 * trial.c -- see trial.h.  Shell.
 */
#include "deliver/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/dane_verify.h"
#include "common/err.h"
#include "common/log.h"
#include "deliver/conn_tls.h"

static void	trial_next(struct trial *);

/* ---- the report on its way ---- */

static int
report(struct deliver *d, uint64_t id, struct slice text, int last, int ok)
{
	struct ipc_tls_report m = {
		.id = id, .text = text, .last = (uint8_t)last, .ok = (uint8_t)ok
	};

	return (d->queue != NULL ? ipc_send(d->queue, TLS_REPORT, tls_report, &m) : E_CLOSED);
}

/*
 * Whole lines, as many as one message takes.  What the channel does not take now goes with the
 * next.
 */
static void
trial_flush(struct trial *t)
{
	struct slice	s;
	size_t		n;

	while ((s = buf_slice(&t->out)).n != 0) {
		for (n = s.n < TLS_REPORT_MAX ? s.n : TLS_REPORT_MAX; n > 0 && s.p[n - 1] != '\n';)
			n--;
		if (n == 0 || report(t->d, t->ask.id, slice_make(s.p, n), 0, 0) != E_OK)
			return;
		buf_drain(&t->out, n);
	}
}

static void
trial_free(struct trial *t)
{
	struct conn	*c = t->conn;

	if (c != NULL) {
		c->trial = NULL;
		conn_close(c);
	}
	policy_unref(t->policy);
	if (t->route != NULL)
		route_unref(t->route);
	if (t->dest != NULL)
		pool_dest_put(&t->d->pool, t->dest);
	DL_DELETE(t->d->trials, t);
	t->d->ntrials--;
	buf_clear(&t->out);
	free(t);
}

static void
trial_end(struct trial *t, int ok)
{
	trial_flush(t);
	if (report(t->d, t->ask.id, slice_make(NULL, 0), 1, ok) != E_OK)
		log_warn("report to queue: it is told no end of a trial");
	trial_free(t);
}

/* ---- beginning ---- */

static void
refuse(struct deliver *d, uint64_t id, const char *why)
{
	if (report(d, id, slice_str(why), 1, 0) != E_OK)
		log_warn("report to queue: it is not told that a trial was refused");
}

int
trial_begin(struct deliver *d, struct rd *r)
{
	struct ipc_try_tls	 m;
	struct trial		*t;

	if (ipc_unpack_try_tls(r, &m) != E_OK || d->role != &remote_ops)
		return (E_PROTO);
	if (d->stopping || d->ntrials >= TLS_TRIES_MAX || (t = calloc(1, sizeof(*t))) == NULL) {
		refuse(d, m.id,
		    d->stopping ? "this server is stopping\n" : "too much of this is under way\n");
		return (E_OK);
	}
	t->d = d;
	t->ask = m;
	t->end_ms = deliver_now(d) + TRIAL_MS;
	buf_init(&t->out, TRIAL_OUT_MAX);
	DL_APPEND(d->trials, t);
	d->ntrials++;
	deliver_tick_on(d);
	t->dest = pool_dest_get(&d->pool, m.hop, m.host, m.port, m.implicit, "");
	if (t->dest == NULL || (t->route = route_fresh(d, t->dest)) == NULL) {
		trial_say(t, "out of memory");
		trial_end(t, 0);
		return (E_OK);
	}
	if (t->route->asked == 0)
		trial_next(t);
	return (E_OK);
}

void
trial_answered(struct route *r)
{
	struct trial	*t, *tmp;

	DL_FOREACH_SAFE(r->d->trials, t, tmp)
		if (t->route == r && !t->told)
			trial_next(t);
}

/* ---- host after host ---- */

static struct tls_policy *
trial_policy(struct trial *t, const struct host *host)
{
	const struct hosts	*h = &t->route->hosts;
	const struct policy_ask a = { .conf = t->d->room.conf,
		.kind = h->kind,
		.nexthop = t->ask.host,
		.host = host->name,
		.port = h->port,
		.implicit = t->ask.implicit,
		.login = t->ask.login,
		.secure = h->kind == HOP_SMTP || h->mx_secure,
		.dane = &host->dane };

	return (policy_new(&a));
}

static void
trial_conclude(struct trial *t)
{
	int			late = deliver_now(t->d) >= t->end_ms;
	struct hosts_fail	f = { .outcome = OUT_TEMPFAIL };

	if (t->ntried == 0)
		hosts_why(&t->route->hosts, &f);
	if (t->ngood != 0)
		trial_say(t, "mail goes: %u of %u addresses tried will do%s", t->ngood, t->ntried,
		    late ? "; there was no time for the others" : "");
	else if (t->nlater != 0)
		trial_say(t, "mail waits at first, and goes in clear at a later attempt");
	else if (f.outcome == OUT_PERMFAIL)
		trial_say(t, "mail is returned: %s", f.text);
	else
		trial_say(t, "mail waits: no host can be used as things are");
	trial_end(t, t->ngood != 0 || t->nlater != 0);
}

/* The next address that could be dialled, each host told of as it comes; 0: none. */
static int
trial_pick(struct trial *t, const struct host **host, size_t *ai)
{
	const struct hosts	*h = &t->route->hosts;
	size_t			 hi;

	while (t->ntried < TRIAL_ADDRS_MAX &&
	    route_next(t->route, &t->cursor, &hi, ai) == HOSTS_ADDR) {
		for (; t->host <= hi; t->host++) {
			policy_unref(t->policy);
			if ((t->policy = trial_policy(t, &h->host[t->host])) == NULL)
				return (0);
			t->policy->resume = 0;		/* a whole handshake shows the certificate */
			trial_say_host(t, &h->host[t->host]);
		}
		hosts_mark(&t->cursor, *ai, 1);
		*host = &h->host[hi];
		if (!t->policy->barred)
			return (1);
	}
	for (; t->host < h->nhost; t->host++) {		/* those behind, without an address or a try */
		policy_unref(t->policy);
		if ((t->policy = trial_policy(t, &h->host[t->host])) == NULL)
			return (0);
		trial_say_host(t, &h->host[t->host]);
	}
	return (0);
}

static void
trial_next(struct trial *t)
{
	const struct host	*host;
	const char		*why;
	char			 ip[NET_ADDR_STRLEN];
	size_t			 ai;

	if (!t->told) {
		t->told = 1;
		trial_say_route(t);
	}
	while (deliver_now(t->d) < t->end_ms && trial_pick(t, &host, &ai)) {
		t->ntried++;
		trial_say(t, "  %s:%u", net_addr_str(&host->addr[ai], ip), t->route->hosts.port);
		t->conn = conn_dial(t->d, NULL, t->dest, host->name, &host->addr[ai],
		    t->route->hosts.port, policy_ref(t->policy), 0, &why);
		if (t->conn != NULL) {
			t->conn->trial = t;
			t->conn->host_at = t->host - 1;
			t->conn->addr_at = ai;
			t->host_end_ms = deliver_now(t->d) + TRIAL_HOST_MS;
			trial_flush(t);
			deliver_tick_on(t->d);
			return;
		}
		trial_say(t, "    cannot connect: %s", why);
	}
	trial_conclude(t);
}

/* ---- what connections say ---- */

void
trial_ready(struct conn *c)
{
	struct trial	*t = c->trial;
	char		 text[DANE_TEXT_MAX];

	t->ngood++;
	if (!c->client.tls)
		trial_say(t, "    in clear: %s",
		    t->policy->want == WANT_NONE ? "the policy is \"none\"" :
						   "the host does not offer STARTTLS");
	else {
		trial_say(t, "    %s", c->client.tls_text);
		if (c->tls->peer.want == WANT_DANE &&
		    dane_verify_result(c->tls->peer.ssl, text) == E_OK)
			trial_say(t, "    %s", text);
		trial_say_chain(t, &c->tls->peer);
	}
	trial_say(t, "    mail goes to this host%s%s", c->client.tls ? "" : " in clear",
	    c->client.tls && t->policy->clear ?
		"; it would also go in clear, if the host had no TLS" :
		"");
	t->conn = NULL;
	c->trial = NULL;
	conn_quit(c);
	trial_next(t);
}

void
trial_over(struct conn *c, const struct client_result *fail)
{
	struct trial	*t = c->trial;
	int later = fail->stage == STAGE_TLS && c->client.tls_failed && t->policy->clear;
	char		 text[4 * REPLY_TEXT_MAX + 1];

	(void)text_escape(text, sizeof(text), slice_str(fail->text));
	if (fail->code != 0)
		trial_say(t, "    stage %s: %u %s", stage_name(fail->stage), fail->code, text);
	else
		trial_say(t, "    stage %s: %s", stage_name(fail->stage), text);
	if (c->tls != NULL)
		trial_say_chain(t, &c->tls->peer);
	trial_say(t, "    mail %s",
	    later ? "waits, and goes to this host in clear at a later attempt" :
		fail->stage == STAGE_TLS ? "does not go to this host" :
					   "cannot go to this host now");
	t->nlater += later;
	t->conn = NULL;
	c->trial = NULL;
	trial_next(t);
}

/* ---- time ---- */

void
trial_tick(struct deliver *d, uint64_t now_ms)
{
	struct trial	*t, *tmp;

	DL_FOREACH_SAFE(d->trials, t, tmp) {
		trial_flush(t);
		if (t->conn != NULL && (now_ms >= t->host_end_ms || now_ms >= t->end_ms)) {
			conn_expire(t->conn);	/* trial_over(): t may be gone */
			continue;
		}
		if (!t->told && now_ms >= t->end_ms) {
			trial_say(t, "no answer of DNS in time");
			trial_end(t, 0);
		}
	}
}

void
trial_stop(struct deliver *d, const char *why)
{
	struct trial	*t;

	while ((t = d->trials) != NULL) {
		if (why == NULL)
			trial_free(t);
		else {
			trial_say(t, "%s", why);
			trial_end(t, 0);
		}
	}
}
