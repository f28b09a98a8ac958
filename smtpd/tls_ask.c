/*
 * tls_ask.c -- signatures by keys, on its channel.  Shell (OpenSSL's fibres).
 *
 * OpenSSL asks in the middle of a handshake, within a fibre; the question goes to keys, the
 * fibre pauses, and the answer resumes it.  Without an answer (keys gone, refused, too busy,
 * too late) the handshake fails and its client comes again; the next channel serves the next
 * handshake.
 */
#include <openssl/async.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "smtpd/conn_tls.h"
#include "smtpd/tls.h"

void
ask_key_forget(struct conn *c, const char *why)
{
	struct tls_conn	*t = c->tls;

	if (t == NULL || t->sign != SIGN_WAITS)
		return;
	slots_free(&c->d->signs, t->sign_id);
	t->sign_id = 0;
	t->sign = SIGN_NONE;
	t->sig = NULL;
	t->why = why;
}

static int
send_question(struct tls_conn *t, uint16_t handle, uint16_t scheme, struct slice tbs)
{
	struct smtpd	*d = t->c->d;
	struct ipc_sign	 m = { .scheme = scheme, .tbs = tbs };
	int		 err;

	if (d->keys == NULL) {
		t->why = "keys is not there";
		return (E_CLOSED);
	}
	if (tbs.n == 0 || tbs.n > TBS_MAX || (t->sign_id = slots_take(&d->signs, t->c)) == 0)
		return (E_LIMIT);
	m.id = t->sign_id;
	tls_key_of(handle, &m.generation, &m.key);
	if ((err = ipc_send(d->keys, SIGN, sign, &m)) != E_OK) {
		slots_free(&d->signs, t->sign_id);
		t->sign_id = 0;
		t->why = "keys takes no questions";
	}
	return (err);
}

int
tls_ask_key(void *arg, uint16_t handle, uint16_t scheme, struct slice tbs, uint8_t *sig, size_t *len)
{
	struct tls_conn	*t = conn_tls_current;
	int		 err;

	if (t == NULL || ASYNC_get_current_job() == NULL)
		return (E_IO);		/* there is no way to wait here */
	if ((err = send_question(t, handle, scheme, tbs)) != E_OK)
		return (err);
	t->sig = sig;
	t->sign = SIGN_WAITS;
	t->sign_until = smtpd_now(t->c->d) + SIGN_WAIT_MS;
	while (t->sign == SIGN_WAITS)
		ASYNC_pause_job();
	err = t->sign == SIGN_HERE ? E_OK : E_IO;
	*len = t->sig_len;
	t->sign = SIGN_IDLE;
	t->sig = NULL;
	return (err);
}

/* ---- keys' words ---- */

static void
resume(struct conn *c)
{
	conn_tls_step(c);
	conn_advance(c);
}

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	static const char *const	why[SIGN_STATUSES] = { NULL, "keys refused to sign", "keys is busy", "keys failed to sign" };
	struct smtpd			*d = ch->arg;
	struct ipc_signed		 m;
	struct tls_conn			*t;
	struct conn			*c;

	if (type != IPC_SIGNED || ipc_unpack_signed(r, &m) != E_OK)
		return (E_PROTO);
	if ((c = slots_get(&d->signs, m.id)) == NULL) {
		d->counter[COUNT_LATE]++;
		return (E_OK);
	}
	t = c->tls;
	if (m.status != SIGN_DONE || m.signature.n > TLS_SIG_MAX)
		ask_key_forget(c, m.status != SIGN_DONE ? why[m.status] : "a signature that is too long");
	else {
		memcpy(t->sig, m.signature.p, m.signature.n);
		t->sig_len = m.signature.n;
		slots_free(&d->signs, t->sign_id);
		t->sign_id = 0;
		t->sign = SIGN_HERE;
	}
	resume(c);
	return (E_OK);
}

static void
on_lost(struct smtpd *d)
{
	struct conn	*c;
	uint32_t	 i = 0;

	while ((c = slots_next(&d->signs, &i)) != NULL) {
		ask_key_forget(c, "keys has gone");
		resume(c);
	}
}

const struct peer_kind keys_peer = {
	.room = ROOM_KEYS,
	.channel = offsetof(struct smtpd, keys),
	.ops = { .message = on_message, .closed = peer_closed },
	.lost = on_lost,
};
