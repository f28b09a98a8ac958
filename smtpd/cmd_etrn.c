/*
 * cmd_etrn.c -- ETRN: a client asks us to try now what waits for its domain.  Core.
 *
 * RFC 1985 5.  "ETRN example.org" is that relay domain, "ETRN @example.org" all relay domains at and under it,
 * "ETRN #example.org" what waits for it however its queue is called: our queues are named by their domain.
 * A relay domain's etrn-from says who may ask; of several each must allow it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "smtpd/session.h"

static int
may_ask(const struct smtp_session *s, const struct conf_domain *d)
{
	return (d->etrn_from.n == 0 || smtp_client_in(s, &d->etrn_from));
}

static int
is_at_or_under(const char *name, const char *domain)
{
	size_t	n = strlen(name), nd = strlen(domain);

	return (n >= nd && strcmp(name + n - nd, domain) == 0 && (n == nd || name[n - nd - 1] == '.'));
}

/* NULL if this client may ask for name, else why not. */
static const char *
not_allowed(const struct smtp_session *s, enum etrn_kind kind, const char *name)
{
	const struct conf		*conf = s->env->conf;
	const struct conf_domain	*d = conf_domain_find(conf, name);
	size_t				 i, n = 0;

	if (kind != ETRN_TREE) {
		if (d == NULL || !d->relay)
			return ("no mail is kept for it here");
		return (may_ask(s, d) ? NULL : "not from your address");
	}
	for (i = 0; i < conf->ndomains; i++) {
		d = &conf->domains[i];
		if (!d->relay || !is_at_or_under(d->name, name))
			continue;
		if (!may_ask(s, d))
			return ("not from your address");
		n++;
	}
	return (n != 0 ? NULL : "no mail is kept for it here");
}

void
cmd_etrn(struct smtp_session *s)
{
	struct slice	 node = s->args;
	enum etrn_kind	 kind = ETRN_NODE;
	char		 name[DOMAIN_MAX + 1];
	const char	*why = "syntax";

	if (node.n == 0) {			/* RFC 1985 7 */
		smtp_refuse(s, 500, "5.5.2", "ETRN domain, @domain or #domain");
		return;
	}
	if (node.p[0] == '@' || node.p[0] == '#') {
		kind = node.p[0] == '@' ? ETRN_TREE : ETRN_QUEUE;
		node = slice_make(node.p + 1, node.n - 1);
	}
	if (domain_parse_utf8(name, node, &why) != E_OK) {
		smtp_refuse(s, 501, "5.5.4", "ETRN: %s", why);
		return;
	}
	if (strchr(name, '.') == NULL) {	/* 5: "a fully qualified domain name" */
		smtp_refuse(s, 501, "5.5.4", "ETRN: domain is not fully qualified");
		return;
	}
	if ((why = not_allowed(s, kind, name)) != NULL) {
		smtp_refuse(s, 459, "4.7.1", "node %s not allowed: %s", name, why);
		return;
	}
	free(s->etrn);
	if ((s->etrn = strdup(name)) == NULL || s->env->ops->etrn(s, kind, name) != E_OK) {
		smtp_refuse(s, 458, "4.3.0", "unable to queue messages for node %s", name);
		return;
	}
	s->ask_from = s->state;
	s->ask_ms = s->now_ms;
	smtp_set_state(s, ST_ASK);
}

void
smtp_etrn_done(struct smtp_session *s, const struct ipc_etrn_result *r, uint64_t now_ms)
{
	const char	*node = s->etrn;

	s->now_ms = now_ms;
	if (s->state != ST_ASK || node == NULL || strcmp(s->verb, "ETRN") != 0)
		return;
	s->command_ms = now_ms;
	smtp_set_state(s, (enum smtp_state)s->ask_from);
	switch (r != NULL ? r->status : ETRN_UNABLE) {
	case ETRN_STARTED:
		smtp_replyf(s, 250, "2.0.0", "OK, queuing for node %s started", node);
		break;
	case ETRN_NOTHING:
		smtp_replyf(s, 251, "2.0.0", "OK, no messages waiting for node %s", node);
		break;
	case ETRN_PENDING:
		smtp_replyf(s, 252, "2.0.0", "OK, pending messages for node %s started", node);
		break;
	case ETRN_COUNTED:
		smtp_replyf(s, 253, "2.0.0", "OK, %u pending messages for node %s started", r->count, node);
		break;
	default:
		smtp_refuse(s, 458, "4.3.0", "unable to queue messages for node %s", node);
		break;
	}
	if (s->env->stopping)
		smtp_stop(s, 0, now_ms);
}
