/*
 * event.c -- see event.h.  Shell: libuv and libunbound.
 *
 * What libunbound expects of an event base:
 *   - the magic number is the first member of base and event, and every slot of both tables is filled;
 *   - it closes a descriptor right after del(), so del() must take it out of epoll at once, while
 *     libuv frees a handle only later: the poll handle therefore lives on its own heap block;
 *   - an event that is not PERSIST is inactive when its callback runs, and a callback may
 *     free its own event: nothing of the event is touched after the call;
 *   - a time-out never comes early: microseconds round up to milliseconds.
 *
 * An event's memory is freed in the close callback of its timer, the last handle that refers to it.
 */
#include "resolver/event.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>

#include <unbound-event.h>

struct base {
	struct ub_event_base	 ub;		/* first: libunbound reads the magic number here */
	uv_loop_t		*loop;
	size_t			 count;
};

struct event;

struct watch {			/* one descriptor being watched */
	uv_poll_t	 poll;
	struct event	*ev;	/* NULL once dropped */
};

struct event {
	struct ub_event	 ub;		/* first */
	struct base	*base;
	struct watch	*watch;		/* NULL while no descriptor is watched */
	uv_timer_t	 timer;
	int		 freed;
	int		 fd;
	short		 bits;
	uint64_t	 timeout_ms;	/* of a PERSIST event, to arm it again */
	int		 timed;
	void		(*cb)(int, short, void *);
	void		*arg;
};

static void	on_poll(uv_poll_t *, int status, int events);
static void	on_timer(uv_timer_t *);

static struct event *
event_of(struct ub_event *e)
{
	return ((struct event *)e);	/* ub is the first member */
}

static void
watch_closed(uv_handle_t *h)
{
	free(h->data);
}

static void
watch_drop(struct event *ev)
{
	struct watch	*w = ev->watch;

	if (w == NULL)
		return;
	ev->watch = NULL;
	w->ev = NULL;
	(void)uv_poll_stop(&w->poll);	/* leaves epoll now: the descriptor is about to be closed */
	uv_close((uv_handle_t *)&w->poll, watch_closed);
}

static int
watch_start(struct event *ev)
{
	int	want = 0;

	if (ev->fd < 0 || !(ev->bits & (UB_EV_READ | UB_EV_WRITE)))
		return (0);
	if (ev->bits & UB_EV_READ)
		want |= UV_READABLE;
	if (ev->bits & UB_EV_WRITE)
		want |= UV_WRITABLE;
	if (ev->watch == NULL) {
		struct watch *w = calloc(1, sizeof(*w));

		if (w == NULL)
			return (-1);
		if (uv_poll_init(ev->base->loop, &w->poll, ev->fd) != 0) {
			free(w);	/* a handle that failed to start is not in the loop */
			return (-1);
		}
		w->poll.data = w;
		w->ev = ev;
		ev->watch = w;
	}
	if (uv_poll_start(&ev->watch->poll, want, on_poll) != 0) {
		watch_drop(ev);
		return (-1);
	}
	return (0);
}

static void
timer_stop(struct event *ev)
{
	ev->timed = 0;
	(void)uv_timer_stop(&ev->timer);
}

static void
timer_start(struct event *ev, const struct timeval *tv)
{
	uint64_t	ms = 0;

	if (tv->tv_sec > 0)
		ms = (uint64_t)tv->tv_sec * 1000;
	if (tv->tv_usec > 0)
		ms += ((uint64_t)tv->tv_usec + 999) / 1000;
	ev->timeout_ms = ms;
	ev->timed = 1;
	(void)uv_timer_start(&ev->timer, on_timer, ms, 0);
}

static void
deactivate(struct event *ev)
{
	watch_drop(ev);
	timer_stop(ev);
}

/* Something happened: settle the event's own state first, for the callback may free it. */
static void
fire(struct event *ev, short what)
{
	if (!(ev->bits & UB_EV_PERSIST))
		deactivate(ev);
	else if (ev->timed)
		(void)uv_timer_start(&ev->timer, on_timer, ev->timeout_ms, 0);
	ev->cb(ev->fd, what, ev->arg);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct watch	*w = poll->data;
	short		 what = 0;

	if (w->ev == NULL)
		return;
	if (status < 0) {
		/* The read or write that follows learns what is wrong with the socket. */
		what = w->ev->bits & (UB_EV_READ | UB_EV_WRITE);
	} else {
		if (events & UV_READABLE)
			what |= UB_EV_READ;
		if (events & UV_WRITABLE)
			what |= UB_EV_WRITE;
	}
	if (what != 0)
		fire(w->ev, what);
}

