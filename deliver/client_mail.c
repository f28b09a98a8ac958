/*
 * client_mail.c -- the SMTP client: a transaction's commands, by what the host offers.  Core.
 * RFC 5321, 2920, 1870, 6152, 3030, 6531, 3461, 2852, 6710.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/xtext.h"
#include "deliver/client_int.h"

#define PARAMS_MAX	640	/* all parameters of one command */

struct params {
	size_t	n;
	char	text[PARAMS_MAX];
};

static void __attribute__((format(printf, 2, 3)))
param(struct params *p, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(p->text + p->n, sizeof(p->text) - p->n, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(p->text) - p->n)
		p->n += (size_t)n;
	p->text[p->n] = '\0';		/* one that does not fit is left out whole: none can */
}

/* ---- what a message needs ---- */

int
client_needs_utf8(const char *address)
{
	for (; *address != '\0'; address++) {
		if ((unsigned char)*address >= 0x80)
			return (1);
	}
	return (0);
}

/* What makes the whole message need SMTPUTF8, whoever gets it. */
static int
mail_needs_utf8(const struct client_mail *m)
{
	return (m->header8 || client_needs_utf8(m->sender));
}

static int
uses_utf8(const struct client *c)
{
	if (!(c->offers & OFFER_SMTPUTF8))
		return (0);
	if (mail_needs_utf8(c->mail))
		return (1);
	/*
	 * RFC 6531 3.4: without it only what is known not to need it.  A part within may have a header in
	 * UTF-8, which nobody has looked for; a body of 7 bits has none.
	 */
	if (c->mail->utf8 && c->mail->body != BODY_7BIT)
		return (1);
	for (size_t i = 0; i < c->mail->nrcpt; i++) {
		if (c->mail->rcpt[i].sent && client_needs_utf8(c->mail->rcpt[i].address))
			return (1);
	}
	return (0);
}

/* ---- commands ---- */

static int64_t
by_time(const struct client_mail *m)
{
	if (m->by_left > BY_MAX_S)
		return (BY_MAX_S);
	return (m->by_left < -BY_MAX_S ? -BY_MAX_S : m->by_left);
}

void
client_say_mail(struct client *c)
{
	const struct client_mail *m = c->mail;
	char text[XTEXT_ENVID_MAX + 1];
	struct params p = { 0 };

	/* Of a body that is converted this is an estimate (RFC 1870 6). */
	if ((c->offers & OFFER_SIZE) && !m->probe)
		param(&p, " SIZE=%llu", (unsigned long long)m->size);
	if (c->bdat)
		param(&p, " BODY=BINARYMIME");
	else if (m->body != BODY_7BIT && (c->offers & OFFER_8BITMIME))
		param(&p, " BODY=8BITMIME");
	if (c->utf8)
		param(&p, " SMTPUTF8");
	if ((c->offers & OFFER_DSN) && m->ret != RET_NONE)
		param(&p, " RET=%s", m->ret == RET_FULL ? "FULL" : "HDRS");
	if ((c->offers & OFFER_DSN) && m->envid != NULL && m->envid[0] != '\0' &&
	    xtext_encode(slice_str(m->envid), text, sizeof(text)) == E_OK)
		param(&p, " ENVID=%s", text);
	if ((c->offers & OFFER_DELIVERBY) && m->by_mode != BY_NONE)
		param(&p, " BY=%lld;%c%s", (long long)by_time(m), m->by_mode == BY_RETURN ? 'R' : 'N',
		    m->by_trace ? "T" : "");
	if ((c->offers & OFFER_MT_PRIORITY) && m->prioritized)
		param(&p, " MT-PRIORITY=%d", m->priority);
	client_say(c, "MAIL FROM:<%s>%s", m->sender, p.text);
}

static void
client_say_rcpt(struct client *c, const struct client_rcpt *r)
{
	const struct client_mail *m = c->mail;
	char text[ORCPT_MAX + 1];
	struct params p = { 0 };
	unsigned notify = r->notify;

	if (!(c->offers & OFFER_DSN)) {
		client_say(c, "RCPT TO:<%s>", r->address);
		return;
	}
	/* RFC 2852 4.1.4.2: the host knows nothing of the deadline, so let it say when it is late. */
	if (m->by_mode == BY_NOTIFY && m->by_left > 0 && !(c->offers & OFFER_DELIVERBY) &&
	    notify != NOTIFY_NEVER)
		notify = (notify != 0 ? notify : NOTIFY_FAILURE) | NOTIFY_DELAY;
	if (notify == NOTIFY_NEVER)
		param(&p, " NOTIFY=NEVER");
	else if (notify != 0) {
		param(&p, " NOTIFY=%s%s%s", notify & NOTIFY_SUCCESS ? ",SUCCESS" : "",
		    notify & NOTIFY_FAILURE ? ",FAILURE" : "", notify & NOTIFY_DELAY ? ",DELAY" : "");
		memmove(p.text + 8, p.text + 9, p.n - 8);	/* the first comma */
		p.n--;
	}
	if (r->orcpt != NULL && r->orcpt[0] != '\0' &&
	    orcpt_encode(r->orcpt, c->utf8, text, sizeof(text)) == E_OK)
		param(&p, " ORCPT=%s", text);
	client_say(c, "RCPT TO:<%s>%s", r->address, p.text);
}

