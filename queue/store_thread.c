/*
 * store_thread.c -- the store thread: takes what has collected as one batch, runs it as one transaction,
 * flushes it, gives it back.  While it flushes, the next batch collects (design.md 1.4).
 */
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "queue/store_int.h"

struct batch {
	struct store_op	*head, **tail;
	uint64_t	 nop;
};

/* What is left out of the next try, since there is no room. */
enum level { ALL, NO_NEW_MAIL, ONLY_REMOVALS, NOTHING };

static uint64_t
op_octets(const struct store_op *op)
{
	const struct body_block *b;
	uint64_t n;

	n = RECORD_GUESS;
	if (op->kind == STORE_PUT || op->kind == STORE_OUTCOME)
		n += (uint64_t)op->nrcpt * RECORD_GUESS;
	for (b = op->blocks; b != NULL && (op->kind == STORE_PUT || op->kind == STORE_CHUNKS); b = b->next)
		n += BODY_BLOCK;
	if (op->also != NULL)
		n += op_octets(op->also);
	return (n);
}

static int
is_new_mail(const struct store_op *op)
{
	return (op->kind == STORE_PUT || op->kind == STORE_CHUNKS);
}

/* Makes room, or at least needs none. */
static int
is_removal(const struct store_op *op)
{
	return (op->kind == STORE_DROP || op->kind == STORE_TRASH ||
	    (op->kind == STORE_OUTCOME && op->also == NULL && (op->message->flags & MSGF_DONE) != 0));
}

static void
leave_out(struct store_op *op, int err)
{
	op->skip = 1;
	op->err = err;
}

static void
take_ops(struct op_list *l, struct batch *b, uint64_t most, uint64_t *octets)
{
	struct store_op *op;
	uint64_t n;

	for (; (op = l->head) != NULL && most > 0; most--) {
		n = op_octets(op);
		if (b->nop != 0 && *octets + n > BATCH_OCTETS)
			break;
		*octets += n;
		b->nop++;
		l->head = op->next;
		op->next = NULL;
		*b->tail = op;
		b->tail = &op->next;
	}
	if (l->head == NULL)
		l->tail = &l->head;
}

/*
 * Under lock: the next batch off the lists.  What is in the background gets its share of each batch and no
 * more, also when there is nothing else: who comes next waits for this batch.
 */
static void
take_batch(struct store *s, struct batch *b)
{
	uint64_t octets;

	b->head = NULL;
	b->tail = &b->head;
	b->nop = 0;
	octets = 0;
	take_ops(&s->todo[0], b, BATCH_OPS, &octets);
	take_ops(&s->todo[1], b, BATCH_BACKGROUND, &octets);
}

static int
has_work(const struct store *s)
{
	return (s->todo[0].head != NULL || s->todo[1].head != NULL);
}

/* New mail only while the reserve stays whole. */
static void
refuse_for_space(struct store *s, struct batch *b)
{
	struct store_op *op;
	uint64_t need, n;
	int err;

	for (need = 0, op = b->head; op != NULL; op = op->next) {
		op->err = E_OK;
		op->skip = 0;
		if (!is_new_mail(op))
			continue;
		n = op_octets(op);
		if (s->broken)
			err = E_IO;
		else if (!space_fits(s, need + n))
			err = E_FULL;
		else {
			need += n;
			continue;
		}
		leave_out(op, err);
	}
}

static void
leave_out_level(struct batch *b, enum level level)
{
	struct store_op *op;

	for (op = b->head; op != NULL; op = op->next) {
		if (!op->skip && ((level >= NO_NEW_MAIL && is_new_mail(op)) ||
		    (level >= ONLY_REMOVALS && !is_removal(op)) || level >= NOTHING))
			leave_out(op, E_FULL);
	}
}

static void
fail_all(struct batch *b, int err)
{
	struct store_op *op;

	for (op = b->head; op != NULL; op = op->next)
		if (!op->skip || op->err == E_OK)
			leave_out(op, err);
}

/* Run the operations; E_OK, or what spoils the whole transaction (*bad: because of this operation). */
static int
apply_all(struct store *s, struct batch *b, struct store_op **bad)
{
	struct store_op *op;
	int rc;

	*bad = NULL;
	for (op = b->head; op != NULL; op = op->next) {
		if (op->skip)
			continue;
		op->err = rc = txn_apply(s, op);
		if (rc == E_OK || (!s->w.touched && !s->w.hurt))
			continue;
		*bad = op;
		return (rc);
	}
	return (E_OK);
}

/* The store's own work, in the same transaction. */
static int
upkeep(struct store *s, struct store_figures *f)
{
	uint64_t seen, held;
	int rc;

	if (s->failures != 0 && (rc = wt_meta_put(s, META_PROBE, (uint64_t)s->w.now)) != E_OK)
		return (rc);		/* a commit that changes nothing would not try the disk */

	if (s->more_removal || s->w.removals) {
		if ((rc = remove_slice(s, REMOVE_SLICE)) != E_OK)
			return (rc);
	}
	if (s->w.held != 0) {
		if (wt_meta_get(s, META_HELD, &held) != E_OK)
			held = 0;
		held += (uint64_t)s->w.held;
		f->held = (int64_t)held < 0 ? 0 : held;
		if ((rc = wt_meta_put(s, META_HELD, f->held)) != E_OK)
			return (rc);
	}
	pthread_mutex_lock(&s->lock);
	seen = s->msgid_seen;
	pthread_mutex_unlock(&s->lock);
	if (((uint64_t)s->w.now * 1000) << MSGID_SHIFT > seen)
		seen = ((uint64_t)s->w.now * 1000) << MSGID_SHIFT;
	if (seen + MSGID_STEP / 2 > s->hwm_kept) {
		s->w.hwm = seen + MSGID_STEP;
		return (wt_meta_put(s, META_MSGID, s->w.hwm));
	}
	return (E_OK);
}

