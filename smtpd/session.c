/*
 * session.c -- the life of a session: its states, its input, its time.  Core; see session.h.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/units.h"
#include "smtpd/session.h"

/* Which states may follow which.  Any may end in ST_CLOSED. */
static const struct {
	uint32_t	from;
	uint32_t	to;
} steps[] = {
	{ ST_CONNECT,	ST_HELO | ST_BDAT },
	{ ST_HELO,	ST_CONNECT | ST_HELO | ST_MAIL | ST_ASK | ST_BDAT | ST_TLS | ST_AUTH | ST_SASL },
	{ ST_MAIL,	ST_HELO | ST_RCPT | ST_ASK | ST_BDAT },
	{ ST_RCPT,	ST_HELO | ST_RCPT | ST_NAME | ST_DATA | ST_ASK | ST_BDAT },
	{ ST_ASK,	ST_HELO | ST_MAIL | ST_RCPT },
	{ ST_NAME,	ST_HELO | ST_DATA | ST_BDAT },
	{ ST_DATA,	ST_HELO | ST_COMMIT },
	{ ST_COMMIT,	ST_HELO },
	/* A chunk that belongs to no message leaves all as it was. */
	{ ST_BDAT,	ST_CONNECT | ST_HELO | ST_MAIL | ST_RCPT | ST_CHUNKS | ST_COMMIT },
	{ ST_CHUNKS,	ST_HELO | ST_BDAT },
	{ ST_TLS,	ST_CONNECT | ST_TLS },
	{ ST_AUTH,	ST_HELO | ST_SASL },
	{ ST_SASL,	ST_HELO | ST_AUTH },
};

void
smtp_set_state(struct smtp_session *s, enum smtp_state to)
{
	size_t	i;

	if (to != ST_CLOSED) {
		for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			if (steps[i].from == s->state)
				break;
		assert(i < sizeof(steps) / sizeof(steps[0]) && (steps[i].to & to) != 0);
	}
	s->state = to;
}

/* The transaction is over, however it went.  What queue holds of it is given up first. */
static void
end_txn(struct smtp_session *s)
{
	struct smtp_env	*env = s->env;
	struct smtp_txn	*t = s->txn;

	smtp_forward_reset(s);
	if (t == NULL)
		return;
	/* After the final dot queue's word counts: it is not called back. */
	if (t->begun && s->state != ST_COMMIT)
		env->ops->txn_abort(s);
	t->begun = 0;
	buf_clear(&t->pend);
	s->txn = NULL;
	env->rcpts -= t->rcpts.len;
	buf_drain(&t->rcpts, t->rcpts.len);
	if (t->rcpts.size > TXN_RCPTS_KEEP)
		buf_clear(&t->rcpts);
	if (env->npool >= TXN_POOL_MAX) {
		buf_clear(&t->rcpts);
		free(t);
		return;
	}
	t->next = env->pool;
	env->pool = t;
	env->npool++;
}

void
smtp_env_clear(struct smtp_env *env)
{
	struct smtp_txn	*t;

	while ((t = env->pool) != NULL) {
		env->pool = t->next;
		buf_clear(&t->rcpts);
		free(t);
	}
	env->npool = 0;
	arena_clear(&env->scratch);
}

void
smtp_reset(struct smtp_session *s)
{
	end_txn(s);
	s->chunk.skipped = 0;
	s->chunk.told = 0;
	if ((s->state & (ST_CONNECT | ST_TLS | ST_CLOSED)) == 0)
		smtp_set_state(s, ST_HELO);
	s->command_ms = s->now_ms;
}

void
smtp_close(struct smtp_session *s, const char *reason)
{
	if (s->state == ST_CLOSED)
		return;
	end_txn(s);
	smtp_auth_forget(s);
	free(s->etrn);
	s->etrn = NULL;
	s->reason = reason;
	smtp_set_state(s, ST_CLOSED);
}

void
smtp_greet(struct smtp_session *s)
{
	smtp_replyf(s, 220, NULL, "%s %s Postern", s->env->conf->hostname, s->lmtp ? "LMTP" : "ESMTP");
}

