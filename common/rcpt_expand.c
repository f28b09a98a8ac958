/*
 * rcpt_expand.c -- the set of ends that an address leads to.  Core; see rcpt.h.
 *
 * Breadth first: what is near is reached first, so that depth and owner of an end do not depend on how its lists
 * are written.  A member is looked at when its list is: an end is an end at once, a list waits in line.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/rcpt_int.h"
#include "common/siphash.h"

#define SEEN_FIRST	64	/* places of the table of what was reached; doubled when half are taken */

struct rcpt_node {			/* a list whose members are still to be looked at */
	struct rcpt_node	*next;
	struct table_iter	 it;
	const struct table	*table;		/* NULL: the domain's catch-all */
	const struct conf_domain *domain;
	size_t			 matched;
	const char		*text;		/* the address that has these members */
	const char		*sender;	/* owner of it, or of a list above; NULL none */
	uint8_t			 stage;
	uint8_t			 depth;		/* of its members */
};

/* What begins a key of the table of what was reached: one address may stand for a list, and within it for itself. */
enum { REACHED_VIRTUAL = '\1', REACHED_ALIAS, REACHED_END, REACHED_INCLUDE };

/* ---- what was reached ---- */

/* The place of the key, where it stands or would stand. */
static uint32_t
seen_place(const struct rcpt_expansion *x, const char *key)
{
	uint32_t	 mask = x->seen_size - 1, i = (uint32_t)siphash(key, strlen(key)) & mask;

	while (x->seen[i] != NULL && strcmp(x->seen[i], key) != 0)
		i = (i + 1) & mask;
	return (i);
}

static int
seen_grow(struct rcpt_expansion *x)
{
	uint32_t	 size = x->seen_size != 0 ? x->seen_size * 2 : SEEN_FIRST, old = x->seen_size;
	const void	**was = x->seen, **now;

	if (size == 0 || (now = arena_alloc(x->mem, size * sizeof(*now))) == NULL)
		return (E_NOMEM);
	x->seen = now;
	x->seen_size = size;
	for (uint32_t i = 0; i < old; i++) {
		if (was[i] != NULL)
			now[seen_place(x, was[i])] = was[i];
	}
	return (E_OK);
}

/* E_OK with a copy of text that stays, E_EXISTS. */
static int
seen_add(struct rcpt_expansion *x, char mark, const char *text, const char **copy)
{
	char		 key[1 + TABLE_KEY_MAX + 1];
	uint32_t	 i;

	if (x->nseen >= x->seen_size / 2 && seen_grow(x) != E_OK)
		return (E_NOMEM);
	key[0] = mark;
	memcpy(key + 1, text, strlen(text) + 1);
	i = seen_place(x, key);
	if (x->seen[i] != NULL)
		return (E_EXISTS);
	if ((x->seen[i] = arena_strdup(x->mem, slice_str(key))) == NULL)
		return (E_NOMEM);
	x->nseen++;
	*copy = (const char *)x->seen[i] + 1;
	return (E_OK);
}

/* ---- ends and lists ---- */

static int
add_end(struct rcpt_expansion *x, enum rcpt_kind kind, const char *text, const char *alias, const char *sender)
{
	struct rcpt_end	*e;

	if (kind != TO_DISCARD && x->nends >= x->ends_max)
		return (E_LIMIT);
	if ((e = arena_alloc(x->mem, sizeof(*e))) == NULL)
		return (E_NOMEM);
	e->kind = kind;
	e->owned = sender != NULL;
	e->address = text;
	e->sender = sender != NULL ? sender : "";
	e->alias = alias;
	*x->tail = e;
	x->tail = &e->next;
	x->nends += kind != TO_DISCARD;
	if (kind <= TO_REMOTE && x->good == NULL)
		x->good = e;
	return (E_OK);
}

/* The same mailbox in another case is the same mailbox; elsewhere case may mean something (RFC 5321 2.4). */
static int
reach_end(struct rcpt_expansion *x, const struct rcpt_name *r, const struct rcpt_step *s, const char *alias,
    const char *sender)
{
	char		 folded[TABLE_KEY_MAX + 1];
	const char	*text;
	int		 err;

	if (x->trace != NULL)
		rcpt_trace_end(x->trace, x->arg, r->text, s);
	if (s->kind == TO_REMOTE || s->kind == TO_RELAY)
		err = seen_add(x, REACHED_END, r->text, &text);
	else {
		(void)table_fold(folded, slice_str(r->text));	/* an address fits a key */
		if ((err = seen_add(x, REACHED_END, folded, &text)) == E_OK && strcmp(text, r->text) != 0 &&
		    (text = arena_strdup(x->mem, slice_str(r->text))) == NULL)
			err = E_NOMEM;
	}
	if (err != E_OK)
		return (err == E_EXISTS ? E_OK : err);
	return (add_end(x, s->kind, text, alias, sender));
}

