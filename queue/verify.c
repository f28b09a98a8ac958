/*
 * verify.c -- call-ahead: the cache and who waits.  Core; see verify.h.
 *
 * An address is in one of three steps: it waits for its turn (few probes at once to one destination, so that a
 * harvest of addresses here is none there), it is being asked for, or its answer is known.
 */
#include "queue/verify.h"

#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/limits.h"
#include "queue/table.h"

enum step { STEP_WAITS, STEP_ASKED, STEP_KNOWN };

struct waiter {
	uint64_t	 peer;
	uint32_t	 id;
	uint64_t	 until;
	struct waiter	*prev, *next;
};

struct verify_dest {			/* probes at one destination */
	uint32_t	 active;
	uint64_t	 heard;		/* when it last said yes or no; 0 not yet */
	UT_hash_handle	 hh;
	char		 name[];
};

struct entry {
	enum step	 step;
	struct ipc_probe p;		/* address is the key; as it was routed */
	struct ipc_verify_result answer;	/* KNOWN */
	uint64_t	 expires;	/* KNOWN */
	uint64_t	 via;		/* ASKED */
	uint64_t	 until;		/* ASKED: no answer comes after this */
	struct verify_dest *dest;	/* ASKED */
	struct waiter	*waiters;
	struct entry	*prev, *next;	/* of the list of its step; KNOWN: the longest unused first */
	UT_hash_handle	 hh;
	UT_hash_handle	 hh_id;		/* ASKED: by p.id */
};

struct verify {
	const struct verify_ops *ops;
	void		*arg;
	struct verify_times times;
	uint64_t	 id;
	struct entry	*all;
	struct entry	*by_id;
	struct entry	*waits, *asked, *known;
	size_t		 nknown, nasked, nwaiter;
	struct verify_dest *dests;
};

static void	answer(struct verify *, struct entry *, const struct ipc_verify_result *);
static void	forget(struct verify *, struct entry *);
static void	unask(struct verify *, struct entry *);
static int	start(struct verify *, struct entry *, uint64_t);
static void	serve(struct verify *, uint64_t);
static void	unknown(struct verify *, struct entry *, const char *);

struct verify *
verify_new(const struct verify_ops *ops, void *arg, uint64_t first_id)
{
	struct verify *v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return (NULL);
	v->ops = ops;
	v->arg = arg;
	v->id = first_id;
	return (v);
}

void
verify_free(struct verify *v)
{
	struct entry *e, *tmp;

	HASH_ITER(hh, v->all, e, tmp)
		forget(v, e);
	free(v);
}

void
verify_configure(struct verify *v, const struct verify_times *t)
{
	v->times = *t;
}

static struct entry *
find(struct verify *v, const char *address)
{
	struct entry *e;

	HASH_FIND(hh, v->all, address, strlen(address), e);
	return (e);
}

static int
same_route(const struct ipc_probe *a, const struct ipc_probe *b)
{
	return (a->hop == b->hop && a->port == b->port && strcmp(a->host, b->host) == 0);
}

static struct entry *
entry_new(struct verify *v, const struct ipc_probe *p)
{
	struct entry *e;

	if ((e = calloc(1, sizeof(*e))) == NULL)
		return (NULL);
	e->p = *p;
	HASH_ADD(hh, v->all, p.address[0], strlen(e->p.address), e);
	DL_APPEND(v->waits, e);
	return (e);
}

void
verify_ask(struct verify *v, uint64_t peer, const struct ipc_verify *m, uint64_t now)
{
	struct ipc_verify_result none = { .id = m->id, .status = VERIFY_UNKNOWN };
	char dest[VERIFY_DEST_NAME];
	struct ipc_probe p = { 0 };
	struct waiter *w;
	struct entry *e;

	memcpy(p.address, m->address, sizeof(p.address));
	if (v->nwaiter >= VERIFY_WAITERS_MAX || v->ops->route(v->arg, p.address, &p, dest) != E_OK) {
		v->ops->answer(v->arg, peer, &none);
		return;
	}
	e = find(v, p.address);
	if (e != NULL && e->step == STEP_KNOWN && (e->expires <= now || !same_route(&e->p, &p))) {
		forget(v, e);
		e = NULL;
	}
	if (e != NULL && e->step == STEP_KNOWN) {
		DL_DELETE(v->known, e);
		DL_APPEND(v->known, e);
		e->answer.id = m->id;
		v->ops->answer(v->arg, peer, &e->answer);
		return;
	}
	if ((e == NULL && (e = entry_new(v, &p)) == NULL) || (w = calloc(1, sizeof(*w))) == NULL) {
		if (e != NULL && e->waiters == NULL && e->step == STEP_WAITS)
			forget(v, e);
		v->ops->answer(v->arg, peer, &none);
		return;
	}
	w->peer = peer;
	w->id = m->id;
	w->until = now + VERIFY_WAIT_MS;
	DL_APPEND(e->waiters, w);
	v->nwaiter++;
	if (e->step == STEP_WAITS)
		(void)start(v, e, now);
}