void
smtp_open(struct smtp_session *s, uint64_t now_ms)
{
	s->state = ST_CONNECT;
	s->verb = "";
	s->now_ms = s->opened_ms = s->command_ms = now_ms;
	if (s->tls_first)
		s->state = ST_TLS;
	else
		smtp_greet(s);
}

int
smtp_relays(const struct smtp_session *s)
{
	return (s->local || s->login[0] != '\0' ||
	    (!s->veiled && conf_may_relay(s->env->conf, &s->client)));
}

int
smtp_client_in(const struct smtp_session *s, const struct conf_prefixes *list)
{
	return (!s->local && !s->veiled && conf_prefixes_have(list, &s->client));
}

size_t
smtp_input(struct smtp_session *s, struct slice in, uint64_t now_ms)
{
	size_t	off = 0, n;
	int	last = 0;

	s->now_ms = now_ms;
	while (off < in.n && !last && !smtp_blocked(s) && s->env->out->len < REPLIES_HIGH) {
		if (s->state == ST_DATA)
			n = smtp_body_input(s, slice_make(in.p + off, in.n - off));
		else if (s->state == ST_BDAT)
			n = smtp_chunk_input(s, slice_make(in.p + off, in.n - off));
		else if (s->state == ST_AUTH)
			n = smtp_auth_input(s, slice_make(in.p + off, in.n - off));
		else
			n = smtp_command_input(s, slice_make(in.p + off, in.n - off), &last);
		if (n == 0)
			break;
		off += n;
	}
	s->octets_in += off;
	s->args = s->response = slice_make(NULL, 0);	/* they pointed into the input */
	return (off);
}

void
smtp_eof(struct smtp_session *s, const char *reason)
{
	smtp_close(s, reason);
}

int
smtp_blocked(const struct smtp_session *s)
{
	return ((s->state & (ST_NAME | ST_ASK | ST_COMMIT | ST_TLS | ST_SASL | ST_CLOSED)) != 0 || smtp_access_waits(s) ||
	    ((s->state & (ST_DATA | ST_BDAT)) != 0 && s->txn != NULL && s->txn->blocked_ms != 0));
}

void
smtp_result(struct smtp_session *s, enum txn_status status, uint64_t msgid, uint64_t now_ms)
{
	static const enum smtp_fate	fates[TXN_STATUSES] = {
		[TXN_DURABLE] = FATE_OK,
		[TXN_FULL] = FATE_FULL,
		[TXN_BUSY] = FATE_FULL,
		[TXN_IO] = FATE_IO,
		[TXN_MISMATCH] = FATE_IO,
		[TXN_EXPANSION] = FATE_EXPANSION,
	};
	char		id[MSGID_STRLEN];
	uint32_t	n;

	s->now_ms = now_ms;
	if ((s->state & (ST_DATA | ST_BDAT | ST_CHUNKS)) != 0 && s->txn != NULL && s->txn->begun) {
		/* Refused before the end, or a word that nobody asked for: never a 250. */
		s->txn->begun = 0;
		s->txn->fate = status == TXN_DURABLE ? FATE_IO : fates[status];
		smtp_credit(s, 0, now_ms);
		return;
	}
	if (s->state != ST_COMMIT)
		return;
	if (status == TXN_DURABLE) {
		s->messages++;
		s->errors = s->commands = 0;
		/* RFC 2033 4.2: a reply for each recipient; the message has one answer for all. */
		for (n = s->lmtp ? s->txn->nrcpt : 1; n != 0 && s->state != ST_CLOSED; n--)
			smtp_replyf(s, 250, "2.0.0", "Ok: queued as %s", msgid_str(msgid, id));
		smtp_reset(s);
	} else
		smtp_body_reply(s, fates[status]);
	if (s->env->stopping)
		smtp_stop(s, 0, now_ms);
}

