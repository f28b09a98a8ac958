/*
 * event.h -- libunbound's pluggable event interface on the room's libuv loop.  Shell.
 *
 * libunbound then runs inside our one thread: no pipe, no fork, no thread, no second loop.
 * The rules it needs (found by trial, see event.c) are kept here and nowhere else.
 */
#ifndef RESOLVER_EVENT_H
#define RESOLVER_EVENT_H

#include <stddef.h>
#include <uv.h>

struct ub_event_base;

/* A base on loop; it must outlive the context made with it.  NULL without memory. */
struct ub_event_base	*event_base_new(uv_loop_t *);
/* After ub_ctx_delete().  Events that still close free themselves in the loop. */
void			 event_base_free(struct ub_event_base *);
/* Events that exist; for tests and leaks. */
size_t			 event_base_count(const struct ub_event_base *);

#endif
