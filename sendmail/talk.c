/*
 * talk.c -- the conversation with the server on its local socket.  Shell: blocking, with a deadline for each step.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/err.h"
#include "common/units.h"
#include "sendmail/outgoing.h"

/* How long the server may be silent: a user waits at a prompt, and mail that takes too long may wait in the drop. */
#define ANSWER_MS	60000
#define DOT_MS		600000	/* RFC 5321 4.5.3.2.6: giving up here means sending twice */
#define READ_MAX	16384

struct talk {
	struct outgoing	*o;
	outgoing_say	 say;
	int		 fd;
	struct submit	 s;
	struct buf	 out;
	uint64_t	 at;		/* octets of header and body that were sent */
	size_t		 count;		/* recipients of this transaction */
	int		 over;		/* all was said */
};

int
talk_connect(const struct places *p)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, n, rc;

	n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/submit", p->runtime);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return (-1);
	/* Non-blocking: a full backlog is EAGAIN then, and the mail waits instead of us. */
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	do
		rc = connect(fd, (struct sockaddr *)&sun, sizeof(sun));
	while (rc == -1 && errno == EINTR);
	if (rc == -1) {
		n = errno;
		(void)close(fd);
		errno = n;
		return (-1);
	}
	return (fd);
}

/* The next octets of header and body. */
static ssize_t
next_octets(struct talk *t, char *dst, size_t size)
{
	struct slice head = buf_slice(&t->o->header);

	if (t->at >= head.n)
		return (spool_read(&t->o->body, t->at - head.n, dst, size));
	if (head.n - t->at < size)
		size = (size_t)(head.n - t->at);
	memcpy(dst, head.p + t->at, size);
	return ((ssize_t)size);
}

static int
feed_body(struct talk *t)
{
	static char slice[SUBMIT_BODY_MAX];
	ssize_t n;

	while (t->s.state == SUBMIT_BODY && t->out.len < SUBMIT_OUT_HIGH) {
		n = next_octets(t, slice, sizeof(slice));
		if (n < 0)
			return (E_IO);
		if (n == 0)
			return (submit_end(&t->s));
		if (submit_body(&t->s, slice_make(slice, (size_t)n)) != E_OK)
			return (E_NOMEM);
		t->at += (uint64_t)n;
	}
	return (E_OK);
}

static void
begin_mail(struct talk *t)
{
	struct outgoing *o = t->o;

	t->count = o->n < RCPT_MAX ? o->n : RCPT_MAX;
	o->mail.rcpt = o->rcpt;
	o->mail.nrcpt = t->count;
	t->at = 0;
	submit_mail(&t->s, &o->mail);
}

static void
finish_mail(struct talk *t, enum verdict v)
{
	if (!outgoing_result(t->o, &t->s, t->count, v, t->say)) {
		t->over = 1;
		submit_quit(&t->s);
	} else
		submit_next(&t->s);
}

/* RFC 6531 3.2: what smtpd cannot say for us. */
static void
refuse_utf8(struct talk *t)
{
	t->s.mail.code = 553;
	t->s.mail.enhanced = (struct enhanced){ 5, 6, 7 };
	t->s.mail.text = strdup("the server does not take addresses that are not ASCII");
	(void)outgoing_result(t->o, &t->s, t->count, VERDICT_FAILED, t->say);
	submit_answer_clear(&t->s.mail);
}

static int
drive(struct talk *t)
{
	enum verdict v;

	switch (t->s.state) {
	case SUBMIT_IDLE:
		t->o->mail.rcpt = t->o->rcpt;
		t->o->mail.nrcpt = t->count = t->o->n;
		if (!submit_speaks(&t->s, &t->o->mail)) {
			refuse_utf8(t);
			t->over = 1;
			return (E_OK);
		}
		begin_mail(t);
		return (E_OK);
	case SUBMIT_ENVELOPE:
		submit_pump(&t->s);
		return (E_OK);
	case SUBMIT_CHOICE:
		if ((v = verdict_envelope(&t->s, &t->o->mail)) == VERDICT_SEND)
			submit_data(&t->s);
		else
			finish_mail(t, v);
		return (E_OK);
	case SUBMIT_BODY:
		return (feed_body(t));
	case SUBMIT_DONE:
		finish_mail(t, verdict_message(&t->s));
		return (E_OK);
	default:
		return (E_OK);
	}
}

