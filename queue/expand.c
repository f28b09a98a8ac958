/*
 * expand.c -- see expand.h.  Core.
 */
#include "queue/expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/rcpt.h"
#include "queue/table.h"

#define NOTIFY_DEFAULT	(NOTIFY_FAILURE | NOTIFY_DELAY)	/* what no NOTIFY means (RFC 3461 4.1) */

struct out {				/* one that will be stored */
	const char	*address, *sender;
	const struct recipient *from;	/* whom the client named */
	const char	*named_by;	/* of a failed one: the alias that named it */
	uint8_t		 notify, owned, state, owed, kind;
	uint8_t		 aliased;	/* address is not what the client named */
	uint8_t		 no_dsn;	/* the client's ORCPT is not for it */
	struct out	*next;
	UT_hash_handle	 hh;
};

struct expand {
	const struct conf *conf;
	const struct recipient *rcpt;
	uint32_t	 n, at;		/* the client's; the one being expanded */
	uint32_t	 nends, nempty;
	uint8_t		 plain, running;
	size_t		 memory_max;
	struct arena	 mem;		/* of what stays */
	struct arena	 scratch;	/* of the expansion of one name */
	struct rcpt_expansion x;
	struct out	*outs, **tail, *set;
	struct out	**v;		/* by number, once it is over */
	uint32_t	 nout;
	uint8_t		 discarded[RCPT_MAX];	/* of the client's */
};

struct expand *
expand_new(const struct conf *conf, const struct recipient *rcpt, uint32_t n, size_t memory_max)
{
	struct expand *x;

	if (n > RCPT_MAX || (x = calloc(1, sizeof(*x))) == NULL)
		return (NULL);
	x->conf = conf;
	x->rcpt = rcpt;
	x->n = n;
	x->plain = 1;
	x->memory_max = memory_max;
	x->tail = &x->outs;
	arena_init(&x->mem, memory_max);
	arena_init(&x->scratch, memory_max);
	return (x);
}

void
expand_free(struct expand *x)
{
	if (x == NULL)
		return;
	HASH_CLEAR(hh, x->set);
	arena_clear(&x->scratch);
	arena_clear(&x->mem);
	free(x);
}

size_t
expand_memory(const struct expand *x)
{
	return (sizeof(*x) + x->mem.used + x->scratch.used);
}

/* The same mailbox in another case is the same; elsewhere case may mean something (RFC 5321 2.4). */
static void
key_of(char key[ADDRESS_MAX + 1], const char *address, enum rcpt_kind kind)
{
	size_t i;

	for (i = 0; i < ADDRESS_MAX && address[i] != '\0'; i++)
		key[i] = (char)(kind == TO_MAILBOX && address[i] >= 'A' && address[i] <= 'Z' ?
		    address[i] + ('a' - 'A') : address[i]);
	key[i] = '\0';
}

/* Who is named twice gets the message once: what either of them wants to know, is told. */
static void
merge(struct expand *x, struct out *o, const struct out *more)
{
	uint8_t a, b;

	x->plain = 0;
	if (o->owned != more->owned) {
		/* Named by the sender himself and by a list: he is the sender's recipient. */
		if (o->owned) {
			o->owned = 0;
			o->sender = "";
			o->notify = more->notify;
			o->from = more->from;
			o->aliased = more->aliased;
			o->no_dsn = more->no_dsn;
		}
		return;
	}
	if (o->notify == more->notify)
		return;
	a = o->notify != 0 ? o->notify : NOTIFY_DEFAULT;
	b = more->notify != 0 ? more->notify : NOTIFY_DEFAULT;
	o->notify = (a | b) & (uint8_t)~NOTIFY_NEVER;	/* both NEVER would be equal */
	if (o->from->orcpt[0] == '\0' && more->from->orcpt[0] != '\0' && !more->no_dsn)
		o->from = more->from;
}

