/*
 * intake_expand.c -- between the commit of a transaction and the store: its aliases are expanded; see intake.h.
 *
 * A long list takes its slice in each turn of the loop, so that nobody else's 250 waits for it (EXPAND_SLICE).
 */
#include <stdlib.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/rcpt.h"
#include "queue/intake.h"
#include "queue/intake_int.h"

static void
count_expansion(struct txn *t)
{
	size_t now = t->x != NULL ? expand_memory(t->x) : 0;

	*t->memory += now - t->x_memory;
	t->x_memory = now;
}

void
txn_expand_free(struct txn *t)
{
	expand_free(t->x);
	t->x = NULL;
	count_expansion(t);
}

static void
rcpt_at(const struct store_op *op, uint32_t i, struct recipient *r)
{
	const struct txn *t = op->arg;

	expand_get(t->x, i, t->due, r);
}

/* The ends take the place of those whom the client named.  Very many stay packed until they are stored. */
static int
take_ends(struct txn *t)
{
	uint32_t i, n = expand_count(t->x);
	struct recipient *ends;
	size_t add = n * sizeof(*ends);

	t->m.nrcpt = n;
	if (n > RCPT_MAX) {
		t->put.rcpt_at = rcpt_at;
		return (E_OK);
	}
	if (*t->memory + add > TXN_RCPT_MEMORY_MAX || (ends = malloc(add)) == NULL)
		return (E_NOMEM);
	for (i = 0; i < n; i++)
		expand_get(t->x, i, t->due, &ends[i]);
	*t->memory += add;
	*t->memory -= t->room * sizeof(*t->rcpt);
	free(t->rcpt);
	t->rcpt = ends;
	t->room = n;
	return (E_OK);
}

static void
expand_over(struct txn *t, int err)
{
	uint32_t i, n = err == E_OK ? expand_count(t->x) : 0;

	if (t->expanding)
		DL_DELETE(t->intake->expanding, t);
	t->expanding = 0;
	for (i = 0; err == E_OK && i < t->nrcpt; i++)
		if (expand_is_discarded(t->x, i) && t->ops->discarded != NULL)
			t->ops->discarded(t->arg, t, t->rcpt[i].address, n == 0);
	if (err == E_OK && n != 0 && !expand_is_plain(t->x))
		err = take_ends(t);
	if (err != E_OK || n == 0) {
		/* Thrown away as the operator wants it: that is taken, too. */
		txn_answer(t, err == E_OK ? TXN_DURABLE : err == E_LIMIT ? TXN_EXPANSION : TXN_BUSY);
		txn_drop(t);
		return;
	}
	if (t->put.rcpt_at == NULL)
		txn_expand_free(t);
	txn_put(t);
}

static void
expand_go_on(struct txn *t)
{
	int err;

	err = expand_some(t->x, EXPAND_SLICE);
	count_expansion(t);
	if (err == E_AGAIN && *t->memory > TXN_RCPT_MEMORY_MAX)
		err = E_NOMEM;
	if (err != E_AGAIN) {
		expand_over(t, err);
		return;
	}
	if (!t->expanding)
		DL_APPEND(t->intake->expanding, t);
	t->expanding = 1;
	t->ops->wake(t->arg);
}

/* One recipient that is its own end is what nearly all messages have. */
void
txn_expand(struct txn *t)
{
	const struct conf *conf = t->intake->conf;
	size_t used = *t->memory;
	enum rcpt_kind kind;

	if (conf == NULL || (t->nrcpt == 1 && rcpt_look(conf, t->rcpt[0].address, &kind) == E_OK)) {
		txn_put(t);
		return;
	}
	if (used >= TXN_RCPT_MEMORY_MAX ||
	    (t->x = expand_new(conf, t->rcpt, t->nrcpt, TXN_RCPT_MEMORY_MAX - used)) == NULL) {
		txn_answer(t, TXN_BUSY);
		txn_drop(t);
		return;
	}
	expand_go_on(t);
}

int
intake_expand(struct intake *in, int all)
{
	struct txn *t;

	while ((t = in->expanding) != NULL) {
		expand_go_on(t);
		if (!all)
			break;
	}
	/* Each in its turn. */
	if (!all && (t = in->expanding) != NULL && t->next != NULL) {
		DL_DELETE(in->expanding, t);
		DL_APPEND(in->expanding, t);
	}
	return (in->expanding != NULL);
}
