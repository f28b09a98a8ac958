/*
 * plan.c -- see plan.h.  Core: pure.
 */
#include <string.h>

#include "common/err.h"
#include "master/paths.h"
#include "master/plan.h"

#define STOP_SMTPD_MS		5000u	/* sessions end at their next command; pickup is one of their clients */
#define STOP_DELIVER_MS		5000u	/* a job whose final dot is out may learn its answer */
#define STOP_RESOLVER_MS	1000u
#define STOP_KEYS_MS		1000u	/* nobody is left who could ask these, auth or pam */
#define STOP_QUEUE_MS		10000u	/* the last batch is flushed */

static int
conf_has_maildir(const struct conf *c)
{
	size_t i;

	for (i = 0; i < c->ndomains; i++) {
		if (!c->domains[i].relay && c->domains[i].deliver.kind == HOP_MAILDIR)
			return (1);
	}
	for (i = 0; i < c->nroutes; i++) {
		if (c->routes[i].via.kind == HOP_MAILDIR)
			return (1);
	}
	return (0);
}

static void
plan_add(struct plan *p, unsigned room, uint32_t instance, enum role role)
{
	if (p->n == PLAN_MAX)
		return;
	p->item[p->n++] = (struct plan_item){ .room = room, .instance = instance, .role = role };
}

static int
conf_has_submission(const struct conf *c)
{
	size_t i;

	for (i = 0; i < c->nlisteners; i++) {
		if (c->listeners[i].auth)
			return (1);
	}
	return (0);
}

static int
conf_has_pam(const struct conf *c)
{
	return (c->auth.needed && c->auth.pam_service != NULL && c->auth.pam_service[0] != '\0');
}

enum role
plan_listener_role(const struct conf_listener *l)
{
	return (l->auth ? ROLE_SUBMISSION : ROLE_NONE);
}

unsigned
plan_count(const struct plan *p, unsigned room, enum role role)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < p->n; i++)
		n += p->item[i].room == room && p->item[i].role == role;
	return (n);
}

static uint32_t
at_least_one(uint32_t n, uint32_t max)
{
	return (n == 0 ? 1 : n > max ? max : n);
}

void
plan_make(struct plan *p, const struct conf *c, unsigned processors)
{
	uint32_t i, n;

	memset(p, 0, sizeof(*p));
	plan_add(p, ROOM_QUEUE, 0, ROLE_NONE);
	plan_add(p, ROOM_RESOLVER, 0, ROLE_NONE);
	if (c->ncerts != 0)
		plan_add(p, ROOM_KEYS, 0, ROLE_NONE);
	if (c->auth.needed)
		plan_add(p, ROOM_AUTH, 0, ROLE_NONE);
	if (conf_has_pam(c))
		plan_add(p, ROOM_PAM, 0, ROLE_NONE);
	n = at_least_one(c->deliver.processes, DELIVER_MAX - 1);
	/* The mailbox one is instance 0, so that the numbers of the others may grow and shrink. */
	if (conf_has_maildir(c))
		plan_add(p, ROOM_DELIVER, 0, ROLE_MAILBOX);
	for (i = 1; i <= n; i++)
		plan_add(p, ROOM_DELIVER, i, ROLE_REMOTE);
	n = c->smtpd.processes;
	if (n == 0) {
		n = processors > 0 ? processors : 1;
		if (n > SMTPD_AUTO_MAX)
			n = SMTPD_AUTO_MAX;
	}
	if (n > SMTPD_MAX)
		n = SMTPD_MAX;
	for (i = 0; i < n; i++)
		plan_add(p, ROOM_SMTPD, i, ROLE_NONE);
	n = conf_has_submission(c) ? at_least_one(c->smtpd.submission_processes, SMTPD_MAX) : 0;
	for (i = 0; i < n; i++)
		plan_add(p, ROOM_SMTPD, i, ROLE_SUBMISSION);
	if (c->local_submission)
		plan_add(p, ROOM_PICKUP, 0, ROLE_NONE);
}

static enum role
role_in(const struct plan_item *a, const struct plan_item *b, unsigned room)
{
	return ((a->room == room ? a : b)->role);
}

int
plan_talk(const struct plan_item *a, const struct plan_item *b, const struct conf *c)
{
	if (a->room == b->room)
		return (0);
	switch (a->room | b->room) {
	case ROOM_SMTPD | ROOM_QUEUE:
	case ROOM_SMTPD | ROOM_RESOLVER:
	case ROOM_SMTPD | ROOM_KEYS:
	case ROOM_DELIVER | ROOM_QUEUE:
	case ROOM_AUTH | ROOM_PAM:
		return (1);
	case ROOM_DELIVER | ROOM_RESOLVER:
		return (role_in(a, b, ROOM_DELIVER) == ROLE_REMOTE);
	case ROOM_DELIVER | ROOM_AUTH:
		return (role_in(a, b, ROOM_DELIVER) == ROLE_REMOTE && (c == NULL || c->nlogins != 0));
	case ROOM_SMTPD | ROOM_AUTH:
		return (role_in(a, b, ROOM_SMTPD) == ROLE_SUBMISSION);
	case ROOM_SMTPD | ROOM_PICKUP:
		return (role_in(a, b, ROOM_SMTPD) == ROLE_NONE);
	default:
		return (0);
	}
}

