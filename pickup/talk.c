/*
 * talk.c -- a job's conversation with an smtpd, over one end of a socketpair.  Shell.
 *
 * submit.c says what; here it is written, read, and bounded in time.  A conversation that is lost, or refused as a
 * whole for now, gives all of them a rest, longer each time: the server is busy or starting.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/err.h"
#include "common/log.h"
#include "pickup/pickup.h"

#define READ_MAX	16384
#define SLICES_PER_TURN	16	/* of a message: others have their turn */

static void	on_poll(uv_poll_t *, int, int);

/* ---- the end ---- */

static void
on_handle_closed(uv_handle_t *h)
{
	struct job *j = h->data;

	if (--j->closing == 0) {
		pump(j->p);
		leave_if_idle(j->p);
	}
}

void
talk_end(struct job *j)
{
	size_t i;

	for (i = 0; i < j->drop.mail.nrcpt; i++)
		submit_answer_clear(&j->drop.mail.rcpt[i].answer);
	submit_clear(&j->talk);
	buf_clear(&j->out);
	j->closing = 2;
	uv_close((uv_handle_t *)&j->poll, on_handle_closed);
	uv_close((uv_handle_t *)&j->timer, on_handle_closed);
	(void)close(j->sock);
	j->sock = -1;
}

static void
on_again(uv_timer_t *t)
{
	struct pickup *p = t->data;

	p->resting = 0;
	pump(p);
	scan_if_drained(p);
}

static void
rest(struct pickup *p)
{
	if (p->resting)
		return;
	p->resting = 1;
	p->again_ms = p->again_ms == 0 ? AGAIN_MS : p->again_ms < SCAN_MS / 2 ? 2 * p->again_ms : SCAN_MS;
	uv_update_time(&p->room->loop);
	(void)uv_timer_start(&p->again_timer, on_again, p->again_ms, 0);
}

/* The conversation is over before the message is: nothing was decided. */
static void
lost(struct job *j, const char *why)
{
	j->p->counter[COUNT_LOST]++;
	log_warn("drop file=%s conversation with smtpd lost: %s", j->name, why);
	j->verdict = VERDICT_LATER;
	after_discard(j);
	rest(j->p);
	talk_end(j);
	job_end(j, 1);
}

