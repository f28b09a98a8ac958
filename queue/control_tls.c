/*
 * control_tls.c -- posternctl tls: where mail for a domain goes, then a deliver process's report on TLS there.  Shell.
 *
 * queue knows the route, deliver what is asked of its hosts; the report goes through line by line (TLS_REPORT, CTL_TEXT).
 */
#include <stdio.h>
#include <string.h>

#include "common/addr.h"
#include "common/err.h"
#include "queue/control.h"
#include "queue/dispatch.h"

static void
say(struct client *c, const char *text)
{
	struct ipc_ctl_text	m = { .text = slice_str(text) };

	(void)ipc_send(&c->ipc, CTL_TEXT, ctl_text, &m);
}

static int
ask(struct client *c, const struct hop *hop, const char *domain)
{
	struct ipc_try_tls m = {
		.hop = (uint8_t)hop->kind, .port = hop->port, .implicit = hop->implicit
	};
	struct deliver_peer	*peer = dispatch_remote_peer(c->q);

	if (peer == NULL)
		return (E_NOTFOUND);
	m.id = ++c->q->trial;
	(void)snprintf(m.host, sizeof(m.host), "%s", hop->kind == HOP_MX ? domain : hop->host);
	(void)snprintf(m.login, sizeof(m.login), "%s", hop->login);
	c->trial = m.id;
	c->via = peer->serial;
	return (ipc_send(&peer->ipc, TRY_TLS, try_tls, &m));
}

enum ctl_status
control_tls(struct client *c, const char **why)
{
	char		 domain[DOMAIN_MAX + 1], text[DOMAIN_MAX + 2048], by[1400];
	struct hop	 hop;

	*why = "not a domain";
	if (domain_parse(domain, slice_str(c->req.text), why) != E_OK)
		return (CTL_BAD);
	*why = "";
	conf_route(c->q->room.conf, domain, &hop);
	(void)hop_str(&hop, by, sizeof(by));
	(void)snprintf(text, sizeof(text), "%s: by %s\n", domain, by);
	say(c, text);
	if (hop.kind == HOP_MAILDIR) {
		say(c, "mail goes into mailboxes of this server: there is no TLS\n");
		return (CTL_OK);
	}
	switch (ask(c, &hop, domain)) {
	case E_OK:
		c->step = CL_TRIAL;
		return (CTL_OK);
	case E_NOTFOUND:
		*why = "no process that delivers to other hosts is running";
		return (CTL_FAILED);
	default:
		*why = "the process that delivers to other hosts takes no question now";
		return (CTL_FAILED);
	}
}

int
control_tls_report(struct deliver_peer *p, struct rd *r)
{
	struct ipc_tls_report	 m;
	struct ipc_ctl_text	 text;
	struct client		*c;

	if (ipc_unpack_tls_report(r, &m) != E_OK)
		return (E_PROTO);
	DL_FOREACH(p->q->clients, c)
		if (c->step == CL_TRIAL && c->trial == m.id && c->via == p->serial)
			break;
	if (c == NULL)
		return (E_OK);		/* who asked has gone */
	text.text = m.text;
	if (m.text.n != 0)
		(void)ipc_send(&c->ipc, CTL_TEXT, ctl_text, &text);
	if (m.last)
		control_end(c, m.ok ? CTL_OK : CTL_FAILED, m.ok ? "" : "mail would not go now");
	return (E_OK);
}

void
control_tls_gone(struct queue *q, uint64_t serial)
{
	struct client	*c, *tmp;

	DL_FOREACH_SAFE(q->clients, c, tmp)
		if (c->step == CL_TRIAL && c->via == serial)
			control_end(c, CTL_FAILED, "the process that tried it has ended");
}