static uint64_t
entries(struct store *s, enum store_table t)
{
	MDB_stat st;

	return (mdb_stat(s->w.txn, s->dbi[t], &st) == 0 ? st.ms_entries : 0);
}

/* A transaction has become durable. */
static void
note_success(struct store *s, uint64_t nop, const struct store_figures *f, int64_t oldest)
{
	pthread_mutex_lock(&s->lock);
	s->fig.messages = f->messages;
	s->fig.trash = f->trash;
	if (s->w.held != 0)
		s->fig.held = f->held;
	s->fig.octets = f->octets;
	s->fig.commits++;
	s->fig.operations += nop;
	s->failures = 0;
	s->broken = 0;
	s->next_trash = oldest;
	if (s->w.hwm != 0)
		s->hwm = s->hwm_kept = s->w.hwm;
	pthread_mutex_unlock(&s->lock);
	s->more_removal = s->w.removals;
	/* The disk is asked each second anyway, and here only after so much more that it may matter. */
	if (f->octets > s->looked + LOOK_STEP || f->octets + LOOK_STEP < s->looked) {
		s->looked = f->octets;
		space_look(s, f->octets);
	}
	space_grow(s);
}

/* One try.  E_OK: durable. */
static int
run_once(struct store *s, struct batch *b, int trash, struct store_op **bad)
{
	struct store_figures f;
	int64_t oldest;
	int rc;

	*bad = NULL;
	if ((rc = wt_begin(s)) != E_OK)
		return (rc);
	if ((rc = apply_all(s, b, bad)) != E_OK) {
		wt_abort(s);
		return (rc);
	}
	memset(&f, 0, sizeof(f));
	if ((trash && (rc = remove_trash(s)) != E_OK) || (rc = upkeep(s, &f)) != E_OK) {
		wt_abort(s);
		return (rc);
	}
	f.messages = entries(s, T_MESSAGE);
	f.trash = entries(s, T_TRASH);
	oldest = f.trash != 0 ? trash_oldest(s) : 0;
	f.octets = space_used(s);
	if ((rc = wt_commit(s)) == E_OK)
		note_success(s, b->nop, &f, oldest);
	return (rc);
}

/* A flush failed: nothing of the batch counts, and what the kernel still holds in memory is not to be
 * trusted (F5).  Close, open, read again. */
static void
recover(struct store *s)
{
	unsigned n;
	int rc;

	rc = env_reopen(s);
	pthread_mutex_lock(&s->lock);
	n = ++s->failures;
	if (rc != E_OK || n >= FAILURES_MAX)
		s->broken = 1;
	pthread_mutex_unlock(&s->lock);
	s->more_removal = 0;		/* not again at once: the next success of others comes first */
	log_warn("store: write failed (%u in a row), %s", n, rc == E_OK ? "opened again" : "cannot be opened again");
}

static void
run_batch(struct store *s, struct batch *b, int trash)
{
	struct store_op *bad;
	enum level level;
	int more, rc, reruns;

	refuse_for_space(s, b);
	more = s->more_removal;
	for (level = ALL, reruns = 0; ; reruns++) {
		if (reruns > RERUNS_MAX) {
			fail_all(b, E_IO);
			return;
		}
		if ((rc = run_once(s, b, trash, &bad)) == E_OK)
			return;
		if (rc == E_IO && space_disk_full(s))
			rc = E_FULL;
		if (rc == E_FULL) {
			pthread_mutex_lock(&s->lock);
			s->full = 1;
			pthread_mutex_unlock(&s->lock);
			if (level == NOTHING) {
				fail_all(b, rc);
				return;
			}
			leave_out_level(b, ++level);
		} else if (rc == E_IO) {
			fail_all(b, rc);
			recover(s);
			s->more_removal = more && s->env != NULL;
			return;
		} else if (bad != NULL) {
			leave_out(bad, rc);
		} else {
			/* Our own work failed, not an operation: leave it for later and say so. */
			log_warn("store: upkeep failed: %s", err_name(rc));
			if (!s->more_removal && !trash) {
				fail_all(b, rc);
				return;
			}
			s->more_removal = trash = 0;
		}
	}
}

static void
give_back(struct store *s, struct batch *b)
{
	pthread_mutex_lock(&s->lock);
	if (b->head != NULL) {
		*s->done_tail = b->head;
		s->done_tail = b->tail;
	}
	pthread_mutex_unlock(&s->lock);
	uv_async_send(&s->async);
}

void *
store_thread(void *arg)
{
	struct store *s;
	struct batch b;
	int trash;

	s = arg;
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!has_work(s) && !s->stop && !s->kick && (!s->more_removal || s->failures != 0)) {
			s->waiting = 1;
			pthread_cond_wait(&s->wake, &s->lock);
			s->waiting = 0;
		}
		if (!has_work(s) && s->stop)
			break;
		s->kick = 0;
		take_batch(s, &b);
		trash = s->next_trash != 0;
		pthread_mutex_unlock(&s->lock);
		run_batch(s, &b, trash);
		give_back(s, &b);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return (NULL);
}
