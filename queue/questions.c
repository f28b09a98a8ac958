/*
 * questions.c -- what smtpd asks beside mail: VERIFY with its probes, and ETRN.  Shell around verify.c and
 * etrn.c.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "queue/dispatch.h"
#include "queue/etrn.h"
#include "queue/verify.h"

static int
route(void *arg, const char *address, struct ipc_probe *p, char dest[static VERIFY_DEST_NAME])
{
	struct queue *q = arg;
	const char *at = strrchr(address, '@');
	struct hop hop;

	_Static_assert(VERIFY_DEST_NAME >= DEST_NAME_MAX, "a destination's name fits");
	route_recipient(q, address, &hop, dest);
	if (at == NULL || (hop.kind != HOP_MX && hop.kind != HOP_SMTP))
		return (E_NOTFOUND);
	p->hop = (uint8_t)hop.kind;
	p->port = hop.port;
	p->implicit = hop.implicit;
	(void)snprintf(p->login, sizeof(p->login), "%s", hop.login);
	(void)snprintf(p->host, sizeof(p->host), "%s", hop.kind == HOP_MX ? at + 1 : hop.host);
	return (E_OK);
}

static int
probe(void *arg, const struct ipc_probe *p, uint64_t *via)
{
	struct queue *q = arg;
	struct deliver_peer *peer;

	if (q->stopping || queue_is_paused(q) || (peer = dispatch_remote_peer(q)) == NULL)
		return (E_AGAIN);
	*via = peer->serial;
	return (ipc_send(&peer->ipc, PROBE, probe, p) == E_OK ? E_OK : E_AGAIN);
}

static void
answer(void *arg, uint64_t peer, const struct ipc_verify_result *r)
{
	receive_verify_result(arg, peer, r);
}

static const struct verify_ops ops = {
	.route = route,
	.probe = probe,
	.answer = answer,
};

static int
next_domain(void *arg, const char *after, char *dst)
{
	return (store_next_domain(((struct queue *)arg)->store, after, dst));
}

static int
domain(void *arg, const char *name, const struct store_due *after, struct store_due *out, size_t max, size_t *n)
{
	return (store_domain(((struct queue *)arg)->store, name, after, out, max, n));
}

static int
retry(void *arg, uint64_t msgid, const char *name, int look, struct retried *done)
{
	struct queue *q = arg;
	struct message m;
	int err;

	if ((err = store_get_message(q->store, msgid, &m)) != E_OK)
		return (err);
	m.msgid = msgid;
	if (m.flags & MSGF_HELD) {
		memset(done, 0, sizeof(*done));
		return (E_OK);		/* the operator's; not pending for the node */
	}
	return (look ? retry_count(q, &m, name, done) : retry_message(q, &m, name, NULL, done));
}

static int
is_relay(void *arg, const char *name)
{
	const struct conf_domain *d = conf_domain_find(((struct queue *)arg)->room.conf, name);

	return (d != NULL && d->relay);
}

static int
paused(void *arg)
{
	const struct queue *q = arg;

	return (q->stopping || queue_is_paused(q));
}

static int
busy(void *arg)
{
	return (((struct queue *)arg)->nchange > FEED_CHANGES_MAX);
}

static void
etrn_answer(void *arg, uint64_t peer, const struct ipc_etrn *asked, const struct ipc_etrn_result *r)
{
	qlog_etrn(asked, (enum etrn_status)r->status, r->count);
	receive_etrn_result(arg, peer, r);
}

static const struct etrn_ops etrn_ops = {
	.next_domain = next_domain,
	.domain = domain,
	.retry = retry,
	.is_relay = is_relay,
	.paused = paused,
	.busy = busy,
	.answer = etrn_answer,
};

void
questions_open(struct queue *q)
{
	if ((q->etrn = etrn_new(&etrn_ops, q)) == NULL)
		log_fatal("no memory");
	if ((q->verify = verify_new(&ops, q, (uint64_t)store_boot(q->store) << 32)) == NULL)
		log_fatal("no memory");
	questions_conf(q);
}

void
questions_conf(struct queue *q)
{
	const struct conf *c = q->room.conf;
	struct verify_times t = { .positive_ms = c->queue.verify_positive * 1000ull,
	    .negative_ms = c->queue.verify_negative * 1000ull };

	verify_configure(q->verify, &t);
}

int
questions_verify(struct queue *q, uint64_t peer, struct rd *r)
{
	struct ipc_verify m;

	if (ipc_unpack_verify(r, &m) != E_OK)
		return (E_PROTO);
	verify_ask(q->verify, peer, &m, uv_now(&q->room.loop));
	return (E_OK);
}

int
questions_probe_result(struct deliver_peer *p, struct rd *r)
{
	struct ipc_probe_result m;

	if (ipc_unpack_probe_result(r, &m) != E_OK)
		return (E_PROTO);
	verify_result(p->q->verify, p->serial, &m, uv_now(&p->q->room.loop));
	return (E_OK);
}

int
questions_etrn(struct queue *q, uint64_t peer, struct rd *r)
{
	struct ipc_etrn m;

	if (ipc_unpack_etrn(r, &m) != E_OK)
		return (E_PROTO);
	etrn_start(q->etrn, peer, &m, uv_now(&q->room.loop));
	queue_work(q);
	return (E_OK);
}

int
questions_work(struct queue *q)
{
	return (etrn_run(q->etrn));
}

void
questions_close(struct queue *q)
{
	etrn_free(q->etrn);
	verify_free(q->verify);
}