/* E_OK: it is asked, or has been answered and forgotten; E_BUSY: its turn comes later. */
static int
start(struct verify *v, struct entry *e, uint64_t now)
{
	char dest[VERIFY_DEST_NAME];
	struct verify_dest *d;
	size_t n;

	if (v->nasked >= VERIFY_PROBES_MAX)
		return (E_BUSY);
	if (v->ops->route(v->arg, e->p.address, &e->p, dest) != E_OK) {
		unknown(v, e, "");
		return (E_OK);
	}
	n = strlen(dest);
	HASH_FIND(hh, v->dests, dest, n, d);
	if (d != NULL && d->active >= VERIFY_DEST_MAX)
		return (E_BUSY);
	e->p.id = ++v->id;
	e->p.timeout_ms = VERIFY_WAIT_MS;
	if (v->ops->probe(v->arg, &e->p, &e->via) != E_OK) {
		unknown(v, e, "nobody can ask the next hop now");
		return (E_OK);
	}
	if (d == NULL) {
		if ((d = calloc(1, sizeof(*d) + n + 1)) == NULL) {
			unknown(v, e, "");	/* the answer will find nobody */
			return (E_OK);
		}
		memcpy(d->name, dest, n + 1);
		HASH_ADD(hh, v->dests, name, n, d);
	}
	d->active++;
	e->dest = d;
	DL_DELETE(v->waits, e);
	DL_APPEND(v->asked, e);
	v->nasked++;
	e->step = STEP_ASKED;
	e->until = now + 2 * VERIFY_WAIT_MS;
	HASH_ADD(hh_id, v->by_id, p.id, sizeof(e->p.id), e);
	return (E_OK);
}

/* It is no longer asked for; on no list then. */
static void
unask(struct verify *v, struct entry *e)
{
	struct verify_dest *d = e->dest;

	HASH_DELETE(hh_id, v->by_id, e);
	DL_DELETE(v->asked, e);
	v->nasked--;
	e->dest = NULL;
	if (--d->active == 0) {
		HASH_DEL(v->dests, d);
		free(d);
	}
}

static void
forget(struct verify *v, struct entry *e)
{
	struct waiter *w, *tmp;

	if (e->step == STEP_ASKED) {
		unask(v, e);
	} else if (e->step == STEP_WAITS) {
		DL_DELETE(v->waits, e);
	} else {
		DL_DELETE(v->known, e);
		v->nknown--;
	}
	DL_FOREACH_SAFE(e->waiters, w, tmp) {
		free(w);
		v->nwaiter--;
	}
	HASH_DELETE(hh, v->all, e);
	free(e);
}

static void
answer(struct verify *v, struct entry *e, const struct ipc_verify_result *r)
{
	struct ipc_verify_result m = *r;
	struct waiter *w;

	while ((w = e->waiters) != NULL) {
		DL_DELETE(e->waiters, w);
		v->nwaiter--;
		m.id = w->id;
		v->ops->answer(v->arg, w->peer, &m);
		free(w);
	}
}

static void
unknown(struct verify *v, struct entry *e, const char *why)
{
	struct ipc_verify_result r = { .status = VERIFY_UNKNOWN };

	(void)snprintf(r.text, sizeof(r.text), "%s", why);
	answer(v, e, &r);
	forget(v, e);
}

/* Those whose turn it may be now. */
static void
serve(struct verify *v, uint64_t now)
{
	struct entry *e, *tmp;

	DL_FOREACH_SAFE(v->waits, e, tmp) {
		if (v->nasked >= VERIFY_PROBES_MAX)
			break;
		(void)start(v, e, now);
	}
}