/* Aliases nested too deep are an end that nothing can be delivered to. */
static int
too_deep(struct rcpt_expansion *x, const char *text, const char *alias, const char *sender)
{
	if (x->trace != NULL)
		x->trace(x->arg, "limit", "aliases are nested deeper than ALIAS_DEPTH_MAX steps");
	return (add_end(x, TO_LOOP, text, alias, sender));
}

/* owner-NAME among the same aliases, NAME being the key that matched: then its members answer to it. */
static int
find_owner(struct rcpt_expansion *x, const struct rcpt_name *r, struct rcpt_node *n)
{
	char			 local[6 + LOCAL_PART_MAX], address[ADDRESS_MAX + 1], where[512];
	struct table_value	 v;
	int			 err;

	memcpy(local, "owner-", 6);
	for (size_t i = 0; i < n->matched; i++)
		local[6 + i] = (char)(r->local[i] >= 'A' && r->local[i] <= 'Z' ? r->local[i] + ('a' - 'A') :
		    r->local[i]);
	if ((err = table_get_local(n->table, slice_make(local, 6 + n->matched), &v)) != E_OK)
		return (err == E_NOTFOUND ? E_OK : err);
	if (rcpt_join(address, local, 6 + n->matched, r->domain) != E_OK)
		return (E_OK);		/* longer than any address: nobody */
	if ((n->sender = arena_strdup(x->mem, slice_str(address))) == NULL)
		return (E_NOMEM);
	if (x->trace != NULL)
		x->trace(x->arg, table_where(n->table, &v, where, sizeof(where)),
		    "this owner becomes the envelope sender for the members of the list");
	return (E_OK);
}

static int
reach_list(struct rcpt_expansion *x, const struct rcpt_name *r, const struct rcpt_step *s, const char *alias,
    const char *sender, unsigned depth)
{
	struct rcpt_node	*n;
	const char		*text;
	int			 err;

	err = seen_add(x, s->stage == STAGE_VIRTUAL ? REACHED_VIRTUAL : REACHED_ALIAS, r->text, &text);
	if (err == E_EXISTS && x->trace != NULL)
		x->trace(x->arg, "loop", "was reached before: it adds nothing");
	if (err != E_OK)
		return (err == E_EXISTS ? E_OK : err);
	if (depth >= ALIAS_DEPTH_MAX)
		return (too_deep(x, text, alias, sender));
	if ((n = arena_alloc(x->mem, sizeof(*n))) == NULL)
		return (E_NOMEM);
	n->table = s->table;
	n->domain = s->domain;
	n->matched = s->matched;
	n->stage = (uint8_t)s->stage;
	n->text = text;
	n->sender = sender;
	n->depth = (uint8_t)(depth + 1);
	if (s->table != NULL)
		table_targets(&n->it, &s->v);
	if (x->trace != NULL && s->table != NULL)
		rcpt_trace_targets(x->trace, x->arg, text, s->table, &s->v);
	else if (x->trace != NULL)
		rcpt_trace_catch_all(x->trace, x->arg, text, s->domain);
	if (s->stage == STAGE_ALIAS && (err = find_owner(x, r, n)) != E_OK)
		return (err);
	*x->node_tail = n;
	x->node_tail = &n->next;
	return (E_OK);
}

/* An address is reached, from a stage on.  alias: who named it. */
static int
reach(struct rcpt_expansion *x, const char *address, enum rcpt_stage from, const char *alias, const char *sender,
    unsigned depth)
{
	struct rcpt_name	 r;
	struct rcpt_step	 s;
	int			 err;

	if (rcpt_name_set(&r, x->conf, slice_str(address)) != E_OK)
		return (E_CORRUPT);
	if ((err = rcpt_step(x->conf, &r, from, &s)) != E_OK)
		return (err);
	return (s.more ? reach_list(x, &r, &s, alias, sender, depth) : reach_end(x, &r, &s, alias, sender));
}

