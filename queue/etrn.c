/*
 * etrn.c -- requests under way and nodes started lately; see etrn.h.
 */
#include "queue/etrn.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/limits.h"

#define DOMAIN_STEPS	64	/* names of the index passed in one slice of "@node" */
#define SLICE		64	/* recipients */

struct node {				/* when it was started last; by kind and name */
	uint64_t	 when;
	UT_hash_handle	 hh;
	char		 name[DOMAIN_MAX + 2];
};

struct run {
	struct ipc_etrn	 m;
	uint64_t	 peer;
	uint8_t		 look;		/* started lately: whether mail waits is all there is to say */
	uint8_t		 answered;
	uint8_t		 inside;	/* domain is being walked */
	char		 domain[DOMAIN_MAX + 1];	/* the one looked at now or last */
	struct store_due after;
	uint64_t	 last;		/* message seen last in it */
	uint32_t	 seen;		/* recipients, and names of the index */
	uint32_t	 started, pending;	/* messages */
	struct run	*prev, *next;
};

struct etrn {
	const struct etrn_ops *ops;
	void		*arg;
	struct run	*runs;
	unsigned	 nrun;
	struct node	*nodes;
};

struct etrn *
etrn_new(const struct etrn_ops *ops, void *arg)
{
	struct etrn *e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		return (NULL);
	e->ops = ops;
	e->arg = arg;
	return (e);
}

void
etrn_free(struct etrn *e)
{
	struct node *n, *ntmp;
	struct run *r, *tmp;

	DL_FOREACH_SAFE(e->runs, r, tmp)
		free(r);
	HASH_ITER(hh, e->nodes, n, ntmp) {
		HASH_DEL(e->nodes, n);
		free(n);
	}
	free(e);
}

static void
reply(struct etrn *e, struct run *r, enum etrn_status status, uint32_t count)
{
	struct ipc_etrn_result m = { .id = r->m.id, .status = (uint8_t)status, .count = count };

	if (r->answered)
		return;
	r->answered = 1;
	e->ops->answer(e->arg, r->peer, &r->m, &m);
}

/* Whether the node was started within ETRN_AGAIN_S; if not, it is now. */
static int
started_lately(struct etrn *e, const struct ipc_etrn *m, uint64_t now)
{
	char name[DOMAIN_MAX + 2];
	struct node *n, *tmp;

	(void)snprintf(name, sizeof(name), "%s%s", m->kind == ETRN_TREE ? "@" : "", m->name);
	HASH_FIND(hh, e->nodes, name, strlen(name), n);
	if (n != NULL && now - n->when < ETRN_AGAIN_S * 1000ull)
		return (1);
	if (n == NULL && HASH_COUNT(e->nodes) >= ETRN_NODES_MAX) {
		HASH_ITER(hh, e->nodes, n, tmp)
			if (now - n->when >= ETRN_AGAIN_S * 1000ull) {
				HASH_DEL(e->nodes, n);
				free(n);
			}
		if (HASH_COUNT(e->nodes) >= ETRN_NODES_MAX)
			return (1);
		n = NULL;
	}
	if (n == NULL) {
		if ((n = calloc(1, sizeof(*n))) == NULL)
			return (1);
		memcpy(n->name, name, strlen(name) + 1);
		HASH_ADD(hh, e->nodes, name[0], strlen(n->name), n);
	}
	n->when = now;
	return (0);
}