void
verify_result(struct verify *v, uint64_t via, const struct ipc_probe_result *m, uint64_t now)
{
	struct ipc_verify_result r = { .code = m->code, .enhanced = m->enhanced };
	struct entry *e;

	HASH_FIND(hh_id, v->by_id, &m->id, sizeof(m->id), e);
	if (e == NULL || e->via != via)
		return;			/* too late */
	if (m->outcome == OUT_DELIVERED || m->outcome == OUT_PERMFAIL)
		e->dest->heard = now;
	r.status = m->outcome == OUT_DELIVERED ? VERIFY_TAKEN : m->outcome == OUT_PERMFAIL ? VERIFY_REFUSED :
	    VERIFY_UNKNOWN;
	memcpy(r.text, m->text, sizeof(r.text));
	answer(v, e, &r);
	if (r.status == VERIFY_UNKNOWN) {
		forget(v, e);
		serve(v, now);
		return;
	}
	unask(v, e);
	if (v->nknown >= VERIFY_CACHE_MAX)
		forget(v, v->known);
	e->step = STEP_KNOWN;
	e->answer = r;
	e->expires = now + (r.status == VERIFY_TAKEN ? v->times.positive_ms : v->times.negative_ms);
	DL_APPEND(v->known, e);
	v->nknown++;
	serve(v, now);
}

void
verify_gone(struct verify *v, uint64_t via, uint64_t now)
{
	struct entry *e, *tmp;

	DL_FOREACH_SAFE(v->asked, e, tmp)
		if (e->via == via)
			unknown(v, e, "the delivery process ended");
	serve(v, now);
}

static void
leave(struct verify *v, struct entry *list, uint64_t peer)
{
	struct waiter *w, *tmp;
	struct entry *e;

	DL_FOREACH(list, e)
		DL_FOREACH_SAFE(e->waiters, w, tmp)
			if (w->peer == peer) {
				DL_DELETE(e->waiters, w);
				v->nwaiter--;
				free(w);
			}
}

/* What nobody waits for is not asked for any more; what is being asked for is still worth knowing. */
void
verify_left(struct verify *v, uint64_t peer)
{
	struct entry *e, *tmp;

	leave(v, v->waits, peer);
	leave(v, v->asked, peer);
	DL_FOREACH_SAFE(v->waits, e, tmp)
		if (e->waiters == NULL)
			forget(v, e);
}

static void
time_out(struct verify *v, struct entry *e, uint64_t now)
{
	struct ipc_verify_result r = { .status = VERIFY_UNKNOWN };
	struct waiter *w, *tmp;

	DL_FOREACH_SAFE(e->waiters, w, tmp) {
		if (w->until > now)
			break;		/* they stand in the order of their times */
		DL_DELETE(e->waiters, w);
		v->nwaiter--;
		r.id = w->id;
		v->ops->answer(v->arg, w->peer, &r);
		free(w);
	}
}

/*
 * More is asked than a next hop can be asked for.  If it has nothing to say to anybody its mail is taken, as is a backup's
 * purpose; but while it answers, a flood of questions must not be what gets unknown recipients taken (R16).
 */
static void
too_long(struct verify *v, struct entry *e, uint64_t now)
{
	struct ipc_verify_result r = { .status = VERIFY_UNKNOWN, .code = 450, .enhanced = { 4, 4, 5 } };
	char dest[VERIFY_DEST_NAME];
	struct verify_dest *d = NULL;

	if (e->waiters == NULL || e->waiters->until > now + VERIFY_WAIT_MS - VERIFY_TURN_MS ||
	    v->ops->route(v->arg, e->p.address, &e->p, dest) != E_OK)
		return;
	HASH_FIND(hh, v->dests, dest, strlen(dest), d);
	if (d == NULL || d->heard == 0 || now - d->heard > VERIFY_TURN_MS)
		return;
	(void)snprintf(r.text, sizeof(r.text), "too many recipients are being asked for there");
	answer(v, e, &r);
}

void
verify_tick(struct verify *v, uint64_t now)
{
	struct entry *e, *tmp;

	DL_FOREACH_SAFE(v->asked, e, tmp) {
		time_out(v, e, now);
		if (e->until <= now)
			unknown(v, e, "");	/* deliver has lost it */
	}
	DL_FOREACH_SAFE(v->waits, e, tmp) {
		too_long(v, e, now);
		time_out(v, e, now);
		if (e->waiters == NULL)
			forget(v, e);
	}
	serve(v, now);
}

size_t
verify_known(const struct verify *v)
{
	return (v->nknown);
}

size_t
verify_asking(const struct verify *v)
{
	return (v->nasked);
}
