/*
 * pam.c -- PAM as a backend (auth.h): questions to postern-pam over its channel.  Shell.
 *
 * postern-pam asks PAM_SLOTS questions at a time; what comes beyond that waits here, in turn by
 * client address, so that one who guesses passwords keeps only himself waiting.  A question is
 * given up PAM_ANSWER_MS after it came, waiting or asked: SASL_TEMPORARY, as for all of them when
 * the channel dies.  Passwords wait in locked memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/exchange.h"
#include "auth/secure.h"
#include "auth/turns.h"
#include "common/err.h"
#include "common/log.h"

#define LOOK_MS	500			/* how often time limits are looked at */

struct ask {
	struct turn	 turn;		/* while it waits; first */
	struct exchange	*x;		/* NULL: nobody wants the answer any more, but a slot is at it */
	struct ipc_pam_ask *m;		/* locked memory; NULL once it was sent */
	struct ask	*next, *prev;	/* all, oldest first */
	uint32_t	 id;
	uint64_t	 since;
	uint8_t		 sent;
	struct sasl_env	*env;		/* for when x has gone: */
	struct net_addr	 client;
	char		 login[LOGIN_MAX + 1];
};

struct pam_channel {
	struct ipc	 ipc;
};

static struct {
	struct room	*room;
	struct pam_channel *channel;	/* NULL: none */
	struct turns	 turns;
	struct ask	*first, *last;
	unsigned	 n;		/* all */
	unsigned	 asked;		/* of them with postern-pam */
	uint32_t	 last_id;
	uv_timer_t	 look;
	int		 timer;
} pam;

/* ---- questions ---- */

static void
ask_free(struct ask *a)
{
	if (a->turn.lane != NULL)
		turns_remove(&pam.turns, &a->turn);
	*(a->prev != NULL ? &a->prev->next : &pam.first) = a->next;
	*(a->next != NULL ? &a->next->prev : &pam.last) = a->prev;
	pam.n--;
	pam.asked -= a->sent;
	if (a->x != NULL)
		a->x->backend_arg = NULL;
	secure_free(a->m, sizeof(*a->m));
	free(a);
}

/* a is over; its exchange hears so. */
static void
ask_end(struct ask *a, enum sasl_status status)
{
	struct exchange	*x = a->x;

	ask_free(a);
	if (x != NULL)
		auth_checked(x, status, NULL, slice_make(NULL, 0));
}

/* Nobody waits for the answer any more; its slot is taken until postern-pam says so. */
static void
ask_give_up(struct ask *a)
{
	struct exchange	*x = a->x;

	if (!a->sent) {
		ask_end(a, SASL_TEMPORARY);
	} else if (x != NULL) {
		a->x = NULL;
		x->backend_arg = NULL;
		auth_checked(x, SASL_TEMPORARY, NULL, slice_make(NULL, 0));
	}
}

/* As many as there are slots. */
static void
send_some(void)
{
	struct turn	*t;
	struct ask	*a;
	int		 err;

	while (pam.channel != NULL && pam.asked < PAM_SLOTS && (t = turns_next(&pam.turns)) != NULL) {
		a = (struct ask *)t;
		err = ipc_send(&pam.channel->ipc, PAM_ASK, pam_ask, a->m);
		secure_free(a->m, sizeof(*a->m));
		a->m = NULL;
		a->sent = 1;
		pam.asked++;
		if (err != E_OK)
			ask_end(a, SASL_TEMPORARY);
	}
}

static void
on_look(uv_timer_t *t)
{
	uint64_t	 now = uv_now(&pam.room->loop);
	struct ask	*a, *next;

	for (a = pam.first; a != NULL && now - a->since >= PAM_ANSWER_MS; a = next) {
		next = a->next;
		if (a->x != NULL)
			log_warn("pam: no answer within %u s%s", PAM_ANSWER_MS / 1000, a->sent ? "" : ": all its slots are taken");
		ask_give_up(a);
	}
}

static void
timer_open(struct room *room)
{
	if (pam.timer)
		return;
	pam.room = room;
	if (uv_timer_init(&room->loop, &pam.look) != 0)
		log_fatal("no memory for handles");
	uv_timer_start(&pam.look, on_look, LOOK_MS, LOOK_MS);
	pam.timer = 1;
}