static int
text_differs(const char *a, const char *b)
{
	return (strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0);
}

static int
list_differs(const char **a, size_t na, const char **b, size_t nb)
{
	size_t i;

	if (na != nb)
		return (1);
	for (i = 0; i < na; i++) {
		if (strcmp(a[i], b[i]) != 0)
			return (1);
	}
	return (0);
}

/* Whether the directories that hold maildirs differ. */
static int
maildirs_differ(const struct conf *old, const struct conf *new)
{
	struct maildirs a, b;
	size_t i;

	if (paths_maildirs(&a, old) != E_OK || paths_maildirs(&b, new) != E_OK || a.n != b.n)
		return (1);
	for (i = 0; i < a.n; i++) {
		if (strcmp(a.dir[i], b.dir[i]) != 0)
			return (1);
	}
	return (0);
}

static int
conf_uses_port(const struct conf *c, uint16_t port)
{
	size_t i;

	if (c->deliver.port == port)
		return (1);
	for (i = 0; i < c->ndomains; i++) {
		if (c->domains[i].deliver.kind == HOP_SMTP && c->domains[i].deliver.port == port)
			return (1);
	}
	for (i = 0; i < c->nroutes; i++) {
		if (c->routes[i].via.kind == HOP_SMTP && c->routes[i].via.port == port)
			return (1);
	}
	return (0);
}

/* Whether new wants a port that old did not: Landlock only ever takes away. */
static int
port_added(const struct conf *old, const struct conf *new)
{
	size_t i;

	if (!conf_uses_port(old, new->deliver.port))
		return (1);
	for (i = 0; i < new->ndomains; i++) {
		if (new->domains[i].deliver.kind == HOP_SMTP &&
		    !conf_uses_port(old, new->domains[i].deliver.port))
			return (1);
	}
	for (i = 0; i < new->nroutes; i++) {
		if (new->routes[i].via.kind == HOP_SMTP &&
		    !conf_uses_port(old, new->routes[i].via.port))
			return (1);
	}
	return (0);
}

int
plan_must_restart(const struct plan_item *it, const struct conf *old, const struct conf *new)
{
	switch (it->room) {
	case ROOM_RESOLVER:
		return (list_differs(old->resolver.forward, old->resolver.nforward,
		    new->resolver.forward, new->resolver.nforward) ||
		    list_differs(old->resolver.stub_zone, old->resolver.nstub,
		    new->resolver.stub_zone, new->resolver.nstub) ||
		    list_differs(old->resolver.stub_server, old->resolver.nstub,
		    new->resolver.stub_server, new->resolver.nstub) ||
		    strcmp(old->resolver.trust_anchor, new->resolver.trust_anchor) != 0 ||
		    old->resolver.timeout != new->resolver.timeout);
	case ROOM_AUTH:		/* its threads are made before its sandbox */
		return (old->auth.workers != new->auth.workers);
	case ROOM_PAM:		/* its modules are loaded before its sandbox */
		return (text_differs(old->auth.pam_service, new->auth.pam_service));
	case ROOM_QUEUE:
		return (old->queue.store_max != new->queue.store_max);
	case ROOM_DELIVER:
		if (it->role == ROLE_MAILBOX)
			return (maildirs_differ(old, new));
		return (port_added(old, new) ||
		    old->deliver.connections < new->deliver.connections);
	default:
		return (0);
	}
}

const char *
plan_fixed(const struct conf *old, const struct conf *new)
{
	if (strcmp(old->directory, new->directory) != 0)
		return ("directory");
	if (strcmp(old->runtime, new->runtime) != 0)
		return ("runtime");
	if (strcmp(old->user_prefix, new->user_prefix) != 0)
		return ("user-prefix");
	return (NULL);
}

unsigned
plan_stage(unsigned room)
{
	switch (room) {
	case ROOM_PICKUP:
	case ROOM_SMTPD:
		return (0);
	case ROOM_DELIVER:
		return (1);
	case ROOM_RESOLVER:
		return (2);
	case ROOM_KEYS:
	case ROOM_AUTH:
	case ROOM_PAM:
		return (3);
	default:
		return (4);	/* queue last: the others may still have results for it */
	}
}

uint32_t
plan_stop_ms(unsigned room)
{
	static const uint32_t stage_ms[PLAN_STAGES] = {
		STOP_SMTPD_MS, STOP_DELIVER_MS, STOP_RESOLVER_MS, STOP_KEYS_MS, STOP_QUEUE_MS,
	};

	return (stage_ms[plan_stage(room)]);
}
