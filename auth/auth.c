/*
 * auth.c -- the room: snapshots with their secrets, peers, which backend serves (see auth.h).
 * Shell.
 */
#include "auth/auth.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/exchange.h"
#include "auth/passwd.h"
#include "auth/scram_server.h"
#include "auth/secure.h"
#include "auth/workers.h"
#include "common/err.h"
#include "common/log.h"
#include "common/units.h"

struct smtpd {
	struct auth_peer	 peer;		/* first: found by it */
	struct ipc		 ipc;
	struct smtpd		*next;
};

uint64_t	auth_counter[COUNTS];

static struct {
	struct room		*room;
	struct sasl_env		 env;
	struct smtpd		*peers;
	struct table		*table;		/* in use; NULL: none */
	struct table		*coming;	/* read, of a snapshot that is checked but not used yet */
	/* Table of the snapshot that comes next; 0 none: descriptors 0 to 3 are taken. */
	int			 file;
} auth;

/* ---- snapshots ---- */

/* The secrets come before the snapshot that they belong to, so that one answer (CONF_READY) covers
 * all. */
static void
on_secret(struct room *room, const struct ipc_secret *m, int fd)
{
	if (m->kind == SECRET_LOGIN) {
		credential_secret(room, m, fd);
		return;
	}
	if (auth.file != 0)
		close(auth.file);
	auth.file = fd;
}

static int
refuse(struct room *room, int err, const char *path, const struct table_error *e)
{
	if (e->line != 0)
		(void)snprintf(room->refusal, sizeof(room->refusal), "%s:%zu: %s", path, e->line, e->why);
	else
		(void)snprintf(room->refusal, sizeof(room->refusal), "%s: %s", path, e->why);
	log_warn("%s", room->refusal);
	return (err);
}

static int
read_table(struct room *room, const char *path)
{
	struct table_error	 e = { .why = "was not handed over" };
	void			*text;
	size_t			 n;
	int			 err;

	if (auth.file == 0)
		return (refuse(room, E_NOTFOUND, path, &e));
	err = secure_read(auth.file, AUTH_TABLE_MAX, &text, &n);
	close(auth.file);
	auth.file = 0;
	if (err != E_OK) {
		e.why = err == E_LIMIT ? "larger than 32M" : err == E_NOMEM ? "no memory" : "cannot be read";
		return (refuse(room, err, path, &e));
	}
	return ((err = table_parse(&auth.coming, text, n, &e)) == E_OK ? E_OK : refuse(room, err, path, &e));
}

static int
on_check(struct room *room, const struct conf *next, uint64_t generation)
{
	int	err;

	table_free(auth.coming);
	auth.coming = NULL;
	if ((err = credential_check(room, next, generation)) == E_OK && next->auth.passwd_path[0] != '\0')
		err = read_table(room, next->auth.passwd_path);
	if (auth.file != 0)
		close(auth.file);
	auth.file = 0;
	return (err);
}

static const struct backend *
backend_of(const struct conf *c)
{
	if (c->auth.passwd_path[0] != '\0')
		return (&passwd_backend);
	if (c->auth.dovecot_path[0] != '\0')
		return (&dovecot_backend);
	return (c->auth.pam_service[0] != '\0' ? &pam_backend : NULL);
}

static void
use(struct room *room)
{
	const struct conf	*c = room->conf;
	const struct backend	*old = auth.env.backend;

	table_free(auth.table);
	auth.env.table = auth.table = auth.coming;
	auth.coming = NULL;
	auth_counter[COUNT_LOGINS] = auth.table == NULL ? 0 : table_count(auth.table);
	auth.env.backend = backend_of(c);
	auth.env.mechanisms = c->auth.mechanisms;
	auth.env.limits.max = c->auth.failures_max;
	auth.env.limits.window_ms = (uint64_t)c->auth.failure_window * 1000;
	workers_set(c->auth.workers);
	credential_use(room);
	if (old != NULL && old != auth.env.backend)
		old->leave(room);
	if (auth.env.backend != NULL)
		auth.env.backend->use(room);
	if (auth.table != NULL)
		log_info("passwd=%s logins=%zu", c->auth.passwd_path, table_count(auth.table));
}

static void
on_conf(struct room *room, const struct conf *old)
{
	use(room);
}

static void
on_go(struct room *room)
{
	use(room);
	log_info("ready: backend=%s logins=%llu", auth.env.backend == NULL ? "none" : auth.env.backend->name,
	    (unsigned long long)auth_counter[COUNT_LOGINS]);
}

/* ---- peers ---- */