/* ---- the channel ---- */

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct ipc_pam_answer	 m;
	struct ask		*a;

	if (type != IPC_PAM_ANSWER || ipc_unpack_pam_answer(r, &m) != E_OK)
		return (E_PROTO);
	for (a = pam.first; a != NULL && (a->id != m.id || !a->sent); a = a->next)
		;
	if (a == NULL)
		return (E_PROTO);	/* each question has one answer */
	/* Who hangs up before he is told has taken a slot, too. */
	if (a->x == NULL && m.status == SASL_FAILED)
		exchange_unheard(a->env, &a->client, a->login);
	ask_end(a, (enum sasl_status)m.status);
	send_some();
	return (E_OK);
}

static void
channel_free(struct ipc *ch)
{
	free(ch->arg);
}

static void
channel_end(struct pam_channel *c)
{
	pam.channel = NULL;
	ipc_close(&c->ipc, channel_free);
	while (pam.first != NULL)
		ask_end(pam.first, SASL_TEMPORARY);
}

static void
on_closed(struct ipc *ch, int err)
{
	struct pam_channel	*c = ch->arg;

	if (c == pam.channel)
		channel_end(c);
}

static const struct ipc_ops channel_ops = { .message = on_message, .closed = on_closed };

void
pam_peer(struct room *room, const struct ipc_channel *m, int fd)
{
	struct pam_channel	*c;

	timer_open(room);
	if (pam.channel != NULL)
		channel_end(pam.channel);
	if ((c = calloc(1, sizeof(*c))) == NULL)
		log_fatal("no memory for a channel");
	if (ipc_open(&c->ipc, &room->loop, fd, room->self, m->room, &channel_ops, c) != E_OK)
		log_fatal("cannot open the channel to %s[%u]", room_name(m->room), m->instance);
	c->ipc.instance = m->instance;
	pam.channel = c;
}

/* ---- the backend ---- */

/* Whose turn: an IPv4 address, an IPv6 network of 64 bits. */
static uint64_t
lane(const struct net_addr *a)
{
	uint64_t	v;

	memcpy(&v, net_addr_is4(a) ? a->a + 8 : a->a, sizeof(v));
	return (v);
}

static void
pam_check(struct exchange *x, struct slice login, struct slice password)
{
	struct ask	*a;

	if (pam.channel == NULL || pam.n >= PAM_WAITING_MAX + PAM_SLOTS || (a = calloc(1, sizeof(*a))) == NULL) {
		auth_checked(x, SASL_TEMPORARY, NULL, slice_make(NULL, 0));
		return;
	}
	a->x = x;
	a->env = x->peer->env;
	a->client = x->client;
	memcpy(a->login, x->login, sizeof(a->login));
	a->id = ++pam.last_id;
	a->since = uv_now(&pam.room->loop);
	a->prev = pam.last;
	*(pam.last != NULL ? &pam.last->next : &pam.first) = a;
	pam.last = a;
	pam.n++;
	x->backend_arg = a;
	if (login.n > LOGIN_MAX || password.n > PASSWORD_MAX || (a->m = secure_alloc(sizeof(*a->m))) == NULL ||
	    turns_add(&pam.turns, &a->turn, x->peer, lane(&x->client)) != E_OK) {
		ask_end(a, SASL_TEMPORARY);
		return;
	}
	a->m->id = a->id;
	a->m->client = x->client;
	memcpy(a->m->login, login.p, login.n);
	memcpy(a->m->password, password.p, password.n);
	send_some();
}

static void
pam_cancel(struct exchange *x)
{
	struct ask	*a = x->backend_arg;

	if (a == NULL)
		return;
	x->backend_arg = NULL;
	a->x = NULL;
	if (!a->sent)
		ask_free(a);
}

static void
pam_use(struct room *room)
{
	timer_open(room);
}

static void
pam_leave(struct room *room)
{
	struct ask	*a, *next;

	for (a = pam.first; a != NULL; a = next) {
		next = a->next;
		ask_give_up(a);
	}
}

const struct backend pam_backend = {
	.name = "pam",
	.check = pam_check,
	.cancel = pam_cancel,
	.use = pam_use,
	.leave = pam_leave,
};
