/*
 * resolve.c -- questions to resolver, each with a deadline.  Shell.
 *
 * While resolver is away every question is answered "failed" at once, with the reason: mail
 * waits, and nothing is ever taken for "no such domain" (R12).
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/err.h"
#include "common/log.h"
#include "deliver/deliver.h"

struct resolve_query {
	TAILQ_ENTRY(resolve_query) link;
	uint32_t	 id;
	enum dns_type	 type;
	uint64_t	 deadline_ms;
	resolve_fn	 fn;
	void		*arg;
	size_t		 n;
};

static int	on_message(struct ipc *, enum ipc_type, struct rd *, int);
static void	on_closed(struct ipc *, int);

static const struct ipc_ops resolver_ops = { on_message, on_closed, NULL };

static void
answer_self(enum dns_type type, enum dns_status status, const char *reason, resolve_fn fn,
    void *arg, size_t n)
{
	struct ipc_dns_answer a = { .type = (uint8_t)type, .status = (uint8_t)status };

	snprintf(a.reason, sizeof(a.reason), "%s", reason);
	fn(arg, n, &a);
}

void
resolve_ask(
    struct deliver *d, enum dns_type type, const char *name, resolve_fn fn, void *arg, size_t n)
{
	struct ipc_dns_query m = { 0 };
	struct resolve_query *q;

	if (d->resolver == NULL) {
		answer_self(type, DNS_FAILED, "the resolver is not running", fn, arg, n);
		return;
	}
	if ((q = calloc(1, sizeof(*q))) == NULL ||
	    slice_copy(slice_str(name), m.name, sizeof(m.name)) != E_OK) {
		free(q);
		answer_self(type, DNS_FAILED, "out of memory", fn, arg, n);
		return;
	}
	q->id = m.id = ++d->query_id;
	q->type = type;
	q->fn = fn;
	q->arg = arg;
	q->n = n;
	m.type = (uint8_t)type;
	m.timeout_ms = d->room.conf->resolver.timeout * 1000;
	q->deadline_ms = deliver_now(d) + m.timeout_ms + DNS_GRACE_MS;
	if (ipc_send(d->resolver, DNS_QUERY, dns_query, &m) != E_OK) {
		free(q);
		answer_self(type, DNS_OVERLOAD, "too many questions to the resolver", fn, arg, n);
		return;
	}
	TAILQ_INSERT_TAIL(&d->queries, q, link);
	deliver_tick_on(d);
}

static void
query_end(struct deliver *d, struct resolve_query *q, const struct ipc_dns_answer *a)
{
	TAILQ_REMOVE(&d->queries, q, link);
	q->fn(q->arg, q->n, a);
	free(q);
}

static void
query_fail(struct deliver *d, struct resolve_query *q, enum dns_status status, const char *reason)
{
	TAILQ_REMOVE(&d->queries, q, link);
	answer_self(q->type, status, reason, q->fn, q->arg, q->n);
	free(q);
}

void
resolve_tick(struct deliver *d, uint64_t now_ms)
{
	struct resolve_query *q;

	/* All have the same time-out but for a reload, so the oldest is due first. */
	while ((q = TAILQ_FIRST(&d->queries)) != NULL && now_ms >= q->deadline_ms)
		query_fail(d, q, DNS_TIMED_OUT, "no answer from the resolver");
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	static struct dns_record rec[DNS_RECORDS_MAX];
	struct deliver *d = ch->arg;
	struct ipc_dns_answer a = { .rec = rec };
	struct resolve_query *q;

	if (type != IPC_DNS_ANSWER || ipc_unpack_dns_answer(r, &a) != E_OK)
		return (E_PROTO);
	TAILQ_FOREACH(q, &d->queries, link) {
		if (q->id == a.id)
			break;
	}
	if (q == NULL)
		return (E_OK);		/* timed out meanwhile */
	if (q->type != a.type)
		return (E_PROTO);
	query_end(d, q, &a);
	return (E_OK);
}

static void
on_closed(struct ipc *ch, int err)
{
	struct deliver *d = ch->arg;
	struct resolve_query *q;

	deliver_channel_over(&d->resolver, ch);
	if (!d->stopping)
		log_warn("resolver has gone (%s)", err_name(err));
	while ((q = TAILQ_FIRST(&d->queries)) != NULL)
		query_fail(d, q, DNS_FAILED, "the resolver stopped while it looked");
}

void
resolve_channel(struct deliver *d, const struct ipc_channel *c, int fd)
{
	deliver_channel(d, &d->resolver, c, fd, &resolver_ops);
}