static int
member_include(struct rcpt_expansion *x, const struct rcpt_node *n, const struct target *t)
{
	struct table_value	 v;
	struct rcpt_node	*in;
	const char		*text;
	char			 key[32];
	int			 err;

	snprintf(key, sizeof(key), "%u:%u", n->table->id, t->include);
	if ((err = seen_add(x, REACHED_INCLUDE, key, &text)) != E_OK)
		return (err == E_EXISTS ? E_OK : err);
	if (n->depth >= ALIAS_DEPTH_MAX)
		return (too_deep(x, n->text, n->text, n->sender));
	if ((err = table_include(n->table, t->include, &v)) != E_OK)
		return (err);
	if ((in = arena_alloc(x->mem, sizeof(*in))) == NULL)
		return (E_NOMEM);
	*in = *n;
	in->next = NULL;
	in->depth++;
	table_targets(&in->it, &v);
	if (x->trace != NULL)
		rcpt_trace_targets(x->trace, x->arg, n->text, n->table, &v);
	*x->node_tail = in;
	x->node_tail = &in->next;
	return (E_OK);
}

/* Whether an address that a list names is the list's own name: with or, in aliases, without the extension. */
static int
names_itself(const struct rcpt_node *n, const struct rcpt_name *r, const char *to)
{
	char	 base[ADDRESS_MAX + 1];

	if (rcpt_same(to, n->text))
		return (1);
	return (n->stage == STAGE_ALIAS && r->nbase != r->nlocal && n->matched == r->nbase &&
	    rcpt_join(base, r->local, r->nbase, r->domain) == E_OK && rcpt_same(to, base));
}

static int
member(struct rcpt_expansion *x, struct rcpt_node *n)
{
	char			 to[ADDRESS_MAX + 1];
	struct rcpt_name	 r;
	struct rcpt_step	 s = { .stage = (enum rcpt_stage)n->stage, .matched = n->matched };
	struct target		 t;
	int			 err;

	if (n->table == NULL)
		return (reach(x, n->domain->catch_all, STAGE_VIRTUAL, n->text, n->sender, n->depth));
	if ((err = table_target_next(&n->it, &t)) != E_OK)
		return (err);
	switch (t.kind) {
	case TARGET_INCLUDE:
		return (member_include(x, n, &t));
	case TARGET_DISCARD:
		if (x->trace != NULL)
			x->trace(x->arg, "end", "/dev/null: what comes here is thrown away, and logged");
		return (add_end(x, TO_DISCARD, "", n->text, NULL));
	default:
		break;
	}
	if (rcpt_name_set(&r, x->conf, slice_str(n->text)) != E_OK || rcpt_target(x->conf, &r, &s, &t, to) != E_OK)
		return (E_CORRUPT);
	if (names_itself(n, &r, to))
		return (reach(x, n->text, n->stage == STAGE_VIRTUAL ? STAGE_ALIAS : STAGE_MAILBOX, n->text,
		    n->sender, n->depth));
	return (reach(x, to, STAGE_VIRTUAL, n->text, n->sender, n->depth));
}

int
rcpt_look(const struct conf *conf, const char *address, enum rcpt_kind *kind)
{
	struct rcpt_name	 r;
	struct rcpt_step	 s;
	int			 err;

	if (rcpt_name_set(&r, conf, slice_str(address)) != E_OK)
		return (E_CORRUPT);
	if ((err = rcpt_step(conf, &r, STAGE_VIRTUAL, &s)) != E_OK)
		return (err);
	*kind = s.kind;
	return (s.more ? E_AGAIN : E_OK);
}

int
rcpt_expand_begin(struct rcpt_expansion *x, const struct conf *conf, struct arena *mem, const char *address,
    uint32_t ends_max)
{
	rcpt_trace	*trace = x->trace;
	void		*arg = x->arg;

	*x = (struct rcpt_expansion){ .conf = conf, .mem = mem, .ends_max = ends_max, .trace = trace, .arg = arg };
	x->tail = &x->ends;
	x->node_tail = &x->head;
	return (reach(x, address, STAGE_VIRTUAL, "", NULL, 0));
}

int
rcpt_expand_some(struct rcpt_expansion *x, uint32_t members)
{
	struct rcpt_node	*n;
	int			 err;

	for (; (n = x->head) != NULL && members != 0; members--) {
		x->looked++;
		err = member(x, n);
		if (err != E_OK && err != E_NOTFOUND)
			return (err);
		if (err == E_NOTFOUND || n->table == NULL) {
			if ((x->head = n->next) == NULL)
				x->node_tail = &x->head;
		}
	}
	return (x->head != NULL ? E_AGAIN : E_OK);
}
