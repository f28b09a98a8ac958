/*
 * room.c -- pam's loop: questions of auth to the slots, and their answers back (pam.h).  Shell.
 *
 * auth asks no more than PAM_SLOTS at a time; what comes beyond is SASL_TEMPORARY.  A slot that has
 * gone ends this process: master starts it anew, and auth tells those who wait to try again.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "common/reply.h"
#include "pam/pam.h"

struct slot {
	uv_poll_t	 poll;
	int		 fd;
	uint8_t		 busy;
	uint8_t		 wanted;	/* by the channel that is there now */
	uint32_t	 id;
	char		 login[LOGIN_MAX + 1];
};

static struct {
	struct room	*room;
	struct ipc	*auth;		/* NULL: none */
	struct slot	 slots[PAM_SLOTS];
	uint64_t	 counter[COUNTS];
	int		 stopping;
} pam;

static void
answer(uint32_t id, enum sasl_status status)
{
	struct ipc_pam_answer	m = { .id = id, .status = (uint8_t)status };
	int			err = ipc_send(pam.auth, PAM_ANSWER, pam_answer, &m);

	pam.counter[status == SASL_OK ? COUNT_OK : status == SASL_FAILED ? COUNT_FAILED : COUNT_TEMPORARY]++;
	if (err != E_OK && err != E_CLOSED)
		log_warn("answer to auth dropped: %s", err_name(err));
}

/* ---- slots ---- */

static void
slot_done(struct slot *s, const struct slot_answer *a)
{
	enum sasl_status	status = a->end == SLOT_ANSWERED ? pam_meaning(a->code) : SASL_TEMPORARY;
	char			login[2 * LOGIN_MAX];

	s->busy = 0;
	pam.counter[COUNT_BUSY]--;
	pam.counter[COUNT_KILLED] += a->end != SLOT_ANSWERED;
	text_escape_word(login, sizeof(login), slice_str(s->login));
	if (a->end != SLOT_ANSWERED)
		log_warn("login=%s: PAM %s", login, a->end == SLOT_TIMED_OUT ? "took too long, and was killed" : "crashed");
	else if (status == SASL_TEMPORARY)
		log_warn("login=%s: PAM cannot tell: %s", login, pam_words(a->code));
	else if (status == SASL_FAILED)
		log_info("login=%s refused: %s", login, pam_words(a->code));
	if (s->wanted && pam.auth != NULL)
		answer(s->id, status);
}

static void
on_slot(uv_poll_t *h, int status, int events)
{
	struct slot		*s = h->data;
	struct slot_answer	 a;
	ssize_t			 n = recv(s->fd, &a, sizeof(a), 0);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(a) || !s->busy || a.end > SLOT_CRASHED)
		log_fatal("a slot has gone");
	slot_done(s, &a);
}

static void
ask(struct slot *s, const struct ipc_pam_ask *m)
{
	struct slot_ask	q;
	ssize_t		n;

	memset(&q, 0, sizeof(q));
	(void)snprintf(q.service, sizeof(q.service), "%s", pam.room->conf->auth.pam_service);
	memcpy(q.login, m->login, sizeof(q.login));
	memcpy(q.password, m->password, sizeof(q.password));
	if (!net_addr_is_any(&m->client))
		(void)net_addr_str(&m->client, q.client);
	n = send(s->fd, &q, sizeof(q), MSG_NOSIGNAL);
	explicit_bzero(&q, sizeof(q));
	if (n != (ssize_t)sizeof(q))
		log_fatal("a slot takes no question: %s", strerror(errno));
	s->busy = s->wanted = 1;
	s->id = m->id;
	memcpy(s->login, m->login, sizeof(s->login));
	pam.counter[COUNT_BUSY]++;
}

/* ---- auth ---- */

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	struct ipc_pam_ask	m;
	int			i, err;

	if (type != IPC_PAM_ASK)
		return (E_PROTO);
	if ((err = ipc_unpack_pam_ask(r, &m)) == E_OK) {
		for (i = 0; i < PAM_SLOTS && pam.slots[i].busy; i++)
			;
		if (i == PAM_SLOTS || pam.stopping)
			answer(m.id, SASL_TEMPORARY);
		else
			ask(&pam.slots[i], &m);
	}
	explicit_bzero(&m, sizeof(m));
	return (err == E_OK ? E_OK : E_PROTO);
}

static void
channel_free(struct ipc *ch)
{
	free(ch);
}

static void
on_closed(struct ipc *ch, int err)
{
	if (pam.auth == ch) {
		pam.auth = NULL;
		for (int i = 0; i < PAM_SLOTS; i++)
			pam.slots[i].wanted = 0;
	}
	ipc_close(ch, channel_free);
}

static const struct ipc_ops auth_ops = { .message = on_message, .closed = on_closed };

static void
on_peer(struct room *room, const struct ipc_channel *m, int fd)
{
	struct ipc	*ch;

	if (pam.auth != NULL)
		on_closed(pam.auth, E_CLOSED);
	if ((ch = calloc(1, sizeof(*ch))) == NULL)
		log_fatal("no memory for a channel");
	if (ipc_open(ch, &room->loop, fd, room->self, m->room, &auth_ops, NULL) != E_OK)
		log_fatal("cannot open the channel to %s[%u]", room_name(m->room), m->instance);
	ch->instance = m->instance;
	pam.auth = ch;
}

/*
 * PAM itself does not say that it takes another service's rules, which may let in more than was
 * meant.
 */
static void
service_look(const char *service)
{
	static const char *const dirs[] = { "/etc/pam.d", "/usr/lib/pam.d" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dirs[i], service) < sizeof(path) &&
		    access(path, F_OK) == 0)
			return;
	}
	log_warn("there is no /etc/pam.d/%s: PAM goes by /etc/pam.d/other", service);
}

static void
on_go(struct room *room)
{
	service_look(room->conf->auth.pam_service);
	log_info("ready: service=%s slots=%d", room->conf->auth.pam_service, PAM_SLOTS);
}

/* Those who wait hear from auth that it cannot be told now; the askers end with us. */
static void
on_stop(struct room *room, uint32_t within_ms)
{
	pam.stopping = 1;
	room_leave(room);
}

static void
on_counters(struct room *room, uint64_t counter[8])
{
	memcpy(counter, pam.counter, sizeof(pam.counter));
}

void
pam_open(struct room *room)
{
	int	i;

	if (chdir("/") == -1)
		log_fatal("/: %s", strerror(errno));
	pam.room = room;
	/* All of them before the first poll: what they inherit is closed by them. */
	for (i = 0; i < PAM_SLOTS; i++) {
		if ((pam.slots[i].fd = slot_start()) == -1)
			log_fatal("cannot start a slot: %s", strerror(errno));
	}
	for (i = 0; i < PAM_SLOTS; i++) {
		pam.slots[i].poll.data = &pam.slots[i];
		if (uv_poll_init(&room->loop, &pam.slots[i].poll, pam.slots[i].fd) != 0 ||
		    uv_poll_start(&pam.slots[i].poll, UV_READABLE, on_slot) != 0)
			log_fatal("cannot poll a slot");
	}
}

const struct room_ops pam_room_ops = {
	.peer = on_peer,
	.go = on_go,
	.stop = on_stop,
	.counters = on_counters,
};
