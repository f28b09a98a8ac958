/*
 * submit.c -- see submit.h.  Core.
 *
 * Answers are counted: the n-th answer of the envelope belongs to the n-th command, whether or not they
 * were written in one go (RFC 2920 3.1).
 */
#include "common/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/ipc_msg.h"

#define NOTIFY_TEXT_MAX	40	/* " NOTIFY=SUCCESS,FAILURE,DELAY" */

void
submit_answer_clear(struct submit_answer *a)
{
	free(a->text);
	memset(a, 0, sizeof(*a));
}

/* Of thousands of recipients that were taken nobody wants the words; of the message its queue ID is in them. */
static void
answer_set(struct submit_answer *a, const struct reply *r, int words)
{
	submit_answer_clear(a);
	a->code = r->code;
	a->enhanced = r->enhanced;
	if (r->code >= 400 || words)
		a->text = strdup(r->text);	/* without memory the code alone has to do */
}

void
submit_init(struct submit *s, struct buf *out, const char *helo)
{
	memset(s, 0, sizeof(*s));
	s->out = out;
	s->helo = helo;
	s->state = SUBMIT_GREETING;
	reply_parser_init(&s->parser);
}

void
submit_clear(struct submit *s)
{
	submit_answer_clear(&s->mail);
	submit_answer_clear(&s->answer);
}

static void
over(struct submit *s)
{
	s->state = SUBMIT_OVER;
}

/* ---- commands ---- */

static int
is_ascii(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text >= 0x80)
			return (0);
	}
	return (1);
}

int
submit_speaks(const struct submit *s, const struct submit_mail *m)
{
	size_t i;

	if ((s->offers & SUBMIT_SMTPUTF8) != 0)
		return (1);
	if (!is_ascii(m->sender))
		return (0);
	for (i = 0; i < m->nrcpt; i++) {
		if (!is_ascii(m->rcpt[i].address))
			return (0);
	}
	return (1);
}

int
submit_too_many(const struct submit_answer *a)
{
	return (a->code == 452 && (a->enhanced.cls == 0 ||
	    (a->enhanced.subject == 5 && a->enhanced.detail == 3)));
}

static int
write_mail(struct submit *s)
{
	const struct submit_mail *m = s->m;
	int err;

	err = buf_addf(s->out, "MAIL FROM:<%s>", m->sender);
	if (err == E_OK && m->size != 0 && (s->offers & SUBMIT_SIZE) != 0)
		err = buf_addf(s->out, " SIZE=%llu", (unsigned long long)m->size);
	if (err == E_OK && m->body8 && (s->offers & SUBMIT_8BITMIME) != 0)
		err = buf_adds(s->out, " BODY=8BITMIME");
	if (err == E_OK && m->utf8 && (s->offers & SUBMIT_SMTPUTF8) != 0)
		err = buf_adds(s->out, " SMTPUTF8");
	if (err == E_OK && m->ret != 0 && (s->offers & SUBMIT_DSN) != 0)
		err = buf_addf(s->out, " RET=%s", m->ret == 'F' ? "FULL" : "HDRS");
	if (err == E_OK && m->envid[0] != '\0' && (s->offers & SUBMIT_DSN) != 0)
		err = buf_addf(s->out, " ENVID=%s", m->envid);
	return (err == E_OK ? buf_adds(s->out, "\r\n") : err);
}

/* RFC 3461 4.1. */
static const char *
notify_text(uint8_t notify, char dst[static NOTIFY_TEXT_MAX])
{
	if (notify & NOTIFY_NEVER)
		return (" NOTIFY=NEVER");
	(void)snprintf(dst, NOTIFY_TEXT_MAX, " NOTIFY=%s%s%s", notify & NOTIFY_SUCCESS ? "SUCCESS," : "",
	    notify & NOTIFY_FAILURE ? "FAILURE," : "", notify & NOTIFY_DELAY ? "DELAY," : "");
	dst[strlen(dst) - 1] = '\0';	/* the last comma */
	return (dst);
}

