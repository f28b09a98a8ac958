/*
 * remote_dial.c -- one address of a host: what is asked of it, the connection, and what failed.  Shell.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "deliver/conn.h"
#include "deliver/policy.h"
#include "deliver/remote.h"
#include "deliver/route.h"

/* How far an attempt came, by where it ended. */
static unsigned
depth(enum stage s)
{
	return (s == STAGE_TLS ? 4 * STAGE_HELO + 1 : s == STAGE_AUTH ? 4 * STAGE_HELO + 2 : 4 * (unsigned)s);
}

void
remote_note_fail(struct job *j, const struct client_result *fail, const char *relay)
{
	j->all_perm &= fail->outcome == OUT_PERMFAIL;
	if (!j->tried || depth(fail->stage) >= depth(j->fail.stage)) {
		j->fail = *fail;
		snprintf(j->fail_relay, sizeof(j->fail_relay), "%s", relay);
	}
	j->tried = 1;
}

static struct tls_policy *
remote_policy(const struct job *j, const struct host *host)
{
	const struct hosts *h = &j->route->hosts;
	struct policy_ask a = {
	    .conf = j->d->room.conf, .kind = h->kind, .nexthop = j->dest->host, .host = host->name, .port = h->port,
	    .implicit = j->dest->implicit, .login = j->dest->login,
	    .secure = h->kind == HOP_SMTP || h->mx_secure, .dane = &host->dane};

	return (policy_new(&a));
}

static void
remote_note_own(struct job *j, const struct host *host, size_t ai, struct client_result *fail)
{
	char relay[DOMAIN_MAX + 64], ip[NET_ADDR_STRLEN];

	snprintf(relay, sizeof(relay), "%s[%s]:%u", host->name, net_addr_str(&host->addr[ai], ip),
	    j->route->hosts.port);
	dialogue_add(&j->dialogue, deliver_now(j->d), '*', 0, slice_str(fail->text));
	remote_note_fail(j, fail, relay);
}

/* The host is not to be used now, whatever it would say: none of its addresses. */
static void
remote_barred(struct job *j, const struct host *host, size_t ai, const struct tls_policy *p)
{
	struct client_result fail = { .outcome = OUT_TEMPFAIL, .stage = STAGE_TLS, .enhanced = p->code };

	snprintf(fail.text, sizeof(fail.text), "%s", p->why);
	for (size_t i = 0; i < host->naddr; i++)
		hosts_mark(&j->cursor, i, 1);
	remote_note_own(j, host, ai, &fail);
}

void
remote_dial(struct job *j, size_t hi, size_t ai)
{
	const struct hosts *h = &j->route->hosts;
	const struct host *host = &h->host[hi];
	struct client_result fail = {
	    .outcome = OUT_TEMPFAIL, .stage = STAGE_CONNECT, .enhanced = {4, 4, 1}};
	struct tls_policy *p = remote_policy(j, host);
	const char *why = "out of memory";
	struct conn *c = NULL;
	int both = 0, in_clear = j->in_clear && net_addr_cmp(&j->clear_addr, &host->addr[ai]) == 0;

	hosts_mark(&j->cursor, ai, 1);
	if (p != NULL && p->barred) {
		remote_barred(j, host, ai, p);
		policy_unref(p);
		return;
	}
	if (p != NULL)
		c = conn_dial(j->d, j, j->dest, host->name, &host->addr[ai], h->port, p, in_clear && p->clear, &why);
	if (c == NULL) {
		snprintf(fail.text, sizeof(fail.text), "cannot connect: %s", why);
		remote_note_own(j, host, ai, &fail);
		return;
	}
	for (size_t i = 1; i < host->naddr; i++)
		both |= net_addr_is4(&host->addr[i]) != net_addr_is4(&host->addr[0]);
	c->host_at = hi;
	c->addr_at = ai;
	c->provider = h->provider;
	c->host_hash = both ? route_host_hash(host->name) : 0;
	j->dial[j->ndial++] = c;
	j->state = JOB_DIAL;
	j->next_dial_ms = deliver_now(j->d) + DIAL_DELAY_MS;
	deliver_tick_on(j->d);
}

/*
 * Opportunistic TLS that fails is not done without at once: a passing fault, or somebody between, would have the mail in clear.
 * At a later attempt it is, by a connection of its own (RFC 7435 4.1 has the choice between clear and never).
 */
void
remote_without_tls(struct job *j, const struct conn *c, const struct client_result *fail)
{
	char text[REPLY_TEXT_MAX + 64];

	if (fail->stage != STAGE_TLS || !c->client.tls_failed || !c->policy->clear || c->client.in_clear ||
	    j->attempt == 0 || j->expired || j->route == NULL || j->cursor.host != c->host_at)
		return;
	j->in_clear = 1;
	j->clear_addr = c->addr;
	hosts_mark(&j->cursor, c->addr_at, 0);
	log_info("relay=%s tls=failed: clear after failed TLS, at attempt %u: %s", c->relay, j->attempt + 1,
	    text_escape(text, sizeof(text), slice_str(fail->text)));
}