static void
on_timer(uv_timer_t *timer)
{
	fire(timer->data, UB_EV_TIMEOUT);
}

/* ---- the table of an event ---- */

static void
ev_add_bits(struct ub_event *e, short bits)
{
	event_of(e)->bits |= bits;
}

static void
ev_del_bits(struct ub_event *e, short bits)
{
	event_of(e)->bits &= (short)~bits;
}

static void
ev_set_fd(struct ub_event *e, int fd)
{
	struct event	*ev = event_of(e);

	if (ev->fd != fd)
		watch_drop(ev);
	ev->fd = fd;
}

static void
ev_timer_closed(uv_handle_t *h)
{
	free(h->data);
}

static void
ev_free(struct ub_event *e)
{
	struct event	*ev = event_of(e);

	if (ev == NULL || ev->freed)
		return;
	ev->freed = 1;
	deactivate(ev);
	ev->base->count--;
	ev->base = NULL;
	uv_close((uv_handle_t *)&ev->timer, ev_timer_closed);
}

static int
ev_add(struct ub_event *e, struct timeval *tv)
{
	struct event	*ev = event_of(e);

	if (watch_start(ev) != 0)
		return (-1);
	if (tv != NULL)
		timer_start(ev, tv);
	else
		timer_stop(ev);
	return (0);
}

static int
ev_del(struct ub_event *e)
{
	deactivate(event_of(e));
	return (0);
}

static int
ev_add_timer(struct ub_event *e, struct ub_event_base *b, void (*cb)(int, short, void *), void *arg,
    struct timeval *tv)
{
	struct event	*ev = event_of(e);

	(void)b;
	ev->cb = cb;
	ev->arg = arg;
	timer_start(ev, tv);
	return (0);
}

static int
ev_del_timer(struct ub_event *e)
{
	timer_stop(event_of(e));
	return (0);
}

/* libunbound never asks for signals or for Windows; the slots must still be filled. */
static int
ev_add_signal(struct ub_event *e, struct timeval *tv)
{
	return (-1);
}

static int
ev_del_signal(struct ub_event *e)
{
	return (-1);
}

static void
ev_winsock_unregister(struct ub_event *e)
{
}

static void
ev_winsock_wouldblock(struct ub_event *e, int bits)
{
}

static struct ub_event_vmt event_vmt = {
	ev_add_bits, ev_del_bits, ev_set_fd, ev_free, ev_add, ev_del, ev_add_timer, ev_del_timer,
	ev_add_signal, ev_del_signal, ev_winsock_unregister, ev_winsock_wouldblock,
};

/* ---- the table of the base ---- */

static void
base_free(struct ub_event_base *b)
{
	event_base_free(b);
}

static int
base_dispatch(struct ub_event_base *b)
{
	return (0);	/* the room's loop runs anyway */
}

static int
base_loopexit(struct ub_event_base *b, struct timeval *tv)
{
	return (0);	/* and ends when the room says so */
}

static struct ub_event *
base_new_event(struct ub_event_base *b, int fd, short bits, void (*cb)(int, short, void *), void *arg)
{
	struct base	*base = (struct base *)b;
	struct event	*ev;

	if ((ev = calloc(1, sizeof(*ev))) == NULL)
		return (NULL);
	if (uv_timer_init(base->loop, &ev->timer) != 0) {
		free(ev);
		return (NULL);
	}
	ev->timer.data = ev;
	ev->ub.magic = UB_EVENT_MAGIC;
	ev->ub.vmt = &event_vmt;
	ev->base = base;
	ev->fd = fd;
	ev->bits = bits;
	ev->cb = cb;
	ev->arg = arg;
	base->count++;
	return (&ev->ub);
}

static struct ub_event *
base_new_signal(struct ub_event_base *b, int fd, void (*cb)(int, short, void *), void *arg)
{
	return (NULL);
}

static struct ub_event *
base_winsock_register(struct ub_event_base *b, void *ws, void (*cb)(int, short, void *), void *arg)
{
	return (NULL);
}

static struct ub_event_base_vmt base_vmt = {
	base_free, base_dispatch, base_loopexit, base_new_event, base_new_signal,
	base_winsock_register,
};

struct ub_event_base *
event_base_new(uv_loop_t *loop)
{
	struct base	*base = calloc(1, sizeof(*base));

	if (base == NULL)
		return (NULL);
	base->ub.magic = UB_EVENT_MAGIC;
	base->ub.vmt = &base_vmt;
	base->loop = loop;
	return (&base->ub);
}

void
event_base_free(struct ub_event_base *b)
{
	free(b);
}

size_t
event_base_count(const struct ub_event_base *b)
{
	return (((const struct base *)b)->count);
}
