/*
 * client_reply.c -- what each reply means at each stage: one table, one function per row.  Core.
 * RFC 5321 3.1 to 3.3, 4.1.1, 4.2, 4.3.2, 4.5.3.1.10; RFC 2920 3.1; RFC 9422; RFC 7504.
 */
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "deliver/client_int.h"
#include "deliver/deliver_limits.h"

static void	greeted(struct client *);
static void	try_helo(struct client *);
static void	hello_done(struct client *);
static void	rset_done(struct client *);
static void	mail_taken(struct client *);
static void	mail_refused(struct client *);
static void	rcpt_taken(struct client *);
static void	rcpt_refused(struct client *);
static void	data_wanted(struct client *);
static void	data_refused(struct client *);
static void	body_refused(struct client *);
static void	delivered(struct client *);
static void	dot_refused(struct client *);
static void	nulldot_done(struct client *);
static void	undone(struct client *);
static void	closing(struct client *);

/* The first row that fits: an exact code, a class (2, 4, 5), or 0 for any. */
static const struct rule {
	enum client_state state;
	uint16_t	  code;
	void		(*act)(struct client *);
} rules[] = {
	{ CS_GREETING,	220,	greeted },
	{ CS_GREETING,	4,	client_host_refuses },
	{ CS_GREETING,	5,	client_host_refuses },		/* 3.1: 554; RFC 7504: 521 */
	{ CS_EHLO,	250,	hello_done },
	{ CS_EHLO,	4,	client_host_refuses },
	{ CS_EHLO,	521,	client_host_refuses },
	{ CS_EHLO,	554,	client_host_refuses },
	{ CS_EHLO,	5,	try_helo },		/* 3.2, 4.1.4: 500, 501, 502, 504, 550 */
	{ CS_HELO,	250,	hello_done },
	{ CS_HELO,	4,	client_host_refuses },
	{ CS_HELO,	5,	client_host_refuses },
	{ CS_READY,	0,	closing },		/* nobody asked: 421, or nonsense */
	{ CS_RSET,	2,	rset_done },
	{ CS_MAIL,	421,	client_host_refuses },
	{ CS_MAIL,	2,	mail_taken },
	{ CS_MAIL,	4,	mail_refused },
	{ CS_MAIL,	5,	mail_refused },
	{ CS_RCPT,	421,	client_host_refuses },
	{ CS_RCPT,	2,	rcpt_taken },		/* 250, 251; 252 is no refusal either */
	{ CS_RCPT,	4,	rcpt_refused },
	{ CS_RCPT,	5,	rcpt_refused },
	{ CS_DATA,	421,	client_host_refuses },
	{ CS_DATA,	354,	data_wanted },
	{ CS_DATA,	4,	data_refused },
	{ CS_DATA,	5,	data_refused },
	{ CS_BODY,	421,	client_host_refuses },
	{ CS_BODY,	2,	bdat_answered },
	{ CS_BODY,	4,	body_refused },
	{ CS_BODY,	5,	body_refused },
	{ CS_DOT,	2,	delivered },
	{ CS_DOT,	4,	dot_refused },
	{ CS_DOT,	5,	dot_refused },
	{ CS_NULLDOT,	421,	client_host_refuses },
	{ CS_NULLDOT,	0,	nulldot_done },		/* RFC 2920 3.1: nobody was to get it */
	{ CS_CHUNKS,	421,	client_host_refuses },
	{ CS_CHUNKS,	0,	bdat_dropped },
	{ CS_UNDO,	421,	client_host_refuses },
	{ CS_UNDO,	0,	undone },
	{ CS_STARTTLS,	220,	starttls_taken },
	{ CS_STARTTLS,	421,	client_host_refuses },
	{ CS_STARTTLS,	4,	starttls_refused },	/* RFC 3207 4: 454 */
	{ CS_STARTTLS,	5,	starttls_refused },
	{ CS_LOGIN,	0,	closing },		/* nobody asked */
	{ CS_AUTH,	235,	auth_taken },
	{ CS_AUTH,	334,	auth_challenged },
	{ CS_AUTH,	4,	auth_refused },
	{ CS_AUTH,	5,	auth_refused },
	{ CS_QUIT,	0,	closing },
};

/* "250 2.1.0 text" as the host said it, for the record. */
static void
record(struct client *c)
{
	const struct reply *r = &c->in.r;

	if (c->dialogue != NULL && (c->state != CS_AUTH || r->code != 334))	/* a challenge is for nobody to read */
		dialogue_add(c->dialogue, c->now_ms, '<', r->code, slice_make(r->text, r->text_len));
	else if (c->dialogue != NULL)
		dialogue_add(c->dialogue, c->now_ms, '<', r->code, SLICE_LIT("(challenge)"));
}