/* The verdict is known. */
static void
settle(struct job *j)
{
	struct pickup *p = j->p;
	/* The server itself is in trouble: the next one would hear the same. */
	int all = j->verdict == VERDICT_LATER && after_is_servers(j);
	enum after after = after_settle(j);

	/* Said and gone: nobody waits for the answer. */
	if (j->talk.state != SUBMIT_OVER) {
		submit_quit(&j->talk);
		(void)!send(j->sock, buf_slice(&j->out).p, j->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	if (all)
		rest(p);
	talk_end(j);
	if (after == AFTER_BAD)
		job_bad(j, "refused for good, and it has no sender to tell");
	else
		job_end(j, all && after == AFTER_LATER);
}

static void
on_timer(uv_timer_t *t)
{
	lost(t->data, "no answer in time");
}

/* ---- the conversation ---- */

static void
arm(struct job *j)
{
	uv_update_time(&j->p->room->loop);
	(void)uv_timer_start(&j->timer, on_timer, TALK_MS, 0);
}

/* More of the message into the buffer.  Non-zero: the job is over. */
static int
feed_body(struct job *j)
{
	static char slice[SUBMIT_BODY_MAX];
	unsigned i;
	ssize_t n;

	for (i = 0; i < SLICES_PER_TURN && j->out.len < SUBMIT_OUT_HIGH; i++) {
		n = file_read(j, slice, sizeof(slice));
		if (n < 0) {
			/* Its owner changes it under our hands: without a final dot nothing was sent. */
			after_discard(j);
			talk_end(j);
			job_bad(j, "it became shorter while it was sent");
			return (1);
		}
		if (n == 0) {
			if (after_body_end(j) != E_OK || submit_end(&j->talk) != E_OK) {
				lost(j, "what is left of the message cannot be written");
				return (1);
			}
			return (0);
		}
		if (after_body(j, slice_make(slice, (size_t)n)) != E_OK ||
		    submit_body(&j->talk, slice_make(slice, (size_t)n)) != E_OK) {
			lost(j, "what is left of the message cannot be written");
			return (1);
		}
	}
	return (0);
}

/* SMTPUTF8 is not offered: the answer smtpd could not give (RFC 6531 3.2). */
static void
refuse_utf8(struct job *j)
{
	j->talk.mail.code = 553;
	j->talk.mail.enhanced = (struct enhanced){ 5, 6, 7 };
	j->talk.mail.text = strdup("addresses that are not ASCII need SMTPUTF8");
	j->verdict = VERDICT_FAILED;
}

/* What the core waits for from us.  Non-zero: the job is over. */
static int
drive(struct job *j)
{
	struct submit *s = &j->talk;

	switch (s->state) {
	case SUBMIT_IDLE:
		if (!submit_speaks(s, &j->drop.mail)) {
			refuse_utf8(j);
			settle(j);
			return (1);
		}
		submit_mail(s, &j->drop.mail);
		return (0);
	case SUBMIT_ENVELOPE:
		submit_pump(s);
		return (0);
	case SUBMIT_CHOICE:
		j->verdict = verdict_envelope(s, &j->drop.mail);
		if (j->verdict == VERDICT_SEND && after_prepare(j) != E_OK)
			j->verdict = VERDICT_LATER;
		if (j->verdict != VERDICT_SENT) {
			settle(j);
			return (1);
		}
		j->at = j->drop.len;
		submit_data(s);
		return (0);
	case SUBMIT_BODY:
		return (feed_body(j));
	case SUBMIT_DONE:
		j->verdict = verdict_message(s);
		settle(j);
		return (1);
	case SUBMIT_OVER:
		lost(j, s->answer.text != NULL ? "it ended it" : "closed");
		return (1);
	default:
		return (0);
	}
}

/* Write what there is; more of the message takes its place.  Non-zero: the job is over. */
static int
push(struct job *j)
{
	struct slice s;
	ssize_t n;

	while ((s = buf_slice(&j->out)).n != 0) {
		n = send(j->sock, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1) {
			if (errno == EINTR)
				continue;
			/* It may have said why before it left: that is read first. */
			return (0);
		}
		buf_drain(&j->out, (size_t)n);
		arm(j);
		if (j->talk.state == SUBMIT_ENVELOPE)
			submit_pump(&j->talk);
		else if (j->talk.state == SUBMIT_BODY && feed_body(j))
			return (1);
	}
	return (0);
}

static int
pull(struct job *j)
{
	char buf[READ_MAX];
	ssize_t n = recv(j->sock, buf, sizeof(buf), MSG_DONTWAIT);
	size_t used, at;
	enum submit_state was;

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (0);
	if (n <= 0) {
		lost(j, n == 0 ? "closed" : strerror(errno));
		return (1);
	}
	arm(j);
	for (at = 0; at < (size_t)n; at += used) {
		if (submit_feed(&j->talk, slice_make(buf + at, (size_t)n - at), &used) != E_OK) {
			lost(j, "not SMTP");
			return (1);
		}
		do {
			was = j->talk.state;
			if (drive(j))
				return (1);
		} while (j->talk.state != was);
	}
	return (0);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct job *j = poll->data;

	if (status < 0) {
		/* It may have said why before it left; libuv has stopped the handle. */
		if (!pull(j))
			lost(j, uv_strerror(status));
		return;
	}
	if ((events & (UV_READABLE | UV_DISCONNECT)) != 0 && pull(j))
		return;
	if (push(j))
		return;
	events = UV_READABLE | (j->out.len != 0 ? UV_WRITABLE : 0);
	if (events != j->events) {
		j->events = events;
		(void)uv_poll_start(&j->poll, events, on_poll);
	}
}

/* The next smtpd in turn; NULL: none is there. */
static struct ipc *
next_smtpd(struct pickup *p)
{
	size_t i, at;

	for (i = 0; i < SMTPDS_MAX; i++) {
		at = (p->turn + i) % SMTPDS_MAX;
		if (p->smtpd[at] != NULL) {
			p->turn = at + 1;
			return (p->smtpd[at]);
		}
	}
	return (NULL);
}

void
talk_begin(struct job *j)
{
	struct ipc_submit m = { .uid = j->uid };
	struct pickup *p = j->p;
	struct ipc *ch = next_smtpd(p);
	uint8_t payload[sizeof(m)];
	struct wr w;
	int pair[2], rc;

	if (ch == NULL)
		return;		/* it is ready when one comes */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1) {
		log_warn("socketpair: %s", strerror(errno));
		rest(p);
		return;
	}
	wr_init(&w, payload, sizeof(payload));
	ipc_pack_submit(&w, &m);
	rc = ipc_send_with_fd(ch, IPC_SUBMIT, payload, w.len, pair[1]);
	(void)close(pair[1]);
	if (rc == E_OK && uv_poll_init(&p->room->loop, &j->poll, pair[0]) != 0)
		rc = E_IO;
	if (rc != E_OK) {
		(void)close(pair[0]);
		rest(p);
		return;
	}
	j->sock = pair[0];
	(void)uv_timer_init(&p->room->loop, &j->timer);
	j->poll.data = j->timer.data = j;
	j->step = JOB_TALK;
	j->events = UV_READABLE;
	j->rest_ready = j->notice_ready = 0;
	buf_init(&j->out, SUBMIT_OUT_CAP);
	submit_init(&j->talk, &j->out, p->room->conf->hostname);
	arm(j);
	(void)uv_poll_start(&j->poll, UV_READABLE, on_poll);
}

/* ---- channels ---- */

static int
on_message(struct ipc *ch, enum ipc_type type, struct rd *r, int fd)
{
	(void)ch;
	(void)type;
	(void)r;
	(void)fd;
	return (E_PROTO);	/* smtpd has nothing to say here */
}

static void
free_channel(struct ipc *ch)
{
	free(ch);
}

static void
on_closed(struct ipc *ch, int err)
{
	struct pickup *p = ch->arg;
	size_t i;

	(void)err;
	for (i = 0; i < SMTPDS_MAX; i++) {
		if (p->smtpd[i] == ch)
			p->smtpd[i] = NULL;
	}
	ipc_close(ch, free_channel);
}

static const struct ipc_ops smtpd_ops = { .message = on_message, .closed = on_closed };

void
smtpd_peer(struct pickup *p, const struct ipc_channel *m, int fd)
{
	struct ipc *ch;

	if (m->room != ROOM_SMTPD || m->instance >= SMTPDS_MAX || (ch = calloc(1, sizeof(*ch))) == NULL) {
		(void)close(fd);
		return;
	}
	if (ipc_open(ch, &p->room->loop, fd, ROOM_PICKUP, ROOM_SMTPD, &smtpd_ops, p) != E_OK) {
		log_warn("channel to smtpd[%u] cannot be opened", (unsigned)m->instance);
		free(ch);
		return;
	}
	ch->instance = m->instance;
	ch->role = m->role;
	if (p->smtpd[m->instance] != NULL)
		ipc_close(p->smtpd[m->instance], free_channel);
	p->smtpd[m->instance] = ch;
	pump(p);
}