/* One step of poll, with what can be written and read.  E_OK, E_TIMEOUT, E_CLOSED. */
static int
step(struct talk *t)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	char buf[READ_MAX];
	struct slice s = buf_slice(&t->out);
	size_t at, used;
	ssize_t n;
	int rc;

	if (s.n != 0)
		p.events |= POLLOUT;
	rc = poll(&p, 1, t->s.state == SUBMIT_DOT ? DOT_MS : ANSWER_MS);
	if (rc == -1)
		return (errno == EINTR ? E_OK : E_IO);
	if (rc == 0)
		return (E_TIMEOUT);
	if ((p.revents & POLLOUT) != 0) {
		n = send(t->fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			buf_drain(&t->out, (size_t)n);
		/* It may have said why before it left: what it said is read below, and its end found there. */
		else if (n == -1 && errno != EAGAIN && errno != EINTR)
			buf_drain(&t->out, s.n);
	}
	if ((p.revents & (POLLIN | POLLHUP | POLLERR)) == 0)
		return (E_OK);
	n = recv(t->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (E_OK);
	if (n <= 0)
		return (E_CLOSED);
	for (at = 0; at < (size_t)n && !t->over; at += used) {
		if (submit_feed(&t->s, slice_make(buf + at, (size_t)n - at), &used) != E_OK)
			return (E_PROTO);
		if (at + used < (size_t)n && drive(t) != E_OK)
			return (E_IO);
	}
	return (E_OK);
}

enum talked
talk(struct outgoing *o, const struct places *p, outgoing_say say)
{
	struct talk t = { .o = o, .say = say, .fd = talk_connect(p) };
	enum submit_state was;
	int err = E_OK;

	if (t.fd == -1)
		return (TALK_DOWN);
	buf_init(&t.out, SUBMIT_OUT_CAP);
	submit_init(&t.s, &t.out, p->hostname);
	o->mail.size = o->header.len + o->body.size;
	while (err == E_OK && !t.over && t.s.state != SUBMIT_OVER) {
		do {
			was = t.s.state;
			err = drive(&t);
		} while (err == E_OK && !t.over && t.s.state != was);
		if (err == E_OK && !t.over && t.s.state != SUBMIT_OVER)
			err = step(&t);
	}
	/* QUIT goes out if it can; nobody waits for the answer. */
	if (t.over && t.out.len != 0)
		(void)!send(t.fd, buf_slice(&t.out).p, t.out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(t.fd);
	submit_clear(&t.s);
	buf_clear(&t.out);
	return (t.over ? TALKED : TALK_DOWN);
}

/* ---- -bs ---- */

struct pipe_end {
	int	from, to;
	char	buf[READ_MAX];
	size_t	len, off;
	int	eof;
};

/* Move what can be moved; non-zero when this direction is over. */
static int
move(struct pipe_end *e, short in, short out)
{
	ssize_t n;

	if (e->len == 0 && !e->eof && (in & (POLLIN | POLLHUP | POLLERR)) != 0) {
		n = read(e->from, e->buf, sizeof(e->buf));
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			e->eof = 1;
		else if (n > 0)
			e->len = (size_t)n;
		e->off = 0;
	}
	if (e->len != 0 && (out & (POLLOUT | POLLHUP | POLLERR)) != 0) {
		n = write(e->to, e->buf + e->off, e->len);
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			return (1);
		if (n > 0) {
			e->off += (size_t)n;
			e->len -= (size_t)n;
		}
	}
	return (e->eof && e->len == 0);
}

int
talk_shuttle(const struct places *p)
{
	static struct pipe_end up, down;
	struct pollfd f[4];
	int fd = talk_connect(p), shut = 0;

	if (fd == -1) {
		(void)printf("421 4.3.2 %s the mail server is not running\r\n", p->hostname);
		return (fflush(stdout) == 0 ? EX_TEMPFAIL : EX_IOERR);
	}
	up.from = STDIN_FILENO;
	down.to = STDOUT_FILENO;
	up.to = down.from = fd;
	for (;;) {
		f[0] = (struct pollfd){ .fd = up.eof || up.len != 0 ? -1 : STDIN_FILENO, .events = POLLIN };
		f[1] = (struct pollfd){ .fd = up.len != 0 ? fd : -1, .events = POLLOUT };
		f[2] = (struct pollfd){ .fd = down.len != 0 ? -1 : fd, .events = POLLIN };
		f[3] = (struct pollfd){ .fd = down.len != 0 ? STDOUT_FILENO : -1, .events = POLLOUT };
		if (poll(f, 4, -1) == -1 && errno != EINTR)
			return (EX_OSERR);
		if (move(&up, f[0].revents, f[1].revents) && !shut) {
			/* The client has said all; what the server answers still comes. */
			(void)shutdown(fd, SHUT_WR);
			shut = up.eof = 1;
			up.len = 0;
		}
		if (move(&down, f[2].revents, f[3].revents))
			return (EX_OK);
	}
}