/* A copy of w into the set.  address is copied if it is in the scratch. */
static int
add(struct expand *x, const struct out *w, int copy)
{
	char key[ADDRESS_MAX + 1];
	struct out *o = NULL;
	const char *k;

	key_of(key, w->address, (enum rcpt_kind)w->kind);
	if (w->owed != OWED_DELIVERED && w->owed != OWED_EXPANDED) {
		HASH_FIND(hh, x->set, key, strlen(key), o);
		if (o != NULL) {
			merge(x, o, w);
			return (E_OK);
		}
	}
	if (x->nends >= EXPANSION_MAX)
		return (E_LIMIT);
	if ((o = arena_alloc(&x->mem, sizeof(*o))) == NULL)
		return (E_NOMEM);
	*o = *w;
	o->next = NULL;
	if (copy && ((o->address = arena_strdup(&x->mem, slice_str(w->address))) == NULL ||
	    (o->sender = arena_strdup(&x->mem, slice_str(w->sender))) == NULL ||
	    (w->state == RCPT_FAILED && (o->named_by = arena_strdup(&x->mem, slice_str(w->named_by))) == NULL)))
		return (E_NOMEM);
	*x->tail = o;
	x->tail = &o->next;
	x->nout++;
	if (w->owed == OWED_DELIVERED || w->owed == OWED_EXPANDED)
		return (E_OK);
	x->nends++;
	k = o->address;
	if (strcmp(k, key) != 0 && (k = arena_strdup(&x->mem, slice_str(key))) == NULL)
		return (E_NOMEM);
	HASH_ADD_KEYPTR(hh, x->set, k, strlen(k), o);
	return (E_OK);
}

/* What the ends of an alias with several of them are asked for. */
static uint8_t
without_success(uint8_t notify)
{
	if ((notify & NOTIFY_SUCCESS) == 0)
		return (notify);
	notify &= (uint8_t)~NOTIFY_SUCCESS;
	return (notify != 0 ? notify : NOTIFY_NEVER);
}

/* The name itself, kept for the notice that it owes. */
static int
add_owed(struct expand *x, const struct recipient *from, enum owed owed)
{
	struct out w = { .address = from->address, .sender = "", .from = from, .notify = from->notify,
	    .state = RCPT_DELIVERED, .owed = (uint8_t)owed };

	if ((from->notify & NOTIFY_SUCCESS) == 0)
		return (E_OK);
	return (add(x, &w, 0));
}

/* As it was named: aliases lead nowhere, or cannot be read. */
static int
add_itself(struct expand *x, const struct recipient *from, int failed)
{
	struct out w = { .address = from->address, .sender = "", .from = from, .notify = from->notify,
	    .kind = TO_REMOTE, .state = RCPT_PENDING };

	if (failed) {
		x->plain = 0;
		w.kind = TO_LOOP;
		w.state = RCPT_FAILED;
		w.owed = OWED_FAILED;
		w.named_by = "";
	}
	return (add(x, &w, 0));
}

static int
add_ends(struct expand *x, const struct recipient *from)
{
	uint32_t mine = 0, theirs = 0, dropped = 0;
	const struct rcpt_end *e;
	int err = E_OK;

	for (e = x->x.ends; e != NULL; e = e->next) {
		dropped += e->kind == TO_DISCARD;
		theirs += e->kind != TO_DISCARD && e->owned;
		mine += e->kind != TO_DISCARD && !e->owned;
	}
	x->plain = 0;
	x->discarded[from - x->rcpt] = dropped != 0;
	if (mine + theirs == 0 && dropped == 0) {
		x->nempty++;
		return (add_itself(x, from, 1));
	}
	if (mine + theirs == 0)
		return (add_owed(x, from, OWED_DELIVERED));
	if (mine == 0)
		err = add_owed(x, from, OWED_DELIVERED);
	else if (mine + theirs > 1)
		err = add_owed(x, from, OWED_EXPANDED);
	for (e = x->x.ends; e != NULL && err == E_OK; e = e->next) {
		struct out w = { .address = e->address, .sender = e->sender, .from = from, .owned = (uint8_t)e->owned,
		    .kind = (uint8_t)e->kind, .state = RCPT_PENDING, .named_by = e->alias, .aliased = 1,
		    .no_dsn = (uint8_t)e->owned };

		if (e->kind == TO_DISCARD)
			continue;
		w.notify = e->owned ? 0 : mine + theirs > 1 ? without_success(from->notify) : from->notify;
		if (e->kind == TO_UNKNOWN || e->kind == TO_LOOP) {
			w.state = RCPT_FAILED;
			w.owed = OWED_FAILED;
		}
		err = add(x, &w, 1);
	}
	return (err);
}