static int
write_rcpt(struct submit *s, const struct submit_rcpt *r)
{
	char notify[NOTIFY_TEXT_MAX];

	return (buf_addf(s->out, "RCPT TO:<%s>%s\r\n", r->address,
	    r->notify != 0 && (s->offers & SUBMIT_DSN) != 0 ? notify_text(r->notify, notify) : ""));
}

void
submit_pump(struct submit *s)
{
	int err = E_OK;

	if (s->state != SUBMIT_ENVELOPE)
		return;
	while (s->next <= s->m->nrcpt && s->out->len < SUBMIT_OUT_HIGH && err == E_OK) {
		if ((s->offers & SUBMIT_PIPELINING) == 0 && s->next != s->heard)
			return;
		err = s->next == 0 ? write_mail(s) : write_rcpt(s, &s->m->rcpt[s->next - 1]);
		s->next++;
	}
	if (err != E_OK)
		over(s);
}

void
submit_mail(struct submit *s, struct submit_mail *m)
{
	size_t i;

	s->m = m;
	s->next = s->heard = s->accepted = 0;
	submit_answer_clear(&s->mail);
	submit_answer_clear(&s->answer);
	for (i = 0; i < m->nrcpt; i++)
		submit_answer_clear(&m->rcpt[i].answer);
	s->state = SUBMIT_ENVELOPE;
	submit_pump(s);
}

static void
command(struct submit *s, const char *line, enum submit_state state)
{
	s->state = state;
	if (buf_adds(s->out, line) != E_OK)
		over(s);
}

void
submit_data(struct submit *s)
{
	command(s, "DATA\r\n", SUBMIT_DATA);
}

void
submit_next(struct submit *s)
{
	if (s->early)
		over(s);
	else if (s->state == SUBMIT_CHOICE)
		command(s, "RSET\r\n", SUBMIT_RSET);
	else if (s->state == SUBMIT_DONE)
		s->state = SUBMIT_IDLE;
}

void
submit_quit(struct submit *s)
{
	if (s->early)
		over(s);
	else
		command(s, "QUIT\r\n", SUBMIT_QUIT);
}

/* ---- body ---- */

/* RFC 5321 4.5.2: a line that begins with a dot gets one more. */
int
submit_body(struct submit *s, struct slice in)
{
	const char *p = in.p, *end = in.p + in.n, *lf;
	int err = E_OK;

	if (in.n > SUBMIT_BODY_MAX)
		return (E_LIMIT);
	s->body_len += in.n;
	while (p < end && err == E_OK) {
		if (s->at_start && *p == '.')
			err = buf_add(s->out, ".", 1);
		lf = memchr(p, '\n', (size_t)(end - p));
		s->at_start = lf != NULL && (lf > p ? lf[-1] == '\r' : s->last_cr);
		lf = lf != NULL ? lf + 1 : end;
		if (err == E_OK)
			err = buf_add(s->out, p, (size_t)(lf - p));
		s->last_cr = lf[-1] == '\r';
		p = lf;
	}
	if (err != E_OK)
		over(s);
	return (err);
}

int
submit_end(struct submit *s)
{
	int err = s->at_start ? E_OK : buf_adds(s->out, "\r\n");

	if (err == E_OK)
		err = buf_adds(s->out, ".\r\n");
	s->state = SUBMIT_DOT;
	if (err != E_OK)
		over(s);
	return (err);
}

/* ---- answers ---- */

static const struct { const char *word; unsigned bit; } extensions[] = {
	{ "PIPELINING", SUBMIT_PIPELINING }, { "8BITMIME", SUBMIT_8BITMIME }, { "SMTPUTF8", SUBMIT_SMTPUTF8 },
	{ "DSN", SUBMIT_DSN }, { "SIZE", SUBMIT_SIZE },
};

/* A line of the answer to EHLO: "250-SIZE 52428800".  Those of other answers are nobody's. */
static void
ehlo_line(void *arg, struct slice line)
{
	struct submit *s = arg;
	const char *end;
	size_t i;

	if (s->state != SUBMIT_EHLO || line.n < 5)
		return;
	line = slice_make(line.p + 4, line.n - 4);
	if ((end = memchr(line.p, ' ', line.n)) != NULL)
		line.n = (size_t)(end - line.p);
	for (i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		if (slice_caseeq(line, slice_str(extensions[i].word)))
			s->offers |= extensions[i].bit;
	}
}