void
client_reply(struct client *c)
{
	const struct rule *rule;
	uint16_t code = c->in.r.code;

	record(c);
	c->ehlo_line = 0;
	c->tls_heard = c->tls;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		rule = &rules[i];
		if (rule->state == c->state &&
		    (rule->code == 0 || rule->code == code || rule->code == code / 100)) {
			rule->act(c);
			return;
		}
	}
	client_unexpected(c);
}

/* ---- turning a reply into an outcome ---- */

/* Put the host's own words into r.  RFC 3463 gives no code for "it said none": x.0.0. */
void
client_take_reply(struct client *c, struct client_result *r)
{
	const struct reply *p = &c->in.r;

	r->code = p->code;
	r->enhanced = p->enhanced;
	if (r->enhanced.cls == 0)
		r->enhanced = (struct enhanced){ (uint8_t)(p->code / 100), 0, 0 };
	memcpy(r->text, p->text, p->text_len + 1);
	if (r->outcome == OUT_TEMPFAIL)
		r->retry_hint = reply_retry_hint(slice_make(p->text, p->text_len));
}

static enum outcome
reply_outcome(const struct client *c)
{
	unsigned cls = c->in.r.code / 100;

	return (cls == 2 ? OUT_DELIVERED : cls == 5 ? OUT_PERMFAIL : OUT_TEMPFAIL);
}

void
client_sweep_reply(struct client *c, enum sweep which)
{
	client_sweep(c, which, reply_outcome(c), "", "");
	client_take_reply(c, &c->r);
}

void
client_fail(struct client *c, enum outcome out, const char *enhanced, const char *text)
{
	struct client_result *f = &c->fail;

	if (c->state == CS_OVER)
		return;
	memset(f, 0, offsetof(struct client_result, text));
	f->outcome = out;
	f->stage = client_stage(c->state);
	enhanced_parse(&f->enhanced, slice_str(enhanced));
	memcpy(f->tls, c->tls_text, sizeof(f->tls));
	snprintf(f->text, sizeof(f->text), "%s", text);
	c->tls_failed = client_tls_is_fresh(c) && (c->state != CS_STARTTLS || c->in.r.code != 421);
	if (c->tls_failed)
		f->stage = STAGE_TLS;
	/* The peer had closed an idle connection before it could know of this message. */
	c->fail_stale = c->ntxn > 1 && !c->heard && (c->state == CS_MAIL || c->state == CS_RSET);
	client_set_state(c, CS_OVER);
	c->pending |= 1u << CLIENT_OVER;
}

/* ---- the connection ---- */

static void
greeted(struct client *c)
{
	c->greeted = 1;
	client_say_hello(c);
}

/* 421 anywhere, and refusals before MAIL: not this host, not now. */
void
client_host_refuses(struct client *c)
{
	client_fail(c, reply_outcome(c), "", "");
	client_take_reply(c, &c->fail);
}

static void
try_helo(struct client *c)
{
	client_ehlo_forget(c);
	client_set_state(c, CS_HELO);
	client_say(c, "HELO %s", c->hostname);
}

static void
hello_done(struct client *c)
{
	if (c->state == CS_HELO)
		client_ehlo_forget(c);
	client_hello_over(c);
}

static void
closing(struct client *c)
{
	client_fail(c, OUT_TEMPFAIL, "4.4.2", "the host closed the connection");
}

void
client_unexpected(struct client *c)
{
	char what[96], text[REPLY_TEXT_MAX];

	snprintf(what, sizeof(what), "unexpected code %u as %s", c->in.r.code,
	    client_state_name(c->state));
	if (c->state == CS_STARTTLS)
		client_tls_reason(c, text, sizeof(text), what);
	else
		snprintf(text, sizeof(text), "%s", what);
	/* The data was ended, and what became of it was not said. */
	if (c->state == CS_DOT) {
		client_sweep(c, SWEEP_ACCEPTED, OUT_UNSURE, "4.5.0", text);
		c->r.code = c->in.r.code;
	}
	client_fail(c, OUT_TEMPFAIL, "4.5.0", text);
	c->fail.code = c->in.r.code;
}

/* ---- the transaction ---- */

void
client_txn_done(struct client *c)
{
	client_set_state(c, CS_READY);
	c->pending |= 1u << CLIENT_DONE;
}

static void
rset_done(struct client *c)
{
	client_set_state(c, CS_MAIL);
	if (!c->pipelined)
		client_say_mail(c);
}