static void
send_answer(struct auth_peer *p, const struct ipc_sasl_answer *m)
{
	struct smtpd	*s = (struct smtpd *)p;
	int		 err = ipc_send(&s->ipc, SASL_ANSWER, sasl_answer, m);

	/* A peer that does not read has its own deadline; an answer more will not help it. */
	if (err != E_OK && err != E_CLOSED)
		log_warn("answer to smtpd[%u] dropped: %s", s->ipc.instance, err_name(err));
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct smtpd		*s = ch->arg;
	struct ipc_sasl		 m;
	struct ipc_sasl_end	 over;

	switch (type) {
	case IPC_SASL:
		return (ipc_unpack_sasl(r, &m) == E_OK ? exchange_message(&s->peer, &m) : E_PROTO);
	case IPC_SASL_END:
		if (ipc_unpack_sasl_end(r, &over) != E_OK)
			return (E_PROTO);
		exchange_end(&s->peer, over.id);
		return (E_OK);
	default:
		return (E_PROTO);
	}
}

static void
free_peer(struct ipc *ch)
{
	free(ch->arg);
}

static void
on_closed(struct ipc *ch, int err)
{
	struct smtpd	*s = ch->arg, **at;

	for (at = &auth.peers; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	exchange_end_all(&s->peer);
	ipc_close(ch, free_peer);
}

static const struct ipc_ops peer_ops = { .message = on_message, .closed = on_closed };

static void
smtpd_peer(struct room *room, const struct ipc_channel *m, int fd)
{
	struct smtpd	*s, *next;

	/* One process has one channel: with a new one the old one is over. */
	for (s = auth.peers; s != NULL; s = next) {
		next = s->next;
		if (s->ipc.instance == m->instance && s->ipc.role == m->role)
			on_closed(&s->ipc, E_CLOSED);
	}
	if ((s = calloc(1, sizeof(*s))) == NULL)
		log_fatal("no memory for a channel");
	s->peer.env = &auth.env;
	s->peer.answer = send_answer;
	if (ipc_open(&s->ipc, &room->loop, fd, room->self, m->room, &peer_ops, s) != E_OK)
		log_fatal("cannot open the channel to %s[%u]", room_name(m->room), m->instance);
	s->ipc.instance = m->instance;
	s->ipc.role = m->role;
	s->next = auth.peers;
	auth.peers = s;
}

static void
on_peer(struct room *room, const struct ipc_channel *m, int fd)
{
	switch (m->room) {
	case ROOM_SMTPD:
		smtpd_peer(room, m, fd);
		break;
	case ROOM_DELIVER:
		credential_peer(room, m, fd);
		break;
	case ROOM_PAM:
		pam_peer(room, m, fd);
		break;
	default:
		log_fatal("a channel to %s", room_name(m->room));
	}
}

/* ---- the rest ---- */

static void
on_stop(struct room *room, uint32_t within_ms)
{
	workers_close();
	while (auth.peers != NULL)
		on_closed(&auth.peers->ipc, E_CLOSED);
	credential_stop(room);
	table_free(auth.table);
	table_free(auth.coming);
	auth.env.table = auth.table = auth.coming = NULL;
	OPENSSL_cleanse(auth.env.secret, sizeof(auth.env.secret));
	room_leave(room);
}

static void
on_counters(struct room *room, uint64_t counter[8])
{
	memcpy(counter, auth_counter, sizeof(auth_counter));
}

static int
random_octets(uint8_t *p, size_t n)
{
	return (RAND_bytes(p, (int)n) == 1 ? E_OK : E_IO);
}

void
auth_open(struct room *room)
{
	struct scram_entry	e;

	auth.room = room;
	auth.env.now = now_mono_ms;
	auth.env.random = random_octets;
	auth.env.counter = auth_counter;
	/* What OpenSSL reads and builds at its first use, it does now. */
	if (random_octets(auth.env.secret, sizeof(auth.env.secret)) != E_OK ||
	    scram_fake(&e, auth.env.secret, SLICE_LIT("x"), SCRAM_ITERATIONS_MIN) != E_OK ||
	    scram_derive(&e, SLICE_LIT("x")) != E_OK)
		log_fatal("OpenSSL cannot be used");
	if ((auth.env.failures = failures_new()) == NULL)
		log_fatal("no memory for failures");
	passwd_open();
	workers_open(&room->loop);
}

const struct room_ops auth_room_ops = {
	.peer = on_peer,
	.secret = on_secret,
	.dovecot = dovecot_stream,
	.check = on_check,
	.conf = on_conf,
	.go = on_go,
	.stop = on_stop,
	.counters = on_counters,
};