/* The next name, or the next members of its lists; *budget is what may still be looked at. */
static int
go_on(struct expand *x, uint32_t *budget)
{
	const struct recipient *from = &x->rcpt[x->at];
	enum rcpt_kind kind = TO_REMOTE;
	uint32_t before = x->x.looked;
	int err;

	if (!x->running) {
		(*budget)--;
		err = rcpt_look(x->conf, from->address, &kind);
		if (err != E_AGAIN) {
			struct out w = { .address = from->address, .sender = "", .from = from, .notify = from->notify,
			    .kind = (uint8_t)kind, .state = RCPT_PENDING };

			x->at++;
			return (add(x, &w, 0));
		}
		arena_reset(&x->scratch);
		if ((err = rcpt_expand_begin(&x->x, x->conf, &x->scratch, from->address, EXPANSION_MAX)) == E_OK)
			x->running = 1;
	} else {
		err = rcpt_expand_some(&x->x, *budget);
		*budget -= x->x.looked - before;
		if (err == E_AGAIN)
			return (E_OK);
		x->running = 0;
		if (err == E_OK) {
			x->at++;
			return (add_ends(x, from));
		}
	}
	if (err == E_CORRUPT) {		/* a table is damaged: the name stays */
		x->running = 0;
		x->at++;
		return (add_itself(x, from, 0));
	}
	return (err);
}

static int
finish(struct expand *x)
{
	uint32_t i = 0;
	struct out *o;

	arena_clear(&x->scratch);
	/* All that there is leads nowhere: the client still has the message, and is told. */
	if (x->nempty != 0 && x->nempty == x->n)
		return (E_LIMIT);
	if ((x->v = arena_alloc(&x->mem, x->nout * sizeof(*x->v))) == NULL)
		return (E_NOMEM);
	for (o = x->outs; o != NULL; o = o->next)
		x->v[i++] = o;
	return (E_OK);
}

int
expand_some(struct expand *x, uint32_t addresses)
{
	int err;

	while (x->at < x->n && addresses != 0)
		if ((err = go_on(x, &addresses)) != E_OK)
			return (err);
	return (x->at < x->n ? E_AGAIN : finish(x));
}

int
expand_is_plain(const struct expand *x)
{
	return (x->plain);
}

uint32_t
expand_count(const struct expand *x)
{
	return (x->nout);
}

int
expand_is_discarded(const struct expand *x, uint32_t i)
{
	return (i < x->n && x->discarded[i]);
}

static int
is_ascii(const char *p)
{
	for (; *p != '\0'; p++)
		if ((unsigned char)*p >= 0x80)
			return (0);
	return (1);
}

static void
put_failure(const struct out *o, struct recipient *r)
{
	if (o->kind == TO_UNKNOWN) {
		r->enhanced = (struct enhanced){ 5, 1, 1 };
		(void)snprintf(r->text, sizeof(r->text), "no such mailbox; the alias <%.*s> names it",
		    (int)ADDRESS_MAX, o->named_by);
	} else {
		r->enhanced = (struct enhanced){ 5, 4, 6 };
		(void)snprintf(r->text, sizeof(r->text), "its aliases lead in a circle or are nested too deep");
	}
}

void
expand_get(const struct expand *x, uint32_t i, int64_t due, struct recipient *r)
{
	const struct out *o = x->v[i];

	memset(r, 0, sizeof(*r));
	r->index = i;
	r->state = o->state;
	r->notify = o->notify;
	r->owed = o->owed;
	r->owned = o->owned;
	r->next = due;
	(void)slice_copy(slice_str(o->address), r->address, sizeof(r->address));
	(void)slice_copy(slice_str(o->sender), r->sender, sizeof(r->sender));
	if (o->aliased)
		(void)slice_copy(slice_str(o->from->address), r->alias, sizeof(r->alias));
	if (o->state == RCPT_FAILED)
		put_failure(o, r);
	if (o->no_dsn)
		return;
	/* RFC 3461 5.2.1: ORCPT is what came, or what may be made of the name that came. */
	if (o->from->orcpt[0] != '\0')
		memcpy(r->orcpt, o->from->orcpt, sizeof(r->orcpt));
	else if (o->aliased)
		(void)snprintf(r->orcpt, sizeof(r->orcpt), "%s;%s", is_ascii(o->from->address) ? "rfc822" : "utf-8",
		    o->from->address);
}