static void
mail_taken(struct client *c)
{
	c->heard = 1;
	c->mail_open = 1;
	client_set_state(c, CS_RCPT);
	if (!c->pipelined)
		client_say_next(c);
}

static void
mail_refused(struct client *c)
{
	c->heard = 1;
	client_sweep_reply(c, SWEEP_ALL);
	if (c->pipelined)
		client_set_state(c, CS_RCPT);	/* the answers to the rest of the group */
	else
		client_txn_done(c);
}

static void
rcpt_answered(struct client *c)
{
	int said = c->pipelined && !c->bdat;	/* what follows the last RCPT is on its way */

	c->next = client_rcpt_next(c, c->next + 1);
	if (c->next < c->mail->nrcpt)
		client_set_state(c, CS_RCPT);
	else if (c->mail->probe && (said || c->mail_open))
		client_set_state(c, CS_UNDO);
	else if (c->bdat && c->naccepted != 0) {
		bdat_start(c);
		return;
	} else if (said || c->naccepted != 0)
		client_set_state(c, CS_DATA);
	else {
		c->need_rset = c->mail_open;
		client_txn_done(c);
		return;
	}
	if (!c->pipelined)
		client_say_next(c);
}

/* The probe's RSET: whatever it said, nothing is open there, or the next transaction begins with another. */
static void
undone(struct client *c)
{
	c->need_rset = c->in.r.code / 100 != 2;
	client_txn_done(c);
}

static void
rcpt_taken(struct client *c)
{
	struct client_rcpt *r = &c->mail->rcpt[c->next];

	if (!r->done) {		/* else MAIL was refused, and this host is confused */
		r->accepted = 1;
		c->naccepted++;
		if (c->mail->probe)
			client_sweep_reply(c, SWEEP_ONE);
	}
	rcpt_answered(c);
}

/* 552 stands for 452 in old servers, unless the enhanced code says mailbox, system or policy. */
static int
is_too_many(const struct reply *r)
{
	if (r->enhanced.cls != 0)
		return ((r->code == 452 || r->code == 552) && r->enhanced.subject == 5 &&
		    r->enhanced.detail == 3);
	return (r->code == 452 || r->code == 552);
}

static void
rcpt_refused(struct client *c)
{
	if (!c->mail->rcpt[c->next].done) {
		client_sweep_reply(c, SWEEP_ONE);
		if (is_too_many(&c->in.r)) {
			c->r.outcome = OUT_TEMPFAIL;
			c->r.enhanced = (struct enhanced){ 4, 5, 3 };
			c->r.retry_hint = c->naccepted != 0 ? RETRY_AT_ONCE : reply_retry_hint(
			    slice_make(c->in.r.text, c->in.r.text_len));
		}
	}
	rcpt_answered(c);
}

static void
data_wanted(struct client *c)
{
	if (c->naccepted == 0) {
		client_set_state(c, CS_NULLDOT);
		client_say(c, ".");
		return;
	}
	client_set_state(c, CS_BODY);
	c->body_start_ms = c->now_ms;
	c->pending |= 1u << CLIENT_BODY;
}

static void
data_refused(struct client *c)
{
	if (c->naccepted != 0)
		client_sweep_reply(c, SWEEP_ACCEPTED);
	c->need_rset = c->mail_open;
	client_txn_done(c);
}

/* It will not have the rest.  Without the rest the data cannot be ended, so the connection goes
 * too. */
static void
body_refused(struct client *c)
{
	if (c->bdat) {
		bdat_refused(c);
		return;
	}
	client_sweep_reply(c, SWEEP_ACCEPTED);
	client_fail(c, OUT_TEMPFAIL, "4.4.2", "the host refused the body");
}

static void
delivered(struct client *c)
{
	if (c->bdat && !bdat_last(c))
		return;
	client_sweep_reply(c, SWEEP_ACCEPTED);
	c->r.handed = c->offers & OFFER_DSN ? HANDED_DSN : HANDED_PLAIN;
	c->r.by_passed = c->mail->by_mode != BY_NONE && (c->offers & OFFER_DELIVERBY) != 0;
	client_txn_done(c);
}

static void
dot_refused(struct client *c)
{
	if (c->bdat && !bdat_last(c))
		return;
	c->need_rset = c->bdat;		/* RFC 3030 2: what came is still there */
	client_sweep_reply(c, SWEEP_ACCEPTED);
	if (c->in.r.code == 421)
		client_fail(c, OUT_TEMPFAIL, "4.4.2", "the host closed the connection");
	else
		client_txn_done(c);
}

static void
nulldot_done(struct client *c)
{
	client_txn_done(c);
}
