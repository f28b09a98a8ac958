/*
 * store.c -- the store as the loop thread sees it: submitting, results, ids, health.  Shell (libuv).
 *
 * What is submitted within one turn of the loop goes to the thread together, when the turn ends: one wake-up, and
 * one commit for all of it.
 */
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/units.h"
#include "queue/store_int.h"

static void
set_health(struct store *s, enum store_health h)
{
	if (h == s->health)
		return;
	s->health = h;
	if (s->on_health != NULL)
		s->on_health(s->on_health_arg, h);
}

static void
look_health(struct store *s)
{
	enum store_health h;
	uint64_t limit, margin, used;

	pthread_mutex_lock(&s->lock);
	used = s->fig.octets;
	limit = s->usable > s->reserve ? s->usable - s->reserve : 0;
	margin = limit / 32 < FULL_MARGIN_MAX ? limit / 32 : FULL_MARGIN_MAX;
	if (s->health == STORE_NEARLY_FULL)
		margin *= 2;		/* not to and fro at the edge */
	if (s->broken)
		h = STORE_FAILED;
	else if (s->full || used + margin >= limit)
		h = STORE_NEARLY_FULL;
	else
		h = STORE_GOOD;
	pthread_mutex_unlock(&s->lock);
	set_health(s, h);
}

/* Call done() of what the thread gave back, in the order of submission. */
static void
finish_done(struct store *s)
{
	struct store_op *op, *next, *also;

	pthread_mutex_lock(&s->lock);
	op = s->done_head;
	s->done_head = NULL;
	s->done_tail = &s->done_head;
	pthread_mutex_unlock(&s->lock);
	for (; op != NULL; op = next) {
		int err = op->err;

		next = op->next;
		for (; op != NULL; op = also) {
			also = op->also;	/* done() may free op */
			if (op->done != NULL)
				op->done(op, err);
		}
	}
	look_health(s);
}

static void
on_async(uv_async_t *h)
{
	finish_done(h->data);
}

/* Hand on what this turn has submitted. */
static void
hand_over(struct store *s)
{
	int i, wake;

	if (s->in[0].head == NULL && s->in[1].head == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	for (i = 0; i < 2; i++) {
		if (s->in[i].head == NULL)
			continue;
		*s->todo[i].tail = s->in[i].head;
		s->todo[i].tail = s->in[i].tail;
		s->in[i].head = NULL;
		s->in[i].tail = &s->in[i].head;
	}
	s->msgid_seen = s->msgid_last;
	wake = s->waiting;
	pthread_mutex_unlock(&s->lock);
	if (wake)
		pthread_cond_signal(&s->wake);
}

static void
on_prepare(uv_prepare_t *h)
{
	hand_over(h->data);
}

int
store_start(struct store *s, uv_loop_t *loop)
{
	int rc;

	s->loop = loop;
	s->async.data = s->prepare.data = s;
	if (uv_async_init(loop, &s->async, on_async) != 0)
		return (E_NOMEM);
	s->handles++;
	if (uv_prepare_init(loop, &s->prepare) != 0)
		return (E_NOMEM);
	s->handles++;
	uv_prepare_start(&s->prepare, on_prepare);
	/* The rooms' own handles decide how long the loop runs. */
	uv_unref((uv_handle_t *)&s->async);
	uv_unref((uv_handle_t *)&s->prepare);
	if ((rc = pthread_create(&s->thread, NULL, store_thread, s)) != 0) {
		log_warn("store: no thread: %s", strerror(rc));
		return (E_NOMEM);
	}
	s->running = 1;
	return (E_OK);
}

void
store_submit(struct store *s, struct store_op *op)
{
	struct op_list *l;

	op->next = NULL;
	op->err = E_OK;
	op->skip = 0;
	l = &s->in[op->background != 0];
	*l->tail = op;
	l->tail = &op->next;
}

static void
on_closed(uv_handle_t *h)
{
	struct store *s;

	s = h->data;
	if (--s->handles == 0)
		store_release(s);
}

void
store_close(struct store *s)
{
	/* done() may submit again; it ends when nothing comes any more. */
	if (s->running) {
		do {
			hand_over(s);
			pthread_mutex_lock(&s->lock);
			s->stop = 1;
			pthread_mutex_unlock(&s->lock);
			pthread_cond_signal(&s->wake);
			pthread_join(s->thread, NULL);
			s->running = 0;
			finish_done(s);
			if (s->in[0].head == NULL && s->in[1].head == NULL)
				break;
			s->stop = 0;
			if (pthread_create(&s->thread, NULL, store_thread, s) != 0)
				break;
			s->running = 1;
		} while (1);
	}
	if (s->handles == 0) {
		store_release(s);
		return;
	}
	env_close(s);
	(void)close(s->lock_fd);	/* the store is free now, though the handles take another turn of the loop */
	s->lock_fd = -1;
	uv_close((uv_handle_t *)&s->async, on_closed);
	if (s->handles > 1)
		uv_close((uv_handle_t *)&s->prepare, on_closed);
}

uint64_t
store_new_msgid(struct store *s)
{
	uint64_t id, limit;

	id = now_wall_ms() << MSGID_SHIFT;
	pthread_mutex_lock(&s->lock);
	limit = s->hwm;
	pthread_mutex_unlock(&s->lock);
	/* A clock that went back, or ran far ahead of the durable mark: count on from the last one. */
	if (id <= s->msgid_last || id >= limit)
		id = s->msgid_last + 1;
	if (id >= limit) {
		/* 2^28 ids since a mark that each commit raises: the mark can no longer be written. */
		log_fatal("store: no message id left below the durable mark");
	}
	s->msgid_last = id;
	return (id);
}

uint32_t
store_boot(const struct store *s)
{
	return (s->boot);
}

void
store_on_health(struct store *s, void (*fn)(void *, enum store_health), void *arg)
{
	s->on_health = fn;
	s->on_health_arg = arg;
}

void
store_check_space(struct store *s)
{
	uint64_t used, now;
	int kick;

	pthread_rwlock_rdlock(&s->env_lock);
	pthread_mutex_lock(&s->lock);
	used = s->fig.octets;
	pthread_mutex_unlock(&s->lock);
	space_look(s, used);
	pthread_rwlock_unlock(&s->env_lock);

	now = now_wall_ms();
	pthread_mutex_lock(&s->lock);
	s->full = 0;
	/* Reasons for a commit though nobody asks for one: the mark of ids, the trash, a broken store. */
	kick = (now << MSGID_SHIFT) + MSGID_STEP / 4 > s->hwm ||
	    (s->next_trash != 0 && s->next_trash + TRASH_KEPT <= (int64_t)(now / 1000));
	if (s->failures != 0)
		kick = ++s->probe_wait % PROBE_EVERY == 0;
	if (kick && s->running) {
		s->kick = 1;
		pthread_cond_signal(&s->wake);
	}
	pthread_mutex_unlock(&s->lock);
	look_health(s);
}

void
store_figures(struct store *s, struct store_figures *f)
{
	pthread_mutex_lock(&s->lock);
	*f = s->fig;
	pthread_mutex_unlock(&s->lock);
}