void
smtp_credit(struct smtp_session *s, uint32_t octets, uint64_t now_ms)
{
	struct smtp_txn	*t = s->txn;
	uint64_t	 waited;

	s->now_ms = now_ms;
	if ((s->state & (ST_DATA | ST_BDAT | ST_CHUNKS)) == 0 || t == NULL)
		return;
	if (__builtin_add_overflow(t->window, octets, &t->window))
		t->window = UINT32_MAX;
	if (t->pend.len != 0 && t->fate == FATE_OK)
		smtp_body_credit(s);
	if (t->blocked_ms == 0)
		return;
	if (t->fate == FATE_OK && (t->ending ? t->pend.len != 0 : smtp_body_room(s) == 0))
		return;
	waited = now_ms - t->blocked_ms;	/* not the client's fault */
	t->since_ms += waited;
	t->last_ms = now_ms;
	t->blocked_ms = 0;
	if (t->ending)
		smtp_body_finish(s);
}

void
smtp_queue_lost(struct smtp_session *s, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (s->txn == NULL || !s->txn->begun)
		return;
	s->txn->begun = 0;
	if (s->state == ST_COMMIT)
		smtp_body_reply(s, FATE_IO);
	else {
		s->txn->fate = FATE_IO;
		smtp_credit(s, 0, now_ms);
	}
}

void
smtp_name(struct smtp_session *s, const char *name, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (!s->name_pending)
		return;
	s->name_pending = 0;
	if (slice_copy(slice_str(name), s->name, sizeof(s->name)) != E_OK)
		s->name[0] = '\0';
	if (s->state == ST_NAME)
		s->chunk.waits ? smtp_chunk_start(s) : smtp_body_start(s);
}

uint64_t
smtp_deadline(const struct smtp_session *s)
{
	switch (s->state) {
	case ST_CLOSED:
		return (UINT64_MAX);
	case ST_NAME:
		return (s->opened_ms + NAME_WAIT_MS);
	case ST_TLS:
		return (smtp_tls_deadline(s));
	case ST_SASL:
		return (smtp_auth_deadline(s));
	case ST_ASK:
		return (s->ask_ms + VERIFY_WAIT_MS);
	case ST_COMMIT:
		return (s->txn->last_ms + COMMIT_WAIT_MS);
	case ST_DATA:
	case ST_BDAT:
		return (smtp_body_deadline(s));
	default:
		if (smtp_access_waits(s))
			return (s->opened_ms + NAME_WAIT_MS);
		return (s->command_ms + s->env->conf->smtpd.command_timeout * UINT64_C(1000));
	}
}

void
smtp_time(struct smtp_session *s, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (now_ms < smtp_deadline(s))
		return;
	switch (s->state) {
	case ST_NAME:
		smtp_name(s, "", now_ms);
		break;
	case ST_TLS:
		smtp_tls_failed(s, "tls-timeout", now_ms);
		break;
	case ST_SASL:
		smtp_auth_time(s);
		break;
	case ST_ASK:
		smtp_ask_over(s);
		break;
	case ST_COMMIT:
		/* Too late for a 250 in any case: the client's patience ends at ten minutes. */
		s->env->ops->txn_abort(s);
		smtp_body_reply(s, FATE_IO);
		break;
	case ST_DATA:
	case ST_BDAT:
		if (s->txn != NULL && s->txn->blocked_ms != 0)
			smtp_refuse_close(s, "queue-timeout", 421, "4.3.0",
			    "%s the queue takes no more of this message", s->env->conf->hostname);
		else
			smtp_refuse_close(s, "data-timeout", 421, "4.4.2",
			    "%s data came too slowly", s->env->conf->hostname);
		break;
	default:
		smtp_replyf(s, 421, "4.4.2", "%s no command came in time", s->env->conf->hostname);
		smtp_close(s, "command-timeout");
		break;
	}
}

void
smtp_stop(struct smtp_session *s, int force, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (s->state == ST_CLOSED)
		return;
	if (!force && (s->state & (ST_NAME | ST_DATA | ST_BDAT | ST_CHUNKS | ST_COMMIT)) != 0)
		return;
	if (s->state != ST_TLS)		/* there words would be in clear */
		smtp_replyf(s, 421, "4.3.2", "%s stops, please come back later", s->env->conf->hostname);
	smtp_close(s, "stop");
}