size_t
client_rcpt_next(const struct client *c, size_t from)
{
	while (from < c->mail->nrcpt && !c->mail->rcpt[from].sent)
		from++;
	return (from);
}

/* Behind the recipients. */
static void
client_say_last(struct client *c)
{
	if (c->mail->probe)
		client_say(c, "RSET");
	else if (!c->bdat)
		client_say(c, "DATA");
}

/* Not pipelined: one command, one reply. */
void
client_say_next(struct client *c)
{
	if (c->next < c->mail->nrcpt)
		client_say_rcpt(c, &c->mail->rcpt[c->next]);
	else
		client_say_last(c);
}

/* ---- the beginning ---- */

/* Choose who goes along: those still open that can, at most what the host takes at a time. */
static size_t
client_choose(struct client *c, int *barred)
{
	size_t n = 0, max = JOB_RCPT_MAX;
	struct client_rcpt *r;

	*barred = 0;
	if (c->rcpt_max != 0 && c->rcpt_max < max)
		max = c->rcpt_max;
	for (size_t i = 0; i < c->mail->nrcpt; i++) {
		r = &c->mail->rcpt[i];
		r->accepted = r->sent = 0;
		if (r->done)
			continue;
		if (!(c->offers & OFFER_SMTPUTF8) && client_needs_utf8(r->address))
			*barred = 1;
		else if (n < max) {
			r->sent = 1;
			n++;
		} else
			c->crowded = 1;
	}
	return (n);
}

/* Nobody can have it here. */
static void
client_bar(struct client *c, const char *enhanced, const char *text)
{
	client_sweep(c, SWEEP_ALL, OUT_PERMFAIL, enhanced, text);
	c->r.stage = STAGE_MAIL;
	c->crowded = 0;
	c->pending |= 1u << CLIENT_DONE;
}

static int
client_is_barred(struct client *c)
{
	const struct client_mail *m = c->mail;
	char text[128];

	if ((c->offers & OFFER_SIZE) && c->size_max != 0 && m->size > c->size_max) {
		snprintf(text, sizeof(text), "message of %llu octets; the host takes %llu",
		    (unsigned long long)m->size, (unsigned long long)c->size_max);
		client_bar(c, "5.3.4", text);
		return (1);
	}
	if (mail_needs_utf8(m) && !(c->offers & OFFER_SMTPUTF8)) {
		if (client_needs_utf8(m->sender))
			client_bar(c, "5.6.7", "the sender's address needs SMTPUTF8; the host does not offer it");
		else
			client_bar(c, "5.6.9", "the message's header needs SMTPUTF8; the host does not offer it");
		return (1);
	}
	if (m->by_mode != BY_RETURN)
		return (0);
	if (m->by_left <= 0)
		client_bar(c, "5.4.7", "the time by which it had to be delivered has passed");
	else if (!(c->offers & OFFER_DELIVERBY))
		client_bar(c, "5.4.7", "to be delivered in time or returned; the host does not offer DELIVERBY");
	else if (m->by_left < (int64_t)c->by_min) {
		snprintf(text, sizeof(text), "to be delivered within %lld seconds; the host wants %u at least",
		    (long long)m->by_left, c->by_min);
		client_bar(c, "5.4.7", text);
	} else
		return (0);
	return (1);
}

static void
client_begin(struct client *c)
{
	const struct client_mail *m = c->mail;
	int rset = c->need_rset;

	c->need_rset = 0;
	client_set_state(c, rset ? CS_RSET : CS_MAIL);
	if (rset)
		client_say(c, "RSET");
	if (!rset || c->pipelined)
		client_say_mail(c);
	if (c->pipelined) {		/* RFC 2920 3.1: DATA ends the group */
		for (size_t i = c->next; i < m->nrcpt; i = client_rcpt_next(c, i + 1))
			client_say_rcpt(c, &m->rcpt[i]);
		client_say_last(c);
	}
}

int
client_mail(struct client *c, struct client_mail *m, uint64_t now_ms)
{
	const unsigned chunks = OFFER_CHUNKING | OFFER_BINARYMIME;
	size_t n;
	int barred;

	c->now_ms = now_ms;
	c->mail = m;
	c->heard = 0;
	c->naccepted = 0;
	c->mail_open = 0;
	c->body_sent = 0;
	c->crowded = 0;
	c->bdat = m->body == BODY_BINARY && !m->probe && (c->offers & chunks) == chunks;
	c->convert = m->body == BODY_BINARY && !m->probe && !c->bdat;
	c->chunk_refused = 0;
	dot_init(&c->dot);
	n = client_choose(c, &barred);
	if (n == 0 && !barred) {
		c->pending |= 1u << CLIENT_DONE;
		return (E_OK);
	}
	if (client_is_barred(c))
		return (E_OK);
	if (barred) {
		client_sweep(c, SWEEP_UTF8, OUT_PERMFAIL, "5.6.7",
		    "the recipient's address needs SMTPUTF8; the host does not offer it");
		c->r.stage = STAGE_RCPT;
	}
	if (n == 0) {
		c->pending |= 1u << CLIENT_DONE;
		return (E_OK);
	}
	c->ntxn++;
	c->utf8 = (uint8_t)uses_utf8(c);
	c->next = client_rcpt_next(c, 0);
	c->pipelined = (c->offers & OFFER_PIPELINING) != 0;
	client_begin(c);
	return (c->state == CS_OVER ? E_NOMEM : E_OK);
}
