/*
 * workers.c -- see workers.h.  Shell (threads).
 *
 * What waits is the loop's alone.  A mutex guards the two lists that loop and threads share, what
 * is to be run and what has run; at most as many pieces as there are threads are in them.  The loop
 * hears of what has run by an event descriptor (uv_async_t).
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "auth/secure.h"
#include "auth/workers.h"
#include "common/err.h"
#include "common/log.h"
#include "common/siphash.h"

#define STACK	(256u << 10)	/* octets of a thread; hashes have their memory elsewhere */
#define THREADS	16

struct list {
	struct work	*first, **last;
};

static struct {
	struct turns	 turns;		/* the loop's, as all down to the mutex */
	unsigned	 started, busy;
	pthread_t	 thread[THREADS];
	void		*scratch[THREADS];
	uv_async_t	 async;
	uv_idle_t	 idle;		/* something waits and a thread is idle */
	pthread_mutex_t	 lock;
	pthread_cond_t	 more;		/* something is to be run, or fewer threads are wanted */
	struct list	 ready, ended;
	unsigned	 wanted;	/* a thread whose number is not below it leaves */
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static void
list_clear(struct list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void
list_add(struct list *l, struct work *w)
{
	w->next = NULL;
	*l->last = w;
	l->last = &w->next;
}

static struct work *
list_take(struct list *l)
{
	struct work	*w = l->first;

	if (w != NULL && (l->first = w->next) == NULL)
		l->last = &l->first;
	return (w);
}

/* ---- threads ---- */

static void *
worker(void *arg)
{
	const unsigned	 number = (unsigned)(uintptr_t)arg;
	void		*scratch = pool.scratch[number];	/* stays while this thread lives */
	struct work	*w;

	(void)pthread_mutex_lock(&pool.lock);
	while (number < pool.wanted) {
		if ((w = list_take(&pool.ready)) == NULL) {
			(void)pthread_cond_wait(&pool.more, &pool.lock);
			continue;
		}
		(void)pthread_mutex_unlock(&pool.lock);
		w->run(w, scratch);
		explicit_bzero(scratch, WORK_SCRATCH);
		(void)pthread_mutex_lock(&pool.lock);
		list_add(&pool.ended, w);
		(void)uv_async_send(&pool.async);
	}
	(void)pthread_mutex_unlock(&pool.lock);
	return (NULL);
}

/* ---- the loop ---- */

/* Who waits goes on, as far as there are idle threads. */
static void
go_on(void)
{
	struct turn	*t;
	struct work	*w;

	while (pool.busy < pool.started && (t = turns_next(&pool.turns)) != NULL) {
		w = (struct work *)t;	/* its first member */
		if (w->begin != NULL && !w->begin(w))
			continue;
		pool.busy++;
		(void)pthread_mutex_lock(&pool.lock);
		list_add(&pool.ready, w);
		(void)pthread_cond_signal(&pool.more);
		(void)pthread_mutex_unlock(&pool.lock);
	}
}

static void
on_idle(uv_idle_t *idle)
{
	uv_idle_stop(idle);
	go_on();
}

static void
on_async(uv_async_t *async)
{
	struct work	*w, *next;

	(void)pthread_mutex_lock(&pool.lock);
	w = pool.ended.first;
	list_clear(&pool.ended);
	(void)pthread_mutex_unlock(&pool.lock);
	for (; w != NULL; w = next) {
		next = w->next;
		pool.busy--;
		w->done(w);
	}
	go_on();
}

void
workers_open(uv_loop_t *loop)
{
	list_clear(&pool.ready);
	list_clear(&pool.ended);
	if (uv_async_init(loop, &pool.async, on_async) != 0 || uv_idle_init(loop, &pool.idle) != 0)
		log_fatal("no memory for the workers");
}

static int
start_one(unsigned number)
{
	pthread_attr_t	attr;
	int		err;

	if ((pool.scratch[number] = secure_alloc(WORK_SCRATCH)) == NULL)
		return (ENOMEM);
	if ((err = pthread_attr_init(&attr)) == 0) {
		if ((err = pthread_attr_setstacksize(&attr, STACK)) == 0)
			err = pthread_create(&pool.thread[number], &attr, worker, (void *)(uintptr_t)number);
		(void)pthread_attr_destroy(&attr);
	}
	if (err != 0)
		secure_free(pool.scratch[number], WORK_SCRATCH);
	return (err);
}

static void
set_wanted(unsigned n)
{
	(void)pthread_mutex_lock(&pool.lock);
	pool.wanted = n;
	(void)pthread_cond_broadcast(&pool.more);
	(void)pthread_mutex_unlock(&pool.lock);
}

/* Each ends what it is at: as long as one hash takes.  What was given to none of them is run by
 * those that stay, or never. */
static void
end_above(unsigned n)
{
	set_wanted(n);
	while (pool.started > n) {
		(void)pthread_join(pool.thread[--pool.started], NULL);
		secure_free(pool.scratch[pool.started], WORK_SCRATCH);
	}
}

void
workers_set(unsigned n)
{
	int	err;

	if (n > THREADS)
		n = THREADS;
	end_above(n);
	set_wanted(n);
	for (; pool.started < n; pool.started++) {
		if ((err = start_one(pool.started)) == 0)
			continue;
		if (pool.started == 0)
			log_fatal("no thread can be started: %s", strerror(err));
		log_warn("%u instead of %u threads: %s", pool.started, n, strerror(err));
		set_wanted(pool.started);
		break;
	}
	uv_idle_start(&pool.idle, on_idle);
}

void
workers_close(void)
{
	end_above(0);
	on_async(&pool.async);
	uv_idle_stop(&pool.idle);
}

int
work_submit(struct work *w, const void *owner, const struct net_addr *client)
{
	struct net_addr	prefix = net_addr_mask(client, net_addr_is4(client) ? 128 : 64);
	int		err;

	w->dropped = 0;
	if ((err = turns_add(&pool.turns, &w->turn, owner, siphash(&prefix, sizeof(prefix)))) != E_OK)
		return (err);
	if (pool.busy < pool.started)
		uv_idle_start(&pool.idle, on_idle);
	return (E_OK);
}

int
work_cancel(struct work *w)
{
	if (w->turn.lane != NULL) {
		turns_remove(&pool.turns, &w->turn);
		return (1);
	}
	w->dropped = 1;		/* no thread looks at it */
	return (0);
}