static void
envelope_answer(struct submit *s, const struct reply *r)
{
	if (s->heard == 0)
		answer_set(&s->mail, r, 0);
	else {
		answer_set(&s->m->rcpt[s->heard - 1].answer, r, 0);
		s->accepted += r->code / 100 == 2;
	}
	s->heard++;
	/* Without MAIL there are no recipients: what was pipelined is still answered, the rest is not asked. */
	if ((s->mail.code / 100 != 2 && s->heard == s->next) || s->heard == s->m->nrcpt + 1)
		s->state = SUBMIT_CHOICE;
	else
		submit_pump(s);
}

static int
on_reply(struct submit *s)
{
	const struct reply *r = &s->parser.r;
	int good = r->code / 100 == 2;

	if (r->code == 421) {		/* RFC 5321 3.8: whatever was asked */
		answer_set(&s->answer, r, 1);
		over(s);
		return (E_OK);
	}
	switch (s->state) {
	case SUBMIT_GREETING:
		s->offers = 0;
		if (good) {
			s->state = SUBMIT_EHLO;
			return (buf_addf(s->out, "EHLO %s\r\n", s->helo));
		}
		break;
	case SUBMIT_EHLO:
		if (good) {
			s->state = SUBMIT_IDLE;
			return (E_OK);
		}
		break;
	case SUBMIT_ENVELOPE:
		if (s->heard >= s->next)
			return (E_PROTO);	/* an answer that nothing asked for */
		envelope_answer(s, r);
		return (E_OK);
	case SUBMIT_DATA:
		answer_set(&s->answer, r, 1);
		s->state = r->code == 354 ? SUBMIT_BODY : SUBMIT_DONE;
		s->body_len = 0;
		s->at_start = 1;
		s->last_cr = 0;
		return (good ? E_PROTO : E_OK);
	case SUBMIT_BODY:
		/* Refused in its midst by a server that reads no more of it: this is its answer. */
		if (r->code < 400)
			return (E_PROTO);
		answer_set(&s->answer, r, 1);
		s->state = SUBMIT_DONE;
		s->early = 1;
		buf_drain(s->out, s->out->len);
		return (E_OK);
	case SUBMIT_DOT:
		answer_set(&s->answer, r, 1);
		s->state = SUBMIT_DONE;
		return (r->code / 100 == 3 ? E_PROTO : E_OK);
	case SUBMIT_RSET:
		if (good) {
			s->state = SUBMIT_IDLE;
			return (E_OK);
		}
		break;
	case SUBMIT_QUIT:
		over(s);
		return (E_OK);
	default:
		return (E_PROTO);	/* unasked, and not 421 */
	}
	answer_set(&s->answer, r, 1);	/* no way on from here */
	over(s);
	return (E_OK);
}

/* States in which the next step is the caller's. */
static int
is_callers(enum submit_state state)
{
	return (state == SUBMIT_IDLE || state == SUBMIT_CHOICE || state == SUBMIT_BODY ||
	    state == SUBMIT_DONE || state == SUBMIT_OVER);
}

int
submit_feed(struct submit *s, struct slice in, size_t *used)
{
	enum submit_state was = s->state;
	size_t n;
	int err;

	*used = 0;
	while (*used < in.n && s->state != SUBMIT_OVER) {
		err = reply_feed(&s->parser, slice_make(in.p + *used, in.n - *used), &n, ehlo_line, s);
		*used += n;
		if (err == E_AGAIN)
			continue;
		if (err == E_OK)
			err = on_reply(s);
		if (err != E_OK) {
			over(s);
			return (err);
		}
		if (s->state != was && is_callers(s->state))
			break;
	}
	return (E_OK);
}

void
submit_eof(struct submit *s)
{
	over(s);
}