void
etrn_start(struct etrn *e, uint64_t peer, const struct ipc_etrn *m, uint64_t now)
{
	struct run *r, one = { .m = *m, .peer = peer };
	char *p;

	if (e->nrun >= ETRN_RUNS_MAX || e->ops->paused(e->arg) || (r = calloc(1, sizeof(*r))) == NULL) {
		reply(e, &one, ETRN_UNABLE, 0);
		return;
	}
	*r = one;
	for (p = r->m.name; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	r->look = (uint8_t)started_lately(e, &r->m, now);
	memcpy(r->domain, r->m.name, sizeof(r->domain));
	r->inside = 1;			/* the node itself first */
	DL_APPEND(e->runs, r);
	e->nrun++;
}

static int
is_below(const char *domain, const char *node)
{
	size_t n = strlen(domain), m = strlen(node);

	return (n > m && domain[n - m - 1] == '.' && memcmp(domain + n - m, node, m) == 0);
}

/* The next name of the index that is below the node.  E_AGAIN: none yet; E_NOTFOUND: none any more. */
static int
next_domain(struct etrn *e, struct run *r)
{
	char name[DOMAIN_MAX + 1];
	int i, err;

	if (r->m.kind != ETRN_TREE)
		return (E_NOTFOUND);
	for (i = 0; i < DOMAIN_STEPS; i++) {
		if ((err = e->ops->next_domain(e->arg, r->domain, name)) != E_OK)
			return (err);
		memcpy(r->domain, name, sizeof(name));
		r->seen++;
		if (is_below(name, r->m.name))
			return (E_OK);
	}
	return (E_AGAIN);
}

static int
walk_domain(struct etrn *e, struct run *r)
{
	struct store_due found[SLICE];
	struct retried done;
	size_t i, n = 0;
	int err;

	if ((err = e->ops->domain(e->arg, r->domain, &r->after, found, SLICE, &n)) != E_OK)
		return (err);
	for (i = 0; i < n; i++) {
		r->after = found[i];
		r->seen++;
		if (found[i].msgid == r->last)
			continue;
		r->last = found[i].msgid;
		if (e->ops->retry(e->arg, r->last, r->domain, r->look, &done) != E_OK)
			continue;	/* it went while we looked, or it cannot be read */
		r->started += done.changed != 0;
		r->pending += done.changed == 0 && done.under_way != 0;
	}
	return (n < SLICE ? E_NOTFOUND : E_OK);
}

/* A slice.  E_OK: there is more; E_NOTFOUND: that was all; else it cannot be read. */
static int
step(struct etrn *e, struct run *r)
{
	int err;

	if (r->inside) {
		/* "@node" may be above far more than what is relayed here ("@co.example"). */
		if (e->ops->is_relay(e->arg, r->domain) && (err = walk_domain(e, r)) != E_NOTFOUND)
			return (err);
		r->inside = 0;
		/* From here on through all names: those below the node stand anywhere. */
		if (strcmp(r->domain, r->m.name) == 0)
			r->domain[0] = '\0';
		return (r->m.kind == ETRN_TREE ? E_OK : E_NOTFOUND);
	}
	if ((err = next_domain(e, r)) == E_OK) {
		memset(&r->after, 0, sizeof(r->after));
		r->last = 0;
		r->inside = 1;
	}
	return (err == E_AGAIN ? E_OK : err);
}

int
etrn_run(struct etrn *e)
{
	struct run *r, *tmp;
	int err, more = 0;

	DL_FOREACH_SAFE(e->runs, r, tmp) {
		if (e->ops->busy(e->arg)) {
			more = 1;
			break;
		}
		err = step(e, r);
		/* That mail waits is all that is asked of one that only looks. */
		if (err == E_OK && r->look && r->pending != 0)
			err = E_NOTFOUND;
		if (err == E_OK && r->look && r->seen >= ETRN_LOOK_MAX) {
			reply(e, r, ETRN_PENDING, 0);
			err = E_NOTFOUND;
		}
		if (err == E_OK) {
			if (r->seen >= ETRN_LOOK_MAX)
				reply(e, r, ETRN_STARTED, 0);
			more = 1;
			continue;
		}
		if (err != E_NOTFOUND && r->started == 0)
			reply(e, r, ETRN_UNABLE, 0);
		else if (err != E_NOTFOUND)
			reply(e, r, ETRN_STARTED, 0);
		else if (r->started != 0)
			reply(e, r, ETRN_COUNTED, r->started);
		else
			reply(e, r, r->pending != 0 ? ETRN_PENDING : ETRN_NOTHING, 0);
		DL_DELETE(e->runs, r);
		e->nrun--;
		free(r);
	}
	return (more);
}
